"""Streams that change: what the Bridge checks, and who is offered the tracks that come."""

import asyncio

import msgspec
import pytest
from bridge_support import Refused, World, announce, offer_for, open_world
from test_bridge_streams import pair, refused_publish, subscribe

from sealroom.bridge.media_server import MediaError
from sealroom.bridge.stream_space import TrackLimits
from sealroom.protocol import (
    STREAM_ANNOUNCEMENT_TYPE,
    AnnouncedTrack,
    ErrorCode,
    EventType,
)


async def update(client, room_id: str, announcement, offer: str | None = None):
    signed = client.sign(STREAM_ANNOUNCEMENT_TYPE, announcement)
    return await client.call("stream.update", room_id=room_id, announcement=signed, offer=offer)


SCREEN = AnnouncedTrack(track_id="s", kind="video", codec="vp8")


def newer(announcement, version: int = 2, *, without=(), add=(), **changes):
    tracks = [one for one in announcement.tracks if one.track_id not in without]
    return msgspec.structs.replace(announcement, version=version, tracks=[*tracks, *add], **changes)


async def test_tracks_come_and_go_and_whoever_wants_the_stream_is_offered_them(
    world: World,
) -> None:
    alice, bob, room_id = await pair(world)
    await bob.publish(room_id, "stream")
    await alice.event(EventType.STREAM_PUBLISHED)
    first = announce(world.context_id, room_id, "stream")
    await subscribe(alice, room_id, "stream")
    second = newer(first, add=[SCREEN], without=["v"])
    result = await update(bob, room_id, second, offer_for(second))
    assert (result.stream_id, result.answer) == ("stream", "answer to stream")
    _, updated = await alice.event(EventType.STREAM_UPDATED)
    assert msgspec.json.decode(updated.announcement.payload, type=type(first)) == second
    _, offer = await alice.event(EventType.MEDIA_OFFER)
    assert [one.track_id for one in offer.tracks] == ["a", "s"]
    assert (await alice.call("stream.list", room_id=room_id)).streams == [updated]
    muted = [msgspec.structs.replace(one, enabled=False) for one in second.tracks]
    count = world.media.count("update_stream")
    result = await update(bob, room_id, newer(second, 5, without=["a", "s"], add=muted))
    assert result.answer is None
    await alice.event(EventType.STREAM_UPDATED)
    await alice.no_event()
    assert world.media.count("update_stream") == count  # nothing for the media server to do
    await update(bob, room_id, newer(second, 6, without=["a", "s"]))
    await alice.event(EventType.STREAM_UPDATED)
    _, offer = await alice.event(EventType.MEDIA_OFFER)
    assert offer.tracks == []
    await bob.no_event()


async def test_who_wants_single_tracks_is_not_offered_others(world: World) -> None:
    alice, bob, room_id = await pair(world)
    await bob.publish(room_id, "stream")
    await alice.event(EventType.STREAM_PUBLISHED)
    await subscribe(alice, room_id, "stream")
    # One track of the whole less: from now on it is single tracks that are wanted.
    await alice.call(
        "subscription.update",
        room_id=room_id,
        remove=[{"stream_id": "stream", "track_id": "a"}],
    )
    second = newer(announce(world.context_id, room_id, "stream"), add=[SCREEN])
    await update(bob, room_id, second, offer_for(second))
    await alice.event(EventType.STREAM_UPDATED)
    await alice.no_event()


async def test_added_tracks_count_as_those_of_new_streams_do() -> None:
    async with open_world(track_limits=TrackLimits(user=3)) as world:
        _, bob, room_id = await pair(world)
        await bob.publish(room_id, "stream")
        first = announce(world.context_id, room_id, "stream")
        second = newer(first, add=[SCREEN])
        await update(bob, room_id, second, offer_for(second))
        third = newer(second, 3, add=[msgspec.structs.replace(SCREEN, track_id="x")])
        with pytest.raises(Refused) as refusal:
            await update(bob, room_id, third, offer_for(third))
        assert refusal.value.code is ErrorCode.LIMIT_EXCEEDED
        assert world.media.count("update_stream") == 1
        swapped = newer(third, 4, without=["v"])
        await update(bob, room_id, swapped, offer_for(swapped))


