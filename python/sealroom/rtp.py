"""RTP and RTCP packets and payload formats (RFC 3550, 8285, 4585, 5104, 7741, 9628, 6184, 7587).

For tools, tests and pipelines that handle packets themselves; media of a running call stays native.

>>> from sealroom import rtp
>>> payload = rtp.Packetizer("opus").packetize(b"frame", 1200)[0]
>>> packet = rtp.serialize_rtp(
...     payload, payload_type=111, sequence_number=1, timestamp=960, ssrc=7,
...     extensions=rtp.HeaderExtensions(mid="0"), extension_ids={"mid": 1},
... )
>>> parsed = rtp.parse_rtp(packet, {"mid": 1})
>>> parsed.extensions.mid, rtp.depacketize("opus", parsed.payload).data
('0', b'frame')

Frames of "vp8", "vp9", "h264" (Annex B) and "av1" (OBUs) take several packets:

>>> key_frame = bytes.fromhex("00000001 6742c01e 000001 65") + bytes(range(128, 228)) * 25
>>> payloads = rtp.Packetizer("h264").packetize(key_frame, 1200)
>>> [len(payload) for payload in payloads]
[4, 836, 836, 834]
>>> parts = [rtp.depacketize("h264", payload) for payload in payloads]
>>> [part.starts_frame for part in parts], [part.is_key_frame for part in parts]
([True, True, False, False], [False, True, False, False])
>>> rtp.read_frame_info("h264", key_frame).is_key_frame
True
>>> rtp.assemble_frame("h264", payloads)[:13].hex(" ", 4)
'00 00000167 42c01e00 00000165'

Retransmissions and redundancy take payloads as they are, encrypted end to end or not; but no SRTP
packets, whose padding cannot be told from ciphertext:

>>> wrapped = rtp.wrap_rtx(packet, ssrc=8, payload_type=112, sequence_number=100)
>>> rtp.unwrap_rtx(wrapped, ssrc=7, payload_type=111) == packet
True
>>> red = rtp.RedEncoder(payload_type=111)
>>> first, second = red.encode(b"one", 0), red.encode(b"two", 960)
>>> rtp.parse_red(second)
[(111, 960, b'one'), (111, 0, b'two')]

Pipelines read the headers of a whole capture at once, as a structured numpy array:

>>> table = rtp.parse_rtp_batch(packet + packet, [len(packet), len(packet)])
>>> table["sequence_number"].tolist(), table["payload_size"].tolist()
([1, 1], [5, 5])

Which packets of a transport arrived when becomes RTCP feedback, and is read back:

>>> collector = rtp.TransportFeedbackCollector()
>>> for number in (10, 12):
...     collector.packet_received(number, 64.0)
>>> [feedback] = rtp.parse_rtcp(collector.take(1, 7)[0])
>>> feedback.received
[(10, 64000000), (12, 64000000)]

A compound RTCP packet is the bytes of its packets one after the other. Parsers raise
`sealroom.errors.MalformedError`, writers `sealroom.errors.InvalidArgumentError`.
"""

from sealroom._core.rtp import (
    Bye,
    DependencyDescriptor,
    DependencyDescriptorReader,
    FrameInfo,
    FullIntraRequest,
    HeaderExtensions,
    Nack,
    Packetizer,
    PayloadPart,
    PictureLossIndication,
    ReceiverReport,
    RedEncoder,
    Remb,
    ReportBlock,
    RtcpPacket,
    RtpPacket,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    TransportFeedbackCollector,
    assemble_frame,
    depacketize,
    is_rtcp,
    parse_red,
    parse_rtcp,
    parse_rtp,
    parse_rtp_batch,
    read_frame_info,
    serialize_rtp,
    unwrap_rtx,
    wrap_rtx,
    write_bye,
    write_full_intra_request,
    write_nack,
    write_picture_loss_indication,
    write_receiver_report,
    write_remb,
    write_sender_report,
    write_source_description,
)

__all__ = [
    "Bye",
    "DependencyDescriptor",
    "DependencyDescriptorReader",
    "FrameInfo",
    "FullIntraRequest",
    "HeaderExtensions",
    "Nack",
    "Packetizer",
    "PayloadPart",
    "PictureLossIndication",
    "ReceiverReport",
    "RedEncoder",
    "Remb",
    "ReportBlock",
    "RtcpPacket",
    "RtpPacket",
    "SenderReport",
    "SourceDescription",
    "TransportFeedback",
    "TransportFeedbackCollector",
    "assemble_frame",
    "depacketize",
    "is_rtcp",
    "parse_red",
    "parse_rtcp",
    "parse_rtp",
    "parse_rtp_batch",
    "read_frame_info",
    "serialize_rtp",
    "unwrap_rtx",
    "wrap_rtx",
    "write_bye",
    "write_full_intra_request",
    "write_nack",
    "write_picture_loss_indication",
    "write_receiver_report",
    "write_remb",
    "write_sender_report",
    "write_source_description",
]
