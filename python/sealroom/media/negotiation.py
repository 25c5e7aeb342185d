"""Offer and answer (RFC 8829, max-bundle and rtcp-mux only) over one `MediaTransport`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from aiortc import RTCCertificate, RTCIceServer

from sealroom.media.data_channels import DataChannels
from sealroom.media.errors import NegotiationError
from sealroom.media.ice import HostAddresses
from sealroom.media.media_lines import MediaLines
from sealroom.media.packet_transport import PacketTransport
from sealroom.media.sections import (
    CodecName,
    Direction,
    MediaKind,
    MediaSection,
)
from sealroom.media.session_description import (
    DEFAULT_MAX_MESSAGE_SIZE,
    LocalTransport,
    RemoteDescription,
    RemoteTransport,
    build_description,
    is_usable,
    parse_candidate,
    parse_description,
    read_session_id,
)
from sealroom.media.transport import MediaTransport, TransportState

SignalingState = Literal["stable", "have-local-offer", "have-remote-offer"]


class MediaPeer:
    """One end of a media connection: m-lines, and the transport under them. Event-loop thread only.

    Works with any WebRTC peer that bundles. Either side may restart ICE with an offer. Candidates
    travel inside the descriptions; `add_remote_candidate` takes trickled ones as well.
    """

    def __init__(
        self,
        packet_transport: PacketTransport,
        *,
        host_addresses: HostAddresses = None,
        ice_servers: Sequence[RTCIceServer | Mapping[str, Any]] = (),
        takeover: bool | None = None,
        certificate: RTCCertificate | None = None,
        cname: str | None = None,
    ) -> None:
        """Makes a peer without m-lines; must run inside an event loop.

        `host_addresses`: IP addresses to gather, or a function that tells those of now; None for
        all but loopback. `ice_servers`: STUN and
        TURN servers, or mappings with `urls`, `username`, `credential`. `takeover`: see
        `MediaTransport`. `cname`: RTCP name of this side, random by default.
        """
        self.transport = MediaTransport(
            packet_transport,
            host_addresses=host_addresses,
            ice_servers=_servers(ice_servers),
            takeover=takeover,
            certificate=certificate,
        )
        self._packet_transport = packet_transport
        self._cname = cname or secrets.token_hex(8)
        self._session_id = secrets.randbits(62)
        self._version = 0
        self._remote_session_id: str | None = None
        self._signaling: SignalingState = "stable"
        self._lines = MediaLines()
        self._offered: list[str] = []
        self._remote: RemoteTransport | None = None
        self._remote_offer: RemoteDescription | None = None

    @property
    def sections(self) -> list[MediaSection]:
        """The sections of this peer, stopped ones too; those not yet in a description come last."""
        return self._lines.sections

    @property
    def extensions(self) -> dict[str, int]:
        """RTP header extension ids by name ("mid", "audio_level", "abs_send_time")."""
        return self._lines.extensions

    @property
    def state(self) -> TransportState:
        return self.transport.state

    @property
    def signaling_state(self) -> SignalingState:
        return self._signaling

    @property
    def on_state_change(self) -> Callable[[TransportState], None] | None:
        """Called with each new state of the transport."""
        return self.transport.on_state_change

    @on_state_change.setter
    def on_state_change(self, callback: Callable[[TransportState], None] | None) -> None:
        self.transport.on_state_change = callback

    def section(self, mid: str) -> MediaSection:
        """Returns the section with this mid; raises KeyError."""
        for section in self.sections:
            if section.mid == mid:
                return section
        raise KeyError(mid)

    def add_section(
        self,
        *,
        kind: MediaKind,
        codec: CodecName,
        direction: Direction = "sendonly",
        ssrc: int | None = None,
        stream_id: str = "-",
        track_id: str = "-",
    ) -> MediaSection:
        """Adds an m-line to the next description.

        When this side answers, an added section takes the first new m-line of its kind in the offer
        (RFC 8829 section 5.10) and its mid changes to the offered one. A sending section needs an
        `ssrc` and ids that are tokens of at most 64 characters. Raises NegotiationError.
        """
        return self._lines.add(
            kind=kind,
            codec=codec,
            direction=direction,
            ssrc=ssrc,
            stream_id=stream_id,
            track_id=track_id,
        )

    def use_data_channels(
        self, *, max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE
    ) -> DataChannels:
        """Returns the data channels, in this side's next offer or taken from the peer's.

        An offer of data channels is rejected without this. `max_message_size`: bytes of a message
        that this side takes; later calls do not change it.
        """
        if self._lines.data is None:
            self._lines.data = DataChannels(self.transport, max_message_size)
        return self._lines.data

    @property
    def data_mid(self) -> str | None:
        """The mid of the data channels' m-line, None while there is none."""
        return self._lines.data_mid

    def stop_section(self, section: MediaSection) -> None:
        """Ends a section: port 0 in the next description, after that its m-line may be reused.

        The first line of the bundle stays, inactive: browsers hang the transport on it.
        """
        self._lines.stop(section)

    def set_ice_servers(self, ice_servers: Sequence[RTCIceServer | Mapping[str, Any]]) -> None:
        """STUN and TURN servers for the next ICE restart."""
        self.transport.ice_servers = _servers(ice_servers)

    async def create_offer(self, *, ice_restart: bool = False) -> str:
        """Returns an offer of all sections; an offer that was not answered yet is superseded.

        `ice_restart` asks for another path (RFC 8829 section 5.2.2): the old one carries on until
        the new one is connected, `restarted` tells the outcome. Raises TransportError if that is
        not possible, and changes nothing.
        """
        if self._signaling == "have-remote-offer":
            raise NegotiationError("an offer of the peer waits for its answer")
        if self._lines.is_empty:
            raise NegotiationError("there is no section to offer")
        if self._remote is None:
            # Before there is a candidate to send to: the answerer's checks may overtake its answer,
            # and a conflict of roles that is solved half way can lose the nomination for good.
            self.transport.set_ice_role(controlling=True)
        await self.transport.gather()
        if ice_restart:
            await self.transport.begin_restart()
        self._lines.place_waiting()
        self._signaling = "have-local-offer"
        self._offered = [line.mid for line in self._lines.lines]
        self._lines.note_offered()
        return self._describe(answering=False, setup="auto")

    async def accept_answer(self, answer: str) -> None:
        """Takes the answer to the newest offer and begins to connect, if it is the first one or to
        an ICE restart.

        Raises NegotiationError; if only the ICE restart was refused, the rest was accepted.
        """
        if self._signaling != "have-local-offer":
            raise NegotiationError("there is no offer to be answered")
        remote = parse_description(answer)
        if [s.mid for s in remote.sections] != self._offered:
            raise NegotiationError("the m-lines of the answer are not those of the offer")
        theirs_transport = self._check_transport(remote)
        if theirs_transport is None:
            if self._lines.is_in_use:
                raise NegotiationError("the peer rejects every m-line")
            self._lines.apply_answer(remote)
            self._signaling = "stable"
            return
        if theirs_transport.dtls.role not in ("client", "server"):
            raise NegotiationError("an answer decides the DTLS role: setup active or passive")
        is_restart = self._changes_credentials(theirs_transport)
        if is_restart and not self.transport.is_restart_open:
            raise NegotiationError("the peer restarts ICE without being asked to")
        self._lines.apply_answer(remote)
        self._learn_extensions(remote)
        self._signaling = "stable"
        if self.transport.is_restart_open and not is_restart:
            await self.transport.abandon_restart()
            raise NegotiationError("the peer does not take part in the ICE restart")
        await self._use_transport(
            theirs_transport,
            ice_controlling=True,
            dtls_client=theirs_transport.dtls.role == "server",
        )

    async def accept_offer(self, offer: str, codecs: Mapping[str, CodecName] | None = None) -> None:
        """Takes an offer: sections of new m-lines appear, those of old ones are updated.

        A new section wants to receive what is offered, or is one that `add_section` left waiting;
        change `direction` before `create_answer` to want something else. It takes the codec that
        `codecs` gives for its mid, or the first of the offered ones. M-lines of other kinds or
        without a common codec are rejected in the answer.
        """
        if self._signaling != "stable":
            raise NegotiationError("offers of both sides crossed")
        remote = parse_description(offer)
        self._check_transport(remote)
        self._lines.check_offer(remote)
        self._lines.apply_offer(remote, codecs or {})
        self._learn_extensions(remote)
        self._remote_offer = remote
        self._remote_session_id = remote.session_id
        self._signaling = "have-remote-offer"

    async def create_answer(self) -> str:
        """Returns the answer to the accepted offer and begins to connect, if it is the first one or
        restarts ICE.

        On any failure, cancellation as well, the offer is as good as not taken: it, or another, can
        be accepted then.
        """
        remote = self._remote_offer
        if self._signaling != "have-remote-offer" or remote is None:
            raise NegotiationError("there is no offer to answer")
        try:
            theirs = self._check_transport(remote)
            await self.transport.gather()
            if theirs is not None and self._changes_credentials(theirs):
                await self.transport.begin_restart()
        finally:
            self._remote_offer, self._signaling = None, "stable"
        self._lines.settle_directions(remote)
        # RFC 8842 section 5.3: the answerer chooses, unless the offer did; a role once taken stays.
        role = self.transport.dtls_role
        if theirs is None:
            return self._describe(answering=True, setup=role)
        if role == "auto":
            role = "server" if theirs.dtls.role == "client" else "client"
        # A lite peer never controls (RFC 8445 section 6.1.1).
        await self._use_transport(
            theirs, ice_controlling=theirs.ice.iceLite, dtls_client=role == "client"
        )
        return self._describe(answering=True, setup=role)

    async def add_remote_candidate(self, candidate: str) -> None:
        """Adds a trickled candidate in SDP syntax; an empty text says that there are no more."""
        if not candidate:
            await self.transport.add_remote_candidate(None)
            return
        parsed = parse_candidate(candidate)
        if is_usable(parsed):
            await self.transport.add_remote_candidate(parsed)

    async def connected(self) -> None:
        """Returns once ICE and DTLS are done; raises TransportError if they fail."""
        await self.transport.connected()

    def continues(self, offer: str) -> bool:
        """Whether an offer goes on from the peer's earlier ones, by its session id, which a
        connection keeps (RFC 8829 section 5.2.2; unmodified aiortc does not).
        """
        return self._remote_session_id in (None, read_session_id(offer))

    def restarts_ice(self, offer: str) -> bool:
        """Whether an offer of the peer asks for an ICE restart. Raises NegotiationError."""
        theirs = parse_description(offer).transport
        return theirs is not None and self._changes_credentials(theirs)

    async def restarted(self) -> None:
        """Returns once the newest ICE restart has moved to its path; raises TransportError."""
        await self.transport.restarted()

    async def close(self) -> None:
        """Ends the connection; idempotent. The packet transport stays its owner's to close."""
        if self._lines.data is not None:
            await self._lines.data.close()
        await self.transport.close()

    def _learn_extensions(self, remote: RemoteDescription) -> None:
        if self._lines.learn_extensions(remote):
            # A transport of the router has its ids from the start, which are those of the offer.
            apply = getattr(self._packet_transport, "set_extensions", None)
            if apply is not None:
                apply(self._lines.extensions)

    def _check_transport(self, remote: RemoteDescription) -> RemoteTransport | None:
        """The transport in use from now on; None while every m-line there was came rejected.

        That is so where all that was offered ended before it was answered: one to come begins it.
        """
        new, old = remote.transport, self._remote
        if old is None:
            return new
        if new is None:
            return old
        if new.dtls.fingerprints != old.dtls.fingerprints:
            raise NegotiationError("the DTLS fingerprint changed")
        return new

    def _changes_credentials(self, new: RemoteTransport) -> bool:
        # RFC 8839 section 4.4.1.1.1: this is what an ICE restart is.
        return self._remote is not None and (
            (new.ice.usernameFragment, new.ice.password)
            != (self._remote.ice.usernameFragment, self._remote.ice.password)
        )

    async def _use_transport(
        self, remote: RemoteTransport, *, ice_controlling: bool, dtls_client: bool
    ) -> None:
        is_first, is_restart = self._remote is None, self._changes_credentials(remote)
        self._remote = remote
        if is_first:
            self.transport.set_roles(ice_controlling=ice_controlling, dtls_client=dtls_client)
        for candidate in remote.candidates:
            await self.transport.add_remote_candidate(candidate)
        if remote.candidates_complete:
            await self.transport.add_remote_candidate(None)
        if is_first:
            self.transport.start(remote.ice, remote.dtls)
        elif is_restart:
            self.transport.restart(remote.ice)

    def _describe(self, *, answering: bool, setup: str) -> str:
        self._version += 1
        data = self._lines.data
        return build_description(
            self._lines.lines,
            answering=answering,
            version=self._version,
            session_id=self._session_id,
            cname=self._cname,
            transport=LocalTransport(
                ice=self.transport.local_ice,
                candidates=self.transport.local_candidates,
                fingerprints=self.transport.local_fingerprints,
                setup=setup,
            ),
            extensions=self.extensions,
            tag=self._lines.tag,
            max_message_size=(DEFAULT_MAX_MESSAGE_SIZE if data is None else data.max_message_size),
        )


def _servers(ice_servers: Sequence[RTCIceServer | Mapping[str, Any]]) -> list[RTCIceServer]:
    return [s if isinstance(s, RTCIceServer) else RTCIceServer(**s) for s in ice_servers]
