"""Subscription queries by type and scope: what is asked for, what is refused, and who sees what."""

from typing import Any

import pytest
from bridge_support import Client, Refused, World

from sealroom.protocol import MAX_EVENT_SUBSCRIPTIONS, ErrorCode, EventType


def query(scope: str, scope_id: str, *types: str) -> dict[str, Any]:
    return {"types": list(types), "scope": scope, "scope_id": scope_id}


async def subscribe(client: Client, *queries: dict[str, Any]) -> list[str]:
    result = await client.call("events.subscribe_for", queries=list(queries))
    return result.subscription_ids


async def live_room(world: World) -> tuple[str, Client, Client]:
    """A room that bob publishes in, and alice, who is a member and did not join."""
    bob, alice = await world.user("bob"), await world.user("alice")
    room = await world.create_room(bob, ["alice"])
    await bob.join(room.room_id)
    return room.room_id, bob, alice


async def test_ids_come_in_the_order_of_the_queries(world: World) -> None:
    room_id, bob, alice = await live_room(world)
    left, published = await subscribe(
        alice,
        query("room", room_id, "participant.left"),
        query("context", world.context_id, "stream.published"),
    )
    await alice.call("events.unsubscribe", subscription_id=left)
    await bob.publish(room_id)
    await alice.event(EventType.STREAM_PUBLISHED)
    await bob.call("room.leave", room_id=room_id)
    await alice.no_event()
    await alice.call("events.unsubscribe", subscription_id=published)


async def test_events_of_one_stream_come_without_those_of_others(world: World) -> None:
    room_id, bob, alice = await live_room(world)
    stream_id = await bob.publish(room_id)
    other = await bob.publish(room_id)
    await subscribe(alice, query("stream", stream_id, "stream.unpublished", "stream.published"))
    await bob.call("stream.unpublish", room_id=room_id, stream_id=other)
    await bob.call("stream.unpublish", room_id=room_id, stream_id=stream_id)
    _, gone = await alice.event(EventType.STREAM_UNPUBLISHED)
    assert gone.stream_id == stream_id
    await bob.publish(room_id, stream_id)  # it comes back under its id
    await alice.event(EventType.STREAM_PUBLISHED)
    await alice.no_event()


@pytest.mark.parametrize(
    ("scope", "event"),
    [
        ("context", "media.offer"),
        ("room", "session.resync"),
        ("room", "room.created"),
        ("stream", "room.created"),
        ("stream", "participant.left"),
        ("stream", "room.deleted"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_name(world: World, scope: str, event: str) -> None:
    room_id, bob, alice = await live_room(world)
    ids = {"context": world.context_id, "room": room_id, "stream": await bob.publish(room_id)}
    good = query("room", room_id, "participant.left")
    with pytest.raises(Refused) as refusal:
        await subscribe(alice, good, query(scope, ids[scope], "stream.published", event))
    assert (refusal.value.code, refusal.value.field) == (
        ErrorCode.INVALID_PARAMS,
        "queries[1].types",
    )
    assert event in (refusal.value.remedy or "")
    await bob.call("room.leave", room_id=room_id)
    await alice.no_event()  # and the good one was not made either


async def test_what_one_may_not_see_is_refused_by_name_like_what_does_not_exist(
    world: World,
) -> None:
    room_id, bob, alice = await live_room(world)
    stream_id = await bob.publish(room_id)
    mallory = await world.user("mallory")
    for client, scope, scope_id in (
        (mallory, "room", room_id),
        (mallory, "stream", stream_id),
        (alice, "room", "nothing"),
        (alice, "stream", "nothing"),
        (alice, "context", "nothing"),
    ):
        with pytest.raises(Refused) as refusal:
            await subscribe(
                client,
                query("context", world.context_id, "room.created"),
                query(scope, scope_id, "stream.published"),
            )
        assert (refusal.value.code, refusal.value.field) == (
            ErrorCode.ACCESS_DENIED,
            "queries[1].scope_id",
        )


async def test_access_is_asked_again_at_every_event(world: World) -> None:
    room_id, bob, alice = await live_room(world)
    stream_id = await bob.publish(room_id)
    await subscribe(alice, query("stream", stream_id, "stream.unpublished"))
    hidden = await world.create_room(bob)  # alice is no member
    await bob.join(hidden.room_id)
    await bob.publish(hidden.room_id, stream_id)
    await bob.call("stream.unpublish", room_id=hidden.room_id, stream_id=stream_id)
    await alice.no_event()
    await bob.call("stream.unpublish", room_id=room_id, stream_id=stream_id)
    envelope, _ = await alice.event(EventType.STREAM_UNPUBLISHED)
    assert envelope.room_id == room_id
    await alice.no_event()


async def test_queries_count_one_by_one_and_all_or_none_are_taken(world: World) -> None:
    room_id, bob, alice = await live_room(world)
    one = query("room", room_id, "participant.left")
    ids = await subscribe(alice, *[one] * (MAX_EVENT_SUBSCRIPTIONS - 1))
    assert len(set(ids)) == MAX_EVENT_SUBSCRIPTIONS - 1
    with pytest.raises(Refused) as refusal:
        await subscribe(alice, one, one)
    assert refusal.value.code is ErrorCode.LIMIT_EXCEEDED
    await subscribe(alice, one)
    await bob.call("room.leave", room_id=room_id)
    await alice.event(EventType.PARTICIPANT_LEFT)
    await alice.no_event()


async def test_access_lines_for_subscriptions_hold_for_queries(world: World) -> None:
    room_id, _, alice = await live_room(world)
    await world.bridge.admin.user_set_acl(
        world.context_id, "alice", "allow all\ndeny events.subscribe scope=room"
    )
    with pytest.raises(Refused) as refusal:
        await subscribe(alice, query("room", room_id, "participant.left"))
    assert refusal.value.code is ErrorCode.ACCESS_DENIED
    await subscribe(alice, query("context", world.context_id, "participant.left"))
