"""Writes decrypted, still encoded frames of one stream into a Matroska file."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Collection
from dataclasses import dataclass, field
from fractions import Fraction
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import av
from av import Packet

from sealroom._file_urls import file_url
from sealroom.errors import InvalidArgumentError, SealroomError
from sealroom.media.frames import CLOCK_RATES, EncodedFrame
from sealroom.media.sections import CodecName, MediaKind
from sealroom.media.video_codecs import picture_size

logger = logging.getLogger(__name__)

MAX_WAITING: Final = 10.0
"""Seconds of a kind, by its own time or by arrival, kept until every kind has begun."""

MAX_WAITING_BYTES: Final = 8 << 20
"""The same in bytes, of video at 100 Mbit/s."""

MAX_WAITING_FRAMES: Final = 1500
"""The same in frames, of a clock that stands still."""

SETTLING: Final = 1.0
"""Seconds of each kind looked at before it is known when it began.

The first frames of a connection wait for it and arrive in a burst, late by up to 0.1 s; the one
that was under way for the shortest time tells when the first was made.
"""

MAX_DRIFT: Final = 5.0
"""Seconds by which RTP time may leave the clock from one frame to the next.

Beyond it another RTP clock has taken over, as when a stream is published again after its connection
was lost: it goes on by arrival.
"""

_UNKNOWN_SIZE: Final = (640, 480)


class RecordingError(SealroomError):
    """A recording cannot be written or read."""

    code = "recording"


@dataclass
class _Track:
    """Time of one kind in the file: RTP time unwrapped, `begin` the arrival time of its zero."""

    kind: MediaKind
    clock_rate: int
    begin: float
    first_arrival: float
    last_arrival: float
    last_timestamp: int
    is_settled: bool
    waiting: deque[tuple[int, bytes, bool]] = field(default_factory=deque)
    waiting_bytes: int = 0
    ticks: int = 0
    last_written: int | None = None

    @property
    def is_full(self) -> bool:
        """Whether no more may wait."""
        return (
            self.ticks >= MAX_WAITING * self.clock_rate
            or self.last_arrival - self.first_arrival >= MAX_WAITING
            or self.waiting_bytes >= MAX_WAITING_BYTES
            or len(self.waiting) >= MAX_WAITING_FRAMES
        )

    def wait(self, ticks: int, data: bytes, is_key_frame: bool) -> None:
        self.waiting.append((ticks, data, is_key_frame))
        self.waiting_bytes += len(data)
        self.is_settled = self.is_settled or self.is_full

    def advance(self, timestamp: int, arrival: float) -> int:
        step = (timestamp - self.last_timestamp) & 0xFFFFFFFF
        step -= (step & 0x80000000) << 1  # signed
        elapsed = arrival - self.last_arrival
        if abs(step / self.clock_rate - elapsed) > MAX_DRIFT:
            step = max(1, round(elapsed * self.clock_rate))
        self.ticks += step
        self.last_timestamp, self.last_arrival = timestamp, arrival
        if not self.is_settled:
            self.begin = min(self.begin, arrival - self.ticks / self.clock_rate)
            self.is_settled = arrival - self.first_arrival >= SETTLING
        return self.ticks


class MatroskaWriter:
    """A Matroska file of at most one video and one audio track. Not thread-safe.

    The header, and so the file, is written a second after every kind in `kinds` has sent a frame to
    begin with (video: a key frame); without waiting for one that has not come (a muted track) when
    10 s or 8 MiB of the other wait; at `close` with the kinds that came. Pictures and sound are put
    together by arrival, as the two RTP clocks have no common zero. Frames that decryption rejected
    are refused; video of another codec than the first frame's, or than VP8 where the header had to
    be written before, is skipped.
    """

    def __init__(
        self, path: str | PathLike[str], kinds: Collection[MediaKind] = ("video", "audio")
    ) -> None:
        """Makes a writer; the file itself begins with the frames.

        Raises:
            InvalidArgumentError: `kinds` is no list of "video", "audio" or both.
            RecordingError: there is no such folder.
        """
        _check_kinds(kinds)
        self.path = Path(path)
        if not self.path.parent.is_dir():
            raise RecordingError(
                f"cannot write {self.path}: there is no folder {self.path.parent}; make it first"
            )
        self.frames_written = 0
        self.frames_skipped = 0
        self._kinds = frozenset(kinds)
        self._offered: Counter[MediaKind] = Counter()
        self._tracks: dict[MediaKind, _Track] = {}
        self._streams: dict[MediaKind, Any] = {}
        self._video_codec: CodecName = "vp8"
        self._size = _UNKNOWN_SIZE
        self._origin = 0.0
        self._container: Any = None
        self._is_closed = False

    @property
    def began(self) -> float | None:
        """`time.monotonic()` of the file's zero, to line up several; None until it is written."""
        return None if self._container is None else self._origin

    def write(self, frame: EncodedFrame) -> None:
        """Adds a frame; frames of one kind in their order.

        Raises:
            InvalidArgumentError: the frame was rejected by decryption, or is no `EncodedFrame`.
            RecordingError: the file cannot be written, or the recording is closed.
        """
        if not isinstance(frame, EncodedFrame):
            raise InvalidArgumentError(
                f"frame: an EncodedFrame, not {type(frame).__name__}; take them from"
                " encoded_frames() or set_encoded_frame_handler()"
            )
        if frame.rejected is not None:
            raise InvalidArgumentError("frame: rejected by decryption, which is not recorded")
        if self._is_closed:
            raise RecordingError(
                f"{self.path} is closed; end its reader or its encoded-frame handler first"
            )
        self._offered[frame.kind] += 1
        if frame.kind not in self._kinds or self._is_foreign(frame):
            self.frames_skipped += 1
            return
        data = bytes(frame.data)
        arrival = frame.arrival if frame.arrival is not None else time.monotonic()
        track = self._tracks.get(frame.kind)
        if track is None:
            if frame.kind == "video" and not self._begins_video(frame, data):
                self.frames_skipped += 1
                return
            track = self._tracks[frame.kind] = _Track(
                frame.kind,
                CLOCK_RATES[frame.codec],
                begin=arrival,
                first_arrival=arrival,
                last_arrival=arrival,
                last_timestamp=frame.rtp_timestamp,
                is_settled=len(self._kinds) == 1,
            )
        ticks = track.advance(frame.rtp_timestamp, arrival)
        track.wait(ticks, data, frame.is_key_frame)
        if self._container is None:
            tracks = self._tracks.values()
            is_complete = self._tracks.keys() == self._kinds and all(t.is_settled for t in tracks)
            if is_complete or track.is_full:
                self._open(self._kinds)
        elif track.is_settled:
            self._flush(track)

    def close(self) -> None:
        """Finishes the file; without a frame to begin with there is none. Idempotent.

        A warning of the logger `sealroom.recording` tells of a recording in which nothing came, or
        no key frame to begin its video with.

        Raises:
            RecordingError: the file cannot be written.
        """
        if self._is_closed:
            return
        self._is_closed = True
        if self._container is None and self._tracks:
            self._open(self._tracks)
        if self._container is not None:
            try:
                for track in self._tracks.values():
                    self._flush(track)
            finally:
                self._finish()
        self._warn_of_missing()

    def _warn_of_missing(self) -> None:
        if "video" in self._kinds and "video" not in self._tracks and self._offered["video"]:
            logger.warning(
                "%s is without video: none of its %d frames was a key frame"
                " (RemoteTrack.request_key_frame)",
                self.path,
                self._offered["video"],
            )
        elif not self._tracks:
            logger.warning("%s is not written: no frame came", self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _is_foreign(self, frame: EncodedFrame) -> bool:
        # The header has named the codec.
        is_named = "video" in self._tracks or self._container is not None
        return frame.kind == "video" and is_named and frame.codec != self._video_codec

    def _begins_video(self, frame: EncodedFrame, data: bytes) -> bool:
        if not frame.is_key_frame:
            return False
        size = picture_size(frame.codec, data)
        if min(size) == 0:
            return False
        self._video_codec, self._size = frame.codec, size
        return True

    def _open(self, kinds: Collection[MediaKind]) -> None:
        self._origin = min(track.begin for track in self._tracks.values())
        try:
            self._container = av.open(file_url(self.path), "w", format="matroska")
            for kind in sorted(kinds, reverse=True):  # video first
                self._streams[kind] = self._add_stream(kind)
        except (av.error.FFmpegError, OSError) as error:
            raise self._failed(error) from error
        for track in self._tracks.values():
            self._flush(track)

    def _add_stream(self, kind: MediaKind) -> Any:
        if kind == "audio":
            # It encodes nothing: opening it makes the codec's private data for the header.
            return self._container.add_stream("libopus", rate=48_000, layout="stereo")
        # Of a video that has not begun it is a guess: players go by the pictures.
        width, height = self._size
        name = "libsvtav1" if self._video_codec == "av1" else self._video_codec
        return self._container.add_mux_stream(name, rate=30, width=width, height=height)

    def _flush(self, track: _Track) -> None:
        track.is_settled = True
        track.waiting_bytes = 0
        while track.waiting:
            self._mux(track, *track.waiting.popleft())

    def _mux(self, track: _Track, ticks: int, data: bytes, is_key_frame: bool) -> None:
        position = ticks + round((track.begin - self._origin) * track.clock_rate)
        if position < 0 or (track.last_written is not None and position <= track.last_written):
            self.frames_skipped += 1  # the container wants time to move forward
            return
        track.last_written = position
        packet = Packet(data)
        packet.stream = self._streams[track.kind]
        packet.time_base = Fraction(1, track.clock_rate)
        packet.pts = packet.dts = position
        packet.is_keyframe = is_key_frame
        try:
            self._container.mux(packet)
        except (av.error.FFmpegError, OSError) as error:
            raise self._failed(error) from error
        self.frames_written += 1

    def _finish(self) -> None:
        try:
            self._container.close()
        except (av.error.FFmpegError, OSError) as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> RecordingError:
        reason = getattr(error, "strerror", None) or error
        return RecordingError(f"cannot write {self.path}: {reason}")


def _check_kinds(kinds: Collection[MediaKind]) -> None:
    if isinstance(kinds, str):
        raise InvalidArgumentError(f"kinds: a list, [{kinds!r}], not str")
    if not kinds or not set(kinds) <= {"video", "audio"}:
        raise InvalidArgumentError(f'kinds: "video", "audio" or both, not {list(kinds)!r}')


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
        with av.open(file_url(path)) as container:
            size = next(((s.width, s.height) for s in container.streams.video), (0, 0))
            seconds = (container.duration or 0) / 1_000_000
            for frame in container.decode():
                counts["video" if isinstance(frame, av.VideoFrame) else "audio"] += 1
    except (av.error.FFmpegError, OSError) as error:
        raise RecordingError(f"cannot play {path}: {error}") from error
    return RecordingSummary(counts["video"], counts["audio"], seconds, *size)
