"""What this core writes, as Wireshark reads it."""

import random

import pytest
from tshark import RTCP_PORT, RTP_PORT, dissect, requires_tshark

from sealroom import rtp

pytestmark = requires_tshark

SENDER, MEDIA = 0x11223344, 0x55667788


def read_rtcp(packet: bytes, *fields: str) -> list[list[int]]:
    """The numbers in these fields of one RTCP datagram."""
    (values,) = dissect([packet], RTCP_PORT, fields)
    return [[int(value, 0) for value in field] for field in values]


REPORT = rtp.ReportBlock(
    ssrc=MEDIA,
    fraction_lost=51,
    cumulative_lost=1234,
    extended_highest_sequence=(3 << 16) | 65000,
    jitter=777,
    last_sender_report=0xDEADBEEF,
    delay_since_last_sender_report=65536,
)
REPORT_FIELDS = [
    f"rtcp.ssrc.{name}"
    for name in (
        "identifier",
        "fraction",
        "cum_nr",
        "high_cycles",
        "high_seq",
        "jitter",
        "lsr",
        "dlsr",
    )
]
REPORT_VALUES = [[MEDIA], [51], [1234], [3], [65000], [777], [0xDEADBEEF], [65536]]


def test_a_sender_report_and_its_block():
    packet = rtp.write_sender_report(
        rtp.SenderReport(
            sender=SENDER,
            ntp_time=(0xE0000000 << 32) | 0x80000000,
            rtp_timestamp=123456,
            packet_count=1000,
            octet_count=900000,
            reports=[REPORT],
        )
    )
    own = ("senderssrc", "timestamp.ntp.msw", "timestamp.ntp.lsw", "timestamp.rtp")
    counts = ("sender.packetcount", "sender.octetcount")
    read = read_rtcp(packet, "rtcp.pt", *(f"rtcp.{name}" for name in own + counts), *REPORT_FIELDS)
    values = [[200], [SENDER], [0xE0000000], [0x80000000], [123456], [1000], [900000]]
    assert read == values + REPORT_VALUES


def test_a_receiver_report_with_two_blocks():
    second = rtp.ReportBlock(ssrc=9, extended_highest_sequence=5)
    report = rtp.ReceiverReport(sender=SENDER, reports=[REPORT, second])
    read = read_rtcp(rtp.write_receiver_report(report), "rtcp.pt", *REPORT_FIELDS)
    assert read[0] == [201]
    zeros = [[9], [0], [0], [0], [5], [0], [0], [0]]
    assert read[1:] == [a + b for a, b in zip(REPORT_VALUES, zeros, strict=True)]


def test_a_compound_of_report_description_and_bye():
    compound = (
        rtp.write_receiver_report(rtp.ReceiverReport(sender=SENDER))
        + rtp.write_source_description(SENDER, "cname@host", [(6, "sealroom")])
        + rtp.write_bye([SENDER, MEDIA], "gone")
    )
    ((types, texts, check),) = dissect(
        [compound], RTCP_PORT, ["rtcp.pt", "rtcp.sdes.text", "rtcp.length_check"]
    )
    assert types == ["201", "202", "203"]
    assert texts[:2] == ["cname@host", "sealroom"]
    assert check == ["1"]  # the lengths of its packets fill the datagram


@pytest.mark.parametrize(
    "lost", [[7], [10, 11, 12, 26], [65534, 65535, 0, 3], list(range(500, 540)), [1, 100, 10000]]
)
def test_the_packets_a_nack_asks_for(lost):
    packet = rtp.write_nack(SENDER, MEDIA, lost)
    read = read_rtcp(packet, "rtcp.pt", "rtcp.rtpfb.fmt", "rtcp.rtpfb.nack_pid")
    assert read[:2] == [[205], [1]]
    # It lists every packet, those of the bit masks too, without the wrap.
    assert [number % 65536 for number in read[2]] == lost


def test_key_frame_requests():
    read = read_rtcp(
        rtp.write_picture_loss_indication(SENDER, MEDIA), "rtcp.psfb.fmt", "rtcp.senderssrc"
    )
    assert read == [[1], [SENDER]]
    read = read_rtcp(
        rtp.write_full_intra_request(SENDER, [(MEDIA, 3), (9, 255)]),
        "rtcp.psfb.fmt",
        "rtcp.psfb.fir.fci.ssrc",
        "rtcp.psfb.fir.fci.csn",
    )
    assert read == [[4], [MEDIA, 9], [3, 255]]


