"""Connections to the Bridges where joined rooms live, besides the one that the application made.

Several Bridges may share a database; a live room is at home at one of them. Another that is asked
to join it names the home, and this side goes there by itself: one connection for each home, shared
by its rooms, with the same identity and the same checks, and closed when no room needs it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from sealroom.client.connection import Connection
from sealroom.client.errors import ConnectionClosedError, HomeRefusedError, RoomElsewhereError
from sealroom.client.home_restoring import HomeRestoring
from sealroom.client.room_session import RoomSession
from sealroom.protocol import MAX_JOINED_ROOMS, MAX_URL_LENGTH

logger = logging.getLogger(__name__)

MAX_REDIRECTS: Final = 4
"""How often one call is sent on to another Bridge."""

MAX_HOMES: Final = MAX_JOINED_ROOMS
"""Connections besides the application's own."""

ResultT = TypeVar("ResultT", bound=msgspec.Struct)
MakeRestoring = Callable[[Connection], HomeRestoring]


class Homes:
    """For one `StreamApi`. Event-loop thread only.

    Args:
        primary: the application's connection, which says whether homes are followed at all.
        rooms: those that are joined.
        make: makes what brings the rooms of a home back, and begins to take its events.
    """

    def __init__(
        self, primary: Connection, rooms: Mapping[str, RoomSession], make: MakeRestoring
    ) -> None:
        self._primary = primary
        self._rooms = rooms
        self._make = make
        self._homes: dict[str, tuple[Connection, HomeRestoring]] = {}
        self._connecting = asyncio.Lock()
        self._users = 0  # calls under way
        self._closing: set[asyncio.Task[None]] = set()

    async def call(
        self, first: Connection, method: str, params: msgspec.Struct, result: type[ResultT]
    ) -> tuple[Connection, ResultT]:
        """Sends a request to where the room it is about lives; returns that connection too.

        Raises:
            RoomElsewhereError: the home cannot be reached, or it moves on and on.
            HomeRefusedError: no Bridge to go to from `primary`.
            SealroomError: as `Connection.call`.
        """
        connection, elsewhere = first, None
        self._users += 1
        try:
            for _ in range(MAX_REDIRECTS + 1):
                try:
                    if elsewhere is not None:
                        connection = await self._at(elsewhere.url)
                    return connection, await connection.call(method, params, result)
                except RoomElsewhereError as error:
                    elsewhere = error
                    if not self._primary.follows_homes:
                        raise
                except ConnectionClosedError as error:
                    if elsewhere is None:
                        raise
                    raise elsewhere from error
            assert elsewhere is not None
            raise elsewhere
        finally:
            self._users -= 1
            # Not before the caller has put its room among those that are joined.
            asyncio.get_running_loop().call_soon(self.sweep)

    def restoring(self, connection: Connection) -> HomeRestoring | None:
        """What brings the rooms of a home back; None for the application's own connection."""
        return next((one for other, one in self._homes.values() if other is connection), None)

    def sweep(self) -> None:
        """Closes connections that no room needs."""
        if self._users:
            return
        used = {id(one.connection) for one in self._rooms.values()}
        for url, (connection, restoring) in list(self._homes.items()):
            if id(connection) not in used and not restoring.is_at_work:
                del self._homes[url]
                task = asyncio.create_task(_close(connection, restoring))
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    async def stop(self) -> None:
        """Stops bringing rooms back; their connections stay until `close`."""
        for _, restoring in list(self._homes.values()):
            await restoring.close()

    async def close(self) -> None:
        """Closes all of them. Idempotent."""
        homes, self._homes = list(self._homes.values()), {}
        await asyncio.gather(*(_close(*one) for one in homes), *self._closing)

    async def _at(self, url: str) -> Connection:
        url = check_home_url(url, self._primary.url)
        if url == self._primary.url.rstrip("/"):
            return self._primary
        async with self._connecting:
            found = self._homes.get(url)
            if found is not None and not found[0].is_closed:
                return found[0]
            if found is None and len(self._homes) >= MAX_HOMES:
                raise HomeRefusedError(f"rooms at more than {MAX_HOMES} other Bridges")
            logger.info("%r: going to the Bridge at %s", self._primary, url)
            connection = await self._primary.connect_home(url)
            self._homes[url] = (connection, self._make(connection))
            return connection


def check_home_url(url: str, first: str) -> str:
    """Returns the URL of a home, without slashes at its end, if one may go there from `first`.

    Raises:
        HomeRefusedError: it is no URL of a Bridge, or without TLS although `first` has TLS.
    """
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or len(url) > MAX_URL_LENGTH or "@" in url or parts.query or parts.fragment:
        raise HomeRefusedError("the Bridge names a home that is no ws:// or wss:// URL")
    if urlsplit(first).scheme == "wss" and parts.scheme != "wss":
        raise HomeRefusedError("the Bridge has TLS, and names a home that has not")
    return url.rstrip("/")


async def _close(connection: Connection, restoring: HomeRestoring) -> None:
    await restoring.close()
    restoring.stop_events()
    await connection.close()
