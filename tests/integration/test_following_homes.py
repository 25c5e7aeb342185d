"""Clients of one Bridge in rooms that live at another: they go there, and on to the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from call_support import LOOPBACK, eventually, publish, shows_stripes, take
from homes_support import BridgeToKill, Deployment, homes, open_deployment, session
from redis_support import RedisServer

from sealroom.bridge import BridgeConfig
from sealroom.bridge.server import RunningBridge, embedded
from sealroom.client import StreamApi, StreamSubscription
from sealroom.client.errors import ConnectionClosedError, HomeRefusedError, RoomElsewhereError
from sealroom.client.events import (
    ConnectionStateChanged,
    CustomEvent,
    ParticipantJoined,
    RoomClosed,
    RoomDeleted,
    RoomLost,
    RoomUpdated,
    StreamPublished,
    StreamUnpublished,
)
from sealroom.client.homes import check_home_url
from sealroom.errors import InvalidArgumentError
from sealroom.protocol import EventType

LONG = 60.0  # seconds; what is waited for takes a moment on a machine that is not busy
ALL = [
    one
    for one in EventType
    if one.value.split(".")[0] in ("room", "participant", "stream") and one != "room.epoch_ready"
]


@dataclass
class Pair:
    """Two Bridges with real media: `near` has the users' own connections, `far` the room."""

    near: Deployment
    far: RunningBridge


@pytest_asyncio.fixture
async def pair(postgres_url: str, redis: RedisServer) -> AsyncIterator[Pair]:
    config = BridgeConfig(database=postgres_url, redis=redis.url)
    async with open_deployment(config) as near, embedded(config) as far:
        yield Pair(near, far)


async def watched(api: StreamApi, room_id: str, stream_id: str) -> Any:
    """Subscribe to a stream and return its one track."""

    async def is_there() -> bool:
        return stream_id in {one.stream_id for one in await api.list_streams(room_id)}

    await eventually(is_there, LONG)
    await api.subscribe_to_remote_streams(room_id, [StreamSubscription(stream_id)])
    receiving = session(api, room_id).receiving
    await eventually(lambda: bool(receiving.remote_tracks()), LONG)
    [track] = receiving.remote_tracks()
    return track


async def test_a_user_of_another_bridge_takes_part_as_if_it_were_the_home(pair: Pair) -> None:
    near = pair.near
    alice = await near.api("alice", pair.far.url)
    room_id = await alice.create_stream_room(near.context_id, ["bob"])
    await alice.join_stream_room(room_id)
    bob = await near.api("bob", near.bridge.url)
    for first in range(0, len(ALL), 16):
        await bob.subscribe_for_events(ALL[first : first + 16])
    await bob.join_stream_room(room_id)
    assert homes(bob) == {pair.far.url}

    there = await publish(alice, room_id)
    remote = await watched(bob, room_id, there.stream_id)
    assert shows_stripes((await take(remote, 5, LONG))[-1])
    back = await publish(bob, room_id, grey=120)
    remote = await watched(alice, room_id, back.stream_id)
    assert shows_stripes((await take(remote, 5, LONG))[-1], 120)

    await alice.send_custom_event(room_id, b"hello")
    await bob.send_custom_event(room_id, b"back")
    await eventually(lambda: len(near.of(bob, CustomEvent)) == 1, LONG)
    await eventually(lambda: len(near.of(alice, CustomEvent)) == 1, LONG)
    await alice.update_stream_room(room_id, public_meta=b"new", force_generate_new_key=True)
    await bob.get_stream_room(room_id)
    await there.unpublish()
    await eventually(lambda: len(near.of(bob, StreamUnpublished)) == 1, LONG)
    await asyncio.sleep(0.5)  # what came twice would have come by now
    for kind in (StreamUnpublished, RoomUpdated, CustomEvent):
        assert len(near.of(bob, kind)) == 1, kind
    assert [one.stream.stream_id for one in near.of(bob, StreamPublished)] == [there.stream_id]
    assert near.of(bob, ParticipantJoined) == []

    assert {one.user_id for one in await bob.list_stream_room_participants(room_id)} == {
        "alice",
        "bob",
    }
    await bob.leave_stream_room(room_id)
    await eventually(lambda: not homes(bob), LONG)
    await eventually(lambda: len(pair.far.bridge._running().admin._parts.bus.users()) == 1, LONG)


async def test_rooms_of_one_home_share_a_connection_until_the_last_is_left(pair: Pair) -> None:
    near = pair.near
    alice = await near.api("alice", pair.far.url)
    bob = await near.api("bob", near.bridge.url)
    rooms = [await alice.create_stream_room(near.context_id, ["bob"]) for _ in range(2)]
    for room_id in rooms:
        await alice.join_stream_room(room_id)
        await bob.join_stream_room(room_id)
    assert session(bob, rooms[0]).connection is session(bob, rooms[1]).connection
    home = session(bob, rooms[0]).connection
    await bob.leave_stream_room(rooms[0])
    assert homes(bob) == {pair.far.url}
    await alice.delete_stream_room(rooms[1])
    await eventually(lambda: len(near.of(bob, RoomDeleted)) == 1, LONG)
    await eventually(lambda: home.is_closed, LONG)
    assert not homes(bob)
    assert near.of(bob, ConnectionStateChanged) == []


