"""RTP and RTCP packets and payload formats."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from . import BytesLike

class HeaderExtensions:
    """Values of the RTP header extensions (RFC 8285), None if absent. The constructor raises
    InvalidArgumentError for one that its field cannot hold.
    """
    def __init__(
        self,
        *,
        mid: str | None = None,
        rid: str | None = None,
        repaired_rid: str | None = None,
        abs_send_time: int | None = None,
        transport_sequence_number: int | None = None,
        audio_level: tuple[bool, int] | None = None,
        video_orientation: tuple[int, bool, bool] | None = None,
        dependency_descriptor: BytesLike | None = None,
    ) -> None: ...
    @property
    def abs_send_time(self) -> int | None:
        """Seconds in 6.18 fixed point, 24 bits."""
    @property
    def audio_level(self) -> tuple[bool, int] | None:
        """(voice activity, -dBov from 0, the loudest, to 127), RFC 6464."""
    @property
    def dependency_descriptor(self) -> bytes | None:
        """As on the wire, for DependencyDescriptorReader; at most 255 bytes."""
    @property
    def mid(self) -> str | None:
        """Media identification (RFC 9143), at most 16 bytes."""
    @property
    def repaired_rid(self) -> str | None:
        """Stream id that an RTX packet repairs (RFC 8852), at most 16 bytes."""
    @property
    def rid(self) -> str | None:
        """Stream id of a simulcast layer (RFC 8852), at most 16 bytes."""
    @property
    def transport_sequence_number(self) -> int | None:
        """16 bits, of all packets of the transport
        (draft-holmer-rmcat-transport-wide-cc-extensions-01).
        """
    @property
    def video_orientation(self) -> tuple[int, bool, bool] | None:
        """(degrees clockwise, flip, back camera), 3GPP TS 26.114."""

class RtpPacket:
    """A parsed RTP packet (RFC 3550 section 5.1)."""
    @property
    def csrcs(self) -> tuple[int, ...]:
        """Contributing sources, at most 15, 32 bits each."""
    @property
    def extensions(self) -> HeaderExtensions:
        """HeaderExtensions: those whose ids were given."""
    @property
    def header_size(self) -> int:
        """With CSRCs and extensions, bytes."""
    @property
    def marker(self) -> bool:
        """Of video: the last packet of its frame."""
    @property
    def padding_size(self) -> int:
        """Bytes."""
    @property
    def payload(self) -> bytes:
        """Without padding."""
    @property
    def payload_type(self) -> int:
        """7 bits."""
    @property
    def raw_extensions(self) -> list[tuple[int, bytes]]:
        """(id, bytes) of every element of the header extension (RFC 8285), in order, known or
        not.
        """
    @property
    def sequence_number(self) -> int:
        """16 bits."""
    @property
    def ssrc(self) -> int:
        """32 bits."""
    @property
    def timestamp(self) -> int:
        """32 bits, in units of the payload's clock rate."""

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

        is_key_frame is read from the frame where it is None: give it where VP9 or AV1
        are encrypted. width and height in pixels go into the descriptor of VP9 key frames;
        0: read from the frame.

        Raises InvalidArgumentError for a frame that is empty, not of the codec's format or cannot
        be cut that small.
        """

class PayloadPart:
    """What one packet carries of a frame, by the RFC of its codec (see Packetizer)."""
    @property
    def data(self) -> bytes:
        """A piece of the frame. Of AV1 it is not: give the payloads to assemble_frame."""
    @property
    def is_key_frame(self) -> bool:
        """Meaningful where starts_frame; always true for Opus. Of H.264 it is true of the payload
        that shows it: an IDR slice, or a sequence parameter set with an I slice or a recovery
        point. Parameter sets alone come before delta frames, too.
        """
    @property
    def may_be_preceded(self) -> bool:
        """H.264, where starts_frame: it does not show whether packets of the same frame come before
        it, as parameter sets come before an IDR slice.
        """
    @property
    def starts_frame(self) -> bool:
        """A frame can begin with it. Of H.264 and AV1 several packets of one frame can; the first
        is the one behind the end of another frame.
        """

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
    def extended_highest_sequence(self) -> int:
        """Highest sequence number received, wraps in the upper 16 bits."""
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
    def ssrc(self) -> int:
        """Of the stream it is about, 32 bits."""

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
    def octet_count(self) -> int:
        """Payload bytes sent so far, 32 bits."""
    @property
    def packet_count(self) -> int:
        """Sent so far, 32 bits."""
    @property
    def reports(self) -> list[ReportBlock]:
        """At most 31 ReportBlock."""
    @property
    def rtp_timestamp(self) -> int:
        """The media's RTP timestamp at ntp_time, 32 bits."""
    @property
    def sender(self) -> int:
        """SSRC of who sent it, 32 bits."""

