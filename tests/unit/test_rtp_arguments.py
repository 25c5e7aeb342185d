"""Wrong arguments of RTP and RTCP writers are named with their range; what is read is all there."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealroom import rtp
from sealroom.errors import InvalidArgumentError


def serialize(**changes: Any) -> bytes:
    arguments: dict[str, Any] = {
        "payload_type": 96,
        "sequence_number": 1,
        "timestamp": 2,
        "ssrc": 3,
    }
    return rtp.serialize_rtp(b"payload", **(arguments | changes))


def wrap(**changes: Any) -> bytes:
    arguments: dict[str, Any] = {"ssrc": 8, "payload_type": 97, "sequence_number": 9}
    return rtp.wrap_rtx(serialize(), **(arguments | changes))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: serialize(sequence_number=65536),
            "sequence_number: 0 to 65535, got 65536",
        ),
        (lambda: serialize(sequence_number=-1), "sequence_number: 0 to 65535, got -1"),
        (lambda: serialize(timestamp=2**32), "timestamp: 0 to 4294967295, got 4294967296"),
        (lambda: serialize(ssrc=-1), "ssrc: 0 to 4294967295, got -1"),
        (lambda: serialize(payload_type=128), "payload_type: 0 to 127"),
        (lambda: wrap(sequence_number=65536), "sequence_number: 0 to 65535, got 65536"),
        (lambda: wrap(ssrc=2**32), "ssrc: 0 to 4294967295"),
        (lambda: wrap(extension_ids={"mid": 1}), "extension_ids: only with extensions"),
        (lambda: rtp.unwrap_rtx(wrap(), ssrc=-1, payload_type=96), "ssrc: 0 to"),
        (lambda: rtp.HeaderExtensions(mid="m" * 17), "mid: 0 to 16 bytes, got 17"),
        (lambda: rtp.HeaderExtensions(rid="m" * 17), "rid: 0 to 16 bytes, got 17"),
        (lambda: rtp.HeaderExtensions(repaired_rid="\u00e4" * 9), "repaired_rid: 0 to 16 bytes"),
        (
            lambda: rtp.HeaderExtensions(abs_send_time=1 << 24),
            "abs_send_time: 0 to 16777215, got 16777216",
        ),
        (
            lambda: rtp.HeaderExtensions(transport_sequence_number=-5),
            "transport_sequence_number: 0 to 65535, got -5",
        ),
        (
            lambda: rtp.HeaderExtensions(audio_level=(True, 128)),
            "audio_level: 0 to 127, got 128",
        ),
        (
            lambda: rtp.HeaderExtensions(video_orientation=(45, False, False)),
            "video_orientation: rotation 0, 90, 180 or 270, got 45",
        ),
        (
            lambda: rtp.HeaderExtensions(dependency_descriptor=bytes(256)),
            "dependency_descriptor: 0 to 255 bytes, got 256",
        ),
        (
            lambda: rtp.ReportBlock(ssrc=1, cumulative_lost=1 << 23),
            "cumulative_lost: -8388608 to 8388607, got 8388608",
        ),
        (lambda: rtp.ReportBlock(ssrc=1, fraction_lost=256), "fraction_lost: 0 to 255, got 256"),
        (lambda: rtp.ReportBlock(ssrc=1, jitter=-1), "jitter: 0 to 4294967295, got -1"),
        (lambda: rtp.ReceiverReport(sender=-1), "sender: 0 to 4294967295, got -1"),
        (
            lambda: rtp.SenderReport(
                sender=1, ntp_time=1, rtp_timestamp=1, packet_count=2**32, octet_count=1
            ),
            "packet_count: 0 to 4294967295, got 4294967296",
        ),
        (
            lambda: rtp.write_receiver_report(
                rtp.ReceiverReport(sender=1, reports=[rtp.ReportBlock(ssrc=1)] * 32)
            ),
            "reports: 0 to 31 of them, got 32",
        ),
        (lambda: rtp.write_source_description(1, ""), "cname: 1 to 255 bytes, got 0"),
        (lambda: rtp.write_source_description(1, "c" * 256), "cname: 1 to 255 bytes, got 256"),
        (lambda: rtp.write_source_description(1, "c", [(0, "t")]), "others: 1 to 255, got 0"),
        (
            lambda: rtp.write_source_description(1, "c", [(2, "t" * 256)]),
            "others: 0 to 255 bytes, got 256",
        ),
        (
            lambda: rtp.write_source_description(1, "c", [(2, "t" * 255)] * 1100),
            "others: 0 to 262144 bytes",
        ),
        (lambda: rtp.write_bye([]), "ssrc: 1 to 31 of them, got 0"),
        (lambda: rtp.write_bye([1] * 32), "ssrc: 1 to 31 of them, got 32"),
        (lambda: rtp.write_bye(-1), "ssrc: 0 to 4294967295, got -1"),
        (lambda: rtp.write_bye(1, "r" * 256), "reason: 0 to 255 bytes, got 256"),
        (lambda: rtp.write_full_intra_request(1, []), "targets: 1 to 32766 of them, got 0"),
        (
            lambda: rtp.write_full_intra_request(1, [(2, 256)]),
            "targets, command number: 0 to 255, got 256",
        ),
        (lambda: rtp.write_nack(1, 2, []), "sequence_numbers: 1 to 512 of them, got 0"),
        (
            lambda: rtp.write_nack(1, 2, list(range(513))),
            "sequence_numbers: 1 to 512 of them, got 513",
        ),
        (lambda: rtp.write_nack(1, 2, [65536]), "sequence_numbers: 0 to 65535, got 65536"),
        (lambda: rtp.write_nack(1, 2, [7, 5]), "sequence_numbers: ascending.*5 does not.*7"),
        (lambda: rtp.write_nack(1, 2, [7, 7]), "sequence_numbers: ascending"),
        (lambda: rtp.write_remb(1, 1, [2] * 256), "sources: 0 to 255 of them, got 256"),
        (lambda: rtp.write_picture_loss_indication(1, 2**32), "media: 0 to 4294967295"),
        (
            lambda: rtp.TransportFeedbackCollector().packet_received(65536, 0.0),
            "sequence_number: 0 to 65535",
        ),
        (lambda: rtp.TransportFeedbackCollector().take(1, 2, -1), "max_size: 24 to 1200"),
        (lambda: rtp.RedEncoder(payload_type=1).encode(b"x", 2**32), "timestamp: 0 to"),
    ],
)
def test_the_argument_and_its_range_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"^{message}") as raised:
        call()
    assert re.match(r"[a-z_]+", str(raised.value))


@given(st.integers(0, 65535), st.lists(st.integers(1, 40), max_size=511))
def test_whatever_nack_is_written_is_read_back(first: int, steps: list[int]) -> None:
    numbers = [first]
    for step in steps:
        numbers.append((numbers[-1] + step) % 65536)
    [nack] = rtp.parse_rtcp(rtp.write_nack(1, 2, numbers))
    assert isinstance(nack, rtp.Nack)
    assert nack.sequence_numbers == numbers


def test_every_entry_of_a_full_intra_request_is_read() -> None:
    targets = [(1000 + i, i % 256) for i in range(100)]
    [request] = rtp.parse_rtcp(rtp.write_full_intra_request(1, targets))
    assert isinstance(request, rtp.FullIntraRequest)
    assert list(zip(request.targets, request.sequence_numbers, strict=True)) == targets


def test_unknown_packets_are_given_as_they_are() -> None:
    application_without_a_word = struct.pack("!BBHII", 0x8F, 206, 2, 1, 2)
    of_no_known_type = struct.pack("!BBH", 0x80, 150, 0)
    report, feedback, other = rtp.parse_rtcp(
        rtp.write_receiver_report(rtp.ReceiverReport(sender=1))
        + application_without_a_word
        + of_no_known_type
    )
    assert isinstance(report, rtp.ReceiverReport)
    assert isinstance(feedback, rtp.RtcpPacket)
    assert (feedback.type, feedback.format, feedback.body) == (206, 15, struct.pack("!II", 1, 2))
    assert isinstance(other, rtp.RtcpPacket)
    assert other.type == 150


def test_contributing_sources_and_unknown_extensions_are_readable() -> None:
    one_byte = bytes.fromhex("bede0002 10aa 00 21bbcc 00 00".replace(" ", ""))
    header = struct.pack("!BBHIIII", 0x92 | 0x20, 96, 1, 2, 3, 40, 50)
    packet = rtp.parse_rtp(header + one_byte + b"payload" + bytes([0, 0, 3]), {"mid": 1})
    assert packet.csrcs == (40, 50)
    assert packet.raw_extensions == [(1, b"\xaa"), (2, b"\xbb\xcc")]
    assert (packet.payload, packet.padding_size) == (b"payload", 3)
    two_byte = bytes.fromhex("10000002 c800 0701ee 000000".replace(" ", ""))
    packet = rtp.parse_rtp(struct.pack("!BBHII", 0x90, 96, 1, 2, 3) + two_byte)
    assert packet.raw_extensions == [(200, b""), (7, b"\xee")]
    assert packet.csrcs == ()
    plain = rtp.parse_rtp(serialize())
    assert (plain.csrcs, plain.raw_extensions) == ((), [])


def test_a_retransmission_has_extensions_of_its_own() -> None:
    ids = {"mid": 1, "rid": 2, "repaired_rid": 3, "transport_sequence_number": 4}
    original = serialize(
        extensions=rtp.HeaderExtensions(mid="v", rid="high", transport_sequence_number=7),
        extension_ids=ids,
        marker=True,
    )
    with_sources = bytes([original[0] | 1]) + original[1:12] + bytes(range(4)) + original[12:]
    for packet, sources in ((original, ()), (with_sources, (0x00010203,))):
        own = rtp.HeaderExtensions(mid="v", repaired_rid="high", transport_sequence_number=8)
        wrapped = rtp.wrap_rtx(
            packet,
            ssrc=8,
            payload_type=97,
            sequence_number=9,
            extensions=own,
            extension_ids=ids,
        )
        read = rtp.parse_rtp(wrapped, ids)
        assert (read.ssrc, read.payload_type, read.sequence_number) == (8, 97, 9)
        assert (read.marker, read.timestamp, read.csrcs) == (True, 2, sources)
        assert (read.extensions.rid, read.extensions.repaired_rid) == (None, "high")
        assert read.extensions.transport_sequence_number == 8
        assert read.payload == struct.pack("!H", 1) + b"payload"
    bare = rtp.wrap_rtx(
        original, ssrc=8, payload_type=97, sequence_number=9, extensions=rtp.HeaderExtensions()
    )
    assert rtp.parse_rtp(bare).raw_extensions == []
    kept = rtp.parse_rtp(rtp.wrap_rtx(original, ssrc=8, payload_type=97, sequence_number=9), ids)
    assert kept.extensions.rid == "high"
