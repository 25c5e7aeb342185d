"""The Python boundary of the jitter buffers: batches, frames, counters, arguments, threads."""

from __future__ import annotations

import doctest
import gc
import struct
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sealroom import errors, jitter

SSRC = 0xCAFEBABE
VP8_START = b"\x10"
VP8_MORE = b"\x00"


def rtp(
    number: int, timestamp: int, payload: bytes, marker: bool = False, ssrc: int = SSRC
) -> bytes:
    return struct.pack(
        "!BBHII", 0x80, 96 | (0x80 if marker else 0), number & 0xFFFF, timestamp, ssrc
    ) + bytes(payload)


def vp8_frame(index: int, first: int, count: int = 3, key: bool = False) -> list[bytes]:
    """A frame whose first byte says whether it is a key frame (RFC 7741 section 4.3)."""
    packets = []
    for i in range(count):
        body = bytes([0 if key else 1]) if i == 0 else b""
        body += bytes([index & 0xFF]) * 50
        descriptor = VP8_START if i == 0 else VP8_MORE
        packets.append(rtp(first + i, index * 3000, descriptor + body, marker=i == count - 1))
    return packets


def content(index: int, count: int = 3, key: bool = False) -> bytes:
    return bytes([0 if key else 1]) + bytes([index & 0xFF]) * 50 * count


def opus(number: int, size: int = 60) -> bytes:
    return rtp(number, number * 960, bytes([number & 0xFF]) * size)


def joined(packets: list[bytes]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return np.frombuffer(b"".join(packets), np.uint8), np.array([len(p) for p in packets])


def test_documented_example_is_true() -> None:
    assert doctest.testmod(jitter).failed == 0


def test_frames_come_out_whole_and_in_order() -> None:
    buffer = jitter.VideoJitterBuffer("vp8")
    first, second = vp8_frame(1, 65_534, key=True), vp8_frame(2, 65_537)
    buffer.insert([first[2], second[1], first[0]], now=10.0)
    buffer.insert([second[0], second[2]], now=10.001)
    assert buffer.pop() == []
    buffer.insert([first[1]], now=10.002)
    frames = buffer.pop()
    assert [frame.data.tobytes() for frame in frames] == [content(1, key=True), content(2)]
    assert [frame.is_key_frame for frame in frames] == [True, False]
    assert [frame.timestamp for frame in frames] == [3000, 6000]
    assert frames[0].first_sequence_number == 65_534
    assert frames[0].last_sequence_number == 0
    assert frames[0].first_packet_arrival == 10.0
    assert frames[0].completed_at == pytest.approx(10.002)


def test_frame_data_is_an_array_that_outlives_everything() -> None:
    buffer = jitter.VideoJitterBuffer("vp8")
    buffer.insert(vp8_frame(1, 1, key=True), now=0.0)
    [frame] = buffer.pop()
    data = frame.data
    assert np.shares_memory(data, frame.data)
    assert data.dtype == np.uint8
    assert data.ndim == 1
    del frame, buffer
    gc.collect()
    assert data.tobytes() == content(1, key=True)
    made_by_users: Any = jitter.VideoFrame
    with pytest.raises(TypeError):
        made_by_users()


@pytest.mark.parametrize(
    "wrap",
    [bytes, bytearray, memoryview, lambda data: np.frombuffer(data, np.uint8)],
    ids=["bytes", "bytearray", "memoryview", "numpy"],
)
def test_any_bytes_like_is_taken(wrap: Callable[[bytes], Any]) -> None:
    buffer = jitter.VideoJitterBuffer("vp8")
    packets = vp8_frame(1, 1, key=True)
    buffer.insert([wrap(packet) for packet in packets], now=0.0)
    data, sizes = joined(vp8_frame(2, 4))
    buffer.insert_batch(wrap(data.tobytes()), sizes, now=0.0)
    assert [frame.data.tobytes() for frame in buffer.pop()] == [content(1, key=True), content(2)]


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint16, np.uint64])
def test_joined_packets_give_what_a_list_gives(dtype: Any) -> None:
    packets = [packet for i in range(20) for packet in vp8_frame(i, 3 * i, key=i == 0)]
    one, other = jitter.VideoJitterBuffer("vp8"), jitter.VideoJitterBuffer("vp8")
    one.insert(packets, now=1.0)
    data, sizes = joined(packets)
    other.insert_batch(data, sizes.astype(dtype), now=1.0)
    assert [f.data.tobytes() for f in one.pop()] == [f.data.tobytes() for f in other.pop()]
    assert one.statistics.packets_received == other.statistics.packets_received == 60


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        (np.array([10, 10]), "sum"),
        (np.array([200]), "sum"),
        (np.array([-1, 101]), "sum"),
        (np.array([2**62, 2**62]), "sum"),
        (np.array([100.0]), "integers"),
        (np.array([[100]]), "one-dimensional"),
    ],
)
def test_wrong_sizes_are_named_and_change_nothing(sizes: Any, words: str) -> None:
    buffer = jitter.AudioJitterBuffer()
    with pytest.raises(errors.InvalidArgumentError, match=words):
        buffer.insert_batch(bytes(100), sizes, now=0.0)
    assert buffer.statistics.packets_received == buffer.statistics.packets_malformed == 0


