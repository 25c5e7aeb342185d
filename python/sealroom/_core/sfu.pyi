"""The selective forwarding unit: SRTP in, SRTP out per subscriber; no frame keys."""

from collections.abc import Mapping
from typing import Never

import numpy as np
import numpy.typing as npt

from . import BytesLike
from .net import IoThread, TransportStatistics

class TappedFrame:
    """A frame as the router could see it: its payload, which is ciphertext."""
    @property
    def data(self) -> npt.NDArray[np.uint8]: ...
    @property
    def is_key_frame(self) -> bool: ...
    @property
    def rtp_timestamp(self) -> int: ...

class RouterStatistics:
    """Counters of a Router."""
    @property
    def bytes_forwarded(self) -> int: ...
    @property
    def packets_forwarded(self) -> int: ...
    @property
    def packets_received(self) -> int: ...
    @property
    def packets_rejected(self) -> int:
        """Not authentic, replayed, of no producer, of a stream that was given up, or
        larger than 1500 bytes.
        """

class ProducerStatistics:
    """Counters of one producer."""
    @property
    def bytes_received(self) -> int: ...
    @property
    def key_frame_requests_sent(self) -> int: ...
    @property
    def nacks_sent(self) -> int: ...
    @property
    def packets_lost(self) -> int: ...
    @property
    def packets_received(self) -> int: ...

class ConsumerStatistics:
    """Counters of one consumer."""
    @property
    def bytes_sent(self) -> int: ...
    @property
    def fraction_lost(self) -> int:
        """Of 256, from the last receiver report."""
    @property
    def key_frame_requests_received(self) -> int: ...
    @property
    def nacks_received(self) -> int: ...
    @property
    def packets_retransmitted(self) -> int: ...
    @property
    def packets_sent(self) -> int: ...

class RouterTransport:
    """One DTLS-SRTP association of a router."""
    def attach_socket(self, fd: int) -> None:
        """Takes over a connected UDP socket, in place of the one before; closes it on failure."""
    def close(self) -> None:
        """Takes its producers and consumers out of the router. Idempotent."""
    def detach_socket(self) -> None: ...
    def receive_datagram(self, data: BytesLike) -> None:
        """An SRTP or SRTCP datagram that came by other means than the socket."""
    def set_extensions(self, extensions: Mapping[str, int]) -> None:
        """Replaces the ids of RTP header extensions by those that negotiation settled."""
    def start(self, *, profile: int, send_key: BytesLike, receive_key: BytesLike) -> None:
        """Master key and salt of each direction, as the DTLS exporter gives them. Once."""
    def take_control(self) -> list[bytes]:
        """Datagrams from the socket that are not media (STUN, DTLS), oldest first."""
    def take_events(self) -> list[Never]:
        """Always empty; clears the descriptor."""
    def take_outgoing(self) -> list[bytes]:
        """Without a socket: the newest 2048 datagrams to send by other means, oldest first."""
    def transport_statistics(self) -> TransportStatistics:
        """Counters of the sockets, those before the present one included."""
    @property
    def event_fd(self) -> int:
        """Readable when there is something to take."""
    @property
    def id(self) -> int: ...
    @property
    def is_attached(self) -> bool: ...

class Router:
    """Forwards tracks between transports on the I/O thread. A child of fork has to make its own:
    there the methods of this one raise NotReadyError.
    """
    def __init__(
        self, io_thread: IoThread | None = None, *, backend: str | None = None
    ) -> None: ...
    def add_consumer(
        self, transport: RouterTransport, producer: int, *, ssrc: int, payload_type: int, mid: str
    ) -> int:
        """The id of a forwarding of `producer` to `transport`, under its own ssrc, payload type
        and mid. Raises LimitExceededError.
        """
    def add_producer(
        self,
        transport: RouterTransport,
        *,
        mid: str,
        ssrc: int | None = None,
        payload_type: int,
        codec: str,
    ) -> int:
        """The id of a track that arrives by `transport`. Without `ssrc` it takes the first one
        that comes with `mid`. Of streams without a producer 1024 are kept, and the ssrc of
        one that was given up is refused. Raises UnsupportedError, LimitExceededError (3040
        producers of a transport).
        """
    def consumer_statistics(self, consumer: int) -> ConsumerStatistics: ...
    def create_transport(self, *, extensions: Mapping[str, int]) -> RouterTransport:
        """Ids of RTP header extensions as in {"mid": 1, "abs_send_time": 2}.
        Raises LimitExceededError, OSError when out of descriptors.
        """
    def producer_statistics(self, producer: int) -> ProducerStatistics: ...
    def remove_consumer(self, consumer: int) -> None: ...
    def remove_producer(self, producer: int) -> None: ...
    def set_consumer_paused(self, consumer: int, paused: bool) -> None: ...
    def set_tap(self, producer: int, enabled: bool) -> None:
        """Whether whole frames are kept to be taken: what the server can see of them."""
    def statistics(self) -> RouterStatistics: ...
    def take_tapped_frames(self, producer: int) -> list[TappedFrame]:
        """Frames kept since the last call, oldest first; empty for an unknown producer."""
