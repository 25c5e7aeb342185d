"""STUN and TURN servers of a joined room, with credentials that are renewed before they end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from sealroom.client.connection import Connection
from sealroom.client.errors import ConnectionClosedError
from sealroom.errors import SealroomError
from sealroom.protocol import MediaConfiguration, RoomParams

logger = logging.getLogger(__name__)

RENEW_AT = 0.75
"""Share of their time to live after which credentials are renewed."""

RETRY_AFTER = 10.0
"""Seconds after a renewal that failed; the old credentials are used meanwhile."""

MIN_PAUSE = 1.0
"""Seconds between renewals at least, whatever the Bridge says."""


class IceServers:
    """The servers of one room. Event-loop thread only.

    Credentials are good for new transports and ICE restarts until they end; what a TURN server
    relays already goes on after that.
    """

    def __init__(
        self,
        connection: Connection,
        room_id: str,
        joined: MediaConfiguration,
        on_renewed: Callable[[Sequence[dict[str, Any]]], None],
    ) -> None:
        """Renews until `close`, if there are credentials; `on_renewed` gets the new servers."""
        self.current: Sequence[dict[str, Any]] = []
        self._connection = connection
        self._room_id = room_id
        self._on_renewed = on_renewed
        self._renew_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._take(joined)
        if joined.expires_in is not None:
            self._task = asyncio.create_task(self._keep_fresh())

    async def fetch(self) -> Sequence[dict[str, Any]]:
        """Returns servers whose credentials have a quarter of their life left at least.

        Where the Bridge does not answer, those there are.
        """
        if self._task is not None and self._seconds_left() <= 0:
            await self._try_to_renew()
        return self.current

    async def close(self) -> None:
        """Ends the renewal."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep_fresh(self) -> None:
        while not self._connection.is_closed:
            await asyncio.sleep(max(MIN_PAUSE, self._seconds_left()))
            if not await self._try_to_renew():
                await asyncio.sleep(RETRY_AFTER)

    async def _try_to_renew(self) -> bool:
        params = RoomParams(room_id=self._room_id)
        try:
            self._take(await self._connection.call("turn.credentials", params, MediaConfiguration))
        except ConnectionClosedError:
            return False
        except SealroomError as error:
            logger.warning("TURN credentials were not renewed: %s", type(error).__name__)
            return False
        self._on_renewed(self.current)
        return True

    def _seconds_left(self) -> float:
        return self._renew_at - asyncio.get_running_loop().time()

    def _take(self, media: MediaConfiguration) -> None:
        self.current = [
            {"urls": one.urls, "username": one.username, "credential": one.credential}
            for one in media.ice_servers
        ]
        left = media.expires_in if media.expires_in is not None else float("inf")
        self._renew_at = asyncio.get_running_loop().time() + left * RENEW_AT
