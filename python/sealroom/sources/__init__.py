"""Media for programs to send, in real time: files FFmpeg reads, a test picture and tone, arrays."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import av
from aiortc import MediaStreamTrack
from av import VideoFrame

from sealroom.errors import InvalidArgumentError
from sealroom.sources.live import PictureTrack, SoundTrack
from sealroom.sources.player import Player, SourceError

__all__ = [
    "TEST_SOURCE",
    "FittedTrack",
    "MediaSource",
    "PictureTrack",
    "SoundTrack",
    "SourceError",
    "fit",
    "open_source",
]

TEST_SOURCE: Final = "test"
TEST_WIDTH: Final = 640
TEST_HEIGHT: Final = 480
TEST_RATE: Final = 30
_TEST_GRAPH: Final = (
    f"testsrc2=size={TEST_WIDTH}x{TEST_HEIGHT}:rate={TEST_RATE}[out0];"
    "sine=frequency=440:beep_factor=4:sample_rate=48000:samples_per_frame=960[out1]"
)
# Sources are timed to the millisecond or worse; a frame that much early still counts as on time.
_RATE_TOLERANCE: Final = 0.9


class MediaSource:
    """The first video and the first audio track of a source, each None if there is none.

    Frames come at the pace of a clock. Take from every track that is there or stop it: what is not
    taken is kept. Event-loop thread only.
    """

    def __init__(self, video: MediaStreamTrack | None, audio: MediaStreamTrack | None) -> None:
        self.video = video
        self.audio = audio

    @property
    def tracks(self) -> list[MediaStreamTrack]:
        """The tracks that are there, video first."""
        return [track for track in (self.video, self.audio) if track is not None]

    def stop(self) -> None:
        """Ends all tracks and closes the file. Idempotent."""
        for track in self.tracks:
            track.stop()


def open_source(
    name: str, *, max_width: int = TEST_WIDTH, max_height: int = TEST_HEIGHT, max_rate: int = 30
) -> MediaSource:
    """Opens a media file, or FFmpeg's test picture and tone when `name` is "test".

    Larger pictures are scaled down to fit, faster ones thinned out to `max_rate` frames a second.

    Raises:
        InvalidArgumentError: a bound is no whole number of 1 or more.
        SourceError: there is no such file, it is no media file, or it has no usable track.
    """
    for bound, value in (
        ("max_width", max_width),
        ("max_height", max_height),
        ("max_rate", max_rate),
    ):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise InvalidArgumentError(f"{bound}: a whole number of 1 or more, not {value!r}")
    player = Player(_TEST_GRAPH, "lavfi") if name == TEST_SOURCE else _opened(name)
    video: MediaStreamTrack | None = player.tracks.get("video")
    audio = player.tracks.get("audio")
    if video is None and audio is None:
        raise SourceError(f"{name} holds neither pictures nor sound")
    if video is not None:
        video = FittedTrack(video, max_width, max_height, max_rate)
    return MediaSource(video, audio)


def _opened(name: str) -> Player:
    if not Path(name).is_file():
        raise SourceError(f"there is no file {name}; give a media file, or 'test'")
    try:
        return Player(name)
    except av.error.FFmpegError as error:
        reason = error.strerror or error
        raise SourceError(f"{name} is not a media file that FFmpeg reads: {reason}") from error


class FittedTrack(MediaStreamTrack):
    """Video of another track, scaled down into a size and thinned out to a rate."""

    kind = "video"

    def __init__(self, source: MediaStreamTrack, width: int, height: int, rate: int) -> None:
        super().__init__()
        self._source = source
        self._size = (width, height)
        self._least_step = _RATE_TOLERANCE / rate
        self._last_time: float | None = None

    async def recv(self) -> VideoFrame:
        """Returns the next frame; raises MediaStreamError at the end of the source."""
        while True:
            frame = await self._source.recv()
            assert isinstance(frame, VideoFrame)
            if self._is_due(frame.time):
                break
        width, height = fit((frame.width, frame.height), self._size)
        if (width, height) == (frame.width, frame.height):
            return frame
        return await asyncio.to_thread(_scaled, frame, width, height)

    def stop(self) -> None:
        """Ends this track and its source."""
        self._source.stop()
        super().stop()

    def _is_due(self, time: float | None) -> bool:
        if time is None:
            return True
        last = self._last_time
        if last is not None and 0 <= time - last < self._least_step:
            return False
        self._last_time = time
        return True


def fit(size: tuple[int, int], bounds: tuple[int, int]) -> tuple[int, int]:
    """Returns the nearest even size of the same shape inside even `bounds`, never scaled up."""
    scale = min(1.0, bounds[0] / size[0], bounds[1] / size[1])
    width, height = (max(2, 2 * round(length * scale / 2)) for length in size)
    return width, height


def _scaled(frame: VideoFrame, width: int, height: int) -> VideoFrame:
    smaller = frame.reformat(width=width, height=height, format="yuv420p", threads=1)
    smaller.pts, smaller.time_base = frame.pts, frame.time_base
    return smaller