@pytest.mark.parametrize("rate", [0, 30_000, 2_500_000, 10**9])
def test_a_bit_rate_estimate(rate):
    packet = rtp.write_remb(SENDER, rate, [MEDIA, 9])
    names = ("number_ssrcs", "ssrc", "br_exp", "br_mantissa")
    read = read_rtcp(packet, *(f"rtcp.psfb.remb.fci.{name}" for name in names))
    assert read[:2] == [[2], [MEDIA, 9]]
    assert rate * (1 - 2**-17) <= read[3][0] << read[2][0] <= rate


def arrivals(seed: int) -> list[tuple[int, float]]:
    """A stream with losses and reordering that crosses the wrap: (sequence number, seconds)."""
    random_ = random.Random(seed)
    packets = []
    now = 1000.0
    for number in range(65400, 65400 + 300):
        now += random_.choice([0.0002, 0.005, 0.02, 0.09])
        if random_.random() > 0.15:
            packets.append((number % 65536, now))
    for i in range(0, len(packets) - 1, 17):
        packets[i], packets[i + 1] = packets[i + 1], packets[i]
    return packets


@pytest.mark.parametrize("seed", range(4))
def test_transport_wide_feedback_has_the_deltas_wireshark_counts(seed):
    collector = rtp.TransportFeedbackCollector()
    sent = arrivals(seed)
    for number, at in sent:
        collector.packet_received(number, at)
    packets = collector.take(SENDER, MEDIA)
    fields = [
        f"rtcp.rtpfb.transportcc.{name}"
        for name in ("baseseq", "statuscount", "reftime", "pktcount", "recv_delta")
    ]
    reported = set()
    for packet, read in zip(packets, dissect(packets, RTCP_PORT, fields), strict=True):
        (parsed,) = rtp.parse_rtcp(packet)
        base, count, reference, number = (int(field[0], 0) for field in read[:4])
        assert base == parsed.base_sequence_number
        assert count == parsed.status_count
        assert reference == parsed.reference_time
        assert number == parsed.feedback_count
        assert len(read[4]) == len(parsed.received)
        reported |= {sequence for sequence, _ in parsed.received}
    assert reported == {number for number, _ in sent}


IDS = {"mid": 1, "abs_send_time": 2, "audio_level": 3, "transport_sequence_number": 4}


def rtp_packet(**changes) -> bytes:
    values = {"payload_type": 96, "sequence_number": 65535, "timestamp": 0xFFFFFFF0, "ssrc": MEDIA}
    return rtp.serialize_rtp(b"payload", **(values | changes))


RTP_FIELDS = ["rtp.version", "rtp.p_type", "rtp.seq", "rtp.timestamp", "rtp.ssrc", "rtp.payload"]


def test_an_rtp_packet_and_its_header_extensions():
    extensions = rtp.HeaderExtensions(
        mid="video", abs_send_time=0xABCDEF, audio_level=(True, 33), transport_sequence_number=777
    )
    packet = rtp_packet(marker=True, extensions=extensions, extension_ids=IDS)
    ext = ["rtp.marker", "rtp.ext.rfc5285.id", "rtp.ext.rfc5285.len", "rtp.ext.rfc5285.data"]
    (read,) = dissect([packet], RTP_PORT, RTP_FIELDS + ext)
    assert [int(field[0], 0) for field in read[:5]] == [2, 96, 65535, 0xFFFFFFF0, MEDIA]
    assert bytes.fromhex(read[5][0].replace(":", "")) == b"payload"
    assert read[6] == ["1"]
    values = {
        int(id_): bytes.fromhex(data.replace(":", ""))
        for id_, data in zip(read[7], read[9], strict=True)
    }
    assert values == {1: b"video", 2: b"\xab\xcd\xef", 3: bytes([0x80 | 33]), 4: b"\x03\x09"}


def test_a_retransmission_is_an_rtp_packet_that_begins_with_the_original_number():
    packet = rtp.wrap_rtx(rtp_packet(), ssrc=9, payload_type=97, sequence_number=5)
    (read,) = dissect([packet], RTP_PORT, RTP_FIELDS)
    assert [int(field[0], 0) for field in read[:5]] == [2, 97, 5, 0xFFFFFFF0, 9]
    assert bytes.fromhex(read[5][0].replace(":", "")) == b"\xff\xffpayload"