async def test_a_manager_at_another_bridge_kicks_closes_and_is_told_nothing_twice(
    pair: Pair,
) -> None:
    near = pair.near
    bob = await near.api("bob", pair.far.url)
    alice = await near.api("alice", near.bridge.url)
    room_id = await alice.create_stream_room(near.context_id, ["bob"])
    await bob.join_stream_room(room_id)
    [there] = await alice.list_stream_room_participants(room_id)
    await alice.kick_participant(room_id, there.participant_id)
    await eventually(lambda: not bob._joined, LONG)
    await bob.join_stream_room(room_id)
    await alice.join_stream_room(room_id)
    await alice.close_stream_room(room_id)
    await eventually(lambda: len(near.of(bob, RoomClosed)) == 1, LONG)
    assert near.of(alice, RoomClosed) == []  # it did that
    await eventually(lambda: not homes(alice), LONG)


async def test_who_does_not_follow_is_told_where_the_room_lives(pair: Pair) -> None:
    near = pair.near
    alice = await near.api("alice", pair.far.url)
    room_id = await alice.create_stream_room(near.context_id, ["bob"])
    await alice.join_stream_room(room_id)
    bob = await near.api("bob", near.bridge.url, follow_homes=False)
    with pytest.raises(RoomElsewhereError) as refusal:
        await bob.join_stream_room(room_id)
    assert refusal.value.url == pair.far.url
    assert not homes(bob)


async def test_a_home_killed_in_a_call_is_replaced_and_everybody_follows(
    postgres_url: str, redis: RedisServer
) -> None:
    config = BridgeConfig(
        port=0,
        database=postgres_url,
        redis=redis.url,
        host_addresses=LOOPBACK,
        heartbeat_interval=0.5,
        home_lease=5.0,
    )
    async with open_deployment(config) as near, BridgeToKill(config) as far:
        carol = await near.api("carol", far.url)
        alice = await near.api("alice", near.bridge.url)
        bob = await near.api("bob", near.bridge.url)
        room_id = await alice.create_stream_room(near.context_id, ["bob", "carol"])
        await carol.join_stream_room(room_id)  # so the room lives there
        for api in (alice, bob):
            await api.join_stream_room(room_id)
        await carol.leave_stream_room(room_id)
        stream = await publish(alice, room_id)
        remote = await watched(bob, room_id, stream.stream_id)
        assert shows_stripes((await take(remote, 3, LONG))[-1])
        own = stream.stream_id
        before = session(alice, room_id).streams[own].announcement.nonce

        await far.kill()
        moved = [near.bridge.url]
        await eventually(lambda: [session(bob, room_id).connection.url] == moved, LONG)
        await eventually(lambda: [session(alice, room_id).connection.url] == moved, LONG)

        def is_back() -> bool:
            tracks = session(bob, room_id).receiving.remote_tracks()
            return any(one.stream_id == own for one in tracks)

        await eventually(is_back, LONG)
        [track] = session(bob, room_id).receiving.remote_tracks()
        assert shows_stripes((await take(track, 5, LONG))[-1])
        assert session(alice, room_id).streams[own].announcement.nonce != before
        for api in (alice, bob):
            assert near.of(api, RoomLost) == []
            states = {(one.state, one.home) for one in near.of(api, ConnectionStateChanged)}
            assert states == {("reconnecting", far.url)}
            await eventually(lambda api=api: not homes(api), LONG)
        await alice.send_custom_event(room_id, b"still here")
        await eventually(lambda: len(near.of(bob, CustomEvent)) == 1, LONG)
        participants = await bob.list_stream_room_participants(room_id)
        assert sorted(one.user_id for one in participants) == ["alice", "bob"]


async def test_who_knows_a_second_bridge_goes_on_there_when_the_first_is_killed_in_a_call(
    postgres_url: str, redis: RedisServer
) -> None:
    config = BridgeConfig(
        port=0,
        database=postgres_url,
        redis=redis.url,
        host_addresses=LOOPBACK,
        heartbeat_interval=0.5,
        home_lease=5.0,
    )
    async with open_deployment(config) as near, BridgeToKill(config) as far:
        urls = [far.url, near.bridge.url]
        alice, bob = await near.api("alice", urls), await near.api("bob", urls)
        assert alice._connection.url == far.url
        room_id = await alice.create_stream_room(near.context_id, ["bob"])
        for api in (alice, bob):
            await api.join_stream_room(room_id)
        stream = await publish(alice, room_id)
        await take(await watched(bob, room_id, stream.stream_id), 3, LONG)
        await far.kill()

        def states(api: StreamApi) -> list[str]:
            return [one.state for one in near.of(api, ConnectionStateChanged)]

        for api in (alice, bob):
            await eventually(lambda api=api: states(api)[-1:] == ["restored"], LONG)
            assert states(api) == ["reconnecting", "connected", "restored"]
            assert api._connection.url == near.bridge.url
            assert near.of(api, RoomLost) == []
        await eventually(lambda: bool(session(bob, room_id).receiving.remote_tracks()), LONG)
        [track] = session(bob, room_id).receiving.remote_tracks()
        assert shows_stripes((await take(track, 5, LONG))[-1])
    with pytest.raises(ConnectionClosedError):
        await near.api("bob", urls)
    for wrong in ([], [far.url] * 9):
        with pytest.raises(InvalidArgumentError, match="url: 1 to 8"):
            await near.api("bob", wrong)


