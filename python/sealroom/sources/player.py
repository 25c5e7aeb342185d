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
from fractions import Fraction
from typing import Any, Final, Literal

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

logger = logging.getLogger(__name__)

READ_AHEAD: Final = 0.3
"""Seconds of media decoded before they are due; decoded pictures are large."""

Kind = Literal["audio", "video"]

MAX_WAITING_FRAMES: dict[Kind, int] = {"video": 24, "audio": 64}
"""Per track; a track that is not read loses its oldest frames."""

AUDIO_RATE: Final = 48_000
AUDIO_FRAME_SAMPLES: Final = 960


class Player:
    """Decodes on a thread of its own, begun by the first frame asked for."""

    def __init__(self, source: str, container_format: str | None = None) -> None:
        """Opens `source`; raises av.error.FFmpegError."""
        self._container: Any = av.open(source, format=container_format, mode="r")
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
        except (av.error.FFmpegError, RuntimeError) as error:  # RuntimeError: the loop is closed
            logger.info("playing ends: %s", error)
        finally:
            self._container.close()
            for track in self.tracks.values():
                _call_soon(loop, track, None)

    def _decode(self, loop: asyncio.AbstractEventLoop) -> None:
        resampler = av.AudioResampler("s16", "stereo", AUDIO_RATE, AUDIO_FRAME_SAMPLES)
        samples = 0
        first_pts: int | None = None
        for frame in self._container.decode(*self._streams):
            if isinstance(frame, av.AudioFrame):
                for part in resampler.resample(frame):
                    part.pts, part.time_base = samples, Fraction(1, AUDIO_RATE)
                    samples += part.samples
                    self._hand_over(loop, self.tracks["audio"], part)
            elif frame.pts is not None:
                first_pts = frame.pts if first_pts is None else first_pts
                frame.pts -= first_pts
                self._hand_over(loop, self.tracks["video"], frame)
            if self._stopping.is_set():
                return

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
        """Returns the next frame when it is due; raises MediaStreamError at the end."""
        if self.readyState != "live":
            raise MediaStreamError
        self._player.start()
        while not self._frames:
            self._arrived.clear()
            await self._arrived.wait()
        frame = self._frames.popleft()
        if frame is None or self.readyState != "live":
            self.stop()
            raise MediaStreamError
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
