"""How loud everybody in a joined room is, and who speaks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sealroom.client.active_speaker import ActiveSpeakerDetector
from sealroom.client.events import ActiveSpeakerChanged
from sealroom.client.listeners import Listeners
from sealroom.client.models import AudioLevel
from sealroom.client.room_link import RoomLink
from sealroom.client.room_publishing import RoomPublishing
from sealroom.client.room_receiving import RoomReceiving
from sealroom.media.audio_level import SILENCE, FrameLevel

LEVEL_INTERVAL: Final = 0.1
"""Seconds between two looks at the levels."""

SILENT_AFTER: Final = 0.5
"""Seconds without a frame after which a track counts as silent."""

LevelListener = Callable[[list[AudioLevel]], object]


@dataclass(slots=True)
class _Heard:
    """The newest level of a track and when it came."""

    level: FrameLevel
    at: float


class RoomLevels:
    """Looks at the meters of all tracks ten times a second while there are any."""

    def __init__(
        self, link: RoomLink, publishing: RoomPublishing, receiving: RoomReceiving
    ) -> None:
        self._link = link
        self._publishing = publishing
        self._receiving = receiving
        self._detector: ActiveSpeakerDetector[tuple[str, str]] = ActiveSpeakerDetector()
        self._heard: dict[tuple[str, str], _Heard] = {}
        self._levels: list[AudioLevel] = []
        self._speaking: list[tuple[str, str]] = []
        self._listeners: Listeners[list[AudioLevel]] = Listeners("audio levels")
        self._timer: asyncio.TimerHandle | None = None

    @property
    def levels(self) -> list[AudioLevel]:
        return list(self._levels)

    def add_listener(self, listener: LevelListener) -> Callable[[], None]:
        return self._listeners.add(listener)

    def adopt(self, other: RoomLevels) -> None:
        """Goes on for another session's: its listeners."""
        self._listeners = other._listeners

    def wake(self) -> None:
        """There may be tracks to listen to."""
        if self._timer is None and not self._link.is_closed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(LEVEL_INTERVAL, self._look)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        now = time.monotonic()
        tracks = self._tracks()
        self._heard = {key: one for key, one in self._heard.items() if key in tracks}
        for key, (_, taken) in tracks.items():
            if taken is not None:
                self._heard[key] = _Heard(taken, now)
                self._detector.update(key, -taken.level, now)
        speaking = [key for key in self._detector.active(now) if key in tracks]
        self._levels = [self._level(*one, key, speaking, now) for key, one in tracks.items()]
        self._listeners.tell(list(self._levels))
        if set(speaking) != set(self._speaking) or speaking[:1] != self._speaking[:1]:
            by_key = {(one.stream_id, one.track_id): one for one in self._levels}
            speakers = [by_key[key] for key in speaking]
            self._link.emit(ActiveSpeakerChanged(self._link.room_id, speakers))
        self._speaking = speaking
        if tracks:
            self.wake()

    def _tracks(self) -> dict[tuple[str, str], tuple[AudioLevel, FrameLevel | None]]:
        """Every track with levels, silent for now, and the loudest frame since the last look."""
        found: dict[tuple[str, str], tuple[AudioLevel, FrameLevel | None]] = {}
        link, publisher = self._link, self._publishing.publisher
        for stream_id, track in publisher.outgoing_tracks() if publisher is not None else ():
            if (meter := track.level_meter) is not None:
                own = AudioLevel(
                    link.participant_id, link.connection.user_id, stream_id, track.track_id,
                    is_local=True,
                )  # fmt: skip
                found[stream_id, track.track_id] = (own, meter.take())
        for remote in self._receiving.remote_tracks():
            if (meter := remote.track.level_meter) is not None:
                other = AudioLevel(
                    remote.participant_id, remote.user_id, remote.stream_id, remote.track_id
                )
                found[remote.stream_id, remote.track_id] = (other, meter.take())
        return found

    def _level(
        self,
        level: AudioLevel,
        taken: FrameLevel | None,
        key: tuple[str, str],
        speaking: list[tuple[str, str]],
        now: float,
    ) -> AudioLevel:
        heard = self._heard.get(key)
        is_silent = heard is None or now - heard.at > SILENT_AFTER
        frame = FrameLevel(SILENCE, False) if is_silent or heard is None else heard.level
        return level.heard(-frame.level, frame.has_voice, key in speaking)