class ReceiverReport:
    """RFC 3550 section 6.4.2."""
    def __init__(self, *, sender: int, reports: Sequence[ReportBlock] = []) -> None: ...
    @property
    def reports(self) -> list[ReportBlock]:
        """At most 31 ReportBlock."""
    @property
    def sender(self) -> int:
        """SSRC of who sent it, 32 bits."""

class SourceDescription:
    """RFC 3550 section 6.5."""
    @property
    def cname(self) -> str:
        """Of the first chunk, empty if it has none."""
    @property
    def items(self) -> list[tuple[int, int, bytes]]:
        """(SSRC, item type, text) of every item of every chunk, in order."""
    @property
    def ssrc(self) -> int:
        """Of the first chunk."""

class Bye:
    """RFC 3550 section 6.6."""
    @property
    def reason(self) -> str:
        """Empty if there is none."""
    @property
    def sources(self) -> list[int]:
        """SSRCs that have left."""

class Nack:
    """RFC 4585 section 6.2.1, at most 512 packets."""
    @property
    def media(self) -> int:
        """SSRC of the media it is about, 32 bits."""
    @property
    def sender(self) -> int:
        """SSRC of who sent it, 32 bits."""
    @property
    def sequence_numbers(self) -> list[int]:
        """Asked for, 16 bits each, in the order of the packet."""

class PictureLossIndication:
    """RFC 4585 section 6.3.1."""
    @property
    def media(self) -> int:
        """SSRC of the media it is about, 32 bits."""
    @property
    def sender(self) -> int:
        """SSRC of who sent it, 32 bits."""

class FrameInfo:
    """What the bytes of an encoded frame say of it."""
    @property
    def height(self) -> int:
        """As width."""
    @property
    def is_key_frame(self) -> bool | None:
        """None where the frame does not tell."""
    @property
    def width(self) -> int:
        """Pixels; 0 where the frame does not tell."""

class FullIntraRequest:
    """RFC 5104 section 4.3.1."""
    @property
    def sender(self) -> int:
        """SSRC of who sent it, 32 bits."""
    @property
    def sequence_numbers(self) -> list[int]:
        """Of each target; a new one is a new request."""
    @property
    def targets(self) -> list[int]:
        """SSRCs of the media."""

class Remb:
    """Receiver estimated maximum bit rate (draft-alvestrand-rmcat-remb)."""
    @property
    def bits_per_second(self) -> int:
        """The bit rate, bit/s."""
    @property
    def sender(self) -> int:
        """SSRC of who sent it, 32 bits."""
    @property
    def sources(self) -> list[int]:
        """SSRCs that share the bit rate."""

class TransportFeedback:
    """Transport-wide congestion control feedback
    (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    """
    @property
    def base_sequence_number(self) -> int:
        """Transport-wide, 16 bits: the first it speaks of."""
    @property
    def feedback_count(self) -> int:
        """Number of this message, 8 bits."""
    @property
    def media(self) -> int:
        """SSRC of the media it is about, 32 bits."""
    @property
    def received(self) -> list[tuple[int, int | None]]:
        """(sequence number, microseconds since the zero of the reference time, or None
        if untold) of each packet that came; the others did not. A new list each time.
        """
    @property
    def reference_time(self) -> int:
        """24 bit, signed, in 64 ms."""
    @property
    def sender(self) -> int:
        """SSRC of who sent it, 32 bits."""
    @property
    def status_count(self) -> int:
        """Packets it speaks of, from the base on; at most 65,535."""

class TransportFeedbackCollector:
    """Turns arrivals into transport-wide feedback
    (draft-holmer-rmcat-transport-wide-cc-extensions-01): packets that came late are reported again,
    of 4,096 that nobody asked for the newest are kept. For one thread.
    """
    def __init__(self) -> None: ...
    def packet_received(self, sequence_number: int, arrival: float) -> None:
        """`sequence_number` of the transport-wide header extension, `arrival` in seconds. Raises
        InvalidArgumentError for a time that is not finite.
        """
    def take(self, sender: int, media: int, max_size: int = 1200) -> list[bytes]:
        """RTCP packets of at most max_size (24 to 1200) bytes with what is not reported yet. Raises
        InvalidArgumentError for another size.
        """

