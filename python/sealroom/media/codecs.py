"""VP8 and Opus through PyAV, tuned for conversation. Objects are used by one thread at a time."""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np
from av import AudioFrame, AudioResampler, CodecContext, Packet, VideoFrame
from av.video.frame import PictureType

VIDEO_CLOCK = 90_000
AUDIO_CLOCK = 48_000
AUDIO_TIME_BASE = Fraction(1, AUDIO_CLOCK)
VIDEO_TIME_BASE = Fraction(1, VIDEO_CLOCK)
OPUS_SAMPLES = 960  # 20 ms
DEFAULT_VIDEO_BITRATE = 1_500_000
DEFAULT_AUDIO_BITRATE = 96_000
KEY_FRAME_DISTANCE = 3000  # frames; receivers ask for key frames when they need one

DecodeError = av.error.FFmpegError


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


class Vp8Encoder:
    """libvpx in real-time mode: no delay, no alternate reference frames, constant bit rate."""

    def __init__(self, bitrate: int = DEFAULT_VIDEO_BITRATE) -> None:
        """`bitrate` in bits per second."""
        self.bitrate = bitrate
        self._codec: Any = None
        self._clock = SourceClock(VIDEO_CLOCK, VIDEO_CLOCK // 30)

    def encode(self, frame: VideoFrame, *, force_key_frame: bool = False) -> list[Encoded]:
        """Encodes one picture of any format; a change of size begins with a key frame."""
        time = self._clock.convert(frame.pts, frame.time_base)
        codec = self._codec
        if codec is None or (codec.width, codec.height) != (frame.width, frame.height):
            codec = self._codec = self._open(frame.width, frame.height)
        picture = _private_yuv420p(frame)
        picture.pts = time
        picture.time_base = VIDEO_TIME_BASE
        # Decoded pictures carry the type they had in their file; libvpx would obey it.
        picture.pict_type = PictureType.I if force_key_frame else PictureType.NONE
        data = b"".join(bytes(packet) for packet in codec.encode(picture))
        return [Encoded(data, time, is_vp8_key_frame(data))] if data else []

    def _open(self, width: int, height: int) -> Any:
        codec: Any = CodecContext.create("libvpx", "w")
        codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
        codec.time_base = VIDEO_TIME_BASE
        codec.framerate = Fraction(30)
        codec.bit_rate = self.bitrate
        codec.gop_size = KEY_FRAME_DISTANCE
        codec.qmin, codec.qmax = 2, 56
        codec.thread_count = 2 if width * height > 1280 * 720 and (os.cpu_count() or 1) > 2 else 1
        rate = str(self.bitrate)
        codec.options = {
            "deadline": "realtime",
            "cpu-used": "-6",
            "lag-in-frames": "0",
            "auto-alt-ref": "0",
            "error-resilient": "default",
            "minrate": rate,
            "maxrate": rate,
            "bufsize": rate,  # one second
            "undershoot-pct": "100",
            "overshoot-pct": "15",
            "static-thresh": "1",
        }
        return codec


class Vp8Decoder:
    """FFmpeg's VP8 decoder without frame threads, which would add delay."""

    def __init__(self) -> None:
        self._codec: Any = CodecContext.create("vp8", "r")
        self._codec.thread_count = 1

    def decode(self, data: Any) -> list[VideoFrame]:
        """Decodes one whole frame; raises DecodeError."""
        return list(self._codec.decode(Packet(data)))


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
        self._next_input: int | None = None
        self._time = 0
        self._samples = 0

    def encode(self, frame: AudioFrame, *, force_key_frame: bool = False) -> list[Encoded]:
        """Takes samples of any rate, format and layout; returns the packets that became full.

        Time follows the samples; a jump of the source's pts by more than 100 ms is followed too.
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
        begin = frame.pts * AUDIO_CLOCK * frame.time_base.numerator // frame.time_base.denominator
        jump = 0 if self._next_input is None else begin - self._next_input
        if jump > AUDIO_CLOCK // 10:
            self._time += jump
        self._next_input = begin + frame.samples * AUDIO_CLOCK // frame.sample_rate


class OpusDecoder:
    """libopus to stereo 16-bit at 48 kHz, with concealment of missing packets."""

    def __init__(self) -> None:
        self._codec: Any = CodecContext.create("libopus", "r")
        self._codec.format = "s16"
        self._codec.layout = "stereo"
        self._codec.sample_rate = AUDIO_CLOCK
        self._last: Any = None

    def decode(self, data: Any) -> list[AudioFrame]:
        """Decodes one packet; raises DecodeError."""
        frames: list[AudioFrame] = list(self._codec.decode(Packet(data)))
        if frames:
            self._last = frames[-1].to_ndarray()
        return frames

    def conceal(self) -> AudioFrame:
        """Returns 20 ms for a lost packet: the last sound backwards and fading, then silence.

        Backwards it continues without a jump. FFmpeg has no way to libopus's own concealment.
        """
        samples = np.zeros((1, 2 * OPUS_SAMPLES), np.int16)
        if self._last is not None and self._last.shape == samples.shape:
            backwards = self._last.reshape(-1, 2)[::-1]
            fade = np.linspace(1, 0, OPUS_SAMPLES, dtype=np.float32)[:, None]
            samples = (backwards * fade).astype(np.int16).reshape(1, -1)
        self._last = None
        frame = AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate = AUDIO_CLOCK
        return frame


def is_vp8_key_frame(data: Any) -> bool:
    """True if a VP8 frame is a key frame: the inverse of its first bit (RFC 6386 section 9.1)."""
    return len(data) > 0 and not data[0] & 1


def _private_yuv420p(frame: VideoFrame) -> VideoFrame:
    # A copy even if the format fits: sources may give one frame to several tracks, and the encoder
    # changes its time and type.
    if frame.format.name != "yuv420p":
        return frame.reformat(format="yuv420p")
    copy = VideoFrame(frame.width, frame.height, "yuv420p")
    for mine, theirs in zip(copy.planes, frame.planes, strict=True):
        _visible(mine)[:] = _visible(theirs)
    return copy


def _visible(plane: Any) -> Any:
    # Frames differ in the padding at the end of each line.
    lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return lines[: plane.height, : plane.width]


def measure_audio_level(frame: AudioFrame) -> int:
    """Returns the loudness of 16-bit samples in -dBov, 0 (loudest) to 127 (silence), RFC 6464."""
    samples = frame.to_ndarray().astype(np.float32)
    power = float(np.mean(samples * samples)) / 32768.0**2
    return min(127, max(0, round(-10 * math.log10(max(power, 1e-13)))))
