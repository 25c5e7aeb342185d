"""Tracks of pushed pictures and samples."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError

from sealroom.errors import InvalidArgumentError, LimitExceededError
from sealroom.media.audio_codecs import OpusDecoder, OpusEncoder
from sealroom.media.video_codecs import VideoDecoder, VideoEncoder
from sealroom.sources import PictureTrack, SoundTrack, live


def picture(height: int = 48, width: int = 64, grey: int = 128) -> np.ndarray[Any, Any]:
    return np.full((height, width, 3), grey, np.uint8)


async def test_pictures_come_out_in_order_with_the_time_they_were_taken() -> None:
    track = PictureTrack()
    shown = picture()
    track.push(shown, time=100.0)
    shown[:] = 0  # the array is the caller's again
    track.push(shown, time=100.5)
    first, second = await track.recv(), await track.recv()
    assert (first.time, second.time) == (0.0, 0.5)
    assert first.to_ndarray(format="rgb24")[0, 0, 0] == 128
    assert second.to_ndarray(format="rgb24")[0, 0, 0] == 0


async def test_a_picture_is_waited_for_and_the_end_is_told() -> None:
    track = PictureTrack()
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    track.push(picture())
    assert (await waiting).width == 64
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    track.stop()
    with pytest.raises(MediaStreamError):
        await waiting
    track.push(picture())
    assert track.frames_pushed == 1


async def test_pictures_that_come_too_fast_push_out_the_oldest() -> None:
    track = PictureTrack(max_waiting=3)
    for grey in range(10):
        track.push(picture(grey=grey))
    assert track.frames_dropped == 7
    assert (await track.recv()).to_ndarray(format="rgb24")[0, 0, 0] == 7


@pytest.mark.parametrize(
    ("shape", "format"),
    [((481, 641, 3), "rgb24"), ((1, 1, 3), "bgr24"), ((97, 33), "gray"), ((50, 70, 4), "rgba")],
)
async def test_pictures_of_any_size_survive_the_codec(shape: tuple[int, ...], format: str) -> None:
    track = PictureTrack()
    track.push(np.full(shape, 200, np.uint8), format=format)
    (encoded,) = VideoEncoder().encode(await track.recv())
    (decoded,) = VideoDecoder().decode(encoded.data)
    assert (decoded.height, decoded.width) == shape[:2]
    assert abs(int(np.median(decoded.to_ndarray(format="gray"))) - 200) < 12


@pytest.mark.parametrize(
    ("shown", "options", "text"),
    [
        ("a string", {}, "not str"),
        (np.zeros((48, 64)), {}, "not float64"),
        (np.zeros((48, 64), np.uint8), {}, r"\(height, width, 3\)"),
        (np.zeros((48, 64, 3), np.uint8), {"format": "gray"}, r"\(height, width\)"),
        (np.zeros((48, 64, 3), np.uint8), {"format": "yuv"}, "^format: one of rgb24"),
        (np.zeros((0, 64, 3), np.uint8), {}, "1 to 16383"),
        (np.zeros((1, 16384, 3), np.uint8), {}, "1 to 16383"),
        (np.zeros((48, 64, 3), np.uint8), {"time": float("nan")}, "^time: seconds"),
        (np.zeros((48, 64, 3), np.uint8), {"time": float("inf")}, "^time: seconds"),
        (np.zeros((48, 64, 3), np.uint8), {"time": "now"}, "^time: seconds"),
    ],
)
async def test_what_is_no_picture_is_refused_and_sends_nothing(
    shown: Any, options: Any, text: str
) -> None:
    track = PictureTrack()
    with pytest.raises(InvalidArgumentError, match=text):
        track.push(shown, **options)
    assert track.frames_pushed == 0


async def test_pictures_after_the_end_are_counted() -> None:
    track = PictureTrack()
    track.push(np.zeros((48, 64, 3), np.uint8))
    track.stop()
    track.push(np.zeros((48, 64, 3), np.uint8))
    assert (track.frames_pushed, track.frames_dropped) == (1, 1)


async def test_sound_leaves_at_the_pace_of_a_clock_with_silence_after_it() -> None:
    track = SoundTrack(rate=16_000)
    track.push(np.full(320 + 160, 1000, np.int16))
    assert track.waiting == 0.03
    began = time.monotonic()
    frames = [await track.recv() for _ in range(4)]
    assert time.monotonic() - began >= 0.055
    assert [frame.pts for frame in frames] == [0, 320, 640, 960]
    samples = np.concatenate([frame.to_ndarray().ravel() for frame in frames])
    assert (samples[:480] == 1000).all()
    assert not samples[480:].any()


class Clock:
    """A clock that stands still but for those who sleep."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of live sources, which sleeps when they do."""
    clock = Clock()
    monkeypatch.setattr(live, "clock", clock)
    monkeypatch.setattr(live, "asyncio", SimpleNamespace(sleep=clock.sleep, Event=asyncio.Event))
    return clock


