"""aiortc's SCTP association (RFC 9260, RFC 8831), with bounds on what a peer can make it do."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from aiortc import RTCDataChannel, RTCDtlsTransport, RTCSctpTransport
from aiortc.rtcsctptransport import (
    DATA_CHANNEL_OPEN,
    USERDATA_MAX_LENGTH,
    WEBRTC_DCEP,
    DataChunk,
    ForwardTsnChunk,
    SackChunk,
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


class BoundedSctpTransport(RTCSctpTransport):
    """A reliable association. Whatever the peer sends ends it at worst, and never the media."""

    def __init__(self, dtls: RTCDtlsTransport, max_message_size: int) -> None:
        """`max_message_size`: bytes of a message taken from the peer."""
        super().__init__(dtls, SCTP_PORT)
        self._local_partial_reliability = False
        self.on_ended: Callable[[], None] | None = None
        self._max_message_size = max_message_size
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

    def fail(self) -> None:
        """Ends the association without a word: its transport is gone."""
        self._data_channel_queue.clear()
        self._outbound_queue.clear()
        self._sent_queue.clear()
        self._set_state(self.State.CLOSED)

    def _set_state(self, state: RTCSctpTransport.State) -> None:
        super()._set_state(state)
        if state == self.State.CLOSED and self.on_ended is not None:
            self.on_ended()  # aiortc does not tell channels that never got as far as the peer

    async def _handle_data(self, data: bytes) -> None:
        # An exception here would end aiortc's DTLS transport, and with it the media.
        try:
            await super()._handle_data(data)
        except ConnectionError:
            self.fail()
        except Exception:
            logger.warning("the peer broke the rules of SCTP", exc_info=True)
            self.fail()

    async def _receive_data_chunk(self, chunk: DataChunk) -> None:
        if self._last_received_tsn is None:
            raise ValueError("data came before the association")
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
            or self._advertised_rwnd < len(chunk.user_data)
            or (is_new and len(self._inbound_streams) >= MAX_INBOUND_STREAMS)
        )

    async def _receive_forward_tsn_chunk(self, chunk: ForwardTsnChunk) -> None:
        raise ValueError("partial reliability was not negotiated")

    async def _receive_sack_chunk(self, chunk: SackChunk) -> None:
        # aiortc walks through each gap block: none can reach beyond what is under way.
        if any(not start <= end <= len(self._sent_queue) for start, end in chunk.gaps):
            return
        await super()._receive_sack_chunk(chunk)

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
        self._cwnd = min(self._cwnd, MAX_WINDOW)
        try:
            await super()._transmit()
        except ConnectionError:
            asyncio.get_running_loop().call_soon(self.fail)
