"""RED, transport-wide feedback, dependency descriptors and header batches from Python."""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealroom import rtp
from sealroom.errors import (
    InvalidArgumentError,
    LimitExceededError,
    MalformedError,
    NotReadyError,
    TruncatedError,
)

# Sent by Chromium 110 and 112 (tests/vectors/SOURCES.md).
ONE_LAYER = bytes.fromhex("80000180003a410180ef808680")
THREE_BY_THREE = bytes.fromhex(
    "d0013481e81485214eafffaaaa863cf0430c10c302afc0aaa0063c00430010c002a000a800060000"
    "40001d954926e082b04a0941b820ac1282503157f974000ca864330e222222eca8655304224230ec"
    "a87753013f00b3027f016704ff02cf"
)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class TestRed:
    @given(
        st.integers(1, 8),
        st.lists(st.tuples(st.binary(min_size=1, max_size=60), st.integers(1, 5000)), min_size=1),
        st.integers(61, 400),
    )
    def test_blocks_are_the_payloads_before_without_a_gap(
        self, distance: int, packets: list[tuple[bytes, int]], room: int
    ) -> None:
        encoder = rtp.RedEncoder(payload_type=111, distance=distance)
        sent: list[tuple[bytes, int]] = []
        timestamp = 2**32 - 3000
        for payload, step in packets:
            timestamp += step
            red = encoder.encode(payload, timestamp % 2**32, room)
            sent.append((payload, timestamp))
            assert len(red) <= room
            blocks = rtp.parse_red(red)
            assert len(blocks) <= distance + 1
            expected = [(111, timestamp - at, data) for data, at in sent[-len(blocks) :]]
            assert blocks == expected

    @given(st.binary(max_size=100))
    def test_any_payload_is_blocks_or_an_error(self, payload: bytes) -> None:
        try:
            blocks = rtp.parse_red(payload)
        except (TruncatedError, LimitExceededError):
            return
        headers = 4 * (len(blocks) - 1) + 1
        assert payload[headers:] == b"".join(data for _, _, data in blocks)

    def test_wrong_arguments_name_the_remedy(self) -> None:
        with pytest.raises(InvalidArgumentError, match="distance: 1 to 8"):
            rtp.RedEncoder(payload_type=111, distance=9)
        with pytest.raises(InvalidArgumentError, match="max_payload"):
            rtp.RedEncoder(payload_type=111).encode(b"12345", 0, 5)


