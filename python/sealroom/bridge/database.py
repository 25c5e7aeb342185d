"""Opens the database and brings it to the newest schema."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import alembic.command
import alembic.config
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from .errors import BridgeError

# Its debug messages hold the parameters of every statement.
logging.getLogger("aiosqlite").setLevel(logging.INFO)

_SQLITE_BUSY_MS = 5000


def migrate(connection: Connection) -> None:
    """Run all migrations that the database lacks, in the connection's transaction."""
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, "head")


class Database:
    """Transactions: readers run side by side, writers one after another (SQLite knows one only)."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing = asyncio.Lock()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Connection to read with."""
        async with self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Transaction that is committed at the end and rolled back on an exception."""
        async with self._writing, self._engine.begin() as connection:
            yield connection


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """Open a database, migrate it, close it at the end.

    `sqlite+aiosqlite://` is a database in memory that lives as long as this context; an SQLite file
    is created readable for its owner only and used in WAL mode.

    Raises:
        BridgeError: the URL is malformed.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise BridgeError("The database URL is malformed; try sqlite+aiosqlite:///FILE.") from None
    options: dict[str, Any] = {"hide_parameters": True}
    in_memory = False
    if parsed.get_backend_name() == "sqlite":
        in_memory = parsed.database in (None, "", ":memory:")
        if in_memory:
            parsed = _shared_memory(parsed)
            options |= {"poolclass": AsyncAdaptedQueuePool, "pool_size": 1, "max_overflow": 0}
        else:
            assert parsed.database is not None
            _create_private(Path(parsed.database))
    engine = create_async_engine(parsed, **options)
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
    # A database in memory lasts while a connection to it is open, and the pool drops its connection
    # when a task is cancelled in a query: this one keeps the data.
    anchor = create_async_engine(parsed, **options) if in_memory else None
    try:
        if anchor is not None:
            async with anchor.connect():
                pass
        async with engine.begin() as connection:
            await connection.run_sync(migrate)
        yield Database(engine)
    finally:
        await engine.dispose()
        if anchor is not None:
            await anchor.dispose()


def _shared_memory(url: URL) -> URL:
    name = f"file:sealroom-{uuid4().hex}"
    return url.set(database=name, query={"mode": "memory", "cache": "shared", "uri": "true"})


def _create_private(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _set_up_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_SQLITE_BUSY_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")  # a database in memory keeps its own mode
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