async def test_sound_that_was_not_read_for_a_while_does_not_leave_in_a_burst(clock: Clock) -> None:
    """Unpublished and published again, a connection replaced, an event loop that stood still."""
    track = SoundTrack(rate=16_000)
    for pause in (0.5, 10.0):
        first = await track.recv()
        clock.now += pause
        track.push(np.full(16_000, 1000, np.int16))
        began = clock.now
        frames = [await track.recv() for _ in range(51)]
        assert clock.now - began == pytest.approx(1.0)
        assert not track.waiting
        # The receivers learn how long the pause was.
        assert (frames[0].pts - first.pts) / 16_000 == pytest.approx(pause)
        assert {after.pts - frame.pts for frame, after in pairwise(frames)} == {320}


async def test_sound_that_is_read_a_little_late_catches_up(clock: Clock) -> None:
    track = SoundTrack(rate=16_000)
    await track.recv()
    clock.now += 0.15
    assert [(await track.recv()).pts for _ in range(10)] == [320 * one for one in range(1, 11)]
    assert clock.now == pytest.approx(1000.2)


async def test_what_waits_can_be_taken_back_or_waited_for() -> None:
    track = SoundTrack(rate=8_000)
    track.push(np.ones(8_000, np.int16))
    assert track.clear() == 1.0
    async with asyncio.timeout(5):
        await track.drained()
    track.push(np.ones(200, np.int16))
    waiting = asyncio.create_task(track.drained())
    await track.recv()
    await asyncio.sleep(0)
    assert not waiting.done()
    await track.recv()
    async with asyncio.timeout(5):
        await waiting
    track.push(np.ones(200, np.int16))
    waiting = asyncio.create_task(track.drained())
    track.stop()
    async with asyncio.timeout(5):
        await waiting
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_sound_that_nobody_takes_stays_until_it_is_cleared() -> None:
    track = SoundTrack(rate=8_000)
    track.push(np.ones(8_000, np.int16))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await track.drained()
    waiting = asyncio.create_task(track.drained())
    await asyncio.sleep(0)
    assert track.clear() == 1.0
    async with asyncio.timeout(5):
        await waiting


async def test_more_sound_than_may_wait_is_refused_whole() -> None:
    track = SoundTrack(rate=8_000, max_waiting=1.0)
    track.push(np.ones(6_000, np.int16))
    with pytest.raises(LimitExceededError, match=r"1 s of sound may wait: await drained\(\)"):
        track.push(np.ones(2_001, np.int16))
    assert track.waiting == 0.75
    track.push(np.ones(2_000, np.int16))


async def test_floats_are_scaled_and_clipped_and_one_channel_fills_two() -> None:
    track = SoundTrack(rate=8_000, channels=2)
    track.push(np.array([0.5, -3.0, 3.0], np.float32))
    samples = (await track.recv()).to_ndarray().reshape(-1, 2)
    assert samples[:3].tolist() == [[16384, 16384], [-32768, -32768], [32767, 32767]]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
async def test_full_scale_of_any_float_is_full_scale(dtype: Any) -> None:
    track = SoundTrack(rate=8_000)
    track.push(np.array([1.0, 0.5, -1.0, 2.0, -2.0], dtype))
    samples = (await track.recv()).to_ndarray().ravel()
    assert samples[:5].tolist() == [32767, 16384, -32767, 32767, -32768]


@pytest.mark.parametrize(
    ("samples", "text"),
    [
        (b"\0\0", "not bytes"),
        (np.zeros(4, np.int32), "not int32"),
        (np.zeros((4, 3), np.int16), r"\(4, 3\)"),
        (np.array([0.0, np.nan]), "finite"),
    ],
)
async def test_what_is_no_sound_is_refused_and_sends_nothing(samples: Any, text: str) -> None:
    track = SoundTrack(channels=2)
    with pytest.raises(InvalidArgumentError, match=text):
        track.push(samples)
    assert track.waiting == 0


@pytest.mark.parametrize(
    "options", [{"rate": 44_101}, {"rate": 4_000}, {"channels": 3}, {"max_waiting": 0}]
)
async def test_figures_out_of_range_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match=f"^{next(iter(options))}: "):
        SoundTrack(**options)
    with pytest.raises(InvalidArgumentError, match=r"^max_waiting: "):
        PictureTrack(max_waiting=0)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100])
async def test_sound_of_any_rate_keeps_its_pitch(rate: int) -> None:
    track, encoder, decoder = SoundTrack(rate=rate), OpusEncoder(), OpusDecoder()
    track.push(0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate // 2) / rate))
    heard = []
    for _ in range(20):
        for packet in encoder.encode(await track.recv()):
            heard += [frame.to_ndarray().ravel()[::2] for frame in decoder.decode(packet.data)]
    spectrum = np.abs(np.fft.rfft(np.concatenate(heard)[4800:14400]))
    assert np.argmax(spectrum) * 48_000 / 9600 == pytest.approx(1000, abs=10)
