"""What leaves three jitter buffers that are given the same packets: aiortc's, GStreamer's, ours.

python benchmarks/python/jitter_comparison.py --output benchmarks/results/jitter-DATE

Writes a table (.md) and a plot (.png). All in simulated time from seeded traces: 30 frames/s of
VP8 and 20 ms of Opus over 20 s, a one-way delay of 30 ms, key frames every 2 s whoever asks for
one. Who asks for a packet gets it 60 ms later, unless it is lost again with the trace's
probability; answers are not jittered. GStreamer 1.22's rtpjitterbuffer with its defaults (200 ms),
with and without do-retransmission, runs in the system's Python (python3-gi,
gir1.2-gst-plugins-base-1.0, gstreamer1.0-plugins-good) and is left out where that is missing.
aiortc's JitterBuffer comes with the NackGenerator of its receiver, for video as there. Added delay
is counted from the moment the last packet of a frame would have come on the empty path; a frame is
decodable if it is complete and every one since its key frame is.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import statistics
import struct
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpreceiver import NackGenerator
from aiortc.rtp import RtpPacket

from sealroom import jitter

SECONDS = 20
ONE_WAY = 0.030
ROUND_TRIP_TIME = 0.060
FIRST = 65_000  # the sequence numbers wrap on the way
SSRC = 1
NOTES = "## Reading it"
GSTREAMER_PYTHON = "/usr/bin/python3"


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


@dataclass
class Left:
    """Frames as they left a buffer."""

    complete: dict[int, float] = field(default_factory=dict)  # timestamp: when
    broken: int = 0
    asked: int = 0  # packets asked for, again and again


@dataclass
class Row:
    complete: int
    broken: int
    usable: int
    delays: tuple[float, float, float]
    freeze: float
    asked: int


def drive(
    trace: Trace,
    left: Left,
    insert: Callable[[int, float], list[int]],
    timeout: Callable[[float], list[int]] = lambda now: [],
    next_timeout: Callable[[], float | None] = lambda: None,
) -> None:
    """Gives the packets of a trace and the answers to what is asked for, in the order of time."""
    waiting = list(trace.arrivals)
    heapq.heapify(waiting)
    answers = random.Random(trace.seed)
    end = SECONDS + 2.0
    while True:
        due = next_timeout()
        arrival = waiting[0][0] if waiting else end
        now = arrival if due is None else min(arrival, due)
        if now >= end:
            return
        if due is not None and due <= arrival:
            requests = timeout(now)
        else:
            requests = insert(heapq.heappop(waiting)[1], now)
        left.asked += len(requests)
        for number in requests:
            if answers.random() >= trace.answer_loss and number in trace.raw:
                heapq.heappush(waiting, (now + ROUND_TRIP_TIME, number))


def run_sealroom(trace: Trace) -> Left:
    left = Left()
    frames = {frame.timestamp: frame for frame in trace.frames}
    buffer: Any = (
        jitter.VideoJitterBuffer("vp8") if trace.kind == "video" else jitter.AudioJitterBuffer()
    )

    def drain(now: float) -> list[int]:
        for one in buffer.pop():
            if trace.kind == "audio" and one.is_missing:
                continue
            if one.data.tobytes() == frames[one.timestamp].data:
                left.complete[one.timestamp] = now
            else:
                left.broken += 1
        if trace.kind == "audio":
            return []
        buffer.take_key_frame_request(now)  # key frames come on their own
        return list(buffer.take_nacks(now).tolist())

    def insert(number: int, now: float) -> list[int]:
        buffer.insert([trace.raw[number]], now)
        return drain(now)

    def timeout(now: float) -> list[int]:
        buffer.handle_timeout(now + 1e-6)
        return drain(now)

    drive(trace, left, insert, timeout, buffer.next_timeout)
    return left


def run_aiortc(trace: Trace) -> Left:
    left = Left()
    frames = {frame.timestamp: frame for frame in trace.frames}
    is_video = trace.kind == "video"
    buffer = (
        JitterBuffer(capacity=512, is_video=True)
        if is_video
        else JitterBuffer(capacity=16, prefetch=4)
    )
    nacks = NackGenerator()

    def insert(number: int, now: float) -> list[int]:
        packet: Any = RtpPacket.parse(trace.raw[number])
        packet._data = trace.payload[number]  # as aiortc's receiver does
        missed = is_video and nacks.add(packet)
        _, one = buffer.add(packet)
        if one is not None:
            if one.data == frames[one.timestamp].data:
                left.complete[one.timestamp] = now
            else:
                left.broken += 1
        return sorted(nacks.missing) if missed else []

    drive(trace, left, insert)
    return left


def run_gstreamer(trace: Trace, retransmission: bool) -> Left:
    frames = {number: frame for frame in trace.frames for number in frame.packets}
    job = {
        "kind": trace.kind,
        "seed": trace.seed,
        "retransmission": retransmission,
        "loss": trace.answer_loss,
        "round_trip_time": ROUND_TRIP_TIME,
        "end": SECONDS + 2.0,
        "arrivals": trace.arrivals,
        "packets": {
            number: (frame.timestamp, int(trace.kind == "video" and number == frame.packets[-1]))
            for number, frame in frames.items()
        },
    }
    done = subprocess.run(
        [GSTREAMER_PYTHON, str(Path(__file__).with_name("jitter_gstreamer.py"))],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=True,
    )
    result = json.loads(done.stdout)
    when = {number: at for at, number in result["left"]}
    left = Left(asked=result["asked"])
    for frame in trace.frames:
        there = [when[number] for number in frame.packets if number in when]
        if len(there) == len(frame.packets):
            left.complete[frame.timestamp] = max(there)
        elif there:
            left.broken += 1
    return left


def judge(trace: Trace, left: Left) -> Row:
    delays = sorted(
        left.complete[frame.timestamp] - frame.sent - ONE_WAY
        for frame in trace.frames
        if frame.timestamp in left.complete
    )
    usable: list[float] = []
    chain = False
    for frame in trace.frames:
        chain = frame.timestamp in left.complete and (chain or frame.is_key)
        if chain:
            usable.append(left.complete[frame.timestamp])
    marks = [ONE_WAY, *sorted(usable), trace.frames[-1].sent + ONE_WAY]
    freeze = max((b - a for a, b in pairwise(marks)), default=0.0)

    def quantile(share: float) -> float:
        return delays[min(int(share * len(delays)), len(delays) - 1)] if delays else float("nan")

    return Row(
        len(left.complete),
        left.broken,
        len(usable),
        (quantile(0.5), quantile(0.95), quantile(0.99)),
        freeze,
        left.asked,
    )


BUFFERS: dict[str, Callable[[Trace], Left]] = {
    "aiortc": run_aiortc,
    "GStreamer": lambda trace: run_gstreamer(trace, False),
    "GStreamer, RTX": lambda trace: run_gstreamer(trace, True),
    "sealroom": run_sealroom,
}
Results = dict[tuple[str, str, str], Row]


def has_gstreamer() -> bool:
    probe = "import gi; gi.require_version('GstCheck', '1.0'); from gi.repository import GstCheck"
    try:
        return subprocess.run([GSTREAMER_PYTHON, "-c", probe], capture_output=True).returncode == 0
    except OSError:
        return False


def table(results: Results, names: list[str]) -> str:
    lines: list[str] = []
    for kind in ("video", "audio"):
        total = round(SECONDS * (30 if kind == "video" else 50))
        lines += [
            f"### {kind}: of {total} frames",
            "",
            "| trace | buffer | complete | broken, handed on | decodable "
            "| added delay p50 / p95 / p99, ms | longest freeze, ms | packets asked for |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for network in NETWORKS:
            for name in names:
                row = results.get((kind, network.name, name))
                if row is None:
                    continue
                delays = " / ".join(f"{1000 * max(delay, 0):.0f}" for delay in row.delays)
                lines.append(
                    f"| {network.name} | {name} | {row.complete} | {row.broken} | {row.usable} "
                    f"| {delays} | {1000 * row.freeze:.0f} | {row.asked} |"
                )
        lines.append("")
    return "\n".join(lines)


def plot(results: Results, names: list[str], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    what: list[tuple[str, Callable[[Row, str], float]]] = [
        (
            "decodable frames, %",
            lambda row, kind: 100 * row.usable / (SECONDS * (30 if kind == "video" else 50)),
        ),
        ("added delay p50, ms", lambda row, _: 1000 * row.delays[0]),
        ("added delay p95, ms", lambda row, _: 1000 * row.delays[1]),
        ("longest freeze, ms", lambda row, _: 1000 * row.freeze),
    ]
    figure, axes = pyplot.subplots(len(what), 2, figsize=(15, 13), sharex="col")
    width = 0.8 / len(names)
    for column, kind in enumerate(("video", "audio")):
        for line, (label, value) in enumerate(what):
            axis = axes[line][column]
            for i, name in enumerate(names):
                places = [x + (i - (len(names) - 1) / 2) * width for x in range(len(NETWORKS))]
                rows = [results.get((kind, network.name, name)) for network in NETWORKS]
                heights = [value(row, kind) if row else 0.0 for row in rows]
                axis.bar(places, heights, width, label=name)
            axis.set_ylabel(label)
            axis.grid(axis="y", alpha=0.3)
            if line == 0:
                axis.set_title(f"{kind}, the same packets for all")
                axis.legend(ncols=len(names), fontsize=8, loc="lower left")
        axes[-1][column].set_xticks(
            range(len(NETWORKS)), [network.name for network in NETWORKS], rotation=40, ha="right"
        )
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="without an ending")
    parser.add_argument("--seeds", type=int, default=1, help="traces per network; medians")
    parser.add_argument("--jobs", type=int, default=4)
    arguments = parser.parse_args()
    names = list(BUFFERS) if has_gstreamer() else ["aiortc", "sealroom"]
    if "GStreamer" not in names:
        sys.stderr.write("GStreamer is left out: python3-gi and its GstCheck are not installed\n")

    def work(key: tuple[str, str, str]) -> Row:
        kind, network_name, name = key
        network = next(one for one in NETWORKS if one.name == network_name)
        rows = []
        for seed in range(1, arguments.seeds + 1):
            trace = Trace.make(kind, network, seed)
            rows.append(judge(trace, BUFFERS[name](trace)))
        median = statistics.median
        return Row(
            round(median(row.complete for row in rows)),
            round(median(row.broken for row in rows)),
            round(median(row.usable for row in rows)),
            (
                median(row.delays[0] for row in rows),
                median(row.delays[1] for row in rows),
                median(row.delays[2] for row in rows),
            ),
            median(row.freeze for row in rows),
            round(median(row.asked for row in rows)),
        )

    keys = [(k, n.name, b) for k in ("video", "audio") for n in NETWORKS for b in names]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        results = dict(zip(keys, pool.map(work, keys), strict=True))
    text = table(results, names)
    page, picture = (Path(f"{arguments.output}{ending}") for ending in (".md", ".png"))
    plot(results, names, picture)
    # What a person wrote about earlier figures stays, to be read again.
    notes = page.read_text().split(NOTES, 1)[1] if page.exists() else "\n"
    head = f"# Jitter buffers on the same packets\n\n{__doc__.split(chr(10), 2)[2].strip()}\n"
    page.write_text(f"{head}\n![plot]({picture.name})\n\n{text}\n{NOTES}{notes}")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