@pytest.mark.parametrize("now", [float("nan"), float("inf"), -1e300])
def test_time_must_be_finite(now: float) -> None:
    buffer = jitter.VideoJitterBuffer("vp8")
    for call in (
        lambda: buffer.insert(vp8_frame(1, 1, key=True), now),
        lambda: buffer.handle_timeout(now),
        lambda: buffer.take_nacks(now),
        lambda: buffer.take_key_frame_request(now),
    ):
        with pytest.raises(errors.InvalidArgumentError, match="now"):
            call()
    assert buffer.statistics.packets_received == 0


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(errors.InvalidArgumentError, match="not video"):
        jitter.VideoJitterBuffer("opus")
    with pytest.raises(errors.InvalidArgumentError, match="not audio"):
        jitter.AudioJitterBuffer("vp8")
    with pytest.raises(errors.UnsupportedError, match="codec"):
        jitter.VideoJitterBuffer("h261")
    with pytest.raises(errors.InvalidArgumentError, match="nack_retry"):
        jitter.VideoJitterBuffer("vp8", nack_retry=-1)
    with pytest.raises(TypeError, match="bytes-like"):
        jitter.AudioJitterBuffer().insert(["text"], now=0.0)  # type: ignore[type-var]
    with pytest.raises(errors.InvalidArgumentError, match="pull"):
        jitter.AudioJitterBuffer().next(now=0.0)
    with pytest.raises(errors.InvalidArgumentError, match="pull"):
        jitter.AudioJitterBuffer(pull=True).pop()


def test_what_is_no_packet_of_the_stream_is_counted_and_changes_nothing() -> None:
    buffer = jitter.VideoJitterBuffer("vp8", ssrc=SSRC)
    buffer.insert([b"", b"\x00" * 40, rtp(1, 0, b"\x90", ssrc=SSRC), rtp(2, 0, b"x", ssrc=1)], 0.0)
    statistics = buffer.statistics
    assert statistics.packets_malformed == 3
    assert statistics.packets_unmatched == 1
    assert statistics.frames_received == 0


