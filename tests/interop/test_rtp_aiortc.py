"""Packets written here are read by aiortc's own classes and the other way round."""

from __future__ import annotations

import fractions
import struct

import numpy as np
import pytest
from aiortc import rtp as peer
from aiortc.codecs.vpx import Vp8Encoder, VpxPayloadDescriptor
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters
from av import VideoFrame
from hypothesis import given
from hypothesis import strategies as st

from sealroom import rtp
from sealroom.errors import InvalidArgumentError, MalformedError, TruncatedError

URIS = {
    "mid": "urn:ietf:params:rtp-hdrext:sdes:mid",
    "rid": "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    "repaired_rid": "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    "abs_send_time": "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "transport_sequence_number": (
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
    ),
    "audio_level": "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
}

U16 = st.integers(0, 2**16 - 1)
U32 = st.integers(0, 2**32 - 1)
TEXT = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=16)


def peer_map(ids: dict[str, int]) -> peer.HeaderExtensionsMap:
    extension_map = peer.HeaderExtensionsMap()
    extension_map.configure(
        RTCRtpParameters(
            headerExtensions=[
                RTCRtpHeaderExtensionParameters(id=id_, uri=URIS[name]) for name, id_ in ids.items()
            ]
        )
    )
    return extension_map


@st.composite
def header_extensions(draw: st.DrawFn) -> rtp.HeaderExtensions:
    return rtp.HeaderExtensions(
        mid=draw(st.none() | TEXT),
        rid=draw(st.none() | TEXT),
        repaired_rid=draw(st.none() | TEXT),
        abs_send_time=draw(st.none() | st.integers(0, 2**24 - 1)),
        transport_sequence_number=draw(st.none() | U16),
        audio_level=draw(st.none() | st.tuples(st.booleans(), st.integers(0, 127))),
    )


def as_tuple(extensions: rtp.HeaderExtensions) -> tuple[object, ...]:
    return tuple(getattr(extensions, name) for name in URIS)


def peer_tuple(extensions: peer.HeaderExtensions) -> tuple[object, ...]:
    return (
        extensions.mid,
        extensions.rtp_stream_id,
        extensions.repaired_rtp_stream_id,
        extensions.abs_send_time,
        extensions.transport_sequence_number,
        extensions.audio_level,
    )


# The first fits the one-byte form, the second needs the two-byte form wherever id 20 is written.
ID_SETS = st.sampled_from(
    [
        {name: index + 1 for index, name in enumerate(URIS)},
        {name: index + 15 for index, name in enumerate(URIS)},
        {"mid": 14, "abs_send_time": 20},
        {},
    ]
)


