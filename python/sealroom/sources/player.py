"""Plays a media file at the pace of a clock, as aiortc tracks.

aiortc's MediaPlayer does the same, but starts a new decoding generator for every frame, which loses
about 250 bytes each time in PyAV 18 (20 kB a second for a film with sound).
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, Literal

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from sealroom._file_urls import file_url
from sealroom.errors import SealroomError
from sealroom.sources.file_sound import FileSound

logger = logging.getLogger(__name__)

READ_AHEAD: Final = 0.3
"""Seconds of media decoded before they are due; decoded pictures are large."""

Kind = Literal["audio", "video"]

MAX_WAITING_FRAMES: dict[Kind, int] = {"video": 24, "audio": 64}
"""Per track; a track that is not read loses its oldest frames."""

MAX_READ_FAILURES: Final = 100
"""One after the other, with nothing read between them; then the file is at its end."""


class SourceError(SealroomError):
    """A media source cannot be opened or read to its end, or holds neither pictures nor sound."""

    code = "source"


class Player:
    """Decodes on a thread of its own, begun by the first frame asked for."""

    def __init__(self, source: str, container_format: str | None = None) -> None:
        """Opens a file, or what `container_format` takes; raises av.error.FFmpegError."""
        url = file_url(source) if container_format is None else source
        self._source = source
        self._container: Any = av.open(url, format=container_format, mode="r")
        self.packets_damaged = 0
        """Packets that could not be read or decoded, and were left out. Player's thread."""
        self.failure: SourceError | None = None
        """Why it ended before its end; set before the tracks are told."""
        self._damage: av.error.FFmpegError | None = None
        self.tracks: dict[Kind, PlayerTrack] = {}
        self._streams: list[Any] = []
        found: dict[Kind, Any] = {
            "video": self._container.streams.video,
            "audio": self._container.streams.audio,
        }
        for kind, streams in found.items():
            if streams:
                self._streams.append(streams[0])
                self.tracks[kind] = PlayerTrack(self, kind)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._began = 0.0
        starts = [
            float(one.start_time * one.time_base)
            for one in self._streams
            if one.start_time is not None
        ]
        # Of both kinds, which may begin at different times; if not known, the first frame's.
        self._zero = min(starts, default=None)

    def start(self) -> None:
        """Begins to decode; later calls do nothing."""
        if self._thread is not None or self._stopping.is_set():
            return
        self._began = time.monotonic()
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(
            target=self._run, args=(loop,), name="sealroom-player", daemon=True
        )
        self._thread.start()

    def stop_if_unused(self) -> None:
        """Closes the source once no track is live."""
        if any(track.readyState == "live" for track in self.tracks.values()):
            return
        self._stopping.set()
        if self._thread is None:
            self._container.close()
        else:
            self._thread.join()

    def due(self, media_time: float) -> float:
        """The monotonic time at which a frame is due."""
        return self._began + media_time

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._decode(loop)
        except av.error.FFmpegError as error:
            reason = error.strerror or error
            self.failure = SourceError(f"{self._source} cannot be read to its end: {reason}")
            logger.warning("%s", self.failure)
        except RuntimeError as error:  # the loop is closed
            logger.info("playing ends: %s", error)
        finally:
            self._container.close()
            if self.packets_damaged:
                logger.warning(
                    "packets of %s that were left out: %d", self._source, self.packets_damaged
                )
            for track in self.tracks.values():
                _call_soon(loop, track, None)

    def _decode(self, loop: asyncio.AbstractEventLoop) -> None:
        sound = FileSound()
        has_decoded = False
        for packet in self._packets():
            if self._stopping.is_set():
                return
            for frame in self._frames(packet):
                has_decoded = True
                if self._zero is None:
                    self._zero = frame.time
                zero = self._zero or 0.0
                if isinstance(frame, av.AudioFrame):
                    begin = None if frame.time is None else frame.time - zero
                    now = time.monotonic() - self._began
                    for part in sound.frames(frame, begin, now):
                        self._hand_over(loop, self.tracks["audio"], part)
                        if self._stopping.is_set():  # a gap may be long
                            return
                elif frame.pts is not None:
                    frame.pts -= round(zero / frame.time_base)
                    self._hand_over(loop, self.tracks["video"], frame)
        if self._damage is not None and not has_decoded:
            raise self._damage

    def _packets(self) -> Iterator[Any]:
        failures = 0
        while True:
            try:
                for packet in self._container.demux(*self._streams):
                    failures = 0
                    yield packet
                return
            except av.error.InvalidDataError as error:
                failures += 1
                if failures == MAX_READ_FAILURES:
                    raise
                self._note_damage(error)

    def _frames(self, packet: Any) -> list[Any]:
        try:
            frames: list[Any] = packet.decode()
        except av.error.FFmpegError as error:  # decoders name all kinds of reasons
            self._note_damage(error)
            return []
        return frames

    def _note_damage(self, error: av.error.FFmpegError) -> None:
        if self._damage is None:
            logger.warning("%s is damaged: what does not decode is left out", self._source)
        self._damage = error
        self.packets_damaged += 1

    def _hand_over(self, loop: asyncio.AbstractEventLoop, track: PlayerTrack, frame: Any) -> None:
        ahead = self.due(frame.time) - READ_AHEAD - time.monotonic()
        if ahead > 0 and self._stopping.wait(ahead):
            return
        if track.is_behind:  # the event loop does not run: it would queue the whole file
            track.frames_skipped += 1
            return
        track.frames_handed_over += 1
        _call_soon(loop, track, frame)


