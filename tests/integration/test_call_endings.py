"""How calls end: dropped sockets, deleted rooms, refusals; nothing hangs and nothing is left."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any

import pytest
from aiortc.mediastreams import VideoStreamTrack
from av import VideoFrame
from call_support import Call, StripeTrack, eventually, open_call, publish, shows_stripes, take

from sealroom.client import RemoteTrack
from sealroom.client.errors import (
    ConnectionClosedError,
    NotJoinedError,
    RequestRefusedError,
    RequestTimeoutError,
    StreamStateError,
)
from sealroom.client.events import (
    ConnectionClosed,
    MediaFailed,
    ParticipantLeft,
    RoomDeleted,
    StreamUnpublished,
    TrackEnded,
)
from sealroom.errors import InvalidArgumentError
from sealroom.media.errors import TransportError
from sealroom.protocol import MAX_NAME_LENGTH, MAX_STREAM_TRACKS, ErrorCode


async def drain(remote: RemoteTrack) -> None:
    async for _ in remote.frames():
        pass


async def test_a_dropped_socket_ends_everything_and_the_others_learn_of_it(call: Call) -> None:
    alice, bob = call.apis["alice"], call.apis["bob"]
    stream = await publish(alice, call.room_id)
    tracks = await call.subscribe("bob", stream)
    await take(tracks["camera"], 3)
    reader = asyncio.create_task(drain(tracks["camera"]))
    iterator = bob.remote_tracks(call.room_id)
    await anext(iterator)
    events, others = bob.events(), alice.events()
    call.connections["bob"]._socket.transport.abort()
    async with asyncio.timeout(10):
        assert [type(event) async for event in events][-1] is ConnectionClosed
        await reader
        with pytest.raises(StopAsyncIteration):
            await anext(iterator)
        async for event in others:
            if isinstance(event, ParticipantLeft):
                assert event.participant.user_id == "bob"
                break
    with pytest.raises(NotJoinedError):
        await bob.list_streams(call.room_id)
    with pytest.raises(ConnectionClosedError):
        await bob.join_stream_room(call.room_id)


async def test_a_publisher_whose_socket_drops_ends_its_streams_for_others(call: Call) -> None:
    stream = await publish(call.apis["alice"], call.room_id)
    tracks = await call.subscribe("bob", stream)
    await take(tracks["camera"], 3)
    reader = asyncio.create_task(drain(tracks["camera"]))
    call.connections["alice"]._socket.transport.abort()
    await asyncio.wait_for(reader, 10)


async def test_deleting_the_room_ends_the_call_for_all(call: Call) -> None:
    alice, bob = call.apis["alice"], call.apis["bob"]
    stream = await publish(alice, call.room_id)
    tracks = await call.subscribe("bob", stream)
    reader = asyncio.create_task(drain(tracks["camera"]))
    events = bob.events()
    await alice.delete_stream_room(call.room_id)
    async with asyncio.timeout(10):
        async for event in events:
            if isinstance(event, RoomDeleted):
                break
        await reader
    with pytest.raises(NotJoinedError):
        await publish(bob, call.room_id)


async def test_a_stream_that_a_manager_unpublishes_stops_at_its_publisher(call: Call) -> None:
    stream = await publish(call.apis["bob"], call.room_id)
    events = call.apis["bob"].events()
    await call.sees("alice", stream)
    session = call.apis["alice"]._session(call.room_id)
    await session.unpublish(stream.stream_id)
    async with asyncio.timeout(10):
        async for event in events:
            if isinstance(event, StreamUnpublished):
                break
    assert call.apis["bob"].statistics(call.room_id).sent == []
    await stream.unpublish()


async def test_a_refused_stream_leaves_the_others_alone(call: Call) -> None:
    alice = call.apis["alice"]
    first = await publish(alice, call.room_id)
    tracks = await call.subscribe("bob", first)
    await take(tracks["camera"], 3)
    second = await alice.create_stream(call.room_id)
    await second.add_track(StripeTrack())
    connection = call.connections["alice"]
    honest = connection.call

    async def without_offer(method, params, result):  # type: ignore[no-untyped-def]
        if method == "stream.publish":
            params = type(params)(
                room_id=params.room_id, announcement=params.announcement, offer="v=0\r\n"
            )
        return await honest(method, params, result)

    connection.call = without_offer  # type: ignore[method-assign]
    with pytest.raises(RequestRefusedError) as caught:
        await second.publish()
    assert caught.value.error_code == ErrorCode.OFFER_INVALID
    connection.call = honest  # type: ignore[method-assign]
    assert shows_stripes((await take(tracks["camera"], 10))[-1])
    await second.publish()
    more = await call.subscribe("bob", second)
    assert shows_stripes((await take(next(iter(more.values())), 10))[-1])


async def test_media_that_cannot_connect_fails_the_publication_only(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = call.apis["alice"]
    monkeypatch.setattr("sealroom.media.transport.CONNECT_TIMEOUT", 0.0)
    stream = await alice.create_stream(call.room_id)
    await stream.add_track(StripeTrack(), name="camera")
    with pytest.raises(Exception, match="not connected"):
        await stream.publish()
    assert await alice.list_streams(call.room_id) == []
    monkeypatch.undo()

    async def is_gone_for_bob() -> bool:
        return await call.apis["bob"].list_streams(call.room_id) == []

    await eventually(is_gone_for_bob)
    await stream.publish()
    tracks = await call.subscribe("bob", stream)
    assert shows_stripes((await take(tracks["camera"], 5))[-1])


async def test_leaving_while_publishing_ends_the_publication(call: Call) -> None:
    alice = call.apis["alice"]
    stream = await alice.create_stream(call.room_id)
    await stream.add_track(StripeTrack())
    publishing = asyncio.create_task(stream.publish())
    await asyncio.sleep(0.02)
    await alice.leave_stream_room(call.room_id)
    await asyncio.wait_for(asyncio.gather(publishing, return_exceptions=True), 10)
    await alice.join_stream_room(call.room_id)
    await publish(alice, call.room_id)


async def test_a_media_connection_that_nothing_brings_back_is_told(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = call.apis["bob"]
    stream = await publish(call.apis["alice"], call.room_id)
    tracks = await call.subscribe("bob", stream)
    await take(tracks["camera"], 3)
    reader = asyncio.create_task(drain(tracks["camera"]))
    events = bob.events()

    async def refuse() -> None:
        raise TransportError("nothing helps")

    monkeypatch.setattr("sealroom.client.media_recovery.REPLACE_DELAYS", (0, 0.1))
    session = bob._session(call.room_id)
    assert session.receiving.subscriber is not None
    session.receiving.recovery._replace = refuse
    session.receiving.subscriber.peer.transport._fail("test")
    async with asyncio.timeout(10):
        async for event in events:
            if isinstance(event, MediaFailed):
                assert (event.transport, event.reason) == ("subscriber", "nothing helps")
                break
        await reader
    await bob.leave_stream_room(call.room_id)
    await bob.join_stream_room(call.room_id)
    tracks = await call.subscribe("bob", stream)
    assert shows_stripes((await take(tracks["camera"], 5))[-1])


class BrokenTrack(StripeTrack):
    """Shows a picture, then raises."""

    async def recv(self) -> VideoFrame:
        if self._count == 1:
            raise RuntimeError("the camera is unplugged")
        return await super().recv()


class WrongTrack(StripeTrack):
    """Returns an array where a frame is expected."""

    async def recv(self) -> Any:
        return (await super().recv()).to_ndarray()


async def test_a_source_that_returns_no_frames_is_told_so(call: Call) -> None:
    alice = call.apis["alice"]
    told: list[TrackEnded] = []
    alice.add_event_listener(lambda one: told.append(one) if isinstance(one, TrackEnded) else None)
    stream = await alice.create_stream(call.room_id)
    await stream.add_track(WrongTrack())
    await stream.publish()
    await eventually(lambda: bool(told))
    assert (
        str(told[0].error)
        == "track: recv() of video returned ndarray, not av.VideoFrame or av.Packet"
    )


async def test_a_source_that_ends_or_raises_is_told_to_its_publisher(call: Call) -> None:
    alice = call.apis["alice"]
    told: list[TrackEnded] = []
    alice.add_event_listener(lambda one: told.append(one) if isinstance(one, TrackEnded) else None)
    stream = await alice.create_stream(call.room_id)
    short, broken = StripeTrack(), BrokenTrack()
    tracks = [await stream.add_track(short), await stream.add_track(broken)]
    await stream.publish()
    short.stop()  # its next `recv` raises MediaStreamError
    await eventually(lambda: len(told) == 2)
    by_track = {one.track_id: one for one in told}
    assert {(one.room_id, one.stream_id) for one in told} == {(call.room_id, stream.stream_id)}
    assert by_track[tracks[0].track_id].error is None
    assert str(by_track[tracks[1].track_id].error) == "the camera is unplugged"
    for track in tracks:
        await track.remove()
    await stream.add_track(StripeTrack(), name="camera")
    await stream.update()  # the stream goes on
    await stream.unpublish()
    assert len(told) == 2  # what its publisher ends is no news to it


async def test_who_was_timed_out_while_joining_can_join_again(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Bridge has let it in, and only the answer was too late."""
    connection, bob = call.connections["bob"], call.apis["bob"]
    await bob.leave_stream_room(call.room_id)
    real = connection.call

    async def late(method: str, params: Any, result: Any) -> Any:
        answer = await real(method, params, result)
        if method == "room.join":
            raise RequestTimeoutError("room.join: no response within 15 s")
        return answer

    monkeypatch.setattr(connection, "call", late)
    with pytest.raises(RequestTimeoutError):
        await bob.join_stream_room(call.room_id)
    monkeypatch.undo()
    await bob.join_stream_room(call.room_id)
    there = await call.apis["alice"].list_stream_room_participants(call.room_id)
    assert sorted(one.user_id for one in there) == ["alice", "bob"]


