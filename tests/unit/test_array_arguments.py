"""Which arrays and buffers the batch calls of the core take, and how they hold them."""

from __future__ import annotations

import array
import contextlib
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sealroom import jitter, rtp, srtp
from sealroom.errors import InvalidArgumentError, MalformedError

MASTER = bytes(range(44))
PACKET, NEXT = (
    b"\x80\x60\x00" + number + bytes(4) + b"\x00\x00\x00\x07" + bytes(range(100))
    for number in (b"\x01", b"\x02")
)


def sender() -> srtp.Sender:
    return srtp.Sender(profile=srtp.Profile.AEAD_AES_256_GCM, master=MASTER)


def unaligned(items: Any) -> Any:
    """The same items one byte off their alignment."""
    room = np.zeros(items.nbytes + 1, np.uint8)
    placed = room[1:].view(items.dtype)
    placed[:] = items
    assert not placed.flags.aligned
    return placed


@pytest.mark.parametrize(
    "sizes",
    [
        np.array([112, 112], np.int32),
        np.array([112, 112], np.uint32),
        unaligned(np.array([112, 112], np.int32)),
        array.array("i", [112, 112]),
        memoryview(array.array("I", [112, 112])),
        memoryview(np.array([112, 112], np.int32)),
    ],
    ids=["int32", "uint32", "unaligned", "array", "memoryview", "memoryview_of_numpy"],
)
@pytest.mark.parametrize(
    "wrap",
    [bytes, bytearray, memoryview, lambda data: np.frombuffer(data, np.int8)],
    ids=["bytes", "bytearray", "memoryview", "int8"],
)
def test_sizes_and_data_of_any_kind_give_the_same_packets(
    sizes: Any, wrap: Callable[[bytes], Any]
) -> None:
    expected = sender().protect_rtp_many([PACKET, NEXT])
    data, data_sizes = sender().protect_rtp_batch(wrap(PACKET + NEXT), sizes)
    assert data.tobytes() == b"".join(expected)
    assert data_sizes.tolist() == [128, 128]


@pytest.mark.parametrize("order", [">i4", ">u4"])
def test_sizes_in_foreign_byte_order_are_refused(order: str) -> None:
    with pytest.raises(TypeError, match="sizes: a one-dimensional array of int32 or uint32"):
        sender().protect_rtp_batch(PACKET, np.array([112], order))


@pytest.mark.parametrize("kind", [np.uint32, np.int64, ">i4"])
def test_sizes_are_written_to_int32_only(kind: Any) -> None:
    with pytest.raises(TypeError, match="out_sizes: a writable one-dimensional array of int32"):
        sender().protect_rtp_batch_into(
            PACKET, np.array([112], np.int32), np.zeros(200, np.uint8), np.zeros(1, kind)
        )


def test_sizes_are_written_where_they_are_not_aligned() -> None:
    out_sizes = unaligned(np.zeros(2, np.int32))
    out = np.zeros(256, np.uint8)
    sizes = np.array([112, 112], np.int32)
    assert sender().protect_rtp_batch_into(PACKET + NEXT, sizes, out, out_sizes) == 256
    assert out_sizes.tolist() == [128, 128]


@pytest.mark.parametrize("which", ["out", "out_sizes"])
def test_memory_that_is_read_only_is_not_written_to(which: str) -> None:
    arrays = {"out": np.zeros(200, np.uint8), "out_sizes": np.zeros(1, np.int32)}
    arrays[which].flags.writeable = False
    with pytest.raises((BufferError, ValueError), match="read-only"):
        sender().protect_rtp_batch_into(PACKET, np.array([112], np.int32), *arrays.values())
    assert not any(part.any() for part in arrays.values())


@pytest.mark.parametrize("data", [np.zeros(224, np.uint8)[::2], np.zeros((2, 56), np.uint8)])
def test_data_in_pieces_or_of_two_dimensions_is_refused(data: Any) -> None:
    with pytest.raises((BufferError, ValueError)):
        sender().protect_rtp_batch(data, np.array([112], np.int32))


