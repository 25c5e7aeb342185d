"""Seeded traces of packets for jitter buffers: what was sent, and when it arrives."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field

SECONDS = 20
ONE_WAY = 0.030
ROUND_TRIP_TIME = 0.060
FIRST = 65_000  # the sequence numbers wrap on the way
SSRC = 1


@dataclass
class Network:
    name: str
    loss: float = 0.0
    burst: float = 0.0  # that a burst begins
    burst_length: float = 1.0  # packets, mean
    jitter: float = 0.0  # seconds, uniform, a queue that keeps the order
    reorder: float = 0.0  # that a packet is held back by 15 ms


NETWORKS = [
    *(Network(f"loss {percent} %", loss=percent / 100) for percent in (0, 1, 5, 10, 20, 30)),
    Network("bursts of 5", burst=0.01, burst_length=5),
    Network("bursts of 20", burst=0.01, burst_length=20),
    *(Network(f"jitter {ms} ms", jitter=ms / 1000) for ms in (50, 100, 200)),
    Network("reorder 10 %", reorder=0.1),
]


@dataclass
class Frame:
    timestamp: int
    is_key: bool
    packets: list[int] = field(default_factory=list)  # sequence numbers
    data: bytes = b""
    sent: float = 0.0  # its last packet


@dataclass
class Trace:
    kind: str
    network: Network
    seed: int
    frames: list[Frame] = field(default_factory=list)
    raw: dict[int, bytes] = field(default_factory=dict)
    payload: dict[int, bytes] = field(default_factory=dict)  # without descriptor
    arrivals: list[tuple[float, int]] = field(default_factory=list)

    @classmethod
    def make(cls, kind: str, network: Network, seed: int) -> Trace:
        trace = cls(kind, network, seed)
        chance = random.Random(seed)
        sequence = FIRST
        in_burst = False
        last_arrival = 0.0
        interval = 1 / 30 if kind == "video" else 0.020
        for index in range(round(SECONDS / interval)):
            is_key = kind == "audio" or index % 60 == 0
            count = 1 if kind == "audio" else 40 if is_key else chance.randint(4, 10)
            step = 3000 if kind == "video" else 960
            frame = Frame((0xFFFF0000 + index * step) & 0xFFFFFFFF, is_key)
            for i in range(count):
                number = sequence & 0xFFFF
                sequence += 1
                sent = index * interval + i * 0.0002
                body = bytes([0 if is_key else 1]) if i == 0 else b""
                body += struct.pack("!I", sequence) * 20
                descriptor = b"" if kind == "audio" else b"\x10" if i == 0 else b"\x00"
                marker = 0x80 if kind == "video" and i == count - 1 else 0
                header = struct.pack("!BBHII", 0x80, 96 | marker, number, frame.timestamp, SSRC)
                trace.raw[number] = header + descriptor + body
                trace.payload[number] = body
                frame.packets.append(number)
                frame.data += body
                frame.sent = sent
                in_burst = chance.random() < (
                    1 - 1 / network.burst_length if in_burst else network.burst
                )
                lost = in_burst or chance.random() < network.loss
                arrival = max(sent + ONE_WAY + network.jitter * chance.random(), last_arrival)
                last_arrival = arrival
                if chance.random() < network.reorder:
                    arrival += 0.015
                if not lost or sequence <= FIRST + count:  # the first frame always comes
                    trace.arrivals.append((arrival, number))
            trace.frames.append(frame)
        trace.arrivals.sort()
        return trace

    @property
    def answer_loss(self) -> float:
        n = self.network
        return n.loss + n.burst * n.burst_length
