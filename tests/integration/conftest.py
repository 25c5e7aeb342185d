"""Fixtures of the integration tests."""

from collections.abc import AsyncIterator

import pytest_asyncio
from bridge_support import World, open_world


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    """A Bridge without media, with a context and some users."""
    async with open_world() as one:
        yield one
