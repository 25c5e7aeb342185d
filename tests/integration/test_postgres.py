"""PostgreSQL: several Bridges on one database, and what it is stricter about than SQLite."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from bridge_support import Client, FakeMedia, Refused, World, open_world
from postgres_support import PostgresServer
from sqlalchemy.exc import DBAPIError

import sealroom.bridge.room_store
from sealroom.access import record_hash
from sealroom.bridge import BridgeConfig, BridgeError
from sealroom.bridge.database import Database, open_database
from sealroom.bridge.schema import metadata, rooms
from sealroom.bridge.server import embedded
from sealroom.protocol import (
    ROOM_RECORD_TYPE,
    ErrorCode,
    RoomRecord,
    RoomUpdateParams,
    RoomView,
)


@pytest.fixture
def empty_url(postgres: PostgresServer) -> Iterator[str]:
    """URL of a database without tables."""
    template, postgres.template = postgres.template, "template0"
    name = postgres.create_database()
    postgres.template = template
    yield postgres.url(name)
    postgres.drop_database(name)


def next_record(client: Client, room: RoomView) -> RoomUpdateParams:
    """An update that changes nothing but the public metadata."""
    before = msgspec.json.decode(room.record.payload, type=RoomRecord)
    record = msgspec.structs.replace(
        before,
        version=before.version + 1,
        previous_hash=record_hash(room.record.payload),
        author=client.user_id,
        creator=before.author if before.creator is None else before.creator,
        public_meta=client.user_id.encode(),
    )
    return RoomUpdateParams(
        room_id=room.room_id, record=client.sign(ROOM_RECORD_TYPE, record), sealed_secrets=[]
    )


async def update_until(client: Client, room_id: str, version: int) -> list[int]:
    """Update without waiting for anybody until the room has a version; return those one made."""
    made: list[int] = []
    while True:
        room = (await client.call("room.get", room_id=room_id)).room
        params = next_record(client, room)
        wanted = msgspec.json.decode(params.record.payload, type=RoomRecord).version
        if wanted > version:
            return made
        try:
            await client.call("room.update", params)
            made.append(wanted)
        except Refused as refused:
            if refused.code is not ErrorCode.VERSION_CONFLICT:
                raise


async def test_of_two_managers_at_two_bridges_one_makes_each_version(postgres_url: str) -> None:
    async with (
        open_world(database=postgres_url) as world,
        embedded(BridgeConfig(database=postgres_url), FakeMedia()) as other,
    ):
        there = World(other, FakeMedia(), world.context_id)
        there.identities = world.identities
        alice, bob = await world.user("alice"), await there.user("bob")
        room = await world.create_room(alice, members=world.record(["alice", "bob"]).members)
        made = await asyncio.gather(
            update_until(alice, room.room_id, 40), update_until(bob, room.room_id, 40)
        )
        assert sorted(made[0] + made[1]) == list(range(2, 41))
        history = (await bob.call("room.history", room_id=room.room_id)).records
        records = [msgspec.json.decode(one.record.payload, type=RoomRecord) for one in history]
        for number, record in enumerate(records[1:]):
            assert record.previous_hash == record_hash(history[number].record.payload)
        await there.close()


async def test_a_change_at_one_bridge_holds_at_the_other_at_once(postgres_url: str) -> None:
    async with (
        open_world(database=postgres_url) as world,
        embedded(BridgeConfig(database=postgres_url), FakeMedia()) as other,
    ):
        there = World(other, FakeMedia(), world.context_id)
        there.identities = world.identities
        alice, bob = await world.user("alice"), await there.user("bob")
        room = await world.create_room(alice, ["bob"])
        await bob.call("room.get", room_id=room.room_id)  # the other Bridge knows the rules now
        without_bob = msgspec.structs.replace(
            msgspec.json.decode(next_record(alice, room).record.payload, type=RoomRecord),
            members=world.record(["alice"]).members,
            epoch=2,
            epoch_commitment=b"2" * 32,
        )
        secrets = [
            msgspec.structs.replace(one, epoch=2)
            for one in world.create_params(alice, world.record(["alice"])).sealed_secrets
        ]
        signed = alice.sign(ROOM_RECORD_TYPE, without_bob)
        params = RoomUpdateParams(room_id=room.room_id, record=signed, sealed_secrets=secrets)
        await alice.call("room.update", params)
        with pytest.raises(Refused) as refusal:
            await bob.call("room.get", room_id=room.room_id)
        assert refusal.value.code is ErrorCode.ACCESS_DENIED
        await alice.call("room.delete", room_id=room.room_id)
        with pytest.raises(Refused):
            await bob.call("room.history", room_id=room.room_id)
        await there.close()


async def test_limits_hold_however_many_create_at_once(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealroom.bridge.room_store, "MAX_CONTEXT_ROOMS", 5)
    async with (
        open_world(database=postgres_url) as world,
        embedded(BridgeConfig(database=postgres_url), FakeMedia()) as other,
    ):
        there = World(other, FakeMedia(), world.context_id)
        there.identities = world.identities
        clients = [await one.user("alice") for one in (world, there) for _ in range(6)]
        outcomes = await asyncio.gather(
            *(world.create_room(one) for one in clients), return_exceptions=True
        )
        refusals = [one for one in outcomes if isinstance(one, BaseException)]
        assert [one.code for one in refusals if isinstance(one, Refused)] == (
            [ErrorCode.LIMIT_EXCEEDED] * 7
        )
        assert (await world.bridge.admin.room_list(world.context_id)).total == 5
        await there.close()


async def test_bridges_that_start_together_migrate_once(empty_url: str) -> None:
    async def start() -> None:
        async with open_database(empty_url) as database:
            await see(database)

    async def see(database: Database) -> None:
        async with database.read() as connection:
            assert await connection.scalar(sa.select(sa.func.count()).select_from(rooms)) == 0

    await asyncio.gather(*(start() for _ in range(4)))
    async with open_database(empty_url) as database, database.read() as connection:
        assert await connection.run_sync(_differences) == []


def _differences(connection: sa.Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_a_migration_that_fails_leaves_nothing_behind(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url in (empty_url, f"sqlite+aiosqlite:///{tmp_path / 'bridge.db'}"):
        with monkeypatch.context() as patch:
            patch.setattr("alembic.command.upgrade", _fail_halfway)
            with pytest.raises(ZeroDivisionError):
                async with open_database(url):
                    pass
        async with open_database(url):  # would fail on the table that is there already
            pass


def _fail_halfway(config: object, _revision: str) -> None:
    connection = config.attributes["connection"]  # type: ignore[attr-defined]
    connection.execute(sa.text("CREATE TABLE rooms (room_id INTEGER)"))
    raise ZeroDivisionError


async def test_who_reads_cannot_write(postgres_url: str) -> None:
    async with open_database(postgres_url) as database:
        with pytest.raises(DBAPIError, match="read-only"):
            async with database.read() as connection:
                await connection.execute(sa.delete(rooms))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_texts_with_nul_are_refused_by_name(
    kind: str, request: pytest.FixtureRequest
) -> None:
    options = {"database": request.getfixturevalue("postgres_url")} if kind != "sqlite" else {}
    async with open_world(**options) as world:
        alice = await world.user("alice")
        record = world.record(["alice"], room_type="a\0b")
        with pytest.raises(Refused) as refusal:
            await alice.call("room.create", world.create_params(alice, record))
        assert refusal.value.field == "record.payload.room_type"
        for changes in ({"room_type": "\0"}, {"filter": {"\0": 1}}):
            with pytest.raises(Refused) as refusal:
                await alice.call("room.list", context_id=world.context_id, **changes)
            assert refusal.value.code is ErrorCode.INVALID_PARAMS
        found = await alice.call("room.list", context_id=world.context_id, filter={"a": "\0"})
        assert found.total == 0
        await alice.call("auth.admin", api_key=await world.bridge.admin.create_api_key())
        with pytest.raises(Refused) as refusal:
            await alice.call("admin.context_create", title="a\0b")
        assert refusal.value.field == "title"


async def test_a_server_that_is_not_there_is_named_without_the_password(tmp_path: Path) -> None:
    url = f"postgresql://sealroom:geheim@/none?host={tmp_path}"
    assert "geheim" not in repr(BridgeConfig(database=url))
    with pytest.raises(BridgeError, match="cannot be used") as refusal:
        async with open_database(url):
            pass
    assert "geheim" not in str(refusal.value)
    assert "sealroom" in str(refusal.value)


async def test_other_databases_and_a_missing_driver_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(BridgeError, match="mysql is no database for a Bridge"):
        async with open_database("mysql://localhost/x"):
            pass
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(BridgeError, match=r"asyncpg.*sealroom\[postgres\]"):
        async with open_database("postgresql://localhost/x"):
            pass
