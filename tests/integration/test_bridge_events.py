"""Events: who gets which, in what order, and exactly once."""

import asyncio

import pytest
from bridge_support import Client, Refused, World, eventually

from sealroom.bridge.homes import Claim, Homes
from sealroom.protocol import MAX_EVENT_SUBSCRIPTIONS, ErrorCode, EventType

UNASKED = (
    EventType.MEDIA_OFFER,
    EventType.MEDIA_FAILED,
    EventType.DATA_CUT,
    EventType.SESSION_RESYNC,
)
ALL = [one.value for one in EventType if one not in UNASKED]
OF_ROOMS = [one for one in ALL if one != EventType.ROOM_CREATED]


async def subscribe(
    client: Client, scope: str, scope_id: str, types: list[str] | None = None
) -> str:
    types = types or (ALL if scope == "context" else OF_ROOMS)
    result = await client.call("events.subscribe", types=types, scope=scope, scope_id=scope_id)
    return result.subscription_id


async def joined(world: World, *names: str):
    """A room and the named users in it, events of the joins taken."""
    clients = [await world.user(name) for name in names]
    room = await world.create_room(clients[0], names[1:])
    for index, client in enumerate(clients):
        await client.join(room.room_id)
        for earlier in clients[:index]:
            await earlier.event(EventType.PARTICIPANT_JOINED)
    return room.room_id, *clients


async def drain(client: Client) -> list[tuple[EventType, int]]:
    found = []
    while not client.events.empty():
        envelope = client.events.get_nowait()
        found.append((envelope.type, envelope.sequence))
    return found


async def test_the_context_tells_members_of_new_rooms_and_nobody_else(world: World) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    mallory = await world.user("mallory")
    for client in (alice, bob, mallory):
        await subscribe(client, "context", world.context_id)
    room = await world.create_room(alice, ["bob"])
    envelope, created = await bob.event(EventType.ROOM_CREATED)
    assert (envelope.room_id, envelope.context_id) == (room.room_id, world.context_id)
    assert (created.author, created.created_at) == ("alice", room.created_at)
    await alice.join(room.room_id)
    stream_id = await alice.publish(room.room_id)
    await alice.call("stream.unpublish", room_id=room.room_id, stream_id=stream_id)
    await alice.call("room.leave", room_id=room.room_id)
    await alice.call("room.delete", room_id=room.room_id)
    for expected in (
        EventType.PARTICIPANT_JOINED,
        EventType.STREAM_PUBLISHED,
        EventType.STREAM_UNPUBLISHED,
        EventType.PARTICIPANT_LEFT,
        EventType.ROOM_DELETED,
    ):
        await bob.event(expected)
    await mallory.no_event()
    await alice.no_event()  # she caused them all


async def test_only_subscribed_types_come(world: World) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(alice, ["bob"])
    await subscribe(bob, "room", room.room_id, ["participant.left"])
    await alice.join(room.room_id)
    await alice.call("room.leave", room_id=room.room_id)
    envelope, _ = await bob.event(EventType.PARTICIPANT_LEFT)
    assert envelope.sequence == 1
    await bob.no_event()


async def test_unsubscribing_ends_the_events(world: World) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(alice, ["bob"])
    subscription = await subscribe(bob, "room", room.room_id)
    await bob.call("events.unsubscribe", subscription_id=subscription)
    await alice.join(room.room_id)
    await bob.no_event()
    with pytest.raises(Refused) as refusal:
        await bob.call("events.unsubscribe", subscription_id=subscription)
    assert refusal.value.code is ErrorCode.SUBSCRIPTION_NOT_FOUND


async def test_subscribed_twice_and_joined_an_event_still_comes_once(world: World) -> None:
    room_id, alice, bob = await joined(world, "alice", "bob")
    first = await subscribe(alice, "room", room_id)
    await subscribe(alice, "room", room_id)
    await subscribe(alice, "context", world.context_id)
    await bob.publish(room_id)
    await alice.event(EventType.STREAM_PUBLISHED)
    await alice.no_event()
    await alice.call("events.unsubscribe", subscription_id=first)
    await alice.call("room.leave", room_id=room_id)
    await bob.publish(room_id)
    await alice.event(EventType.STREAM_PUBLISHED)
    await alice.no_event()