class TestRtp:
    @given(header_extensions(), ID_SETS, st.booleans(), U16, U32, U32, st.binary(max_size=300))
    def test_aiortc_reads_what_we_write(
        self,
        extensions: rtp.HeaderExtensions,
        ids: dict[str, int],
        marker: bool,
        sequence_number: int,
        timestamp: int,
        ssrc: int,
        payload: bytes,
    ) -> None:
        data = rtp.serialize_rtp(
            payload,
            payload_type=96,
            sequence_number=sequence_number,
            timestamp=timestamp,
            ssrc=ssrc,
            marker=marker,
            extensions=extensions,
            extension_ids=ids,
        )
        packet = peer.RtpPacket.parse(data, peer_map(ids))
        assert packet.payload_type == 96
        assert packet.marker == marker
        assert packet.sequence_number == sequence_number
        assert packet.timestamp == timestamp
        assert packet.ssrc == ssrc
        assert packet.payload == payload
        expected = tuple(getattr(extensions, name) if name in ids else None for name in URIS)
        assert peer_tuple(packet.extensions) == expected
        assert as_tuple(rtp.parse_rtp(data, ids).extensions) == expected

    @given(
        header_extensions(),
        ID_SETS,
        st.lists(U32, max_size=15),
        st.integers(0, 255),
        st.binary(max_size=300),
    )
    def test_we_read_what_aiortc_writes(
        self,
        extensions: rtp.HeaderExtensions,
        ids: dict[str, int],
        csrc: list[int],
        padding: int,
        payload: bytes,
    ) -> None:
        packet = peer.RtpPacket(
            payload_type=127, marker=1, sequence_number=65535, timestamp=7, ssrc=9, payload=payload
        )
        packet.csrc = csrc
        packet.padding_size = padding
        packet.extensions = peer.HeaderExtensions(
            abs_send_time=extensions.abs_send_time,
            audio_level=extensions.audio_level,
            mid=extensions.mid,
            repaired_rtp_stream_id=extensions.repaired_rid,
            rtp_stream_id=extensions.rid,
            transport_sequence_number=extensions.transport_sequence_number,
        )
        data = packet.serialize(peer_map(ids))
        read = rtp.parse_rtp(data, ids)
        assert (read.marker, read.payload_type, read.sequence_number) == (True, 127, 65535)
        assert (read.timestamp, read.ssrc) == (7, 9)
        assert read.payload == payload
        assert read.padding_size == padding
        assert read.header_size == len(data) - len(payload) - padding
        expected = tuple(getattr(extensions, name) if name in ids else None for name in URIS)
        assert as_tuple(read.extensions) == expected

    @given(st.binary(max_size=64))
    def test_whatever_aiortc_refuses_of_the_header_we_refuse(self, data: bytes) -> None:
        try:
            packet = peer.RtpPacket.parse(data)
        except ValueError:
            with pytest.raises(MalformedError):
                rtp.parse_rtp(data)
            return
        assert rtp.parse_rtp(data).payload == packet.payload

    def test_short_packet_is_truncated(self) -> None:
        with pytest.raises(TruncatedError):
            rtp.parse_rtp(b"\x80" * 11)

    def test_text_that_is_not_utf8_does_not_raise(self) -> None:
        data = bytes.fromhex("906000000000000000000001bede000110ff0000")
        assert rtp.parse_rtp(data, {"mid": 1}).extensions.mid == "\ufffd"

    def test_any_bytes_like_is_accepted(self) -> None:
        data = peer.RtpPacket(payload=b"abc").serialize()
        for view in (bytearray(data), memoryview(data), np.frombuffer(data, np.uint8)):
            assert rtp.parse_rtp(view).payload == b"abc"


def encode_frames() -> list[tuple[list[bytes], int]]:
    """Payload lists of aiortc's encoder with their PictureIDs; the first frame is a key frame."""
    encoder = Vp8Encoder()
    noise = np.random.default_rng(1)
    frames = []
    for index in range(3):
        frame = VideoFrame.from_ndarray(
            noise.integers(0, 255, (360, 320), np.uint8), format="yuv420p"
        )
        frame.pts = index * 3000
        frame.time_base = fractions.Fraction(1, 90000)
        picture_id = encoder.picture_id
        frames.append((encoder.encode(frame)[0], picture_id))
    return frames


