"""What the two halves of a joined room's media share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sealroom._core.session import MediaSession
from sealroom.client.connection import Connection
from sealroom.client.errors import NotJoinedError
from sealroom.client.events import Event
from sealroom.client.media_recovery import MediaRecovery
from sealroom.client.rotation import KeySchedule
from sealroom.crypto.announcement import VerifiedStream
from sealroom.media.ice import HostAddresses
from sealroom.media.negotiation import MediaPeer
from sealroom.protocol import TransportRole


@dataclass(slots=True)
class RoomLink:
    """One participant's place in a room. Event-loop thread only."""

    room_id: str
    participant_id: str
    connection: Connection
    keys: KeySchedule
    host_addresses: HostAddresses
    ice_servers: Sequence[dict[str, Any]] = field(repr=False)
    emit: Callable[[Event], None]
    fetch_ice_servers: Callable[[], Awaitable[Sequence[dict[str, Any]]]] | None = None
    """Asks for servers with fresh credentials before a restart; None keeps those of the join."""
    streams: dict[str, VerifiedStream] = field(default_factory=dict)
    on_tracks_changed: Callable[[], None] = lambda: None
    """Called when tracks begin to be sent or received."""
    is_closed: bool = False

    def check_open(self) -> None:
        """Raises NotJoinedError once the room was left."""
        if self.is_closed:
            raise NotJoinedError(f"room {self.room_id} was left meanwhile")

    def set_ice_servers(self, ice_servers: Sequence[dict[str, Any]]) -> None:
        """Takes the STUN and TURN servers for the next transport."""
        self.ice_servers = ice_servers

    def recovery(
        self,
        role: TransportRole,
        *,
        restart: Callable[[], Awaitable[None]],
        replace: Callable[[], Awaitable[None]],
        on_lost: Callable[[], None],
    ) -> MediaRecovery:
        """Makes what keeps the connection of one direction alive; see `MediaRecovery`."""
        return MediaRecovery(
            self.room_id,
            role,
            host_addresses=self.host_addresses,
            restart=restart,
            replace=replace,
            on_lost=on_lost,
            emit=self.emit,
        )

    def make_peer(self, session: MediaSession, recovery: MediaRecovery) -> MediaPeer:
        """Makes the connection of one direction, looked after by `recovery`."""
        peer = MediaPeer(session, host_addresses=self.host_addresses, ice_servers=self.ice_servers)
        recovery.adopt(peer)
        return peer

    async def refresh_ice_servers(self, peer: MediaPeer) -> None:
        """Gives a connection the STUN and TURN servers, with credentials, that are valid now."""
        if self.fetch_ice_servers is not None:
            self.ice_servers = await self.fetch_ice_servers()
        peer.set_ice_servers(self.ice_servers)
