"""Tracks of what a program makes itself: pictures and sound as numpy arrays."""

from __future__ import annotations

import asyncio
import time as clock
from collections import deque
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from sealroom.errors import InvalidArgumentError, LimitExceededError

MAX_PICTURE_SIDE: Final = 16_383
"""Pixels, of VP8 (RFC 6386 section 9.1)."""

SOUND_FRAME: Final = 0.02
"""Seconds of sound in a frame."""

MAX_LAG: Final = 0.2
"""Seconds by which sound may be behind its clock and catch up; beyond it was not read for a while,
and the clock goes on from then."""

MAX_TIME: Final = 1e12
"""Seconds that a picture's time may be from the zero of its clock."""

_VIDEO_TIME_BASE: Final = Fraction(1, 90_000)
_PIXEL_FORMATS: Final = {"rgb24": 3, "bgr24": 3, "rgba": 4, "bgra": 4, "gray": 1}


class PictureTrack(MediaStreamTrack):
    """A video track of pushed pictures. Event-loop thread only.

    From another thread: `loop.call_soon_threadsafe(track.push, picture)`.
    """

    kind = "video"

    def __init__(self, *, max_waiting: int = 2) -> None:
        """`max_waiting` pictures (1 to 64) wait to be encoded; beyond it the oldest is dropped."""
        if not 1 <= max_waiting <= 64:
            raise InvalidArgumentError("max_waiting: 1 to 64 pictures")
        super().__init__()
        self.frames_pushed = 0
        self.frames_dropped = 0
        """Pictures that came faster than they could be encoded, or after `stop`."""
        self._pictures: deque[VideoFrame] = deque(maxlen=max_waiting)
        self._changed = asyncio.Event()
        self._begin: float | None = None

    def push(
        self, picture: npt.NDArray[np.uint8], *, time: float | None = None, format: str = "rgb24"
    ) -> None:
        """Sends a picture, of any size and at any moment; the array can be used again afterwards.

        Args:
            picture: uint8, (height, width, channels), or (height, width) if it is "gray".
            time: when it was taken, by `time.monotonic()`; None for now.
            format: "rgb24", "bgr24" (OpenCV), "rgba", "bgra" or "gray".

        Raises:
            InvalidArgumentError: not such an array, or no such time; nothing is sent.
        """
        _check_picture(picture, format)
        if time is not None:
            _check_time(time)
        if self.readyState != "live":
            self.frames_dropped += 1
            return
        time = clock.monotonic() if time is None else time
        if self._begin is None:
            self._begin = time
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=format)
        frame.pts = round((time - self._begin) / _VIDEO_TIME_BASE)
        frame.time_base = _VIDEO_TIME_BASE
        self.frames_pushed += 1
        self.frames_dropped += len(self._pictures) == self._pictures.maxlen
        self._pictures.append(frame)
        self._changed.set()

    async def recv(self) -> VideoFrame:
        """Returns the oldest picture, waiting for one; raises MediaStreamError after `stop`."""
        while not self._pictures:
            if self.readyState != "live":
                raise MediaStreamError
            self._changed.clear()
            await self._changed.wait()
        return self._pictures.popleft()

    def stop(self) -> None:
        """Ends the track; what waits is still sent."""
        super().stop()
        self._changed.set()