class TestVp8:
    def test_we_read_the_payloads_of_aiortcs_encoder(self) -> None:
        for number, (payloads, _) in enumerate(encode_frames()):
            assert len(payloads) > 1
            for index, payload in enumerate(payloads):
                part = rtp.depacketize("vp8", payload)
                assert part.data == VpxPayloadDescriptor.parse(payload)[1]
                assert part.starts_frame == (index == 0)
                assert part.is_key_frame == (number == 0 and index == 0)

    def test_aiortc_reads_our_payloads(self) -> None:
        packetizer = rtp.Packetizer("vp8", first_picture_id=32766)
        for payloads, picture_id in zip(encode_frames(), [32766, 32767, 0], strict=True):
            frame = b"".join(rtp.depacketize("vp8", payload).data for payload in payloads[0])
            cut = packetizer.packetize(frame, 1160)
            joined = b""
            for index, payload in enumerate(cut):
                descriptor, data = VpxPayloadDescriptor.parse(payload)
                assert descriptor.partition_start == (1 if index == 0 else 0)
                assert descriptor.partition_id == 0
                assert descriptor.picture_id == picture_id
                joined += data
            assert joined == frame
            assert len({len(payload) for payload in cut[:-1]}) == 1

    @given(
        st.booleans(),
        st.none() | st.integers(0, 32767),
        st.none() | st.integers(0, 255),
        st.none() | st.tuples(st.integers(0, 3), st.integers(0, 1)),
        st.none() | st.integers(0, 31),
        st.binary(min_size=1, max_size=20),
    )
    def test_every_descriptor_of_aiortc_is_removed(
        self,
        starts: bool,
        picture_id: int | None,
        tl0picidx: int | None,
        tid: tuple[int, int] | None,
        keyidx: int | None,
        data: bytes,
    ) -> None:
        descriptor = VpxPayloadDescriptor(int(starts), 0, picture_id, tl0picidx, tid, keyidx)
        part = rtp.depacketize("vp8", bytes(descriptor) + data)
        assert part.data == data
        assert part.starts_frame == starts
        with pytest.raises(MalformedError):
            rtp.depacketize("vp8", bytes(descriptor))

    def test_frame_without_a_byte_is_refused(self) -> None:
        with pytest.raises(InvalidArgumentError):
            rtp.Packetizer("vp8").packetize(b"", 1200)


def a_block() -> rtp.ReportBlock:
    return rtp.ReportBlock(
        ssrc=2**32 - 1,
        fraction_lost=255,
        cumulative_lost=-(2**23),
        extended_highest_sequence=2**31,
        jitter=3,
        last_sender_report=4,
        delay_since_last_sender_report=5,
    )


PEER_BLOCK = peer.RtcpReceiverInfo(
    ssrc=2**32 - 1,
    fraction_lost=255,
    packets_lost=-(2**23),
    highest_sequence=2**31,
    jitter=3,
    lsr=4,
    dlsr=5,
)
PEER_SENDER_REPORT = peer.RtcpSrPacket(
    ssrc=1,
    sender_info=peer.RtcpSenderInfo(
        ntp_timestamp=2**63 + 5, rtp_timestamp=90000, packet_count=10, octet_count=11
    ),
    reports=[PEER_BLOCK] * 31,
)
PEER_DESCRIPTION = peer.RtcpSdesPacket(
    chunks=[peer.RtcpSourceInfo(ssrc=1, items=[(2, b"Name"), (1, b"cname@host")])]
)
PEER_PACKETS: list[peer.AnyRtcpPacket] = [
    PEER_SENDER_REPORT,
    peer.RtcpRrPacket(ssrc=1, reports=[PEER_BLOCK]),
    PEER_DESCRIPTION,
    peer.RtcpByePacket(sources=[1, 2, 3]),
    peer.RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=2, lost=[10, 11, 26, 27, 500]),
    peer.RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=2),
    peer.RtcpPsfbPacket(fmt=4, ssrc=1, media_ssrc=0, fci=struct.pack("!LL", 2, 1 << 24)),
    peer.RtcpPsfbPacket(fmt=15, ssrc=1, media_ssrc=0, fci=peer.pack_remb_fci(4_160_000, [2])),
]


