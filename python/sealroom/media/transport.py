"""ICE and DTLS by aiortc, SRTP and sockets by the native core."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from aiortc import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    RTCIceCandidate,
    RTCIceParameters,
    RTCIceServer,
)

from sealroom.media import socket_takeover
from sealroom.media.aiortc_hooks import require_hooks
from sealroom.media.dtls import DtlsCarrier, NativeDtlsTransport
from sealroom.media.errors import TransportError
from sealroom.media.ice import HostAddresses
from sealroom.media.media_path import MediaPath
from sealroom.media.packet_transport import EventDispatcher, PacketTransport
from sealroom.media.path_lingering import LingeringPaths
from sealroom.media.path_restart import PathRestart

require_hooks()

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 30.0
"""Seconds for ICE and DTLS together."""

CONNECT_SILENCE = 10.0
"""Seconds for which a peer that is being connected to may let nothing be heard. One that closes in
that time is noticed so; RFC 8445's own timers would take half a minute."""

RECOVERY_TIME = 60.0
"""Seconds a transport may be disconnected before it fails for good: it needs an ICE restart."""

TransportState = Literal["new", "connecting", "connected", "disconnected", "failed", "closed"]
"""Disconnected: the path is broken, the association lives; comes back alone or by ICE restart."""


class MediaTransport:
    """One DTLS association whose media the native core carries, over a path that may change.

    An ICE restart (RFC 8445 section 2.4) makes a second path beside the first and moves over when
    it is connected; DTLS and the SRTP keys go on. Event-loop thread only. `takeover`: None takes
    the socket over where that works and falls back to asyncio, True fails where it does not work,
    False always uses asyncio.
    """

    def __init__(
        self,
        packet_transport: PacketTransport,
        *,
        host_addresses: HostAddresses = None,
        ice_servers: Sequence[RTCIceServer] = (),
        takeover: bool | None = None,
        certificate: RTCCertificate | None = None,
    ) -> None:
        self.ice_servers = ice_servers
        self._host_addresses = host_addresses
        self._packet_transport = packet_transport
        self._dispatcher = EventDispatcher.of(packet_transport)
        self._takeover = socket_takeover.SUPPORTED if takeover is None else takeover
        self._takeover_required = takeover is True
        self._path = MediaPath(host_addresses=host_addresses, ice_servers=ice_servers)
        self._carrier = DtlsCarrier(self._path)
        self._dtls = NativeDtlsTransport(
            self._carrier, certificate or RTCCertificate.generateCertificate(), packet_transport
        )
        self._dtls.on("statechange", self._dtls_state_changed)
        self._restart = PathRestart(self._path, self._move_to)
        self._lingering = LingeringPaths()
        self._state: TransportState = "new"
        self._settled = asyncio.Event()
        self._start_task: asyncio.Task[None] | None = None
        self._close_task: asyncio.Task[None] | None = None
        self._dismantle_task: asyncio.Task[None] | None = None
        self._give_up_handle: asyncio.TimerHandle | None = None
        self._reader_fd: int | None = None
        self.on_state_change: Callable[[TransportState], None] | None = None
        self.failure: str | None = None
        self._listen(self._path)

    @property
    def state(self) -> TransportState:
        return self._state

    @property
    def path(self) -> MediaPath:
        """The path that carries data."""
        return self._path

    @property
    def is_taken_over(self) -> bool:
        """True while the native core reads and writes its own socket."""
        return self._path.is_taken_over

    @property
    def dtls(self) -> RTCDtlsTransport:
        """The DTLS association, for what else it carries (SCTP)."""
        return self._dtls

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
        """Those of the newest restart, also while its path is being checked or did not work."""
        return self._restart.described.parameters

    @property
    def local_candidates(self) -> list[RTCIceCandidate]:
        return self._restart.described.candidates

    @property
    def local_fingerprints(self) -> list[RTCDtlsFingerprint]:
        fingerprints = self._dtls.getLocalParameters().fingerprints
        return [f for f in fingerprints if f.algorithm == "sha-256"]

    async def gather(self) -> None:
        """Gathers local candidates, once. Raises TransportError if there is none.

        Gathers anew when called again after that, with the host addresses of then.
        """
        failed = self._path
        if failed.has_failed and self._state == "new":
            self._path = self._carrier.path = self._restart.described = self._make_path()
            await failed.close()
        await self._path.gather()

    def set_ice_role(self, *, controlling: bool) -> None:
        """Decides the ICE role: the first offerer controls (RFC 8445 section 6.1.1)."""
        self._path.connection.ice_controlling = controlling

    def set_roles(self, *, ice_controlling: bool, dtls_client: bool) -> None:
        """Decides the ICE and the DTLS role; before `start`."""
        self.set_ice_role(controlling=ice_controlling)
        self._dtls._set_role("client" if dtls_client else "server")

    async def add_remote_candidate(self, candidate: RTCIceCandidate | None) -> None:
        """Adds a candidate of the peer; None says there are no more. Later ones are ignored."""
        await self._restart.described.add_remote_candidate(candidate)

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
        if self._state in ("failed", "closed"):
            raise TransportError(self.failure or f"the transport is {self._state}")

    async def begin_restart(self) -> None:
        """Gathers for another path, under new credentials, with the host addresses of now.

        `local_ice` and `local_candidates` are the new ones afterwards. A restart before that has
        not come through is given up. Raises TransportError if the transport never connected, is
        closed, or has no local candidate; then nothing has changed.
        """
        self._check_restartable()
        path = self._make_path()
        try:
            await path.gather()
            self._check_restartable()
            await self._restart.begin(path)
        except BaseException:
            await path.close()
            raise

    @property
    def is_restart_open(self) -> bool:
        """True after `begin_restart` until the peer's credentials came."""
        return self._restart.is_open

    def restart(self, ice: RTCIceParameters) -> None:
        """Begins to check the new path in the background; `restarted` tells the outcome."""
        self._restart.check(ice)

    async def abandon_restart(self) -> None:
        """Goes back to the credentials of the path in use: the peer did not take the new ones."""
        self._restart.described = self._path
        await self._restart.stop()

    async def restarted(self) -> None:
        """Returns once the newest restart has moved to its path; raises TransportError if not."""
        await self._restart.outcome()

    async def close(self) -> None:
        """Says goodbye to the peer and releases the sockets; idempotent."""
        if self._close_task is None:
            self._close_task = asyncio.create_task(self._close())
        await asyncio.shield(self._close_task)

    def _make_path(self) -> MediaPath:
        path = MediaPath(host_addresses=self._host_addresses, ice_servers=self.ice_servers)
        path.connection.ice_controlling = self._path.connection.ice_controlling
        self._listen(path)
        return path

    def _listen(self, path: MediaPath) -> None:
        path.connection.on_media = self._dtls.receive_media
        path.connection.on_stray_media = self._dtls.receive_stray_media
        path.connection.on_dtls = self._carrier.receive
        path.connection.on_route_changed = partial(self._route_changed, path)
        path.connection.on_consent = partial(self._consent_told, path)

    async def _connect(self, ice: RTCIceParameters, dtls: RTCDtlsParameters) -> None:
        try:
            async with (
                asyncio.timeout(CONNECT_TIMEOUT),
                asyncio.timeout(CONNECT_SILENCE) as silence,
            ):
                self._path.connection.on_heard = partial(_prolong, silence)
                await self._path.connect(ice)
                await self._dtls.start(dtls)
                if self._dtls.state != "connected":
                    raise TransportError(
                        "the DTLS handshake failed (certificate fingerprint or SRTP profile)"
                    )
                self._take_over(self._path)
        except TimeoutError:
            self._fail(
                f"not connected: the peer was silent for {CONNECT_SILENCE:.0f} s"
                if silence.expired()
                else f"not connected after {CONNECT_TIMEOUT:.0f} s"
            )
        except (TransportError, OSError) as error:
            self._fail(str(error))
        else:
            self._set_state("connected")
        finally:
            self._path.connection.on_heard = None

    def _check_restartable(self) -> None:
        if self._state not in ("connected", "disconnected") or self._close_task is not None:
            raise TransportError(f"cannot restart ICE of a transport that is {self._state}")

    def _move_to(self, path: MediaPath) -> None:
        before = self._path
        self._drain()  # what was read from the socket before belongs to the path before
        had_socket = before.is_taken_over
        self._take_over(path)
        self._path = self._carrier.path = path
        if had_socket and not path.is_taken_over:
            self._packet_transport.detach_socket()
        before.read_beside_here()
        self._lingering.add(before)
        self._path_works()

    def _take_over(self, path: MediaPath) -> None:
        if not self._takeover:
            return
        had_socket = path.is_taken_over
        try:
            descriptor = path.open_beside()
        except OSError as error:
            if self._takeover_required:
                raise
            logger.info("media stays on asyncio's socket: %s", error)
            path.forget_beside()
            if had_socket:
                self._packet_transport.detach_socket()
            return
        if descriptor is not None:
            self._packet_transport.attach_socket(descriptor)

    def _route_changed(self, path: MediaPath) -> None:
        # Aggressive nomination may select another pair after the connection is up.
        if path is not self._path or self._state not in ("connected", "disconnected"):
            return
        try:
            self._take_over(path)
        except OSError as error:
            self._fail(f"the new route cannot be taken over: {error}")

    def _consent_told(self, path: MediaPath, is_given: bool) -> None:
        if path is not self._path or self._state not in ("connected", "disconnected"):
            return
        if is_given:
            self._path_works()
            return
        if path.connection.is_closing:  # RFC 7675: nothing may be sent from now on
            path.forget_beside()
            self._packet_transport.detach_socket()
        if self._state == "connected":
            loop = asyncio.get_running_loop()
            self._give_up_handle = loop.call_later(
                RECOVERY_TIME, self._fail, "the peer stopped answering consent checks"
            )
            self._set_state("disconnected")

    def _path_works(self) -> None:
        if self._give_up_handle is not None:
            self._give_up_handle.cancel()
            self._give_up_handle = None
        self._set_state("connected")

    def _drain(self) -> None:
        events = self._packet_transport.take_events()
        for datagram in self._packet_transport.take_control():
            self._path.feed_control(datagram)
        self._flush_outgoing()
        self._dispatcher.dispatch(events)

    def _flush_outgoing(self) -> None:
        for datagram in self._packet_transport.take_outgoing():
            self._path.send(datagram)

    def _dtls_state_changed(self) -> None:
        if (task := asyncio.current_task()) is not None and task.cancelling():
            return  # asyncio.run is ending: what began now would be destroyed while it is pending
        is_up = self._state in ("connected", "disconnected")
        if is_up and self._close_task is None and self._dtls.state in ("failed", "closed"):
            self._close_task = asyncio.create_task(self._close())

    def _fail(self, reason: str) -> None:
        self.failure = reason
        self._release_native()
        self._set_state("failed")
        self._dismantle_task = asyncio.create_task(self._dismantle())

    def _release_native(self) -> None:
        if self._reader_fd is not None:
            self._flush_outgoing()
            asyncio.get_running_loop().remove_reader(self._reader_fd)
            self._reader_fd = None
        if self._path.is_taken_over:
            self._path.forget_beside()
            self._packet_transport.detach_socket()
        self._dispatcher.close()

    async def _close(self) -> None:
        if self._give_up_handle is not None:
            self._give_up_handle.cancel()
        self._release_native()
        if self._start_task is not None and self._start_task is not asyncio.current_task():
            self._start_task.cancel()
            await asyncio.gather(self._start_task, return_exceptions=True)
        self._set_state("closed")
        await self._dismantle()

    async def _dismantle(self) -> None:
        await self._dtls.stop()
        self._carrier.close()
        await self._restart.stop()
        await asyncio.gather(self._path.close(), self._lingering.close(), return_exceptions=True)

    def _set_state(self, state: TransportState) -> None:
        if state == self._state or self._state == "closed":
            return
        self._state = state
        if state != "connecting":
            self._settled.set()
        if self.on_state_change is not None:
            self.on_state_change(state)


def _prolong(silence: asyncio.Timeout) -> None:
    if not silence.expired():
        silence.reschedule(asyncio.get_running_loop().time() + CONNECT_SILENCE)
