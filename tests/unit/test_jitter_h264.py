"""H.264 at the start of a stream: no frame without the parameter sets that came before it."""

from __future__ import annotations

import itertools
import random
import struct

import pytest

from sealroom import jitter, rtp

START = b"\0\0\0\1"
PARAMETERS = START + bytes.fromhex("6742c01e") + START + bytes.fromhex("68ce3c80")
SLICE = START + b"\x65" + bytes(range(128, 228)) * 25
DELTA = START + b"\x41" + bytes(range(128, 228)) * 15
DELIMITER = START + bytes.fromhex("0910")


def packet(number: int, timestamp: int, payload: bytes, marker: bool) -> bytes:
    first = 96 | (0x80 if marker else 0)
    return struct.pack("!BBHII", 0x80, first, number & 0xFFFF, timestamp, 1) + payload


def packets(frame: bytes, first: int, timestamp: int) -> list[bytes]:
    payloads = rtp.Packetizer("h264").packetize(frame, 1200)
    last = len(payloads) - 1
    return [packet(first + i, timestamp, part, i == last) for i, part in enumerate(payloads)]


def separately(frame: bytes, first: int, timestamp: int) -> list[bytes]:
    """Each NAL unit in packets of its own."""
    payloads: list[bytes] = []
    for unit in frame.split(START)[1:]:
        payloads += rtp.Packetizer("h264").packetize(START + unit, 1200)
    last = len(payloads) - 1
    return [packet(first + i, timestamp, part, i == last) for i, part in enumerate(payloads)]


KEY_FRAME = PARAMETERS + SLICE


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_key_frame_at_the_start_is_whole_in_whatever_order_it_comes(order: list[int]) -> None:
    sent = packets(KEY_FRAME, 65_534, 3000)
    assert len(sent) == 4
    buffer = jitter.VideoJitterBuffer("h264")
    for i, number in enumerate(order):
        assert buffer.pop() == []
        buffer.insert([sent[number]], now=0.001 * i)
    [frame] = buffer.pop()
    assert frame.data.tobytes() == KEY_FRAME
    assert frame.is_key_frame
    assert frame.first_sequence_number == 65_534
    buffer.insert(packets(DELTA, 65_538, 6000), now=0.033)
    assert [frame.data.tobytes() for frame in buffer.pop()] == [DELTA]
    assert buffer.statistics.packets_given_up == 0


@pytest.mark.parametrize("order", list(itertools.permutations(range(5)))[::7])
def test_units_in_packets_of_their_own_are_one_frame(order: list[int]) -> None:
    whole = DELIMITER + PARAMETERS + START + bytes.fromhex("0605") + START + b"\x65\x88"
    sent = separately(whole, 10, 3000)
    assert len(sent) == 5
    buffer = jitter.VideoJitterBuffer("h264")
    buffer.insert([sent[0]], now=0.0)  # the delimiter; nothing could tell that it is missing
    for i, number in enumerate(order):
        buffer.insert([sent[number]], now=0.001 * i)
    [frame] = buffer.pop()
    assert frame.data.tobytes() == whole


def test_missing_start_is_asked_for_and_then_another_key_frame() -> None:
    sent = packets(KEY_FRAME, 100, 3000)
    buffer = jitter.VideoJitterBuffer("h264", nack_reorder_wait=0.01)
    buffer.insert(sent[1:], now=0.0)
    assert buffer.pop() == []
    assert buffer.next_timeout() == pytest.approx(0.01)
    buffer.handle_timeout(0.01)
    assert buffer.take_nacks(0.01).tolist() == [100]
    for i in range(1, 14):
        buffer.insert(packets(DELTA, 102 + 2 * i, 3000 + 3000 * i), now=0.033 * i)
        buffer.handle_timeout(0.033 * i)
    assert not buffer.take_key_frame_request(0.45)
    buffer.handle_timeout(0.6)
    assert buffer.take_key_frame_request(0.6)
    assert buffer.pop() == []
    buffer.insert(packets(KEY_FRAME, 130, 60_000), now=0.7)
    assert [frame.data.tobytes() for frame in buffer.pop()] == [KEY_FRAME]


