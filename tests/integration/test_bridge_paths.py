"""`media.restart`, `media.reset` and `media.failed` between a client and the Bridge."""

from __future__ import annotations

import pytest
from bridge_support import Client, Refused, World

from sealroom.protocol import ErrorCode, EventType


async def pair(world: World) -> tuple[Client, Client, str]:
    """Alice and bob in a room; the event of his joining is taken."""
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(alice, ["bob"])
    await alice.join(room.room_id)
    await bob.join(room.room_id)
    await alice.event(EventType.PARTICIPANT_JOINED)
    return alice, bob, room.room_id


async def subscribe(client: Client, room_id: str, stream_id: str):
    add = [{"stream_id": stream_id}]
    return await client.call("subscription.update", room_id=room_id, add=add)


async def test_the_offer_of_a_restart_is_answered_by_the_media_server(world: World) -> None:
    _, bob, room_id = await pair(world)
    await bob.publish(room_id)
    params = {"room_id": room_id, "transport": "publisher", "offer": "new credentials"}
    result = await bob.call("media.restart", params)
    assert (result.answer, result.offer, result.offer_id) == (
        "answer to new credentials",
        None,
        None,
    )


async def test_the_subscriber_transport_gets_an_offer_that_is_answered_once(world: World) -> None:
    alice, bob, room_id = await pair(world)
    first = await subscribe(alice, room_id, await bob.publish(room_id))
    params = {"room_id": room_id, "transport": "subscriber"}
    result = await alice.call("media.restart", params)
    assert (result.offer, result.offer_id, result.answer) == (
        first.offer,
        first.offer_id + 1,
        None,
    )
    assert result.tracks == first.tracks
    answer = {"room_id": room_id, "sdp": "x"}
    stale = await alice.call("media.answer", {**answer, "offer_id": first.offer_id})
    assert not stale.accepted
    assert (await alice.call("media.answer", {**answer, "offer_id": result.offer_id})).accepted


@pytest.mark.parametrize(
    ("transport", "offer"), [("publisher", None), ("subscriber", "an offer"), ("publisher", "")]
)
async def test_who_offers_depends_on_the_transport(
    world: World, transport: str, offer: str | None
) -> None:
    _, bob, room_id = await pair(world)
    params = {"room_id": room_id, "transport": transport, "offer": offer}
    with pytest.raises(Refused) as refusal:
        await bob.call("media.restart", params)
    assert refusal.value.field == "offer"
    assert refusal.value.code in (ErrorCode.OFFER_INVALID, ErrorCode.INVALID_PARAMS)
    assert not any(call[0].startswith("restart") for call in world.media.calls)


async def test_a_transport_that_is_not_there_is_refused_by_name(world: World) -> None:
    _, bob, room_id = await pair(world)
    with pytest.raises(Refused) as refusal:
        await bob.call("media.restart", room_id=room_id, transport="subscriber")
    assert refusal.value.code is ErrorCode.TRANSPORT_NOT_FOUND
    assert refusal.value.field == "transport"


async def test_resetting_the_publisher_ends_its_streams_for_the_others_only(world: World) -> None:
    alice, bob, room_id = await pair(world)
    own = await alice.publish(room_id)
    stream_id = await bob.publish(room_id)
    await subscribe(alice, room_id, stream_id)
    await alice.event(EventType.STREAM_PUBLISHED)
    await bob.event(EventType.STREAM_PUBLISHED)
    await bob.call("media.reset", room_id=room_id, transport="publisher")
    _, gone = await alice.event(EventType.STREAM_UNPUBLISHED)
    assert gone.stream_id == stream_id
    _, offer = await alice.event(EventType.MEDIA_OFFER)
    assert offer.tracks == []
    await bob.no_event()
    assert set(world.media.streams) == {own}
    await bob.publish(room_id, stream_id)  # the id is free again


async def test_resetting_the_subscriber_ends_its_subscriptions_without_an_offer(
    world: World,
) -> None:
    alice, bob, room_id = await pair(world)
    stream_id = await bob.publish(room_id)
    first = await subscribe(alice, room_id, stream_id)
    await alice.event(EventType.STREAM_PUBLISHED)
    await alice.call("media.reset", room_id=room_id, transport="subscriber")
    await alice.no_event()
    with pytest.raises(Refused) as refusal:  # nothing waits for an answer
        await alice.call("media.answer", room_id=room_id, offer_id=first.offer_id, sdp="x")
    assert refusal.value.code is ErrorCode.OFFER_INVALID
    again = await subscribe(alice, room_id, stream_id)
    assert (again.offer_id, again.tracks) == (first.offer_id + 1, first.tracks)
    await alice.call("media.reset", room_id=room_id, transport="subscriber")
    await alice.call("media.reset", room_id=room_id, transport="subscriber")  # no error


async def test_a_transport_that_died_at_the_media_server_is_told_to_its_participant_only(
    world: World,
) -> None:
    alice, bob, room_id = await pair(world)
    await bob.publish(room_id)
    await alice.event(EventType.STREAM_PUBLISHED)
    participant_id = next(call[1] for call in world.media.calls if call[0] == "publish")
    world.media.on_transport_failed(participant_id, "publisher")
    world.media.on_transport_failed("somebody else", "publisher")
    envelope, failed = await bob.event(EventType.MEDIA_FAILED)
    assert (envelope.room_id, failed.transport) == (room_id, "publisher")
    await alice.no_event()


@pytest.mark.parametrize("method", ["media.restart", "media.reset"])
async def test_only_who_is_in_the_room_has_transports(world: World, method: str) -> None:
    alice, mallory = await world.user("alice"), await world.user("mallory")
    room = await world.create_room(alice)
    for client, code in ((alice, ErrorCode.NOT_JOINED), (mallory, ErrorCode.ACCESS_DENIED)):
        with pytest.raises(Refused) as refusal:
            await client.call(method, room_id=room.room_id, transport="subscriber")
        assert refusal.value.code is code
