"""Joins that overlap, and a `StreamApi` after its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from client_support import ClientWorld, open_client_world

from sealroom.client import StreamApi
from sealroom.client.errors import AlreadyJoinedError, ApiClosedError, NotJoinedError
from sealroom.client.room_session import RoomSession


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


async def test_a_join_that_broke_off_half_way_can_be_repeated(
    clients: ClientWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Bridge has this side in the room then."""
    alice = await clients.api("alice")
    room_id = await clients.room(alice)

    async def fail(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(RoomSession, "start", fail)
        with pytest.raises(RuntimeError):
            await alice.join_stream_room(room_id)
    await alice.join_stream_room(room_id)
    assert await alice.list_streams(room_id) == []


async def test_a_closed_api_says_so_and_its_events_end(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    room_id = await clients.room(alice)
    await alice.join_stream_room(room_id)
    before = alice.events()
    await alice.close()
    async with asyncio.timeout(5):
        async for _ in before:
            pass
        async for _ in alice.events():
            pass
    for late in (
        alice.join_stream_room(room_id),
        alice.create_stream(room_id),
        alice.subscribe_for_events(),
        alice.subscribe_for([]),
        alice.leave_stream_room(room_id),
    ):
        with pytest.raises(ApiClosedError, match="make another one"):
            await late
    with pytest.raises(NotJoinedError):
        alice.list_participants(room_id)
    await alice.close()
    assert (await alice.get_stream_room(room_id)).room_id == room_id
    again = StreamApi(clients.connection_of(alice))
    clients.adopt(clients.connection_of(alice), again)
    await again.join_stream_room(room_id)


async def test_a_join_under_way_does_not_outlive_the_api(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice)
    joining = asyncio.create_task(alice.join_stream_room(room_id))
    await asyncio.sleep(0)
    await alice.close()
    with pytest.raises(ApiClosedError):
        await joining
    assert await bob.list_stream_room_participants(room_id) == []
