"""SRTP from Python, packet by packet and in batches of 64, beside pylibsrtp."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pylibsrtp import Policy, Session

from sealroom import srtp

BATCH = 64
ROUNDS = {"rounds": 300, "warmup_rounds": 20}
PROFILES = {
    "AES-256-GCM": (srtp.Profile.AEAD_AES_256_GCM, Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
    "AES-128-GCM": (srtp.Profile.AEAD_AES_128_GCM, Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    "AES-CM-SHA1-80": (srtp.Profile.AES128_CM_SHA1_80, Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
}
CASES = [(profile, size) for size in (1200, 160) for profile in PROFILES]
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class Packets:
    """Batches of packets with ever new sequence numbers."""

    def __init__(self, payload_size: int) -> None:
        self.sequence = 0
        self.payload = bytes(payload_size)

    def packets(self) -> list[bytes]:
        packets = []
        for _ in range(BATCH):
            self.sequence = (self.sequence + 1) & 0xFFFF
            packets.append(struct.pack("!BBHII", 0x80, 96, self.sequence, 0, 1) + self.payload)
        return packets

    def batch(self) -> Arguments:
        return (self.packets(),), {}

    def arrays(self) -> Arguments:
        return join(self.packets()), {}


def join(packets: list[bytes]) -> tuple[Any, Any]:
    sizes = np.array([len(packet) for packet in packets], np.int32)
    return np.frombuffer(b"".join(packets), np.uint8), sizes


def rival(profile: str, *, outbound: bool) -> Session:
    kind = Policy.SSRC_ANY_OUTBOUND if outbound else Policy.SSRC_ANY_INBOUND
    _, theirs, size = PROFILES[profile]
    return Session(Policy(key=bytes(size), ssrc_type=kind, srtp_profile=theirs))


def sender_of(profile: str) -> srtp.Sender:
    return srtp.Sender(profile=PROFILES[profile][0], master=bytes(PROFILES[profile][2]))


def receiver_of(profile: str) -> srtp.Receiver:
    return srtp.Receiver(profile=PROFILES[profile][0], master=bytes(PROFILES[profile][2]))


def each(function: Callable[[bytes], bytes]) -> Callable[[list[bytes]], None]:
    def run(packets: list[bytes]) -> None:
        for packet in packets:
            function(packet)

    return run


@pytest.mark.parametrize(("profile", "size"), CASES)
@pytest.mark.parametrize("how", ["pylibsrtp", "each", "many", "batch", "batch_into"])
def test_protect(benchmark: Any, how: str, profile: str, size: int) -> None:
    benchmark.group = f"SRTP protect, {BATCH} packets of {size} B, {profile}"
    packets = Packets(size)
    if how == "pylibsrtp":
        benchmark.name = "rival: pylibsrtp"
        run = each(rival(profile, outbound=True).protect)
        benchmark.pedantic(run, setup=packets.batch, **ROUNDS)
        return
    sender = sender_of(profile)
    if how == "each":
        benchmark.name = "sealroom srtp.Sender.protect_rtp"
        benchmark.pedantic(each(sender.protect_rtp), setup=packets.batch, **ROUNDS)
    elif how == "many":
        benchmark.name = "sealroom srtp.Sender.protect_rtp_many"
        benchmark.pedantic(sender.protect_rtp_many, setup=packets.batch, **ROUNDS)
    elif how == "batch":
        benchmark.name = "sealroom srtp.Sender.protect_rtp_batch"
        benchmark.pedantic(sender.protect_rtp_batch, setup=packets.arrays, **ROUNDS)
    else:
        benchmark.name = "sealroom srtp.Sender.protect_rtp_batch_into"
        out = np.empty(BATCH * (size + 32), np.uint8)
        out_sizes = np.empty(BATCH, np.int32)
        benchmark.pedantic(
            lambda data, sizes: sender.protect_rtp_batch_into(data, sizes, out, out_sizes),
            setup=packets.arrays,
            **ROUNDS,
        )


@pytest.mark.parametrize(("profile", "size"), CASES)
@pytest.mark.parametrize("how", ["pylibsrtp", "each", "many", "batch", "batch_into"])
def test_unprotect(benchmark: Any, how: str, profile: str, size: int) -> None:
    benchmark.group = f"SRTP unprotect, {BATCH} packets of {size} B, {profile}"
    packets = Packets(size)
    sender = sender_of(profile)

    def sealed() -> Arguments:
        return (sender.protect_rtp_many(packets.packets()),), {}

    def sealed_arrays() -> Arguments:
        return join(sender.protect_rtp_many(packets.packets())), {}

    if how == "pylibsrtp":
        benchmark.name = "rival: pylibsrtp"
        run = each(rival(profile, outbound=False).unprotect)
        benchmark.pedantic(run, setup=sealed, **ROUNDS)
        return
    receiver = receiver_of(profile)
    if how == "each":
        benchmark.name = "sealroom srtp.Receiver.unprotect_rtp"
        benchmark.pedantic(each(receiver.unprotect_rtp), setup=sealed, **ROUNDS)
    elif how == "many":
        benchmark.name = "sealroom srtp.Receiver.unprotect_rtp_many"
        benchmark.pedantic(receiver.unprotect_rtp_many, setup=sealed, **ROUNDS)
    elif how == "batch":
        benchmark.name = "sealroom srtp.Receiver.unprotect_rtp_batch"
        benchmark.pedantic(receiver.unprotect_rtp_batch, setup=sealed_arrays, **ROUNDS)
    else:
        benchmark.name = "sealroom srtp.Receiver.unprotect_rtp_batch_into"
        out = np.empty(BATCH * (size + 12), np.uint8)
        out_sizes = np.empty(BATCH, np.int32)
        statuses = np.empty(BATCH, np.uint8)
        benchmark.pedantic(
            lambda data, sizes: receiver.unprotect_rtp_batch_into(
                data, sizes, out, out_sizes, statuses
            ),
            setup=sealed_arrays,
            **ROUNDS,
        )
    assert receiver.stream_count == 1


@pytest.mark.parametrize("profile", ["AES-256-GCM", "AES-CM-SHA1-80"])
@pytest.mark.parametrize("how", ["pylibsrtp", "sealroom"])
def test_rtcp(benchmark: Any, how: str, profile: str) -> None:
    benchmark.group = f"SRTCP protect and unprotect, {BATCH} packets of 80 B, {profile}"
    packet = bytes.fromhex("81c8001300000001") + bytes(72)
    protect: Callable[[bytes], bytes]
    unprotect: Callable[[bytes], bytes]
    if how == "pylibsrtp":
        benchmark.name = "rival: pylibsrtp"
        protect = rival(profile, outbound=True).protect_rtcp
        unprotect = rival(profile, outbound=False).unprotect_rtcp
    else:
        benchmark.name = "sealroom srtp.Sender.protect_rtcp, Receiver.unprotect_rtcp"
        protect = sender_of(profile).protect_rtcp
        unprotect = receiver_of(profile).unprotect_rtcp

    def run() -> None:
        for _ in range(BATCH):
            unprotect(protect(packet))

    benchmark.pedantic(run, **ROUNDS)
