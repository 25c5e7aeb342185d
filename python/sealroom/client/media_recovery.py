"""Keeps one media connection of a joined room alive while the control plane lives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence

from sealroom.client.errors import NotJoinedError, RequestRefusedError
from sealroom.client.events import (
    Event,
    MediaFailed,
    MediaRecovered,
    MediaRecovering,
    RecoveryReason,
)
from sealroom.errors import SealroomError
from sealroom.media.errors import TransportError
from sealroom.media.ice import HostAddresses, current_addresses
from sealroom.media.negotiation import MediaPeer
from sealroom.protocol import ErrorCode, TransportRole

logger = logging.getLogger(__name__)

RESTART_DELAYS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each ICE restart; after the last one the connection is replaced."""

REPLACE_DELAYS = (0.0, 2.0, 5.0)
"""Seconds before each attempt to replace the connection; after the last one it has failed."""

ATTEMPT_TIMEOUT = 20.0
"""Seconds one attempt may take, signalling included."""

ADDRESS_POLL = 3.0
"""Seconds between looks at the host's addresses: one that is gone needs no consent check."""


class MediaRecovery:
    """Restarts the ICE of a connection whose path broke, and replaces it if that does not help.

    At most one recovery runs at a time, in the background; its attempts are bounded
    (RESTART_DELAYS, REPLACE_DELAYS). Event-loop thread only.
    """

    def __init__(
        self,
        room_id: str,
        role: TransportRole,
        *,
        host_addresses: HostAddresses,
        restart: Callable[[], Awaitable[None]],
        replace: Callable[[], Awaitable[None]],
        on_lost: Callable[[], None],
        emit: Callable[[Event], None],
    ) -> None:
        """`restart` and `replace` return once the media connection works again, or raise.

        `on_lost` is called when nothing helped, before the event that says so.
        """
        self._room_id = room_id
        self.role = role
        self._host_addresses = host_addresses
        self._restart = restart
        self._replace = replace
        self._on_lost = on_lost
        self._emit = emit
        self._peer: MediaPeer | None = None
        self._was_connected = False
        self._task: asyncio.Task[str | None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._is_closed = False

    def adopt(self, peer: MediaPeer) -> None:
        """Looks after this connection from now on, and no longer after the one before."""
        self._peer = peer
        self._was_connected = False
        peer.on_state_change = lambda state: self._state_changed(peer, state)

    async def restart(self) -> None:
        """Moves the media to a new path, because the application wants it.

        Raises TransportError if there is no connection, or if nothing helped.
        """
        if self._peer is None:
            raise TransportError(f"there is no {self.role} connection")
        self.begin("requested")
        assert self._task is not None
        await asyncio.wait([self._task])
        failure = "the room was left" if self._task.cancelled() else self._task.result()
        if failure is not None:
            raise TransportError(failure)

    def begin(self, reason: RecoveryReason) -> None:
        """Begins to recover, unless that is under way already."""
        if self._is_closed or self._peer is None:
            return
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._recover(self._peer, reason))

    def lost_at_the_server(self) -> None:
        """The media server says that its end of the connection is dead.

        If this end is not up, that was news of the connection before.
        """
        if self._peer is not None and self._peer.state in ("connected", "disconnected"):
            self.begin("connection_lost")

    async def close(self) -> None:
        """Ends all attempts; the connection stays its owner's to close."""
        self._is_closed = True
        tasks = [one for one in (self._task, self._watch) if one is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _state_changed(self, peer: MediaPeer, state: str) -> None:
        if self._is_closed or peer is not self._peer:
            return
        if state == "connected":
            self._was_connected = True
            if self._watch is None and not isinstance(self._host_addresses, Sequence):
                self._watch = asyncio.create_task(self._watch_addresses())
        elif state == "disconnected":
            self.begin("no_consent")
        elif state in ("failed", "closed") and (self._was_connected or self.role == "subscriber"):
            self.begin("connection_lost")  # a publication that never connected raises instead

    async def _recover(self, peer: MediaPeer, reason: RecoveryReason) -> str | None:
        """Returns what went wrong, None if the media flows again."""
        self._emit(MediaRecovering(self._room_id, self.role, reason))
        try:
            failure = await self._try_restarts(peer, reason)
            is_replaced = self._peer is not peer
            if failure is not None and peer.state != "connected":
                failure, is_replaced = await self._try_replacing(failure), True
        except NotJoinedError as error:
            return str(error)
        if failure is None or (not is_replaced and peer.state == "connected"):
            self._emit(MediaRecovered(self._room_id, self.role, reason, is_replaced))
        else:
            self._give_up(failure)
        return failure

    async def _try_restarts(self, peer: MediaPeer, reason: RecoveryReason) -> str | None:
        failure = peer.transport.failure or "the media connection is closed"
        for delay in RESTART_DELAYS:
            await asyncio.sleep(delay)
            if self._peer is not peer:
                return None  # the media server began anew and its offer was answered
            if peer.state in ("failed", "closed"):
                return failure
            if reason == "no_consent" and peer.state == "connected":
                return None  # the path came back by itself
            try:
                async with asyncio.timeout(ATTEMPT_TIMEOUT):
                    await self._restart()
            except NotJoinedError:
                raise
            except (SealroomError, TimeoutError) as error:
                failure = str(error) or "the media server did not take part in time"
                logger.info("restarting the %s connection: %s", self.role, failure)
                if _is_gone_at_the_server(error):
                    await peer.close()
                    return failure
            else:
                return None
        return failure

    async def _try_replacing(self, failure: str) -> str | None:
        for delay in REPLACE_DELAYS:
            await asyncio.sleep(delay)
            try:
                async with asyncio.timeout(ATTEMPT_TIMEOUT):
                    await self._replace()
            except NotJoinedError:
                raise
            except (SealroomError, TimeoutError) as error:
                failure = str(error) or "the media server did not take part in time"
                logger.info("replacing the %s connection: %s", self.role, failure)
            else:
                return None
        return failure

    def _give_up(self, reason: str) -> None:
        self._on_lost()
        self._emit(MediaFailed(self._room_id, self.role, reason))

    async def _watch_addresses(self) -> None:
        while True:
            await asyncio.sleep(ADDRESS_POLL)
            peer = self._peer
            if peer is None or peer.state not in ("connected", "disconnected"):
                continue
            address = peer.transport.path.local_address
            with contextlib.suppress(OSError):
                if address is not None and address not in current_addresses(self._host_addresses):
                    self.begin("address_gone")


def _is_gone_at_the_server(error: BaseException) -> bool:
    return (
        isinstance(error, RequestRefusedError) and error.error_code == ErrorCode.TRANSPORT_NOT_FOUND
    )
