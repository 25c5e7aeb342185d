"""What the two halves of a joined room's media share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sealroom._core.session import MediaSession
from sealroom.client.connection import Connection
from sealroom.client.errors import NotJoinedError
from sealroom.client.events import Event, MediaFailed
from sealroom.client.rotation import KeySchedule
from sealroom.crypto.announcement import VerifiedStream
from sealroom.media.negotiation import MediaPeer
from sealroom.protocol import TransportRole


@dataclass(slots=True)
class RoomLink:
    """One participant's place in a room. Event-loop thread only."""

    room_id: str
    participant_id: str
    connection: Connection
    keys: KeySchedule
    host_addresses: Sequence[str] | None
    ice_servers: Sequence[dict[str, Any]] = field(repr=False)
    emit: Callable[[Event], None]
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

    def make_peer(
        self, session: MediaSession, role: TransportRole, on_lost: Callable[[], None] | None = None
    ) -> MediaPeer:
        """Makes the connection of one direction; `on_lost` is called once it fails."""
        peer = MediaPeer(session, host_addresses=self.host_addresses, ice_servers=self.ice_servers)

        def state_changed(state: str) -> None:
            if self.is_closed or state not in ("failed", "closed"):
                return
            reason = peer.transport.failure or f"the transport is {state}"
            if on_lost is not None:
                on_lost()
            self.emit(MediaFailed(self.room_id, role, reason))

        peer.on_state_change = state_changed
        return peer
