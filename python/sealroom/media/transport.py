"""ICE and DTLS by aiortc, SRTP and sockets by the native core."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from aiortc import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    RTCIceCandidate,
    RTCIceParameters,
    RTCIceServer,
    RTCIceTransport,
)
from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AEAD_AES_256_GCM,
    SRTP_AES128_CM_SHA1_80,
    State,
)

from sealroom.media import socket_takeover
from sealroom.media.aiortc_hooks import require_hooks
from sealroom.media.errors import TransportError
from sealroom.media.ice import MediaGatherer
from sealroom.media.packet_transport import EventDispatcher, PacketTransport

if TYPE_CHECKING:
    from aioice.ice import StunProtocol

require_hooks()

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 30.0
"""Seconds for ICE and DTLS together."""

MAX_EARLY_MEDIA = 64
"""Datagrams kept that arrive after the peer has keys and before we have ours."""

SRTP_PROFILES = [SRTP_AEAD_AES_256_GCM, SRTP_AEAD_AES_128_GCM, SRTP_AES128_CM_SHA1_80]

PROFILE_NUMBERS = {  # RFC 5764 section 4.1.2, RFC 7714 section 14.2
    b"SRTP_AES128_CM_SHA1_80": 0x0001,
    b"SRTP_AEAD_AES_128_GCM": 0x0007,
    b"SRTP_AEAD_AES_256_GCM": 0x0008,
}

TransportState = Literal["new", "connecting", "connected", "failed", "closed"]


class NativeDtlsTransport(RTCDtlsTransport):
    """A DTLS transport that gives its SRTP keys to the native core and never touches SRTP."""

    def __init__(
        self,
        transport: RTCIceTransport,
        certificate: RTCCertificate,
        packet_transport: PacketTransport,
    ) -> None:
        super().__init__(transport, [certificate])
        self._packet_transport = packet_transport
        self._srtp_profiles = SRTP_PROFILES
        self._early_media: deque[bytes] | None = deque(maxlen=MAX_EARLY_MEDIA)
        self.srtp_profile: str | None = None

    def _setup_srtp(self) -> None:
        # DTLS-SRTP, RFC 5764 section 4.2: client key, server key, client salt, server salt.
        assert self._ssl is not None
        name = self._ssl.get_selected_srtp_profile()
        profile = next((p for p in self._srtp_profiles if p.openssl_profile == name), None)
        if profile is None:
            self._set_state(State.FAILED)
            return
        material = self._ssl.export_keying_material(
            b"EXTRACTOR-dtls_srtp", 2 * (profile.key_length + profile.salt_length)
        )
        client = profile.get_key_and_salt(material, 0)
        server = profile.get_key_and_salt(material, 1)
        is_server = self._role == "server"
        self._packet_transport.start(
            profile=PROFILE_NUMBERS[name],
            send_key=server if is_server else client,
            receive_key=client if is_server else server,
        )
        self.srtp_profile = name.decode().removeprefix("SRTP_")
        early, self._early_media = self._early_media or (), None
        for datagram in early:
            self._packet_transport.receive_datagram(datagram)

    def receive_media(self, datagram: bytes) -> None:
        """Takes an SRTP or SRTCP datagram that came over aioice's socket."""
        if self._early_media is not None:
            self._early_media.append(datagram)
        else:
            self._packet_transport.receive_datagram(datagram)

    async def _send_rtp(self, data: bytes) -> None:
        raise TransportError("the native core sends all media of this transport")


