"""Calls in which somebody cheats: whatever is wrong with a frame, no decoder ever sees it."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from call_support import Call, StripeTrack, eventually, publish, received, take

from sealroom.client import publisher as publisher_module
from sealroom.client.events import FrameRejected, StreamPublished, StreamRefused
from sealroom.client.publisher import Publisher
from sealroom.crypto.announcement import VerifiedStream
from sealroom.crypto.errors import (
    ForgedSignatureError,
    PublisherMismatchError,
    StreamMismatchError,
    StreamReplayError,
)
from sealroom.crypto.track_keys import DEFAULT_SUITE
from sealroom.media.frames import EncodedFrame
from sealroom.protocol import EventEnvelope, EventType, SubscriptionResult


class Rejections:
    """The rejection events of a user, with the time of each."""

    def __init__(self, call: Call, user_id: str) -> None:
        self.seen: list[tuple[float, FrameRejected]] = []
        call.apis[user_id].add_event_listener(self._take)

    def _take(self, event: object) -> None:
        if isinstance(event, FrameRejected):
            self.seen.append((time.monotonic(), event))


async def nothing_is_decoded(call: Call, tracks: dict[str, Any], reason: str) -> None:
    """Watch a track whose every frame is bad."""
    rejections = Rejections(call, "bob")
    shown: list[Any] = []

    async def watch(name: str) -> None:
        async for frame in tracks[name].frames():
            shown.append(frame)

    readers = [asyncio.create_task(watch(name)) for name in tracks]

    def of_camera() -> list[tuple[float, FrameRejected]]:
        return [one for one in rejections.seen if one[1].track_id == tracks["camera"].track_id]

    # Each bad frame makes the receiver wait for a key frame: only a few come a second. Those of a
    # key that may still come wait for it first, and are rejected together.
    await eventually(
        lambda: received(call, "bob").native.rejected[reason] >= 4 and len(of_camera()) >= 2,
        seconds=20,
    )
    statistics = received(call, "bob")
    assert not [frame for frame in shown if frame.kind == "video"]
    assert statistics.python.frames_decoded == 0
    assert statistics.native.frames_received == 0
    assert [name for name, count in statistics.native.rejected.items() if count] == [reason]
    events = of_camera()
    assert {event.reason for _, event in events} == {reason}
    times = [at for at, _ in events]
    assert all(later - earlier > 0.9 for earlier, later in pairwise(times))
    for reader in readers:
        reader.cancel()


async def test_frames_under_another_key_are_not_decoded(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VerifiedStream, "track_key", lambda *arguments, **options: b"x" * 32)
    tracks = await call.subscribe("bob", await publish(call.apis["alice"], call.room_id))
    await nothing_is_decoded(call, tracks, "authentication_failed")


async def test_frames_of_an_epoch_that_is_not_known_are_not_decoded(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def set_key(self: Publisher, track: Any) -> None:
        key = track.base_key(self._keys)
        self.session.set_sender_key(track.sender, suite=DEFAULT_SUITE, key_id=7, base_key=key)

    monkeypatch.setattr(Publisher, "_set_key", set_key)
    tracks = await call.subscribe("bob", await publish(call.apis["alice"], call.room_id))
    await nothing_is_decoded(call, tracks, "unknown_key_id")


async def test_frames_that_are_not_encrypted_are_not_decoded(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PlainSession(publisher_module.MediaSession):  # type: ignore[misc]
        def add_sender(self, **options: Any) -> Any:
            return super().add_sender(**options, protection=False)

        def set_sender_key(self, *arguments: Any, **options: Any) -> None:
            """An unprotected sender takes no key."""

    with monkeypatch.context() as patch:
        patch.setattr(publisher_module, "MediaSession", PlainSession)
        stream = await publish(call.apis["alice"], call.room_id)
    tracks = await call.subscribe("bob", stream)
    rejections = Rejections(call, "bob")
    reader = asyncio.create_task(take(tracks["camera"], 1, seconds=30))
    await eventually(lambda: sum(received(call, "bob").native.rejected.values()) >= 4)
    statistics = received(call, "bob")
    assert statistics.python.frames_decoded == statistics.native.frames_received == 0
    # Clear text may look like a header with some key id; it never authenticates.
    seen = {event.reason for _, event in rejections.seen}
    assert seen <= {"not_encrypted", "unknown_key_id", "authentication_failed"}
    reader.cancel()


async def test_a_track_sent_as_another_is_not_decoded(call: Call) -> None:
    """The media server swaps two pictures of one stream; both are encrypted, under other keys."""
    alice = call.apis["alice"]
    stream = await alice.create_stream(call.room_id)
    for name, grey in (("camera", 120), ("screen", 220)):
        await stream.add_track(StripeTrack(grey), name=name)
    await stream.publish()
    connection = call.connections["bob"]
    honest = connection.call

    async def swap(method: str, params: Any, result: Any) -> Any:
        answer = await honest(method, params, result)
        if result is SubscriptionResult:
            one, other = answer.tracks
            tracks = [
                msgspec.structs.replace(one, track_id=other.track_id),
                msgspec.structs.replace(other, track_id=one.track_id),
            ]
            return msgspec.structs.replace(answer, tracks=tracks)
        return answer

    connection.call = swap  # type: ignore[method-assign]
    tracks = await call.subscribe("bob", stream)
    await nothing_is_decoded(call, tracks, "authentication_failed")


async def test_broken_frames_are_shown_to_handlers_on_request_and_never_decoded(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VerifiedStream, "track_key", lambda *arguments, **options: b"x" * 32)
    bob = call.apis["bob"]
    bob.drop_broken_frames(call.room_id, False)
    tracks = await call.subscribe("bob", await publish(call.apis["alice"], call.room_id))
    seen: list[EncodedFrame] = []

    def look(frame: EncodedFrame) -> EncodedFrame:
        seen.append(frame)
        frame.rejected = None  # a handler cannot talk a frame into being authentic
        return frame

    tracks["camera"].set_encoded_frame_handler(look)
    reader = asyncio.create_task(take(tracks["camera"], 1, seconds=30))
    await eventually(lambda: len(seen) >= 3)
    assert received(call, "bob").python.frames_decoded == 0
    bob.drop_broken_frames(call.room_id, True)
    await asyncio.sleep(0.3)
    count = len(seen)
    await asyncio.sleep(0.5)
    assert len(seen) <= count + 1
    reader.cancel()


async def test_good_frames_after_bad_ones_are_decoded(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = await publish(call.apis["alice"], call.room_id)
    with monkeypatch.context() as patch:
        patch.setattr(VerifiedStream, "track_key", lambda *arguments, **options: b"x" * 32)
        tracks = await call.subscribe("bob", stream)
    reader = asyncio.create_task(take(tracks["camera"], 10, seconds=20))
    await eventually(lambda: received(call, "bob").native.rejected["authentication_failed"] >= 2)
    session = call.apis["bob"]._session(call.room_id)
    assert session.receiving.subscriber is not None
    (one,) = session.receiving.subscriber._tracks.values()
    key = session.streams[stream.stream_id].track_key(session._room.keys, one.remote.track_id)
    session.receiving.subscriber.session.remove_receiver_key(one.receiver, 1)
    session.receiving.subscriber.session.add_receiver_key(
        one.receiver, suite=5, key_id=1, base_key=key
    )
    assert len(await reader) == 10


# Streams shown as what they are not, in events


async def shown_to_bob(call: Call, **changes: Any) -> StreamRefused:
    """Publish a stream, show it to bob changed, and return what he makes of it."""
    connection = call.connections["bob"]
    events = call.apis["bob"].events()
    honest = connection._pass_on  # behind the count of sequence numbers, which a liar keeps right

    def lie(envelope: EventEnvelope) -> None:
        if envelope.type is EventType.STREAM_PUBLISHED:
            data = msgspec.json.decode(envelope.data)
            data["announcement"].update(changes.pop("announcement", {}))
            data.update(changes)
            raw = msgspec.Raw(msgspec.json.encode(data))
            envelope = msgspec.structs.replace(envelope, data=raw)
        honest(envelope)

    connection._pass_on = lie  # type: ignore[method-assign]
    await publish(call.apis["alice"], call.room_id)
    async with asyncio.timeout(10):
        async for event in events:
            if isinstance(event, StreamRefused | StreamPublished):
                assert isinstance(event, StreamRefused)
                assert await call.apis["bob"].list_streams(call.room_id) == []
                return event
    raise AssertionError


async def test_a_stream_shown_as_bobs_own_is_refused(call: Call) -> None:
    refused = await shown_to_bob(call, user_id="bob")
    assert isinstance(refused.error, PublisherMismatchError)


async def test_a_stream_shown_under_another_id_is_refused(call: Call) -> None:
    refused = await shown_to_bob(call, stream_id="another")
    assert isinstance(refused.error, StreamMismatchError)


async def test_an_announcement_with_a_forged_signature_is_refused(call: Call) -> None:
    refused = await shown_to_bob(call, announcement={"signature": "AAAA"})
    assert isinstance(refused.error, ForgedSignatureError)


async def test_a_stream_that_ended_cannot_be_shown_again(call: Call) -> None:
    """The Bridge replays announcement and ciphertext of what alice sent before."""
    bob = call.apis["bob"]
    events = bob.events()
    shown: list[EventEnvelope] = []
    connection = call.connections["bob"]
    connection.on_event(shown.append)
    stream = await publish(call.apis["alice"], call.room_id)
    await call.sees("bob", stream)
    await stream.unpublish()

    async def is_gone() -> bool:
        return await bob.list_streams(call.room_id) == []

    await eventually(is_gone)
    replay = next(one for one in shown if one.type is EventType.STREAM_PUBLISHED)
    connection._pass_on(replay)
    async with asyncio.timeout(10):
        async for event in events:
            if isinstance(event, StreamRefused):
                assert isinstance(event.error, StreamReplayError)
                break
    assert await bob.list_streams(call.room_id) == []
