"""Events of the application's: to all or some, through a rotation, and what a Bridge may try."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from bridge_support import eventually
from client_support import ClientWorld, EventLog, open_client_world

from sealroom.bridge.records import RoomAccess
from sealroom.client import StreamApi
from sealroom.client.errors import AccessDeniedError, NotJoinedError, RequestRefusedError
from sealroom.client.events import CustomEvent, CustomEventRefused
from sealroom.crypto.custom_event import make_custom_event
from sealroom.crypto.errors import (
    EventDecryptError,
    EventReplayError,
    EventRightError,
    EventSenderError,
    ForgedSignatureError,
    ObjectTypeError,
    RoomMismatchError,
    VerificationError,
)
from sealroom.errors import InvalidArgumentError
from sealroom.identity import Identity
from sealroom.protocol import MAX_CUSTOM_EVENT_BYTES, CustomEventPayload, ErrorCode, SignedObject


@pytest_asyncio.fixture
async def clients(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ClientWorld]:
    async with open_client_world(monkeypatch) as one:
        await one.world.add_user("carol")
        yield one


async def joined(clients: ClientWorld, *users: str) -> tuple[str, list[StreamApi]]:
    apis = [await clients.api(one) for one in users]
    room_id = await clients.room(apis[0], users[1:])
    for api in apis:
        await api.join_stream_room(room_id)
    return room_id, apis


async def test_members_get_what_is_for_them_and_the_sender_nothing(clients: ClientWorld) -> None:
    room_id, apis = await joined(clients, "alice", "bob", "carol")
    alice, bob, _ = apis
    logs = [EventLog(api) for api in apis]
    await alice.send_custom_event(room_id, b"for bob", user_ids=["bob"], channel="chat")
    await alice.send_custom_event(room_id, b"for all")
    event = await logs[1].next(CustomEvent)
    assert (event.room_id, event.user_id, event.channel, event.data) == (
        room_id,
        "alice",
        "chat",
        b"for bob",
    )
    assert (await logs[1].next(CustomEvent)).data == b"for all"
    assert (await logs[2].next(CustomEvent)).data == b"for all"
    await bob.send_custom_event(room_id, b"x" * MAX_CUSTOM_EVENT_BYTES)
    assert (await logs[0].next(CustomEvent)).user_id == "bob"
    assert len((await logs[2].next(CustomEvent)).data) == MAX_CUSTOM_EVENT_BYTES


async def test_events_go_on_through_a_rotation(clients: ClientWorld) -> None:
    room_id, (alice, bob) = await joined(clients, "alice", "bob")
    log = EventLog(bob)
    for number in range(4):
        await alice.send_custom_event(room_id, bytes([number]))
        await alice.update_stream_room(room_id, force_generate_new_key=True)
    assert [(await log.next(CustomEvent)).data[0] for _ in range(4)] == [0, 1, 2, 3]
    assert not [one for one in log.seen if isinstance(one, CustomEventRefused)]


async def test_an_iterator_that_nobody_reads_any_more_keeps_no_events(
    clients: ClientWorld,
) -> None:
    def kept() -> int:
        gc.collect()
        return sum(isinstance(one, CustomEvent) for one in gc.get_objects())

    room_id, (alice, bob) = await joined(clients, "alice", "bob")
    log = EventLog(bob)
    never_read = bob.events()
    left_off = bob.events()
    for _ in range(3):
        await alice.send_custom_event(room_id, b"hello")
    assert isinstance(await anext(left_off), CustomEvent)
    for _ in range(3):
        await log.next(CustomEvent)
    assert kept() == 3
    del never_read, left_off
    log.seen.clear()
    # The loop closes an iterator that was begun; the log's own holds the event it gave last.
    await eventually(lambda: kept() <= 1)


async def test_what_is_beyond_a_limit_or_a_right_is_refused(clients: ClientWorld) -> None:
    room_id, (alice, bob) = await joined(clients, "alice", "bob")
    for wrong in (
        {"data": b"x" * (MAX_CUSTOM_EVENT_BYTES + 1)},
        {"data": b"", "channel": "x" * 65},
        {"data": b"", "user_ids": []},
    ):
        with pytest.raises(InvalidArgumentError):
            await alice.send_custom_event(room_id, **wrong)  # type: ignore[arg-type]
    with pytest.raises(RequestRefusedError) as refused:
        await alice.send_custom_event(room_id, b"", user_ids=["mallory"])
    assert (refused.value.error_code, refused.value.field) == (
        ErrorCode.EVENT_INVALID,
        "event.payload.user_ids",
    )
    await alice.update_stream_room(room_id, policy={"send_custom_event": "manager"})
    with pytest.raises(AccessDeniedError):
        await bob.send_custom_event(room_id, b"")
    await bob.leave_stream_room(room_id)
    with pytest.raises(NotJoinedError):
        await bob.send_custom_event(room_id, b"")


async def test_the_bridge_reads_nothing_of_an_event(clients: ClientWorld) -> None:
    room_id, (alice, bob) = await joined(clients, "alice", "bob")
    log, seen = EventLog(bob), []
    session = bob._session(room_id)
    take = session.custom_events.received

    async def watch(signed: SignedObject) -> None:
        seen.append(signed)
        await take(signed)

    session.custom_events.received = watch  # type: ignore[method-assign]
    await alice.send_custom_event(room_id, b"very private words")
    await log.next(CustomEvent)
    payload = msgspec.json.decode(seen[0].payload, type=CustomEventPayload)
    assert b"private" not in payload.data


async def test_a_bridge_that_lies_about_an_event_is_caught(clients: ClientWorld) -> None:
    room_id, (alice, bob) = await joined(clients, "alice", "bob")
    other = await clients.room(alice)
    identities = clients.world.identities
    log, session = EventLog(bob), bob._session(room_id)
    keys = alice._session(room_id)._keys.newest

    def made(signer: Identity | None = None, author: str = "alice", **options: Any) -> SignedObject:
        signer = signer or identities["alice"]
        fields: dict[str, Any] = {
            "keys": keys,
            "data": b"x",
            "channel": "",
            "user_ids": None,
            "sent_at": 1,
        }
        return make_custom_event(signer, author, **{**fields, **options})

    honest = made()
    await session.custom_events.received(honest)
    assert (await log.next(CustomEvent)).data == b"x"
    payload = msgspec.json.decode(honest.payload, type=CustomEventPayload)
    elsewhere = (await alice._directory.get(other)).keys
    replace = msgspec.structs.replace
    moved = msgspec.json.encode(replace(payload, channel="other"))
    resigned = SignedObject(
        type="custom-event",
        payload=moved,
        signature=identities["alice"].sign("custom-event", moved),
        author="alice",
    )
    lies: list[tuple[SignedObject, type[VerificationError]]] = [
        (honest, EventReplayError),
        (made(identities["mallory"], "mallory"), EventSenderError),
        (made(identities["mallory"], "alice"), ForgedSignatureError),
        (replace(honest, author="bob"), ForgedSignatureError),
        (replace(honest, type="room-record"), ObjectTypeError),
        (replace(honest, payload=honest.payload + b" "), ForgedSignatureError),
        (made(user_ids=["alice"]), EventSenderError),
        (made(keys=elsewhere), RoomMismatchError),
        (resigned, EventDecryptError),
    ]
    for lie, expected in lies:
        await session.custom_events.received(lie)
        refused = await log.next(CustomEventRefused)
        assert isinstance(refused.error, expected), expected


async def test_an_event_of_an_epoch_that_ended_is_refused(clients: ClientWorld) -> None:
    room_id, (alice, bob) = await joined(clients, "alice", "bob")
    log, session = EventLog(bob), bob._session(room_id)
    old = make_custom_event(
        clients.world.identities["alice"],
        "alice",
        keys=session._keys.newest,
        data=b"",
        channel="",
        user_ids=None,
        sent_at=1,
    )
    await alice.update_stream_room(room_id, force_generate_new_key=True)
    async with asyncio.timeout(10):
        while len(session._keys.accepted) != 1 or session._keys.newest.id.epoch != 2:
            await asyncio.sleep(0.02)
    await session.custom_events.received(old)
    assert isinstance((await log.next(CustomEventRefused)).error, EventDecryptError)


async def test_an_event_that_the_policy_forbids_is_refused_by_clients_too(
    clients: ClientWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice, policy={"send_custom_event": "manager"})
    for api in (alice, bob):
        await api.join_stream_room(room_id)
    log = EventLog(alice)
    with pytest.raises(AccessDeniedError):
        await bob.send_custom_event(room_id, b"hello")
    monkeypatch.setattr(RoomAccess, "allows", lambda *_: True)  # a Bridge that lets everything pass
    await bob.send_custom_event(room_id, b"hello")
    refused = await log.next(CustomEventRefused)
    assert isinstance(refused.error, EventRightError)