def test_missing_packets_are_asked_for_and_then_a_key_frame() -> None:
    buffer = jitter.VideoJitterBuffer("vp8", nack_retry=0.05)
    buffer.insert(vp8_frame(1, 1, key=True), now=0.0)
    buffer.insert(vp8_frame(3, 7), now=0.033)
    assert buffer.take_nacks(0.033).size == 0
    assert buffer.next_timeout() == pytest.approx(0.043)
    buffer.handle_timeout(0.043)
    nacks = buffer.take_nacks(0.043)
    assert nacks.dtype == np.uint16
    assert nacks.tolist() == [4, 5, 6]
    buffer.set_round_trip_time(0.2)
    buffer.handle_timeout(0.1)
    assert buffer.take_nacks(0.1).tolist() == [4, 5, 6]
    buffer.insert(vp8_frame(2, 4), now=0.12)
    assert [frame.timestamp for frame in buffer.pop()] == [3000, 6000, 9000]
    buffer.insert(vp8_frame(5, 13), now=0.2)
    buffer.handle_timeout(0.8)
    assert buffer.take_key_frame_request(0.8)
    assert not buffer.take_key_frame_request(0.9)
    statistics = buffer.statistics
    assert statistics.packets_recovered == 3
    assert statistics.nack_count == 2
    assert statistics.packets_requested == 6
    assert statistics.pli_count == 1
    assert statistics.packets_given_up == 3
    assert statistics.packets_lost == 3


def test_a_malformed_packet_is_not_asked_for_but_a_key_frame_is_at_once() -> None:
    buffer = jitter.VideoJitterBuffer("vp8", nack_reorder_wait=0.0)
    buffer.insert(vp8_frame(1, 1, key=True), now=0.0)
    buffer.insert([rtp(4, 6000, b"\x90", True)], now=0.033)
    assert buffer.statistics.packets_malformed == 1
    assert buffer.take_key_frame_request(0.033)
    buffer.insert(vp8_frame(3, 5), now=0.066)
    assert buffer.take_nacks(0.066).size == 0
    buffer.insert(vp8_frame(4, 8, key=True), now=0.1)
    assert [frame.timestamp for frame in buffer.pop()] == [3000, 12000]


def test_video_counters_follow_webrtc_stats() -> None:
    buffer = jitter.VideoJitterBuffer("vp8")
    packets = vp8_frame(1, 1, key=True)
    for i, packet in enumerate(packets):
        buffer.insert([packet], now=0.010 * i)
    buffer.insert(vp8_frame(2, 4, count=1), now=0.033)
    buffer.insert(vp8_frame(2, 4, count=1), now=0.034)
    statistics = buffer.statistics
    assert statistics.frames_received == 2
    assert statistics.key_frames_received == 1
    assert statistics.frames_assembled_from_multiple_packets == 1
    assert statistics.total_assembly_time == pytest.approx(0.020)
    assert statistics.jitter_buffer_delay == pytest.approx(0.020)
    assert statistics.jitter_buffer_emitted_count == 2
    assert statistics.packets_duplicated == 1
    assert statistics.packets_lost == -1
    assert statistics.jitter > 0


def test_require_key_frame_and_reset() -> None:
    buffer = jitter.VideoJitterBuffer("vp8")
    buffer.insert(vp8_frame(1, 1, key=True) + vp8_frame(2, 4), now=0.0)
    assert len(buffer.pop()) == 2
    buffer.require_key_frame()
    buffer.insert(vp8_frame(3, 7), now=0.1)
    assert buffer.pop() == []
    assert buffer.take_key_frame_request(0.1)
    buffer.reset()
    assert buffer.statistics.packets_received == 0
    buffer.insert(vp8_frame(1, 100, key=True), now=0.2)
    assert len(buffer.pop()) == 1


def test_audio_gap_leaves_as_missing_frames_when_the_target_is_over() -> None:
    buffer = jitter.AudioJitterBuffer("opus")
    buffer.insert([opus(1)], now=0.0)
    buffer.insert([opus(4)], now=0.06)
    assert [frame.is_missing for frame in buffer.pop()] == [False]
    timeout = buffer.next_timeout()
    assert timeout is not None
    buffer.handle_timeout(timeout)
    frames = buffer.pop()
    assert [frame.is_missing for frame in frames] == [True, True, False]
    assert [frame.timestamp for frame in frames] == [1920, 2880, 3840]
    assert frames[0].data.size == 0
    assert frames[2].data.tobytes() == bytes([4]) * 60
    assert buffer.next_timeout() is None
    assert buffer.statistics.concealed_samples == 2 * 960
    assert buffer.statistics.concealment_events == 1


