"""Playing media at the pace of a clock."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError

from sealroom.errors import InvalidArgumentError
from sealroom.sources import FittedTrack, SourceError, open_source, player


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == "sealroom-player"]


async def test_the_test_source_comes_in_real_time() -> None:
    source = open_source("test")
    assert source.video is not None
    began = time.monotonic()
    frames = [await source.video.recv() for _ in range(16)]
    assert time.monotonic() - began >= 15 / 30 - 0.05
    assert [round(frame.time * 30) for frame in frames] == list(range(16))
    assert (frames[0].width, frames[0].height) == (640, 480)
    source.stop()
    assert not threads()


async def test_sound_comes_in_20_ms_frames_of_48_khz_stereo() -> None:
    source = open_source("test")
    assert source.audio is not None
    frames = [await source.audio.recv() for _ in range(5)]
    assert [frame.pts for frame in frames] == [0, 960, 1920, 2880, 3840]
    assert {(frame.sample_rate, frame.layout.name) for frame in frames} == {(48_000, "stereo")}
    source.stop()


async def test_a_file_ends_its_tracks(tmp_path: Path) -> None:
    path = tmp_path / "short.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libvpx", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(6):
            picture = av.VideoFrame.from_ndarray(np.zeros((72, 64), np.uint8), format="yuv420p")
            output.mux(stream.encode(picture))
        output.mux(stream.encode())
    source = open_source(str(path))
    assert source.video is not None
    assert source.audio is None
    for _ in range(6):
        await source.video.recv()
    with pytest.raises(MediaStreamError):
        await source.video.recv()
    assert not threads()


async def test_a_track_that_is_not_read_keeps_a_bounded_number_of_frames() -> None:
    source = open_source("test")
    assert source.video is not None
    assert source.audio is not None
    track = source.audio
    for _ in range(60):
        await source.video.recv()
    async with asyncio.timeout(20):
        while track.frames_dropped < 20:  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
    assert len(track._frames) <= 64  # type: ignore[attr-defined]
    source.stop()


async def test_an_event_loop_that_is_blocked_is_not_handed_more_than_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(player.MAX_WAITING_FRAMES, "video", 4)
    source = open_source("test")
    assert isinstance(source.video, FittedTrack)
    track = source.video._source
    await source.video.recv()
    deadline = time.monotonic() + 20
    skipped_before = track.frames_skipped  # a loop that was late may have had some skipped already
    while track.frames_skipped < skipped_before + 5:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert track.frames_handed_over - track._frames_taken == 4
    assert (await source.video.recv()).pts is not None
    source.stop()


async def test_a_source_may_be_stopped_before_it_began() -> None:
    source = open_source("test")
    source.stop()
    assert source.video is not None
    with pytest.raises(MediaStreamError):
        await source.video.recv()


def test_a_missing_file_is_named() -> None:
    with pytest.raises(SourceError, match=r"no-such\.mp4"):
        open_source("no-such.mp4")


@pytest.mark.parametrize("bound", ["max_width", "max_height", "max_rate"])
@pytest.mark.parametrize("value", [0, -1, 2.5, True, "5"])
def test_a_bound_that_is_none_is_named(bound: str, value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=f"{bound}: a whole number"):
        open_source("test", **{bound: value})