async def test_handles_say_what_cannot_be_done(call: Call) -> None:
    alice = call.apis["alice"]
    stream = await alice.create_stream(call.room_id)
    with pytest.raises(StreamStateError, match="no track"):
        await stream.publish()
    with pytest.raises(StreamStateError, match="not published"):
        await stream.unpublish()
    with pytest.raises(InvalidArgumentError, match="name"):
        await stream.add_track(VideoStreamTrack(), name="x" * (MAX_NAME_LENGTH + 1))
    for _ in range(MAX_STREAM_TRACKS):
        await stream.add_track(VideoStreamTrack())
    with pytest.raises(InvalidArgumentError, match="tracks"):
        await stream.add_track(VideoStreamTrack())
    published = await publish(alice, call.room_id)
    with pytest.raises(StreamStateError, match="already"):
        await published.publish()
    await published.unpublish()
    with pytest.raises(StreamStateError, match="dead"):
        await published.unpublish()
    with pytest.raises(NotJoinedError):
        await alice.create_stream("another")


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_calls_leave_no_descriptor_and_no_task_behind() -> None:
    async def once() -> None:
        async with open_call("alice", "bob") as call:
            stream = await publish(call.apis["alice"], call.room_id, audio=True)
            tracks = await call.subscribe("bob", stream)
            await take(tracks["camera"], 3)

    await once()
    gc.collect()
    descriptors, tasks = open_descriptors(), len(asyncio.all_tasks())
    for _ in range(3):
        await once()
    gc.collect()
    assert len(asyncio.all_tasks()) <= tasks
    assert open_descriptors() <= descriptors + 2