class TestRtcp:
    def test_aiortc_reads_our_reports(self) -> None:
        report = rtp.SenderReport(
            sender=1,
            ntp_time=2**63 + 5,
            rtp_timestamp=90000,
            packet_count=10,
            octet_count=11,
            reports=[a_block()] * 31,
        )
        assert peer.RtcpPacket.parse(rtp.write_sender_report(report)) == [PEER_SENDER_REPORT]
        receiver = rtp.write_receiver_report(rtp.ReceiverReport(sender=1, reports=[a_block()]))
        assert peer.RtcpPacket.parse(receiver) == [peer.RtcpRrPacket(ssrc=1, reports=[PEER_BLOCK])]

    def test_more_blocks_than_a_report_counts_are_refused(self) -> None:
        with pytest.raises(InvalidArgumentError):
            rtp.write_receiver_report(rtp.ReceiverReport(sender=1, reports=[a_block()] * 32))

    @pytest.mark.parametrize("size", range(1, 12))
    def test_aiortc_reads_our_source_description(self, size: int) -> None:
        cname = "c" * size
        compound = rtp.write_source_description(7, cname) + rtp.write_bye(7)
        assert peer.RtcpPacket.parse(compound) == [
            peer.RtcpSdesPacket(chunks=[peer.RtcpSourceInfo(ssrc=7, items=[(1, cname.encode())])]),
            peer.RtcpByePacket(sources=[7]),
        ]

    # Steps of half the range and more are none ahead, and aiortc's writer fails across the wrap.
    @given(st.integers(0, 2**15), st.sets(st.integers(0, 2**15 - 1), min_size=1, max_size=200))
    def test_aiortc_reads_our_nacks(self, first: int, lost: set[int]) -> None:
        numbers = [first + number for number in sorted(lost)]
        data = rtp.write_nack(1, 2, numbers)
        assert peer.RtcpPacket.parse(data) == [
            peer.RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=2, lost=numbers)
        ]
        assert rtp.parse_rtcp(data)[0].sequence_numbers == numbers
        # Tight packing: aiortc fills its words the same way.
        assert data == bytes(peer.RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=2, lost=numbers))

    def test_nack_across_the_wrap_is_one_word(self) -> None:
        data = rtp.write_nack(1, 2, [65535, 0, 15])
        assert len(data) == 16
        assert rtp.parse_rtcp(data)[0].sequence_numbers == [65535, 0, 15]

    def test_aiortc_reads_our_pli(self) -> None:
        assert peer.RtcpPacket.parse(rtp.write_picture_loss_indication(1, 2)) == [
            peer.RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=2)
        ]

    def test_we_read_what_aiortc_writes(self) -> None:
        packets = rtp.parse_rtcp(b"".join(bytes(packet) for packet in PEER_PACKETS))
        sender, receiver, description, bye, nack, pli, fir, remb = packets
        assert isinstance(sender, rtp.SenderReport)
        assert (sender.sender, sender.ntp_time) == (1, 2**63 + 5)
        assert (sender.rtp_timestamp, sender.packet_count, sender.octet_count) == (90000, 10, 11)
        assert len(sender.reports) == 31
        assert isinstance(receiver, rtp.ReceiverReport)
        block = receiver.reports[0]
        assert (block.ssrc, block.fraction_lost) == (2**32 - 1, 255)
        assert (block.cumulative_lost, block.extended_highest_sequence) == (-(2**23), 2**31)
        assert (block.jitter, block.last_sender_report) == (3, 4)
        assert block.delay_since_last_sender_report == 5
        assert isinstance(description, rtp.SourceDescription)
        assert (description.ssrc, description.cname) == (1, "cname@host")
        assert isinstance(bye, rtp.Bye)
        assert bye.sources == [1, 2, 3]
        assert isinstance(nack, rtp.Nack)
        assert (nack.sender, nack.media) == (1, 2)
        assert nack.sequence_numbers == [10, 11, 26, 27, 500]
        assert isinstance(pli, rtp.PictureLossIndication)
        assert (pli.sender, pli.media) == (1, 2)
        assert isinstance(fir, rtp.FullIntraRequest)
        assert (fir.sender, fir.targets) == (1, [2])
        assert isinstance(remb, rtp.Remb)
        assert (remb.sender, remb.bits_per_second, remb.sources) == (1, 4_160_000, [2])

    @pytest.mark.parametrize("packet", PEER_PACKETS, ids=lambda packet: type(packet).__name__)
    def test_every_truncation_is_refused(self, packet: peer.AnyRtcpPacket) -> None:
        data = bytes(packet)
        assert rtp.is_rtcp(data)
        for size in range(1, len(data)):
            with pytest.raises(MalformedError):
                rtp.parse_rtcp(data[:size])

    def test_trailing_bytes_are_refused(self) -> None:
        with pytest.raises(MalformedError):
            rtp.parse_rtcp(rtp.write_bye(1) + b"\x80")
