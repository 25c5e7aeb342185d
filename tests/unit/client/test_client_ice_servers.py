"""TURN credentials of a joined room stay fresh, and a Bridge that is silent does no harm."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sealroom.client import ice_servers
from sealroom.client.errors import ConnectionClosedError, RequestTimeoutError
from sealroom.client.ice_servers import IceServers
from sealroom.protocol import IceServer, MediaConfiguration


class FakeConnection:
    """Answers `turn.credentials` with credentials that are numbered."""

    def __init__(self) -> None:
        self.is_closed = False
        self.calls = 0
        self.error: Exception | None = None

    async def call(self, method: str, params: Any, result: Any) -> MediaConfiguration:
        assert (method, params.room_id, result) == ("turn.credentials", "r", MediaConfiguration)
        self.calls += 1
        if self.error is not None:
            raise self.error
        return media(f"user {self.calls}", 1000.0)


def media(username: str | None, expires_in: float | None) -> MediaConfiguration:
    server = IceServer(urls=["turn:relay.example"], username=username, credential="c")
    return MediaConfiguration(ice_servers=[server], expires_in=expires_in)


def names(servers: Any) -> list[str]:
    return [one["username"] for one in servers]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice_servers, "MIN_PAUSE", 0.01)
    monkeypatch.setattr(ice_servers, "RETRY_AFTER", 0.02)


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_credentials_are_renewed_before_they_end() -> None:
    connection: Any = FakeConnection()
    renewed: list[Any] = []
    servers = IceServers(connection, "r", media("first", 0.2), renewed.append)
    assert names(servers.current) == ["first"]
    await until(lambda: renewed)
    assert names(renewed[0]) == names(servers.current) == ["user 1"]
    assert names(await servers.fetch()) == ["user 1"]  # fresh: the Bridge is not asked
    assert connection.calls == 1
    await servers.close()


async def test_whoever_needs_them_gets_fresh_ones_even_before_the_renewal_is_due() -> None:
    connection: Any = FakeConnection()
    servers = IceServers(connection, "r", media("first", 1000.0), lambda _: None)
    assert names(await servers.fetch()) == ["first"]
    servers._renew_at = 0.0  # as after the machine slept
    assert names(await servers.fetch()) == ["user 1"]
    await servers.close()


@pytest.mark.parametrize("error", [RequestTimeoutError("late"), ConnectionClosedError("gone")])
async def test_a_renewal_that_fails_is_tried_again_and_the_old_ones_stay(error: Exception) -> None:
    connection: Any = FakeConnection()
    connection.error = error
    servers = IceServers(connection, "r", media("first", 0.0), lambda _: None)
    await until(lambda: connection.calls >= 3)
    assert names(await servers.fetch()) == ["first"]
    connection.error = None
    await until(lambda: names(servers.current) != ["first"])
    await servers.close()


async def test_nothing_is_renewed_where_there_is_nothing_to_renew() -> None:
    connection: Any = FakeConnection()
    servers = IceServers(connection, "r", media(None, None), lambda _: None)
    assert names(await servers.fetch()) == [None]
    await servers.close()
    assert connection.calls == 0


async def test_after_the_end_nothing_is_asked() -> None:
    connection: Any = FakeConnection()
    servers = IceServers(connection, "r", media("first", 0.02), lambda _: None)
    await servers.close()
    before = connection.calls
    await asyncio.sleep(0.1)
    assert connection.calls == before
