"""What it adds to a call that a room lives at another Bridge: asked at its home, and elsewhere.

    python benchmarks/python/room_homes.py [--calls 300]

Two Bridges in processes of their own, on a PostgreSQL server and a Redis server of the benchmark's
own (Unix sockets); one client at each asks `room.participants` and `stream.list` of one room with
one participant, alternately and one call at a time, after 20 calls that do not count. Prints median
and 95th percentile in milliseconds. Loopback only; needs the servers (Debian packages `postgresql`
and `redis-server`) and the extras `postgres` and `redis`.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import statistics
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from sealroom.bridge import BridgeConfig, RateLimits
from sealroom.client import StreamApi
from sealroom.protocol import Message, ParticipantsResult, RoomParams, StreamListResult

METHODS: dict[str, type[Message]] = {
    "room.participants": ParticipantsResult,
    "stream.list": StreamListResult,
}
WARM_UP = 20
MAX_CALLS = 5000


async def time_calls(
    apis: dict[str, StreamApi], room_id: str, calls: int
) -> dict[tuple[str, str], list[float]]:
    """Return the seconds each call took, by method and place."""
    params = RoomParams(room_id=room_id)
    taken: dict[tuple[str, str], list[float]] = {}
    for number in range(WARM_UP + calls):
        for method, result in METHODS.items():
            for place, api in apis.items():
                began = time.perf_counter()
                await api._connection.call(method, params, result)
                if number >= WARM_UP:
                    taken.setdefault((method, place), []).append(time.perf_counter() - began)
    return taken


async def measure(support: Any, calls: int, database: str, redis: str) -> None:
    """Print what calls took at either Bridge."""
    limits = RateLimits(requests=1e9, request_burst=1e9)
    config = BridgeConfig(
        port=0, database=database, redis=redis, rate_limits=limits, host_addresses=["127.0.0.1"]
    )
    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(support.open_deployment(config))
        bridges = [await stack.enter_async_context(support.BridgeToKill(config)) for _ in range(2)]
        apis = {
            place: await registry.api("alice", bridge.url)
            for place, bridge in zip(("home", "elsewhere"), bridges, strict=True)
        }
        room_id = await apis["home"].create_stream_room(registry.context_id, [])
        await apis["home"].join_stream_room(room_id)
        taken = await time_calls(apis, room_id, calls)
    write = sys.stdout.write
    write(f"{'call':20}{'at':12}{'median ms':>10}{'95 % ms':>10}\n")
    for (method, place), seconds in taken.items():
        percentiles = statistics.quantiles(seconds, n=20)
        median = statistics.median(seconds)
        write(f"{method:20}{place:12}{median * 1e3:10.2f}{percentiles[-1] * 1e3:10.2f}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=300, help=f"of each, 20 to {MAX_CALLS}")
    calls: int = parser.parse_args().calls
    if not 20 <= calls <= MAX_CALLS:
        parser.error(f"--calls: 20 to {MAX_CALLS}")
    sys.path.append(str(Path(__file__).parents[2] / "tests" / "integration"))
    names = ("homes_support", "postgres_support", "redis_support")
    homes, postgres, redis = (importlib.import_module(one) for one in names)
    programs = postgres.find_server()
    if programs is None:
        sys.exit("PostgreSQL's server is not installed (Debian package postgresql)")
    database, relay = postgres.PostgresServer(programs), redis.RedisServer()
    try:
        sys.stdout.write(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
        url = database.url(database.create_database())
        asyncio.run(measure(homes, calls, url, relay.url))
    finally:
        relay.stop()
        database.stop()


if __name__ == "__main__":
    main()
