"""Media sources: real time, fitted size and rate, clear refusals."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import av
import pytest
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from sealroom.sources import FittedTrack, SourceError, fit, open_source


async def test_the_test_source_gives_pictures_and_sound_in_real_time() -> None:
    source = open_source("test")
    try:
        assert source.video is not None
        assert source.audio is not None
        picture = await source.video.recv()
        assert (picture.width, picture.height) == (640, 480)
        sound = await source.audio.recv()
        assert (sound.sample_rate, sound.samples) == (48_000, 960)
        begin = time.monotonic()
        for _ in range(15):
            await source.video.recv()
        assert 0.35 < time.monotonic() - begin < 3
    finally:
        source.stop()


async def test_the_test_source_is_fitted_like_any_other() -> None:
    source = open_source("test", max_width=320, max_height=200, max_rate=10)
    assert source.video is not None
    frames = [await source.video.recv() for _ in range(4)]
    assert {(frame.width, frame.height) for frame in frames} == {(266, 200)}
    assert [round(frame.time * 10) for frame in frames] == [0, 1, 2, 3]
    source.stop()


@pytest.mark.parametrize(
    ("size", "fitted"),
    [
        ((640, 480), (640, 480)),
        ((320, 240), (320, 240)),
        ((1920, 1080), (640, 360)),
        ((1080, 1920), (270, 480)),
        ((641, 480), (640, 480)),
        ((10_000, 10), (640, 2)),
    ],
)
def test_pictures_are_scaled_down_only_and_keep_their_shape(
    size: tuple[int, int], fitted: tuple[int, int]
) -> None:
    assert fit(size, (640, 480)) == fitted


class Pictures(MediaStreamTrack):
    """Grey pictures at a rate, without pace."""

    kind = "video"

    def __init__(self, width: int, height: int, rate: int, count: int) -> None:
        super().__init__()
        self._shape, self._rate, self._left = (width, height), rate, count
        self._number = 0

    async def recv(self) -> av.VideoFrame:
        if self._number == self._left:
            raise MediaStreamError
        frame = av.VideoFrame(*self._shape, "yuv420p")
        frame.pts, frame.time_base = self._number, Fraction(1, self._rate)
        self._number += 1
        return frame


@pytest.mark.parametrize(("rate", "expected"), [(60, 30), (50, 25), (30, 30), (25, 25), (24, 24)])
async def test_a_second_of_video_is_thinned_out_to_at_most_30(rate: int, expected: int) -> None:
    track = FittedTrack(Pictures(1280, 720, rate, rate), 640, 480, 30)
    frames = [await track.recv() for _ in range(expected)]
    with pytest.raises(MediaStreamError):
        await track.recv()
    assert {(frame.width, frame.height) for frame in frames} == {(640, 360)}
    times = [frame.time for frame in frames]
    assert times == sorted(times)


def test_what_is_no_media_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("Dear diary")
    with pytest.raises(SourceError, match="not a media file"):
        open_source(str(text))
    with pytest.raises(SourceError, match="there is no file"):
        open_source(str(tmp_path / "none.mp4"))
    with pytest.raises(SourceError, match="there is no file"):
        open_source(str(tmp_path))