class MediaTransport:
    """One ICE and DTLS association whose media the native core carries. Event-loop thread only.

    `takeover`: None takes the socket over where that works and falls back to asyncio, True fails
    where it does not work, False always uses asyncio.
    """

    def __init__(
        self,
        packet_transport: PacketTransport,
        *,
        host_addresses: Sequence[str] | None = None,
        ice_servers: Sequence[RTCIceServer] = (),
        takeover: bool | None = None,
        certificate: RTCCertificate | None = None,
    ) -> None:
        self._packet_transport = packet_transport
        self._dispatcher = EventDispatcher.of(packet_transport)
        self._takeover = socket_takeover.SUPPORTED if takeover is None else takeover
        self._takeover_required = takeover is True
        self._gatherer = MediaGatherer(host_addresses=host_addresses, ice_servers=ice_servers)
        self._ice = RTCIceTransport(self._gatherer)
        self._dtls = NativeDtlsTransport(
            self._ice, certificate or RTCCertificate.generateCertificate(), packet_transport
        )
        self._connection = self._gatherer.connection
        self._connection.on_media = self._dtls.receive_media
        self._connection.on_route_changed = self._route_changed
        self._ice.on("statechange", self._lower_state_changed)
        self._dtls.on("statechange", self._lower_state_changed)
        self._state: TransportState = "new"
        self._settled = asyncio.Event()
        self._start_task: asyncio.Task[None] | None = None
        self._close_task: asyncio.Task[None] | None = None
        self._reader_fd: int | None = None
        self._route: tuple[StunProtocol, tuple[str, int]] | None = None
        self.on_state_change: Callable[[TransportState], None] | None = None
        self.failure: str | None = None

    @property
    def state(self) -> TransportState:
        return self._state

    @property
    def is_taken_over(self) -> bool:
        """True while the native core reads and writes its own socket."""
        return self._route is not None

    @property
    def srtp_profile(self) -> str | None:
        """Name of the negotiated SRTP profile, None before DTLS is done."""
        return self._dtls.srtp_profile

    @property
    def dtls_role(self) -> str:
        """Is "client" or "server", "auto" while undecided."""
        return str(self._dtls._role)

    @property
    def local_ice(self) -> RTCIceParameters:
        return self._gatherer.getLocalParameters()

    @property
    def local_candidates(self) -> list[RTCIceCandidate]:
        return self._gatherer.getLocalCandidates()

    @property
    def local_fingerprints(self) -> list[RTCDtlsFingerprint]:
        fingerprints = self._dtls.getLocalParameters().fingerprints
        return [f for f in fingerprints if f.algorithm == "sha-256"]

    async def gather(self) -> None:
        """Gathers local candidates, once. Raises TransportError if there is none."""
        await self._gatherer.gather()
        if not self.local_candidates:
            raise TransportError("no local candidate: none of the host addresses can be bound")

    def set_ice_role(self, *, controlling: bool) -> None:
        """Decides the ICE role: the first offerer controls (RFC 8445 section 6.1.1)."""
        self._connection.ice_controlling = controlling

    def set_roles(self, *, ice_controlling: bool, dtls_client: bool) -> None:
        """Decides the ICE and the DTLS role; before `start`."""
        self.set_ice_role(controlling=ice_controlling)
        self._dtls._set_role("client" if dtls_client else "server")

    async def add_remote_candidate(self, candidate: RTCIceCandidate | None) -> None:
        """Adds a candidate of the peer; None says there are no more. Later ones are ignored."""
        await self._ice.addRemoteCandidate(candidate)

    def start(self, ice: RTCIceParameters, dtls: RTCDtlsParameters) -> None:
        """Begins to connect in the background; `connected` tells the outcome."""
        if self._state != "new":
            raise TransportError(f"cannot start a transport that is {self._state}")
        self._set_state("connecting")
        self._reader_fd = self._packet_transport.event_fd
        asyncio.get_running_loop().add_reader(self._reader_fd, self._drain)
        self._start_task = asyncio.create_task(self._connect(ice, dtls))

    async def connected(self) -> None:
        """Returns once ICE and DTLS are done; raises TransportError if they fail or are closed."""
        await self._settled.wait()
        if self._state != "connected":
            raise TransportError(self.failure or f"the transport is {self._state}")

    async def close(self) -> None:
        """Says goodbye to the peer and releases the sockets; idempotent."""
        if self._close_task is None:
            self._close_task = asyncio.create_task(self._close())
        await asyncio.shield(self._close_task)

    async def _connect(self, ice: RTCIceParameters, dtls: RTCDtlsParameters) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._ice.start(ice)
                if self._ice.state != "completed":
                    raise TransportError("no ICE candidate pair works")
                await self._dtls.start(dtls)
                if self._dtls.state != "connected":
                    raise TransportError(
                        "the DTLS handshake failed (certificate fingerprint or SRTP profile)"
                    )
                self._take_over()
        except TimeoutError:
            self._fail(f"not connected after {CONNECT_TIMEOUT:.0f} s")
        except (TransportError, OSError) as error:
            self._fail(str(error))
        else:
            self._set_state("connected")

    def _take_over(self) -> None:
        pair = self._connection.selected_pair
        if not self._takeover or pair is None:
            return
        route = (pair.protocol, pair.remote_addr)
        if route == self._route:
            return
        try:
            beside = socket_takeover.connect_beside(pair.protocol.transport, pair.remote_addr)
        except OSError as error:
            if self._takeover_required:
                raise
            logger.info("media stays on asyncio's socket: %s", error)
            if self._route is not None:
                self._route = None
                self._packet_transport.detach_socket()
            return
        self._route = route
        self._packet_transport.attach_socket(beside.detach())

    def _route_changed(self) -> None:
        # Aggressive nomination may select another pair after the connection is up.
        if self._state != "connected":
            return
        try:
            self._take_over()
        except OSError as error:
            self._fail(f"the new route cannot be taken over: {error}")

    def _drain(self) -> None:
        events = self._packet_transport.take_events()
        for datagram in self._packet_transport.take_control():
            self._feed_control(datagram)
        self._flush_outgoing()
        self._dispatcher.dispatch(events)

    def _feed_control(self, datagram: bytes) -> None:
        if self._route is None:
            return
        protocol, remote = self._route
        if socket_takeover.is_closing(protocol.transport):
            return
        try:
            protocol.datagram_received(datagram, remote)
        except Exception:
            # As asyncio does when its protocol chokes on a datagram: the next may be fine.
            logger.exception("aioice could not handle a datagram")

    def _flush_outgoing(self) -> None:
        outgoing = self._packet_transport.take_outgoing()
        pair = self._connection.selected_pair
        if pair is None or socket_takeover.is_closing(pair.protocol.transport):
            return
        for datagram in outgoing:
            pair.protocol.transport.sendto(datagram, pair.remote_addr)

    def _lower_state_changed(self) -> None:
        if self._state != "connected" or self._close_task is not None:
            return
        if self._connection.is_closing:  # by aioice itself (RFC 7675)
            self._fail("the peer stopped answering consent checks")
        elif self._dtls.state in ("failed", "closed"):
            self._close_task = asyncio.create_task(self._close())

    def _fail(self, reason: str) -> None:
        self.failure = reason
        self._release_native()
        self._set_state("failed")

    def _release_native(self) -> None:
        if self._reader_fd is not None:
            self._flush_outgoing()
            asyncio.get_running_loop().remove_reader(self._reader_fd)
            self._reader_fd = None
        if self._route is not None:
            self._route = None
            self._packet_transport.detach_socket()
        self._dispatcher.close()

    async def _close(self) -> None:
        self._release_native()
        if self._start_task is not None and self._start_task is not asyncio.current_task():
            self._start_task.cancel()
            await asyncio.gather(self._start_task, return_exceptions=True)
        self._set_state("closed")
        await self._dtls.stop()
        await self._ice.stop()

    def _set_state(self, state: TransportState) -> None:
        if state == self._state or self._state == "closed":
            return
        self._state = state
        if state != "connecting":
            self._settled.set()
        if self.on_state_change is not None:
            self.on_state_change(state)
