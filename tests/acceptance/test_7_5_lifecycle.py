"""Acceptance 7.5: lifecycle and events (docs/acceptance.md)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest
from bridge_support import Client, Refused, World, open_world
from client_support import ClientWorld, EventLog, publish

from sealroom.client.errors import MediaServerFailedError, RequestRefusedError
from sealroom.client.events import (
    ParticipantLeft,
    RoomClosed,
    StreamUnpublished,
)
from sealroom.protocol import ErrorCode, EventType


async def listed_state(client: Client, room_id: str) -> str:
    return str((await client.call("room.get", room_id=room_id)).room.state)


async def leave(client: Client, room_id: str) -> None:
    await client.call("room.leave", room_id=room_id)


async def hang_up(client: Client, room_id: str) -> None:
    await client.socket.close()


async def vanish(client: Client, room_id: str) -> None:
    client.socket.transport.abort()


GOING = {"leaves": leave, "hangs up": hang_up, "vanishes": vanish}


@pytest.mark.parametrize("going", GOING)
async def test_item_24_a_room_closes_when_the_last_one_is_gone(going: str) -> None:
    go: Callable[[Client, str], Awaitable[None]] = GOING[going]
    async with open_world() as world:
        watcher, bob, other = [await world.user(one) for one in ("alice", "bob", "bob")]
        room = await world.create_room(watcher, ["bob"], ttl=0.2)
        apart = await world.create_room(watcher, ["bob"], ttl=0.2)
        for client in (bob, other):
            await client.join(room.room_id)
        await watcher.join(apart.room_id)
        await watcher.call(
            "events.subscribe", types=["room.closed"], scope="room", scope_id=room.room_id
        )
        await go(other, room.room_id)
        await asyncio.sleep(0.4)  # beyond the time to live: one is still there
        assert await listed_state(watcher, room.room_id) == "open"
        await go(bob, room.room_id)
        envelope, closed = await watcher.event(EventType.ROOM_CLOSED)
        assert (envelope.room_id, closed.reason) == (room.room_id, "empty")
        assert await listed_state(watcher, room.room_id) == "closed"
        assert await listed_state(watcher, apart.room_id) == "open"  # each room by itself


async def test_item_25_what_a_closed_room_allows(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice)
    await alice.close_stream_room(room_id)
    with pytest.raises(RequestRefusedError) as caught:
        await bob.join_stream_room(room_id)
    assert caught.value.error_code == ErrorCode.ROOM_CLOSED
    raw = await clients.world.user("bob")
    for method, params in (
        ("subscription.update", {"add": [{"stream_id": "s"}]}),
        ("media.trickle", {"transport": "publisher", "candidate": "c"}),
    ):
        with pytest.raises(Refused) as refused:
            await raw.call(method, room_id=room_id, **params)
        assert refused.value.code in (ErrorCode.ROOM_CLOSED, ErrorCode.NOT_JOINED), method
    # These are questions, and the true answer is that there is nothing.
    assert (await raw.call("stream.list", room_id=room_id)).streams == []
    assert (await raw.call("room.participants", room_id=room_id)).participants == []
    assert (await bob.get_stream_room(room_id)).state == "closed"
    assert (await alice.update_stream_room(room_id, public_meta=b"new")).version == 2
    await alice.delete_stream_room(room_id)


LIFE = (
    EventType.ROOM_CREATED,
    EventType.PARTICIPANT_JOINED,
    EventType.STREAM_PUBLISHED,
    EventType.STREAM_UNPUBLISHED,
    EventType.PARTICIPANT_LEFT,
    EventType.ROOM_CLOSED,
    EventType.ROOM_REOPENED,
    EventType.ROOM_DELETED,
)


async def live_a_room(world: World, alice: Client) -> None:
    """One room from its first day to its last."""
    room = await world.create_room(alice, ["bob", "carol"])
    room_id = room.room_id
    await alice.join(room_id)
    stream_id = await alice.publish(room_id)
    await alice.call("stream.unpublish", room_id=room_id, stream_id=stream_id)
    await alice.call("room.leave", room_id=room_id)
    for method in ("room.close", "room.reopen", "room.delete"):
        await alice.call(method, room_id=room_id)


async def test_item_26_each_subscription_delivers_its_own_type_to_members_only(
    world: World,
) -> None:
    await world.add_user("carol")
    alice = await world.user("alice")
    receivers: dict[tuple[str, EventType], Client] = {}
    for name in ("bob", "carol", "mallory"):
        for one in LIFE:
            client = receivers[name, one] = await world.user(name)
            await client.call(
                "events.subscribe", types=[one], scope="context", scope_id=world.context_id
            )
    await live_a_room(world, alice)
    for (name, one), client in receivers.items():
        if name != "mallory":
            await client.event(one)
        await client.no_event()


async def test_item_27_however_one_goes_the_others_hear_each_thing_once(
    clients: ClientWorld,
) -> None:
    """Who watches whom is not told to others, so there is no "unsubscribed" to hear."""
    alice = await clients.api("alice")
    room_id = await clients.room(alice)
    await alice.join_stream_room(room_id)
    log = EventLog(alice)

    for go in GOING.values():
        bob = await clients.world.user("bob")
        await bob.join(room_id)
        stream_id = await bob.publish(room_id, nonce=os.urandom(16))
        await go(bob, room_id)
        await log.next(ParticipantLeft)
        events = [one for one in log.seen if isinstance(one, (ParticipantLeft, StreamUnpublished))]
        assert [type(one) for one in events] == [StreamUnpublished, ParticipantLeft]
        assert events[0].stream_id == stream_id
        log.seen.clear()


async def test_item_29_there_is_no_list_of_the_rooms_of_others(clients: ClientWorld) -> None:
    alice, mallory = await clients.api("alice"), await clients.api("mallory")
    await clients.room(alice, policy={"get": "all"})
    assert (await mallory.list_stream_rooms()).total == 0


async def test_item_29_without_a_media_server_publishing_is_refused(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    room_id = await clients.room(alice)  # rooms need no media server
    await alice.join_stream_room(room_id)
    clients.world.media.fail_next = ConnectionError("no media server")
    before = await alice.get_stream_room(room_id)
    with pytest.raises(MediaServerFailedError, match="media server") as failed:
        await publish(alice, room_id)
    assert failed.value.error_code == ErrorCode.MEDIA_SERVER_FAILED
    assert failed.value.retry_after > 0
    assert await alice.list_streams(room_id) == []
    assert await alice.get_stream_room(room_id) == before
    await publish(alice, room_id)


async def test_item_24_a_closed_room_tells_who_was_in_it(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice)
    await bob.join_stream_room(room_id)
    log = EventLog(bob)
    await alice.close_stream_room(room_id)
    assert (await log.next(RoomClosed)).room_id == room_id
