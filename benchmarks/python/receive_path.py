"""CPU per received packet: stock aiortc beside sealroom's receiver, same sender, same run.

    python benchmarks/python/receive_path.py [--seconds 8] [--frames 240] [--output FILE]

A child process sends VP8 frames of 20 kB (17 packets each) over loopback. Nothing is decoded on
either side, so what is measured is ICE's socket, SRTP, RTP, the jitter buffer and the hand-over of
whole frames to Python. No end-to-end encryption: stock aiortc has none.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import secrets
import sys
import time
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, rtcrtpreceiver
from aiortc.codecs.base import Decoder

from sealroom._core.session import MediaSession
from sealroom.media.negotiation import MediaPeer
from sealroom.media.packet_transport import EventDispatcher

FRAME_BYTES = 20_000
HOST = ["127.0.0.1"]


def key_frame() -> bytes:
    frame = bytearray(os.urandom(FRAME_BYTES))
    frame[0] &= 0xFE  # a VP8 key frame for every packetizer and SFU, though no decoder's
    frame[3:6] = b"\x9d\x01\x2a"
    return bytes(frame)


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def read_json(reader: asyncio.StreamReader) -> dict[str, Any]:
    return dict(json.loads(await reader.readline()))


async def sender(frames_per_second: int) -> None:
    """The child: answers the offer on stdin, then sends until stdin closes."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    session = MediaSession()
    peer = MediaPeer(session, host_addresses=HOST)
    ssrc = secrets.randbits(31) + 1
    peer.add_section(kind="video", codec="vp8", direction="sendonly", ssrc=ssrc)
    sys.stdout.write(json.dumps({"sdp": await peer.create_offer()}) + "\n")
    sys.stdout.flush()
    await peer.accept_answer((await read_json(reader))["sdp"])
    await peer.connected()
    section = peer.sections[0]
    track = session.add_sender(
        ssrc=ssrc,
        payload_type=section.payload_type,
        codec="vp8",
        mid=section.mid,
        protection=False,
    )
    frame = key_frame()
    timestamp = 0
    next_at = time.monotonic()
    stop = asyncio.ensure_future(reader.readline())
    while not stop.done():
        timestamp += 90_000 // frames_per_second
        session.send_frame(track, frame, rtp_timestamp=timestamp & 0xFFFFFFFF)
        next_at += 1 / frames_per_second
        await asyncio.sleep(max(0.0, next_at - time.monotonic()))
    await peer.close()


class Child:
    """The sending process."""

    def __init__(self, frames_per_second: int) -> None:
        self._frames = frames_per_second

    async def __aenter__(self) -> Self:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            __file__,
            "--send",
            "--frames",
            str(self._frames),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.offer = (await read_json(self.process.stdout))["sdp"]
        return self

    def answer(self, sdp: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"sdp": sdp}).encode() + b"\n")

    async def __aexit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.wait()


class Counter(Decoder):
    """Stands in for the decoder of stock aiortc: counts whole frames and their bytes."""

    frames = 0
    bytes = 0

    def decode(self, frame: Any) -> list[Any]:
        Counter.frames += 1
        Counter.bytes += len(frame.data)
        return []


def figures(cpu: float, frames: int, seconds: float) -> dict[str, float]:
    packets = frames * 17
    return {
        "CPU µs per packet": cpu / max(packets, 1) * 1e6,
        "packets/s": packets / seconds,
        "% of a core": cpu / seconds * 100,
    }


@patch.object(rtcrtpreceiver, "get_decoder", lambda codec: Counter())
async def measure_stock(seconds: float, frames_per_second: int) -> dict[str, float]:
    async with Child(frames_per_second) as child:
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        await peer.setRemoteDescription(RTCSessionDescription(child.offer, "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        child.answer(peer.localDescription.sdp)
        await asyncio.sleep(2)  # connected and warm
        before, count, started = cpu_seconds(), Counter.frames, time.monotonic()
        await asyncio.sleep(seconds)
        result = figures(cpu_seconds() - before, Counter.frames - count, time.monotonic() - started)
        await peer.close()
    return result


async def measure_sealroom(seconds: float, frames_per_second: int) -> dict[str, float]:
    async with Child(frames_per_second) as child:
        session = MediaSession()
        peer = MediaPeer(session, host_addresses=HOST)
        await peer.accept_offer(child.offer)
        section = peer.sections[0]
        receiver = session.add_receiver(
            mid=section.mid,
            ssrc=section.remote_ssrc,
            payload_type=section.payload_type,
            codec="vp8",
            protection=False,
        )
        frames = 0

        def handle(event: Any) -> None:
            nonlocal frames
            data = getattr(event, "data", b"")  # other events have none
            frames += len(data) == FRAME_BYTES

        EventDispatcher.of(session).register_receiver(receiver, handle)
        child.answer(await peer.create_answer())
        await peer.connected()
        await asyncio.sleep(2)
        before, count, started = cpu_seconds(), frames, time.monotonic()
        await asyncio.sleep(seconds)
        result = figures(cpu_seconds() - before, frames - count, time.monotonic() - started)
        await peer.close()
        session.close()
    return result


async def main(seconds: float, frames_per_second: int) -> dict[str, Any]:
    return {
        "title": f"receive path, {frames_per_second} frames/s of 17 packets",
        "unit": "of the receiving process",
        "stock aiortc": await measure_stock(seconds, frames_per_second),
        "sealroom": await measure_sealroom(seconds, frames_per_second),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--frames", type=int, default=240, help="frames a second")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--send", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send:
        asyncio.run(sender(options.frames))
    else:
        text = json.dumps(asyncio.run(main(options.seconds, options.frames)), indent=2)
        if options.output:
            options.output.write_text(text + "\n")
        sys.stdout.write(text + "\n")