class TestTransportFeedback:
    @given(
        st.integers(0, 2**16 - 1),
        st.lists(st.tuples(st.integers(1, 20), st.integers(-100_000, 10_000_000)), max_size=200),
        st.integers(24, 1200),
    )
    def test_arrivals_read_back_to_a_quarter_millisecond(
        self, first: int, packets: list[tuple[int, int]], max_size: int
    ) -> None:
        collector = rtp.TransportFeedbackCollector()
        arrivals = {}
        number, arrival = first, 1_000_000_000
        for step, elapsed in packets:
            number, arrival = (number + step) % 2**16, arrival + elapsed
            collector.packet_received(number, arrival / 1e6)
            arrivals[number] = arrival // 250 * 250
        read: dict[int, int | None] = {}
        for index, packet in enumerate(collector.take(1, 2, max_size)):
            assert len(packet) <= max_size
            [feedback] = rtp.parse_rtcp(packet)
            assert isinstance(feedback, rtp.TransportFeedback)
            assert (feedback.sender, feedback.media) == (1, 2)
            assert feedback.feedback_count == index % 256
            read |= dict(feedback.received)
        assert read == arrivals
        assert collector.take(1, 2) == []

    @pytest.mark.parametrize("first", [9_000, 15_000, 36_000])
    def test_a_sender_that_counts_anew_is_reported_from_its_second_packet_on(
        self, first: int
    ) -> None:
        collector = rtp.TransportFeedbackCollector()
        for i in range(100):
            collector.packet_received((40_960 + i) % 2**16, i / 1000)
        collector.take(1, 2)
        for i in range(50):
            collector.packet_received(first + i, 2 + i / 1000)
        [feedback] = rtp.parse_rtcp(collector.take(1, 2)[0])
        assert isinstance(feedback, rtp.TransportFeedback)
        assert [number for number, _ in feedback.received] == [*range(first + 1, first + 50)]

    def test_old_packets_that_follow_each_other_are_not_taken_for_a_new_count(self) -> None:
        collector = rtp.TransportFeedbackCollector()
        for i in range(100):
            collector.packet_received(40_960 + i, i / 1000)
            collector.packet_received(15_000 + i, i / 1000)
        [feedback] = rtp.parse_rtcp(collector.take(1, 2)[0])
        assert isinstance(feedback, rtp.TransportFeedback)
        assert [number for number, _ in feedback.received] == [*range(40_960, 41_060)]

    def test_times_that_are_none_are_refused(self) -> None:
        collector = rtp.TransportFeedbackCollector()
        for arrival in (float("nan"), float("inf"), 1e11):
            with pytest.raises(InvalidArgumentError, match="arrival"):
                collector.packet_received(1, arrival)
        assert collector.take(1, 2) == []

    def test_a_feedback_of_many_packets_takes_memory_only_where_they_are_read(self) -> None:
        """40 bytes can speak of 65,535 packets; a compound of such held 50 MB."""
        runs = [min(8191, 65_535 - done) for done in range(0, 65_535, 8191)]
        chunks = b"".join((3 << 13 | run).to_bytes(2) for run in runs)
        body = struct.pack("!IIHHI", 1, 2, 5, 65_535, 0) + chunks
        body += bytes(-len(body) % 4)
        packet = bytes([0x8F, 205]) + (len(body) // 4).to_bytes(2) + body
        before = resident_bytes()
        feedbacks = rtp.parse_rtcp(packet * 30)
        assert resident_bytes() - before < 4 << 20
        assert len(feedbacks) == 30
        assert isinstance(feedbacks[0], rtp.TransportFeedback)
        received = feedbacks[0].received
        assert len(received) == feedbacks[0].status_count == 65_535
        assert received[0] == (5, None)
        assert received[-1] == (3, None)


class TestDependencyDescriptor:
    def test_structure_of_a_key_frame_holds_for_what_follows(self) -> None:
        reader = rtp.DependencyDescriptorReader()
        with pytest.raises(NotReadyError, match="key frame"):
            reader.read(bytes.fromhex("d10146401c"))
        key = reader.read(THREE_BY_THREE)
        assert key.has_structure
        assert key.resolution == (320, 180)
        assert (key.frame_number, key.active_decode_targets) == (0x134, 0x1FF)
        assert key.frame_differences == []
        assert len(key.decode_target_indications) == 9
        assert len(key.chain_differences) == 3
        assert key.protected_by == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        frame = reader.read(bytes.fromhex("d10146401c"))
        assert (frame.spatial_layer, frame.temporal_layer) == (0, 1)
        assert frame.active_decode_targets == 7

    def test_an_older_key_frame_that_comes_late_keeps_its_structure_to_itself(self) -> None:
        reader = rtp.DependencyDescriptorReader()
        reader.read(THREE_BY_THREE)
        late = reader.read(ONE_LAYER)
        assert late.frame_number == 1
        assert late.resolution == (480, 270)
        assert len(late.decode_target_indications) == 1
        frame = reader.read(bytes.fromhex("d10146401c"))
        assert (frame.spatial_layer, frame.temporal_layer) == (0, 1)
        assert len(frame.decode_target_indications) == 9

    def test_a_sender_that_begins_anew_brings_the_structure_that_holds(self) -> None:
        reader = rtp.DependencyDescriptorReader()
        reader.read(THREE_BY_THREE[:1] + (5000).to_bytes(2) + THREE_BY_THREE[3:])
        reader.read(ONE_LAYER)
        assert len(reader.read(bytes.fromhex("400001")).decode_target_indications) == 1

    def test_it_travels_in_a_header(self) -> None:
        for descriptor in (ONE_LAYER, THREE_BY_THREE):
            packet = rtp.serialize_rtp(
                b"payload",
                payload_type=45,
                sequence_number=1,
                timestamp=2,
                ssrc=3,
                extensions=rtp.HeaderExtensions(
                    mid="0", dependency_descriptor=descriptor, video_orientation=(90, True, False)
                ),
                extension_ids={"mid": 1, "dependency_descriptor": 5, "video_orientation": 6},
            )
            read = rtp.parse_rtp(
                packet, {"mid": 1, "dependency_descriptor": 5, "video_orientation": 6}
            )
            assert read.extensions.dependency_descriptor == descriptor
            assert read.extensions.video_orientation == (90, True, False)
            assert read.extensions.mid == "0"

    @given(st.binary(max_size=120))
    def test_any_bytes_are_read_or_refused(self, data: bytes) -> None:
        reader = rtp.DependencyDescriptorReader()
        reader.read(ONE_LAYER)
        with contextlib.suppress(MalformedError, LimitExceededError, NotReadyError):
            reader.read(data)
        assert reader.read(ONE_LAYER).has_structure


class TestBatch:
    @given(
        st.lists(
            st.binary(max_size=60)
            | st.builds(lambda n: bytes([0x80]) + bytes(n), st.integers(11, 40)),
            max_size=20,
        )
    )
    def test_rows_say_what_parse_rtp_says(self, packets: list[bytes]) -> None:
        data = b"".join(packets)
        table = rtp.parse_rtp_batch(data, [len(packet) for packet in packets])
        assert table.shape == (len(packets),)
        for row, packet in zip(table, packets, strict=True):
            try:
                one = rtp.parse_rtp(packet)
            except MalformedError:
                assert not row["is_valid"]
                continue
            assert row["is_valid"]
            assert (row["ssrc"], row["timestamp"]) == (one.ssrc, one.timestamp)
            assert row["sequence_number"] == one.sequence_number
            assert (row["payload_type"], row["marker"]) == (one.payload_type, one.marker)
            start, size = int(row["payload_offset"]), int(row["payload_size"])
            assert data[start : start + size] == one.payload

    @pytest.mark.parametrize("sizes", [[13], [-1], [6, 7], [2**62, 2**62], [11], []])
    def test_sizes_that_are_not_those_of_the_buffer_are_refused(self, sizes: list[int]) -> None:
        with pytest.raises(InvalidArgumentError, match="sizes: their sum"):
            rtp.parse_rtp_batch(bytes(12), sizes)

    @pytest.mark.parametrize("sizes", [[12.9], ["12"], [None]])
    def test_sizes_that_are_no_integers_are_refused(self, sizes: Any) -> None:
        with pytest.raises(InvalidArgumentError, match=r"sizes: .* integers"):
            rtp.parse_rtp_batch(bytes(12), sizes)

    def test_errors_and_signatures_name_no_type_of_c(self) -> None:
        without_sizes: Any = rtp.parse_rtp_batch
        with pytest.raises(TypeError) as raised:
            without_sizes(bytes(12))
        assert "::" not in str(raised.value)
        assert "::" not in str(rtp.parse_rtp_batch.__doc__)

    def test_numpy_comes_in_and_out(self) -> None:
        data = np.zeros(3 * 20, np.uint8)
        data[::20] = 0x80
        table = rtp.parse_rtp_batch(data, np.full(3, 20, np.uint16))
        assert table["payload_offset"].tolist() == [12, 32, 52]
        assert table["payload_size"].dtype == np.uint32
        with pytest.raises(InvalidArgumentError, match="one-dimensional"):
            rtp.parse_rtp_batch(data, np.zeros((2, 2), np.int64))
