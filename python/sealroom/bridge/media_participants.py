"""What the embedded media server keeps of a participant, and how its transports are made."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiortc import RTCCertificate

from sealroom._core import sfu
from sealroom.bridge.background import Background
from sealroom.bridge.data_forwarding import DataForwarding
from sealroom.bridge.media_server import (
    MediaFullError,
    PublishedTrack,
    TrackRef,
    TransportGoneError,
)
from sealroom.errors import LimitExceededError
from sealroom.media.ice import HostAddresses
from sealroom.media.negotiation import MediaPeer
from sealroom.media.sections import MediaSection
from sealroom.media.session_description import OFFERED_EXTENSIONS, RemoteSection
from sealroom.media.transport import TransportState
from sealroom.protocol import MAX_SUBSCRIBED_TRACKS, TransportRole

MAX_SSRCS = 65_536
"""Of consumers that the router takes of a transport in its life: none comes twice (SRTP)."""


@dataclass
class MediaConnection:
    """One transport of a participant."""

    transport: sfu.RouterTransport
    peer: MediaPeer
    ssrcs: set[int] = field(default_factory=set)
    """All that consumers had here."""

    @property
    def is_dead(self) -> bool:
        return self.is_worn_out or self.peer.state in ("failed", "closed")

    @property
    def is_worn_out(self) -> bool:
        """True once one more change of subscriptions could need more SSRCs than are left."""
        return len(self.ssrcs) + MAX_SUBSCRIBED_TRACKS > MAX_SSRCS

    def new_ssrc(self) -> int:
        """Returns one that was never used here."""
        while (ssrc := secrets.randbits(32)) in self.ssrcs or ssrc < 2:  # the router's own is 1
            pass
        self.ssrcs.add(ssrc)
        return ssrc


@dataclass
class Producer:
    """A track on its way into the router; not live once the router was told to remove it."""

    id: int
    track: PublishedTrack
    is_live: bool = True


@dataclass
class Consumer:
    """A track on its way to one subscriber; `id` is None before the subscriber can take it."""

    producer: Producer
    section: MediaSection
    id: int | None = None


@dataclass
class MediaParticipant:
    """Both transports of a participant and what goes over them."""

    id: str
    publisher: MediaConnection | None = None
    subscriber: MediaConnection | None = None
    streams: dict[str, dict[str, Producer]] = field(default_factory=dict)
    consumers: dict[TrackRef, Consumer] = field(default_factory=dict)
    start_task: asyncio.Task[None] | None = None


class MediaConnector:
    """Makes transports of the router that answer to one certificate."""

    def __init__(
        self, router: sfu.Router, *, host_addresses: HostAddresses, takeover: bool | None
    ) -> None:
        self.on_transport_failed: Callable[[str, TransportRole], None] | None = None
        self._router = router
        self._host_addresses = host_addresses
        self._takeover = takeover
        self._certificate: RTCCertificate | None = None
        self._closing = Background()

    def connect(
        self, participant_id: str, role: TransportRole, offered: Iterable[RemoteSection] = ()
    ) -> MediaConnection:
        """Returns a new transport, with the header extension ids of the offered sections.

        Raises MediaFullError.
        """
        extensions: dict[str, int] = {}
        for section in offered:
            extensions.update(section.extensions)
        try:
            transport = self._router.create_transport(extensions=extensions or OFFERED_EXTENSIONS)
        except LimitExceededError as error:
            raise MediaFullError("It carries as many transports as it can.") from error
        peer = MediaPeer(
            transport,
            host_addresses=self._host_addresses,
            takeover=self._takeover,
            certificate=self._current_certificate(),
        )

        def state_changed(state: TransportState) -> None:
            if state == "failed" and self.on_transport_failed is not None:
                self.on_transport_failed(participant_id, role)

        peer.on_state_change = state_changed
        return MediaConnection(transport, peer)

    def close(self, connection: MediaConnection) -> None:
        """Takes all there is of a connection out of the router: nothing comes or goes any more.

        Its peer says goodbye and releases its sockets later, whatever becomes of the caller.
        """
        connection.transport.close()
        connection.peer.on_state_change = None
        self._closing.spawn(connection.peer.close())

    async def finish_closing(self) -> None:
        """Returns once the sockets of all closed connections are released."""
        await self._closing.finish()

    def _current_certificate(self) -> RTCCertificate:
        # One for all transports, because making it costs more than the rest; it lives for 30 days.
        soon = datetime.now(UTC) + timedelta(days=7)
        if self._certificate is None or self._certificate.expires < soon:
            self._certificate = RTCCertificate.generateCertificate()
        return self._certificate


@dataclass(frozen=True)
class MediaState:
    """What publishing and subscribing share."""

    router: sfu.Router
    connector: MediaConnector
    data: DataForwarding
    participants: dict[str, MediaParticipant] = field(default_factory=dict)
    tracks: dict[TrackRef, Producer] = field(default_factory=dict)

    def participant(self, participant_id: str) -> MediaParticipant:
        """Returns the participant, or a new one that is not kept yet."""
        return self.participants.get(participant_id) or MediaParticipant(participant_id)

    def connected(
        self, participant_id: str, role: TransportRole
    ) -> tuple[MediaParticipant, MediaConnection]:
        """Returns a participant with a transport that lives; raises TransportGoneError."""
        participant = self.participants.get(participant_id)
        connection: MediaConnection | None = getattr(participant, role, None)
        if participant is None or connection is None or connection.is_dead:
            raise TransportGoneError(f"there is no {role} transport")
        return participant, connection
