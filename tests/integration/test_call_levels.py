"""Loudness in a call: measured before encoding, told to the members and to nobody else."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import numpy as np
import pytest
from aiortc import MediaStreamTrack
from av import AudioFrame
from call_support import Call, StripeTrack, eventually, take

from sealroom.client import AudioLevel, RemoteTrack
from sealroom.client.events import ActiveSpeakerChanged
from sealroom.client.handles import StreamHandle, TrackHandle
from sealroom.errors import InvalidArgumentError
from sealroom.media.frames import EncodedFrame

RATE = 48_000
SAMPLES = 960


class Tone(MediaStreamTrack):
    """A tone whose loudness can be changed, in dBov; -inf for silence."""

    kind = "audio"

    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = level
        self._count = 0
        self._begin = 0.0

    async def recv(self) -> AudioFrame:
        loop = asyncio.get_running_loop()
        if not self._count:
            self._begin = loop.time()
        await asyncio.sleep(max(0.0, self._begin + self._count * 0.02 - loop.time()))
        time = (np.arange(SAMPLES) + self._count * SAMPLES) / RATE
        peak = 32768 * 10 ** (self.level / 20) * 2**0.5  # of a sine with this power
        samples = (np.sin(2 * np.pi * 440 * time) * peak).astype(np.int16)
        both = np.repeat(samples, 2).reshape(1, -1)
        frame = AudioFrame.from_ndarray(both, format="s16", layout="stereo")
        frame.sample_rate = RATE
        frame.pts, frame.time_base = self._count * SAMPLES, Fraction(1, RATE)
        self._count += 1
        return frame


async def publish_tone(
    call: Call, user_id: str, tone: Tone, **options: object
) -> tuple[StreamHandle, TrackHandle]:
    stream = await call.apis[user_id].create_stream(call.room_id)
    track = await stream.add_track(tone, name="microphone", **options)  # type: ignore[arg-type]
    await stream.publish()
    return stream, track


def level_of(call: Call, user_id: str, track_id: str) -> AudioLevel | None:
    levels = call.apis[user_id].audio_levels(call.room_id)
    return next((one for one in levels if one.track_id == track_id), None)


async def hears(call: Call, user_id: str, track_id: str, expected: int) -> None:
    def is_there() -> bool:
        one = level_of(call, user_id, track_id)
        return one is not None and abs(one.level - expected) <= 2

    await eventually(is_there)


async def test_levels_arrive_although_nobody_decodes(call: Call) -> None:
    tone = Tone(-20)
    stream, track = await publish_tone(call, "alice", tone)
    await call.subscribe("bob", stream)
    for level in (-20, -45, -127):
        tone.level = level if level > -100 else float("-inf")
        for user_id in ("alice", "bob"):
            await hears(call, user_id, track.track_id, level)
            one = level_of(call, user_id, track.track_id)
            assert one is not None
            assert (one.user_id, one.stream_id) == ("alice", stream.stream_id)
            assert one.is_local == (user_id == "alice")
            assert one.has_voice == (level > -60)
    seen: list[list[AudioLevel]] = []
    stop = call.apis["bob"].add_audio_level_listener(call.room_id, seen.append)
    await eventually(lambda: len(seen) >= 3)
    assert all([one.track_id for one in levels] == [track.track_id] for levels in seen)
    stop()
    count = len(seen)
    await asyncio.sleep(0.4)
    assert len(seen) == count


async def test_a_muted_track_is_silent_for_all_and_an_ended_one_is_gone(call: Call) -> None:
    stream, track = await publish_tone(call, "alice", Tone(-20))
    await call.subscribe("bob", stream)
    for user_id in ("alice", "bob"):
        await hears(call, user_id, track.track_id, -20)
    await track.set_enabled(False)
    for user_id in ("alice", "bob"):
        await hears(call, user_id, track.track_id, -127)
    await track.set_enabled(True)
    await hears(call, "bob", track.track_id, -20)
    await stream.unpublish()
    for api in call.apis.values():
        await eventually(lambda api=api: api.audio_levels(call.room_id) == [])  # type: ignore[misc]


async def test_handlers_and_decoders_get_the_frames_without_the_level(call: Call) -> None:
    sent: list[bytes] = []
    arrived: list[bytes] = []

    def remember(frame: EncodedFrame) -> EncodedFrame:
        sent.append(bytes(frame.data))
        return frame

    def look(frame: EncodedFrame) -> EncodedFrame:
        arrived.append(bytes(frame.data))
        return frame

    stream, _ = await publish_tone(call, "alice", Tone(-20), encoded_frame_handler=remember)
    tracks = await call.subscribe("bob", stream)
    tracks["microphone"].set_encoded_frame_handler(look)
    frames = await take(tracks["microphone"], 30)
    assert len(arrived) >= 30
    assert set(arrived) <= set(sent)
    loud = np.concatenate([one.to_ndarray() for one in frames[10:]]).astype(np.float64) / 32768
    assert abs(10 * np.log10(np.mean(loud**2)) + 20) < 2


async def test_the_media_server_cannot_read_the_levels(call: Call) -> None:
    """A steady tone: its level is the same byte in every frame, and nowhere in the ciphertext."""
    clear: list[bytes] = []

    def remember(frame: EncodedFrame) -> EncodedFrame:
        clear.append(bytes(frame.data))
        return frame

    stream, track = await publish_tone(call, "alice", Tone(-20), encoded_frame_handler=remember)
    await call.subscribe("bob", stream)
    await hears(call, "bob", track.track_id, -20)
    tap = call.bridge.media.tap(stream.stream_id, track.track_id)  # type: ignore[attr-defined]
    tapped: list[bytes] = []

    def has_enough() -> bool:
        tapped.extend(bytes(frame.data) for frame in tap.take_frames())
        return len(tapped) >= 100

    await eventually(has_enough)
    tap.close()
    level = 20 | 0x80  # with the bit for voice, RFC 6464
    for place in range(-40, 40):
        there = [one[place] for one in tapped if -len(one) <= place < len(one)]
        # By chance a byte has a given value in 1 of 256 frames.
        assert sum(abs(value - level) <= 2 for value in there) < len(there) * 0.2, place
    assert not any(one in other for one in clear for other in tapped if len(one) > 8)


async def test_who_speaks_is_told_and_who_stops(call: Call) -> None:
    tones = {"alice": Tone(-70), "bob": Tone(-70)}
    streams = {}
    for user_id, tone in tones.items():
        streams[user_id], _ = await publish_tone(call, user_id, tone)
    await call.subscribe("bob", streams["alice"])
    await call.subscribe("alice", streams["bob"])
    events = {user_id: call.apis[user_id].events() for user_id in tones}

    async def next_speakers(user_id: str) -> list[str]:
        async with asyncio.timeout(15):
            async for event in events[user_id]:
                if isinstance(event, ActiveSpeakerChanged):
                    assert all(one.is_active for one in event.speakers)
                    return [one.user_id for one in event.speakers]
        raise AssertionError

    await asyncio.sleep(1)  # so that the background noise is known
    tones["alice"].level = -20
    for user_id in tones:
        assert await next_speakers(user_id) == ["alice"]
    tones["alice"].level = -70
    for user_id in tones:
        assert await next_speakers(user_id) == []
    tones["bob"].level = -25
    for user_id in tones:
        assert await next_speakers(user_id) == ["bob"]


async def test_levels_are_a_choice_and_for_audio_only(call: Call) -> None:
    alice = call.apis["alice"]
    stream = await alice.create_stream(call.room_id)
    with pytest.raises(InvalidArgumentError, match="audio_level"):
        await stream.add_track(StripeTrack(), audio_level=True)
    await stream.add_track(StripeTrack(), name="camera")
    await stream.add_track(Tone(-20), name="quiet", audio_level=False)
    await stream.publish()
    tracks: dict[str, RemoteTrack] = await call.subscribe("bob", stream)
    await asyncio.gather(*(take(one, 10) for one in tracks.values()))
    (info,) = await call.apis["bob"].list_streams(call.room_id)
    assert [one.audio_level for one in info.tracks] == [False, False]
    for api in call.apis.values():
        assert api.audio_levels(call.room_id) == []
