"""Data channels (RFC 8831, RFC 8832) on the DTLS association that carries the media."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

from aiortc import RTCDataChannel, RTCDataChannelParameters, RTCDtlsTransport
from aiortc.rtcsctptransport import RTCSctpCapabilities

from sealroom.media.errors import TransportError
from sealroom.media.sctp import BoundedSctpTransport, initiate_tag
from sealroom.media.session_description import DEFAULT_MAX_MESSAGE_SIZE
from sealroom.media.transport import MediaTransport

logger = logging.getLogger(__name__)

MAX_RESTARTS: Final = 32
"""Associations after the first one, of either side's making, on one DTLS association."""


MIN_DRAIN_PAUSE: Final = 0.02
"""Seconds between two looks at messages that wait to be admitted."""


class DataChannel:
    """An ordered, reliable channel of binary messages. Event-loop thread only.

    `on_message` gets each message, `on_closed` is called once when nothing comes or goes any more.
    """

    def __init__(
        self,
        sctp: BoundedSctpTransport,
        channel: RTCDataChannel,
        take: Callable[[DataChannel, bytes], None],
    ) -> None:
        """`take` gets each message, and calls `deliver` with it now or later."""
        self._take = take
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

    @property
    def can_send(self) -> bool:
        """False once it is closed or about to be."""
        return not self._is_closed and self._channel.readyState not in ("closing", "closed")

    def send(self, message: bytes) -> None:
        """Queues a message; also before the channel is confirmed. Raises TransportError."""
        if not self.can_send:
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
        if not self._is_closed:
            self._take(self, message.encode() if isinstance(message, str) else message)

    def deliver(self, message: bytes) -> None:
        """Hands a message on, unless it is closed."""
        # Whoever takes messages must not end the transport with an exception.
        if self._is_closed or self.on_message is None:
            return
        try:
            self.on_message(message)
        except Exception:
            logger.exception("handling a data message failed")


class _DtlsView:
    """DTLS as an association sees it, so that another one can take its place there."""

    def __init__(self, dtls: RTCDtlsTransport) -> None:
        self._dtls = dtls

    @property
    def state(self) -> str:
        return self._dtls.state

    @property
    def _role(self) -> str:
        return str(self._dtls._role)

    async def _send_data(self, data: bytes) -> None:
        await self._dtls._send_data(data)

    def _register_data_receiver(self, receiver: Any) -> None:
        """`DataChannels` receives, and hands on."""

    _unregister_data_receiver = _register_data_receiver


