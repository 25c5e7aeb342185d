"""RTP and RTCP packets and payload formats."""

from collections.abc import Mapping, Sequence

from . import BytesLike

class HeaderExtensions:
    """Values of the RTP header extensions (RFC 8285), None if absent."""
    def __init__(
        self,
        *,
        mid: str | None = None,
        rid: str | None = None,
        repaired_rid: str | None = None,
        abs_send_time: int | None = None,
        transport_sequence_number: int | None = None,
        audio_level: tuple[bool, int] | None = None,
    ) -> None: ...
    @property
    def abs_send_time(self) -> int | None:
        """Seconds in 6.18 fixed point, 24 bits."""
    @property
    def audio_level(self) -> tuple[bool, int] | None:
        """(voice activity, -dBov from 0, the loudest, to 127), RFC 6464."""
    @property
    def mid(self) -> str | None: ...
    @property
    def repaired_rid(self) -> str | None: ...
    @property
    def rid(self) -> str | None: ...
    @property
    def transport_sequence_number(self) -> int | None: ...

class RtpPacket:
    """A parsed RTP packet (RFC 3550 section 5.1)."""
    @property
    def extensions(self) -> HeaderExtensions: ...
    @property
    def header_size(self) -> int:
        """With CSRCs and extensions, bytes."""
    @property
    def marker(self) -> bool: ...
    @property
    def padding_size(self) -> int:
        """Bytes."""
    @property
    def payload(self) -> bytes:
        """Without padding."""
    @property
    def payload_type(self) -> int: ...
    @property
    def sequence_number(self) -> int: ...
    @property
    def ssrc(self) -> int: ...
    @property
    def timestamp(self) -> int: ...

class Packetizer:
    """Cuts frames into payloads of nearly equal size.

    Codecs: "vp8" (RFC 7741), "vp9" (RFC 9628), "h264" (RFC 6184 mode 1; frames in Annex B),
    "av1" (AV1 RTP specification; frames are OBUs), "opus" (RFC 7587). For one thread.
    """
    def __init__(self, codec: str, *, first_picture_id: int = 0) -> None: ...
    def packetize(
        self,
        frame: BytesLike,
        max_payload: int,
        *,
        is_key_frame: bool | None = None,
        width: int = 0,
        height: int = 0,
    ) -> list[bytes]:
        """The payloads of one frame, each at most max_payload bytes with its descriptor.

        is_key_frame is read from the frame where it is None: give it where VP9 or AV1 are encrypted.
        width and height in pixels go into the descriptor of VP9 key frames; 0: read from the frame.

        Raises InvalidArgumentError for a frame that is empty, not of the codec's format or cannot
        be cut that small.
        """

class PayloadPart:
    """What one packet carries of a frame."""
    @property
    def data(self) -> bytes:
        """A piece of the frame; of AV1, what assemble_frame makes the frame from."""
    @property
    def is_key_frame(self) -> bool:
        """Meaningful where starts_frame; always true for Opus."""
    @property
    def starts_frame(self) -> bool: ...

class ReportBlock:
    """RFC 3550 section 6.4.1."""
    def __init__(
        self,
        *,
        ssrc: int,
        fraction_lost: int = 0,
        cumulative_lost: int = 0,
        extended_highest_sequence: int = 0,
        jitter: int = 0,
        last_sender_report: int = 0,
        delay_since_last_sender_report: int = 0,
    ) -> None: ...
    @property
    def cumulative_lost(self) -> int:
        """24 bit, signed."""
    @property
    def delay_since_last_sender_report(self) -> int:
        """In 1/65536 s."""
    @property
    def extended_highest_sequence(self) -> int: ...
    @property
    def fraction_lost(self) -> int:
        """Of 256."""
    @property
    def jitter(self) -> int:
        """In timestamp units."""
    @property
    def last_sender_report(self) -> int:
        """Middle 32 bits of its NTP time."""
    @property
    def ssrc(self) -> int: ...

