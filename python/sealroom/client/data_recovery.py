"""Keeps the data association of one direction of a joined room alive, while its DTLS lives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol

from sealroom.client.events import DataFailed, DataRecovered, DataRecovering, Event
from sealroom.media.data_channels import DataChannels
from sealroom.media.errors import TransportError
from sealroom.protocol import TransportRole

logger = logging.getLogger(__name__)

RESTART_DELAYS: Final = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each attempt; after the last one it has failed. The first one lets a whole
connection that is being closed go: its association ends a moment earlier."""

ATTEMPT_TIMEOUT: Final = 10.0
"""Seconds one attempt may take."""


class DataTracks(Protocol):
    """The data tracks on an association."""

    def data_lost(self) -> None:
        """All channels are gone; others may come."""
        ...

    def data_restored(self) -> None:
        """Channels can be opened again."""
        ...

    def data_failed(self, reason: str) -> None:
        """None will come."""
        ...


class DataRecovery:
    """Makes another association when one died alone; see `DataChannels`.

    Its attempts are bounded (RESTART_DELAYS, `data_channels.MAX_RESTARTS`). Event-loop thread only.
    """

    def __init__(self, room_id: str, role: TransportRole, emit: Callable[[Event], None]) -> None:
        self._room_id = room_id
        self._role = role
        self._emit = emit
        self._channels: DataChannels | None = None
        self._tracks: DataTracks | None = None
        self._task: asyncio.Task[None] | None = None

    def adopt(self, channels: DataChannels, tracks: DataTracks) -> None:
        """Looks after these channels from now on, and no longer after those before."""
        if channels is self._channels:
            return
        self._stop()
        self._channels, self._tracks = channels, tracks
        channels.on_lost = self._lost

    def wake(self) -> None:
        """Tries once more if the association is down and nothing is under way."""
        is_idle = self._task is None or self._task.done()
        channels, tracks = self._channels, self._tracks
        if channels is None or tracks is None or not is_idle:
            return
        if channels.is_down and not channels.is_closed:
            self._task = asyncio.create_task(self._recover(channels, tracks))

    async def close(self) -> None:
        """Ends all attempts."""
        task = self._stop()
        if task is not None:
            await asyncio.gather(task, return_exceptions=True)

    def _stop(self) -> asyncio.Task[None] | None:
        if self._channels is not None:
            self._channels.on_lost = None
        self._channels = self._tracks = None
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        return task

    def _lost(self) -> None:
        if self._tracks is not None:
            self._tracks.data_lost()
        self.wake()

    async def _recover(self, channels: DataChannels, tracks: DataTracks) -> None:
        is_told = False
        failure = "it is down"
        for delay in RESTART_DELAYS:
            await asyncio.sleep(delay)
            if channels.is_closed:
                return
            if not is_told:
                is_told = True
                self._emit(DataRecovering(self._room_id, self._role))
            try:
                async with asyncio.timeout(ATTEMPT_TIMEOUT):
                    await channels.restart()
            except (TransportError, TimeoutError) as error:
                failure = str(error) or "the media server did not take part in time"
                logger.info("restarting the data of the %s: %s", self._role, failure)
            else:
                if channels.is_down or channels.is_closed:
                    continue  # it died again at once
                tracks.data_restored()
                self._emit(DataRecovered(self._room_id, self._role))
                return
        if not channels.is_closed:
            failure = f"no other data association could be made: {failure}"
            tracks.data_failed(failure)
            self._emit(DataFailed(self._room_id, self._role, failure))
