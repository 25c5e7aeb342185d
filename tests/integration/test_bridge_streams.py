"""Streams and subscriptions: what is checked, and what happens when streams come and go."""

import asyncio

import msgspec
import pytest
from bridge_support import FakeMedia, Refused, World, announce, offer_for, open_world

from sealroom.bridge.media_server import MediaError, MediaFullError, PublishedTrack
from sealroom.bridge.stream_space import TrackLimits
from sealroom.protocol import (
    MAX_ANNOUNCEMENT_BYTES,
    MAX_PARTICIPANT_STREAMS,
    MAX_SUBSCRIBED_TRACKS,
    STREAM_ANNOUNCEMENT_TYPE,
    AnnouncedTrack,
    ErrorCode,
    EventType,
)


async def pair(world: World):
    """Alice, a manager, and bob, both in one room."""
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(alice, ["bob"])
    await alice.join(room.room_id)
    await bob.join(room.room_id)
    await alice.event(EventType.PARTICIPANT_JOINED)
    return alice, bob, room.room_id


async def subscribe(client, room_id: str, *streams: str, remove=()):
    return await client.call(
        "subscription.update",
        room_id=room_id,
        add=[{"stream_id": stream} for stream in streams],
        remove=[{"stream_id": stream} for stream in remove],
    )


async def test_a_published_stream_is_seen_with_its_announcement_verbatim(world: World) -> None:
    alice, bob, room_id = await pair(world)
    announcement = announce(world.context_id, room_id)
    signed = bob.sign(STREAM_ANNOUNCEMENT_TYPE, announcement)
    result = await bob.call(
        "stream.publish", room_id=room_id, announcement=signed, offer=offer_for(announcement)
    )
    assert result.answer == f"answer to {announcement.stream_id}"
    _, published = await alice.event(EventType.STREAM_PUBLISHED)
    assert published.announcement == signed
    assert published.user_id == "bob"
    assert (await alice.call("stream.list", room_id=room_id)).streams == [published]
    _, tracks = world.media.streams[announcement.stream_id]
    assert tracks == [
        PublishedTrack("v", "video", "vp8", "0"),
        PublishedTrack("a", "audio", "opus", "1"),
    ]


async def test_who_joins_later_gets_the_streams(world: World) -> None:
    alice = await world.user("alice")
    room = await world.create_room(alice, ["bob"])
    await alice.join(room.room_id)
    stream_id = await alice.publish(room.room_id)
    joined = await (await world.user("bob")).join(room.room_id)
    assert [stream.stream_id for stream in joined.streams] == [stream_id]
    assert joined.streams[0].participant_id == joined.participants[0].participant_id


async def refused_publish(world, client, room_id, signed, offer, code, field) -> None:
    with pytest.raises(Refused) as refusal:
        await client.call("stream.publish", room_id=room_id, announcement=signed, offer=offer)
    assert (refusal.value.code, refusal.value.field) == (code, field)
    assert refusal.value.remedy
    assert world.media.count("publish") == 0
    assert (await client.call("stream.list", room_id=room_id)).streams == []


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("context_id", {"context_id": "other"}),
        ("room_id", {"room_id": "other"}),
        ("epoch", {"epoch": 2}),
        (
            "tracks[1].track_id",
            {"tracks": [AnnouncedTrack(track_id="v", kind="video", codec="vp8")] * 2},
        ),
        (
            "tracks[0].codec",
            {"tracks": [AnnouncedTrack(track_id="v", kind="audio", codec="vp8")]},
        ),
    ],
)
async def test_an_announcement_must_fit_its_room(world: World, field: str, changes: dict) -> None:
    alice, _, room_id = await pair(world)
    announcement = msgspec.structs.replace(announce(world.context_id, room_id), **changes)
    signed = alice.sign(STREAM_ANNOUNCEMENT_TYPE, announcement)
    await refused_publish(
        world, alice, room_id, signed, offer_for(announcement),
        ErrorCode.ANNOUNCEMENT_INVALID, f"announcement.payload.{field}",
    )  # fmt: skip


