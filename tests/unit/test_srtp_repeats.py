"""What an SRTP context refuses to do twice: seal a number, take a key; and what it says then."""

from __future__ import annotations

import pytest

from sealroom import errors, srtp
from sealroom._core import crypto


def packet_of(number: int) -> bytes:
    return b"\x80\x60" + number.to_bytes(2) + bytes(4) + b"\xca\xfe\xba\xbe" + bytes(100)


@pytest.fixture(params=crypto.available_backends())
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(srtp.Profile), ids=lambda profile: profile.name)
def profile(request: pytest.FixtureRequest) -> srtp.Profile:
    return srtp.Profile(request.param)


def test_a_sequence_number_is_sealed_once_under_a_key(profile: srtp.Profile, backend: str) -> None:
    size = sum(srtp.master_size(profile))
    sender = srtp.Sender(profile=profile, master=bytes(size), backend=backend)
    sender.protect_rtp(packet_of(2000))
    sender.protect_rtp(packet_of(977))
    for again in (2000, 977):
        with pytest.raises(errors.ReplayError, match="sequence number was sent before"):
            sender.protect_rtp(packet_of(again))
    with pytest.raises(errors.TooOldError, match="1024 or more behind the newest"):
        sender.protect_rtp(packet_of(976))
    refused = sender.protect_rtp_many([packet_of(2000), packet_of(2001)], return_errors=True)
    assert [type(one) for one in refused] == [errors.ReplayError, bytes]
    assert sender.key_usage().rtp_packets == 3
    with pytest.raises(errors.InvalidArgumentError, match="master: the key in use"):
        sender.set_key(bytes(size))
    sender.set_key(bytes([7]) * size)
    sender.protect_rtp(packet_of(2000))  # another key, another key stream


def test_repeats_are_sealed_alike_where_they_are_allowed(
    profile: srtp.Profile, backend: str
) -> None:
    size = sum(srtp.master_size(profile))
    sender = srtp.Sender(profile=profile, master=bytes(size), backend=backend, allow_repeats=True)
    first = sender.protect_rtp(packet_of(5))
    sender.protect_rtp(packet_of(5 + 16_383))
    assert sender.protect_rtp(packet_of(5)) == first
    sender.protect_rtp(packet_of(5 + 16_384))
    with pytest.raises(errors.TooOldError, match=r"repeats=True takes .* less than 16384 behind"):
        sender.protect_rtp(packet_of(5))


def test_a_number_that_got_far_ahead_is_not_sealed_as_an_old_one(
    profile: srtp.Profile, backend: str
) -> None:
    size = sum(srtp.master_size(profile))
    sender = srtp.Sender(profile=profile, master=bytes(size), backend=backend, allow_repeats=True)
    for number in (0, 30_000, 60_000):
        sender.protect_rtp(packet_of(number))
    # 49,151 numbers on, which nothing was sealed of: by its 16 bits, one of those before.
    with pytest.raises(errors.TooOldError):
        sender.protect_rtp(packet_of((60_000 + 49_151) % 65_536))


def test_a_key_that_is_here_is_not_taken_again(profile: srtp.Profile, backend: str) -> None:
    size = sum(srtp.master_size(profile))
    receiver = srtp.Receiver(profile=profile, master=bytes(size), mki=b"a", backend=backend)
    for mki in (b"a", b"b"):
        with pytest.raises(errors.InvalidArgumentError, match="master: a key that is here"):
            receiver.set_key(bytes(size), mki)
    assert receiver.key_count == 1


def test_errors_of_streams_and_keys_say_what_to_do() -> None:
    sender = srtp.Sender(profile=7, master=bytes(28))
    with pytest.raises(errors.MalformedError, match="packet: too large for a datagram"):
        sender.protect_rtp(packet_of(1) + bytes(65_520))
    receiver = srtp.Receiver(profile=7, master=bytes(28))
    receiver.unprotect_rtp(sender.protect_rtp(packet_of(1)))
    ssrc = int.from_bytes(packet_of(1)[8:12])
    with pytest.raises(errors.InvalidArgumentError, match="ssrc: packets of this stream"):
        receiver.set_roll_over_counter(ssrc, 3)
    for stream in range(4095):
        sender.protect_rtp(packet_of(1)[:8] + stream.to_bytes(4) + bytes(10))
    with pytest.raises(errors.LimitExceededError, match=r"4096 of a Sender; remove_stream\(\)"):
        sender.protect_rtp(packet_of(1)[:8] + (5000).to_bytes(4) + bytes(10))
