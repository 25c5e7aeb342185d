"""However somebody comes to be out of a room: each step is told exactly once, to who may know."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from bridge_support import Client, World, open_world

from sealroom.protocol import EventType

Way = Callable[[World, Client, Client, str, str], Awaitable[None]]


async def leave(world: World, alice: Client, bob: Client, room_id: str, participant: str) -> None:
    await bob.call("room.leave", room_id=room_id)


async def drop(world: World, alice: Client, bob: Client, room_id: str, participant: str) -> None:
    bob.socket.transport.abort()


async def close(world: World, alice: Client, bob: Client, room_id: str, participant: str) -> None:
    await bob.socket.close()


async def drop_and_remove(
    world: World, alice: Client, bob: Client, room_id: str, participant: str
) -> None:
    bob.socket.transport.abort()
    await world.bridge.admin.user_remove(world.context_id, "bob")


async def remove(world: World, alice: Client, bob: Client, room_id: str, participant: str) -> None:
    await world.bridge.admin.user_remove(world.context_id, "bob")


async def kick(world: World, alice: Client, bob: Client, room_id: str, participant: str) -> None:
    await alice.call("room.kick", room_id=room_id, participant_id=participant)


async def delete(world: World, alice: Client, bob: Client, room_id: str, participant: str) -> None:
    await alice.call("room.delete", room_id=room_id)


async def shut(world: World, alice: Client, bob: Client, room_id: str, participant: str) -> None:
    await alice.call("room.close", room_id=room_id)


GONE = Counter({EventType.STREAM_UNPUBLISHED: 1, EventType.PARTICIPANT_LEFT: 1})


@pytest.mark.parametrize(
    ("way", "seen", "own"),
    [
        (leave, GONE, Counter()),
        (drop, GONE, None),
        (close, GONE, None),
        (remove, GONE, None),
        (drop_and_remove, GONE, None),
        (kick, GONE, Counter({EventType.ROOM_EXCLUDED: 1})),
        (delete, Counter({EventType.ROOM_DELETED: 1}), Counter({EventType.ROOM_DELETED: 1})),
        (shut, Counter({EventType.ROOM_CLOSED: 1}), Counter({EventType.ROOM_CLOSED: 1})),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
async def test_each_step_is_told_exactly_once(
    way: Way, seen: Counter[EventType], own: Counter[EventType] | None
) -> None:
    """`seen` by a third in the room; `own` is what bob gets, None if he has no connection."""
    async with open_world(session_timeout=0.3) as world:
        alice, bob = await world.user("alice"), await world.user("bob")
        carol = await world.user("carol")
        room = await world.create_room(alice, ["bob", "carol"])
        room_id = room.room_id
        await alice.join(room_id)
        participant = (await bob.join(room_id)).participant_id
        await carol.join(room_id)
        await bob.publish(room_id)
        await carol.event(EventType.STREAM_PUBLISHED)
        await bob.event(EventType.PARTICIPANT_JOINED)
        await way(world, alice, bob, room_id, participant)
        got: Counter[EventType] = Counter()
        while sum(got.values()) < sum(seen.values()):
            got[(await carol.event())[0].type] += 1
        await asyncio.sleep(0.6)  # twice the time a session waits
        await carol.no_event()
        assert got == seen
        assert world.media.count("remove_participant") == (3 if way in (delete, shut) else 1)
        if own is not None:
            await bob.no_event() if not own else None
            mine = Counter({(await bob.event())[0].type: 1} if own else {})
            assert mine == own
            await bob.no_event()