class RedEncoder:
    """Makes RED payloads (RFC 2198) with up to `distance` (1 to 8) payloads
    before each; `payload_type` is that of the blocks. For one thread.
    """
    def __init__(self, *, payload_type: int, distance: int = 1) -> None: ...
    def encode(self, payload: BytesLike, timestamp: int, max_payload: int = 1200) -> bytes:
        """The RED payload of the next packet. Left out are, oldest first, blocks without room
        in max_payload bytes and what lies before one above 1,023 bytes or 16,383 timestamp
        units back.

        Raises InvalidArgumentError.
        """

class DependencyDescriptor:
    """AV1 RTP specification, appendix A.4."""
    @property
    def active_decode_targets(self) -> int | None:
        """Bit i: decode target i is being produced. None where the packet does not say."""
    @property
    def chain_differences(self) -> list[int]:
        """By how much the number of the previous frame of each chain is smaller; 0 begins it."""
    @property
    def decode_target_indications(self) -> list[int]:
        """Of each decode target: 0 not present, 1 discardable, 2 switch, 3 required."""
    @property
    def ends_frame(self) -> bool:
        """Last packet of its frame."""
    @property
    def frame_differences(self) -> list[int]:
        """By how much the number of each frame it refers to is smaller."""
    @property
    def frame_number(self) -> int:
        """16 bits."""
    @property
    def has_structure(self) -> bool:
        """Whether the packet brought a structure. It holds from now on, unless the frame is older
        than the one that the present structure came with.
        """
    @property
    def protected_by(self) -> list[int]:
        """The chain of each decode target; empty without chains."""
    @property
    def resolution(self) -> tuple[int, int] | None:
        """(width, height) of the frame's spatial layer, if the structure tells it."""
    @property
    def spatial_layer(self) -> int:
        """From 0, the lowest resolution."""
    @property
    def starts_frame(self) -> bool:
        """First packet of its frame."""
    @property
    def template_id(self) -> int:
        """6 bits."""
    @property
    def temporal_layer(self) -> int:
        """From 0, the lowest frame rate."""

class DependencyDescriptorReader:
    """Reads the dependency descriptors (AV1 RTP specification, appendix A) of one stream and keeps
    their structure. For one thread.
    """
    def __init__(self) -> None: ...
    def read(self, extension: BytesLike) -> DependencyDescriptor:
        """`extension` is HeaderExtensions.dependency_descriptor.

        Raises NotReadyError before the structure of the frame was read, MalformedError,
        LimitExceededError (more than 16 frames that one refers to).
        """

class RtcpPacket:
    """An RTCP packet without a class of its own (RFC 3550 section 6.1)."""
    @property
    def body(self) -> bytes:
        """What follows the first 4 bytes, padding removed."""
    @property
    def format(self) -> int:
        """Format, count or subtype, 5 bits."""
    @property
    def type(self) -> int:
        """Packet type, 8 bits."""

def assemble_frame(codec: str, payloads: Sequence[BytesLike]) -> bytes:
    """The frame in the payloads of all its packets, in order, by the RFC of the codec (see
    Packetizer).

    H.264 comes with start codes of four bytes, AV1 with size fields and without temporal
    delimiters. Raises MalformedError for a first payload that can begin no frame (VP8, VP9, AV1)
    and for what is missing where the payloads show it: any OBU's part in AV1, a fragment in H.264,
    the end in VP9.
    """

def depacketize(codec: str, payload: BytesLike) -> PayloadPart:
    """Remove the payload descriptor, by the RFC of the codec (see Packetizer).

    Raises MalformedError, or UnsupportedError for a packet type outside H.264 mode 1.
    """

def is_rtcp(data: BytesLike) -> bool:
    """Whether a packet is RTCP where it shares a port with RTP (RFC 5761 section 4)."""

def parse_red(payload: BytesLike) -> list[tuple[int, int, bytes]]:
    """(payload type, timestamp offset, payload) of each block of a RED payload (RFC 2198),
    oldest first, the primary last.

    Raises TruncatedError, LimitExceededError (more than 32 blocks).
    """

def parse_rtcp(
    data: BytesLike,
    *,
    strict: bool = False,
) -> list[
    SenderReport
    | ReceiverReport
    | SourceDescription
    | Bye
    | Nack
    | PictureLossIndication
    | FullIntraRequest
    | Remb
    | TransportFeedback
    | RtcpPacket
]:
    """The packets of a compound (RFC 3550 section 6.1) or reduced-size one (RFC 5506).
    `strict` refuses the latter: it asks for the checks of RFC 3550 appendix A.2.

    Raises MalformedError if any of it breaks its format.
    """

