"""One generation of ICE: a pair of credentials, their sockets, and the way in and out over them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from aioice.ice import StunProtocol
from aioice.mdns import is_mdns_hostname
from aiortc import RTCIceCandidate, RTCIceParameters, RTCIceServer, RTCIceTransport

from sealroom.media import socket_takeover
from sealroom.media.errors import TransportError
from sealroom.media.ice import HostAddresses, MediaConnection, MediaGatherer
from sealroom.media.session_description import MAX_CANDIDATES

logger = logging.getLogger(__name__)

Route = tuple[StunProtocol, tuple[str, int]]
"""The protocol (local socket) and the peer's address of a candidate pair."""


class MediaPath:
    """Gathers, checks and nominates once (RFC 8445); an ICE restart makes another one of these.

    What it told the peer (`parameters`, `candidates`) outlives its sockets, because later
    descriptions have to repeat it until the next restart.
    """

    def __init__(
        self, *, host_addresses: HostAddresses, ice_servers: Sequence[RTCIceServer]
    ) -> None:
        self._gatherer = MediaGatherer(host_addresses=host_addresses, ice_servers=ice_servers)
        self._ice = RTCIceTransport(self._gatherer)
        self._beside: socket.socket | None = None
        self._route: Route | None = None
        self._names: set[asyncio.Task[None]] = set()
        self._told: set[tuple[str, int]] = set()  # addresses of the peer's candidates
        self._gathering: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._is_closed = False
        self.connection: MediaConnection = self._gatherer.connection
        self.parameters: RTCIceParameters = self._gatherer.getLocalParameters()
        self.candidates: list[RTCIceCandidate] = []

    @property
    def is_taken_over(self) -> bool:
        """True while there is a second, connected socket on the port of this path."""
        return self._beside is not None

    @property
    def is_lost(self) -> bool:
        """True once nothing can be sent here any more."""
        pair = self.connection.selected_pair
        return pair is None or socket_takeover.is_closing(pair.protocol.transport)

    @property
    def local_address(self) -> str | None:
        """The host address that data leaves from; None for a relayed pair, or before nomination."""
        pair = self.connection.selected_pair
        if pair is None or pair.local_candidate.type == "relay":
            return None
        return str(pair.local_candidate.host)

    @property
    def has_failed(self) -> bool:
        """True once it gathered in vain. aioice gathers once: another path has to."""
        return self._gathering is not None and self._gathering.done() and not self.candidates

    async def gather(self) -> None:
        """Gathers local candidates, once. Raises TransportError if there is none.

        Who is cancelled meanwhile does not break it off: a later call waits for the same.
        """
        if self._gathering is None:
            if self._is_closed:
                raise TransportError("the connection is closed")
            self._gathering = asyncio.create_task(self._gather())
            # Read here as well: nobody may wait for it any more when it fails.
            self._gathering.add_done_callback(lambda one: one.cancelled() or one.exception())
        await asyncio.shield(self._gathering)
        if not self.candidates:
            raise TransportError("no local candidate: none of the host addresses can be bound")

    async def add_remote_candidate(self, candidate: RTCIceCandidate | None) -> None:
        """Adds a candidate of the peer; None says there are no more. Later ones are ignored, and
        those beyond `MAX_CANDIDATES`, since each is checked from every address of ours.

        One with an mDNS name, as browsers give to pages without a camera, comes in once the name
        is resolved. Nobody waits for that: it takes a second to learn that a name is unknown here,
        and the peer's own checks tell its address as well.
        """
        if candidate is not None:
            address = (candidate.ip, candidate.port)
            if address in self._told:  # descriptions repeat them
                return
            if len(self._told) >= MAX_CANDIDATES:
                logger.info("a candidate beyond the %d that are taken is ignored", MAX_CANDIDATES)
                return
            self._told.add(address)
        if candidate is not None and is_mdns_hostname(candidate.ip):
            self._later(partial(self._ice.addRemoteCandidate, candidate))
        elif candidate is None and self._names:
            self._later(partial(self._end_candidates, list(self._names)))
        else:
            await self._ice.addRemoteCandidate(candidate)

    async def connect(self, remote: RTCIceParameters) -> None:
        """Returns once a pair is nominated; raises TransportError if none works."""
        await self._ice.start(remote)
        if self._ice.state != "completed" or self.connection.selected_pair is None:
            raise TransportError("no ICE candidate pair works")

    def open_beside(self) -> int | None:
        """Returns a new connected descriptor for the selected pair, None if it has one already.

        It is the caller's. A duplicate stays here, for `read_besides`. Raises OSError.
        """
        pair = self.connection.selected_pair
        if pair is None:
            raise OSError("there is no selected pair")
        route = (pair.protocol, pair.remote_addr)
        if route == self._route:
            return None
        self._route = None
        beside = socket_takeover.connect_beside(pair.protocol.transport, pair.remote_addr)
        self._close_beside()
        try:
            self._beside = socket.socket(fileno=os.dup(beside.fileno()))
        except OSError:
            beside.close()
            raise
        self._route = route
        return beside.detach()

    def forget_beside(self) -> None:
        """Gives the second socket up: everything comes over asyncio's from now on."""
        self._close_beside()
        self._route = None

    def feed_control(self, datagram: bytes) -> None:
        """Takes a STUN or DTLS datagram that somebody else read from the second socket."""
        if self._route is None:
            return
        protocol, remote = self._route
        if not socket_takeover.is_closing(protocol.transport):
            protocol.datagram_received(datagram, remote)

    def read_beside_here(self) -> None:
        """Reads the second socket in the event loop: the native core has gone on to another path.

        What the peer still sends here, and what waits in the socket's buffer, is not lost so.
        """
        if self._beside is not None:
            asyncio.get_running_loop().add_reader(self._beside.fileno(), self._read_beside)
            self._read_beside()

    def send(self, datagram: bytes) -> None:
        """Sends from asyncio's socket over the selected pair; dropped if there is none."""
        pair = self.connection.selected_pair
        if pair is not None and not socket_takeover.is_closing(pair.protocol.transport):
            pair.protocol.transport.sendto(datagram, pair.remote_addr)

    async def close(self) -> None:
        """Releases the sockets, while it gathers as soon as that is over; idempotent."""
        self._is_closed = True
        self.forget_beside()
        self.connection.on_consent = self.connection.on_route_changed = None
        for name in self._names:
            name.cancel()
        if self._gathering is None or self._gathering.done():
            await self._ice.stop()
        elif self._closing is None:
            # Its sockets and allocations are its own until then, and lost to all if it is broken
            # off. A STUN server that is silent holds it up for 5 s, but not who leaves.
            self._closing = asyncio.create_task(self._stop_gathered(self._gathering))

    async def _gather(self) -> None:
        await self._gatherer.gather()
        self.candidates = self._gatherer.getLocalCandidates()

    async def _stop_gathered(self, gathering: asyncio.Task[None]) -> None:
        await asyncio.wait([gathering])
        await self._ice.stop()

    def _later(self, add_candidate: Callable[[], Awaitable[None]]) -> None:
        async def add() -> None:
            try:
                await add_candidate()
            except OSError as error:
                logger.info("a candidate's name is not looked up: %s", error)

        task = asyncio.create_task(add())
        self._names.add(task)
        task.add_done_callback(self._names.discard)

    async def _end_candidates(self, names: Sequence[asyncio.Task[None]]) -> None:
        await asyncio.wait(names)
        await self._ice.addRemoteCandidate(None)

    def _read_beside(self) -> None:
        if self._beside is None:
            return
        with contextlib.suppress(OSError):
            for datagram in socket_takeover.read_all(self._beside):
                if 128 <= datagram[0] < 192:
                    self.connection.data_received(datagram, 1)
                else:
                    self.feed_control(datagram)

    def _close_beside(self) -> None:
        if self._beside is not None:
            asyncio.get_running_loop().remove_reader(self._beside.fileno())
            self._beside.close()
            self._beside = None
