"""Opens the database, SQLite or PostgreSQL, and brings it to the newest schema."""

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

import alembic.command
import alembic.config
import sqlalchemy as sa
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from .errors import BridgeError
from .file_lock import only_one

# Its debug messages hold the parameters of every statement.
logging.getLogger("aiosqlite").setLevel(logging.INFO)
# And these every row that was read; at INFO every statement.
logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)

_SQLITE_BUSY_MS: Final = 5000
_POSTGRES_CONNECTIONS: Final = 16  # of one Bridge; further transactions wait for one of them
_POSTGRES_WAIT_SECONDS: Final = 10.0  # to connect, and for one statement
# Held while migrating, so that of several Bridges that start together one migrates: "sealroom".
_MIGRATION_LOCK: Final = int.from_bytes(b"sealroom")
_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}

_Result = TypeVar("_Result")
_Parameters = ParamSpec("_Parameters")
_Owner = TypeVar("_Owner", bound="HasDatabase")


def migrate(connection: Connection) -> None:
    """Run all migrations that the database lacks, in the connection's transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, "head")


class Database:
    """Transactions. Each sees one state of the database, and is wholly done or not at all.

    SQLite: writers one after another, in one process. PostgreSQL: the processes of several Bridges;
    who writes locks the rows it needs, first of the context, then of the room, then of the rest.

    Attributes:
        is_shared: other Bridges may use the database as well.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.is_shared = engine.dialect.name == "postgresql"
        self._readers = engine
        if self.is_shared:
            self._readers = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        self._writers = engine.execution_options(sealroom_writes=True)
        self._one_writer = asyncio.Lock()
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

    def now(self) -> sa.ColumnElement[int]:
        """Return the time in Unix milliseconds, by one clock for all Bridges."""
        if not self.is_shared:
            return sa.literal(time.time_ns() // 1_000_000, sa.BigInteger)
        clock = "extract(epoch from clock_timestamp()) * 1000"
        return sa.cast(sa.literal_column(clock, sa.Float), sa.BigInteger)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Transaction to read in."""
        async with self._readers.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self, alone: str | None = None) -> AsyncIterator[AsyncConnection]:
        """Transaction that is committed at the end and rolled back on an exception.

        Of those that are `alone` under one name, there is one at a time, at all Bridges together:
        for rules over many rows.
        """
        if self.is_shared:
            async with self._writers.begin() as connection:
                if alone is not None:
                    number = sa.func.hashtext(alone)
                    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))
                yield connection
        else:
            async with self._one_writer, self._writers.begin() as connection:
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
    is created readable for its owner only, used in WAL mode, and by one Bridge at a time.
    `postgresql://USER@HOST/NAME` is one that several Bridges may share.

    Raises:
        BridgeError: the URL is malformed, its driver is not installed, or nothing answers there.
        DatabaseInUseError: another Bridge runs on this SQLite file.
    """
    parsed = parse_url(url)
    with ExitStack() as stack:
        if (file := _sqlite_file(parsed)) is not None:
            try:
                _create_private(file)
                stack.enter_context(only_one(file))
            except (OSError, sqlite3.Error) as error:
                raise _unusable(parsed, error) from None
        engine = _make_engine(parsed)
        database = Database(engine)
        try:
            try:
                async with database.write() as connection:
                    await connection.run_sync(migrate)
            except (OSError, SQLAlchemyError) as error:
                raise _unusable(parsed, getattr(error, "orig", None) or error) from None
            yield database
        finally:
            await database.drain()
            await engine.dispose()


def _unusable(url: URL, cause: BaseException) -> BridgeError:
    return BridgeError(
        f"The database {url.render_as_string()} cannot be used ({type(cause).__name__}); is it"
        " there, and may this user change it?"
    )


def _sqlite_file(url: URL) -> Path | None:
    """Return the file of an SQLite database, None for one in memory and for other kinds."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    assert url.database is not None
    return Path(url.database)


def parse_url(url: str) -> URL:
    """Return a database URL with the driver used here.

    Raises:
        BridgeError: it is malformed, or of another kind of database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise BridgeError(
            "The database URL is malformed; try sqlite+aiosqlite:///FILE or"
            " postgresql://USER@HOST/NAME."
        ) from None
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise BridgeError(
            f"{parsed.get_backend_name()} is no database for a Bridge; SQLite and PostgreSQL are."
        )
    return parsed.set(drivername=driver)


def _make_engine(url: URL) -> AsyncEngine:
    options: dict[str, Any] = {"hide_parameters": True}
    if url.get_backend_name() == "postgresql":
        options |= {
            "pool_size": _POSTGRES_CONNECTIONS,
            "max_overflow": 0,
            "pool_pre_ping": True,  # the server may have been restarted
            "connect_args": {
                "timeout": _POSTGRES_WAIT_SECONDS,
                "command_timeout": _POSTGRES_WAIT_SECONDS,
            },
        }
        try:
            return create_async_engine(url, **options)
        except ModuleNotFoundError as error:
            raise BridgeError(
                f"PostgreSQL needs {error.name}: install the extra with"
                " pip install 'sealroom[postgres]'."
            ) from None
    if _sqlite_file(url) is None:
        # One connection, used by one task at a time: it is the database.
        options |= {"poolclass": AsyncAdaptedQueuePool, "pool_size": 1, "max_overflow": 0}
    engine = create_async_engine(url, **options)
    event.listen(engine.sync_engine, "connect", _set_up_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _create_private(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # The driver would begin transactions late, and none for changes of the schema.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_SQLITE_BUSY_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")  # a database in memory keeps its own mode
    cursor.execute("PRAGMA synchronous=FULL")  # what was answered outlives a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("sealroom_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
