"""Jitter buffers from Python, one call per video frame (or 50 audio packets), beside aiortc's.

aiortc's JitterBuffer takes RtpPacket objects, parsed and depayloaded. In the first rows that is
done outside the timing for aiortc, while ours parses and depacketizes raw packets inside it; in the
rows "with parse" aiortc does it inside, too. Both see a clean stream in order that goes on from
round to round.
"""

from __future__ import annotations

import struct
from typing import Any, cast

import numpy as np
import pytest
from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtp import RtpPacket

from sealroom import jitter

FRAMES = 20  # a round
AUDIO_PACKETS = 50
ROUNDS = 60
VIDEO = [17, 40, 170]


class Stream:
    """Rounds of packets that go on where the last one ended."""

    def __init__(self, packets_per_frame: int, payload_size: int) -> None:
        self.packets_per_frame = packets_per_frame
        self.payload = bytes(payload_size)
        self.sequence = 0
        self.frame = 0

    def video(self) -> list[list[bytes]]:
        frames = []
        for _ in range(FRAMES):
            packets = []
            for i in range(self.packets_per_frame):
                marker = 0x80 if i == self.packets_per_frame - 1 else 0
                header = struct.pack(
                    "!BBHII", 0x80, 96 | marker, self.sequence & 0xFFFF, self.frame * 3000, 7
                )
                packets.append(header + (b"\x10" if i == 0 else b"\x00") + self.payload)
                self.sequence += 1
            frames.append(packets)
            self.frame += 1
        return frames

    def audio(self) -> list[bytes]:
        packets = []
        for _ in range(AUDIO_PACKETS):
            header = struct.pack("!BBHII", 0x80, 111, self.sequence & 0xFFFF, self.frame * 960, 7)
            packets.append(header + self.payload)
            self.sequence += 1
            self.frame += 1
        return packets


def parse(data: bytes, is_video: bool) -> RtpPacket:
    packet: Any = RtpPacket.parse(data)  # aiortc's receiver adds _data
    if is_video:
        _, packet._data = VpxPayloadDescriptor.parse(packet.payload)
    else:
        packet._data = packet.payload
    return cast(RtpPacket, packet)


def group(packets: int, parsed: bool) -> str:
    which = f"video, {packets} packets of 1200 B a frame" if packets else "audio, 120 B"
    return f"jitter buffer, {which}" + (", with parse" if parsed else "")


@pytest.mark.parametrize("packets", VIDEO)
@pytest.mark.parametrize("parsed", [False, True], ids=["prepared", "with_parse"])
def test_aiortc_video(benchmark: Any, packets: int, parsed: bool) -> None:
    benchmark.group = group(packets, parsed)
    benchmark.name = "rival: aiortc JitterBuffer.add"
    stream = Stream(packets, 1187)
    buffer = JitterBuffer(capacity=512, is_video=True)
    count = 0

    def setup() -> tuple[tuple[Any], dict[str, Any]]:
        frames = stream.video()
        return (frames if parsed else [[parse(p, True) for p in f] for f in frames],), {}

    def add(frames: list[list[Any]]) -> None:
        nonlocal count
        for frame in frames:
            for packet in frame:
                done = buffer.add(parse(packet, True) if parsed else packet)[1]
                count += done is not None

    benchmark.pedantic(add, setup=setup, rounds=ROUNDS, warmup_rounds=5)
    assert count == (ROUNDS + 5) * FRAMES - 1


@pytest.mark.parametrize("packets", VIDEO)
@pytest.mark.parametrize("parsed", [False, True], ids=["prepared", "with_parse"])
@pytest.mark.parametrize("how", ["insert", "insert_batch"])
def test_video(benchmark: Any, packets: int, parsed: bool, how: str) -> None:
    benchmark.group = group(packets, parsed)
    benchmark.name = f"sealroom VideoJitterBuffer.{how}, parses and depacketizes"
    stream = Stream(packets, 1187)
    buffer = jitter.VideoJitterBuffer("vp8")
    count = 0

    def setup() -> tuple[tuple[Any], dict[str, Any]]:
        frames = stream.video()
        if how == "insert":
            return (frames,), {}
        sizes = np.full(packets, 1200, np.int64)
        return ([(np.frombuffer(b"".join(f), np.uint8), sizes) for f in frames],), {}

    def add(frames: list[Any]) -> None:
        nonlocal count
        for frame in frames:
            if how == "insert":
                buffer.insert(frame, 0.0)
            else:
                buffer.insert_batch(frame[0], frame[1], 0.0)
            for done in buffer.pop():
                count += done.data.size > 0

    benchmark.pedantic(add, setup=setup, rounds=ROUNDS, warmup_rounds=5)
    assert count == (ROUNDS + 5) * FRAMES


@pytest.mark.parametrize("parsed", [False, True], ids=["prepared", "with_parse"])
def test_aiortc_audio(benchmark: Any, parsed: bool) -> None:
    benchmark.group = group(0, parsed)
    benchmark.name = "rival: aiortc JitterBuffer.add"
    stream = Stream(1, 108)
    buffer = JitterBuffer(capacity=16, prefetch=4)

    def setup() -> tuple[tuple[Any], dict[str, Any]]:
        packets = stream.audio()
        return (packets if parsed else [parse(p, False) for p in packets],), {}

    def add(packets: list[Any]) -> None:
        for packet in packets:
            buffer.add(parse(packet, False) if parsed else packet)

    benchmark.pedantic(add, setup=setup, rounds=300, warmup_rounds=5)


@pytest.mark.parametrize("parsed", [False, True], ids=["prepared", "with_parse"])
@pytest.mark.parametrize("how", ["pop", "pop_batch"])
def test_audio(benchmark: Any, parsed: bool, how: str) -> None:
    benchmark.group = group(0, parsed)
    benchmark.name = f"sealroom AudioJitterBuffer, {how}, batches of {AUDIO_PACKETS}"
    stream = Stream(1, 108)
    buffer = jitter.AudioJitterBuffer("opus")
    now = 0.0

    def add(packets: list[bytes]) -> None:
        nonlocal now
        now += 1.0
        buffer.insert(packets, now)
        done = getattr(buffer, how)()
        assert len(done if how == "pop" else done[1]) == AUDIO_PACKETS

    benchmark.pedantic(add, setup=lambda: ((stream.audio(),), {}), rounds=300, warmup_rounds=5)
