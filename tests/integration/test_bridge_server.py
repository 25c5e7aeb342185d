"""The Bridge as a server: persistence, migrations, health, metrics, mounting, signals."""

import asyncio
import os
import signal
import socket
import sqlite3
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
import sqlalchemy as sa
import uvicorn
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from bridge_support import Client, FakeMedia, Refused, World, eventually, open_world
from fastapi import FastAPI
from starlette.applications import Starlette
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from sealroom.bridge import Bridge, BridgeConfig, BridgeError, sqlite_url
from sealroom.bridge.database import open_database
from sealroom.bridge.schema import metadata
from sealroom.bridge.server import embedded


@asynccontextmanager
async def serving(app: Starlette, lifespan: Literal["on", "off"] = "on") -> AsyncIterator[str]:
    """Serve an application as its user would, and yield its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan=lifespan, log_config=None, log_level="warning")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await eventually(lambda: server.started or task.done())
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()


async def get(url: str) -> tuple[int, str]:
    """Fetch a page: status and text."""

    def fetch() -> tuple[int, str]:
        try:
            with opener.open(url, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return await asyncio.to_thread(fetch)


async def test_everything_stored_outlives_a_restart(tmp_path: Path) -> None:
    url = sqlite_url(str(tmp_path / "new" / "bridge.db"))
    async with open_world(database=url) as world:
        alice = await world.user("alice")
        await world.user("bob")
        room = await world.create_room(alice, ["bob"])
        left = await world.create_room(alice, ttl=0.3)
        await alice.join(left.room_id)
        bridge_id = world.bridge.bridge.bridge_id
        key = await world.bridge.admin.create_api_key()
    async with embedded(BridgeConfig(database=url, session_timeout=0), FakeMedia()) as bridge:
        assert bridge.bridge.bridge_id == bridge_id
        again = World(bridge, FakeMedia(), world.context_id)
        again.identities = world.identities
        alice, bob = await again.user("alice"), await again.user("bob")
        assert (await alice.call("room.get", room_id=room.room_id)).room == room
        seen = (await bob.call("room.get", room_id=room.room_id)).room
        assert [one.user_id for one in seen.sealed_secrets] == ["bob"]
        await alice.call("auth.admin", api_key=key)
        states = set()
        for _ in range(200):  # the room that was open is empty now and ages
            states.add((await alice.call("room.get", room_id=left.room_id)).room.state)
            if "closed" in states:
                break
            await asyncio.sleep(0.02)
        assert "closed" in states
        await again.close()


async def test_the_database_is_private_and_in_wal_mode(tmp_path: Path) -> None:
    path = tmp_path / "bridge.db"
    async with open_world(database=sqlite_url(str(path))):
        assert path.stat().st_mode & 0o777 == 0o600
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


async def test_api_keys_are_stored_hashed(tmp_path: Path) -> None:
    path = tmp_path / "bridge.db"
    async with open_world(database=sqlite_url(str(path))) as world:
        key = await world.bridge.admin.create_api_key()
    stored = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert key.encode() not in stored
    assert key.rsplit("-", 1)[-1].encode() not in stored


async def test_migrations_from_empty_make_the_schema(tmp_path: Path) -> None:
    url = sqlite_url(str(tmp_path / "bridge.db"))
    for _ in range(2):  # the second time there is nothing to do
        async with open_database(url):
            pass
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'bridge.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        keys = sa.inspect(connection).get_foreign_keys("sealed_secrets")
        assert keys[0]["options"] == {"ondelete": "CASCADE"}
    engine.dispose()


async def test_deleting_a_room_deletes_its_members_and_secrets(tmp_path: Path) -> None:
    path = tmp_path / "bridge.db"
    async with open_world(database=sqlite_url(str(path))) as world:
        alice = await world.user("alice")
        room = await world.create_room(alice, ["bob"])
        await alice.call("room.delete", room_id=room.room_id)
    connection = sqlite3.connect(path)
    for table in ("rooms", "room_members", "sealed_secrets"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    connection.close()


async def test_a_database_in_memory_survives_cancelled_queries(world: World) -> None:
    """Cancelled at every point of a query, read or write; a write is then done all the same."""
    made = 1
    for point in range(60):
        if point % 2:
            task = asyncio.create_task(world.bridge.admin.context_create("more"))
        else:
            task = asyncio.create_task(world.bridge.admin.context_list())
        for _ in range(point // 2):
            await asyncio.sleep(0)
        begun = point > 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        made += bool(point % 2) and begun
        async with asyncio.timeout(10):  # it goes on behind its caller, who is not told of its end
            while (total := (await world.bridge.admin.context_list()).total) < made:
                await asyncio.sleep(0.005)
        assert total == made


async def test_two_embedded_bridges_share_nothing() -> None:
    async with open_world() as one, open_world() as two:
        assert one.bridge.url != two.bridge.url
        assert (await one.bridge.admin.context_list()).total == 1
        assert one.bridge.bridge.bridge_id != two.bridge.bridge.bridge_id
        client = Client(await connect(two.bridge.rpc_url, proxy=None), one.context_id)
        with pytest.raises(Refused):
            await client.login("alice", one.identities["alice"])
        await client.close()


async def test_health_readiness_and_metrics_are_served(world: World) -> None:
    alice = await world.user("alice")
    room = await world.create_room(alice)
    await alice.join(room.room_id)
    await alice.publish(room.room_id)
    url = world.bridge.http_url
    assert await get(url + "/healthz") == (200, "ok\n")
    assert await get(url + "/readyz") == (200, "ready\n")
    assert (await get(url + "/else"))[0] == 404
    _, metrics = await get(url + "/metrics")
    for line in (
        "sealroom_connections 1.0",
        "sealroom_sessions 1.0",
        "sealroom_live_rooms 1.0",
        "sealroom_participants 1.0",
        "sealroom_streams 1.0",
        "sealroom_media_producers 1.0",
        'sealroom_requests_total{method="room.join",outcome="ok"} 1.0',
    ):
        assert line in metrics.splitlines()


async def test_labels_do_not_come_from_clients(world: World) -> None:
    client = await world.user("alice")
    with pytest.raises(Refused):
        await client.call("invented.method")
    metrics = world.bridge.bridge.metrics.render().decode()
    assert "invented" not in metrics
    assert 'sealroom_requests_total{method="unknown",outcome="METHOD_NOT_FOUND"} 1.0' in metrics


async def test_a_bridge_that_does_not_run_serves_only_its_health() -> None:
    bridge = Bridge(BridgeConfig(), FakeMedia())
    async with serving(bridge.app, lifespan="off") as url:
        assert await get(url + "/healthz") == (200, "ok\n")
        assert await get(url + "/readyz") == (503, "not started\n")
        with pytest.raises(InvalidStatus):
            await connect("ws" + url.removeprefix("http") + "/v1/rpc", proxy=None)
    with pytest.raises(BridgeError):
        _ = bridge.admin


async def test_the_app_starts_and_stops_the_bridge_in_its_lifespan() -> None:
    media = FakeMedia()
    async with serving(Bridge(BridgeConfig(), media).app) as url:
        assert await get(url + "/readyz") == (200, "ready\n")
    assert media.closed == 1


@pytest.mark.parametrize("framework", [Starlette, FastAPI])
async def test_the_app_can_be_mounted(framework: type[Starlette]) -> None:
    bridge = Bridge(BridgeConfig(), FakeMedia())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with bridge:
            yield

    outer = framework(lifespan=lifespan)
    outer.mount("/calls", bridge.app)
    async with serving(outer) as url:
        assert await get(url + "/calls/readyz") == (200, "ready\n")
        context = await bridge.admin.context_create("mounted")
        rpc_url = "ws" + url.removeprefix("http") + "/calls/v1/rpc"
        client = Client(await connect(rpc_url, proxy=None), context.context_id)
        await client.call("auth.challenge", context_id=context.context_id, user_id="x")
        await client.close()


async def test_a_wrong_database_url_and_a_second_start_are_told() -> None:
    with pytest.raises(BridgeError, match="malformed"):
        await Bridge(BridgeConfig(database="nonsense"), FakeMedia()).__aenter__()
    async with Bridge(BridgeConfig(), FakeMedia()) as bridge:
        with pytest.raises(BridgeError, match="once"):
            await bridge.__aenter__()


async def test_a_taken_port_is_told(world: World) -> None:
    from sealroom.bridge.server import serve

    port = int(world.bridge.url.rsplit(":", 1)[1])
    media = FakeMedia()
    with pytest.raises(BridgeError, match=f"port {port}"):
        await serve(BridgeConfig(port=port), media=media)
    assert media.closed == 1


async def test_stopping_ends_connections_and_the_media_server() -> None:
    media = FakeMedia()
    async with embedded(BridgeConfig(), media) as bridge:
        client = await connect(bridge.rpc_url, proxy=None)
    await asyncio.wait_for(client.wait_closed(), 5)
    assert client.close_code == 1012
    assert media.closed == 1


SERVER = """
import sys
from bridge_support import FakeMedia
from sealroom.bridge import BridgeConfig, sqlite_url
from sealroom.bridge.server import run

run(
    BridgeConfig(port=0, database=sqlite_url(sys.argv[1])),
    media=FakeMedia(),
    on_started=lambda bridge, key: print(bridge.url, key, flush=True),
)
print("stopped", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_server_process_stops_on_signals_and_shows_its_key_once(
    tmp_path: Path, number: signal.Signals
) -> None:
    import sealroom.protocol

    package = Path(sealroom.protocol.__file__).parents[2]
    path = os.pathsep.join([str(package), str(Path(__file__).parent)])
    keys = []
    for _ in range(2):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVER, str(tmp_path / "bridge.db"),
            stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        assert process.stdout is not None
        url, key = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().split()
        keys.append(key)
        client = Client(await connect(url + "/v1/rpc", proxy=None))
        await client.call("auth.admin", api_key=keys[0])
        process.send_signal(number)
        assert (await asyncio.wait_for(process.stdout.read(), 20)) == b"stopped\n"
        assert await process.wait() == 0
        await client.close()
    assert keys[0].startswith("sealroom-key-")
    assert keys[1] == "None"
