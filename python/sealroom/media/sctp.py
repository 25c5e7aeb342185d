"""aiortc's SCTP association (RFC 9260, RFC 8831), with bounds on what a peer can make it do."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
from collections.abc import Callable
from typing import Final

from aiortc import RTCDataChannel, RTCDtlsTransport, RTCSctpTransport
from aiortc.rtcsctptransport import (
    DATA_CHANNEL_OPEN,
    USERDATA_MAX_LENGTH,
    WEBRTC_DCEP,
    AbortChunk,
    DataChunk,
    ForwardTsnChunk,
    HeartbeatChunk,
    InitChunk,
    SackChunk,
    ShutdownCompleteChunk,
    tsn_plus_one,
)

from sealroom.media.session_description import SCTP_PORT

logger = logging.getLogger(__name__)

MAX_WINDOW: Final = 128 * USERDATA_MAX_LENGTH
"""Bytes on their way to the peer, each datagram counted as a full one: 128 of them.

So many fit twice into the queues that hand DTLS from the native core to asyncio
(`PacketPort::kMaxControlDatagrams`, `MAX_QUEUED_DTLS`): a burst of ours loses nothing there, nor
does it keep a consent check out.
"""

MAX_HELD_CHUNKS: Final = 2048
"""Pieces of unfinished messages, and messages that came too early, of all channels together."""

MAX_MISORDERED: Final = 1024
MAX_INBOUND_STREAMS: Final = 1024

MAX_CHANNELS: Final = 512
"""Channels of both sides at a time; more of the peer's are refused."""

MAX_LABEL_BYTES: Final = 256

MAX_TIMEOUTS: Final = 10
"""Retransmission time-outs in a row without a word of the peer (RFC 9260 section 8.1).

The next one ends the association: 10 to 30 s after the last word, as aiortc does not back off.
"""

RECEIVE_WINDOW: Final = 256 << 10
"""Bytes that may wait here, told to the peer (RFC 9260 section 6.2)."""

WINDOW_SLACK: Final = 64 << 10
"""Bytes taken beyond the window: those that were on their way when it shrank."""

MIN_WITHHELD: Final = 256
"""Bytes that a message which waits counts for at least."""

HEARTBEAT_INTERVAL: Final = 10.0
"""Seconds between heartbeats (RFC 9260 section 8.3): an association that only receives would not
notice otherwise that its peer has none any more. A peer that is silent for MAX_SILENT_HEARTBEATS of
them in a row has hung."""

MAX_SILENT_HEARTBEATS: Final = 3

_HEARTBEAT_INFO: Final = 1
_COMMON_HEADER: Final = struct.Struct("!HHLL")  # ports, verification tag, checksum
_INIT_HEADER: Final = struct.Struct("!BBHL")  # type, flags, length, initiate tag


