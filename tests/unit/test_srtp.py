"""The Python boundary of SRTP: arguments, buffers, batches, threads, errors."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sealroom import errors, srtp
from sealroom._core import crypto

PROFILE = srtp.Profile.AEAD_AES_128_GCM
MASTER = bytes(range(28))


def packet_of(number: int, size: int = 100, ssrc: int = 0xCAFEBABE) -> bytes:
    return b"\x80\x60" + number.to_bytes(2) + bytes(4) + ssrc.to_bytes(4) + bytes(size)


@pytest.fixture(params=crypto.available_backends())
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sender(backend: str) -> srtp.Sender:
    return srtp.Sender(profile=PROFILE, master=MASTER, backend=backend)


@pytest.fixture
def receiver(backend: str) -> srtp.Receiver:
    return srtp.Receiver(profile=PROFILE, master=MASTER, backend=backend)


@pytest.mark.parametrize(
    "wrap",
    [bytes, bytearray, memoryview, lambda data: np.frombuffer(data, np.uint8)],
    ids=["bytes", "bytearray", "memoryview", "numpy"],
)
def test_any_bytes_like_is_taken(
    sender: srtp.Sender, receiver: srtp.Receiver, wrap: Callable[[bytes], Any]
) -> None:
    packet = packet_of(1)
    assert receiver.unprotect_rtp(wrap(sender.protect_rtp(wrap(packet)))) == packet
    control = b"\x81\xc9\x00\x07\xca\xfe\xba\xbe" + bytes(24)
    assert receiver.unprotect_rtcp(wrap(sender.protect_rtcp(wrap(control)))) == control


@pytest.mark.parametrize(
    "data",
    [
        np.zeros((4, 25), np.uint8),
        np.zeros(50, np.uint16),
        np.zeros(200, np.uint8)[::2],
        memoryview(bytes(200))[::2],
    ],
    ids=["two_dimensions", "wide_items", "strided_array", "strided_view"],
)
def test_other_buffers_are_refused(sender: srtp.Sender, data: Any) -> None:
    with pytest.raises((BufferError, ValueError)):
        sender.protect_rtp(data)
    with pytest.raises((BufferError, ValueError)):
        sender.protect_rtp_many([packet_of(1), data])


def test_text_is_refused(sender: srtp.Sender) -> None:
    with pytest.raises(TypeError):
        sender.protect_rtp("text")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="bytes-like"):
        sender.protect_rtp_many(["text"])  # type: ignore[type-var]


def test_refusals_have_their_own_classes_and_codes(
    sender: srtp.Sender, receiver: srtp.Receiver
) -> None:
    sealed = sender.protect_rtp(packet_of(5000))
    receiver.unprotect_rtp(sealed)
    with pytest.raises(errors.ReplayError) as replayed:
        receiver.unprotect_rtp(sealed)
    assert replayed.value.code == "replayed"
    with pytest.raises(errors.TooOldError) as too_old:
        receiver.unprotect_rtp(sender.protect_rtp(packet_of(1)))
    assert isinstance(too_old.value, errors.ReplayError)
    with pytest.raises(errors.AuthenticationError):
        receiver.unprotect_rtp(sealed[:2] + b"\x20\x00" + sealed[4:])
    with pytest.raises(errors.TruncatedError):
        receiver.unprotect_rtp(b"")
    with pytest.raises(errors.MalformedError):
        receiver.unprotect_rtp(bytes(100))
    with pytest.raises(errors.UnknownStreamError):
        receiver.roll_over_counter(1)


def test_unencrypted_rtcp_is_refused(sender: srtp.Sender, receiver: srtp.Receiver) -> None:
    sealed = bytearray(sender.protect_rtcp(b"\x81\xc9\x00\x01\xca\xfe\xba\xbe"))
    sealed[-4] &= 0x7F
    with pytest.raises(errors.NotEncryptedError):
        receiver.unprotect_rtcp(sealed)


def test_wrong_arguments_name_what_is_wrong(backend: str) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="16 bytes of key and 12 of salt, got 27"):
        srtp.Sender(profile=PROFILE, master=MASTER[:-1], backend=backend)
    with pytest.raises(errors.UnsupportedError, match="profile: 5"):
        srtp.Receiver(profile=5, master=MASTER, backend=backend)
    with pytest.raises(ValueError, match="range"):
        srtp.Receiver(profile=PROFILE, master=MASTER, replay_window=63, backend=backend)
    with pytest.raises(errors.UnsupportedError, match="openssl"):
        srtp.Sender(profile=PROFILE, master=MASTER, backend="rot13")


def test_batch_gives_what_single_calls_give(backend: str) -> None:
    packets = [packet_of(i, size=i) for i in range(200)]
    single = srtp.Sender(profile=PROFILE, master=MASTER, backend=backend)
    batch = srtp.Sender(profile=PROFILE, master=MASTER, backend=backend)
    sealed = batch.protect_rtp_many(packets)
    assert sealed == [single.protect_rtp(packet) for packet in packets]
    receiver = srtp.Receiver(profile=PROFILE, master=MASTER, backend=backend)
    assert receiver.unprotect_rtp_many(sealed) == packets
    assert receiver.unprotect_rtp_many([]) == []


def test_refused_packet_of_a_batch_does_not_stop_the_others(
    sender: srtp.Sender, receiver: srtp.Receiver
) -> None:
    packets = [packet_of(i) for i in range(3)]
    sealed = sender.protect_rtp_many(packets)
    opened = receiver.unprotect_rtp_many([sealed[0], sealed[0], b"", sealed[2]], return_errors=True)
    assert opened[0] == packets[0]
    assert isinstance(opened[1], errors.ReplayError)
    assert isinstance(opened[2], errors.TruncatedError)
    assert opened[3] == packets[2]
    with pytest.raises(errors.ReplayError):
        receiver.unprotect_rtp_many([sealed[0], sealed[1]])
    with pytest.raises(errors.ReplayError):  # it was opened, although the call raised
        receiver.unprotect_rtp(sealed[1])


def test_late_joiner_is_told_the_roll_over_counter(backend: str) -> None:
    sender = srtp.Sender(profile=PROFILE, master=MASTER, backend=backend)
    for number in (65_535, 0):
        sealed = sender.protect_rtp(packet_of(number))
    late = srtp.Receiver(profile=PROFILE, master=MASTER, backend=backend)
    with pytest.raises(errors.AuthenticationError):
        late.unprotect_rtp(sealed)
    late.set_roll_over_counter(0xCAFEBABE, 1)
    assert late.stream_count == 0
    assert late.unprotect_rtp(sealed) == packet_of(0)
    assert late.roll_over_counter(0xCAFEBABE) == 1
    late.remove_stream(0xCAFEBABE)
    assert late.stream_count == 0


def test_many_threads_share_a_pair(sender: srtp.Sender, receiver: srtp.Receiver) -> None:
    failures: list[BaseException] = []

    def work(ssrc: int) -> None:
        try:
            for first in range(0, 2000, 40):
                packets = [packet_of(first + i, size=600, ssrc=ssrc) for i in range(40)]
                assert receiver.unprotect_rtp_many(sender.protect_rtp_many(packets)) == packets
                last = packet_of(first + 40, ssrc=ssrc + 100)
                assert receiver.unprotect_rtp(sender.protect_rtp(last)) == last
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(ssrc,)) for ssrc in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
