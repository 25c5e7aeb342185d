"""One DTLS-SRTP association: encoded frames in, datagrams out, and back."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from . import BytesLike
from .net import IoThread, TransportStatistics

RejectReason: TypeAlias = Literal[
    "not_encrypted", "unknown_key_id", "replayed", "authentication_failed", "queue_overflow"
]
Event: TypeAlias = FrameReceived | FrameRejected | KeyFrameRequested | RemoteBye

class FrameReceived:
    """A whole encoded frame, authentic unless `rejected` names why it is not."""
    @property
    def arrival(self) -> float:
        """CLOCK_MONOTONIC seconds of its first packet."""
    @property
    def data(self) -> npt.NDArray[np.uint8]:
        """Owns its memory; empty where `is_missing`."""
    @property
    def is_key_frame(self) -> bool: ...
    @property
    def is_missing(self) -> bool:
        """Audio: conceal this frame."""
    @property
    def receiver(self) -> int: ...
    @property
    def rejected(self) -> RejectReason | None:
        """Why it is not authentic; None unless broken frames are not dropped."""
    @property
    def rtp_timestamp(self) -> int: ...

class FrameRejected:
    """Frames refused since the last such event of this receiver and reason."""
    @property
    def count(self) -> int: ...
    @property
    def reason(self) -> RejectReason: ...
    @property
    def receiver(self) -> int: ...

class KeyFrameRequested:
    """The other end needs a key frame."""
    @property
    def sender(self) -> int: ...

class RemoteBye:
    """The other end stopped this stream (RTCP BYE)."""
    @property
    def receiver(self) -> int: ...

class SessionStatistics:
    """Counters of a MediaSession."""
    @property
    def datagrams_received(self) -> int: ...
    @property
    def datagrams_rejected(self) -> int:
        """Before keys, not authentic, replayed, malformed or of a stream that was given up."""
    @property
    def datagrams_replayed(self) -> int:
        """Of these: replayed or too old."""
    @property
    def datagrams_unrouted(self) -> int:
        """Authentic, but of no receiver, or of a stream that another took the place of."""

class SenderStatistics:
    """Counters of one sender."""
    @property
    def bytes_sent(self) -> int:
        """RTP payload, without retransmissions."""
    @property
    def fraction_lost(self) -> float:
        """0 to 1, from the last receiver report."""
    @property
    def frames_sent(self) -> int: ...
    @property
    def key_frame_requests_received(self) -> int: ...
    @property
    def nacks_received(self) -> int:
        """Packets asked for."""
    @property
    def packets_retransmitted(self) -> int: ...
    @property
    def packets_sent(self) -> int: ...
    @property
    def round_trip_time(self) -> float:
        """Seconds; 0 until measured."""

class ReceiverStatistics:
    """Counters of one receiver."""
    @property
    def bytes_received(self) -> int:
        """RTP payload."""
    @property
    def frames_dropped(self) -> int:
        """Incomplete, or undecodable after a loss."""
    @property
    def frames_missing(self) -> int:
        """Audio: handed on to be concealed."""
    @property
    def frames_received(self) -> int:
        """Authentic ones."""
    @property
    def jitter(self) -> int:
        """RFC 3550, in timestamp units."""
    @property
    def key_frame_requests_sent(self) -> int: ...
    @property
    def nacks_sent(self) -> int: ...
    @property
    def packets_discarded(self) -> int: ...
    @property
    def packets_duplicated(self) -> int: ...
    @property
    def packets_from_redundancy(self) -> int:
        """Lost, or late, and taken from a RED packet (RFC 2198)."""
    @property
    def packets_lost(self) -> int:
        """As in the receiver report (RFC 3550)."""
    @property
    def packets_malformed(self) -> int:
        """Authentic, but with a payload that breaks its format."""
    @property
    def packets_received(self) -> int: ...
    @property
    def packets_recovered(self) -> int:
        """Arrived after a NACK."""
    @property
    def rejected(self) -> dict[str, int]:
        """Frames not handed on, by reason."""
    @property
    def retransmissions_received(self) -> int:
        """On the RTX stream (RFC 4588); not among packets_received."""

class MediaSession:
    """Sends and receives the tracks of one DTLS-SRTP association on the I/O thread. `extensions`
    are ids of RTP header extensions, as in {"mid": 1, "abs_send_time": 2}. Methods that take
    the id of a sender or receiver raise InvalidArgumentError for an unknown one. With
    `pacing_rate`, bit/s of at least 10,000, what is sent is spread over time, in bursts of 5 ms;
    audio goes first and nothing waits longer than 250 ms. Thread-safe. A child of fork has to make
    its own: there the methods of this one raise NotReadyError. Raises OSError when out of
    descriptors.
    """
    def __init__(
        self,
        io_thread: IoThread | None = None,
        *,
        backend: str | None = None,
        cname: str = "sealroom",
        extensions: Mapping[str, int] = {},
        pacing_rate: int | None = None,
    ) -> None: ...
    def add_receiver(
        self,
        *,
        mid: str = "",
        ssrc: int | None = None,
        payload_type: int,
        codec: str,
        protection: bool = True,
        rtx_payload_type: int | None = None,
        rtx_ssrc: int | None = None,
        repaired_rid: str = "",
        red_payload_type: int | None = None,
    ) -> int:
        """The id of a new track on its way in. Without `ssrc` it takes the first one that comes
        with `mid`, or with the payload type where the packets have no mid. Raises
        UnsupportedError, LimitExceededError (1024 receivers). Retransmissions (RFC 4588) are
        known by `rtx_payload_type`, `rtx_ssrc` if given and `repaired_rid` if not empty;
        packets of `red_payload_type` carry Opus with redundancy (RFC 2198).
        """
    def add_receiver_key(
        self, receiver: int, *, suite: int, key_id: int, base_key: BytesLike
    ) -> None:
        """Frames of this key id are accepted, besides those of earlier keys."""
    def add_sender(
        self,
        *,
        ssrc: int,
        payload_type: int,
        codec: str,
        mid: str = "",
        protection: bool = True,
        rtx: tuple[int, int] | None = None,
        red: tuple[int, int] | None = None,
    ) -> int:
        """The id of a new track on its way out.

        `codec`: "vp8", "vp9", "h264", "av1" or "opus"; without `protection` frames leave without
        end-to-end encryption. Raises UnsupportedError, LimitExceededError (256 senders, 65,536
        SSRCs in all). An SSRC that a sender of this session has, or had after start, is refused:
        SRTP never uses one twice under a key. `rtx`, (SSRC, payload type), answers NACKs on a
        stream of its own (RFC 4588); `red`, (payload type, distance 1 to 8), sends Opus with so
        many frames once more in each packet (RFC 2198).
        """
    def attach_socket(self, fd: int) -> None:
        """Takes over a connected UDP socket, in place of the one before; closes it on failure."""
    def close(self) -> None:
        """Stops sending and receiving. Idempotent."""
    def detach_socket(self) -> None: ...
    def receive_datagram(self, data: BytesLike) -> None:
        """An SRTP or SRTCP datagram that came by other means than the socket."""
    def receiver_statistics(self, receiver: int) -> ReceiverStatistics: ...
    def remove_receiver(self, receiver: int) -> None: ...
    def remove_receiver_key(self, receiver: int, key_id: int) -> None:
        """Raises KeyNotFoundError."""
    def remove_sender(self, sender: int) -> None:
        """Ends the track with an RTCP BYE."""
    def request_key_frame(self, receiver: int) -> None:
        """Asks the other end for a key frame, at a limited rate."""
    def send_frame(
        self,
        sender: int,
        data: BytesLike,
        *,
        rtp_timestamp: int,
        audio_level: int | None = None,
        voice_activity: bool = False,
        is_key_frame: bool | None = None,
    ) -> None:
        """Sends an encoded frame; `audio_level` is in -dBov, 0 the loudest, to 127 (RFC 6464).
        `is_key_frame` is read from the data where it is None: give it for VP9 and AV1 that are
        encrypted already.
        Raises NotReadyError before start or set_sender_key and after close,
        LimitExceededError above 2 MiB or 1920 packets, of audio 1300 bytes, KeyExhaustedError.
        """
    def sender_statistics(self, sender: int) -> SenderStatistics: ...
    def set_drop_broken_frames(self, receiver: int, drop: bool) -> None:
        """Whether frames that fail authentication are only counted, or also come as events
        with `rejected` set and the bytes that arrived.
        """
    def set_extensions(self, extensions: Mapping[str, int]) -> None:
        """Replaces the ids of RTP header extensions by those that negotiation settled."""
    def set_pacing_rate(self, rate: int | None) -> None:
        """From now on, bit/s; None stops pacing and sends what waits."""
    def set_sender_key(self, sender: int, *, suite: int, key_id: int, base_key: BytesLike) -> None:
        """Later frames use this SFrame key; its id must be above the one before."""
    def start(self, *, profile: int, send_key: BytesLike, receive_key: BytesLike) -> None:
        """Master key and salt of each direction, as the DTLS exporter gives them. Once."""
    def statistics(self) -> SessionStatistics: ...
    def take_control(self) -> list[bytes]:
        """Datagrams from the socket that are not media (STUN, DTLS), oldest first."""
    def take_events(self) -> list[Event]:
        """At most 256 events, oldest first."""
    def take_outgoing(self) -> list[bytes]:
        """Without a socket: the newest 2048 datagrams to send by other means, oldest first."""
    def transport_statistics(self) -> TransportStatistics:
        """Counters of the sockets, those before the present one included."""
    @property
    def backend(self) -> str: ...
    @property
    def event_fd(self) -> int:
        """Readable when there is something to take."""
    @property
    def is_attached(self) -> bool: ...
