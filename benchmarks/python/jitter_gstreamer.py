"""Runs GStreamer's rtpjitterbuffer over a trace of jitter_traces.py, in simulated time.

A program of its own, because GStreamer's bindings belong to the system's Python: it reads a job as
JSON from standard input and writes what left the element as JSON to standard output. The clock is
GstTestClock: it stands still until every thread of the element has come to rest.
"""

from __future__ import annotations

import heapq
import json
import random
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstCheck", "1.0")
from gi.repository import Gst, GstCheck  # noqa: E402

PAUSE = 0.0001  # seconds of real time


def others_sleep() -> bool:
    own = threading.get_native_id()
    for task in Path("/proc/self/task").iterdir():
        if int(task.name) == own:
            continue
        try:
            state = (task / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:  # it has ended
            continue
        if state != "S":
            return False
    return True


class Element:
    """An rtpjitterbuffer between two pads of ours."""

    def __init__(self, caps: str, retransmission: bool) -> None:
        self.clock = GstCheck.TestClock()
        self.left: list[tuple[float, int]] = []
        self.requests: list[int] = []
        self.element = Gst.ElementFactory.make("rtpjitterbuffer")
        self.element.set_property("do-retransmission", retransmission)  # latency stays 200 ms
        self.source = Gst.Pad.new("src", Gst.PadDirection.SRC)
        self.sink = Gst.Pad.new("sink", Gst.PadDirection.SINK)
        self.sink.set_chain_function_full(self._chain)
        self.source.set_event_function_full(self._event)
        self.sink.set_active(True)
        self.source.set_active(True)
        self.source.link(self.element.get_static_pad("sink"))
        self.element.get_static_pad("src").link(self.sink)
        self.element.set_clock(self.clock)
        self.element.set_base_time(0)
        self.element.set_state(Gst.State.PLAYING)
        segment = Gst.Segment()
        segment.init(Gst.Format.TIME)
        for event in (
            Gst.Event.new_stream_start("trace"),
            Gst.Event.new_caps(Gst.Caps.from_string(caps)),
            Gst.Event.new_segment(segment),
        ):
            self.source.push_event(event)

    def _chain(self, _pad: Any, _parent: Any, buffer: Any) -> Any:
        _, info = buffer.map(Gst.MapFlags.READ)
        self.left.append((self.clock.get_time() / 1e9, struct.unpack("!H", info.data[2:4])[0]))
        buffer.unmap(info)
        return Gst.FlowReturn.OK

    def _event(self, _pad: Any, _parent: Any, event: Any) -> bool:
        if event.type == Gst.EventType.CUSTOM_UPSTREAM:
            self.requests.append(event.get_structure().get_uint("seqnum")[1])
        return True

    def rest(self) -> None:
        """Until every other thread sleeps, seen several times: one that waits for Python's lock
        sleeps, too, and gets it while this one pauses. A busy machine does not change the result.
        """
        seen = 0
        before: tuple[int, ...] = ()
        while seen < 4:
            time.sleep(PAUSE)
            state = (len(self.left), len(self.requests), self.clock.peek_id_count())
            seen = seen + 1 if state == before and others_sleep() else 0
            before = state

    def advance(self, now: float) -> bool:
        """Lets the element's next timer fire if it is due by `now`; else the clock goes there."""
        if self.clock.peek_id_count() > 0:
            due = self.clock.get_next_entry_time()
            if due <= now * 1e9:
                self.clock.set_time(max(due, self.clock.get_time()))
                self.clock.process_next_clock_id()
                self.rest()
                return True
        self.clock.set_time(max(int(now * 1e9), self.clock.get_time()))
        return False

    def push(self, packet: bytes, now: float) -> None:
        buffer = Gst.Buffer.new_wrapped(packet)
        buffer.pts = buffer.dts = int(now * 1e9)
        self.source.push(buffer)
        self.rest()


def run(job: dict[str, Any]) -> dict[str, Any]:
    video = job["kind"] == "video"
    caps = (
        "application/x-rtp,media=video,clock-rate=90000,encoding-name=VP8,payload=96"
        if video
        else "application/x-rtp,media=audio,clock-rate=48000,encoding-name=OPUS,payload=96"
    )
    element = Element(caps, job["retransmission"])
    asked = 0
    random_answers = random.Random(job["seed"])
    headers = {int(number): tuple(fields) for number, fields in job["packets"].items()}
    waiting: list[tuple[float, int]] = [(at, number) for at, number in job["arrivals"]]
    heapq.heapify(waiting)
    end = job["end"]
    while True:
        now = waiting[0][0] if waiting else end
        while element.advance(now):
            asked += len(element.requests)
            for number in element.requests:
                if random_answers.random() >= job["loss"] and number in headers:
                    answer = element.clock.get_time() / 1e9 + job["round_trip_time"]
                    heapq.heappush(waiting, (answer, number))
            element.requests.clear()
            now = min(now, waiting[0][0]) if waiting else now
        if not waiting:
            break
        arrival, number = heapq.heappop(waiting)
        timestamp, marker = headers[number]
        header = struct.pack("!BBHII", 0x80, 96 | (marker << 7), number, timestamp, 1)
        element.push(header + bytes(50), arrival)
        asked += len(element.requests)
        for request in element.requests:
            if random_answers.random() >= job["loss"] and request in headers:
                heapq.heappush(waiting, (arrival + job["round_trip_time"], request))
        element.requests.clear()
    element.element.set_state(Gst.State.NULL)
    return {"left": element.left, "asked": asked}


if __name__ == "__main__":
    Gst.init(None)
    json.dump(run(json.load(sys.stdin)), sys.stdout)
