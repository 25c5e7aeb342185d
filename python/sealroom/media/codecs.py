"""What encoders and decoders of all codecs share. Objects are used by one thread at a time."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import av

DecodeError = av.error.FFmpegError


def nonempty_packet(data: Any) -> av.Packet[Any]:
    """Returns a packet for a decoder; raises DecodeError if there is nothing in it.

    FFmpeg takes an empty packet for the end of the stream, after which a decoder takes no other.
    """
    if not len(data):
        raise av.error.InvalidDataError(errno.EINVAL, "an empty frame")
    return av.Packet(data)


@cache
def codec_threads() -> ThreadPoolExecutor:
    """The threads that run codecs, as many as there are processors.

    Not the event loop's default executor: that one also resolves names and reads files, and a
    program that blocks all its threads would stop every picture; codecs at full load would in turn
    starve those. A track awaits each of its jobs, so a codec is never on two threads at once.
    """
    return ThreadPoolExecutor(max_workers=os.cpu_count() or 2, thread_name_prefix="sealroom-codec")


@dataclass(frozen=True, slots=True)
class Encoded:
    """Output of an encoder; `time` is in ticks of the codec's RTP clock, from the source's pts."""

    data: bytes
    time: int
    is_key_frame: bool
    audio_level: int | None = None


class SourceClock:
    """Turns the pts of a source into RTP time that only moves forward.

    A source that starts again at zero, as a looped file does, goes on one frame after the last.
    """

    def __init__(self, clock_rate: int, default_step: int) -> None:
        self._rate = clock_rate
        self._step = default_step
        self._offset = 0
        self._last: int | None = None

    def convert(self, pts: int | None, time_base: Any) -> int:
        """Returns the time of a frame in ticks; a frame without pts follows the one before."""
        if pts is None or not time_base:
            time = 0 if self._last is None else self._last + self._step
        else:
            exact = pts * self._rate * time_base.numerator
            time = exact // time_base.denominator + self._offset
            if self._last is not None and time <= self._last:
                self._offset += self._last + self._step - time
                time = self._last + self._step
        self._last = time
        return time
