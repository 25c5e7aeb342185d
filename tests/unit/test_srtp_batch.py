"""SRTP in batches over one buffer, and keys, at the Python boundary."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sealroom import errors, srtp
from sealroom._core import crypto

Sizes = npt.NDArray[np.int32]
Data = npt.NDArray[np.uint8]


def packet_of(number: int, size: int = 100, ssrc: int = 0xCAFEBABE) -> bytes:
    header = b"\x80\x60" + (number & 0xFFFF).to_bytes(2) + bytes(4) + ssrc.to_bytes(4)
    return header + bytes(i & 0xFF for i in range(size))


def joined(packets: list[bytes]) -> tuple[Data, Sizes]:
    data = np.frombuffer(b"".join(packets), np.uint8)
    return data, np.array([len(packet) for packet in packets], np.int32)


def cut(data: Data, sizes: Sizes) -> list[bytes]:
    ends = np.cumsum(sizes)
    return [bytes(data[end - size : end]) for end, size in zip(ends, sizes, strict=True)]


def master_of(profile: srtp.Profile, first: int = 0) -> bytes:
    return bytes((first + i) & 0xFF for i in range(sum(srtp.master_size(profile))))


@pytest.fixture(params=crypto.available_backends())
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(srtp.Profile), ids=lambda profile: profile.name)
def profile(request: pytest.FixtureRequest) -> srtp.Profile:
    return srtp.Profile(request.param)


@pytest.fixture
def sender(profile: srtp.Profile, backend: str) -> srtp.Sender:
    return srtp.Sender(profile=profile, master=master_of(profile), backend=backend)


@pytest.fixture
def receiver(profile: srtp.Profile, backend: str) -> srtp.Receiver:
    return srtp.Receiver(profile=profile, master=master_of(profile), backend=backend)


def test_batch_gives_what_single_calls_give(
    profile: srtp.Profile, backend: str, sender: srtp.Sender, receiver: srtp.Receiver
) -> None:
    single = srtp.Sender(profile=profile, master=master_of(profile), backend=backend)
    packets = [packet_of(i, size=i * 7 % 1200) for i in range(65_400, 65_700)]
    sealed, sealed_sizes = sender.protect_rtp_batch(*joined(packets))
    assert [str(part.dtype) for part in (sealed, sealed_sizes)] == ["uint8", "int32"]
    assert cut(sealed, sealed_sizes) == [single.protect_rtp(packet) for packet in packets]
    opened, opened_sizes, statuses = receiver.unprotect_rtp_batch(sealed, sealed_sizes)
    parts = (opened, opened_sizes, statuses)
    assert [str(part.dtype) for part in parts] == ["uint8", "int32", "uint8"]
    assert cut(opened, opened_sizes) == packets
    assert not statuses.any()
    assert receiver.roll_over_counter(0xCAFEBABE) == 1


def test_empty_batch_is_a_batch(sender: srtp.Sender, receiver: srtp.Receiver) -> None:
    sealed, sizes = sender.protect_rtp_batch(*joined([]))
    assert (len(sealed), len(sizes)) == (0, 0)
    assert [len(part) for part in receiver.unprotect_rtp_batch(sealed, sizes)] == [0, 0, 0]


def test_refused_packet_has_its_status_and_zeros_in_its_place(
    sender: srtp.Sender, receiver: srtp.Receiver
) -> None:
    packets = [packet_of(i, size=50 + i) for i in range(6)]
    sealed = sender.protect_rtp_many(packets)
    damaged = sealed[1][:20] + bytes([sealed[1][20] ^ 1]) + sealed[1][21:]
    arrived = [sealed[0], damaged, sealed[2], b"", sealed[2], b"\x00" + sealed[4][1:], sealed[5]]
    opened, sizes, statuses = receiver.unprotect_rtp_batch(*joined(arrived))
    status = srtp.PacketStatus
    expected = [
        status.OK,
        status.AUTHENTICATION_FAILED,
        status.OK,
        status.TRUNCATED,
        status.REPLAYED,
        status.MALFORMED,
        status.OK,
    ]
    assert [status(value) for value in statuses] == expected
    parts = cut(opened, sizes)
    assert [parts[i] for i in (0, 2, 6)] == [packets[i] for i in (0, 2, 5)]
    assert [len(part) for part in parts] == [len(packets[i]) for i in (0, 1, 2)] + [0] + [
        len(packets[i]) for i in (2, 4, 5)
    ]
    assert not any(any(parts[i]) for i in (1, 3, 4, 5))


def test_batch_with_a_bad_packet_is_refused_before_anything_is_sealed(
    sender: srtp.Sender,
) -> None:
    good = packet_of(1)
    with pytest.raises(errors.MalformedError, match="packet 1"):
        sender.protect_rtp_batch(*joined([good, bytes(50)]))
    with pytest.raises(errors.TruncatedError, match="packet 2"):
        sender.protect_rtp_batch(*joined([good, good, b"\x80"]))
    with pytest.raises(errors.MalformedError, match="datagram"):
        sender.protect_rtp_batch(*joined([packet_of(1, size=65_535 - 12)]))
    assert sender.key_usage().rtp_packets == 0


def test_into_writes_the_callers_arrays(sender: srtp.Sender, receiver: srtp.Receiver) -> None:
    packets = [packet_of(i) for i in range(70)]
    data, sizes = joined(packets)
    sealed = np.full(len(data) + 70 * sender.rtp_overhead + 5, 0xEE, np.uint8)
    sealed_sizes = np.empty(70, np.int32)
    used = sender.protect_rtp_batch_into(data, sizes, sealed, sealed_sizes)
    assert used == len(sealed) - 5 == sealed_sizes.sum()
    assert (sealed[used:] == 0xEE).all()
    opened = np.empty(len(data), np.uint8)
    opened_sizes = np.empty(70, np.int32)
    statuses = np.empty(70, np.uint8)
    accepted = receiver.unprotect_rtp_batch_into(
        sealed[:used], sealed_sizes, opened, opened_sizes, statuses
    )
    assert accepted == 70
    assert cut(opened, opened_sizes) == packets


@pytest.mark.parametrize("short", ["out", "out_sizes", "statuses"])
def test_into_refuses_arrays_that_do_not_fit(
    sender: srtp.Sender, receiver: srtp.Receiver, short: str
) -> None:
    sealed, sizes = sender.protect_rtp_batch(*joined([packet_of(i) for i in range(4)]))
    out = np.zeros(4 * 112 - (short == "out"), np.uint8)
    out_sizes = np.zeros(4 - (short == "out_sizes"), np.int32)
    statuses = np.full(4 - (short == "statuses"), 77, np.uint8)
    with pytest.raises((errors.BufferTooSmallError, errors.InvalidArgumentError), match=short):
        receiver.unprotect_rtp_batch_into(sealed, sizes, out, out_sizes, statuses)
    assert not out.any()
    assert (statuses == 77).all()
    assert receiver.stream_count == 0


def test_output_that_shares_memory_with_the_input_is_refused(
    sender: srtp.Sender, receiver: srtp.Receiver
) -> None:
    room = np.zeros(1000, np.uint8)
    data, sizes = joined([packet_of(1)])
    room[: len(data)] = data
    with pytest.raises(errors.InvalidArgumentError, match="share"):
        sender.protect_rtp_batch_into(room[: len(data)], sizes, room, np.zeros(1, np.int32))
    with pytest.raises(errors.InvalidArgumentError, match="share"):
        receiver.unprotect_rtp_batch_into(
            room[: len(data)], sizes, room, np.zeros(1, np.int32), np.zeros(1, np.uint8)
        )


@pytest.mark.parametrize(
    ("sizes", "error"),
    [
        (np.array([111], np.int32), errors.InvalidArgumentError),
        (np.array([113], np.int32), errors.InvalidArgumentError),
        (np.array([-1, 113], np.int32), errors.InvalidArgumentError),
        (np.array([112], np.int64), TypeError),
        (np.array([112.0]), TypeError),
        (np.array([[112]], np.int32), TypeError),
    ],
    ids=["less", "more", "negative", "int64", "float", "two_dimensions"],
)
def test_sizes_that_do_not_describe_the_data_are_refused(
    sender: srtp.Sender, receiver: srtp.Receiver, sizes: Any, error: type[Exception]
) -> None:
    data, _ = joined([packet_of(1)])
    with pytest.raises(error, match="sizes"):
        sender.protect_rtp_batch(data, sizes)
    with pytest.raises(error, match="sizes"):
        receiver.unprotect_rtp_batch(data, sizes)
    assert sender.key_usage().rtp_packets == 0


def test_a_batch_beyond_the_end_of_its_key_is_refused_whole_and_a_new_key_takes_it(
    profile: srtp.Profile, backend: str
) -> None:
    sender = srtp.Sender(
        profile=profile, master=master_of(profile), backend=backend, max_rtp_packets=100
    )
    packets = [packet_of(i) for i in range(150)]
    with pytest.raises(errors.KeyExhaustedError):
        sender.protect_rtp_batch(*joined(packets))
    assert sender.key_usage().rtp_packets == 0
    sender.set_key(master_of(profile, 9))
    first, first_sizes = sender.protect_rtp_batch(*joined(packets[:100]))
    receiver = srtp.Receiver(profile=profile, master=master_of(profile, 9), backend=backend)
    opened, sizes, _ = receiver.unprotect_rtp_batch(first, first_sizes)
    assert cut(opened, sizes) == packets[:100]


def test_mki_names_the_key_and_an_unknown_one_is_told_apart(
    profile: srtp.Profile, backend: str
) -> None:
    def sender_of(mki: bytes, first: int) -> srtp.Sender:
        return srtp.Sender(
            profile=profile, master=master_of(profile, first), mki=mki, backend=backend
        )

    receiver = srtp.Receiver(profile=profile, master=master_of(profile), mki=b"a", backend=backend)
    receiver.set_key(master_of(profile, 1), b"b")
    assert receiver.key_count == 2
    sealed = [
        sender_of(b"a", 0).protect_rtp(packet_of(1)),
        sender_of(b"b", 1).protect_rtp(packet_of(2)),
        sender_of(b"c", 2).protect_rtp(packet_of(3)),
    ]
    _, _, statuses = receiver.unprotect_rtp_batch(*joined(sealed))
    assert list(statuses) == [0, 0, srtp.PacketStatus.UNKNOWN_KEY_ID]
    with pytest.raises(errors.KeyNotFoundError):
        receiver.unprotect_rtp(sealed[2])
    with pytest.raises(errors.KeyNotFoundError):
        receiver.unprotect_rtcp(
            sender_of(b"c", 2).protect_rtcp(b"\x81\xc9\x00\x01\xca\xfe\xba\xbe")
        )
    receiver.remove_key(b"a")
    with pytest.raises(errors.KeyNotFoundError):
        receiver.unprotect_rtp(sealed[0])
    assert receiver.key_usage(b"b").rtp_packets == 1


def test_wrong_keys_are_refused_and_named(profile: srtp.Profile, backend: str) -> None:
    master = master_of(profile)
    with pytest.raises(errors.InvalidArgumentError, match="mki: 0 to 128 bytes, got 129"):
        srtp.Sender(profile=profile, master=master, mki=bytes(129), backend=backend)
    receiver = srtp.Receiver(profile=profile, master=master, mki=b"ab", backend=backend)
    with pytest.raises(errors.InvalidArgumentError, match="mki: 2 bytes"):
        receiver.set_key(master, b"abc")
    with pytest.raises(errors.InvalidArgumentError, match="master"):
        receiver.set_key(master[1:], b"cd")
    with pytest.raises(TypeError) as caught:
        receiver.set_key("secret", b"cd")  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)
    for i in range(15):
        receiver.set_key(master_of(profile, 10 + i), bytes([0, i]))
    with pytest.raises(errors.LimitExceededError):
        receiver.set_key(master_of(profile, 99), b"zz")


def test_threads_share_a_pair_in_batches(sender: srtp.Sender, receiver: srtp.Receiver) -> None:
    failures: list[BaseException] = []

    def work(ssrc: int) -> None:
        try:
            for first in range(0, 1500, 50):
                packets = [packet_of(first + i, size=600, ssrc=ssrc) for i in range(50)]
                sealed = sender.protect_rtp_batch(*joined(packets))
                opened, sizes, statuses = receiver.unprotect_rtp_batch(*sealed)
                assert not statuses.any()
                assert cut(opened, sizes) == packets
                receiver.set_roll_over_counter(ssrc + 1000, 1)
                sender.key_usage()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(ssrc,)) for ssrc in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
