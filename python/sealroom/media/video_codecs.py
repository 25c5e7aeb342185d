"""Video codecs through PyAV, tuned for conversation. Objects are used by one thread at a time."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

import numpy as np
from av import CodecContext, VideoFrame
from av.codec.context import Flags
from av.video.frame import PictureType

from sealroom.media.codecs import DecodeError, Encoded, SourceClock, nonempty_packet
from sealroom.media.errors import CodecError
from sealroom.media.pictures import convert_picture
from sealroom.media.scheduling import ordinary_scheduling
from sealroom.media.sections import CodecName
from sealroom.rtp import read_frame_info

VIDEO_CLOCK = 90_000
VIDEO_TIME_BASE = Fraction(1, VIDEO_CLOCK)
DEFAULT_VIDEO_BITRATE = 1_500_000
MAX_PICTURE_PIXELS = 8192 * 4320
"""Of a picture that is decoded, 53 MB of it; a decoder keeps several to build on."""

KEY_FRAME_DISTANCE = 3000  # frames; receivers ask for key frames when they need one


def _libvpx(rate: str, speed: str) -> dict[str, str]:
    return {
        "deadline": "realtime",
        "cpu-used": speed,
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


def _x264(rate: str) -> dict[str, str]:
    return {
        "preset": "veryfast",
        "tune": "zerolatency",
        "profile": "baseline",
        "forced-idr": "1",
        "maxrate": rate,
        "bufsize": rate,
        "x264-params": "repeat-headers=1:annexb=1:sliced-threads=0",
    }


def _svt_av1(_rate: str) -> dict[str, str]:
    # Low delay, constant bit rate, no look ahead; SVT starts threads of its own unless told.
    low_delay = "pred-struct=1:rc=2:lookahead=0:enable-tf=0:scd=0:fast-decode=1:lp=1"
    return {"preset": "10", "svtav1-params": low_delay}


_ENCODERS: Final[dict[str, tuple[str, Callable[[str], dict[str, str]]]]] = {
    "vp8": ("libvpx", lambda rate: _libvpx(rate, "-6")),
    "vp9": ("libvpx-vp9", lambda rate: _libvpx(rate, "8")),
    "h264": ("libx264", _x264),
    "av1": ("libsvtav1", _svt_av1),
}
_DECODERS: Final = {"vp8": "vp8", "vp9": "vp9", "h264": "h264", "av1": "libdav1d"}
# x264 and SVT-AV1 refuse odd sizes of 4:2:0 pictures.
_NEED_EVEN_SIZES: Final = ("h264", "av1")


class VideoEncoder:
    """No delay, no frame that comes out of order, constant bit rate, key frames on demand only."""

    def __init__(self, codec: CodecName = "vp8", bitrate: int = DEFAULT_VIDEO_BITRATE) -> None:
        """`bitrate` in bits per second."""
        self.codec: CodecName = codec
        self.bitrate = bitrate
        self._encoder: Any = None
        self._clock = SourceClock(VIDEO_CLOCK, VIDEO_CLOCK // 30)

    def encode(self, frame: VideoFrame, *, force_key_frame: bool = False) -> list[Encoded]:
        """Encodes one picture of any format; a change of size begins with a key frame.

        H.264 and AV1 lose the last line or column of odd sizes.

        Raises:
            CodecError: the encoder does not take pictures of this size.
        """
        time = self._clock.convert(frame.pts, frame.time_base)
        width, height = frame.width, frame.height
        if self.codec in _NEED_EVEN_SIZES:
            width, height = max(width & ~1, 2), max(height & ~1, 2)
        encoder = self._encoder
        if encoder is None or (encoder.width, encoder.height) != (width, height):
            encoder = self._encoder = self._open(width, height)
        picture = _private_yuv420p(frame, width, height)
        picture.pts = time
        picture.time_base = VIDEO_TIME_BASE
        # Decoded pictures carry the type they had in their file; encoders would obey it.
        picture.pict_type = PictureType.I if force_key_frame else PictureType.NONE
        packets = encoder.encode(picture)
        data = b"".join(bytes(packet) for packet in packets)
        return [Encoded(data, time, any(one.is_keyframe for one in packets))] if data else []

    def _open(self, width: int, height: int) -> Any:
        library, options = _ENCODERS[self.codec]
        if self.codec == "av1":
            os.environ.setdefault("SVT_LOG", "0")  # it writes to stderr whatever happens
        encoder: Any = CodecContext.create(library, "w")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
        encoder.time_base = VIDEO_TIME_BASE
        encoder.framerate = Fraction(30)
        encoder.bit_rate = self.bitrate
        encoder.gop_size = KEY_FRAME_DISTANCE
        if library.startswith("libvpx"):
            encoder.qmin, encoder.qmax = 2, 56
        encoder.thread_count = 2 if width * height > 1280 * 720 and (os.cpu_count() or 1) > 2 else 1
        encoder.options = options(str(self.bitrate))
        try:
            with ordinary_scheduling():
                encoder.open()
        except (DecodeError, OSError, ValueError) as error:  # FFmpegError, whatever it derives from
            raise CodecError(
                f"{self.codec} does not encode {width}x{height} at {self.bitrate} bit/s: "
                "use another size, bit rate or codec"
            ) from error
        return encoder


class VideoDecoder:
    """FFmpeg's decoders without frame threads or reordering, which would add delay."""

    def __init__(self, codec: CodecName = "vp8", *, max_pixels: int = MAX_PICTURE_PIXELS) -> None:
        """Larger pictures than of `max_pixels` are a DecodeError, before memory is taken."""
        self._codec: CodecName = codec
        self._max_pixels = max_pixels
        self._decoder = self._open()

    def decode(self, data: Any) -> list[VideoFrame]:
        """Decodes one whole frame; raises DecodeError, after which a key frame is due."""
        packet = nonempty_packet(data)
        try:
            return list(self._decoder.decode(packet))
        except DecodeError:
            # FFmpeg's VP9 decoder takes no picture any more once it has refused a size. Others keep
            # theirs: it knows parameter sets that may not come again.
            if self._codec == "vp9":
                self._decoder = self._open()
            raise

    def _open(self) -> Any:
        decoder: Any = CodecContext.create(_DECODERS[self._codec], "r")
        decoder.thread_count = 1
        decoder.flags |= Flags.low_delay
        decoder.options = {"max_pixels": str(self._max_pixels)}
        return decoder