@pytest.mark.parametrize("kind", [np.int64, np.uint64, np.int32, np.uint8, ">i8"])
def test_jitter_buffers_take_sizes_of_any_integer_kind(kind: Any) -> None:
    payload = b"\x10" + bytes(99)
    packet = b"\x80\xe0\x00\x01" + bytes(4) + b"\x00\x00\x00\x07" + payload
    for sizes in (np.array([len(packet)], kind), np.array([len(packet), 0], kind)[::2]):
        buffer = jitter.VideoJitterBuffer("vp8")
        buffer.insert_batch(packet, sizes, 0.0)
        assert [frame.data.tobytes() for frame in buffer.pop()] == [payload[1:]]
    buffer = jitter.VideoJitterBuffer("vp8")
    buffer.insert_batch(packet, unaligned(np.array([len(packet)], np.int64)), 0.0)
    assert len(buffer.pop()) == 1


def test_sizes_that_change_during_a_call_are_those_it_began_with() -> None:
    """A thread writes into the sizes: whatever comes out, nothing is written behind `out`."""
    count, rounds = 400, 300
    packets = [
        b"\x80\x60" + i.to_bytes(2) + bytes(4) + b"\x00\x00\x00\x07" + bytes(88)
        for i in range(count)
    ]
    data = np.frombuffer(b"".join(packets), np.uint8)
    sizes = np.full(count, 100, np.int32)
    room = np.full(count * 116 + 4096, 0xEE, np.uint8)
    done = threading.Event()

    def change() -> None:
        while not done.is_set():
            sizes[-2:] = 200
            sizes[-2:] = 100

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(rounds):
            with contextlib.suppress(InvalidArgumentError):  # they were wrong when they were read
                sender().protect_rtp_batch_into(
                    data, sizes, room[: count * 116], np.zeros(count, np.int32)
                )
            with contextlib.suppress(InvalidArgumentError):
                rows = rtp.parse_rtp_batch(data, sizes)
                assert (rows["payload_offset"] + rows["payload_size"] <= len(data)).all()
    finally:
        done.set()
        thread.join()
    assert (room[count * 116 :] == 0xEE).all()


@pytest.mark.parametrize("pair", [("sizes", "out_sizes"), ("data", "out_sizes"), ("sizes", "out")])
def test_arrays_that_lie_over_each_other_are_refused_or_do_no_harm(pair: tuple[str, str]) -> None:
    """Sizes are read before anything is written; what is written must not lie over the rest."""
    memory = np.full(4096, 0xEE, np.uint8)
    arrays: dict[str, Any] = {
        "data": np.frombuffer(PACKET + NEXT, np.uint8).copy(),
        "sizes": np.array([112, 112, 112], np.int32),
        "out": memory[:256],
        "out_sizes": np.zeros(2, np.int32),
    }
    if pair == ("sizes", "out_sizes"):
        arrays["out_sizes"] = arrays["sizes"][1:]
    elif pair == ("data", "out_sizes"):
        arrays["out_sizes"] = arrays["data"][4:12].view(np.int32)
    else:
        memory[:12] = arrays["sizes"].view(np.uint8)
        arrays["sizes"] = memory[:12].view(np.int32)
    arrays["sizes"] = arrays["sizes"][:2]
    if pair[0] == "data":
        with pytest.raises(InvalidArgumentError, match="data, out, out_sizes: no two may share"):
            sender().protect_rtp_batch_into(**arrays)
        assert arrays["data"].tobytes() == PACKET + NEXT
    else:
        assert sender().protect_rtp_batch_into(**arrays) == 256
        assert arrays["out"].tobytes() == b"".join(sender().protect_rtp_many([PACKET, NEXT]))
        assert (memory[256:] == 0xEE).all()


def test_a_packet_that_becomes_one_during_a_call_is_refused_as_it_was() -> None:
    bad = bytearray(20)
    packets = [bad, *(PACKET[:2] + i.to_bytes(2) + PACKET[4:] for i in range(200))]
    done = threading.Event()

    def change() -> None:
        while not done.is_set():
            bad[0] ^= 0x80

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(300):
            result = sender().protect_rtp_many(packets, return_errors=True)
            assert isinstance(result[0], bytes | MalformedError)
            assert all(isinstance(one, bytes) for one in result[1:])
    finally:
        done.set()
        thread.join()
