"""Writes decrypted, still encoded VP8 and Opus frames of one stream into a Matroska file."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import av
from av import Packet

from sealroom.errors import SealroomError
from sealroom.media.frames import CLOCK_RATES, EncodedFrame
from sealroom.media.sections import MediaKind

MAX_WAITING_FRAMES: Final = 1500
"""Frames kept until every kind has begun: 20 s of a call; beyond it the oldest are dropped."""


class RecordingError(SealroomError):
    """A recording cannot be written or read."""

    code = "recording"


@dataclass
class _Track:
    """Time of one kind in the file: RTP time unwrapped, begun at the arrival of its first frame."""

    kind: MediaKind
    clock_rate: int
    begin: float
    last_timestamp: int
    ticks: int = 0
    last_written: int | None = None
    stream: Any = None

    def advance(self, timestamp: int) -> int:
        step = (timestamp - self.last_timestamp) & 0xFFFFFFFF
        self.ticks += step - (1 << 32) if step & 0x80000000 else step
        self.last_timestamp = timestamp
        return self.ticks


class MatroskaWriter:
    """A Matroska file of at most one video and one audio track. Not thread-safe.

    The header, and so the file, is written once every kind in `kinds` has sent a frame to begin
    with (video: a key frame), or at `close` with the kinds that came. Pictures and sound are put
    together by arrival, as the two RTP clocks have no common zero. Frames that decryption rejected
    are refused.
    """

    def __init__(
        self, path: str | PathLike[str], kinds: Collection[MediaKind] = ("video", "audio")
    ) -> None:
        self.path = Path(path)
        self.frames_written = 0
        self.frames_skipped = 0
        self._kinds = frozenset(kinds)
        self._tracks: dict[MediaKind, _Track] = {}
        self._waiting: deque[tuple[_Track, int, bytes, bool]] = deque()
        self._size = (0, 0)
        self._container: Any = None
        self._is_closed = False

    def write(self, frame: EncodedFrame) -> None:
        """Adds a frame; frames of one kind in their order.

        Raises:
            RecordingError: the file cannot be written.
            ValueError: the frame was rejected by decryption.
        """
        if frame.rejected is not None:
            raise ValueError("a rejected frame is not recorded")
        if self._is_closed or frame.kind not in self._kinds:
            self.frames_skipped += 1
            return
        data = bytes(frame.data)
        track = self._tracks.get(frame.kind)
        if track is None:
            if frame.kind == "video" and not self._begins_video(frame, data):
                self.frames_skipped += 1
                return
            track = self._tracks[frame.kind] = _Track(
                frame.kind,
                CLOCK_RATES[frame.codec],
                frame.arrival if frame.arrival is not None else time.monotonic(),
                frame.rtp_timestamp,
            )
        item = (track, track.advance(frame.rtp_timestamp), data, frame.is_key_frame)
        if self._container is not None:
            self._mux(*item)
            return
        self._waiting.append(item)
        if self._tracks.keys() == self._kinds:
            self._open()
        elif len(self._waiting) > MAX_WAITING_FRAMES:
            self._waiting.popleft()
            self.frames_skipped += 1

    def close(self) -> None:
        """Finishes the file; nothing is written when no frame came. Idempotent.

        Raises:
            RecordingError: the file cannot be written.
        """
        if self._is_closed:
            return
        if self._container is None and self._tracks:
            self._open()
        self._is_closed = True
        if self._container is not None:
            try:
                self._container.close()
            except (av.error.FFmpegError, OSError) as error:
                raise self._failed(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _begins_video(self, frame: EncodedFrame, data: bytes) -> bool:
        if not frame.is_key_frame or len(data) < 10:
            return False
        # RFC 6386 section 9.1: two 14-bit lengths after frame tag and start code.
        width = int.from_bytes(data[6:8], "little") & 0x3FFF
        height = int.from_bytes(data[8:10], "little") & 0x3FFF
        self._size = (width, height)
        return width > 0 and height > 0

    def _open(self) -> None:
        try:
            self._container = av.open(str(self.path), "w", format="matroska")
            for kind in sorted(self._tracks, reverse=True):  # video first
                self._tracks[kind].stream = self._add_stream(kind)
            self._container.start_encoding()
        except (av.error.FFmpegError, OSError) as error:
            raise self._failed(error) from error
        while self._waiting:
            self._mux(*self._waiting.popleft())

    def _add_stream(self, kind: MediaKind) -> Any:
        # The encoders encode nothing: opening them makes the codecs' private data for the header.
        if kind == "audio":
            return self._container.add_stream("libopus", rate=48_000, layout="stereo")
        stream = self._container.add_stream("libvpx", rate=30)
        stream.width, stream.height = self._size
        stream.pix_fmt = "yuv420p"
        return stream

    def _mux(self, track: _Track, ticks: int, data: bytes, is_key_frame: bool) -> None:
        origin = min(one.begin for one in self._tracks.values())
        position = ticks + round((track.begin - origin) * track.clock_rate)
        if track.last_written is not None and position <= track.last_written:
            self.frames_skipped += 1  # the container wants time to move forward
            return
        track.last_written = position
        packet = Packet(data)
        packet.stream = track.stream
        packet.time_base = Fraction(1, track.clock_rate)
        packet.pts = packet.dts = position
        packet.is_keyframe = is_key_frame
        try:
            self._container.mux(packet)
        except (av.error.FFmpegError, OSError) as error:
            raise self._failed(error) from error
        self.frames_written += 1

    def _failed(self, error: Exception) -> RecordingError:
        reason = getattr(error, "strerror", None) or error
        return RecordingError(f"cannot write {self.path}: {reason}")


@dataclass(frozen=True, slots=True)
class RecordingSummary:
    """What a player finds in a file: decoded frames of each kind and the length in seconds."""

    video_frames: int
    audio_frames: int
    seconds: float
    width: int = 0
    height: int = 0


def examine_recording(path: str | PathLike[str]) -> RecordingSummary:
    """Opens a recording as a player would and decodes all of it.

    Raises:
        RecordingError: it does not open or does not decode.
    """
    counts = {"video": 0, "audio": 0}
    try:
        with av.open(str(path)) as container:
            size = next(((s.width, s.height) for s in container.streams.video), (0, 0))
            seconds = (container.duration or 0) / 1_000_000
            for frame in container.decode():
                counts["video" if isinstance(frame, av.VideoFrame) else "audio"] += 1
    except (av.error.FFmpegError, OSError) as error:
        raise RecordingError(f"cannot play {path}: {error}") from error
    return RecordingSummary(counts["video"], counts["audio"], seconds, *size)