async def test_after_leaving_events_of_the_room_stop(world: World) -> None:
    room_id, alice, bob = await joined(world, "alice", "bob")
    await alice.call("room.leave", room_id=room_id)
    await bob.publish(room_id)
    await alice.no_event()


async def test_sequence_numbers_have_no_gaps_and_keep_the_order(world: World) -> None:
    room_id, alice, bob = await joined(world, "alice", "bob")
    streams = [await bob.publish(room_id) for _ in range(5)]
    for stream in streams:
        await bob.call("stream.unpublish", room_id=room_id, stream_id=stream)
    await alice.call("room.participants", room_id=room_id)
    found = await drain(alice)
    assert [kind for kind, _ in found] == [EventType.STREAM_PUBLISHED] * 5 + [
        EventType.STREAM_UNPUBLISHED
    ] * 5
    assert [number for _, number in found] == list(range(2, 12))


async def leave(client: Client, room_id: str) -> None:
    await client.call("room.leave", room_id=room_id)


async def drop(client: Client, room_id: str) -> None:
    client.socket.transport.abort()


async def say_goodbye(client: Client, room_id: str) -> None:
    await client.socket.close()


async def leave_and_drop(client: Client, room_id: str) -> None:
    await leave(client, room_id)
    await drop(client, room_id)


@pytest.mark.parametrize("part", [leave, drop, say_goodbye, leave_and_drop])
async def test_however_a_publisher_goes_the_others_are_told_once(world: World, part) -> None:
    room_id, alice, bob = await joined(world, "alice", "bob")
    participant = (await alice.call("room.participants", room_id=room_id)).participants[1]
    streams = [await bob.publish(room_id) for _ in range(2)]
    await alice.call("subscription.update", room_id=room_id, add=[{"stream_id": streams[0]}])
    for _ in streams:
        await alice.event(EventType.STREAM_PUBLISHED)
    await part(bob, room_id)
    for stream in streams:
        _, gone = await alice.event(EventType.STREAM_UNPUBLISHED)
        assert (gone.stream_id, gone.participant_id) == (stream, participant.participant_id)
    _, left = await alice.event(EventType.PARTICIPANT_LEFT)
    assert (left.participant_id, left.user_id) == (participant.participant_id, "bob")
    assert left.reason == ("left" if part in (leave, leave_and_drop) else "disconnected")
    _, offer = await alice.event(EventType.MEDIA_OFFER)
    assert offer.tracks == []
    await asyncio.sleep(0.2)
    await alice.no_event()
    assert world.media.count("remove_participant") == 1
    assert not world.media.streams
    listed = await alice.call("room.participants", room_id=room_id)
    assert [one.user_id for one in listed.participants] == ["alice"]


async def test_a_publisher_that_drops_while_publishing_leaves_nothing(world: World) -> None:
    room_id, alice, bob = await joined(world, "alice", "bob")
    world.media.gate = asyncio.Event()
    world.media.entered.clear()
    publishing = asyncio.create_task(bob.publish(room_id, "s"))
    await world.media.entered.wait()
    bob.socket.transport.abort()
    await asyncio.sleep(0.1)
    world.media.gate.set()
    await eventually(lambda: world.media.count("remove_participant") == 1)
    await eventually(lambda: not world.media.streams)
    publishing.cancel()
    kinds = []
    while EventType.PARTICIPANT_LEFT not in kinds:
        kinds.append((await alice.event())[0].type)
    assert kinds.count(EventType.STREAM_PUBLISHED) == kinds.count(EventType.STREAM_UNPUBLISHED)
    assert (await alice.call("stream.list", room_id=room_id)).streams == []