def _call_soon(loop: asyncio.AbstractEventLoop, track: PlayerTrack, frame: Any) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(track.put, frame)


class PlayerTrack(MediaStreamTrack):
    """One track of a player. Event-loop thread only, but for `is_behind` and what it reads."""

    def __init__(self, player: Player, kind: Kind) -> None:
        super().__init__()
        self.kind: Kind = kind
        self.frames_dropped = 0
        """Frames that nobody read in time."""
        self.frames_skipped = 0
        """Frames that were not even handed over, as the event loop did not run. Player's thread."""
        self.frames_handed_over = 0
        """By the player's thread; at most `MAX_WAITING_FRAMES` of them are on their way."""
        self._frames_taken = 0
        self._player = player
        self._frames: deque[Any] = deque()
        self._arrived = asyncio.Event()

    async def recv(self) -> Any:
        """Returns the next frame when it is due.

        Raises:
            MediaStreamError: at the end.
            SourceError: the source cannot be read on; MediaStreamError after that.
        """
        if self.readyState != "live":
            raise MediaStreamError
        self._player.start()
        while not self._frames:
            self._arrived.clear()
            await self._arrived.wait()
        frame = self._frames.popleft()
        if frame is None or self.readyState != "live":
            failure = self._player.failure if self.readyState == "live" else None
            self.stop()
            raise failure or MediaStreamError
        await asyncio.sleep(max(0.0, self._player.due(frame.time) - time.monotonic()))
        return frame

    @property
    def is_behind(self) -> bool:
        """Whether the event loop has not taken what it was handed. Any thread."""
        return self.frames_handed_over - self._frames_taken >= MAX_WAITING_FRAMES[self.kind]

    def put(self, frame: Any) -> None:
        """Takes a frame from the player, None at the end."""
        self._frames_taken += frame is not None
        if self.readyState != "live":
            return
        if len(self._frames) >= MAX_WAITING_FRAMES[self.kind]:
            self._frames.popleft()
            self.frames_dropped += 1
        self._frames.append(frame)
        self._arrived.set()

    def stop(self) -> None:
        """Ends this track; the last one closes the file."""
        super().stop()
        self._frames.clear()
        self._frames.append(None)
        self._arrived.set()
        self._player.stop_if_unused()
