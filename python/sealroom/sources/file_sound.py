"""The sound of a file, as frames of one size and format."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from av import AudioFrame, AudioResampler

AUDIO_RATE: Final = 48_000
AUDIO_FRAME_SAMPLES: Final = 960

MAX_SKEW: Final = 0.04
"""Seconds of gap that are played over: times in files are rounded, and nobody sees lips that far
behind (EBU R37)."""

MAX_LATE: Final = 0.2
"""Seconds of silence that may come late at once. Longer jumps of time are followed by encoders."""


class FileSound:
    """Makes stereo frames of 20 ms at 48 kHz, at their time and with silence in between."""

    def __init__(self) -> None:
        self._resampler: AudioResampler | None = None
        self._input: tuple[str, str, int] | None = None
        self._rest = np.zeros((0, 2), np.int16)
        self._made = 0
        """Samples made, those in `_rest` excluded."""

    def frames(self, frame: AudioFrame, begin: float | None, now: float) -> Iterator[AudioFrame]:
        """Takes a decoded frame and makes what is full.

        Args:
            frame: samples of any rate, format and layout.
            begin: where they begin, in seconds from zero; None for after the last.
            now: where playing is. Silence of long before is left out, and time jumps: beside video
                a gap is seen as late as the sound behind it.
        """
        gap = 0 if begin is None else round(begin * AUDIO_RATE) - self._made - len(self._rest)
        if gap > MAX_SKEW * AUDIO_RATE:
            yield from self._fill(gap, now)
        for part in self._resampled(frame):
            yield from self._add(part.to_ndarray().reshape(-1, 2))

    def _fill(self, gap: int, now: float) -> Iterator[AudioFrame]:
        begun = -len(self._rest) % AUDIO_FRAME_SAMPLES  # less than MAX_SKEW, and so than the gap
        yield from self._add(np.zeros((begun, 2), np.int16))
        gap -= begun
        skipped = min(gap, round(now * AUDIO_RATE) - self._made)
        if skipped > MAX_LATE * AUDIO_RATE:
            self._made += skipped
            gap -= skipped
        while gap > 0:  # piece by piece: it may be long
            piece = min(gap, AUDIO_FRAME_SAMPLES)
            yield from self._add(np.zeros((piece, 2), np.int16))
            gap -= piece

    def _resampled(self, frame: AudioFrame) -> list[AudioFrame]:
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or shape != self._input:  # some codecs change within a file
            self._resampler = AudioResampler("s16", "stereo", AUDIO_RATE)
            self._input = shape
        return self._resampler.resample(frame)

    def _add(self, samples: npt.NDArray[Any]) -> Iterator[AudioFrame]:
        self._rest = np.concatenate([self._rest, samples])
        while len(self._rest) >= AUDIO_FRAME_SAMPLES:
            taken, self._rest = np.split(self._rest, [AUDIO_FRAME_SAMPLES])
            made = AudioFrame.from_ndarray(taken.reshape(1, -1), format="s16", layout="stereo")
            made.sample_rate = AUDIO_RATE
            made.pts, made.time_base = self._made, Fraction(1, AUDIO_RATE)
            self._made += AUDIO_FRAME_SAMPLES
            yield made