def test_missing_start_that_is_sent_again_makes_the_frame_whole() -> None:
    sent = packets(KEY_FRAME, 100, 3000)
    buffer = jitter.VideoJitterBuffer("h264")
    buffer.insert(sent[1:] + packets(DELTA, 104, 6000), now=0.0)
    buffer.handle_timeout(0.02)
    assert buffer.take_nacks(0.02).tolist() == [100]
    buffer.insert([sent[0]], now=0.06)
    assert [frame.data.tobytes() for frame in buffer.pop()] == [KEY_FRAME, DELTA]
    assert buffer.statistics.packets_recovered == 1


def test_gap_that_reaches_into_a_key_frame_costs_that_key_frame() -> None:
    buffer = jitter.VideoJitterBuffer("h264")
    buffer.insert(packets(KEY_FRAME, 1, 3000), now=0.0)
    assert len(buffer.pop()) == 1
    # 5 and 6 are a delta frame, 7 holds the next key frame's parameter sets: all three are lost.
    buffer.insert(packets(KEY_FRAME, 7, 9000)[1:], now=0.066)
    buffer.insert(packets(DELTA, 11, 12_000), now=0.1)
    buffer.handle_timeout(0.7)
    assert buffer.pop() == []
    assert buffer.take_key_frame_request(0.7)
    buffer.insert(packets(KEY_FRAME, 13, 15_000), now=0.8)
    assert [frame.data.tobytes() for frame in buffer.pop()] == [KEY_FRAME]


def test_gap_before_a_whole_key_frame_costs_only_what_is_before_it() -> None:
    buffer = jitter.VideoJitterBuffer("h264")
    buffer.insert(packets(KEY_FRAME, 1, 3000), now=0.0)
    buffer.insert(packets(KEY_FRAME, 7, 9000), now=0.066)
    assert len(buffer.pop()) == 1
    buffer.handle_timeout(0.7)
    assert [frame.data.tobytes() for frame in buffer.pop()] == [KEY_FRAME]
    assert not buffer.take_key_frame_request(0.7)


def test_parameter_sets_that_come_otherwise_only_delay_the_start() -> None:
    buffer = jitter.VideoJitterBuffer("h264")
    number = 50
    got = []
    for i in range(40):  # a key frame without parameter sets each second frame
        sent = packets(SLICE if i % 2 == 0 else DELTA, number, 3000 * i)
        number += len(sent)
        buffer.insert(sent, now=0.033 * i)
        buffer.handle_timeout(0.033 * i)
        got += [frame.timestamp for frame in buffer.pop()]
    assert got == [3000 * i for i in range(2, 40)]


def test_last_packet_of_the_frame_before_shows_where_the_frame_begins() -> None:
    buffer = jitter.VideoJitterBuffer("h264")
    before = packets(DELTA, 8, 3000)
    sent = packets(SLICE, 10, 6000)
    buffer.insert(sent, now=0.0)
    assert buffer.pop() == []
    buffer.insert([before[1]], now=0.005)
    assert [frame.data.tobytes() for frame in buffer.pop()] == [SLICE]


def test_fragments_without_a_byte_are_taken() -> None:
    """RFC 6184 section 5.8 allows them."""
    assert rtp.depacketize("h264", bytes.fromhex("7c85")).data == START + b"\x65"
    assert rtp.depacketize("h264", bytes.fromhex("7c05")).data == b""
    parts = [bytes.fromhex(part) for part in ("7c85", "7c0588aa", "7c05", "7c45bb", "7c45")]
    assert rtp.assemble_frame("h264", parts[:4]) == START + bytes.fromhex("6588aabb")
    buffer = jitter.VideoJitterBuffer("h264")
    buffer.insert(packets(KEY_FRAME, 1, 3000), now=0.0)
    frame = [packet(5 + i, 6000, part, i == 3) for i, part in enumerate((*parts[:3], parts[4]))]
    buffer.insert(frame, now=0.033)
    assert buffer.pop()[1].data.tobytes() == START + bytes.fromhex("6588aa")


