"""aioice's connection with our host addresses, and with all data taken out before its queue.

What is no STUN comes from addresses only that proved themselves in a check.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

from aioice import ice, stun
from aioice.ice import CandidatePair, Connection, StunProtocol
from aiortc import RTCIceGatherer, RTCIceServer
from aiortc.rtcicetransport import connection_kwargs

if TYPE_CHECKING:
    from aioice import Candidate

logger = logging.getLogger(__name__)

COMPONENT = 1
"""RTP and RTCP share one component (rtcp-mux)."""

CONSENT_PROBES = 2
"""Retransmissions, after 0.5 and 1 s, of the check that follows an unanswered consent check."""

MAX_LEARNED = 256
"""Addresses of the peer, told or learnt from its checks; checks from more are not followed."""

HostAddresses = Sequence[str] | Callable[[], Sequence[str]] | None
"""Local IP addresses to gather, a function that tells those of now, None for all but loopback."""


def current_addresses(host_addresses: HostAddresses) -> list[str]:
    """Returns the addresses to gather now."""
    if host_addresses is None:
        return list(ice.get_host_addresses(use_ipv4=True, use_ipv6=True))
    return list(host_addresses() if callable(host_addresses) else host_addresses)


class MediaProtocol(StunProtocol):
    """A socket of a `MediaConnection`: aioice gets STUN from it, which it authenticates, no more.

    aioice hands on what any address sends: one unprotected alert, which OpenSSL believes, would end
    the handshake.
    """

    receiver: MediaConnection

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        data = cast(bytes, data)
        if not data or data[0] > 3:
            self.receiver.datagram_received(data, (addr[0], addr[1]), self)
            return
        try:
            super().datagram_received(data, addr)
        except Exception as error:  # struct.error of attributes that are too short, and others
            self.receiver.stun_failed(error)


# aioice names the class of its sockets nowhere but in this function.
_get_component_candidates = cast(
    "Callable[[Connection, int, list[str], int], Awaitable[list[Candidate]]]",
    FunctionType(
        Connection.get_component_candidates.__code__,
        vars(ice) | {"StunProtocol": MediaProtocol},
    ),
)


class MediaConnection(Connection):
    """An ICE connection that keeps data away from aioice's queue and tells early of a dead path.

    Demultiplexes by first byte (RFC 7983 section 7): 128..191 goes to `on_media`, 20..63 (DTLS) to
    `on_dtls`, the rest is dropped. An empty datagram, which anybody may send, would otherwise end
    aiortc's receive task. An address is taken from once a check of the peer came from it, before
    which the peer has no pair to send over, or once one of ours worked there (a lite peer makes
    none). Before that only media is of use, as after a NAT took another port: `on_stray_media`.

    `on_consent` is called with False once the peer left a consent check (every 4 to 6 s, RFC 7675)
    and the probes right after it unanswered, 4 to 10 s after the path broke, or at once when our
    socket is lost; with True when it answers again. Without an answer for 30 s the connection
    closes, as the RFC demands.
    """

    def __init__(
        self, *, host_addresses: HostAddresses, ice_servers: Sequence[RTCIceServer]
    ) -> None:
        super().__init__(ice_controlling=False, **connection_kwargs(list(ice_servers)))
        self._host_addresses = host_addresses
        self._proven: set[tuple[StunProtocol, tuple[str, int]]] = set()
        self.is_closing = False
        self.stun_messages_failed = 0
        """Messages that aioice could not handle; they are dropped."""
        self.on_media: Callable[[bytes], None] | None = None
        self.on_stray_media: Callable[[bytes], None] | None = None
        self.on_dtls: Callable[[bytes], None] | None = None
        self.on_route_changed: Callable[[], None] | None = None
        self.on_consent: Callable[[bool], None] | None = None
        self.on_heard: Callable[[], None] | None = None
        """Called when the peer checks a pair, answers a check or sends DTLS."""

    @property
    def selected_pair(self) -> CandidatePair | None:
        """The pair that carries data now, None before nomination and after closing."""
        return self._nominated.get(COMPONENT)

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[Candidate]:
        # aioice leaves 127.0.0.1 and ::1 out of `addresses`, so a given list replaces it whole.
        if self._host_addresses is not None:
            addresses = current_addresses(self._host_addresses)
        return await _get_component_candidates(self, component, addresses, timeout)

    async def close(self) -> None:
        self.is_closing = True
        await super().close()

    def data_received(self, data: bytes, component: int) -> None:
        if not data:  # some aioice releases announce a lost connection with None
            return
        receiver = None
        if _is_media(data):
            receiver = self.on_media
        elif 20 <= data[0] < 64:
            self._tell_heard()
            receiver = self.on_dtls
        if receiver is not None:
            receiver(data)

    def datagram_received(
        self, data: bytes, source: tuple[str, int], protocol: StunProtocol
    ) -> None:
        """Takes what is no STUN from a socket, whoever sent it."""
        if (protocol, source) in self._proven:
            self.data_received(data, COMPONENT)
        elif data and _is_media(data) and self.on_stray_media is not None:
            self.on_stray_media(data)

    def stun_failed(self, error: Exception) -> None:
        """Counts a STUN message that aioice could not handle, and names the first in the log."""
        self.stun_messages_failed += 1
        if self.stun_messages_failed == 1:
            logger.info("STUN that cannot be handled is dropped: %s", type(error).__name__)

    def check_incoming(
        self, message: stun.Message, addr: tuple[str, int], protocol: StunProtocol
    ) -> None:
        self._tell_heard()
        known = self._remote_candidates
        if len(known) >= MAX_LEARNED and not any(
            (c._network_host, c.port) == addr[:2] for c in known
        ):
            return
        self._proven.add((protocol, addr))
        super().check_incoming(message, addr, protocol)

    def check_complete(self, pair: CandidatePair) -> None:
        if pair.state == CandidatePair.State.SUCCEEDED:
            self._proven.add((pair.protocol, pair.remote_addr))
            self._tell_heard()
        before = self.selected_pair
        super().check_complete(pair)
        if self.selected_pair is not before and self.on_route_changed is not None:
            self.on_route_changed()

    def protocol_lost(self, protocol: StunProtocol) -> None:
        super().protocol_lost(protocol)
        pair = self.selected_pair
        if pair is not None and pair.protocol is protocol and not self.is_closing:
            self._tell_consent(False)

    async def query_consent(self) -> None:
        loop = asyncio.get_running_loop()
        answered_at = loop.time()
        while True:
            await asyncio.sleep(ice.CONSENT_INTERVAL * (0.8 + 0.4 * random.random()))
            if not await self._is_answered(0) and not await self._is_answered(CONSENT_PROBES):
                self._tell_consent(False)
                if loop.time() - answered_at >= ice.CONSENT_FAILURES * ice.CONSENT_INTERVAL:
                    self._query_consent_task = None
                    await self.close()
                    self._tell_consent(False)
                    return
            else:
                answered_at = loop.time()
                self._tell_consent(True)

    async def _is_answered(self, retransmissions: int) -> bool:
        pair = self.selected_pair
        if pair is None or self.remote_password is None:
            return False
        # Nominated again, if this side controls: a NAT in between may have taken another port, and
        # the peer sends there only once that pair is nominated too.
        request = self.build_request(pair, nominate=True)
        try:
            await pair.protocol.request(
                request,
                pair.remote_addr,
                integrity_key=self.remote_password.encode(),
                retransmissions=retransmissions,
            )
        except stun.TransactionError:
            return False
        return True

    def _tell_heard(self) -> None:
        if self.on_heard is not None:
            self.on_heard()

    def _tell_consent(self, is_given: bool) -> None:
        if self.on_consent is not None:
            self.on_consent(is_given)


def _is_media(datagram: bytes) -> bool:
    return 128 <= datagram[0] < 192


class MediaGatherer(RTCIceGatherer):
    """An ICE gatherer around a `MediaConnection`."""

    def __init__(
        self,
        *,
        host_addresses: HostAddresses = None,
        ice_servers: Sequence[RTCIceServer] = (),
    ) -> None:
        super().__init__(iceServers=[])
        self.connection = MediaConnection(host_addresses=host_addresses, ice_servers=ice_servers)
        self._connection = self.connection