class BoundedSctpTransport(RTCSctpTransport):
    """A reliable association. Whatever the peer sends ends it at worst, and never the media."""

    def __init__(self, dtls: RTCDtlsTransport, max_message_size: int) -> None:
        """`max_message_size`: bytes of a message taken from the peer."""
        super().__init__(dtls, SCTP_PORT)
        self._local_partial_reliability = False
        self.on_ended: Callable[[], None] | None = None
        self.on_established: Callable[[], None] | None = None
        self.is_path_up: Callable[[], bool] = lambda: True
        """Whether the peer could answer: time-outs count only while it could."""
        self._max_message_size = max_message_size
        self._advertised_rwnd = RECEIVE_WINDOW
        self._withheld = 0
        self._told_window = RECEIVE_WINDOW
        self._peer_window = RECEIVE_WINDOW
        self._is_probe = False
        self._has_ended = False
        self._timeouts = 0
        self._silent_heartbeats = 0
        self._heartbeat_handle: asyncio.TimerHandle | None = None
        self._held_chunks = 0

    def send_early(self, channel: RTCDataChannel, data: bytes) -> None:
        """Queues a message, also on a channel the peer has yet to confirm (RFC 8832 section 6)."""
        self._data_channel_send(channel, data)

    def discard(self, channel: RTCDataChannel) -> None:
        """Takes back what was queued on a channel and has not been cut into packets."""
        kept = []
        for one in self._data_channel_queue:
            if one[0] is not channel:
                kept.append(one)
            elif one[1] != WEBRTC_DCEP:
                channel._addBufferedAmount(-len(one[2]))
        self._data_channel_queue.clear()
        self._data_channel_queue.extend(kept)

    def withhold(self, size: int) -> None:
        """A message of this size has come and waits: the peer is to send less."""
        self._withheld += max(size, MIN_WITHHELD)
        self._advertised_rwnd -= max(size, MIN_WITHHELD)

    def release(self, size: int) -> None:
        """It waits no longer. Call `tell_window` after the last of several."""
        self._withheld -= max(size, MIN_WITHHELD)
        self._advertised_rwnd += max(size, MIN_WITHHELD)

    def tell_window(self) -> None:
        """Tells the peer of a window that has opened again, if it was nearly closed."""
        is_open = self._advertised_rwnd >= RECEIVE_WINDOW // 2
        if is_open and self._told_window < RECEIVE_WINDOW // 2 and not self._has_ended:
            asyncio.ensure_future(self._send_window())  # noqa: RUF006 - ends by itself, at once

    async def _send_window(self) -> None:
        with contextlib.suppress(ConnectionError):
            await self._send_sack()

    async def _send_sack(self) -> None:
        self._told_window = max(0, self._advertised_rwnd)
        await super()._send_sack()

    @property
    def has_ended(self) -> bool:
        """True once it failed, was aborted or stopped; it does not begin again."""
        return self._has_ended

    def is_left_by(self, initiate_tag: int) -> bool:
        """Whether an INIT under this tag means that the peer has begun another association."""
        return self._has_ended or self._remote_verification_tag not in (0, initiate_tag)

    async def give_up(self) -> None:
        """Ends the association and tells the peer (ABORT); idempotent."""
        if not self._has_ended:
            await self._abort()
            self.fail()

    def fail(self) -> None:
        """Ends the association without a word: its transport is gone."""
        self._data_channel_queue.clear()
        self._outbound_queue.clear()
        self._sent_queue.clear()
        self._set_state(self.State.CLOSED)

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        if state == self.State.CLOSED and not self._has_ended:
            self._has_ended = True
            # Before aiortc tells the channels one by one, that they end because of this; it does
            # not tell those that never got as far as the peer.
            if self._heartbeat_handle is not None:
                self._heartbeat_handle.cancel()
            if self.on_ended is not None:
                self.on_ended()
        super()._set_state(state)
        if state == self.State.ESTABLISHED:
            if self._heartbeat_handle is None:
                self._plan_heartbeat()
            if self.on_established is not None:
                self.on_established()

    async def _handle_data(self, data: bytes) -> None:
        # An exception here would end aiortc's DTLS transport, and with it the media.
        try:
            if self._has_ended:
                await self._refuse_late(data)
            else:
                self._silent_heartbeats = 0
                await super()._handle_data(data)
        except ConnectionError:
            self.fail()
        except Exception:
            logger.warning("the peer broke the rules of SCTP", exc_info=True)
            await self.give_up()

    async def _refuse_late(self, data: bytes) -> None:
        """Answers a packet of an association that is over (RFC 9260 section 8.4): ABORTs get lost.

        `ConnectionError` if DTLS is gone.
        """
        quiet = {AbortChunk.type, InitChunk.type, ShutdownCompleteChunk.type}
        if len(data) <= _COMMON_HEADER.size or data[_COMMON_HEADER.size] in quiet:
            return
        if _COMMON_HEADER.unpack_from(data)[2] == self._local_verification_tag:
            await self._send_chunk(AbortChunk())

    def _plan_heartbeat(self) -> None:
        loop = asyncio.get_running_loop()
        self._heartbeat_handle = loop.call_later(HEARTBEAT_INTERVAL, self._heartbeat_due)

    def _heartbeat_due(self) -> None:
        if self._silent_heartbeats >= MAX_SILENT_HEARTBEATS:
            logger.info("the peer's SCTP is silent")
            asyncio.ensure_future(self.give_up())  # noqa: RUF006 - ends by itself, at once
            return
        if self.is_path_up():
            self._silent_heartbeats += 1
            asyncio.ensure_future(self._send_heartbeat())  # noqa: RUF006 - likewise
        self._plan_heartbeat()

    async def _send_heartbeat(self) -> None:
        chunk = HeartbeatChunk()
        chunk.params.append((_HEARTBEAT_INFO, bytes(8)))
        with contextlib.suppress(ConnectionError):
            await self._send_chunk(chunk)

    def _t3_expired(self) -> None:
        self._is_probe = True  # one datagram goes out even into a closed window
        if self.is_path_up() and not self._is_window_closed:
            self._timeouts += 1
        if self._timeouts <= MAX_TIMEOUTS:
            super()._t3_expired()
            return
        logger.info("the peer's SCTP has not answered %d retransmissions", MAX_TIMEOUTS)
        self._t3_handle = None
        asyncio.ensure_future(self.give_up())  # noqa: RUF006 - ends by itself, at once

    async def _receive_data_chunk(self, chunk: DataChunk) -> None:
        if self._last_received_tsn is None:
            raise ValueError("data came before the association")
        if self._withheld and self._advertised_rwnd + WINDOW_SLACK < len(chunk.user_data):
            self._sack_needed = True  # it comes again, unless the peer ignores the window
            return
        if chunk.tsn == tsn_plus_one(self._last_received_tsn):
            # Nothing is missing, so it is the peer that does not finish its messages.
            if self._is_full(chunk, 2 * MAX_HELD_CHUNKS):
                raise ValueError("the peer leaves more messages unfinished than fit")
        elif len(self._sack_misordered) >= MAX_MISORDERED or self._is_full(chunk, MAX_HELD_CHUNKS):
            return  # it comes again, as it is not acknowledged
        await super()._receive_data_chunk(chunk)
        self._held_chunks += 1

    def _is_full(self, chunk: DataChunk, limit: int) -> bool:
        if self._held_chunks >= limit:  # counted from above, so that most chunks cost nothing
            self._held_chunks = sum(len(one.reassembly) for one in self._inbound_streams.values())
        is_new = chunk.stream_id not in self._inbound_streams
        return (
            self._held_chunks >= limit
            or self._advertised_rwnd + self._withheld < len(chunk.user_data)
            or (is_new and len(self._inbound_streams) >= MAX_INBOUND_STREAMS)
        )

    async def _receive_forward_tsn_chunk(self, chunk: ForwardTsnChunk) -> None:
        raise ValueError("partial reliability was not negotiated")

    async def _receive_sack_chunk(self, chunk: SackChunk) -> None:
        # aiortc walks through each gap block: none can reach beyond what is under way.
        if any(not start <= end <= len(self._sent_queue) for start, end in chunk.gaps):
            return
        self._timeouts = 0
        self._peer_window = chunk.advertised_rwnd
        await super()._receive_sack_chunk(chunk)

    @property
    def _is_window_closed(self) -> bool:
        return self._peer_window < USERDATA_MAX_LENGTH

    async def _receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        if len(data) > self._max_message_size and pp_id != WEBRTC_DCEP:
            raise ValueError("a message is longer than the session description allows")
        await super()._receive(stream_id, pp_id, data)

    async def _data_channel_receive(self, stream_id: int, pp_id: int, data: bytes) -> None:
        is_open = pp_id == WEBRTC_DCEP and data[:1] == bytes([DATA_CHANNEL_OPEN])
        is_full = len(self._data_channels) >= MAX_CHANNELS
        if is_open and (is_full or len(data) > 12 + MAX_LABEL_BYTES):
            raise ValueError("more data channels, or a longer name, than is allowed")
        await super()._data_channel_receive(stream_id, pp_id, data)

    def _flight_size_increase(self, chunk: DataChunk) -> None:
        chunk._book_size = (
            USERDATA_MAX_LENGTH  # queues count datagrams, and small ones cost as much
        )
        super()._flight_size_increase(chunk)

    async def _transmit(self) -> None:
        is_probe, self._is_probe = self._is_probe, False
        if self._is_window_closed and not is_probe:
            # The peer tells when it opens; should that be lost, the timer asks (RFC 9260 6.1 A).
            if self._t3_handle is None and (self._outbound_queue or self._sent_queue):
                self._t3_start()
            return
        own = min(self._cwnd, MAX_WINDOW)
        self._cwnd = min(own, max(self._peer_window, USERDATA_MAX_LENGTH))
        try:
            await super()._transmit()
        except ConnectionError:
            asyncio.get_running_loop().call_soon(self.fail)
        finally:
            self._cwnd = own


def initiate_tag(packet: bytes) -> int | None:
    """Returns the tag under which an INIT begins an association; None for any other packet."""
    if len(packet) < _COMMON_HEADER.size + _INIT_HEADER.size:
        return None
    tag = _COMMON_HEADER.unpack_from(packet)[2]
    kind, _, _, initiate = _INIT_HEADER.unpack_from(packet, _COMMON_HEADER.size)
    return initiate if tag == 0 and kind == InitChunk.type else None
