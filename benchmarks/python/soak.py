"""Memory of a long call: resident set after one minute and after ten.

    python benchmarks/python/soak.py [--minutes 10] [--output FILE]

Bridge, SFU, a publisher (640x480 VP8 at 30 frames/s and Opus), a subscriber who reads everything
and one who never reads anything, all in one process. Prints a line every ten seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from sealroom.bridge import Bridge
from sealroom.client import Connection, RemoteTrack, StreamApi, StreamSubscription
from sealroom.identity import Identity
from sealroom.sources import open_source

HOST = ["127.0.0.1"]


def resident_mib() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status has no VmRSS")


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class Call:
    """Everybody in one room."""

    def __init__(self) -> None:
        self.frames_read = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, minutes: float) -> list[dict[str, float]]:
        async with Bridge.embedded() as bridge:
            context = await bridge.admin.context_create("soak")
            apis: dict[str, StreamApi] = {}
            for user_id in ("alice", "bob", "carol"):
                identity = Identity.generate()
                await bridge.admin.user_add(context.context_id, user_id, identity.public)
                connection = await Connection.connect(
                    bridge.url, identity=identity, user_id=user_id, context_id=context.context_id
                )
                apis[user_id] = StreamApi(connection, host_addresses=HOST)
            alice = apis["alice"]
            room_id = await alice.create_stream_room(context.context_id, users=["bob", "carol"])
            await alice.join_stream_room(room_id)
            stream = await alice.create_stream(room_id)
            for track in open_source("test").tracks:
                await stream.add_track(track)
            await stream.publish()
            for user_id in ("bob", "carol"):
                await apis[user_id].join_stream_room(room_id)
                streams = await apis[user_id].list_streams(room_id)
                await apis[user_id].subscribe_to_remote_streams(
                    room_id, [StreamSubscription(streams[0].stream_id)]
                )
            reading = asyncio.create_task(self._read_all(apis["bob"], room_id))
            samples = await self._sample(minutes)
            reading.cancel()
            for api in apis.values():
                await api.close()
            return samples

    async def _read_all(self, api: StreamApi, room_id: str) -> None:
        async for remote in api.remote_tracks(room_id):
            task = asyncio.create_task(self._read(remote))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _read(self, remote: RemoteTrack) -> None:
        async for _ in remote.frames():
            self.frames_read += 1

    async def _sample(self, minutes: float) -> list[dict[str, float]]:
        began = time.monotonic()
        samples = []
        while (elapsed := time.monotonic() - began) < minutes * 60:
            await asyncio.sleep(10 - elapsed % 10)
            sample = {
                "seconds": round(time.monotonic() - began),
                "rss_mib": round(resident_mib(), 1),
                "frames_read": self.frames_read,
                "descriptors": descriptors(),
            }
            samples.append(sample)
            sys.stdout.write(json.dumps(sample) + "\n")
            sys.stdout.flush()
        return samples


def summary(samples: list[dict[str, float]]) -> dict[str, Any]:
    early = next((one for one in samples if one["seconds"] >= 60), samples[0])
    late = samples[-1]
    return {
        "early": early,
        "late": late,
        "growth_percent": round((late["rss_mib"] / early["rss_mib"] - 1) * 100, 2),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    text = json.dumps(summary(asyncio.run(Call().run(options.minutes))), indent=2)
    if options.output:
        options.output.write_text(text + "\n")
    sys.stdout.write(text + "\n")
