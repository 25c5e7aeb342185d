"""How a connection comes back: its delays, what it asks for again, and when it gives up."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from test_client_connection import ALICE, PARAMS, ScriptedBridge, eventually, refuse
from websockets.asyncio.server import serve

from sealroom.client import Connection, Reconnect
from sealroom.client.errors import ConnectionClosedError
from sealroom.client.repeating import is_bound, may_repeat
from sealroom.errors import InvalidArgumentError
from sealroom.protocol import (
    CLOSE_TAKEN_OVER,
    METHODS,
    RESUME_TYPE,
    Empty,
    ErrorCode,
    EventEnvelope,
    EventType,
    ParticipantsResult,
)


class ResumableBridge(ScriptedBridge):
    """Takes sessions up again while `lives` says so."""

    def __init__(self) -> None:
        super().__init__()
        self.lives = True
        self.resumed: list[dict[str, Any]] = []

    def _log_in(self, request: dict[str, Any]) -> dict[str, Any] | None:
        if request["method"] != "auth.resume":
            return super()._log_in(request)
        raw = base64.b64decode(request["params"]["payload"])
        ALICE.public.verify(RESUME_TYPE, raw, base64.b64decode(request["params"]["signature"]))
        self.resumed.append({**json.loads(raw), "joined": request["params"]["joined"]})
        if not self.lives:
            return refuse(ErrorCode.SESSION_NOT_FOUND)
        return {"result": {"replayed": 0, "resync": False}}

    def methods(self) -> list[str]:
        return [one["method"] for one in self.requests]


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@pytest_asyncio.fixture
async def bridge() -> AsyncIterator[ResumableBridge]:
    script = ResumableBridge()
    async with serve(script.serve, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        script.url = f"ws://127.0.0.1:{port}"
        yield script


async def connect(bridge: ScriptedBridge, policy: Reconnect | None = None) -> Connection:
    return await Connection.connect(
        bridge.url,
        identity=ALICE,
        user_id="alice",
        context_id="c",
        request_timeout=5.0,
        reconnect=policy or Reconnect(first_delay=0.01, max_delay=0.05),
    )


def states_of(connection: Connection) -> list[str]:
    states: list[str] = []
    connection.on_state(lambda state, _: states.append(state))
    return states


def test_delays_grow_to_their_limit_and_jitter_only_shortens_them() -> None:
    policy = Reconnect(first_delay=1, factor=2, max_delay=10, jitter=0.5, random=lambda: 0.0)
    assert [policy.delay(one) for one in range(6)] == [1, 2, 4, 8, 10, 10]
    assert policy.delay(10**6) == 10
    policy = Reconnect(first_delay=1, factor=2, max_delay=10, jitter=0.5, random=lambda: 1.0)
    assert [policy.delay(one) for one in range(4)] == [0.5, 1, 2, 4]


@pytest.mark.parametrize(
    "options",
    [
        {"first_delay": 0},
        {"factor": 0.5},
        {"max_delay": 0.01},
        {"jitter": 2},
        {"give_up_after": 0},
        {"stable_after": -1},
    ],
)
def test_figures_out_of_range_are_refused_by_name(options: dict[str, float]) -> None:
    with pytest.raises(InvalidArgumentError, match=next(iter(options))):
        Reconnect(**options)


async def test_it_resumes_with_the_last_event_and_the_joined_rooms(bridge: ResumableBridge) -> None:
    async with await connect(bridge) as connection:
        states = states_of(connection)
        connection.remember_joined(lambda: {"room"})
        await bridge.event(1)
        await bridge.event(2)
        await connection.call("room.leave", PARAMS, Empty)
        bridge.sockets[0].transport.abort()
        await eventually(lambda: states == ["reconnecting", "resumed"])
        [resumed] = bridge.resumed
        assert (resumed["session_id"], resumed["last_sequence"]) == ("s", 2)
        assert resumed["joined"] == ["room"]


async def test_a_session_that_is_over_is_replaced_and_its_numbers_begin_again(
    bridge: ResumableBridge,
) -> None:
    async with await connect(bridge) as connection:
        states, seen = states_of(connection), list[EventEnvelope]()
        connection.on_event(seen.append)
        await bridge.event(1)
        await eventually(lambda: len(seen) == 1)
        bridge.lives = False
        bridge.sockets[0].transport.abort()
        await eventually(lambda: states == ["reconnecting", "connected"])
        await bridge.event(1)
        await eventually(lambda: [one.sequence for one in seen] == [1, 1])


async def test_an_event_that_comes_again_is_not_passed_on(bridge: ResumableBridge) -> None:
    async with await connect(bridge) as connection:
        seen: list[int] = []
        connection.on_event(lambda one: seen.append(one.sequence))
        for number in (1, 2, 2, 1, 3):
            await bridge.event(number)
        await connection.call("room.leave", PARAMS, Empty)
        assert seen == [1, 2, 3]


async def test_a_gap_in_the_numbers_is_a_resync(bridge: ResumableBridge) -> None:
    async with await connect(bridge) as connection:
        seen: list[EventEnvelope] = []
        connection.on_event(seen.append)
        await bridge.event(1)
        await bridge.event(5)
        await connection.call("room.leave", PARAMS, Empty)
        assert [one.type for one in seen] == [
            EventType.PARTICIPANT_LEFT,
            EventType.SESSION_RESYNC,
            EventType.PARTICIPANT_LEFT,
        ]


async def test_a_read_under_way_is_sent_again_and_a_change_is_not(bridge: ResumableBridge) -> None:
    async with await connect(bridge) as connection:
        states = states_of(connection)
        bridge.answer = lambda _: None
        reading = asyncio.create_task(
            connection.call("room.participants", PARAMS, ParticipantsResult)
        )
        changing = asyncio.create_task(connection.call("room.close", PARAMS, Empty))
        await eventually(lambda: "room.close" in bridge.methods())
        bridge.answer = lambda _: {"result": {"participants": []}}
        bridge.sockets[0].transport.abort()
        with pytest.raises(ConnectionClosedError):
            await changing
        assert (await reading).participants == []
        assert states == ["reconnecting", "resumed"]
        assert bridge.methods().count("room.close") == 1
        assert bridge.methods().count("room.participants") == 2


async def test_what_was_done_before_the_drop_is_no_refusal_when_asked_again(
    bridge: ResumableBridge,
) -> None:
    async with await connect(bridge) as connection:
        bridge.answer = lambda _: None
        leaving = asyncio.create_task(connection.call("room.leave", PARAMS, Empty))
        await eventually(lambda: "room.leave" in bridge.methods())
        bridge.answer = lambda _: refuse(ErrorCode.NOT_JOINED)
        bridge.sockets[0].transport.abort()
        await leaving


async def test_what_belongs_to_a_session_is_not_sent_in_another(bridge: ResumableBridge) -> None:
    async with await connect(bridge) as connection:
        bridge.answer = lambda _: None
        leaving = asyncio.create_task(connection.call("room.leave", PARAMS, Empty))
        await eventually(lambda: "room.leave" in bridge.methods())
        bridge.lives = False
        honest = bridge._log_in

        def other_session(request: dict[str, Any]) -> dict[str, Any] | None:
            reply = honest(request)
            if request["method"] == "auth.login" and reply is not None:
                reply["result"]["session_id"] = "another"
            return reply

        bridge._log_in = other_session  # type: ignore[method-assign]
        bridge.sockets[0].transport.abort()
        with pytest.raises(ConnectionClosedError, match="session"):
            await leaving
        assert connection.session_id == "another"
        assert bridge.methods().count("room.leave") == 1


async def test_it_gives_up_after_its_time(bridge: ResumableBridge) -> None:
    time = Time()
    policy = Reconnect(
        first_delay=1,
        factor=2,
        max_delay=8,
        give_up_after=20,
        sleep=time.sleep,
        random=lambda: 0.0,
        clock=lambda: time.now,
    )
    connection = await connect(bridge, policy)
    states = states_of(connection)
    connection._url = "ws://127.0.0.1:9"
    bridge.sockets[0].transport.abort()
    await eventually(lambda: states == ["reconnecting", "closed"])
    assert time.slept == [1, 2, 4, 8, 8]
    with pytest.raises(ConnectionClosedError, match="gave up after 20 s"):
        await connection.call("room.leave", PARAMS, Empty)
    await connection.close()


async def test_a_connection_that_does_not_last_is_waited_for_longer(
    bridge: ResumableBridge,
) -> None:
    time = Time()
    policy = Reconnect(
        first_delay=1, factor=2, sleep=time.sleep, random=lambda: 0.0, clock=lambda: time.now
    )
    async with await connect(bridge, policy) as connection:
        states = states_of(connection)
        for count in range(1, 4):
            bridge.sockets[-1].transport.abort()
            await eventually(lambda count=count: states.count("resumed") == count)
        assert time.slept == [1, 2, 4]
        time.now += 10  # this one lasts
        bridge.sockets[-1].transport.abort()
        await eventually(lambda: states.count("resumed") == 4)
        assert time.slept == [1, 2, 4, 1]


async def test_who_is_taken_over_stays_away(bridge: ResumableBridge) -> None:
    connection = await connect(bridge)
    states = states_of(connection)
    await bridge.sockets[0].close(CLOSE_TAKEN_OVER)
    await eventually(lambda: states == ["closed"])
    assert len(bridge.sockets) == 1
    await connection.close()


def test_only_what_reads_or_is_as_good_twice_is_repeated() -> None:
    repeated = {one for one in METHODS if may_repeat(one)}
    assert repeated == {
        *("context.get", "context.users", "room.get", "room.list", "room.history"),
        *("room.participants", "stream.list", "room.ready", "room.leave", "stream.unpublish"),
        *("subscription.update", "media.answer", "media.trickle", "events.unsubscribe"),
    }
    assert not is_bound("room.get")
    assert all(is_bound(one) for one in ("stream.publish", "subscription.update", "media.answer"))