async def test_an_announcement_is_signed_by_its_publisher(world: World) -> None:
    alice, bob, room_id = await pair(world)
    announcement = announce(world.context_id, room_id)
    offer = offer_for(announcement)
    signed = alice.sign(STREAM_ANNOUNCEMENT_TYPE, announcement)
    replace = msgspec.structs.replace
    for wrong, field in (
        (signed, "announcement.author"),
        (replace(signed, author="bob"), "announcement.signature"),
        (bob.sign("room-record", announcement), "announcement.type"),
        (
            replace(bob.sign(STREAM_ANNOUNCEMENT_TYPE, announcement), payload=b"{}"),
            "announcement.signature",
        ),
    ):
        await refused_publish(world, bob, room_id, wrong, offer, ErrorCode.SIGNATURE_INVALID, field)


async def test_a_huge_announcement_is_refused(world: World) -> None:
    alice, _, room_id = await pair(world)
    payload = msgspec.json.encode(announce(world.context_id, room_id))
    signed = alice.sign(
        STREAM_ANNOUNCEMENT_TYPE, payload + b" " * (MAX_ANNOUNCEMENT_BYTES + 1 - len(payload))
    )
    await refused_publish(
        world, alice, room_id, signed, "x", ErrorCode.LIMIT_EXCEEDED, "announcement.payload"
    )


async def test_the_offer_must_carry_the_announced_tracks(world: World) -> None:
    alice, _, room_id = await pair(world)
    announcement = announce(world.context_id, room_id)
    signed = alice.sign(STREAM_ANNOUNCEMENT_TYPE, announcement)
    good = offer_for(announcement)
    for offer in ("v=0", good.replace("m=video", "m=audio"), good.replace("a=mid:1", "a=mid:0")):
        await refused_publish(
            world, alice, room_id, signed, offer, ErrorCode.OFFER_INVALID, "offer"
        )


async def test_a_refusal_of_the_media_server_leaves_no_stream(world: World) -> None:
    alice, bob, room_id = await pair(world)
    world.media.fail_next = MediaError("no VP8 in this offer")
    with pytest.raises(Refused) as refusal:
        await bob.publish(room_id, "s")
    assert refusal.value.code is ErrorCode.MEDIA_FAILED
    assert "no VP8 in this offer" in refusal.value.message
    await alice.no_event()
    await bob.publish(room_id, "s")


async def test_a_failure_of_the_media_server_is_told_as_one_and_changes_nothing(
    world: World,
) -> None:
    alice, _, room_id = await pair(world)
    world.media.fail_next = ZeroDivisionError("inside")
    with pytest.raises(Refused) as refusal:
        await alice.publish(room_id)
    assert refusal.value.code is ErrorCode.MEDIA_SERVER_FAILED
    assert "inside" not in refusal.value.message
    assert (await alice.call("stream.list", room_id=room_id)).streams == []


async def test_a_hanging_media_server_is_given_up() -> None:
    media = FakeMedia()
    async with open_world(media, media_timeout=0.1) as world:
        alice, _, room_id = await pair(world)
        media.gate = asyncio.Event()
        with pytest.raises(Refused) as refusal:
            await alice.publish(room_id, "s")
        assert refusal.value.code is ErrorCode.MEDIA_SERVER_FAILED
        media.gate.set()
        await alice.publish(room_id, "s")


async def test_a_stream_id_is_unique_in_its_room(world: World) -> None:
    alice, bob, room_id = await pair(world)
    await alice.publish(room_id, "s")
    with pytest.raises(Refused) as refusal:
        await bob.publish(room_id, "s")
    assert refusal.value.code is ErrorCode.STREAM_EXISTS
    await alice.call("stream.unpublish", room_id=room_id, stream_id="s")
    await bob.publish(room_id, "s")


async def test_of_two_who_publish_the_same_id_at_once_one_wins(world: World) -> None:
    alice, bob, room_id = await pair(world)
    world.media.gate = asyncio.Event()
    tasks = [asyncio.create_task(one.publish(room_id, "s")) for one in (alice, bob)]
    await world.media.entered.wait()
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    world.media.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Refused", "str"]
    assert world.media.count("publish") == 1


async def test_a_participant_publishes_a_limited_number_of_streams(world: World) -> None:
    alice, bob, room_id = await pair(world)
    for _ in range(MAX_PARTICIPANT_STREAMS):
        await alice.publish(room_id)
    with pytest.raises(Refused) as refusal:
        await alice.publish(room_id)
    assert refusal.value.code is ErrorCode.LIMIT_EXCEEDED
    await bob.publish(room_id)