def parse_rtp(data: BytesLike, extension_ids: Mapping[str, int] = {}) -> RtpPacket:
    """Parse an RTP packet (RFC 3550 section 5.1); extension_ids as in {"mid": 1, "abs_send_time":
    2}.

    Raises MalformedError.
    """

def parse_rtp_batch(data: BytesLike, sizes: npt.ArrayLike) -> npt.NDArray[np.void]:
    """The headers of packets (RFC 3550 section 5.1) that lie end to end in `data`, `sizes`
    (integers, shape (n,)) long, as a structured array of shape (n,): ssrc, timestamp (uint32),
    payload_offset (uint64, in data), payload_size (uint32, without padding), sequence_number
    (uint16), payload_type (uint8), marker, is_valid (bool). A packet that is not RTP has is_valid
    False and zeros.

    Raises InvalidArgumentError for sizes that are no integers or do not add up to data.
    """

def read_frame_info(codec: str, frame: BytesLike) -> FrameInfo:
    """What an encoded frame that is not encrypted says of itself.

    A key frame of H.264 has an IDR slice, or a sequence parameter set with an I slice or a recovery
    point; one of AV1 has a sequence header and begins with a key frame. Headers without any picture
    count as one.
    VP8 and VP9 key frames tell their size (RFC 6386 section 9.1, the VP9 bitstream
    specification section 7.2). H.264 is Annex B, AV1 is OBUs. Whatever is not found is None or 0.
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
    """Write an RTP packet (RFC 3550 section 5.1) with those extensions that have an id.

    Raises InvalidArgumentError for a value its field cannot hold.
    """

def unwrap_rtx(packet: BytesLike, *, ssrc: int, payload_type: int) -> bytes:
    """The original of an RTX packet (RFC 4588 section 4), of the media stream with this SSRC and
    payload type.

    Raises MalformedError, TruncatedError for a packet that only probes with padding.
    """

def wrap_rtx(
    packet: BytesLike,
    *,
    ssrc: int,
    payload_type: int,
    sequence_number: int,
    extensions: HeaderExtensions | None = None,
    extension_ids: Mapping[str, int] = {},
) -> bytes:
    """An RTP packet as one of the RTX stream with this SSRC and payload type (RFC 4588).

    Its header extensions are the original's, unless others are given: where the original has rid a
    retransmission has repaired_rid (RFC 8852), and its own transport_sequence_number.

    Raises MalformedError, InvalidArgumentError.
    """

def write_bye(ssrc: int | Sequence[int], reason: str = "") -> bytes:
    """One RTCP packet (RFC 3550 section 6.6) for one SSRC, or for up to 31; the reason has at most
    255 bytes. Raises InvalidArgumentError.
    """

def write_full_intra_request(sender: int, targets: Sequence[tuple[int, int]]) -> bytes:
    """One RTCP packet (RFC 5104 section 4.3.1). `targets` are (SSRC, command sequence number of 8
    bits). Raises InvalidArgumentError.
    """

def write_nack(sender: int, media: int, sequence_numbers: Sequence[int]) -> bytes:
    """One RTCP packet (RFC 4585 section 6.2.1). sequence_numbers, 16 bits each, ascend, across the
    wrap too. Raises InvalidArgumentError for none, more than 512, or others.
    """

def write_picture_loss_indication(sender: int, media: int) -> bytes:
    """One RTCP packet (RFC 4585 section 6.3.1): asks `media`, an SSRC, for a key frame."""

def write_receiver_report(report: ReceiverReport) -> bytes:
    """One RTCP packet (RFC 3550 section 6.4.2). Raises InvalidArgumentError for more than 31
    reports.
    """

def write_remb(sender: int, bits_per_second: int, sources: Sequence[int]) -> bytes:
    """One RTCP packet (draft-alvestrand-rmcat-remb). The rate is rounded down to 18 bits of
    mantissa; at most 255 `sources` (SSRCs), or InvalidArgumentError.
    """

def write_sender_report(report: SenderReport) -> bytes:
    """One RTCP packet (RFC 3550 section 6.4.1). Raises InvalidArgumentError for more than 31
    reports.
    """

def write_source_description(
    ssrc: int, cname: str, others: Sequence[tuple[int, str]] = []
) -> bytes:
    """One RTCP packet (RFC 3550 section 6.5). `cname` has 1 to 255 bytes; `others` are (item type,
    text of at most 255 bytes) of the same source. Raises InvalidArgumentError.
    """
