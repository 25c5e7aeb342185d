"""Data channels (RFC 8831, RFC 8832) on the DTLS association that carries the media."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiortc import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcsctptransport import RTCSctpCapabilities

from sealroom.media.errors import TransportError
from sealroom.media.sctp import BoundedSctpTransport
from sealroom.media.session_description import DEFAULT_MAX_MESSAGE_SIZE
from sealroom.media.transport import MediaTransport

logger = logging.getLogger(__name__)


class DataChannel:
    """An ordered, reliable channel of binary messages. Event-loop thread only.

    `on_message` gets each message, `on_closed` is called once when nothing comes or goes any more.
    """

    def __init__(self, sctp: BoundedSctpTransport, channel: RTCDataChannel) -> None:
        self._sctp = sctp
        self._channel = channel
        self._is_closed = False
        self._drained = asyncio.Event()
        self.on_message: Callable[[bytes], None] | None = None
        self.on_closed: Callable[[], None] | None = None
        channel.on("message", self._received)
        channel.on("close", self.ended)
        channel.on("bufferedamountlow", self._drained.set)

    @property
    def label(self) -> str:
        return self._channel.label

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    @property
    def is_gone(self) -> bool:
        """True once nothing of it is left to be sent either."""
        return self._channel.readyState == "closed"

    @property
    def buffered_amount(self) -> int:
        """Bytes queued to be sent, without those on their way (`sctp.MAX_WINDOW` at most)."""
        return self._channel.bufferedAmount

    def send(self, message: bytes) -> None:
        """Queues a message; also before the channel is confirmed. Raises TransportError."""
        if self._is_closed or self._channel.readyState in ("closing", "closed"):
            raise TransportError("the data channel is closed")
        try:
            self._sctp.send_early(self._channel, message)
        except ValueError as error:
            raise TransportError(str(error)) from None

    async def drained(self, bound: int) -> None:
        """Returns once at most `bound` bytes are queued; raises TransportError if it is closed."""
        while self.buffered_amount > bound and not self._is_closed:
            self._channel.bufferedAmountLowThreshold = bound
            self._drained.clear()
            await self._drained.wait()
        if self._is_closed:
            raise TransportError("the data channel is closed")

    def close(self, *, discard: bool = False) -> None:
        """Closes it after what is queued, or with `discard` without that; idempotent."""
        if self._is_closed:
            return
        if discard:
            self._sctp.discard(self._channel)
        self._channel.close()
        self.ended()

    def ended(self) -> None:
        """The channel is over, for whatever reason; idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        self._drained.set()
        if self.on_closed is not None:
            self.on_closed()

    def _received(self, message: bytes | str) -> None:
        # Whoever takes messages must not end the transport with an exception.
        if self._is_closed or self.on_message is None:
            return
        try:
            self.on_message(message.encode() if isinstance(message, str) else message)
        except Exception:
            logger.exception("handling a data message failed")


class DataChannels:
    """The channels of one peer connection; `MediaPeer.use_data_channels` makes it.

    `on_channel` gets each channel that the peer opens, before its first message.
    """

    def __init__(
        self, transport: MediaTransport, max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE
    ) -> None:
        self.max_message_size = max_message_size
        self.on_channel: Callable[[DataChannel], None] | None = None
        self._transport = transport
        self._sctp = BoundedSctpTransport(transport.dtls, max_message_size)
        self._sctp.on("datachannel", self._channel_came)
        self._sctp.on_ended = self.refused
        self._channels: set[DataChannel] = set()
        self._start: asyncio.Task[None] | None = None
        self._is_closed = False
        transport.dtls.on("statechange", self._dtls_changed)

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    @property
    def buffered_amount(self) -> int:
        """Bytes queued to be sent on all channels, closing ones too."""
        return sum(one.buffered_amount for one in self._channels if not one.is_gone)

    def open(self, label: str) -> DataChannel:
        """Opens a channel, also before there is a connection. Raises TransportError."""
        if self._is_closed:
            raise TransportError("the data channels of this connection are closed")
        return self._keep(RTCDataChannel(self._sctp, RTCDataChannelParameters(label=label)))

    def begin(self, port: int, max_message_size: int) -> None:
        """Connects once DTLS is up: the peer said its SCTP port and how much it takes.

        Further calls change nothing.
        """
        if self._start is None and not self._is_closed:
            self._start = asyncio.create_task(self._connect(port, max_message_size))

    async def close(self) -> None:
        """Ends all channels; idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._start is not None:
            self._start.cancel()
            await asyncio.gather(self._start, return_exceptions=True)
        await self._sctp.stop()
        self._end_all()

    def refused(self) -> None:
        """The peer does not do data channels, or no longer; idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._start is not None:
            self._start.cancel()
        self._sctp.fail()
        self._end_all()

    async def _connect(self, port: int, max_message_size: int) -> None:
        try:
            await self._transport.connected()
            await self._sctp.start(RTCSctpCapabilities(max_message_size), port)
        except (TransportError, ConnectionError):
            self.refused()

    def _dtls_changed(self) -> None:
        if self._transport.dtls.state in ("failed", "closed"):
            self.refused()

    def _channel_came(self, channel: RTCDataChannel) -> None:
        ours = self._keep(channel)
        if self.on_channel is None or not channel.ordered:
            ours.close()
        else:
            self.on_channel(ours)

    def _keep(self, channel: RTCDataChannel) -> DataChannel:
        ours = DataChannel(self._sctp, channel)
        self._channels = {one for one in self._channels if not one.is_gone} | {ours}
        return ours

    def _end_all(self) -> None:
        channels, self._channels = self._channels, set()
        for channel in channels:
            channel.ended()