async def test_added_tracks_stop_at_the_limit_of_who_wants_the_stream(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealroom.bridge.subscriptions.MAX_SUBSCRIBED_TRACKS", 3)
    alice, bob, room_id = await pair(world)
    await bob.publish(room_id, "stream")
    await alice.event(EventType.STREAM_PUBLISHED)
    await subscribe(alice, room_id, "stream")
    more = [msgspec.structs.replace(SCREEN, track_id=one) for one in ("x", "y")]
    second = newer(announce(world.context_id, room_id, "stream"), add=more)
    await update(bob, room_id, second, offer_for(second))
    await alice.event(EventType.STREAM_UPDATED)
    _, offer = await alice.event(EventType.MEDIA_OFFER)
    assert [one.track_id for one in offer.tracks] == ["v", "a", "x"]


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("version", {"version": 2}),
        ("version", {"version": 1}),
        ("nonce", {"nonce": b"another nonce..."}),
        ("tracks[1].track_id", {"add": [AnnouncedTrack(track_id="v", kind="video", codec="vp8")]}),
        (
            "tracks[0]",
            {
                "without": ["a"],
                "add": [
                    AnnouncedTrack(track_id="a", kind="audio", codec="opus", source="microphone")
                ],
            },
        ),
        (
            "tracks[0]",
            {"without": ["a"], "add": [AnnouncedTrack(track_id="a", kind="video", codec="vp8")]},
        ),
    ],
)
async def test_an_update_must_follow_what_is_announced(
    world: World, field: str, changes: dict
) -> None:
    """The stream is at version 2, in which the camera was removed."""
    alice, bob, room_id = await pair(world)
    await bob.publish(room_id, "stream")
    second = newer(announce(world.context_id, room_id, "stream"), without=["v"])
    await update(bob, room_id, second)
    wrong = newer(second, **{"version": 3, **changes})
    count = world.media.count("update_stream")
    with pytest.raises(Refused) as refusal:
        await update(bob, room_id, wrong, offer_for(wrong))
    assert refusal.value.code is ErrorCode.ANNOUNCEMENT_INVALID
    assert refusal.value.field == f"announcement.payload.{field}"
    (shown,) = (await alice.call("stream.list", room_id=room_id)).streams
    assert msgspec.json.decode(shown.announcement.payload)["version"] == 2
    assert world.media.count("update_stream") == count


async def test_a_stream_begins_at_version_1_with_a_track(world: World) -> None:
    alice, _, room_id = await pair(world)
    for field, changes in (("version", {"version": 2}), ("tracks", {"tracks": []})):
        announcement = announce(world.context_id, room_id, **changes)
        signed = alice.sign(STREAM_ANNOUNCEMENT_TYPE, announcement)
        await refused_publish(
            world, alice, room_id, signed, "v=0",
            ErrorCode.ANNOUNCEMENT_INVALID, f"announcement.payload.{field}",
        )  # fmt: skip


async def test_only_its_publisher_updates_a_stream(world: World) -> None:
    alice, bob, room_id = await pair(world)
    await bob.publish(room_id, "stream")
    announcement = newer(announce(world.context_id, room_id, "stream"))
    for other in (alice, await world.user("bob")):
        if other is not alice:
            await other.join(room_id)
        with pytest.raises(Refused) as refusal:
            await update(other, room_id, announcement)
        assert refusal.value.code is ErrorCode.STREAM_NOT_FOUND
    await bob.call("stream.unpublish", room_id=room_id, stream_id="stream")
    with pytest.raises(Refused) as refusal:
        await update(bob, room_id, announcement)
    assert refusal.value.code is ErrorCode.STREAM_NOT_FOUND


async def test_an_update_that_the_media_server_refuses_changes_nothing(world: World) -> None:
    alice, bob, room_id = await pair(world)
    await bob.publish(room_id, "stream")
    second = newer(announce(world.context_id, room_id, "stream"), add=[SCREEN])
    with pytest.raises(Refused) as refusal:
        await update(bob, room_id, second)
    assert (refusal.value.code, refusal.value.field) == (ErrorCode.OFFER_INVALID, "offer")
    world.media.fail_next = MediaError("no VP8 in this offer")
    with pytest.raises(Refused) as refusal:
        await update(bob, room_id, second, offer_for(second))
    assert refusal.value.code is ErrorCode.MEDIA_FAILED
    (shown,) = (await alice.call("stream.list", room_id=room_id)).streams
    assert msgspec.json.decode(shown.announcement.payload)["version"] == 1
    await update(bob, room_id, second, offer_for(second))


async def test_updates_may_not_outgrow_a_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, bob, room_id = await pair(world)
    await bob.publish(room_id, "stream")
    first = announce(world.context_id, room_id, "stream")
    size = len(msgspec.json.encode(first))
    monkeypatch.setattr("sealroom.bridge.stream_space.MAX_ROOM_ANNOUNCEMENT_BYTES", size + 64)
    with pytest.raises(Refused) as refusal:
        await update(bob, room_id, newer(first, details=b"x" * 128))
    assert refusal.value.code is ErrorCode.LIMIT_EXCEEDED
    await update(bob, room_id, newer(first, details=b"x" * 16))


async def test_a_track_removed_while_it_is_subscribed_is_dropped_again(world: World) -> None:
    alice, bob, room_id = await pair(world)
    await bob.publish(room_id, "stream")
    await alice.event(EventType.STREAM_PUBLISHED)
    world.media.gate = asyncio.Event()
    world.media.entered.clear()
    subscribing = asyncio.create_task(subscribe(alice, room_id, "stream"))
    await world.media.entered.wait()
    second = newer(announce(world.context_id, room_id, "stream"), without=["v"])
    updating = asyncio.create_task(update(bob, room_id, second))
    await asyncio.sleep(0.05)
    world.media.gate.set()
    await asyncio.gather(subscribing, updating)
    for _ in range(200):
        (wanted,) = world.media.subscriptions.values()
        if [one.track_id for one in wanted] == ["a"]:
            break
        await asyncio.sleep(0.02)
    assert [one.track_id for one in (await subscribe(alice, room_id)).tracks] == ["a"]
