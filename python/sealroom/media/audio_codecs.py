"""Opus through PyAV, tuned for conversation. Objects are used by one thread at a time."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from av import AudioFrame, AudioResampler, CodecContext

from sealroom.media.codecs import Encoded, nonempty_packet

AUDIO_CLOCK = 48_000
AUDIO_TIME_BASE = Fraction(1, AUDIO_CLOCK)
OPUS_SAMPLES = 960  # 20 ms
MAX_TIME_ERROR = AUDIO_CLOCK // 10
"""Of the time that samples make against the source's, before that is followed."""

DEFAULT_AUDIO_BITRATE = 96_000


class OpusEncoder:
    """libopus, stereo at 48 kHz in packets of 20 ms."""

    def __init__(
        self, bitrate: int = DEFAULT_AUDIO_BITRATE, *, measure_level: bool = False
    ) -> None:
        """`bitrate` in bits per second; `measure_level` fills `Encoded.audio_level` (RFC 6464)."""
        self._codec: Any = CodecContext.create("libopus", "w")
        self._codec.bit_rate = bitrate
        self._codec.format = "s16"
        self._codec.layout = "stereo"
        self._codec.sample_rate = AUDIO_CLOCK
        self._codec.time_base = AUDIO_TIME_BASE
        self._codec.options = {"application": "audio", "frame_duration": "20"}
        self._measure_level = measure_level
        self._resampler: AudioResampler | None = None
        self._input: tuple[str, str, int] | None = None
        self._next_input: Fraction | None = None
        self._time = 0
        self._samples = 0

    def encode(self, frame: AudioFrame, *, force_key_frame: bool = False) -> list[Encoded]:
        """Takes samples of any rate, format and layout; returns the packets that became full.

        Time follows the samples; once gaps in the source's pts come to more than 100 ms together,
        they are followed too.
        """
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or shape != self._input:
            self._resampler = AudioResampler("s16", "stereo", AUDIO_CLOCK, OPUS_SAMPLES)
            self._input = shape
        self._follow(frame)
        packets: list[Encoded] = []
        for chunk in self._resampler.resample(frame):
            chunk.pts = self._samples
            chunk.time_base = AUDIO_TIME_BASE
            self._samples += OPUS_SAMPLES
            level = measure_audio_level(chunk) if self._measure_level else None
            for packet in self._codec.encode(chunk):
                packets.append(Encoded(bytes(packet), self._time, True, level))
                self._time += OPUS_SAMPLES
        return packets

    def _follow(self, frame: AudioFrame) -> None:
        if frame.pts is None or not frame.time_base:
            return
        begin = frame.pts * AUDIO_CLOCK * frame.time_base
        if self._next_input is None:
            self._next_input = begin
        # Of many short gaps none is followed, but their sum; exact, so that roundings have none.
        jump = begin - self._next_input
        if abs(jump) > MAX_TIME_ERROR:
            self._next_input = begin
            self._time += max(0, round(jump))  # a source that starts again goes on
        self._next_input += Fraction(frame.samples * AUDIO_CLOCK, frame.sample_rate)


class OpusDecoder:
    """libopus to stereo 16-bit at 48 kHz, with concealment of missing packets."""

    def __init__(self) -> None:
        self._codec: Any = CodecContext.create("libopus", "r")
        self._codec.format = "s16"
        self._codec.layout = "stereo"
        self._codec.sample_rate = AUDIO_CLOCK
        self._last: Any = None
        self._samples = OPUS_SAMPLES

    def decode(self, data: Any) -> list[AudioFrame]:
        """Decodes one packet; raises DecodeError."""
        frames: list[AudioFrame] = list(self._codec.decode(nonempty_packet(data)))
        if frames:
            self._last = frames[-1].to_ndarray()
            self._samples = frames[-1].samples
        return frames

    def conceal(self) -> AudioFrame:
        """Returns sound for a lost packet as long as the last one, 20 ms before the first.

        It is the last sound backwards and fading, then silence. Backwards it continues without a
        jump. FFmpeg has no way to libopus's own concealment.
        """
        samples = np.zeros((1, 2 * self._samples), np.int16)
        if self._last is not None:
            backwards = self._last.reshape(-1, 2)[::-1]
            fade = np.linspace(1, 0, self._samples, dtype=np.float32)[:, None]
            samples = (backwards * fade).astype(np.int16).reshape(1, -1)
        self._last = None
        frame = AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate = AUDIO_CLOCK
        return frame


def measure_audio_level(frame: AudioFrame) -> int:
    """Returns the loudness of 16-bit samples in -dBov, 0 (loudest) to 127 (silence), RFC 6464."""
    samples = frame.to_ndarray().astype(np.float32)
    power = float(np.mean(samples * samples)) / 32768.0**2
    return min(127, max(0, round(-10 * math.log10(max(power, 1e-13)))))
