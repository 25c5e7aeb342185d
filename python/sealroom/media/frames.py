"""Frames as applications see them: encoded before and after encryption, and decoded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from av import AudioFrame, VideoFrame

from sealroom.media.pictures import convert_picture
from sealroom.media.sections import KIND_OF_CODEC, CodecName, MediaKind

CLOCK_RATES: dict[CodecName, int] = {
    codec: 90_000 if kind == "video" else 48_000 for codec, kind in KIND_OF_CODEC.items()
}
"""Ticks of the RTP timestamp per second (RFC 7741, 9628, 6184, 7587, the AV1 RTP specification)."""

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
"""Sees each encoded frame and returns it, another one, or None to drop it; may be async."""


async def run_handler(
    handler: EncodedFrameHandler | None, frame: EncodedFrame
) -> EncodedFrame | None:
    """Returns what `handler` makes of `frame`; the frame itself without a handler."""
    if handler is None:
        return frame
    result = handler(frame)
    if result is None or isinstance(result, EncodedFrame):
        return result
    return await result


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
