"""Stream ids are chosen by clients: the same one in another room, or context, is another stream."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from aiortc import RTCPeerConnection
from aiortc.mediastreams import VideoStreamTrack
from bridge_support import Client, World, announce, open_world

from sealroom.bridge.embedded import EmbeddedMediaServer
from sealroom.identity import Identity
from sealroom.protocol import STREAM_ANNOUNCEMENT_TYPE, AnnouncedTrack

STREAM = "same"
TRACKS = [
    AnnouncedTrack(track_id="v", kind="video", codec="vp8"),
    AnnouncedTrack(track_id="d", kind="data", codec="message"),
]


class Call:
    """Alice's room in one context and mallory's in another, on a real media server."""

    def __init__(self, media: EmbeddedMediaServer, world: World) -> None:
        self.media = media
        self.world = world
        self.peers: list[RTCPeerConnection] = []
        self.publishers: dict[str, Client] = {}  # by the participant's id

    async def tenant(self, user_id: str) -> World:
        """Make another context with one user."""
        context = await self.world.bridge.admin.context_create("another tenant")
        identity = Identity.generate()
        await self.world.bridge.admin.user_add(context.context_id, user_id, identity.public)
        world = World(self.world.bridge, self.world.media, context.context_id)
        world.identities[user_id] = identity
        return world

    async def publish(self, client: Client, room_id: str) -> None:
        peer = RTCPeerConnection()
        self.peers.append(peer)
        peer.addTrack(VideoStreamTrack())
        peer.createDataChannel("any")
        await peer.setLocalDescription(await peer.createOffer())
        offer = re.sub(r"a=msid:\S+ \S+", f"a=msid:{STREAM} v", peer.localDescription.sdp)
        announcement = announce(client.context_id, room_id, STREAM, tracks=TRACKS)
        await client.call(
            "stream.publish",
            room_id=room_id,
            announcement=client.sign(STREAM_ANNOUNCEMENT_TYPE, announcement),
            offer=offer,
        )
        room = await client.call("room.participants", room_id=room_id)
        own = next(one for one in room.participants if one.stream_ids)
        self.publishers[own.participant_id] = client

    async def subscribe(self, client: Client, room_id: str) -> set[str]:
        """Subscribe to the stream and return what came with the offer."""
        result = await client.call(
            "subscription.update", room_id=room_id, add=[{"stream_id": STREAM}]
        )
        return {track.track_id for track in result.tracks}

    def media_of(self, client: Client) -> set[str]:
        """Return whose media the subscribers get that get the client's."""
        producers = {
            id(producer): owner
            for owner, one in self.media._participants.items()
            for stream in one.streams.values()
            for producer in stream.values()
        }
        return {
            subscriber
            for subscriber, one in self.media._participants.items()
            for consumer in one.consumers.values()
            if self.publishers.get(producers.get(id(consumer.producer), "")) is client
        }


@pytest.fixture
async def call() -> AsyncIterator[Call]:
    async with opened() as one:
        yield one


@asynccontextmanager
async def opened() -> AsyncIterator[Call]:
    media = EmbeddedMediaServer(host_addresses=["127.0.0.1"])
    async with open_world(cast(Any, media)) as world:  # not the fake one
        one = Call(media, world)
        try:
            yield one
        finally:
            for peer in one.peers:
                await peer.close()


async def test_a_stream_id_taken_again_in_another_context_touches_nobody(call: Call) -> None:
    other = await call.tenant("mallory")
    alice, bob, late = [await call.world.user(one) for one in ("alice", "bob", "bob")]
    mallory, listener = [await other.user("mallory") for _ in range(2)]
    hers = (await call.world.create_room(alice, ["bob"])).room_id
    foreign = (await other.create_room(mallory)).room_id
    for client in (alice, bob, late):
        await client.join(hers)
    for client in (mallory, listener):
        await client.join(foreign)
    await call.publish(alice, hers)
    assert await call.subscribe(bob, hers) == {"v", "d"}
    await call.publish(mallory, foreign)
    assert await call.subscribe(late, hers) == {"v", "d"}
    assert await call.subscribe(listener, foreign) == {"v", "d"}
    assert len(call.media_of(alice)) == 2  # bob twice, and not mallory's listener
    assert len(call.media_of(mallory)) == 1
    statistics = call.media.statistics()
    assert statistics.producers == 2
    await mallory.call("stream.unpublish", room_id=foreign, stream_id=STREAM)
    newest = await call.world.user("bob")
    await newest.join(hers)
    assert await call.subscribe(newest, hers) == {"v", "d"}
    assert len(call.media_of(alice)) == 3
    await other.close()


async def test_a_stream_id_that_comes_back_in_another_room_keeps_its_listeners_apart(
    call: Call,
) -> None:
    """Whoever published last under an id would otherwise be heard in both rooms."""
    alice, mallory, listener = [
        await call.world.user(one) for one in ("alice", "mallory", "mallory")
    ]
    hers = (await call.world.create_room(alice)).room_id
    foreign = (await call.world.create_room(mallory)).room_id
    await alice.join(hers)
    for client in (mallory, listener):
        await client.join(foreign)
    await call.publish(mallory, foreign)
    await call.publish(alice, hers)
    assert await call.subscribe(listener, foreign) == {"v", "d"}
    assert len(call.media_of(mallory)) == 1
    assert call.media_of(alice) == set()
