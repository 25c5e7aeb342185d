import asyncio
from contextlib import suppress

import pytest
from embedded_support import STREAM, offer_of, tracks_of

from sealroom.bridge.embedded import EmbeddedMediaServer
from sealroom.bridge.media_server import MediaFullError, TrackRef
from sealroom.errors import InvalidArgumentError, LimitExceededError
from sealroom.media import transport

TRACK = TrackRef("alice", STREAM, "track0")


@pytest.fixture
async def server():
    server = EmbeddedMediaServer(host_addresses=["127.0.0.1"])
    yield server
    await server.close()


async def publish_in_vain(server, monkeypatch):
    """Publishes two tracks, over a connection that fails as nobody is at the other end."""
    monkeypatch.setattr(transport, "CONNECT_SILENCE", 0.05)
    failed = asyncio.get_running_loop().create_future()
    server.on_transport_failed = lambda *told: failed.set_result(told)
    await server.publish("alice", STREAM, offer_of(2), tracks_of(2))
    producers = [one.id for one in server._state.tracks.values()]
    assert await asyncio.wait_for(failed, 20) == ("alice", "publisher")
    return producers


async def test_a_publisher_that_never_connects_takes_no_place_in_the_router(server, monkeypatch):
    producers = await publish_in_vain(server, monkeypatch)
    assert server.statistics().producers == 0
    for producer in producers:
        with pytest.raises(InvalidArgumentError):
            server.router.producer_statistics(producer)
    assert server.usage("alice").received_bytes == 0


async def test_a_stream_that_never_connected_is_subscribed_to_without_harm_and_published_anew(
    server, monkeypatch
):
    await publish_in_vain(server, monkeypatch)
    assert await server.update_subscriptions("bob", [TRACK]) is None
    await server.reset("alice", "publisher")
    await server.publish("alice", STREAM, offer_of(2), tracks_of(2))
    offer = await server.update_subscriptions("bob", [TRACK])
    assert [one.track_id for one in offer.tracks] == ["track0"]
    assert server.statistics().producers == 2


def fill(router):
    """Returns transports of so many tracks that the router takes none more."""
    transports = []
    with suppress(LimitExceededError):
        while True:
            transports.append(router.create_transport(extensions={"mid": 1}))
            for number in range(1000):
                router.add_producer(
                    transports[-1], mid=str(number), ssrc=number + 1, payload_type=96, codec="vp8"
                )
    return transports


async def test_a_router_without_space_for_a_track_says_so_and_nothing_has_changed(server):
    transports = fill(server.router)
    with pytest.raises(MediaFullError, match="as many tracks"):
        await server.publish("alice", STREAM, offer_of(1), tracks_of(1))
    assert server.statistics().participants == 0
    transports[0].close()
    await server.publish("alice", STREAM, offer_of(1), tracks_of(1))
