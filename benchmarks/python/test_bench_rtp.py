"""RTP and RTCP packets read and written from Python, one by one and in batches, beside aiortc."""

from __future__ import annotations

from typing import Any

from aiortc import rtp as peer
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters

from sealroom import rtp

BATCH = 64
IDS = {"mid": 1, "abs_send_time": 2, "transport_sequence_number": 3}
URIS = {
    "mid": "urn:ietf:params:rtp-hdrext:sdes:mid",
    "abs_send_time": "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "transport_sequence_number": (
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
    ),
}
EXTENSIONS = rtp.HeaderExtensions(mid="0", abs_send_time=0x123456, transport_sequence_number=77)
PAYLOAD = bytes(1160)


def make_packet(number: int) -> bytes:
    return rtp.serialize_rtp(
        PAYLOAD,
        payload_type=96,
        sequence_number=number,
        timestamp=90_000,
        ssrc=1,
        extensions=EXTENSIONS,
        extension_ids=IDS,
    )


def peer_map() -> peer.HeaderExtensionsMap:
    extension_map = peer.HeaderExtensionsMap()
    extension_map.configure(
        RTCRtpParameters(
            headerExtensions=[
                RTCRtpHeaderExtensionParameters(id=number, uri=URIS[name])
                for name, number in IDS.items()
            ]
        )
    )
    return extension_map


PACKETS = [make_packet(number) for number in range(BATCH)]
PARSE = f"RTP parse with three extensions, {BATCH} packets of {len(PACKETS[0])} B"
SERIALIZE = f"RTP serialize with three extensions, {BATCH} packets"
COMPOUND = (
    rtp.write_sender_report(
        rtp.SenderReport(
            sender=1,
            ntp_time=2**63,
            rtp_timestamp=3,
            packet_count=4,
            octet_count=5,
            reports=[rtp.ReportBlock(ssrc=2)] * 2,
        )
    )
    + rtp.write_source_description(1, "somebody@somewhere")
    + rtp.write_nack(1, 2, [10, 12, 40])
)
RTCP = f"RTCP parse, compound of SR, SDES and NACK ({len(COMPOUND)} B)"


def test_aiortc_parse(benchmark: Any) -> None:
    benchmark.group, benchmark.name = PARSE, "rival: aiortc RtpPacket.parse"
    extension_map = peer_map()
    benchmark(lambda: [peer.RtpPacket.parse(packet, extension_map) for packet in PACKETS])


def test_parse_each(benchmark: Any) -> None:
    benchmark.group, benchmark.name = PARSE, "sealroom rtp.parse_rtp"
    benchmark(lambda: [rtp.parse_rtp(packet, IDS) for packet in PACKETS])


def test_parse_batch(benchmark: Any) -> None:
    benchmark.group, benchmark.name = PARSE, "sealroom rtp.parse_rtp_batch (headers only)"
    data, sizes = b"".join(PACKETS), [len(packet) for packet in PACKETS]
    benchmark(rtp.parse_rtp_batch, data, sizes)


def test_aiortc_serialize(benchmark: Any) -> None:
    benchmark.group, benchmark.name = SERIALIZE, "rival: aiortc RtpPacket.serialize"
    extension_map = peer_map()
    packets = [peer.RtpPacket.parse(packet, extension_map) for packet in PACKETS]
    benchmark(lambda: [packet.serialize(extension_map) for packet in packets])


def test_serialize_each(benchmark: Any) -> None:
    benchmark.group, benchmark.name = SERIALIZE, "sealroom rtp.serialize_rtp"
    benchmark(lambda: [make_packet(number) for number in range(BATCH)])


def test_aiortc_parse_rtcp(benchmark: Any) -> None:
    benchmark.group, benchmark.name = RTCP, "rival: aiortc RtcpPacket.parse"
    benchmark(peer.RtcpPacket.parse, COMPOUND)


def test_parse_rtcp(benchmark: Any) -> None:
    benchmark.group, benchmark.name = RTCP, "sealroom rtp.parse_rtcp"
    benchmark(rtp.parse_rtcp, COMPOUND)
