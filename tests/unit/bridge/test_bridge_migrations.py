"""A database of the version before is brought up to date with what it holds."""

from __future__ import annotations

import hashlib
from pathlib import Path

import alembic.command
import alembic.config
import sqlalchemy as sa

import sealroom.bridge
from sealroom.bridge.database import open_database
from sealroom.bridge.key_store import KeyStore
from sealroom.bridge.room_lists import RoomLists
from sealroom.bridge.schema import metadata
from sealroom.protocol import RoomListParams

SCRIPTS = Path(sealroom.bridge.__file__).with_name("migrations")


def run(connection: sa.Connection, revision: str, *, down: bool = False) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    (alembic.command.downgrade if down else alembic.command.upgrade)(config, revision)


async def test_rooms_made_before_there_was_a_history_get_one(tmp_path: Path) -> None:
    file = tmp_path / "bridge.db"
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        run(connection, "0001")
        for statement in (
            "INSERT INTO contexts VALUES ('c', 'title', 1)",
            "INSERT INTO users VALUES ('c', 'alice', 'identity of alice', x'41', 1)",
            "INSERT INTO rooms (room_id, context_id, author, record_payload, record_signature,"
            " state, empty_room_ttl, created_at, modified_at)"
            " VALUES ('r', 'c', 'alice', x'7061', x'7369', 'open', 5.0, 1, 1),"
            " ('s', 'c', 'gone', x'7062', x'7369', 'open', 5.0, 2, 2)",
            "INSERT INTO room_members VALUES ('r', 'alice', x'41', 1), ('s', 'alice', x'41', 1)",
            "INSERT INTO sealed_secrets VALUES ('r', 'alice', 1, x'73')",
        ):
            connection.execute(sa.text(statement))
    engine.dispose()
    async with open_database(f"sqlite+aiosqlite:///{file}") as database:
        lists = RoomLists(database)
        room = await lists.get("r", "alice")
        assert room is not None
        assert (room.record.payload, room.author_identity) == (b"pa", "identity of alice")
        assert [one.sealed for one in room.sealed_secrets] == [b"s"]
        history = await lists.history("r", "alice", 0, 10)
        assert (history.newest, [one.record.payload for one in history.records]) == (1, [b"pa"])
        departed = await lists.get("s", "alice")
        assert departed is not None
        assert departed.author_identity  # no identity, but no empty text that clients refuse
        assert (await lists.page("alice", b"A", RoomListParams(context_id="c")))[0] == 2


async def test_keys_made_before_there_were_scopes_can_do_everything(tmp_path: Path) -> None:
    file = tmp_path / "bridge.db"
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        run(connection, "0002")
        for key in ("one", "two"):
            values = {"hash": hashlib.sha256(key.encode()).digest(), "title": key}
            connection.execute(sa.text("INSERT INTO api_keys VALUES (:hash, :title, 1)"), values)
    engine.dispose()
    async with open_database(f"sqlite+aiosqlite:///{file}") as database:
        keys = KeyStore(database)
        found = [await keys.check(key) for key in ("one", "two", "three")]
        assert [one and one.scopes for one in found] == [{"*"}, {"*"}, None]
        total, views = await keys.page(0, 10)
        assert (total, {one.title for one in views}) == (2, {"one", "two"})
        assert len({one.key_id for one in views}) == 2
        await keys.create("weak", ["keys:read"], None, "")
    with engine.begin() as connection:
        run(connection, "0002", down=True)
        assert connection.scalar(sa.text("SELECT count(*) FROM api_keys")) == 2
    engine.dispose()


def test_the_migrations_make_the_tables_of_the_schema_and_go_back(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'bridge.db'}")
    with engine.begin() as connection:
        run(connection, "head")
        found = sa.inspect(connection)
        for table in metadata.sorted_tables:
            columns = {one["name"]: one["nullable"] for one in found.get_columns(table.name)}
            assert columns == {one.name: one.nullable for one in table.columns}, table.name
        run(connection, "0001", down=True)
        names = set(sa.inspect(connection).get_table_names())
    engine.dispose()
    assert "room_records" not in names
    assert "rooms" in names
