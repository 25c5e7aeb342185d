"""Runs a trace through the jitter buffers of aiortc, GStreamer and sealroom, in simulated time."""

from __future__ import annotations

import heapq
import json
import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpreceiver import NackGenerator
from aiortc.rtp import RtpPacket
from jitter_traces import ROUND_TRIP_TIME, SECONDS, Trace

from sealroom import jitter

GSTREAMER_PYTHON = "/usr/bin/python3"
GSTREAMER_TIMEOUT = 600.0  # seconds of real time for a trace, which takes 10 on an idle machine


@dataclass
class Left:
    """Frames as they left a buffer."""

    complete: dict[int, float] = field(default_factory=dict)  # timestamp: when
    broken: int = 0
    asked: int = 0  # packets asked for, again and again


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
        stdout=subprocess.PIPE,  # what it complains of is to be seen
        text=True,
        check=True,
        timeout=GSTREAMER_TIMEOUT,
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


BUFFERS: dict[str, Callable[[Trace], Left]] = {
    "aiortc": run_aiortc,
    "GStreamer": lambda trace: run_gstreamer(trace, False),
    "GStreamer, RTX": lambda trace: run_gstreamer(trace, True),
    "sealroom": run_sealroom,
}


def has_gstreamer() -> bool:
    probe = "import gi; gi.require_version('GstCheck', '1.0'); from gi.repository import GstCheck"
    try:
        return subprocess.run([GSTREAMER_PYTHON, "-c", probe], capture_output=True).returncode == 0
    except OSError:
        return False
