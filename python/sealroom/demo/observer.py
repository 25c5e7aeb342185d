"""The SFU as an eavesdropper: taps what it forwards and tries to decode it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from av import VideoFrame

from sealroom.demo.likeness import (
    HEIGHT,
    RECOGNISABLE,
    WIDTH,
    carries_clear_text,
    likeness,
    thumbnail,
)
from sealroom.demo.sent_log import SentFrame, SentLog
from sealroom.media.codecs import DecodeError
from sealroom.media.pictures import convert_picture
from sealroom.media.video_codecs import VideoDecoder

POLL_INTERVAL: Final = 0.1
MAX_VIEWS: Final = 300
MAX_STOLEN: Final = 600


class TapLike(Protocol):
    """`sealroom.bridge.embedded.Tap`."""

    def take_frames(self) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class View:
    """What the SFU has of one frame: its bytes, and the picture its decoder made, if any."""

    payload: bytes
    picture: VideoFrame | None = None
    likeness: float = 0.0


@dataclass(slots=True)
class ObserverCounts:
    """Totals. `pictures`: times the decoder gave any picture at all. `decodable`: frames that lie
    open, or whose picture is recognisably the one alice sent."""

    tapped: int = 0
    pictures: int = 0
    decodable: int = 0


class Eavesdropper:
    """Tries to decode frames without their key, as anyone with the forwarded bytes could.

    A frame counts as decodable if its encoded bytes lie open in it, or if a VP8 decoder makes a
    picture of it that correlates with the sent one by `RECOGNISABLE` or more. A mere picture proves
    nothing: size and start of VP8 key frames are readable by design, so a decoder may well begin.
    """

    def __init__(self) -> None:
        self._decoder = VideoDecoder("vp8")

    def examine(self, kind: str, payload: bytes, sent: SentFrame | None) -> tuple[View, bool]:
        """Returns what can be seen of one frame, and whether it is decodable. Any one thread."""
        is_open = sent is not None and carries_clear_text(payload, sent.encoded, sent.clear_bytes)
        if kind != "video":
            return View(payload), is_open
        try:
            pictures = self._decoder.decode(payload)
        except DecodeError:
            return View(payload), is_open
        if not pictures:
            return View(payload), is_open
        alike = 0.0
        if sent is not None and sent.raw is not None:
            alike = likeness(thumbnail(sent.raw), thumbnail(pictures[-1]))
        return View(payload, pictures[-1], alike), is_open or alike >= RECOGNISABLE


class SfuObserver:
    """Follows the taps of alice's tracks. Event-loop thread only."""

    def __init__(self) -> None:
        self.counts = {"video": ObserverCounts(), "audio": ObserverCounts()}
        self.stolen: list[tuple[str, bytes, SentFrame | None]] = []
        """The first frames as (kind, payload, what was sent), for the outsider to try."""
        self._taps: list[tuple[TapLike, SentLog]] = []
        self._views: OrderedDict[int, View] = OrderedDict()
        self._eavesdropper = Eavesdropper()
        self._task: asyncio.Task[None] | None = None

    def add(self, tap: TapLike, log: SentLog) -> None:
        """Follows a tap; `log` knows what was really sent on this track."""
        self._taps.append((tap, log))

    def start(self) -> None:
        """Begins to poll the taps."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Takes what is left and ends."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self.poll()

    def view(self, rtp_timestamp: int) -> View | None:
        """Returns what the SFU has of a video frame, if it is among the last `MAX_VIEWS`."""
        return self._views.get(rtp_timestamp)

    async def poll(self) -> None:
        """Examines what the taps collected since the last time."""
        for tap, log in self._taps:
            frames = [
                (frame.rtp_timestamp, bytes(frame.data), log.find(frame.rtp_timestamp))
                for frame in tap.take_frames()
            ]
            if frames:
                await asyncio.to_thread(self._examine, log.kind, frames)

    async def _run(self) -> None:
        while True:
            await self.poll()
            await asyncio.sleep(POLL_INTERVAL)

    def _examine(self, kind: str, frames: list[tuple[int, bytes, SentFrame | None]]) -> None:
        counts = self.counts[kind]
        for rtp_timestamp, payload, sent in frames:
            view, is_decodable = self._eavesdropper.examine(kind, payload, sent)
            counts.tapped += 1
            counts.pictures += view.picture is not None
            counts.decodable += is_decodable
            if len(self.stolen) < MAX_STOLEN:
                self.stolen.append((kind, payload, _shrunk(kind, sent)))
            if kind == "video":
                self._views[rtp_timestamp] = view
                if len(self._views) > MAX_VIEWS:
                    self._views.popitem(last=False)


def _shrunk(kind: str, sent: SentFrame | None) -> SentFrame | None:
    # As pictures of full size the stolen frames would take 100 MB.
    if sent is None or sent.raw is None:
        return sent
    raw = None
    if kind == "video":
        raw = convert_picture(sent.raw, width=WIDTH, height=HEIGHT, format="gray")
    return replace(sent, raw=raw)
