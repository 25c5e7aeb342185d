"""Decoding of one track in visits to a codec thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from sealroom._core.session import FrameReceived
from sealroom.media.audio_codecs import OpusDecoder
from sealroom.media.codecs import DecodeError
from sealroom.media.frames import CLOCK_RATES, DecodedFrame, EncodedFrame, FrameData
from sealroom.media.sections import KIND_OF_CODEC, CodecName, MediaKind
from sealroom.media.video_codecs import VideoDecoder

BATCH_BYTES = 16 << 20
"""Of decoded pictures: the visit ends with the one that reaches it."""


@dataclass(frozen=True, slots=True)
class Job:
    """Something to decode: `event` as it came, its data as the handler left it.

    The data alone, because readers may change the frame meanwhile. None: audio that is concealed.
    """

    event: FrameReceived
    data: FrameData | None


@dataclass(slots=True)
class Visit:
    """What came of some jobs."""

    decoded: list[DecodedFrame] = field(default_factory=list)
    errors: int = 0
    skipped: int = 0
    """Jobs that build on one that does not decode."""
    has_hole: bool = False
    """Whether later video needs a key frame."""
    left: Sequence[Job] = ()
    """Jobs for another visit."""


class FrameDecoder:
    """Decodes the frames of one track; on one thread at a time."""

    def __init__(self, codec: CodecName) -> None:
        self._kind: MediaKind = KIND_OF_CODEC[codec]
        self._codec: VideoDecoder | OpusDecoder
        self._codec = OpusDecoder() if self._kind == "audio" else VideoDecoder(codec)
        self._time_base = Fraction(1, CLOCK_RATES[codec])
        self._last_timestamp: int | None = None
        self._ticks = 0

    def decode(self, jobs: Sequence[Job]) -> Visit:
        """Decodes jobs, of video from the next key frame on after one that does not decode."""
        visit = Visit()
        size = 0
        for number, job in enumerate(jobs, 1):
            if visit.has_hole and not begins_chain(job.event):
                visit.skipped += 1
                continue
            try:
                frames = self._decode(job.data)
            except DecodeError:
                visit.errors += 1
                visit.has_hole = self._kind == "video"
                continue
            visit.has_hole = False
            ticks = self._advance(job.event.rtp_timestamp)
            for frame in frames:
                frame.pts = ticks
                frame.time_base = self._time_base
                item = DecodedFrame(
                    frame, self._kind, job.event.rtp_timestamp, job.data is None, job.event.arrival
                )
                visit.decoded.append(item)
                size += size_of_decoded(item)
            if size >= BATCH_BYTES:
                visit.left = jobs[number:]
                break
        return visit

    def _decode(self, data: FrameData | None) -> list[Any]:
        if data is not None:
            return list(self._codec.decode(data))
        return [self._codec.conceal()] if isinstance(self._codec, OpusDecoder) else []

    def _advance(self, timestamp: int) -> int:
        # Unwraps the 32-bit RTP timestamp; the first frame is at 0.
        if self._last_timestamp is not None:
            step = (timestamp - self._last_timestamp) & 0xFFFFFFFF
            self._ticks += step - (1 << 32) if step & 0x80000000 else step
        self._last_timestamp = timestamp
        return self._ticks


def size_of_decoded(decoded: DecodedFrame) -> int:
    return sum(plane.buffer_size for plane in decoded.frame.planes)


def begins_chain(frame: FrameReceived | EncodedFrame) -> bool:
    """Whether a decoder can begin with it: an authentic key frame."""
    return frame.is_key_frame and frame.rejected is None
