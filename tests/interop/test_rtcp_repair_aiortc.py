"""REMB, FIR, BYE, SDES and RTX against aiortc's rtp module, both ways."""

from __future__ import annotations

import struct

import pytest
from aiortc import rtp as peer
from hypothesis import given
from hypothesis import strategies as st

from sealroom import rtp
from sealroom.errors import InvalidArgumentError, MalformedError, TruncatedError

U16 = st.integers(0, 2**16 - 1)
U32 = st.integers(0, 2**32 - 1)


class TestRemb:
    @given(U32, st.integers(0, 2**63), st.lists(U32, max_size=20))
    def test_aiortc_reads_ours_and_writes_the_same(
        self, sender: int, bits_per_second: int, sources: list[int]
    ) -> None:
        data = rtp.write_remb(sender, bits_per_second, sources)
        [packet] = peer.RtcpPacket.parse(data)
        assert isinstance(packet, peer.RtcpPsfbPacket)
        assert (packet.fmt, packet.ssrc, packet.media_ssrc) == (15, sender, 0)
        read, read_sources = peer.unpack_remb_fci(packet.fci)
        assert read_sources == sources
        assert 0 <= bits_per_second - read <= bits_per_second >> 17
        assert peer.pack_remb_fci(bits_per_second, sources) == packet.fci
        [ours] = rtp.parse_rtcp(data)
        assert isinstance(ours, rtp.Remb)
        assert (ours.bits_per_second, ours.sources) == (read, sources)

    def test_too_many_sources_are_refused(self) -> None:
        with pytest.raises(InvalidArgumentError):
            rtp.write_remb(1, 1, [0] * 256)


class TestFirByeAndSdes:
    @given(U32, st.lists(st.tuples(U32, st.integers(0, 255)), min_size=1, max_size=31))
    def test_aiortc_reads_our_full_intra_requests(
        self, sender: int, targets: list[tuple[int, int]]
    ) -> None:
        data = rtp.write_full_intra_request(sender, targets)
        fci = b"".join(struct.pack("!LB3x", ssrc, number) for ssrc, number in targets)
        expected = peer.RtcpPsfbPacket(fmt=4, ssrc=sender, media_ssrc=0, fci=fci)
        assert peer.RtcpPacket.parse(data) == [expected]
        assert data == bytes(expected)
        [read] = rtp.parse_rtcp(data)
        assert isinstance(read, rtp.FullIntraRequest)
        assert list(zip(read.targets, read.sequence_numbers, strict=True)) == targets

    @given(st.lists(U32, min_size=1, max_size=31), st.text("abcü", max_size=20))
    def test_aiortc_reads_our_byes(self, sources: list[int], reason: str) -> None:
        data = rtp.write_bye(sources, reason)
        assert peer.RtcpPacket.parse(data) == [peer.RtcpByePacket(sources=sources)]
        [read] = rtp.parse_rtcp(data)
        assert isinstance(read, rtp.Bye)
        assert (read.sources, read.reason) == (sources, reason)

    @given(
        U32,
        st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=40)), min_size=0, max_size=8),
    )
    def test_we_read_all_items_that_aiortc_writes(
        self, ssrc: int, items: list[tuple[int, bytes]]
    ) -> None:
        # One chunk: aiortc does not end each of several at a word, as RFC 3550 section 6.5 wants.
        all_items = [(1, b"first"), *items]
        chunk = peer.RtcpSourceInfo(ssrc=ssrc, items=all_items)
        [read] = rtp.parse_rtcp(bytes(peer.RtcpSdesPacket(chunks=[chunk])))
        assert isinstance(read, rtp.SourceDescription)
        assert (read.ssrc, read.cname) == (ssrc, "first")
        assert read.items == [(ssrc, kind, text) for kind, text in all_items]

    @given(U32, st.lists(st.tuples(st.integers(1, 255), st.text("abc", max_size=40)), max_size=8))
    def test_aiortc_reads_all_items_that_we_write(
        self, ssrc: int, others: list[tuple[int, str]]
    ) -> None:
        data = rtp.write_source_description(ssrc, "me@home", others)
        items = [(1, b"me@home"), *((kind, text.encode()) for kind, text in others)]
        assert peer.RtcpPacket.parse(data) == [
            peer.RtcpSdesPacket(chunks=[peer.RtcpSourceInfo(ssrc=ssrc, items=items)])
        ]

    def test_strict_asks_for_a_report_first(self) -> None:
        pli = rtp.write_picture_loss_indication(1, 2)
        report = rtp.write_receiver_report(rtp.ReceiverReport(sender=1))
        assert len(rtp.parse_rtcp(report + pli, strict=True)) == 2
        assert len(rtp.parse_rtcp(pli)) == 1
        with pytest.raises(MalformedError):
            rtp.parse_rtcp(pli + report, strict=True)


@st.composite
def media_packets(draw: st.DrawFn) -> bytes:
    packet = peer.RtpPacket(
        payload_type=96,
        marker=draw(st.integers(0, 1)),
        sequence_number=draw(U16),
        timestamp=draw(U32),
        ssrc=1234,
        payload=draw(st.binary(max_size=300)),
    )
    packet.csrc = draw(st.lists(U32, max_size=15))
    return packet.serialize()


class TestRtx:
    @given(media_packets(), U16)
    def test_aiortc_wraps_and_unwraps_the_same(self, packet: bytes, number: int) -> None:
        wrapped = rtp.wrap_rtx(packet, ssrc=5678, payload_type=97, sequence_number=number)
        theirs = peer.wrap_rtx(
            peer.RtpPacket.parse(packet), payload_type=97, sequence_number=number, ssrc=5678
        )
        assert wrapped == theirs.serialize()
        back = peer.unwrap_rtx(peer.RtpPacket.parse(wrapped), payload_type=96, ssrc=1234)
        assert back.serialize() == packet
        assert rtp.unwrap_rtx(theirs.serialize(), ssrc=1234, payload_type=96) == packet

    @given(media_packets(), U16, st.integers(1, 255))
    def test_padding_does_not_travel(self, packet: bytes, number: int, padding: int) -> None:
        padded = bytes([packet[0] | 0x20]) + packet[1:] + bytes(padding - 1) + bytes([padding])
        wrapped = rtp.wrap_rtx(padded, ssrc=5678, payload_type=97, sequence_number=number)
        assert rtp.unwrap_rtx(wrapped, ssrc=1234, payload_type=96) == packet

    def test_a_probe_of_padding_is_no_retransmission(self) -> None:
        probe = bytes([0xA0]) + peer.RtpPacket(payload_type=97).serialize()[1:] + b"\0\0\0\4"
        with pytest.raises(TruncatedError):
            rtp.unwrap_rtx(probe, ssrc=1, payload_type=96)
