"""Files whose tracks begin at different times, have gaps, or are damaged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from sealroom.sources import MediaSource, SourceError, open_source
from sealroom.sources.file_sound import AUDIO_RATE, FileSound
from sealroom.sources.player import Player

SECONDS = 0.6
RATE = 15


def film(
    path: Path, *, video: float = 0.0, audio: float = 0.0, damaged: frozenset[int] = frozenset()
) -> Path:
    """Pictures and a tone from these times on; packets of these numbers of each hold nonsense."""
    packets: list[Any] = []
    with av.open(str(path), "w", format="matroska") as output:
        pictures = output.add_stream("libvpx", rate=RATE)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sound = output.add_stream("flac", rate=AUDIO_RATE, layout="mono")
        for number in range(round(SECONDS * RATE)):
            shown = np.full((72, 64), number * 20, np.uint8)
            picture = av.VideoFrame.from_ndarray(shown, format="yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, RATE)
            packets += pictures.encode(picture)
        packets += pictures.encode()
        for number in range(round(SECONDS * 50)):
            tone = np.full((1, 960), 1000, np.int16)
            part = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            part.sample_rate = AUDIO_RATE
            part.pts, part.time_base = number * 960, Fraction(1, AUDIO_RATE)
            packets += sound.encode(part)
        packets += sound.encode()
        made = []
        for stream, begin in ((pictures, video), (sound, audio)):
            for number, packet in enumerate(one for one in packets if one.stream is stream):
                if not packet.size:
                    continue
                changed = av.Packet(b"\1" if number in damaged else bytes(packet))
                changed.stream, changed.time_base = stream, packet.time_base
                changed.pts = packet.pts + round(begin / packet.time_base)
                changed.dts = changed.pts
                changed.is_keyframe = packet.is_keyframe
                made.append(changed)
        for packet in sorted(made, key=lambda one: one.pts * one.time_base):
            output.mux(packet)
    return path


async def played(source: MediaSource) -> dict[str, list[Any]]:
    async def play(track: MediaStreamTrack) -> list[Any]:
        frames: list[Any] = []
        while True:
            try:
                frames.append(await track.recv())
            except MediaStreamError:
                return frames

    tracks = source.tracks
    async with asyncio.timeout(60):
        played = await asyncio.gather(*(play(track) for track in tracks))
    return {track.kind: frames for track, frames in zip(tracks, played, strict=True)}


def begins(frames: list[Any]) -> float:
    """When the first tone begins."""
    return next(float(one.time) for one in frames if abs(one.to_ndarray()).max() > 500)


@pytest.mark.parametrize(("video", "audio"), [(0.0, 0.4), (0.4, 0.0), (2.0, 2.0), (3.0, 2.5)])
async def test_pictures_and_sound_keep_the_offset_that_they_have_in_the_file(
    tmp_path: Path, video: float, audio: float
) -> None:
    frames = await played(open_source(str(film(tmp_path / "film.mkv", video=video, audio=audio))))
    zero = min(video, audio)
    times = [frame.time for frame in frames["video"]]
    assert len(times) == SECONDS * RATE
    assert times == pytest.approx(
        [video - zero + number / RATE for number in range(len(times))], abs=0.01
    )
    assert begins(frames["audio"]) == pytest.approx(audio - zero, abs=0.05)
    assert frames["audio"][-1].time == pytest.approx(audio - zero + SECONDS, abs=0.05)


async def test_what_is_damaged_is_left_out_and_the_rest_plays_at_its_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = film(tmp_path / "film.mkv", damaged=frozenset({3}))
    frames = await played(open_source(str(path)))
    assert len(frames["video"]) == SECONDS * RATE - 1
    assert frames["video"][-1].time == pytest.approx(SECONDS - 1 / RATE, abs=0.01)
    assert frames["audio"][-1].time == pytest.approx(SECONDS - 0.02, abs=0.05)
    assert "film.mkv is damaged" in caplog.text
    assert f"packets of {path} that were left out: " in caplog.text


async def test_a_file_of_which_nothing_decodes_is_an_error_of_its_tracks(tmp_path: Path) -> None:
    source = open_source(str(film(tmp_path / "film.mkv", damaged=frozenset(range(100)))))
    for track in source.tracks:
        with pytest.raises(SourceError, match=r"film\.mkv cannot be read to its end"):
            await track.recv()
        with pytest.raises(MediaStreamError):
            await track.recv()


class Failing:
    """A container whose reads fail after some packets, once or for good."""

    def __init__(self, container: Any, error: type[Exception], failures: int) -> None:
        self._container = container
        self._packets: Iterator[Any] | None = None
        self._error = error
        self._failures = failures
        self.failed = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def demux(self, *streams: Any) -> Iterator[Any]:
        if self._packets is None:
            self._packets = self._container.demux(*streams)
            for _ in range(5):
                yield next(self._packets)
        if self.failed < self._failures:
            self.failed += 1
            raise self._error(5, "it does not go on")
        yield from self._packets


@pytest.mark.parametrize("error", [av.error.OSError, av.error.InvalidDataError])
async def test_a_read_that_fails_for_good_is_an_error_of_the_tracks(
    tmp_path: Path, error: type[Exception]
) -> None:
    player = Player(str(film(tmp_path / "film.mkv")))
    player._container = failing = Failing(player._container, error, 1 << 30)
    track = player.tracks["video"]
    with pytest.raises(SourceError, match=r"film\.mkv cannot .*: it does not go on"):
        await played(MediaSource(track, None))
    assert failing.failed <= 100
    player.tracks["audio"].stop()


async def test_a_read_that_fails_now_and_then_goes_on(tmp_path: Path) -> None:
    player = Player(str(film(tmp_path / "film.mkv")))
    player._container = Failing(player._container, av.error.InvalidDataError, 3)
    frames = await played(MediaSource(player.tracks["video"], player.tracks["audio"]))
    assert len(frames["video"]) == SECONDS * RATE
    assert player.packets_damaged == 3


def tone(samples: int = 1024, rate: int = AUDIO_RATE, format: str = "s16") -> av.AudioFrame:
    made = av.AudioFrame.from_ndarray(
        np.full((1, samples), 1000, np.int16), format=format, layout="mono"
    )
    made.sample_rate = rate
    return made


def heard(frames: list[av.AudioFrame]) -> np.ndarray[Any, Any]:
    """The left channel from zero on, of frames of 20 ms each."""
    assert {frame.samples for frame in frames} <= {960}
    samples = np.zeros(frames[-1].pts + 960, np.int16)
    for frame in frames:
        samples[frame.pts : frame.pts + 960] = frame.to_ndarray().ravel()[::2]
    return samples


def test_a_gap_in_the_sound_is_silent_and_as_long_as_in_the_file() -> None:
    sound = FileSound()
    frames = [*sound.frames(tone(), 0.0, 0.0), *sound.frames(tone(2000), 10.0, 0.0)]
    assert [frame.pts for frame in frames] == list(range(0, 960 * len(frames), 960))
    samples = heard(frames)
    assert samples[:1024].all()
    assert not samples[1024 : 10 * AUDIO_RATE].any()
    assert samples[10 * AUDIO_RATE :].all()


def test_silence_of_long_ago_is_left_out_and_its_time_passes() -> None:
    sound = FileSound()
    frames = [*sound.frames(tone(), 0.0, 0.0), *sound.frames(tone(2000), 10.0, 9.7)]
    assert frames[1].pts < 1024
    assert frames[2].pts == pytest.approx(9.7 * AUDIO_RATE, abs=1)
    assert np.flatnonzero(heard(frames)[1024:])[0] + 1024 == 10 * AUDIO_RATE


def test_times_that_are_rounded_make_no_gaps() -> None:
    sound, frames = FileSound(), []
    for number in range(100):
        begin = round(number * 1024 / AUDIO_RATE + (0.03 if number % 2 else 0.0), 3)
        frames += sound.frames(tone(), begin, begin)
    assert heard(frames).all()


def test_sound_whose_format_changes_goes_on() -> None:
    sound = FileSound()
    frames = [*sound.frames(tone(), None, 0.0), *sound.frames(tone(44_100, 44_100), None, 0.0)]
    assert frames[-1].pts == pytest.approx(1024 + AUDIO_RATE, abs=2000)