def test_joined_audio_frames_are_the_frames() -> None:
    one, other = jitter.AudioJitterBuffer(), jitter.AudioJitterBuffer()
    packets = [opus(i, size=1 + i % 70) for i in range(100) if i % 10 != 5]
    for buffer in (one, other):
        buffer.insert(packets, now=5.0)
        buffer.handle_timeout(6.0)
    frames = one.pop()
    data, sizes, timestamps, missing = other.pop_batch()
    assert data.dtype == np.uint8
    assert sizes.tolist() == [frame.data.size for frame in frames]
    assert timestamps.tolist() == [frame.timestamp for frame in frames]
    assert missing.tolist() == [frame.is_missing for frame in frames]
    assert data.tobytes() == b"".join(frame.data.tobytes() for frame in frames)
    assert [part.size for part in other.pop_batch()] == [0, 0, 0, 0]


def test_the_bytes_of_an_audio_frame_outlive_frame_and_buffer() -> None:
    buffer = jitter.AudioJitterBuffer()
    buffer.insert([opus(i, size=1400 if i == 3 else 60) for i in range(8)], now=0.0)
    frames = buffer.pop()
    assert [frame.data.size for frame in frames] == [60, 60, 60, 1400, 60, 60, 60, 60]
    assert frames[3].arrival == 0.0
    assert frames[3].sequence_number == 3
    arrays = [frame.data for frame in frames]
    assert np.shares_memory(arrays[3], frames[3].data)
    assert (arrays[3].dtype, arrays[3].shape) == (np.uint8, (1400,))
    del frames
    buffer.insert([opus(i) for i in range(8, 50)], now=0.1)  # into the memory that was used
    assert len(buffer.pop()) == 42
    del buffer
    gc.collect()
    for i, array in enumerate(arrays):
        assert array.tobytes() == bytes([i]) * array.size
    made_by_users: Any = jitter.AudioFrame
    with pytest.raises(TypeError):
        made_by_users()


def test_player_with_its_own_clock_pulls() -> None:
    buffer = jitter.AudioJitterBuffer("opus", pull=True)
    buffer.insert([opus(i) for i in (0, 1, 3)], now=0.0)
    assert buffer.next(0.01) == ("filling", None)
    got = [buffer.next(0.2 + 0.02 * i) for i in range(5)]
    assert [what for what, _ in got] == ["frame", "frame", "missing", "frame", "underrun"]
    assert [frame.timestamp for _, frame in got if frame is not None] == [0, 960, 1920, 2880]
    assert buffer.hint() in {"normal", "accelerate", "expand"}
    assert buffer.next_timeout() is None
    assert jitter.playout_hint(0.2, 0.1) == "accelerate"
    assert jitter.playout_hint(0.01, 0.1) == "expand"
    assert jitter.playout_hint(0.1, 0.1) == "normal"


def test_drift_of_the_senders_clock_is_told() -> None:
    buffer = jitter.AudioJitterBuffer("opus")
    assert buffer.statistics.clock_drift_ppm is None
    for i in range(8000):
        buffer.insert([opus(i)], now=0.02 * i / (1 + 200e-6))
        buffer.pop_batch()
    assert buffer.statistics.clock_drift_ppm == pytest.approx(200, abs=1)
    assert buffer.statistics.target_delay == pytest.approx(0.02)


def test_bounds_hold_when_nobody_reads() -> None:
    audio = jitter.AudioJitterBuffer("opus", max_packets=32)
    video = jitter.VideoJitterBuffer("vp8", max_packets=64)
    for i in range(2000):
        audio.insert([opus(i)], now=0.02 * i)
        video.insert(vp8_frame(i, 3 * i, key=i % 10 == 0), now=0.02 * i)
    assert len(audio.pop()) == 32
    assert len(video.pop()) <= 64 // 3
    assert video.statistics.frames_dropped > 1900
    assert audio.statistics.packets_discarded == 2000 - 32


