"""Opens the database and brings it to the newest schema."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import alembic.command
import alembic.config
from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from .errors import BridgeError

# Its debug messages hold the parameters of every statement.
logging.getLogger("aiosqlite").setLevel(logging.INFO)
# And these every row that was read.
logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO)

_SQLITE_BUSY_MS = 5000

_Result = TypeVar("_Result")
_Parameters = ParamSpec("_Parameters")
_Owner = TypeVar("_Owner", bound="HasDatabase")


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
        self._running: set[asyncio.Task[Any]] = set()

    async def finish(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Run `work` to its end, even if the caller is cancelled meanwhile."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has it; else nobody needs it

    async def drain(self) -> None:
        """Wait until all work is done."""
        await asyncio.gather(*self._running, return_exceptions=True)

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


class HasDatabase(Protocol):
    """A class whose methods `uncancelled` may wrap."""

    _database: Database


def uncancelled(
    method: Callable[Concatenate[_Owner, _Parameters], Coroutine[Any, Any, _Result]],
) -> Callable[Concatenate[_Owner, _Parameters], Coroutine[Any, Any, _Result]]:
    """Make a query run to its end, even if its caller is cancelled.

    A connection cancelled in a query is thrown away, and a database in memory with it.
    """

    @wraps(method)
    async def wrapper(
        self: _Owner, /, *args: _Parameters.args, **kwargs: _Parameters.kwargs
    ) -> _Result:
        return await self._database.finish(method(self, *args, **kwargs))

    return wrapper


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
    is_sqlite = parsed.get_backend_name() == "sqlite"
    if is_sqlite and parsed.database in (None, "", ":memory:"):
        # One connection, used by one task at a time: it is the database.
        options |= {"poolclass": AsyncAdaptedQueuePool, "pool_size": 1, "max_overflow": 0}
    elif is_sqlite:
        assert parsed.database is not None
        _create_private(Path(parsed.database))
    engine = create_async_engine(parsed, **options)
    if is_sqlite:
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
    database = Database(engine)
    try:
        async with database.write() as connection:
            await connection.run_sync(migrate)
        yield database
    finally:
        await database.drain()
        await engine.dispose()


def _create_private(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _set_up_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_SQLITE_BUSY_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")  # a database in memory keeps its own mode
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
