"""Joins that overlap, and a `StreamApi` after its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from client_support import ClientWorld, open_client_world

from sealroom.client.errors import AlreadyJoinedError


@pytest_asyncio.fixture
async def clients(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ClientWorld]:
    async with open_client_world(monkeypatch) as one:
        yield one


async def test_of_two_joins_at_once_one_joins_and_the_other_says_so(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    room_id = await clients.room(alice)
    outcomes = await asyncio.gather(
        alice.join_stream_room(room_id), alice.join_stream_room(room_id), return_exceptions=True
    )
    assert outcomes[0] is None
    assert isinstance(outcomes[1], AlreadyJoinedError)
    assert await alice.list_streams(room_id) == []
    await alice.leave_stream_room(room_id)
    await alice.join_stream_room(room_id)


async def test_a_join_that_failed_does_not_block_the_next(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    room_id = await clients.room(alice)
    joining = asyncio.create_task(alice.join_stream_room(room_id))
    await asyncio.sleep(0)
    joining.cancel()
    await asyncio.gather(joining, return_exceptions=True)
    await alice.join_stream_room(room_id)
    assert await alice.list_streams(room_id) == []
