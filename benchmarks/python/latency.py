"""One-way latency, encode start to decoded picture: stock aiortc beside sealroom, one run.

    python benchmarks/python/latency.py [--seconds 10] [--output FILE]

640x480 VP8 at 30 frames/s over loopback, one process, one after the other. Each picture carries
its number as a row of black and white blocks, so the receiving side knows which one it holds.
sealroom encrypts end to end (SFrame) in both of its paths; stock aiortc cannot. "through the SFU"
goes over the embedded Bridge as a real call does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection
from av import VideoFrame

from sealroom._core.session import MediaSession
from sealroom.bridge import Bridge
from sealroom.client import Connection, StreamApi, StreamSubscription
from sealroom.identity import Identity
from sealroom.media.negotiation import MediaPeer
from sealroom.media.tracks import IncomingTrack, OutgoingTrack

WIDTH, HEIGHT, RATE = 640, 480, 30
BLOCK, BITS = 32, 16
HOST = ["127.0.0.1"]


class NumberedSource(MediaStreamTrack):
    """Moving pictures that carry their number; notes when each one is handed to the encoder."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.handed_over: dict[int, float] = {}
        self._number = 0
        self._next_at = time.monotonic()
        rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
        self._pattern = ((rows + columns) % 256).astype(np.uint8)

    async def recv(self) -> VideoFrame:
        self._next_at += 1 / RATE
        await asyncio.sleep(max(0.0, self._next_at - time.monotonic()))
        number = self._number
        self._number += 1
        luma = np.roll(self._pattern, number * 4, axis=1)
        for bit in range(BITS):
            luma[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 235 if number >> bit & 1 else 16
        picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        picture[:HEIGHT] = luma
        frame = VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = number * 90_000 // RATE, Fraction(1, 90_000)
        self.handed_over[number] = time.monotonic()
        return frame


def number_of(frame: VideoFrame) -> int:
    luma = frame.to_ndarray(format="yuv420p")
    centre = BLOCK // 2
    return sum(int(luma[centre, bit * BLOCK + centre] > 128) << bit for bit in range(BITS))


async def delays(source: NumberedSource, track: MediaStreamTrack, seconds: float) -> list[float]:
    """Milliseconds from encoder to decoded picture; the first second is left out."""
    found: list[float] = []
    began = time.monotonic()
    while time.monotonic() < began + seconds + 1:
        frame = await track.recv()
        assert isinstance(frame, VideoFrame)
        now = time.monotonic()
        sent = source.handed_over.get(number_of(frame))
        if sent is not None and now > began + 1:
            found.append((now - sent) * 1e3)
    return found


def percentiles(found: list[float]) -> dict[str, float]:
    return {f"p{q}": float(np.percentile(found, q)) for q in (50, 95, 99)}


async def stock(seconds: float) -> list[float]:
    source = NumberedSource()
    sender = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    receiver = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    tracks: asyncio.Queue[MediaStreamTrack] = asyncio.Queue()
    receiver.on("track", tracks.put_nowait)
    sender.addTrack(source)
    await sender.setLocalDescription(await sender.createOffer())
    await receiver.setRemoteDescription(sender.localDescription)
    await receiver.setLocalDescription(await receiver.createAnswer())
    await sender.setRemoteDescription(receiver.localDescription)
    found = await delays(source, await tracks.get(), seconds)
    await sender.close()
    await receiver.close()
    return found


async def direct(seconds: float) -> list[float]:
    source = NumberedSource()
    sessions = MediaSession(), MediaSession()
    peers = [MediaPeer(session, host_addresses=HOST) for session in sessions]
    ssrc, key = secrets.randbits(31) + 1, secrets.token_bytes(32)
    out = peers[0].add_section(kind="video", codec="vp8", ssrc=ssrc)
    await peers[1].accept_offer(await peers[0].create_offer())
    answer = await peers[1].create_answer()
    into = peers[1].sections[0]
    sender = sessions[0].add_sender(
        ssrc=ssrc, payload_type=out.payload_type, codec="vp8", mid=out.mid
    )
    receiver = sessions[1].add_receiver(
        mid=into.mid, ssrc=ssrc, payload_type=into.payload_type, codec="vp8"
    )
    sessions[0].set_sender_key(sender, suite=5, key_id=1, base_key=key)
    sessions[1].add_receiver_key(receiver, suite=5, key_id=1, base_key=key)
    await peers[0].accept_answer(answer)
    await asyncio.gather(*(peer.connected() for peer in peers))
    incoming = IncomingTrack(sessions[1], receiver, "video", "vp8")
    outgoing = OutgoingTrack(sessions[0], sender, source, "vp8")
    outgoing.start()
    found = await delays(source, incoming, seconds)
    await outgoing.stop()
    incoming.stop()
    for peer in peers:
        await peer.close()
    return found


@asynccontextmanager
async def call() -> AsyncIterator[tuple[StreamApi, StreamApi, str]]:
    """Alice and bob, both in one room of an embedded Bridge."""
    async with Bridge.embedded() as bridge:
        context = await bridge.admin.context_create("latency")
        apis = []
        for user_id in ("alice", "bob"):
            identity = Identity.generate()
            await bridge.admin.user_add(context.context_id, user_id, identity.public)
            connection = await Connection.connect(
                bridge.url, identity=identity, user_id=user_id, context_id=context.context_id
            )
            apis.append(StreamApi(connection, host_addresses=HOST))
        room_id = await apis[0].create_stream_room(context.context_id, users=["bob"])
        for api in apis:
            await api.join_stream_room(room_id)
        yield apis[0], apis[1], room_id
        for api in apis:
            await api.close()
            await api._connection.close()


async def through_sfu(seconds: float) -> list[float]:
    source = NumberedSource()
    async with call() as (alice, bob, room_id):
        stream = await alice.create_stream(room_id)
        await stream.add_track(source)
        await stream.publish()
        while not (streams := await bob.list_streams(room_id)):
            await asyncio.sleep(0.01)
        await bob.subscribe_to_remote_streams(room_id, [StreamSubscription(streams[0].stream_id)])
        async for remote in bob.remote_tracks(room_id):
            return await delays(source, remote.track, seconds)
    return []


async def main(seconds: float) -> dict[str, Any]:
    stock_ms = percentiles(await stock(seconds))
    direct_ms = percentiles(await direct(seconds))
    sfu_ms = percentiles(await through_sfu(seconds))
    return {
        "title": f"one-way latency, {WIDTH}x{HEIGHT} VP8 at {RATE} frames/s",
        "unit": "ms, encode start to decoded",
        "stock aiortc": stock_ms | {f"{key} through the SFU": stock_ms[key] for key in stock_ms},
        "sealroom": direct_ms | {f"{key} through the SFU": sfu_ms[key] for key in sfu_ms},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    text = json.dumps(asyncio.run(main(options.seconds)), indent=2)
    if options.output:
        options.output.write_text(text + "\n")
    sys.stdout.write(text + "\n")
