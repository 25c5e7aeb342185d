"""kill -9 at any moment: what was answered is there, what was not is there wholly or not at all.

`SEALROOM_CRASH_KILLS` sets how often each kind of database is tried (20 by default).
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from bridge_support import Refused
from crash_support import Member, bridge_to_kill, check_store
from postgres_support import PostgresServer, find_server

from sealroom.bridge import sqlite_url
from sealroom.bridge.database import open_database
from sealroom.bridge.store import Store
from sealroom.identity import Identity
from sealroom.protocol import ErrorCode, ErrorDetail, ErrorObject

KILLS = int(os.environ.get("SEALROOM_CRASH_KILLS", "20"))
SECONDS = (0.02, 0.3)  # between the first step and the kill


async def make_members(database: str, seed: int) -> list[Member]:
    """Users of a new context."""
    identities = {name: Identity.generate() for name in ("alice", "bob", "carol")}
    async with open_database(database) as opened:
        store = Store(opened)
        context_id = (await store.create_context("crash")).context_id
        for name, one in identities.items():
            public = one.public
            await store.add_user(context_id, name, public.encode(), public.fingerprint)
    return [
        Member(name, context_id, identities, random.Random(f"{seed} {name}")) for name in identities
    ]


async def work_and_kill(database: str, members: list[Member], seconds: float) -> None:
    """Let the members work for a while, and kill the Bridge under them."""
    async with bridge_to_kill(database) as url:
        work = [asyncio.create_task(one.work(url)) for one in members]
        steps = sum(one.steps for one in members)
        while sum(one.steps for one in members) == steps:  # logged in and at work
            await asyncio.sleep(0.005)
            assert not all(one.done() for one in work), await asyncio.gather(*work)
        await asyncio.sleep(seconds)
    for one in members:
        await one.break_off()
    for one in work:
        one.cancel()
    await asyncio.gather(*work)


async def kill_again_and_again(database: str, kills: int) -> list[Member]:
    """Check the store after each kill; print how to repeat the run if it fails."""
    seed = int(os.environ.get("SEALROOM_CRASH_SEED", str(random.getrandbits(32))))
    print(f"SEALROOM_CRASH_SEED={seed}")  # noqa: T201 - pytest shows it if the test fails
    chance = random.Random(seed)
    members = await make_members(database, seed)
    for _ in range(kills):
        await work_and_kill(database, members, chance.uniform(*SECONDS))
        await check_store(database, members)
    return members


@pytest.mark.timeout(60 + 10 * KILLS)
async def test_an_sqlite_file_survives_a_killed_bridge(tmp_path: Path) -> None:
    file = tmp_path / "bridge.db"

    def check_file() -> None:
        with sqlite3.connect(file) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.close()

    members = await kill_again_and_again(sqlite_url(str(file)), KILLS)
    check_file()
    assert sum(one.steps for one in members) >= KILLS


@pytest.mark.timeout(60 + 10 * KILLS)
async def test_postgresql_survives_a_killed_bridge(postgres_url: str) -> None:
    members = await kill_again_and_again(postgres_url, max(KILLS // 4, 1))
    assert sum(one.steps for one in members) >= KILLS // 4


@pytest.fixture
def durable_postgres() -> Iterator[PostgresServer]:
    """A server of the test's own that writes through, as in operation."""
    programs = find_server()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed (Debian package postgresql)")
    pytest.importorskip("asyncpg", reason="no asyncpg: pip install 'sealroom[postgres]'")
    server = PostgresServer(programs, fsync=True)
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.timeout(180)
async def test_a_killed_postgresql_server_comes_back_and_the_bridge_goes_on(
    durable_postgres: PostgresServer,
) -> None:
    database = durable_postgres.url(durable_postgres.create_database())
    members = await make_members(database, 1)
    async with bridge_to_kill(database) as url:
        work = [asyncio.create_task(one.work(url)) for one in members]
        while sum(one.steps for one in members) < 30:
            await asyncio.sleep(0.01)
            assert not all(one.done() for one in work), await asyncio.gather(*work)
        for one in members:
            one.database_dies = True
        await asyncio.to_thread(durable_postgres.kill)
        await asyncio.gather(*work)  # each ends with its first answer that the database is gone
        assert any(one.pending is not None for one in members)
        await asyncio.to_thread(durable_postgres.start)
        for one in members:
            one.database_dies = False
        await check_store(database, members)
        steps = sum(one.steps for one in members)
        work = [asyncio.create_task(one.work(url)) for one in members]
        while sum(one.steps for one in members) < steps + 10:
            await asyncio.sleep(0.01)
            assert not all(one.done() for one in work), await asyncio.gather(*work)
    for one in members:
        await one.break_off()
    for one in work:
        one.cancel()
    await asyncio.gather(*work)
    await check_store(database, members)


async def test_an_internal_error_is_no_lost_answer_while_the_database_lives() -> None:
    class Broken:
        async def call(self, method: str, params: object) -> None:
            detail = ErrorDetail(name=ErrorCode.INTERNAL_ERROR.name)
            raise Refused(ErrorObject(ErrorCode.INTERNAL_ERROR, method, detail))

    client: Any = Broken()
    member = Member("alice", "context", {}, random.Random(1))
    with pytest.raises(Refused):
        await member._call(client, "room.delete", {}, "room", None)
    member.database_dies = True
    assert not await member._call(client, "room.delete", {}, "room", None)


async def test_the_check_notices_a_lost_update_and_half_of_one(tmp_path: Path) -> None:
    """A check that cannot fail would show nothing."""
    file = tmp_path / "bridge.db"
    database = sqlite_url(str(file))
    members = await make_members(database, 2)
    await work_and_kill(database, members, 0.3)
    await check_store(database, members)
    books = dict(members[0].rooms)
    members[0].rooms[uuid4().hex] = next(one for one in books.values() if one is not None)
    with pytest.raises(AssertionError, match="neither as before nor as after"):
        await check_store(database, members)
    members[0].rooms = books
    with sqlite3.connect(file) as connection:
        connection.execute("DELETE FROM sealed_secrets WHERE user_id = 'alice'")
    connection.close()
    with pytest.raises(AssertionError, match="lacks the secret"):
        await check_store(database, members)
