"""Data messages through the SFU, beside a plain aiortc data channel between two peer connections.

Both run in one process and one event loop, on 127.0.0.1, over the same numbers of messages: the
plain channel is one hop without end-to-end encryption, the data track two hops with it. Messages
per second are those of a burst, latency that of messages sent one by one.

    python benchmarks/python/data_tracks.py [--messages 2000] [--size 200]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aioice.ice
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection

from sealroom.bridge import Bridge, BridgeConfig
from sealroom.bridge.data_rations import DataLimits
from sealroom.client import Connection, StreamApi, StreamSubscription
from sealroom.identity import Identity

LOOPBACK = ["127.0.0.1"]
MAX_MESSAGES = 20_000
PINGS = 300


@dataclass(frozen=True)
class Figures:
    """Of one way to carry messages."""

    name: str
    messages_per_second: float
    p50: float
    p99: float

    def __str__(self) -> str:
        return (
            f"{self.name:<34}{self.messages_per_second:>9.0f} messages/s"
            f"   latency p50 {self.p50 * 1e3:.2f} ms, p99 {self.p99 * 1e3:.2f} ms"
        )


async def measure(
    name: str,
    send: Callable[[bytes], Awaitable[object]],
    receive: Callable[[], Awaitable[bytes]],
    *,
    messages: int,
    size: int,
) -> Figures:
    """Send one by one, then in a burst; raises TimeoutError after a minute."""

    async def send_all() -> None:
        for _ in range(messages):
            await send(bytes(size))

    async with asyncio.timeout(60):
        latencies = []
        for _ in range(PINGS):
            began = time.perf_counter()
            await send(bytes(size))
            await receive()
            latencies.append(time.perf_counter() - began)
        began = time.perf_counter()
        sending = asyncio.create_task(send_all())
        for _ in range(messages):
            await receive()
        seconds = time.perf_counter() - began
        await sending
    latencies.sort()
    return Figures(
        name,
        messages / seconds,
        statistics.median(latencies),
        latencies[int(len(latencies) * 0.99)],
    )


async def plain(messages: int, size: int) -> Figures:
    """Two `RTCPeerConnection`s, one channel, the sender held back as a data track's is."""
    aioice.ice.get_host_addresses = lambda **_: LOOPBACK
    configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    one, other = RTCPeerConnection(configuration), RTCPeerConnection(configuration)
    arrived: asyncio.Queue[bytes] = asyncio.Queue()
    opened, drained = asyncio.Event(), asyncio.Event()
    other.on("datachannel", lambda channel: channel.on("message", arrived.put_nowait))
    channel = one.createDataChannel("plain")
    channel.bufferedAmountLowThreshold = 64 << 10
    channel.on("open", opened.set)
    channel.on("bufferedamountlow", drained.set)

    async def send(data: bytes) -> None:
        while channel.bufferedAmount > channel.bufferedAmountLowThreshold:
            drained.clear()
            await drained.wait()
        channel.send(data)

    try:
        await one.setLocalDescription(await one.createOffer())
        await other.setRemoteDescription(one.localDescription)
        await other.setLocalDescription(await other.createAnswer())
        await one.setRemoteDescription(other.localDescription)
        await asyncio.wait_for(opened.wait(), 20)
        name = "plain aiortc channel, one hop"
        return await measure(name, send, arrived.get, messages=messages, size=size)
    finally:
        await one.close()
        await other.close()


async def through_sfu(messages: int, size: int) -> Figures:
    """A data track from one member of a room to another."""
    # Without the rations of publishers: it is the way of the messages that is measured.
    limits = DataLimits(messages=1e6, bytes=1e9, room_messages=1e6, room_bytes=1e9)
    async with Bridge.embedded(BridgeConfig(data_limits=limits)) as bridge:
        context = (await bridge.admin.context_create("benchmark")).context_id
        apis, connections = [], []
        for user_id in ("alice", "bob"):
            identity = Identity.generate()
            await bridge.admin.user_add(context, user_id, identity.public)
            connections.append(
                await Connection.connect(
                    bridge.url, identity=identity, user_id=user_id, context_id=context
                )
            )
            apis.append(StreamApi(connections[-1], host_addresses=LOOPBACK))
        alice, bob = apis
        try:
            room_id = await alice.create_stream_room(context, ["bob"])
            await alice.join_stream_room(room_id)
            stream = await alice.create_stream(room_id)
            data = await stream.add_data_track()
            await stream.publish()
            await bob.join_stream_room(room_id)
            tracks = bob.remote_data_tracks(room_id)
            await bob.subscribe_to_remote_streams(room_id, [StreamSubscription(stream.stream_id)])
            received = aiter((await anext(tracks)).messages())

            async def receive() -> bytes:
                return (await anext(received)).data

            name = "data track through the SFU, sealed"
            return await measure(name, data.send, receive, messages=messages, size=size)
        finally:
            for api in apis:
                await api.close()
            for connection in connections:
                await connection.close()


async def run(messages: int, size: int) -> None:
    for one in (plain, through_sfu):
        sys.stdout.write(f"{await one(messages, size)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--size", type=int, default=200, help="bytes, up to 16384")
    options = parser.parse_args()
    if not (1 <= options.messages <= MAX_MESSAGES and 0 <= options.size <= 16384):
        parser.error(f"at most {MAX_MESSAGES} messages of at most 16384 bytes")
    asyncio.run(run(options.messages, options.size))
