"""A live room asked for, changed and ended at another Bridge than its home."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from bridge_support import Client, World, eventually
from redis_support import RedisServer
from test_two_bridges import Pair, open_pair, refused, without

from sealroom.bridge import home_calls
from sealroom.bridge.errors import RequestError
from sealroom.protocol import ErrorCode, EventType, RoomView

SLOW: dict[str, Any] = {"heartbeat_interval": 600.0, "home_lease": 3600.0}


@pytest_asyncio.fixture
async def pair(postgres_url: str, redis: RedisServer) -> AsyncIterator[Pair]:
    """Bridges whose heartbeat is too slow to help."""
    async with open_pair(postgres_url, redis=redis.url, **SLOW) as one:
        yield one


async def live_room(pair: Pair) -> tuple[Client, Client, RoomView, str]:
    """A room of Alice, there, and of Bob, who is in it here; and his participant id."""
    alice, bob = await pair.there.user("alice"), await pair.here.user("bob")
    room = await pair.there.create_room(alice, ["bob"])
    return alice, bob, room, (await bob.join(room.room_id)).participant_id


async def test_participants_and_streams_are_listed_at_either_bridge(pair: Pair) -> None:
    alice, bob, room, participant = await live_room(pair)
    stream_id = await bob.publish(room.room_id)
    there = await alice.call("room.participants", room_id=room.room_id)
    assert there == await bob.call("room.participants", room_id=room.room_id)
    assert [one.participant_id for one in there.participants] == [participant]
    streams = await alice.call("stream.list", room_id=room.room_id)
    assert streams == await bob.call("stream.list", room_id=room.room_id)
    assert [one.stream_id for one in streams.streams] == [stream_id]
    mallory = await pair.there.user("mallory")
    for method in ("room.participants", "stream.list"):
        denied = await refused(mallory, method, room_id=room.room_id)
        assert denied.code is ErrorCode.ACCESS_DENIED


async def test_a_participant_is_kicked_at_either_bridge(pair: Pair) -> None:
    alice, bob, room, participant = await live_room(pair)
    kick = {"room_id": room.room_id, "participant_id": participant}
    member = await pair.there.user("bob")
    assert (await refused(member, "room.kick", **kick)).code is ErrorCode.ACCESS_DENIED
    await alice.call("room.kick", **kick)
    while (found := await bob.event())[0].type is EventType.ROOM_CREATED:
        pass
    envelope, data = found
    assert envelope.type is EventType.ROOM_EXCLUDED
    assert (data.reason, data.user_id) == ("kicked", "alice")
    await eventually(lambda: ("remove_participant", participant) in pair.here.media.calls)
    gone = await refused(alice, "room.kick", **kick)
    assert (gone.code, gone.field) == (ErrorCode.PARTICIPANT_NOT_FOUND, "participant_id")


async def test_a_removal_is_answered_once_the_home_has_ended_the_media(pair: Pair) -> None:
    alice, _, room, participant = await live_room(pair)
    pair.here.media.gate = asyncio.Event()
    update = asyncio.create_task(alice.call("room.update", without(alice, pair.there, room)))
    await eventually(lambda: ("remove_participant", participant) in pair.here.media.calls)
    await asyncio.sleep(0.1)
    assert not update.done()
    pair.here.media.gate.set()
    await update
    left = await alice.call("room.participants", room_id=room.room_id)
    assert left.participants == []


@pytest.mark.parametrize("method", ["room.delete", "room.close"])
async def test_the_end_of_a_room_is_answered_once_its_home_has_ended_the_media(
    pair: Pair, method: str
) -> None:
    alice, _, room, participant = await live_room(pair)
    await alice.call(method, room_id=room.room_id)
    assert ("remove_participant", participant) in pair.here.media.calls


async def test_a_removal_is_answered_in_time_although_the_home_is_silent(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home_calls, "SETTLE_TIMEOUT", 0.5)
    alice, _, room, _ = await live_room(pair)
    here = forwarding_of(pair.here)
    here.take = lambda message: None
    await alice.call("room.update", without(alice, pair.there, room))
    entries = (await pair.there.bridge.admin.audit_list(action="room.unconfirmed")).entries
    assert [(one.object_id, one.outcome) for one in entries] == [(room.room_id, "HOME_SILENT")]
    # The relayed event does the same.
    await eventually(lambda: pair.here.media.count("remove_participant") == 1)


async def test_a_home_that_does_not_answer_is_named(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, _, room, _ = await live_room(pair)
    forwarding_of(pair.there).timeout = 0.2
    forwarding_of(pair.here).take = lambda message: None
    silent = await refused(alice, "room.participants", room_id=room.room_id)
    assert (silent.code, silent.url) == (ErrorCode.HOME_SILENT, pair.here.bridge.url)


async def test_without_redis_the_home_is_named(pair: Pair, redis: RedisServer) -> None:
    alice, _, room, _ = await live_room(pair)
    redis.kill()
    await eventually(lambda: not forwarding_of(pair.there).is_possible)
    named = await refused(alice, "room.participants", room_id=room.room_id)
    assert (named.code, named.url) == (ErrorCode.ROOM_ELSEWHERE, pair.here.bridge.url)
    await alice.call("room.update", without(alice, pair.there, room))  # waits for nobody


def forwarding_of(world: World) -> Any:
    return world.bridge.bridge._running().forwarding


async def test_administrators_see_and_kick_participants_of_all_bridges(pair: Pair) -> None:
    alice, bob, room, participant = await live_room(pair)
    own = await pair.there.create_room(alice)
    await alice.join(own.room_id)
    context_id = pair.here.context_id
    for world in (pair.here, pair.there):
        admin = world.bridge.admin
        listed = await admin.participant_list(context_id)
        assert (listed.total, listed.silent) == (2, [])
        found = {one.user_id: one.bridge_id for one in listed.participants}
        homes = {"alice": pair.there, "bob": pair.here}
        assert found == {key: one.bridge.bridge.bridge_id for key, one in homes.items()}
        pages = [await admin.participant_list(context_id, skip=one, limit=1) for one in range(3)]
        assert [one.participants for one in pages] == [
            [listed.participants[0]],
            [listed.participants[1]],
            [],
        ]
        assert (await admin.participant_list(context_id, room.room_id)).total == 1
        figures = await admin.context_statistics(context_id)
        assert (figures.sessions, figures.live_rooms, figures.live.participants) == (2, 2, 2)
        assert (await admin.room_statistics(room.room_id)).live.participants == 1
        assert (await admin.room_get(own.room_id)).participants == 1
        rooms = (await admin.room_list(context_id)).rooms
        assert [one.participants for one in rooms] == [1, 1]
        assert (await admin.user_get(context_id, "bob")).sessions == 1
        urls = [one.url for one in (await admin.bridge_list()).bridges]
        assert urls[0] == world.bridge.url
        assert set(urls) == {pair.here.bridge.url, pair.there.bridge.url}
    await pair.there.bridge.admin.participant_kick(room.room_id, participant, "enough")
    while (found := await bob.event())[0].type is not EventType.ROOM_EXCLUDED:
        pass
    assert (found[1].reason, found[1].note) == ("kicked", "enough")


async def test_administrators_are_told_which_bridges_do_not_answer(pair: Pair) -> None:
    _, _, room, participant = await live_room(pair)
    forwarding_of(pair.there).timeout = 0.2
    forwarding_of(pair.here).take = lambda message: None
    admin, url = pair.there.bridge.admin, pair.here.bridge.url
    context_id = pair.here.context_id
    assert (await admin.participant_list(context_id)).silent == [url]
    assert (await admin.context_statistics(context_id)).silent == [url]
    assert (await admin.user_get(context_id, "bob")).silent == [url]
    assert (await admin.bridge_list()).silent == [url]
    assert (await admin.room_get(room.room_id)).participants is None
    assert [one.participants for one in (await admin.room_list(context_id)).rooms] == [None]
    for call in (
        admin.room_statistics(room.room_id),
        admin.participant_kick(room.room_id, participant),
    ):
        with pytest.raises(RequestError) as refusal:
            await call
        assert (refusal.value.error, refusal.value.url) == (ErrorCode.HOME_SILENT, url)


async def test_a_stream_at_the_other_bridge_can_be_followed_without_naming_its_room(
    pair: Pair,
) -> None:
    alice, bob, room, _ = await live_room(pair)
    stream_id = await bob.publish(room.room_id)
    query = {"types": ["stream.unpublished"], "scope": "stream", "scope_id": stream_id}
    mallory = await pair.there.user("mallory")
    assert (await refused(mallory, "events.subscribe", **query)).code is ErrorCode.ACCESS_DENIED
    await alice.call("events.subscribe", query)
    await bob.call("stream.unpublish", room_id=room.room_id, stream_id=stream_id)
    await alice.event(EventType.STREAM_UNPUBLISHED)