@pytest.mark.parametrize(
    ("url", "first"),
    [
        ("ws://there", "wss://here"),
        ("https://there", "ws://here"),
        ("wss://", "wss://here"),
        ("wss://user@there", "wss://here"),
        ("wss://there?x=1", "wss://here"),
        ("wss://there#x", "wss://here"),
        ("wss://there:port", "wss://here"),
        ("wss://" + "x" * 600, "wss://here"),
        ("", "ws://here"),
    ],
)
def test_a_home_that_is_no_bridge_to_go_to_is_refused(url: str, first: str) -> None:
    with pytest.raises(HomeRefusedError):
        check_home_url(url, first)


def test_a_home_may_have_tls_where_the_first_bridge_has_none() -> None:
    assert check_home_url("wss://there/path/", "ws://here") == "wss://there/path"
    assert check_home_url("wss://there:1", "wss://here") == "wss://there:1"


def cut(api: StreamApi, room_id: str) -> None:
    """Break the socket to a room's home."""
    socket = session(api, room_id).connection._socket
    assert socket is not None
    socket.transport.abort()


def home_states(pair: Pair, api: StreamApi) -> list[str]:
    """States of the connection to the far Bridge that an api was told of."""
    states = pair.near.of(api, ConnectionStateChanged)
    return [one.state for one in states if one.home == pair.far.url]


@pytest.mark.parametrize("ends", [False, True])
async def test_a_connection_to_a_home_that_drops_comes_back_with_its_session_or_a_new_one(
    pair: Pair, ends: bool
) -> None:
    near = pair.near
    alice = await near.api("alice", pair.far.url)
    bob = await near.api("bob", near.bridge.url)
    room_id = await alice.create_stream_room(near.context_id, ["bob"])
    for api in (alice, bob):
        await api.join_stream_room(room_id)
    stream = await publish(bob, room_id)
    remote = await watched(alice, room_id, stream.stream_id)
    assert shows_stripes((await take(remote, 3, LONG))[-1])
    before = session(bob, room_id)
    if ends:
        before.connection.session_id = "gone"
    cut(bob, room_id)
    await eventually(lambda: home_states(pair, bob)[-1:] == [["resumed"], ["restored"]][ends], LONG)
    assert (
        home_states(pair, bob)
        == [
            ["reconnecting", "resumed"],
            ["reconnecting", "connected", "restored"],
        ][ends]
    )
    assert (session(bob, room_id) is before) is not ends
    await alice.send_custom_event(room_id, b"there?")
    await eventually(lambda: len(near.of(bob, CustomEvent)) == 1, LONG)

    def shown() -> bool:
        tracks = session(alice, room_id).receiving.remote_tracks()
        return any(one.stream_id == stream.stream_id for one in tracks)

    await eventually(shown, LONG)
    [remote] = session(alice, room_id).receiving.remote_tracks()
    assert shows_stripes((await take(remote, 3, LONG))[-1])
    assert homes(bob) == {pair.far.url}


async def test_a_room_that_a_silent_home_lost_is_followed_to_the_next(
    postgres_url: str, redis: RedisServer
) -> None:
    config = BridgeConfig(
        database=postgres_url, redis=redis.url, heartbeat_interval=0.3, home_lease=4.0
    )
    async with open_deployment(config) as near, embedded(config) as far:
        bob = await near.api("bob", far.url)  # the room's home is his own Bridge
        room_id = await bob.create_stream_room(near.context_id, ["alice"])
        await bob.join_stream_room(room_id)
        store = far.bridge._running().upkeep._homes
        beat, silent = store.beat, asyncio.Event()

        async def hang() -> Any:
            await silent.wait()
            return await beat()

        store.beat = hang  # type: ignore[method-assign]
        alice = await near.api("alice", near.bridge.url, follow_homes=False)
        async with asyncio.timeout(LONG):
            while room_id not in alice._joined:
                try:
                    await alice.join_stream_room(room_id)
                except RoomElsewhereError:
                    await asyncio.sleep(0.1)
        silent.set()
        await eventually(lambda: homes(bob) == {near.bridge.url}, LONG)
        await eventually(
            lambda: {one.user_id for one in bob.list_participants(room_id)} == {"alice", "bob"},
            LONG,
        )
        assert near.of(bob, RoomLost) == []