class SoundTrack(MediaStreamTrack):
    """An audio track of pushed samples, with silence between them. Event-loop thread only.

    Samples may be pushed long before they are due, as speech synthesis makes them: they leave at
    the pace of a clock, also after a pause in which nobody took them. `clear` takes back what has
    not left yet.
    """

    kind = "audio"

    def __init__(self, *, rate: int = 48_000, channels: int = 1, max_waiting: float = 60.0) -> None:
        """Makes a track.

        Args:
            rate: samples a second, a multiple of 50 from 8000 to 192000.
            channels: 1 or 2.
            max_waiting: seconds of sound that may wait, up to 600.

        Raises:
            InvalidArgumentError: a figure is outside its range.
        """
        if not (8_000 <= rate <= 192_000 and rate % 50 == 0):
            raise InvalidArgumentError("rate: a multiple of 50 from 8000 to 192000")
        if channels not in (1, 2):
            raise InvalidArgumentError("channels: 1 or 2")
        if not 0 < max_waiting <= 600:
            raise InvalidArgumentError("max_waiting: up to 600 seconds")
        super().__init__()
        self.rate = rate
        self.channels = channels
        self._max_waiting = round(max_waiting * rate)
        self._parts: deque[npt.NDArray[np.int16]] = deque()
        self._samples = 0
        self._time = 0  # samples since the first frame, those of pauses included
        self._begin: float | None = None
        self._drained = asyncio.Event()
        self._drained.set()

    @property
    def waiting(self) -> float:
        """Seconds of sound that have not left yet."""
        return self._samples / self.rate

    def push(self, samples: npt.NDArray[Any]) -> None:
        """Has samples follow those that wait; the array can be used again afterwards.

        Args:
            samples: int16, or float from -1 to 1 (clipped); (samples,) or (samples, channels). One
                channel goes to both of a track of two.

        Raises:
            InvalidArgumentError: not such an array; nothing is sent.
            LimitExceededError: more than `max_waiting` would wait; nothing is sent. Await
                `drained`, or `clear`.
        """
        made = _int16(samples, self.channels)
        if self.readyState != "live" or not len(made):
            return
        if self._samples + len(made) > self._max_waiting:
            raise LimitExceededError(
                f"samples: {self._max_waiting / self.rate:g} s of sound may wait: await drained(),"
                " clear() what waits, or make the track with a larger max_waiting"
            )
        self._parts.append(made)
        self._samples += len(made)
        self._drained.clear()

    def clear(self) -> float:
        """Takes back what has not left yet, as when somebody interrupts; returns its seconds."""
        waiting = self.waiting
        self._parts.clear()
        self._samples = 0
        self._drained.set()
        return waiting

    async def drained(self) -> None:
        """Waits until everything pushed has left, or the track has ended (`stop`).

        While the track is not published, or not any more, nothing leaves and this waits: limit the
        time then, as with `asyncio.timeout`, or `clear`. While it is muted, sound leaves unheard.
        """
        await self._drained.wait()

    async def recv(self) -> AudioFrame:
        """Returns 20 ms when they are due; raises MediaStreamError after `stop`."""
        if self.readyState != "live":
            raise MediaStreamError
        size = round(self.rate * SOUND_FRAME)
        now = clock.monotonic()
        if self._begin is None:
            self._begin = now
        wait = self._begin + self._time / self.rate - now
        if wait < -MAX_LAG:
            self._time -= round(wait * self.rate)
        await asyncio.sleep(max(0.0, wait))
        if self.readyState != "live":
            raise MediaStreamError
        frame = AudioFrame.from_ndarray(
            self._take(size).reshape(1, -1),
            format="s16",
            layout="stereo" if self.channels == 2 else "mono",
        )
        frame.sample_rate = self.rate
        frame.pts, frame.time_base = self._time, Fraction(1, self.rate)
        self._time += size
        return frame

    def stop(self) -> None:
        """Ends the track at once."""
        super().stop()
        self.clear()

    def _take(self, size: int) -> npt.NDArray[np.int16]:
        taken = np.zeros((size, self.channels), np.int16)
        filled = 0
        while self._parts and filled < size:
            part = self._parts.popleft()
            fits = part[: size - filled]
            taken[filled : filled + len(fits)] = fits
            filled += len(fits)
            if len(fits) < len(part):
                self._parts.appendleft(part[len(fits) :])
        self._samples -= filled
        if not self._parts:
            self._drained.set()
        return taken


def _check_picture(picture: Any, format: str) -> None:
    channels = _PIXEL_FORMATS.get(format)
    if channels is None:
        raise InvalidArgumentError(f"format: one of {', '.join(_PIXEL_FORMATS)}, not {format!r}")
    shape = "(height, width)" if channels == 1 else f"(height, width, {channels})"
    wanted = f"picture: a numpy array of uint8, {shape} for {format!r}"
    if not isinstance(picture, np.ndarray):
        raise InvalidArgumentError(f"{wanted}, not {type(picture).__name__}")
    is_shaped = picture.ndim == 2 if channels == 1 else picture.shape[2:] == (channels,)
    if picture.dtype != np.uint8 or not is_shaped:
        raise InvalidArgumentError(f"{wanted}, not {picture.dtype} {picture.shape}")
    if not all(1 <= side <= MAX_PICTURE_SIDE for side in picture.shape[:2]):
        raise InvalidArgumentError(f"picture: 1 to {MAX_PICTURE_SIDE} pixels high and wide")


def _check_time(time: Any) -> None:
    # bool is an int, and a clock's time is below its limit by far.
    if isinstance(time, bool) or not isinstance(time, int | float) or not abs(time) < MAX_TIME:
        raise InvalidArgumentError(f"time: seconds of time.monotonic(), not {time!r}")


def _int16(samples: Any, channels: int) -> npt.NDArray[np.int16]:
    wanted = f"samples: a numpy array of int16 or float, (samples,) or (samples, {channels})"
    if not isinstance(samples, np.ndarray):
        raise InvalidArgumentError(f"{wanted}, not {type(samples).__name__}")
    is_float = np.issubdtype(samples.dtype, np.floating)
    is_mono = samples.ndim == 1 or samples.shape[1:] == (1,)
    if not (is_mono or samples.shape[1:] == (channels,)) or not (
        is_float or samples.dtype == np.int16
    ):
        raise InvalidArgumentError(f"{wanted}, not {samples.dtype} {samples.shape}")
    if is_float:
        if not np.isfinite(samples).all():
            raise InvalidArgumentError("samples: finite numbers from -1 to 1")
        wide = samples.astype(np.result_type(samples, np.float32))  # float16 has no 32767
        samples = np.clip(np.rint(wide * 32767), -32768, 32767)
    mono_or_all = samples.reshape(len(samples), -1).astype(np.int16)
    made: npt.NDArray[np.int16] = np.repeat(mono_or_all, channels // mono_or_all.shape[1], axis=1)
    return made
