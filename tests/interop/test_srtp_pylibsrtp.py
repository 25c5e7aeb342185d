"""Our SRTP against libsrtp (through pylibsrtp), both ways, for every profile and back end."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import numpy as np
import pylibsrtp
import pytest

from sealroom import srtp
from sealroom._core import crypto
from sealroom.errors import AuthenticationError, MalformedError, ReplayError

LIBSRTP_PROFILES = {
    srtp.Profile.AES128_CM_SHA1_80: pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    srtp.Profile.AES128_CM_SHA1_32: pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    srtp.Profile.AEAD_AES_128_GCM: pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    srtp.Profile.AEAD_AES_256_GCM: pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}
SSRCS = (0xCAFEBABE, 1, 0xFFFFFFFF)
WINDOW = 1024


@pytest.fixture(params=crypto.available_backends())
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=list(LIBSRTP_PROFILES), ids=lambda profile: profile.name)
def profile(request: pytest.FixtureRequest) -> srtp.Profile:
    return srtp.Profile(request.param)


@pytest.fixture
def rng(profile: srtp.Profile) -> random.Random:
    return random.Random(int(profile))


@pytest.fixture
def master(profile: srtp.Profile, rng: random.Random) -> bytes:
    return rng.randbytes(sum(srtp.master_size(profile)))


def libsrtp_session(profile: srtp.Profile, master: bytes, *, outbound: bool) -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(
        key=master,
        ssrc_type=(
            pylibsrtp.Policy.SSRC_ANY_OUTBOUND if outbound else pylibsrtp.Policy.SSRC_ANY_INBOUND
        ),
        srtp_profile=LIBSRTP_PROFILES[profile],
    )
    policy.window_size = WINDOW
    policy.allow_repeat_tx = True
    return pylibsrtp.Session(policy)


def rtp_packet(rng: random.Random, number: int, ssrc: int) -> bytes:
    csrcs = rng.choice((0, 0, 1, 15))
    extension = rng.choice((None, None, 0, 1, 4))
    first = 0x80 | csrcs | (0 if extension is None else 0x10)
    header = struct.pack(
        "!BBHII", first, rng.randrange(256), number & 0xFFFF, rng.getrandbits(32), ssrc
    )
    header += rng.randbytes(4 * csrcs)
    if extension is not None:
        header += struct.pack("!HH", 0xBEDE, extension) + rng.randbytes(4 * extension)
    payload = rng.randbytes(rng.choice((0, 1, 15, 16, 17, 160, rng.randrange(1200))))
    if rng.random() < 0.2:  # padded: SRTP encrypts the count like the rest
        padding = rng.randrange(1, 5)
        header = bytes([header[0] | 0x20]) + header[1:]
        payload += bytes(padding - 1) + bytes([padding])
    return header + payload


def rtcp_packet(rng: random.Random, ssrc: int) -> bytes:
    words = rng.choice((1, 6, 7, 12, 100))
    return struct.pack("!BBHI", 0x81, rng.randrange(200, 208), words, ssrc) + rng.randbytes(
        4 * words - 4
    )


def stream(rng: random.Random, count: int) -> list[bytes]:
    """Packets of three interleaved streams that start shortly before their wrap."""
    return [rtp_packet(rng, 65_400 + i // 3, SSRCS[i % 3]) for i in range(count)]


def verdict(open_packet: Callable[[bytes], bytes], packet: bytes) -> bytes | str:
    """The plaintext, or the kind of refusal in words common to both sides."""
    try:
        return open_packet(packet)
    except ReplayError:
        return "replay"
    except AuthenticationError:
        return "damaged"
    except MalformedError:
        return "malformed"
    except pylibsrtp.Error as error:
        return "replay" if "replay" in str(error) else "damaged"


def agree(ours: bytes | str, theirs: bytes | str) -> bool:
    """The same bytes or the same refusal; libsrtp looks at the window before it has read a whole
    header, so that a packet broken there may be a replay to it first."""
    return ours == theirs or (ours == "malformed" and theirs in ("damaged", "replay"))


def test_rtp_is_sealed_byte_for_byte_alike(
    profile: srtp.Profile, master: bytes, backend: str, rng: random.Random
) -> None:
    ours = srtp.Sender(profile=profile, master=master, backend=backend)
    theirs = libsrtp_session(profile, master, outbound=True)
    for packet in stream(rng, 1500):
        assert ours.protect_rtp(packet) == theirs.protect(packet)


def test_rtcp_is_sealed_byte_for_byte_alike(
    profile: srtp.Profile, master: bytes, backend: str, rng: random.Random
) -> None:
    ours = srtp.Sender(profile=profile, master=master, backend=backend)
    theirs = libsrtp_session(profile, master, outbound=True)
    for i in range(300):
        packet = rtcp_packet(rng, SSRCS[i % 3])
        assert ours.protect_rtcp(packet) == theirs.protect_rtcp(packet)


def test_libsrtp_opens_what_we_sealed(
    profile: srtp.Profile, master: bytes, backend: str, rng: random.Random
) -> None:
    ours = srtp.Sender(profile=profile, master=master, backend=backend)
    theirs = libsrtp_session(profile, master, outbound=False)
    for packet in stream(rng, 1500):
        assert theirs.unprotect(ours.protect_rtp(packet)) == packet
        control = rtcp_packet(rng, SSRCS[0])
        assert theirs.unprotect_rtcp(ours.protect_rtcp(control)) == control


def test_we_open_what_libsrtp_sealed(
    profile: srtp.Profile, master: bytes, backend: str, rng: random.Random
) -> None:
    theirs = libsrtp_session(profile, master, outbound=True)
    ours = srtp.Receiver(profile=profile, master=master, backend=backend)
    for packet in stream(rng, 1500):
        assert ours.unprotect_rtp(theirs.protect(packet)) == packet
        control = rtcp_packet(rng, SSRCS[0])
        assert ours.unprotect_rtcp(theirs.protect_rtcp(control)) == control
    assert ours.roll_over_counter(SSRCS[0]) == 1


def disturb(rng: random.Random, packets: list[bytes], lateness: int) -> list[bytes]:
    """Loses, delays, repeats and damages packets."""
    arrivals: list[tuple[int, bytes]] = []
    for i, packet in enumerate(packets):
        for _ in range(rng.choice((0, 1, 1, 1, 1, 2))):
            arrivals.append((i + (rng.randrange(lateness) if rng.random() < 0.1 else 0), packet))
        if rng.random() < 0.05:
            at = rng.randrange(12, len(packet))
            damaged = packet[:at] + bytes([packet[at] ^ 1 << rng.randrange(8)]) + packet[at + 1 :]
            arrivals.append((i, damaged))
    return [packet for _, packet in sorted(arrivals, key=lambda arrival: arrival[0])]


def test_disturbed_rtp_gets_the_verdicts_of_libsrtp(
    profile: srtp.Profile, master: bytes, backend: str, rng: random.Random
) -> None:
    sender = srtp.Sender(profile=profile, master=master, backend=backend)
    sealed = sender.protect_rtp_many(stream(rng, 9000))
    ours = srtp.Receiver(profile=profile, master=master, replay_window=WINDOW, backend=backend)
    theirs = libsrtp_session(profile, master, outbound=False)
    verdicts = set()
    # Some packets come so late that they fall behind the window of their stream.
    for packet in disturb(rng, sealed, 3 * 2 * WINDOW):
        expected = verdict(theirs.unprotect, packet)
        assert agree(verdict(ours.unprotect_rtp, packet), expected)
        verdicts.add(expected if isinstance(expected, str) else "opened")
    assert verdicts == {"opened", "replay", "damaged"}


def test_batches_of_disturbed_rtp_get_the_verdicts_of_libsrtp(
    profile: srtp.Profile, master: bytes, backend: str, rng: random.Random
) -> None:
    theirs_out = libsrtp_session(profile, master, outbound=True)
    sealed = [theirs_out.protect(packet) for packet in stream(rng, 6000)]
    ours = srtp.Receiver(profile=profile, master=master, replay_window=WINDOW, backend=backend)
    theirs = libsrtp_session(profile, master, outbound=False)
    arrivals = disturb(rng, sealed, 3 * 2 * WINDOW)
    status = srtp.PacketStatus
    words = {
        status.AUTHENTICATION_FAILED: "damaged",
        status.TRUNCATED: "malformed",
        status.MALFORMED: "malformed",
        status.REPLAYED: "replay",
        status.TOO_OLD: "replay",
    }
    seen = set()
    while arrivals:
        batch = [arrivals.pop(0) for _ in range(min(len(arrivals), rng.randrange(1, 130)))]
        data = np.frombuffer(b"".join(batch), np.uint8)
        opened, sizes, statuses = ours.unprotect_rtp_batch(
            data, np.array([len(packet) for packet in batch], np.int32)
        )
        ends = np.cumsum(sizes)
        for i, packet in enumerate(batch):
            expected = verdict(theirs.unprotect, packet)
            plain = bytes(opened[ends[i] - sizes[i] : ends[i]])
            assert agree(words.get(status(statuses[i]), plain), expected)
            seen.add(status(statuses[i]))
    assert {status.OK, status.REPLAYED, status.AUTHENTICATION_FAILED} <= seen


def test_disturbed_rtcp_gets_the_verdicts_of_libsrtp(
    profile: srtp.Profile, master: bytes, backend: str, rng: random.Random
) -> None:
    sender = srtp.Sender(profile=profile, master=master, backend=backend)
    sealed = [sender.protect_rtcp(rtcp_packet(rng, SSRCS[i % 3])) for i in range(2000)]
    # Not the E flag: a packet without it is refused here and opened as clear text by libsrtp.
    flag_at = -4 if profile >= srtp.Profile.AEAD_AES_128_GCM else -14
    ours = srtp.Receiver(profile=profile, master=master, backend=backend)
    theirs = libsrtp_session(profile, master, outbound=False)
    for packet in disturb(rng, sealed, 3 * 2 * 128):
        if packet[flag_at] & 0x80:
            expected = verdict(theirs.unprotect_rtcp, packet)
            assert agree(verdict(ours.unprotect_rtcp, packet), expected)


def test_retransmission_across_the_wrap_is_byte_identical_and_as_libsrtp_does_it(
    profile: srtp.Profile, master: bytes, backend: str, rng: random.Random
) -> None:
    packets = stream(rng, 1500)
    ours = srtp.Sender(profile=profile, master=master, backend=backend, allow_repeats=True)
    theirs = libsrtp_session(profile, master, outbound=True)
    first = ours.protect_rtp_many(packets)
    for packet in packets:
        theirs.protect(packet)
    for packet, sealed in list(zip(packets, first, strict=True))[::7]:
        assert ours.protect_rtp(packet) == sealed == theirs.protect(packet)