class DataChannels:
    """The channels of one peer connection; `MediaPeer.use_data_channels` makes it.

    `on_channel` gets each channel that the peer opens, before its first message.

    The SCTP association under them may die alone, while DTLS and media live on: it is aborted, or
    the peer does not answer retransmissions. All channels end then, and `on_lost` is called.
    `restart` makes another association, at most MAX_RESTARTS of them; an INIT of the peer's does
    the same from its side (RFC 9260 section 5.2.4.1). `on_restarted` is called when it is there,
    for channels to be opened on it.

    `admit`, if it is set, is asked with label and size before each message is handed on: 0 lets it
    pass, anything else are seconds to wait. Meanwhile all messages of the connection wait in order
    and count against the receive window, so that the peer stops sending (RFC 9260 section 6.2).
    """

    def __init__(
        self, transport: MediaTransport, max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE
    ) -> None:
        self.max_message_size = max_message_size
        self.on_channel: Callable[[DataChannel], None] | None = None
        self.on_lost: Callable[[], None] | None = None
        self.on_restarted: Callable[[], None] | None = None
        self.admit: Callable[[str, int], float] | None = None
        self._waiting: deque[tuple[DataChannel, bytes]] = deque()  # to be admitted
        self._drain_handle: asyncio.TimerHandle | None = None
        self._transport = transport
        self._view = cast(RTCDtlsTransport, _DtlsView(transport.dtls))
        self._sctp = self._new_association()
        self._restarts = 0
        self._remote = (0, 0)  # SCTP port, bytes of a message the peer takes
        self._channels: set[DataChannel] = set()
        self._start: asyncio.Task[None] | None = None
        self._is_down = False
        self._settled = asyncio.Event()  # the newest association is there, or has ended
        self._is_closed = False
        transport.dtls.on("statechange", self._dtls_changed)

    @property
    def is_closed(self) -> bool:
        """True once there will be no further association either."""
        return self._is_closed

    @property
    def is_down(self) -> bool:
        """True from the end of an association until another one is there."""
        return self._is_down

    @property
    def buffered_amount(self) -> int:
        """Bytes queued to be sent on all channels, closing ones too."""
        return sum(one.buffered_amount for one in self._channels if not one.is_gone)

    def open(self, label: str) -> DataChannel:
        """Opens a channel, also before there is a connection. Raises TransportError."""
        if self._is_closed:
            raise TransportError("the data channels of this connection are closed")
        if self._is_down:
            raise TransportError("the data channels of this connection are down")
        return self._keep(RTCDataChannel(self._sctp, RTCDataChannelParameters(label=label)))

    def begin(self, port: int, max_message_size: int) -> None:
        """Connects once DTLS is up: the peer said its SCTP port and how much it takes.

        Further calls change nothing.
        """
        if self._start is None and not self._is_closed:
            self._remote = (port, max_message_size)
            self._start = asyncio.create_task(self._connect())

    async def restart(self) -> None:
        """Makes another association in place of one that ended; returns once it is there.

        What waited to be sent on the old one is gone. Raises TransportError.
        """
        if not self._is_down and not self._is_closed:
            return
        if self._sctp.has_ended:  # else the peer has begun another one
            if self._is_closed or not self._replace():
                raise TransportError("no further data association can be made here")
            await self._begin_association()
        await self._settled.wait()
        if self._is_down or self._is_closed:
            raise TransportError("the peer does not take part in another data association")

    async def close(self) -> None:
        """Ends all channels; idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._start is not None:
            self._start.cancel()
            await asyncio.gather(self._start, return_exceptions=True)
        await self._sctp.stop()
        self._transport.dtls._unregister_data_receiver(self)
        self._settled.set()
        self._end_all()

    def refused(self) -> None:
        """The peer does not do data channels, or no longer; idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._start is not None:
            self._start.cancel()
        self._sctp.fail()
        self._settled.set()
        self._end_all()

    async def _connect(self) -> None:
        try:
            await self._transport.connected()
        except TransportError:
            self.refused()
            return
        self._transport.dtls._register_data_receiver(self)
        await self._begin_association()

    async def _begin_association(self) -> None:
        port, max_message_size = self._remote
        try:
            await self._sctp.start(RTCSctpCapabilities(max_message_size), port)
        except ConnectionError:
            self.refused()

    async def _handle_data(self, data: bytes) -> None:
        """Takes what comes over DTLS."""
        if self._is_closed:
            return
        tag = initiate_tag(data)
        if tag is not None and self._sctp.is_left_by(tag):
            if not self._replace():
                return
            await self._begin_association()
        await self._sctp._handle_data(data)

    def _new_association(self) -> BoundedSctpTransport:
        sctp = BoundedSctpTransport(self._view, self.max_message_size)
        sctp.is_path_up = lambda: self._transport.state == "connected"
        sctp.on("datachannel", self._channel_came)
        sctp.on_ended = lambda: self._association_ended(sctp)
        sctp.on_established = lambda: self._association_came(sctp)
        return sctp

    def _replace(self) -> bool:
        """Puts a new association in the place of the one there is; False if it was the last."""
        if self._restarts >= MAX_RESTARTS:
            return False
        self._restarts += 1
        if not self._sctp.has_ended:
            self._sctp.fail()
        self._settled.clear()
        self._sctp = self._new_association()
        return True

    def _association_came(self, sctp: BoundedSctpTransport) -> None:
        if sctp is not self._sctp or self._is_closed:
            return
        self._settled.set()
        if self._is_down:
            self._is_down = False
            if self.on_restarted is not None:
                self.on_restarted()

    def _association_ended(self, sctp: BoundedSctpTransport) -> None:
        if sctp is not self._sctp or self._is_closed:
            return
        self._is_down = True
        self._settled.set()
        self._end_all()
        if self.on_lost is not None:
            self.on_lost()

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
        ours = DataChannel(self._sctp, channel, self._take)
        self._channels = {one for one in self._channels if not one.is_gone} | {ours}
        return ours

    def _take(self, channel: DataChannel, message: bytes) -> None:
        if not self._waiting and (
            self.admit is None or self.admit(channel.label, len(message)) == 0
        ):
            channel.deliver(message)
            return
        self._waiting.append((channel, message))
        self._sctp.withhold(len(message))
        if self._drain_handle is None:
            self._drain_later(MIN_DRAIN_PAUSE)

    def _drain_later(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._drain_handle = loop.call_later(max(MIN_DRAIN_PAUSE, seconds), self._drain)

    def _drain(self) -> None:
        self._drain_handle = None
        while self._waiting:
            channel, message = self._waiting[0]
            seconds = 0.0 if self.admit is None else self.admit(channel.label, len(message))
            if seconds > 0:
                self._drain_later(seconds)
                break
            self._waiting.popleft()
            self._sctp.release(len(message))
            channel.deliver(message)
        self._sctp.tell_window()

    def _end_all(self) -> None:
        self._waiting.clear()
        if self._drain_handle is not None:
            self._drain_handle.cancel()
            self._drain_handle = None
        channels, self._channels = self._channels, set()
        for channel in channels:
            channel.ended()
