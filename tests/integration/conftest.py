"""Fixtures of the integration tests."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from bridge_support import World, open_world
from call_support import call  # noqa: F401 - a fixture
from cli_support import bridge, context, run  # noqa: F401 - fixtures of the command line
from postgres_support import PostgresServer, find_server
from redis_support import RedisServer

from sealroom.bridge import MEMORY_DATABASE
from sealroom.bridge.database import open_database

# Whose tests run on both kinds of database: what touches stored rooms. The others would show the
# same twice.
ON_BOTH = {
    "test_bridge_rooms",
    "test_bridge_streams",
    "test_bridge_events",
    "test_bridge_rights",
    "test_admin_keys",
    "test_login_races",
    "test_audit",
    "test_bridge_access_lines",
    "test_room_updates",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the tests above each a run per kind of database."""
    if "database_url" in metafunc.fixturenames:
        both = metafunc.module.__name__ in ON_BOTH
        kinds = ["sqlite", "postgresql"] if both else ["sqlite"]
        metafunc.parametrize("database_url", kinds, indirect=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server for the whole run, with a migrated database as template."""
    programs = find_server()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed (Debian package postgresql)")
    pytest.importorskip(
        "asyncpg", reason="asyncpg is not installed: pip install 'sealroom[postgres]'"
    )
    server = PostgresServer(programs)
    try:
        server.template = server.create_database()
        asyncio.run(_migrate(server.url(server.template)))
        yield server
    finally:
        server.stop()


async def _migrate(url: str) -> None:
    async with open_database(url):
        pass


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """URL of a database of the test's own on the shared server, migrated."""
    name = postgres.create_database()
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A server of the test's own."""
    if shutil.which("redis-server") is None:
        pytest.skip("Redis is not installed (Debian package redis-server)")
    pytest.importorskip("redis", reason="no redis: pip install 'sealroom[redis]'")
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database: SQLite in memory, or PostgreSQL."""
    if request.param == "sqlite":
        return MEMORY_DATABASE
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest_asyncio.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """A Bridge without media, with a context and some users."""
    async with open_world(database=database_url) as one:
        yield one
