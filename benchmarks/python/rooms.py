"""What a Bridge does per second: room operations, fan-out of events, and joining until a picture.

    python benchmarks/python/rooms.py [--seconds 1.2] [--operations 400] [--sessions 1000]
        [--events 10] [--joins 10] [--only-joins] [--output FILE]

Everything on an SQLite file and then on a PostgreSQL server of its own (a Unix socket, `fsync` and
`synchronous_commit` as in operation); without PostgreSQL it says why and goes on. Loopback only.
The Bridge's rate limits are configured out (`UNLIMITED`): one client may ask for 200 a second by
cost otherwise, which a benchmark would measure instead.

* Room operations: through `StreamApi`, in rooms of 10 members, by one client and by 8 at once, each
  of which waits for an answer before it asks again. Bridge and clients share one process and event
  loop, so the clients' cryptography (signing, sealing to each member, verifying) is in the rate.
  Each ends after `--seconds` or `--operations`, whichever is first.
* Fan-out: see `room_fanout.py`.
* Join to first frame: a room with one publisher of a small VP8 picture at 30 frames/s. The viewer's
  connection is open and has seen nothing of the room; from the call of `join_stream_room` to its
  first decoded frame. Publisher, viewer, Bridge and SFU are one process. Joins are `PAUSE` apart;
  those one right after another, which need more key frames, are in rows of their own
  (`room_joins.py`).
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from aiortc.mediastreams import VideoStreamTrack
from av import VideoFrame
from room_fanout import measure_fan_out
from room_joins import Join, measure_staggered

from sealroom.bridge import Bridge, BridgeConfig, RateLimits, sqlite_url
from sealroom.bridge.server import RunningBridge
from sealroom.client import Connection, StreamApi, StreamSubscription
from sealroom.identity import Identity, MemoryRoomPins, TrustOnFirstUse

HOST = ["127.0.0.1"]
MEMBERS = [f"user{number}" for number in range(10)]
CLIENTS = 8
PAGE = 100
PAUSE = 0.5  # seconds before a join: more than the SFU's between two key-frame requests
UNLIMITED = RateLimits(
    requests=1e9,
    request_burst=1e9,
    anonymous_requests=1e9,
    anonymous_burst=1e9,
    connections=1e9,
    connection_burst=1e9,
)
MAX_SECONDS = 120  # of one database
BOUNDS = {"seconds": 3, "operations": 2000, "sessions": 2000, "events": 100, "joins": 30}
Row = tuple[str, str]
Operation = Callable[[StreamApi, str], Awaitable[object]]


class SmallTrack(VideoStreamTrack):
    """128x96 at 30 frames/s."""

    async def recv(self) -> VideoFrame:
        pts, _ = await self.next_timestamp()
        frame = VideoFrame.from_ndarray(np.zeros((96, 128, 3), np.uint8), format="rgb24")
        frame.pts, frame.time_base = pts, Fraction(1, 90_000)
        return frame


class World:
    """A Bridge with one context whose users are `MEMBERS`, and their connections."""

    def __init__(self, bridge: RunningBridge, context_id: str, stack: AsyncExitStack) -> None:
        self.bridge = bridge
        self.context_id = context_id
        self.identities = {name: Identity.generate() for name in MEMBERS}
        self._stack = stack

    async def api(self, name: str) -> StreamApi:
        """Log in, without memory of any room."""
        connection = await Connection.connect(
            self.bridge.url,
            identity=self.identities[name],
            user_id=name,
            context_id=self.context_id,
            trust=TrustOnFirstUse(),
            room_pins=MemoryRoomPins(),
            request_timeout=30,
            reconnect=None,
        )
        self._stack.push_async_callback(connection.close)
        api = StreamApi(connection, host_addresses=HOST)
        self._stack.push_async_callback(api.close)
        return api


@asynccontextmanager
async def open_world(database: str) -> AsyncIterator[World]:
    config = BridgeConfig(database=database, rate_limits=UNLIMITED, session_timeout=0.0)
    async with Bridge.embedded(config) as bridge, AsyncExitStack() as stack:
        context = await bridge.admin.context_create("rooms")
        world = World(bridge, context.context_id, stack)
        for name, identity in world.identities.items():
            await bridge.admin.user_add(context.context_id, name, identity.public)
        yield world


async def make_room(api: StreamApi) -> str:
    """Create a room of all `MEMBERS` and return its id."""
    connection = api._connection
    users = [name for name in MEMBERS if name != connection.user_id]
    return await api.create_stream_room(connection.context_id, users, private_meta=b"private")


async def _list(api: StreamApi, _room_id: str) -> None:
    page = await api.list_stream_rooms(limit=PAGE)
    if len(page.rooms) != PAGE:
        raise RuntimeError(f"a page of {len(page.rooms)} rooms, {len(page.refused)} refused")


async def _rotate(api: StreamApi, room_id: str) -> None:
    await api.update_stream_room(room_id, force_generate_new_key=True)


async def _join_and_leave(api: StreamApi, room_id: str) -> None:
    await api.join_stream_room(room_id)
    await api.leave_stream_room(room_id)


OPERATIONS: dict[str, Operation] = {
    "create": lambda api, _: make_room(api),
    "get": lambda api, room_id: api.get_stream_room(room_id),
    f"list a page of {PAGE}": _list,
    "update with rotation": _rotate,
    "join and leave": _join_and_leave,
}


async def measure_operations(world: World, seconds: float, most: int) -> list[Row]:
    """Operations per second, by one client and by `CLIENTS` at once, each in a room of its own."""
    owned = []
    for name in MEMBERS[:CLIENTS]:
        api = await world.api(name)
        owned.append((api, await make_room(api)))
    for _ in range(PAGE):
        await make_room(owned[0][0])
    rows = []
    for title, operation in OPERATIONS.items():
        rates = [await _rate(operation, owned[:clients], seconds, most) for clients in (1, CLIENTS)]
        rows.append((f"{title}, operations/s", f"{rates[0]:.0f} ({rates[1]:.0f})"))
    return rows


async def _rate(
    operation: Operation, owned: list[tuple[StreamApi, str]], seconds: float, most: int
) -> float:
    await asyncio.gather(*(operation(*one) for one in owned))  # caches, statements, connections
    began = time.perf_counter()

    async def repeat(api: StreamApi, room_id: str) -> int:
        done = 0
        while done < most // len(owned) and time.perf_counter() - began < seconds:
            await operation(api, room_id)
            done += 1
        return done

    done = sum(await asyncio.gather(*(repeat(*one) for one in owned)))
    return done / (time.perf_counter() - began)


async def measure_join(world: World, joins: int) -> list[Row]:
    """Milliseconds from `join_stream_room` to the first decoded frame, and of its parts."""
    publisher = await world.api(MEMBERS[0])
    room_id = await make_room(publisher)
    await publisher.join_stream_room(room_id)
    stream = await publisher.create_stream(room_id)
    await stream.add_track(SmallTrack())
    await stream.publish()

    async def close(viewer: StreamApi) -> None:
        await viewer.leave_stream_room(room_id)
        await viewer.close()
        await viewer._connection.close()

    async def open_joins(count: int) -> tuple[list[Join], Callable[[], Awaitable[None]]]:
        viewers = [await world.api(MEMBERS[1 + number]) for number in range(count)]

        async def join(viewer: StreamApi) -> float:
            return (await _first_frame(viewer, room_id, stream.stream_id))[-1]

        async def close_all() -> None:
            await asyncio.gather(*map(close, viewers))

        return [partial(join, viewer) for viewer in viewers], close_all

    times: list[tuple[float, ...]] = []
    for _ in range(joins):
        viewer = await world.api(MEMBERS[1])
        await asyncio.sleep(PAUSE)
        times.append(await _first_frame(viewer, room_id, stream.stream_id))
        await close(viewer)
    joined, subscribed, first = (statistics.median(one) for one in zip(*times, strict=True))
    slowest = max(one[2] for one in times)
    return [
        ("joined, ms", f"{joined:.0f}"),
        ("subscribed, ms", f"{subscribed:.0f}"),
        ("first decoded frame, ms (slowest)", f"{first:.0f} ({slowest:.0f})"),
        *await measure_staggered(open_joins),
    ]


async def _first_frame(viewer: StreamApi, room_id: str, stream_id: str) -> tuple[float, ...]:
    began = time.perf_counter()
    async with asyncio.timeout(20):
        await viewer.join_stream_room(room_id)
        joined = time.perf_counter()
        await viewer.subscribe_to_remote_streams(room_id, [StreamSubscription(stream_id)])
        subscribed = time.perf_counter()
        remote = await anext(viewer.remote_tracks(room_id))
        await anext(remote.frames())
    times = (joined, subscribed, time.perf_counter())
    return tuple((one - began) * 1000 for one in times)


async def measure(database: str, options: argparse.Namespace) -> list[Row]:
    """All rows of one database, which is empty."""
    async with asyncio.timeout(MAX_SECONDS), open_world(database) as world:
        if options.only_joins:
            return await measure_join(world, options.joins)
        rows = await measure_operations(world, options.seconds, options.operations)
        sender = await world.api(MEMBERS[0])
        rows += await measure_fan_out(
            world.bridge,
            sender,
            world.context_id,
            await make_room(sender),
            options.sessions,
            options.events,
        )
        return rows + await measure_join(world, options.joins)


def measure_sqlite(options: argparse.Namespace) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="sealroom-rooms-") as folder:
        return asyncio.run(measure(sqlite_url(f"{folder}/bridge.db"), options))


def measure_postgres(options: argparse.Namespace) -> list[Row] | None:
    """The same on a server of its own; None, and why on stderr, if there is none to start."""
    sys.path.append(str(Path(__file__).parents[2] / "tests" / "integration"))
    support = importlib.import_module("postgres_support")
    programs = support.find_server()
    if programs is None or importlib.util.find_spec("asyncpg") is None:
        missing = "Debian package postgresql" if programs is None else "Python package asyncpg"
        sys.stderr.write(f"PostgreSQL left out: no {missing}\n")
        return None
    server = support.PostgresServer(programs, fsync=True)
    try:
        return asyncio.run(measure(server.url(server.create_database()), options))
    finally:
        server.stop()


def table(columns: dict[str, list[Row]]) -> str:
    """Markdown, a column for each database."""
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for rows in zip(*columns.values(), strict=True):
        lines.append(f"| {rows[0][0]} | {' | '.join(value for _, value in rows)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=1.2, help="of one operation at the most")
    parser.add_argument("--operations", type=int, default=400, help="of one kind at the most")
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--events", type=int, default=10)
    parser.add_argument("--joins", type=int, default=10)
    parser.add_argument("--only-joins", action="store_true", help="on SQLite")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    for name, most in BOUNDS.items():
        if not 0 < getattr(options, name) <= most:
            parser.error(f"--{name}: above 0, at most {most}")
    columns = {"SQLite file": measure_sqlite(options)}
    if not options.only_joins and (rows := measure_postgres(options)) is not None:
        columns["PostgreSQL"] = rows
    text = table(columns)
    sys.stdout.write(text)
    if options.output is not None:
        options.output.write_text(text)


if __name__ == "__main__":
    main()
