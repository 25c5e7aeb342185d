"""Calls between Bridges: sealed, once or not at all, bounded in number, time and size."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

import msgspec
import pytest

from sealroom.bridge.actor import PROGRAM
from sealroom.bridge.background import Background
from sealroom.bridge.errors import RequestError, access_denied
from sealroom.bridge.forwarding import (
    MAX_OPEN_CALLS,
    MAX_SERVED_CALLS,
    Caller,
    Forwarding,
    Peer,
    _Answer,
)
from sealroom.bridge.relay import Broadcast, Direct, Receiver, RelayedCall
from sealroom.bridge.relay_seal import RelaySeal
from sealroom.protocol import MAX_MESSAGE_BYTES, ErrorCode, Message

SECRET = b"s" * 32
CALLER = Caller.of(PROGRAM)
ANSWER = _Answer(result=msgspec.Raw(b'{"text": "forged"}'))


class Text(Message, frozen=True):
    text: str


class Wire:
    """A relay that hands messages to whoever is there, and keeps them."""

    state: Literal["none", "connected", "lost"] = "connected"

    def __init__(self) -> None:
        self.ends: dict[str, Forwarding] = {}
        self.carried: list[Direct] = []
        self.drops = False

    def send(self, message: Broadcast) -> None:
        raise AssertionError("nothing here is for all")

    def send_to(self, message: Direct, unheard: Callable[[], None]) -> None:
        self.carried.append(message)
        if message.target not in self.ends:
            unheard()
        elif not self.drops:
            self.ends[message.target].take(message)

    async def start(self, receiver: Receiver) -> None: ...

    async def close(self) -> None: ...


def peer(name: str) -> Peer:
    return Peer(name, f"id of {name}", f"ws://{name}")


def join(wire: Wire, name: str, *, secret: bytes = SECRET, timeout: float = 5.0) -> Forwarding:
    seal = RelaySeal(secret, name)
    one = wire.ends[name] = Forwarding(wire, seal, name, Background(), timeout)
    return one


async def echo(caller: Caller, params: Text) -> Text:
    return Text(f"{caller.kind}: {params.text}")


def pair(**options: Any) -> tuple[Wire, Forwarding, Forwarding]:
    wire = Wire()
    return wire, join(wire, "here", **options), join(wire, "there")


async def refusal(one: Forwarding, text: str = "x", target: str = "there") -> RequestError:
    with pytest.raises(RequestError) as refused:
        await one.call(peer(target), CALLER, "echo", Text(text), Text)
    return refused.value


async def test_a_call_is_carried_out_there_for_its_caller_and_answered_here() -> None:
    wire, here, there = pair()
    there.serve("echo", Text, echo)
    assert await here.call(peer("there"), CALLER, "echo", Text("hello"), Text) == Text(
        "program: hello"
    )
    assert all(b"hello" not in one.sealed for one in wire.carried)


async def test_a_refusal_comes_back_whole() -> None:
    _, here, there = pair()

    async def refuse(caller: Caller, params: Text) -> Text:
        raise access_denied("text")

    there.serve("echo", Text, refuse)
    found = await refusal(here)
    assert (found.error, found.field) == (ErrorCode.ACCESS_DENIED, "text")
    assert (str(found), found.remedy) == (str(access_denied("text")), access_denied().remedy)


async def test_a_failure_there_is_an_internal_error_without_its_text() -> None:
    _, here, there = pair()

    async def fail(caller: Caller, params: Text) -> Text:
        raise ValueError("secret")

    there.serve("echo", Text, fail)
    found = await refusal(here)
    assert found.error is ErrorCode.INTERNAL_ERROR
    assert "secret" not in f"{found} {found.remedy}"


async def test_a_method_that_the_other_does_not_know_is_named() -> None:
    _, here, _ = pair()
    assert (await refusal(here)).error is ErrorCode.METHOD_NOT_FOUND


async def test_nobody_there_is_told_at_once_and_silence_after_the_time_out() -> None:
    wire, here, _ = pair(timeout=0.05)
    found = await refusal(here, target="nowhere")
    assert (found.error, found.url) == (ErrorCode.HOME_SILENT, "ws://nowhere")
    wire.drops = True
    assert (await refusal(here)).error is ErrorCode.HOME_SILENT
    assert not here._open


async def test_without_a_relay_the_other_bridge_is_named() -> None:
    wire, here, _ = pair()
    wire.state = "lost"
    found = await refusal(here)
    assert (found.error, found.url) == (ErrorCode.ROOM_ELSEWHERE, "ws://there")
    assert not wire.carried


async def test_a_call_that_comes_again_is_not_carried_out_again() -> None:
    wire, here, there = pair()
    there.serve("echo", Text, echo)
    await here.call(peer("there"), CALLER, "echo", Text("x"), Text)
    before = len(wire.carried)
    wire.ends["there"].take(wire.carried[0])
    await asyncio.sleep(0.05)
    assert len(wire.carried) == before


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "other"},
        {"number": 7},
        {"sealed": b""},
        {"sealed": b"x" * 100},
    ],
)
async def test_what_no_bridge_sealed_so_changes_nothing(change: dict[str, Any]) -> None:
    wire, here, there = pair()
    there.serve("echo", Text, echo)
    wire.drops = True
    task = asyncio.create_task(refusal(here))
    await asyncio.sleep(0)
    [call] = wire.carried
    there.take(msgspec.structs.replace(call, **change))
    answer = msgspec.structs.replace(call, origin="there", target="here")
    here.take(answer)
    await asyncio.sleep(0.05)
    assert wire.carried == [call]
    assert there._last == {}
    wire.drops = False
    there.take(call)  # the true one is carried out still
    task.cancel()


async def test_who_does_not_know_the_secret_can_neither_read_nor_call() -> None:
    wire = Wire()
    stranger = join(wire, "stranger", secret=b"t" * 32, timeout=0.05)
    there = join(wire, "there")
    there.serve("echo", Text, echo)
    assert (await refusal(stranger)).error is ErrorCode.HOME_SILENT
    [call] = wire.carried
    assert isinstance(call, RelayedCall)
    assert RelaySeal(SECRET, "there").open("call", "stranger", call.number, call.sealed) is None
    assert RelaySeal(SECRET, "there").open("answer", "stranger", 1, b"") is None


async def test_an_answer_by_another_bridge_than_the_one_asked_is_not_believed() -> None:
    wire, here, there = pair(timeout=0.2)
    third = join(wire, "third")
    there.serve("echo", Text, echo)
    wire.drops = True
    task = asyncio.create_task(refusal(here))
    await asyncio.sleep(0)
    wire.drops = False
    third._answer(msgspec.structs.replace(wire.carried[0], target="third"), ANSWER)
    assert (await task).error is ErrorCode.HOME_SILENT


async def test_too_many_calls_are_refused_at_both_ends() -> None:
    _, here, there = pair()
    gate = asyncio.Event()

    async def wait(caller: Caller, params: Text) -> Text:
        await gate.wait()
        return params

    there.serve("echo", Text, wait)
    calls = [
        asyncio.create_task(here.call(peer("there"), CALLER, "echo", Text("x"), Text))
        for _ in range(MAX_SERVED_CALLS)
    ]
    await asyncio.sleep(0)
    assert (await refusal(here)).error is ErrorCode.BUSY
    future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
    here._open |= {-one: ("there", future) for one in range(1, MAX_OPEN_CALLS)}
    assert (await refusal(here)).error is ErrorCode.BUSY
    gate.set()
    assert len(await asyncio.gather(*calls)) == MAX_SERVED_CALLS
    assert there._served == 0


async def test_an_answer_larger_than_a_message_is_refused() -> None:
    _, here, there = pair()

    async def talk(caller: Caller, params: Text) -> Text:
        return Text("x" * MAX_MESSAGE_BYTES)

    there.serve("echo", Text, talk)
    assert (await refusal(here)).error is ErrorCode.LIMIT_EXCEEDED


def test_no_secret_is_shown() -> None:
    assert "s" * 8 not in repr(RelaySeal(SECRET, "here"))
