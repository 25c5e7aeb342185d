"""SRTP from Python, packet by packet and in batches of 64, beside pylibsrtp."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from pylibsrtp import Policy, Session

from sealroom import srtp

PAYLOAD = 1200
BATCH = 64
PROFILES = {
    "AES-256-GCM": (srtp.Profile.AEAD_AES_256_GCM, Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
    "AES-CM-SHA1-80": (srtp.Profile.AES128_CM_SHA1_80, Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
}


class Packets:
    """Batches of packets with ever new sequence numbers."""

    def __init__(self) -> None:
        self.sequence = 0

    def batch(self) -> tuple[tuple[list[bytes]], dict[str, Any]]:
        payload = bytes(PAYLOAD)
        packets = []
        for _ in range(BATCH):
            self.sequence = (self.sequence + 1) & 0xFFFF
            packets.append(struct.pack("!BBHII", 0x80, 96, self.sequence, 0, 1) + payload)
        return (packets,), {}


@pytest.mark.parametrize("profile", PROFILES)
def test_pylibsrtp_protect(benchmark: Any, profile: str) -> None:
    benchmark.group = f"SRTP protect, {BATCH} packets of {PAYLOAD} B, {profile}"
    benchmark.name = "rival: pylibsrtp"
    _, theirs, size = PROFILES[profile]
    session = Session(
        Policy(key=bytes(size), ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=theirs)
    )

    def protect(packets: list[bytes]) -> None:
        for packet in packets:
            session.protect(packet)

    benchmark.pedantic(protect, setup=Packets().batch, rounds=300, warmup_rounds=20)


@pytest.mark.parametrize("profile", PROFILES)
def test_srtp_protect_each(benchmark: Any, profile: str) -> None:
    benchmark.group = f"SRTP protect, {BATCH} packets of {PAYLOAD} B, {profile}"
    benchmark.name = "sealroom srtp.Sender.protect_rtp"
    ours, _, size = PROFILES[profile]
    sender = srtp.Sender(profile=ours, master=bytes(size))

    def protect(packets: list[bytes]) -> None:
        for packet in packets:
            sender.protect_rtp(packet)

    benchmark.pedantic(protect, setup=Packets().batch, rounds=300, warmup_rounds=20)


@pytest.mark.parametrize("profile", PROFILES)
def test_srtp_protect_many(benchmark: Any, profile: str) -> None:
    benchmark.group = f"SRTP protect, {BATCH} packets of {PAYLOAD} B, {profile}"
    benchmark.name = "sealroom srtp.Sender.protect_rtp_many"
    ours, _, size = PROFILES[profile]
    sender = srtp.Sender(profile=ours, master=bytes(size))
    benchmark.pedantic(sender.protect_rtp_many, setup=Packets().batch, rounds=300, warmup_rounds=20)
