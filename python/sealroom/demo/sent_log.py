"""What alice really sent, kept for a while to be compared with what others see."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from sealroom.media.codecs import SourceClock
from sealroom.media.frames import CLOCK_RATES, EncodedFrame
from sealroom.media.sections import CodecName, MediaKind

MAX_FRAMES: Final = 120
"""4 s of video, 50 MB as pictures: longer than any frame is on its way."""


@dataclass(slots=True)
class SentFrame:
    """A raw frame, the monotonic time it was handed to the encoder, and what the encoder made."""

    raw: Any
    handed_at: float
    encoded: bytes = b""
    clear_bytes: int = 0


class SentLog:
    """Finds sent frames of one track by RTP timestamp. Event-loop thread only."""

    def __init__(self, kind: MediaKind, codec: CodecName) -> None:
        self.kind = kind
        self.timestamps: list[int] = []
        """RTP timestamps of all encoded frames, in order."""
        rate = CLOCK_RATES[codec]
        self._clock = SourceClock(rate, rate // (30 if kind == "video" else 50))
        self._handed: OrderedDict[int, SentFrame] = OrderedDict()
        self._sent: OrderedDict[int, SentFrame] = OrderedDict()
        self._offset: int | None = None

    def note_raw(self, frame: Any) -> None:
        """Notes that `frame` goes to the encoder now."""
        ticks = self._clock.convert(frame.pts, frame.time_base)
        self._handed[ticks & 0xFFFFFFFF] = SentFrame(frame, time.monotonic())
        if len(self._handed) > MAX_FRAMES:
            self._handed.popitem(last=False)

    def note_encoded(self, frame: EncodedFrame) -> EncodedFrame:
        """Notes an encoded frame; an encoded-frame handler that changes nothing."""
        if self._offset is None and self._handed:
            # The sender's clock begins at a random time, with the first frame of the source.
            self._offset = (frame.rtp_timestamp - next(iter(self._handed))) & 0xFFFFFFFF
        ticks = (frame.rtp_timestamp - (self._offset or 0)) & 0xFFFFFFFF
        sent = self._handed.pop(ticks, None) or SentFrame(None, time.monotonic())
        sent.encoded = bytes(frame.data)
        sent.clear_bytes = clear_prefix_size(frame.codec, sent.encoded)
        self.timestamps.append(frame.rtp_timestamp)
        self._sent[frame.rtp_timestamp] = sent
        if len(self._sent) > MAX_FRAMES:
            self._sent.popitem(last=False)
        return frame

    def find(self, rtp_timestamp: int) -> SentFrame | None:
        """Returns the frame sent with this timestamp if it was among the last `MAX_FRAMES`."""
        return self._sent.get(rtp_timestamp)

    def count_since(self, rtp_timestamp: int | None) -> int:
        """Returns how many frames were sent from this timestamp on; 0 for None."""
        if rtp_timestamp is None or rtp_timestamp not in self.timestamps:
            return 0
        return len(self.timestamps) - self.timestamps.index(rtp_timestamp)


class LoggedTrack(MediaStreamTrack):
    """Passes on another track's frames and notes each in a `SentLog`; ends when told to."""

    def __init__(self, source: MediaStreamTrack, log: SentLog) -> None:
        super().__init__()
        self.kind = source.kind
        self.ended = asyncio.Event()
        self._source = source
        self._log = log

    async def recv(self) -> Any:
        """Returns the next frame; raises MediaStreamError at the end."""
        if self.ended.is_set():
            raise MediaStreamError
        try:
            frame = await self._source.recv()
        except MediaStreamError:
            self.ended.set()
            raise
        if self.ended.is_set():
            raise MediaStreamError
        self._log.note_raw(frame)
        return frame

    def finish(self) -> None:
        """Lets no further frame through."""
        self.ended.set()


def clear_prefix_size(codec: CodecName, frame: bytes) -> int:
    """Returns how many leading bytes of an encoded frame stay readable (design: 10, 1 or 0)."""
    if codec == "opus":
        return 0
    is_key_frame = len(frame) >= 10 and not frame[0] & 1 and frame[3:6] == b"\x9d\x01\x2a"
    return 10 if is_key_frame else 1