async def test_a_user_removed_while_publishing_leaves_nothing(world: World) -> None:
    room_id, alice, bob = await joined(world, "alice", "bob")
    world.media.gate = asyncio.Event()
    world.media.entered.clear()
    publishing = asyncio.create_task(bob.publish(room_id, "s"))
    await world.media.entered.wait()
    removing = asyncio.create_task(world.bridge.admin.user_remove(world.context_id, "bob"))
    await alice.event(EventType.PARTICIPANT_LEFT)
    world.media.gate.set()
    await removing
    await eventually(lambda: not world.media.streams)
    publishing.cancel()
    await alice.no_event()
    assert (await alice.call("stream.list", room_id=room_id)).streams == []


async def test_a_user_removed_while_joining_is_not_in_the_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(alice, ["bob"], ttl=0.1)
    await subscribe(alice, "room", room.room_id)
    entered, gate = asyncio.Event(), asyncio.Event()
    claim = Homes.claim

    async def slow_claim(self: Homes, room_id: str) -> Claim | None:
        entered.set()
        await gate.wait()
        return await claim(self, room_id)

    monkeypatch.setattr(Homes, "claim", slow_claim)
    joining = asyncio.create_task(bob.join(room.room_id))
    await entered.wait()
    await world.bridge.admin.user_remove(world.context_id, "bob")
    gate.set()
    await alice.event(EventType.ROOM_CLOSED)  # it was opened, is empty, and ages
    assert (await alice.call("room.participants", room_id=room.room_id)).participants == []
    await alice.no_event()
    joining.cancel()


async def test_two_who_join_and_leave_at_once_see_a_consistent_room(world: World) -> None:
    alice = await world.user("alice")
    others = [await world.user("bob") for _ in range(8)]
    room = await world.create_room(alice, ["bob"])
    await alice.join(room.room_id)
    results = await asyncio.gather(*(one.join(room.room_id) for one in others))
    assert len({result.participant_id for result in results}) == 8
    for client, result in zip(others, results, strict=True):
        known = {one.participant_id for one in result.participants}
        await client.call("room.participants", room_id=room.room_id)
        while not client.events.empty():
            _, data = await client.event(EventType.PARTICIPANT_JOINED)
            assert data.participant_id not in known  # each is in the reply or in an event
            known.add(data.participant_id)
        assert len(known) == 9
    await asyncio.gather(*(one.publish(room.room_id) for one in others))
    await asyncio.gather(*(leave(one, room.room_id) for one in others))
    await alice.call("room.participants", room_id=room.room_id)
    kinds = [kind for kind, _ in await drain(alice)]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        EventType.PARTICIPANT_JOINED: 8,
        EventType.STREAM_PUBLISHED: 8,
        EventType.STREAM_UNPUBLISHED: 8,
        EventType.PARTICIPANT_LEFT: 8,
    }


async def test_a_deleted_room_takes_its_subscriptions_along(world: World) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(alice, ["bob"])
    subscription = await subscribe(bob, "room", room.room_id)
    await alice.call("room.delete", room_id=room.room_id)
    await bob.event(EventType.ROOM_DELETED)
    with pytest.raises(Refused):
        await bob.call("events.unsubscribe", subscription_id=subscription)


async def test_subscriptions_are_limited_per_session(world: World) -> None:
    alice = await world.user("alice")
    for _ in range(MAX_EVENT_SUBSCRIPTIONS):
        await subscribe(alice, "context", world.context_id)
    with pytest.raises(Refused) as refusal:
        await subscribe(alice, "context", world.context_id)
    assert refusal.value.code is ErrorCode.LIMIT_EXCEEDED


@pytest.mark.parametrize("event", ["media.offer", "media.failed"])
async def test_events_for_one_participant_cannot_be_subscribed(world: World, event: str) -> None:
    alice = await world.user("alice")
    with pytest.raises(Refused) as refusal:
        await subscribe(alice, "context", world.context_id, [event])
    assert (refusal.value.code, refusal.value.field) == (ErrorCode.INVALID_PARAMS, "types")