FRAGMENT = bytes.fromhex("7c050909")  # of a frame that began before
IDR = bytes.fromhex("6580010203")


def test_key_frame_whose_earlier_start_comes_late_keeps_its_place_behind_others() -> None:
    """The buffer let go of packets that the third frame was then put together from."""
    buffer = jitter.VideoJitterBuffer("h264")
    hostile = [
        packet(40, 50, FRAGMENT, marker=False),
        packet(50, 100, IDR, marker=False),
        packet(60, 200, IDR, marker=False),
        packet(45, 200, bytes.fromhex("7800046742c01e0005") + IDR, marker=False),
        packet(46, 200, IDR, marker=True),
    ]
    for i, each in enumerate(hostile):
        buffer.insert([each], now=0.001 * i)
    [frame] = buffer.pop()
    assert (frame.first_sequence_number, frame.last_sequence_number) == (45, 46)
    assert frame.data.tobytes() == START + bytes.fromhex("6742c01e") + (START + IDR) * 2


@pytest.mark.parametrize("seed", range(40))
def test_interleaved_starts_in_any_order_do_no_harm(seed: int) -> None:
    """Frames begun and ended at random in a window of 64 numbers, as attackers would send them."""
    chosen = random.Random(seed)
    units = [IDR, IDR, bytes.fromhex("6742c01e"), bytes.fromhex("419a"), FRAGMENT]
    buffer = jitter.VideoJitterBuffer("h264", max_packets=chosen.choice([16, 64, 2048]))
    now = 0.0
    for _ in range(400):
        now += chosen.random() * 0.02
        number = chosen.randrange(65_500, 65_564)
        timestamp = 3000 * chosen.randrange(4)
        each = packet(number, timestamp, chosen.choice(units), chosen.random() < 0.25)
        buffer.insert([each], now=now)
        if chosen.random() < 0.02:
            buffer.require_key_frame()
        for frame in buffer.pop():
            assert len(frame.data) > 0
    assert buffer.statistics.packets_received == 400


def test_padding_that_ends_a_frame_is_not_taken_into_the_key_frame_behind_it() -> None:
    """It made what came before it, which is no key frame, the first frame of the stream."""
    buffer = jitter.VideoJitterBuffer("h264")
    padding = struct.pack("!BBHII", 0xA0, 0x80 | 96, 11, 200, 1) + b"\0\0\0\4"
    buffer.insert([packet(9, 100, bytes.fromhex("419a"), marker=True)], now=0.0)
    buffer.insert([packet(10, 200, bytes.fromhex("0910"), marker=False), padding], now=0.001)
    buffer.insert([packet(12, 200, IDR, marker=True)], now=0.002)
    [frame] = buffer.pop()
    assert frame.is_key_frame
    assert frame.data.tobytes() == START + IDR


@pytest.mark.parametrize(("count", "size"), [(250, 3), (499, 1)])
def test_packets_of_many_small_slices_are_kept_though_start_codes_make_them_larger(
    count: int, size: int
) -> None:
    """A payload of at most 1500 bytes, in turn and waiting for one before it."""
    unit = b"\x41\x9a\x9a"[:size]
    payload = b"\x78" + (struct.pack("!H", size) + unit) * count
    frame = (START + unit) * count
    assert len(payload) <= 1500 < len(frame)
    buffer = jitter.VideoJitterBuffer("h264")
    buffer.insert(packets(KEY_FRAME, 1, 3000), now=0.0)
    buffer.insert([packet(5, 6000, payload, True), packet(7, 12_000, payload, True)], now=0.033)
    buffer.insert([packet(6, 9000, payload, True)], now=0.066)
    assert [one.data.tobytes() for one in buffer.pop()] == [KEY_FRAME, frame, frame, frame]
    assert buffer.statistics.packets_discarded == 0