def is_key_frame(codec: CodecName, data: Any) -> bool:
    """True if an encoded frame that is not encrypted can be decoded by itself.

    Of H.264 that is an IDR slice, or a sequence parameter set with an I slice or a recovery point;
    of AV1 a sequence header with a key frame. Headers that an encoder repeats make none.
    """
    return len(data) > 0 and read_frame_info(codec, data).is_key_frame is True


def picture_size(codec: CodecName, key_frame: bytes) -> tuple[int, int]:
    """Returns width and height of a key frame in pixels, (0, 0) if it does not decode."""
    info = read_frame_info(codec, key_frame)
    if info.width and info.height:
        return info.width, info.height
    try:
        pictures = VideoDecoder(codec).decode(key_frame)
    except DecodeError:
        return 0, 0
    return (pictures[0].width, pictures[0].height) if pictures else (0, 0)


def _private_yuv420p(frame: VideoFrame, width: int, height: int) -> VideoFrame:
    # A copy even if the format fits: sources may give one frame to several tracks, and the encoder
    # changes its time and type.
    if (frame.format.name, frame.width, frame.height) != ("yuv420p", width, height):
        return convert_picture(frame, width=width, height=height, format="yuv420p")
    copy = VideoFrame(frame.width, frame.height, "yuv420p")
    for mine, theirs in zip(copy.planes, frame.planes, strict=True):
        _visible(mine)[:] = _visible(theirs)
    return copy


def _visible(plane: Any) -> Any:
    # Frames differ in the padding at the end of each line.
    lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return lines[: plane.height, : plane.width]