async def test_announcements_of_a_room_are_limited_in_bytes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, _, room_id = await pair(world)
    size = len(msgspec.json.encode(announce(world.context_id, room_id)))
    monkeypatch.setattr("sealroom.bridge.stream_space.MAX_ROOM_ANNOUNCEMENT_BYTES", size * 5 // 2)
    await alice.publish(room_id)
    await alice.publish(room_id)
    with pytest.raises(Refused) as refusal:
        await alice.publish(room_id)
    assert refusal.value.code is ErrorCode.LIMIT_EXCEEDED


async def test_streams_of_a_room_are_limited(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob, room_id = await pair(world)
    monkeypatch.setattr("sealroom.bridge.stream_space.MAX_ROOM_STREAMS", 1)
    await alice.publish(room_id)
    with pytest.raises(Refused) as refusal:
        await bob.publish(room_id)
    assert refusal.value.code is ErrorCode.LIMIT_EXCEEDED


async def test_live_tracks_of_a_user_are_limited_over_all_rooms_and_connections() -> None:
    async with open_world(track_limits=TrackLimits(user=5)) as world:
        alice, bob, first = await pair(world)
        again = await world.user("bob")
        second = (await world.create_room(alice, ["bob"])).room_id
        await again.join(second)
        stream_id = await bob.publish(first)
        await again.publish(second)
        with pytest.raises(Refused) as refusal:
            await again.publish(second)
        assert refusal.value.code is ErrorCode.LIMIT_EXCEEDED
        assert refusal.value.field == "announcement.payload.tracks"
        assert "5 live tracks of a user" in refusal.value.message
        assert refusal.value.remedy
        await alice.publish(first)  # others are not touched
        await bob.call("stream.unpublish", room_id=first, stream_id=stream_id)
        await again.publish(second)


async def test_live_tracks_of_a_room_are_limited() -> None:
    async with open_world(track_limits=TrackLimits(room=3)) as world:
        alice, bob, room_id = await pair(world)
        await bob.publish(room_id)
        with pytest.raises(Refused) as refusal:
            await alice.publish(room_id)
        assert refusal.value.code is ErrorCode.LIMIT_EXCEEDED
        assert "3 live tracks in a room" in refusal.value.message
        assert world.media.count("publish") == 1


async def test_tracks_that_are_being_published_count() -> None:
    async with open_world(track_limits=TrackLimits(room=3)) as world:
        alice, bob, room_id = await pair(world)
        world.media.gate = asyncio.Event()
        publishing = asyncio.create_task(bob.publish(room_id))
        await asyncio.wait_for(world.media.entered.wait(), 10)
        with pytest.raises(Refused) as refusal:
            await alice.publish(room_id)
        assert refusal.value.code is ErrorCode.LIMIT_EXCEEDED
        world.media.gate.set()
        await publishing


async def test_a_full_media_server_is_no_fault_of_the_sdp(world: World) -> None:
    _, bob, room_id = await pair(world)
    world.media.fail_next = MediaFullError("It carries as many tracks as it can.")
    with pytest.raises(Refused) as refusal:
        await bob.publish(room_id)
    assert refusal.value.code is ErrorCode.LIMIT_EXCEEDED
    assert "as many tracks as it can" in refusal.value.message
    assert refusal.value.remedy
    await bob.publish(room_id)


async def test_participants_of_a_room_are_limited(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealroom.bridge.rooms.MAX_ROOM_PARTICIPANTS", 2)
    _, _, room_id = await pair(world)
    third = await world.user("bob")
    with pytest.raises(Refused) as refusal:
        await third.join(room_id)
    assert refusal.value.code is ErrorCode.LIMIT_EXCEEDED


async def test_publishing_and_subscribing_need_a_join(world: World) -> None:
    alice, _, room_id = await pair(world)
    outside = await world.user("bob")
    calls = (
        lambda: outside.publish(room_id),
        lambda: subscribe(outside, room_id, "s"),
        lambda: outside.call("media.answer", room_id=room_id, offer_id=1, sdp="x"),
        lambda: outside.call("stream.unpublish", room_id=room_id, stream_id="s"),
    )
    for call in calls:
        with pytest.raises(Refused) as refusal:
            await call()
        assert refusal.value.code is ErrorCode.NOT_JOINED
    assert alice.events.empty()


async def test_policies_decide_who_publishes_and_subscribes(world: World) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(
        alice, ["bob"], policy={"publish": "manager&owner", "subscribe": "none"}
    )
    await alice.join(room.room_id)
    await bob.join(room.room_id)
    stream_id = await alice.publish(room.room_id)
    for call in (
        lambda: bob.publish(room.room_id),
        lambda: subscribe(bob, room.room_id, stream_id),
    ):
        with pytest.raises(Refused) as refusal:
            await call()
        assert refusal.value.code is ErrorCode.ACCESS_DENIED


async def test_only_managers_unpublish_streams_of_others(world: World) -> None:
    alice, bob, room_id = await pair(world)
    hers, his = await alice.publish(room_id), await bob.publish(room_id)
    with pytest.raises(Refused) as refusal:
        await bob.call("stream.unpublish", room_id=room_id, stream_id=hers)
    assert refusal.value.code is ErrorCode.ACCESS_DENIED
    assert hers in world.media.streams
    await bob.event(EventType.STREAM_PUBLISHED)
    await alice.call("stream.unpublish", room_id=room_id, stream_id=his)
    _, gone = await bob.event(EventType.STREAM_UNPUBLISHED)  # its publisher is told
    assert (gone.stream_id, gone.user_id) == (his, "bob")
    assert his not in world.media.streams
    with pytest.raises(Refused) as refusal:
        await alice.call("stream.unpublish", room_id=room_id, stream_id=his)
    assert refusal.value.code is ErrorCode.STREAM_NOT_FOUND


async def test_subscribing_returns_the_offer_and_all_tracks(world: World) -> None:
    alice, bob, room_id = await pair(world)
    first, second = await bob.publish(room_id), await bob.publish(room_id)
    result = await subscribe(alice, room_id, first)
    assert (result.offer_id, result.offer) == (1, "offer of 2")
    assert [(one.stream_id, one.track_id) for one in result.tracks] == [(first, "v"), (first, "a")]
    result = await alice.call(
        "subscription.update",
        room_id=room_id,
        add=[{"stream_id": second, "track_id": "a"}],
        remove=[{"stream_id": first, "track_id": "v"}, {"stream_id": "gone"}],
    )
    assert [(one.stream_id, one.track_id) for one in result.tracks] == [(first, "a"), (second, "a")]
    again = await subscribe(alice, room_id, second, remove=[])
    assert again.offer_id == 3
    unanswered = await subscribe(alice, room_id, second)
    assert (unanswered.offer_id, unanswered.offer) == (3, again.offer)
    await alice.call("media.answer", room_id=room_id, offer_id=3, sdp="x")
    unchanged = await subscribe(alice, room_id, second)
    assert (unchanged.offer_id, unchanged.offer) == (3, None)
    assert unchanged.tracks == again.tracks


async def test_unknown_streams_and_tracks_are_named(world: World) -> None:
    alice, bob, room_id = await pair(world)
    stream_id = await bob.publish(room_id)
    await subscribe(alice, room_id, stream_id)
    for add, code, field in (
        ([{"stream_id": "x"}], ErrorCode.STREAM_NOT_FOUND, "add[0].stream_id"),
        (
            [{"stream_id": stream_id}, {"stream_id": stream_id, "track_id": "x"}],
            ErrorCode.TRACK_NOT_FOUND,
            "add[1].track_id",
        ),
    ):
        with pytest.raises(Refused) as refusal:
            await alice.call(
                "subscription.update", room_id=room_id, add=add, remove=[{"stream_id": stream_id}]
            )
        assert (refusal.value.code, refusal.value.field) == (code, field)
    assert len((await subscribe(alice, room_id)).tracks) == 2  # the removal was not done either


async def test_subscribed_tracks_are_limited(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sealroom.bridge.subscriptions.MAX_SUBSCRIBED_TRACKS", 3)
    alice, bob, room_id = await pair(world)
    await subscribe(alice, room_id, await bob.publish(room_id))
    with pytest.raises(Refused) as refusal:
        await subscribe(alice, room_id, await bob.publish(room_id))
    assert refusal.value.code is ErrorCode.LIMIT_EXCEEDED
    assert len((await subscribe(alice, room_id)).tracks) == 2
    with pytest.raises(Refused) as refusal:
        await subscribe(alice, room_id, *["x"] * (MAX_SUBSCRIBED_TRACKS + 1))
    assert (refusal.value.code, refusal.value.field) == (ErrorCode.INVALID_PARAMS, "add")


async def test_only_the_newest_offer_is_answered_and_once(world: World) -> None:
    alice, bob, room_id = await pair(world)
    with pytest.raises(Refused) as refusal:
        await alice.call("media.answer", room_id=room_id, offer_id=1, sdp="x")
    assert refusal.value.code is ErrorCode.OFFER_INVALID
    first = await subscribe(alice, room_id, await bob.publish(room_id))
    second = await subscribe(alice, room_id, await bob.publish(room_id))
    answer = {"room_id": room_id, "sdp": "an answer"}
    stale = await alice.call("media.answer", {**answer, "offer_id": first.offer_id})
    assert not stale.accepted
    assert world.media.count("answer") == 0
    assert (await alice.call("media.answer", {**answer, "offer_id": second.offer_id})).accepted
    assert (await alice.call("media.answer", {**answer, "offer_id": second.offer_id})).accepted
    for offer_id, sdp in ((second.offer_id, "another"), (second.offer_id + 1, "an answer")):
        with pytest.raises(Refused) as refusal:
            await alice.call("media.answer", room_id=room_id, offer_id=offer_id, sdp=sdp)
        assert refusal.value.code is ErrorCode.OFFER_INVALID
    assert world.media.count("answer") == 1


async def test_candidates_are_passed_on(world: World) -> None:
    alice, _, room_id = await pair(world)
    await alice.call(
        "media.trickle", room_id=room_id, transport="publisher", candidate="candidate:1"
    )
    assert world.media.calls[-1][2:] == ("publisher", "candidate:1")


async def test_when_a_subscribed_stream_ends_a_new_offer_is_pushed(world: World) -> None:
    alice, bob, room_id = await pair(world)
    first, second = await bob.publish(room_id), await bob.publish(room_id)
    result = await subscribe(alice, room_id, first, second)
    for _ in range(2):
        await alice.event(EventType.STREAM_PUBLISHED)
    await bob.call("stream.unpublish", room_id=room_id, stream_id=first)
    await alice.event(EventType.STREAM_UNPUBLISHED)
    _, offer = await alice.event(EventType.MEDIA_OFFER)
    assert offer.offer_id == result.offer_id + 1
    assert {track.stream_id for track in offer.tracks} == {second}
    answer = {"room_id": room_id, "offer_id": offer.offer_id, "sdp": "x"}
    assert (await alice.call("media.answer", answer)).accepted
    await bob.no_event()  # he subscribed to nothing


async def test_a_new_stream_with_an_old_id_is_not_subscribed_by_itself(world: World) -> None:
    alice, bob, room_id = await pair(world)
    await bob.publish(room_id, "s")
    await subscribe(alice, room_id, "s")
    await bob.call("stream.unpublish", room_id=room_id, stream_id="s")
    await bob.publish(room_id, "s")
    assert (await subscribe(alice, room_id)).tracks == []


async def test_a_stream_that_ends_while_it_is_subscribed_is_dropped_again(world: World) -> None:
    alice, bob, room_id = await pair(world)
    await bob.publish(room_id, "s")
    await alice.event(EventType.STREAM_PUBLISHED)
    world.media.gate = asyncio.Event()
    world.media.entered.clear()
    subscribing = asyncio.create_task(subscribe(alice, room_id, "s"))
    await world.media.entered.wait()
    unpublishing = asyncio.create_task(bob.call("stream.unpublish", room_id=room_id, stream_id="s"))
    await alice.event(EventType.STREAM_UNPUBLISHED)
    world.media.gate.set()
    await unpublishing
    await asyncio.gather(subscribing, return_exceptions=True)
    participant = next(iter(world.media.subscriptions), None)
    for _ in range(100):
        if not world.media.subscriptions.get(participant):
            break
        await asyncio.sleep(0.02)
    assert not world.media.subscriptions.get(participant)
    assert (await subscribe(alice, room_id)).tracks == []