def test_many_threads_share_a_buffer() -> None:
    buffer = jitter.VideoJitterBuffer("vp8", max_packets=16384)
    frames: list[jitter.VideoFrame] = []
    failures: list[BaseException] = []
    lock = threading.Lock()
    todo = iter(range(1200))

    def work() -> None:
        try:
            while True:
                with lock:
                    i = next(todo, None)
                if i is None:
                    return
                # No time passes: a thread that has to wait for its turn is no packet that is late.
                buffer.insert(vp8_frame(i, 9 * i, count=9, key=i == 0), now=0.0)
                popped = buffer.pop()
                with lock:
                    frames.extend(popped)
                buffer.take_nacks(0.0)
                _ = buffer.statistics.frames_received
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    frames += buffer.pop()
    assert sorted(frame.timestamp for frame in frames) == [3000 * i for i in range(1200)]
    for frame in frames:
        index = frame.timestamp // 3000
        assert frame.data.tobytes() == content(index, count=9, key=index == 0)


def test_a_frame_missing_behind_dropped_ones_keeps_its_place_in_time() -> None:
    buffer = jitter.AudioJitterBuffer("opus", max_packets=16)
    for number in range(10):
        buffer.insert([opus(number)], now=number * 0.02)
    assert len(buffer.pop()) == 10
    # Nobody reads: the oldest go, up to the hole at 44, and later up to the second place of one.
    for number in range(10, 60):
        if number != 44:
            buffer.insert([opus(number)], now=number * 0.02)
    buffer.handle_timeout(10.0)
    frames = buffer.pop()
    assert frames[0].is_missing
    assert [frame.timestamp for frame in frames] == [960 * n for n in range(44, 60)]


def test_holes_that_are_dropped_count_as_lost_and_take_their_time() -> None:
    buffer = jitter.AudioJitterBuffer("opus", max_packets=16)
    for number in range(37):
        if number not in (1, 2, 20, 21, 22):
            buffer.insert([opus(number)], now=number * 0.001)
    assert buffer.statistics.packets_given_up == 3  # 1, 2 and 20; 21 is the oldest place left
    buffer.handle_timeout(10.0)
    frames = buffer.pop()
    assert [frame.is_missing for frame in frames] == [True] * 2 + [False] * 14
    assert [frame.timestamp for frame in frames] == [960 * n for n in range(21, 37)]


def test_audio_gap_is_over_in_time_also_when_only_a_duplicate_comes() -> None:
    """`next_timeout()` lies ahead after each insert, whatever became of the packet."""
    buffer = jitter.AudioJitterBuffer("opus")
    buffer.insert([opus(1)], now=0.0)
    buffer.insert([opus(3)], now=0.02)
    due = buffer.next_timeout()
    assert due is not None
    buffer.insert([opus(1)], now=due + 0.5)
    assert buffer.next_timeout() is None
    assert [frame.is_missing for frame in buffer.pop()] == [False, True, False]


def test_key_frames_are_asked_for_on_when_the_clock_goes_back() -> None:
    buffer = jitter.VideoJitterBuffer("vp8", key_frame_interval=0.5)
    buffer.insert([rtp(1, 0, VP8_MORE + b"x", marker=True)], now=4000.0)
    buffer.handle_timeout(4000.0)
    assert buffer.take_key_frame_request(4000.0)
    buffer.insert([rtp(2, 3000, VP8_MORE + b"x", marker=True)], now=400.0)
    assert not buffer.take_key_frame_request(400.4)
    assert buffer.next_timeout() == pytest.approx(400.5)
    assert buffer.take_key_frame_request(400.6)
