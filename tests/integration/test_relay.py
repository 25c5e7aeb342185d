"""Two Bridges that tell each other over Redis: events at both, removals at once, Redis lost."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from bridge_support import Client, FakeMedia, eventually
from redis_support import RedisServer
from test_bridge_server import get
from test_postgres import next_record
from test_two_bridges import Pair, open_pair, without

from sealroom.bridge import BridgeConfig, BridgeError
from sealroom.bridge.app import Bridge
from sealroom.protocol import (
    CLOSE_USER_REMOVED,
    DataCut,
    EventType,
    MediaFailed,
    MediaOffer,
    Message,
    RoomEpochReady,
    RoomExcluded,
    SessionResync,
)

ALL = [one for one in EventType if one.value.split(".")[0] in ("room", "participant", "stream")]


@pytest_asyncio.fixture
async def pair(postgres_url: str, redis: RedisServer) -> AsyncIterator[Pair]:
    """Bridges whose heartbeat is too slow to help."""
    slow = {"heartbeat_interval": 600.0, "home_lease": 3600.0}
    async with open_pair(postgres_url, redis=redis.url, **slow) as one:
        yield one


async def watch(client: Client) -> None:
    for first in range(0, len(ALL), 16):
        await client.call(
            "events.subscribe",
            types=ALL[first : first + 16],
            scope="context",
            scope_id=client.context_id,
        )


async def test_events_reach_subscribers_at_both_in_order_and_once(pair: Pair) -> None:
    alice, bob = await pair.here.user("alice"), await pair.there.user("bob")
    await watch(bob)
    room = await pair.here.create_room(alice, ["bob"])
    await alice.join(room.room_id)
    stream_id = await alice.publish(room.room_id)
    await alice.call("stream.unpublish", room_id=room.room_id, stream_id=stream_id)
    await alice.call("room.leave", room_id=room.room_id)
    await alice.call("room.update", next_record(alice, room))
    await alice.call("room.close", room_id=room.room_id)
    await alice.call("room.reopen", room_id=room.room_id)
    await alice.call("room.delete", room_id=room.room_id)
    seen = [await bob.event() for _ in range(9)]
    assert [envelope.type for envelope, _ in seen] == [
        EventType.ROOM_CREATED,
        EventType.PARTICIPANT_JOINED,
        EventType.STREAM_PUBLISHED,
        EventType.STREAM_UNPUBLISHED,
        EventType.PARTICIPANT_LEFT,
        EventType.ROOM_UPDATED,
        EventType.ROOM_CLOSED,
        EventType.ROOM_REOPENED,
        EventType.ROOM_DELETED,
    ]
    assert [envelope.sequence for envelope, _ in seen] == list(range(1, 10))
    await bob.no_event()
    await alice.no_event()  # nothing came back


async def test_who_may_not_see_a_room_hears_nothing_at_the_other_bridge_either(pair: Pair) -> None:
    alice = await pair.here.user("alice")
    bob, mallory = await pair.there.user("bob"), await pair.there.user("mallory")
    await watch(bob)
    await watch(mallory)
    room = await pair.here.create_room(alice, ["bob"])
    await alice.call("room.delete", room_id=room.room_id)
    await bob.event(EventType.ROOM_CREATED)
    await bob.event(EventType.ROOM_DELETED)
    await mallory.no_event()


async def test_a_member_removed_at_the_other_bridge_is_out_at_once(pair: Pair) -> None:
    alice, bob = await pair.there.user("alice"), await pair.here.user("bob")
    room = await pair.there.create_room(alice, ["bob"])
    participant = (await bob.join(room.room_id)).participant_id
    await alice.call("room.update", without(alice, pair.there, room))
    envelope, data = await bob.event()
    if envelope.type is EventType.ROOM_CREATED:  # the relay may have brought it after the join
        _, data = await bob.event(EventType.ROOM_EXCLUDED)
    assert (data.reason, data.user_id) == ("removed", "alice")
    assert ("remove_participant", participant) in pair.here.media.calls
    await bob.no_event()


async def test_a_member_who_only_watches_hears_of_its_removal_at_the_other_bridge(
    pair: Pair,
) -> None:
    alice, bob = await pair.there.user("alice"), await pair.here.user("bob")
    await watch(bob)
    room = await pair.there.create_room(alice, ["bob"])
    await bob.event(EventType.ROOM_CREATED)
    await alice.call("room.update", without(alice, pair.there, room))
    await bob.event(EventType.ROOM_EXCLUDED)
    await bob.no_event()


async def test_a_room_deleted_or_closed_at_the_other_bridge_ends_at_once(pair: Pair) -> None:
    alice, bob = await pair.there.user("alice"), await pair.here.user("bob")
    for method, event in (
        ("room.delete", EventType.ROOM_DELETED),
        ("room.close", EventType.ROOM_CLOSED),
    ):
        room = await pair.there.create_room(alice, ["bob"])
        participant = (await bob.join(room.room_id)).participant_id
        await alice.call(method, room_id=room.room_id)
        await bob.event(event)
        gone = ("remove_participant", participant)
        await eventually(lambda gone=gone: gone in pair.here.media.calls)
        await bob.no_event()


async def test_a_user_removed_at_the_other_bridge_is_cut_off_at_once(pair: Pair) -> None:
    bob = await pair.here.user("bob")
    await pair.there.bridge.admin.user_remove(pair.here.context_id, "bob")
    await bob.socket.wait_closed()
    assert bob.socket.close_code == CLOSE_USER_REMOVED


async def test_redis_lost_leaves_local_events_and_a_resync_follows(
    pair: Pair, redis: RedisServer
) -> None:
    alice, bob = await pair.here.user("alice"), await pair.there.user("bob")
    near = await pair.here.user("bob")
    await watch(near)
    await watch(bob)
    assert await get(pair.here.bridge.http_url + "/readyz") == (200, "ready\n")
    redis.kill()
    await eventually(lambda: relay_of(pair.here).state == relay_of(pair.there).state == "lost")
    status, text = await get(pair.here.bridge.http_url + "/readyz")
    assert (status, "relay lost" in text) == (200, True)
    assert "sealroom_relay 0.0" in pair.here.bridge.bridge.metrics.render().decode()
    room = await pair.here.create_room(alice, ["bob"])
    await near.event(EventType.ROOM_CREATED)
    await bob.no_event()
    assert (await bob.call("room.get", room_id=room.room_id)).room.record == room.record
    redis.start()
    _, lost = await bob.event(EventType.SESSION_RESYNC)
    assert lost.missed is None
    await near.event(EventType.SESSION_RESYNC)
    await eventually(lambda: relay_of(pair.here).state == relay_of(pair.there).state == "connected")
    await alice.call("room.delete", room_id=room.room_id)
    envelope, _ = await next_but_resync(bob)
    assert envelope.type is EventType.ROOM_DELETED


async def test_events_that_no_bridge_relays_are_not_taken_from_redis(
    pair: Pair, redis: RedisServer
) -> None:
    """Who can write to Redis could otherwise have a member answer an offer of its own."""
    from redis.asyncio import Redis

    alice, bob = await pair.here.user("alice"), await pair.there.user("bob")
    room = await pair.here.create_room(alice, ["bob"])
    await bob.join(room.room_id)
    own: list[tuple[EventType, Message]] = [
        (EventType.MEDIA_OFFER, MediaOffer(offer_id=99, offer="v=0", tracks=[])),
        (EventType.MEDIA_FAILED, MediaFailed(transport="subscriber")),
        (EventType.DATA_CUT, DataCut(stream_id="s", track_id="t")),
        (EventType.SESSION_RESYNC, SessionResync(missed=None)),
        (EventType.ROOM_EXCLUDED, RoomExcluded(reason="removed", user_id="alice")),
        (EventType.ROOM_EPOCH_READY, RoomEpochReady(epoch=1)),
    ]
    async with Redis.from_url(redis.url) as writer:
        for event, data in own:
            forged = {"kind": "event", "origin": "evil", "type": event, "data": data}
            forged |= {"context_id": bob.context_id, "room_id": room.room_id}
            await writer.publish(relay_of(pair.there)._channel, msgspec.json.encode(forged))
    await alice.call("room.update", next_record(alice, room))
    envelope, _ = await bob.event()
    if envelope.type is EventType.ROOM_CREATED:  # the relay may have brought it after the join
        envelope, _ = await bob.event()
    assert envelope.type is EventType.ROOM_UPDATED


async def next_but_resync(client: Client) -> tuple[Any, Any]:
    """The next event that is no resync: each Bridge may ask for one."""
    while True:
        found = await client.event()
        if found[0].type is not EventType.SESSION_RESYNC:
            return found


def relay_of(world: Any) -> Any:
    return world.bridge.bridge._running().relay


async def test_a_bridge_starts_without_its_redis(tmp_path: Any) -> None:
    pytest.importorskip("redis", reason="no redis: pip install 'sealroom[redis]'")
    config = BridgeConfig(redis=f"unix://{tmp_path}/geheim")
    assert "geheim" not in repr(config)
    async with Bridge(config, FakeMedia()) as bridge:
        assert bridge._running().relay.state == "lost"


async def test_a_missing_extra_and_a_malformed_url_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("redis", reason="no redis: pip install 'sealroom[redis]'")
    with pytest.raises(BridgeError, match="Redis URL is malformed"):
        async with Bridge(BridgeConfig(redis="http://x"), FakeMedia()):
            pass
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(BridgeError, match=r"sealroom\[redis\]"):
        async with Bridge(BridgeConfig(redis="redis://x"), FakeMedia()):
            pass
