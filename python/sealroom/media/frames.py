"""Frames as applications see them: encoded before and after encryption, and decoded."""

from __future__ import annotations

import asyncio
import inspect
import operator
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from av import AudioFrame, VideoFrame

from sealroom.errors import InvalidArgumentError
from sealroom.media.pictures import convert_picture
from sealroom.media.sections import KIND_OF_CODEC, CodecName, MediaKind

CLOCK_RATES: dict[CodecName, int] = {
    codec: 90_000 if kind == "video" else 48_000 for codec, kind in KIND_OF_CODEC.items()
}
"""Ticks of the RTP timestamp per second (RFC 7741, 9628, 6184, 7587, the AV1 RTP specification)."""

MAX_FRAME_BYTES = 2 << 20
"""Of one encoded frame, as the core's."""

FrameData: TypeAlias = bytes | bytearray | memoryview | npt.NDArray[np.uint8]


@dataclass(slots=True)
class EncodedFrame:
    """One encoded frame: a VP8 or VP9 frame, an H.264 access unit in Annex B, the OBUs of an AV1
    temporal unit, or an Opus packet.

    `data` is one-dimensional and contiguous; frames from the network are numpy arrays that own
    their memory. `rejected` names why decryption refused the frame (then `data` is
    as received and no decoder will see it), None for an authentic one. `arrival` is the monotonic
    time in seconds of its first packet, None for frames to be sent.
    """

    data: FrameData
    rtp_timestamp: int
    is_key_frame: bool
    kind: MediaKind
    codec: CodecName
    track_id: str
    rejected: str | None = None
    arrival: float | None = None


EncodedFrameHandler = Callable[[EncodedFrame], EncodedFrame | Awaitable[EncodedFrame | None] | None]
"""Sees each encoded frame and returns it, another one, or None to drop it; may be async.

One that raises, or returns what is no frame, drops the frame as well.
"""


async def run_handler(
    handler: EncodedFrameHandler | None, frame: EncodedFrame
) -> EncodedFrame | None:
    """Returns what `handler` makes of `frame`; the frame itself without a handler.

    Raises InvalidArgumentError if that is neither None nor a frame that can be carried.
    """
    if handler is None:
        return frame
    try:
        result = handler(frame)
        if inspect.isawaitable(result):
            result = await result
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise RuntimeError("what the encoded-frame handler awaited was cancelled") from None
    if result is not None:
        _check(result)
    return result


def _check(frame: EncodedFrame) -> None:
    # Here and nowhere later: whoever takes the frame reads its size, keeps it and hands it to C.
    if not isinstance(frame, EncodedFrame):
        raise _unfit(f"{type(frame).__name__}, not EncodedFrame or None")
    data: Any = frame.data
    try:
        with memoryview(data) as view:
            is_plain = view.ndim == 1 and view.itemsize == 1 and view.c_contiguous
            size = view.nbytes
    except (TypeError, ValueError, BufferError):
        is_plain, size = False, 0
    if not is_plain:
        raise _unfit(f"data of {type(data).__name__}, not one-dimensional, contiguous bytes")
    if size > MAX_FRAME_BYTES:
        raise _unfit(f"data of {size} bytes, above 2 MiB")
    try:
        is_timestamp = 0 <= operator.index(frame.rtp_timestamp) < 1 << 32
    except TypeError:
        is_timestamp = False
    if not is_timestamp:
        raise _unfit("an rtp_timestamp that is no integer of 0 to 4,294,967,295")
    if not isinstance(frame.is_key_frame, (bool, np.bool_)):
        raise _unfit(f"is_key_frame of {type(frame.is_key_frame).__name__}, not bool")


def _unfit(what: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"encoded_frame_handler: returned {what}")


@dataclass(slots=True)
class DecodedFrame:
    """One decoded picture, or the samples of one audio packet.

    `frame` is PyAV's frame, its pts counted from the first frame of the track. `is_concealed` marks
    audio made up for a lost packet. `arrival` as in EncodedFrame.
    """

    frame: VideoFrame | AudioFrame
    kind: MediaKind
    rtp_timestamp: int
    is_concealed: bool = False
    arrival: float | None = None

    @property
    def time(self) -> float:
        """Seconds since the first frame of the track."""
        return float(self.frame.time or 0.0)

    def to_ndarray(self, format: str | None = None) -> npt.NDArray[Any]:
        """Returns video as (height, width, 3) uint8, audio as (samples, channels) int16.

        `format` is PyAV's pixel format for video, "rgb24" by default; audio has none.
        """
        if isinstance(self.frame, VideoFrame):
            return convert_picture(self.frame, format=format or "rgb24").to_ndarray()
        samples = self.frame.to_ndarray()
        channels = len(self.frame.layout.channels)
        return np.ascontiguousarray(samples.reshape(-1, channels))
