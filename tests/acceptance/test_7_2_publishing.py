"""Acceptance 7.2: publishing (docs/acceptance.md)."""

from __future__ import annotations

import pytest
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from client_support import ClientWorld, EventLog, publish

from sealroom.client import StreamApi
from sealroom.client.errors import NotJoinedError, RequestRefusedError, StreamStateError
from sealroom.client.events import StreamPublished, StreamUnpublished
from sealroom.errors import InvalidArgumentError
from sealroom.protocol import ErrorCode


async def joined(clients: ClientWorld, *users: str) -> tuple[str, list[StreamApi]]:
    apis = [await clients.api(one) for one in users]
    room_id = await clients.room(apis[0], users[1:])
    for api in apis:
        await api.join_stream_room(room_id)
    return room_id, apis


async def test_item_10_tracks_wait_for_publishing_which_happens_once(clients: ClientWorld) -> None:
    room_id, (alice, bob) = await joined(clients, "alice", "bob")
    stream = await alice.create_stream(room_id)
    with pytest.raises(StreamStateError, match="no track"):
        await stream.publish()
    await stream.add_track(VideoStreamTrack(), name="camera")
    await stream.add_track(AudioStreamTrack(), name="microphone")
    assert await bob.list_streams(room_id) == []
    with pytest.raises(StreamStateError, match="dead"):
        await bob.publish_stream(stream)  # a handle of another api is none of this one
    await stream.publish()
    with pytest.raises(StreamStateError, match="published already"):
        await stream.publish()


async def test_item_11_one_source_may_be_two_tracks(
    clients: ClientWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """They share its frames, which the log says."""
    room_id, (alice,) = await joined(clients, "alice")
    source = AudioStreamTrack()
    stream = await alice.create_stream(room_id)
    first = await stream.add_track(source, name="first")
    assert not caplog.records
    second = await stream.add_track(source, name="second")
    assert "AudioStreamTrack is added a second time" in caplog.text
    assert first.track_id != second.track_id
    await stream.publish()
    (listed,) = await alice.list_streams(room_id)
    assert [one.name for one in listed.tracks] == ["first", "second"]


async def test_item_12_an_update_after_a_failed_one_and_after_unpublishing(
    clients: ClientWorld,
) -> None:
    room_id, (alice, _) = await joined(clients, "alice", "bob")
    stream = await publish(alice, room_id)
    with pytest.raises(InvalidArgumentError):
        await stream.add_track(AudioStreamTrack(), name="x" * 129)
    await stream.update()  # what failed left nothing behind
    (listed,) = await alice.list_streams(room_id)
    assert [one.name for one in listed.tracks] == ["camera", "microphone"]
    await stream.unpublish()
    with pytest.raises(StreamStateError, match="dead"):
        await stream.update()


async def test_item_13_after_unpublishing_a_new_handle_publishes(clients: ClientWorld) -> None:
    room_id, (alice, bob) = await joined(clients, "alice", "bob")
    log = EventLog(bob)
    stream = await publish(alice, room_id)
    await log.next(StreamPublished)
    await stream.unpublish()
    assert (await log.next(StreamUnpublished)).stream_id == stream.stream_id
    for late in (stream.publish(), stream.unpublish(), stream.add_track(AudioStreamTrack())):
        with pytest.raises(StreamStateError, match="dead"):
            await late
    again = await publish(alice, room_id)
    assert (await log.next(StreamPublished)).stream.stream_id == again.stream_id
    assert again.stream_id != stream.stream_id


async def test_item_14_streams_of_two_rooms_are_independent(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    rooms = [await clients.room(alice) for _ in range(2)]
    streams = {}
    for room_id in rooms:
        await alice.join_stream_room(room_id)
        streams[room_id] = await publish(alice, room_id)
    for room_id in rooms:
        (listed,) = await alice.list_streams(room_id)
        assert listed.stream_id == streams[room_id].stream_id
    await alice.leave_stream_room(rooms[0])
    with pytest.raises(NotJoinedError):
        await alice.list_streams(rooms[0])
    (listed,) = await alice.list_streams(rooms[1])
    assert listed.stream_id == streams[rooms[1]].stream_id
    with pytest.raises(StreamStateError, match="dead"):
        await streams[rooms[0]].add_track(AudioStreamTrack())
    await streams[rooms[1]].add_track(AudioStreamTrack())


async def test_item_15_what_was_published_is_listed_with_its_tracks(clients: ClientWorld) -> None:
    """Where the reference returns a result, `publish` returns once the media is up, or raises."""
    room_id, (alice, bob) = await joined(clients, "alice", "bob")
    log = EventLog(bob)
    stream = await publish(alice, room_id)
    seen = (await log.next(StreamPublished)).stream
    (own,) = await alice.list_streams(room_id)
    for one in (seen, own):
        assert (one.stream_id, one.user_id) == (stream.stream_id, "alice")
        assert [(track.kind, track.name) for track in one.tracks] == [
            ("video", "camera"),
            ("audio", "microphone"),
        ]
    other = await alice.create_stream(room_id)
    await other.add_track(AudioStreamTrack())
    clients.world.media.fail_next = RuntimeError("the media server is gone")
    with pytest.raises(RequestRefusedError) as caught:
        await other.publish()
    assert caught.value.error_code == ErrorCode.MEDIA_SERVER_FAILED
    assert len(await alice.list_streams(room_id)) == 1
