"""aioice's connection with our host addresses and with media taken out before its queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from aioice.ice import CandidatePair, Connection
from aiortc import RTCIceGatherer, RTCIceServer
from aiortc.rtcicetransport import connection_kwargs

if TYPE_CHECKING:
    from aioice import Candidate

MAX_QUEUED_DTLS = 256
"""DTLS datagrams waiting for the handshake task; more are dropped (DTLS retransmits)."""

COMPONENT = 1
"""RTP and RTCP share one component (rtcp-mux)."""


class MediaConnection(Connection):
    """An ICE connection that keeps media away from aioice's queue.

    Demultiplexes by first byte (RFC 7983 section 7): 128..191 goes to `on_media`, 20..63 (DTLS) to
    the bounded queue, the rest is dropped. An empty datagram, which anybody may send, would
    otherwise end aiortc's receive task.
    """

    def __init__(
        self,
        *,
        host_addresses: Sequence[str] | None,
        ice_servers: Sequence[RTCIceServer],
    ) -> None:
        super().__init__(ice_controlling=False, **connection_kwargs(list(ice_servers)))
        self._host_addresses = None if host_addresses is None else list(host_addresses)
        self.is_closing = False
        self.on_media: Callable[[bytes], None] | None = None
        self.on_route_changed: Callable[[], None] | None = None

    @property
    def selected_pair(self) -> CandidatePair | None:
        """The pair that carries data now, None before nomination and after closing."""
        return self._nominated.get(COMPONENT)

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[Candidate]:
        # aioice leaves 127.0.0.1 and ::1 out of `addresses`, so a given list replaces it whole.
        if self._host_addresses is not None:
            addresses = self._host_addresses
        return await super().get_component_candidates(component, addresses, timeout)

    async def close(self) -> None:
        self.is_closing = True
        await super().close()

    def data_received(self, data: bytes, component: int) -> None:
        if not data:  # some aioice releases announce a lost connection with None
            return
        first = data[0]
        if 128 <= first < 192:
            if self.on_media is not None:
                self.on_media(data)
        elif 20 <= first < 64 and self._queue.qsize() < MAX_QUEUED_DTLS:
            super().data_received(data, component)

    def check_complete(self, pair: CandidatePair) -> None:
        before = self.selected_pair
        super().check_complete(pair)
        if self.selected_pair is not before and self.on_route_changed is not None:
            self.on_route_changed()


class MediaGatherer(RTCIceGatherer):
    """An ICE gatherer around a `MediaConnection`."""

    def __init__(
        self,
        *,
        host_addresses: Sequence[str] | None = None,
        ice_servers: Sequence[RTCIceServer] = (),
    ) -> None:
        super().__init__(iceServers=[])
        self.connection = MediaConnection(host_addresses=host_addresses, ice_servers=ice_servers)
        self._connection = self.connection