class SenderReport:
    """RFC 3550 section 6.4.1."""
    def __init__(
        self,
        *,
        sender: int,
        ntp_time: int,
        rtp_timestamp: int,
        packet_count: int,
        octet_count: int,
        reports: Sequence[ReportBlock] = [],
    ) -> None: ...
    @property
    def ntp_time(self) -> int:
        """Seconds since 1900, 32.32 fixed point."""
    @property
    def octet_count(self) -> int: ...
    @property
    def packet_count(self) -> int: ...
    @property
    def reports(self) -> list[ReportBlock]: ...
    @property
    def rtp_timestamp(self) -> int: ...
    @property
    def sender(self) -> int: ...

class ReceiverReport:
    """RFC 3550 section 6.4.2."""
    def __init__(self, *, sender: int, reports: Sequence[ReportBlock] = []) -> None: ...
    @property
    def reports(self) -> list[ReportBlock]: ...
    @property
    def sender(self) -> int: ...

class SourceDescription:
    """The first chunk's CNAME, empty if it has none (RFC 3550 6.5)."""
    @property
    def cname(self) -> str: ...
    @property
    def ssrc(self) -> int: ...

class Bye:
    """RFC 3550 section 6.6."""
    @property
    def sources(self) -> list[int]: ...

class Nack:
    """RFC 4585 section 6.2.1, at most 512 packets."""
    @property
    def media(self) -> int: ...
    @property
    def sender(self) -> int: ...
    @property
    def sequence_numbers(self) -> list[int]: ...

class PictureLossIndication:
    """RFC 4585 section 6.3.1."""
    @property
    def media(self) -> int: ...
    @property
    def sender(self) -> int: ...

class FullIntraRequest:
    """RFC 5104 section 4.3.1."""
    @property
    def sender(self) -> int: ...
    @property
    def targets(self) -> list[int]:
        """SSRCs of the media."""

class RtcpPacket:
    """A packet without a class of its own."""
    @property
    def body(self) -> bytes: ...
    @property
    def format(self) -> int:
        """Format, count or subtype, 5 bits."""
    @property
    def type(self) -> int: ...

def assemble_frame(codec: str, payloads: Sequence[BytesLike]) -> bytes:
    """The frame in the payloads of all its packets, in order.

    H.264 comes with start codes of four bytes, AV1 with size fields and without temporal delimiters.
    Raises MalformedError if the payloads are not one whole frame.
    """

def depacketize(codec: str, payload: BytesLike) -> PayloadPart:
    """Remove the payload descriptor.

    Raises MalformedError, or UnsupportedError for a packet type outside H.264 mode 1.
    """

def is_rtcp(data: BytesLike) -> bool:
    """Whether a packet is RTCP where it shares a port with RTP (RFC 5761 section 4)."""

def parse_rtcp(
    data: BytesLike,
) -> list[
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Bye
    | Nack
    | PictureLossIndication
    | FullIntraRequest
    | RtcpPacket
]:
    """The packets of a compound (RFC 3550 section 6.1) or reduced-size one (RFC 5506).

    Raises MalformedError if any of it breaks its format.
    """

def parse_rtp(data: BytesLike, extension_ids: Mapping[str, int] = {}) -> RtpPacket:
    """Parse an RTP packet; extension_ids as in {"mid": 1, "abs_send_time": 2}.

    Raises MalformedError.
    """

def serialize_rtp(
    payload: BytesLike,
    *,
    payload_type: int,
    sequence_number: int,
    timestamp: int,
    ssrc: int,
    marker: bool = False,
    extensions: HeaderExtensions = ...,
    extension_ids: Mapping[str, int] = {},
) -> bytes:
    """Write an RTP packet with those extensions that have an id.

    Raises InvalidArgumentError for a value its field cannot hold.
    """

def write_bye(ssrc: int) -> bytes: ...
def write_nack(sender: int, media: int, sequence_numbers: Sequence[int]) -> bytes:
    """sequence_numbers ascending, across the wrap too."""

def write_picture_loss_indication(sender: int, media: int) -> bytes: ...
def write_receiver_report(report: ReceiverReport) -> bytes: ...
def write_sender_report(report: SenderReport) -> bytes: ...
def write_source_description(ssrc: int, cname: str) -> bytes: ...
