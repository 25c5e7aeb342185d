"""Support code is that of the integration tests: Bridges and clients in this process."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from bridge_support import World, open_world
from client_support import ClientWorld, open_client_world


@pytest_asyncio.fixture
async def clients(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ClientWorld]:
    """A Bridge without media, and the users alice, bob, carol and mallory."""
    async with open_client_world(monkeypatch) as one:
        await one.world.add_user("carol")
        yield one


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    """The same to the bare protocol, without carol."""
    async with open_world() as one:
        yield one
