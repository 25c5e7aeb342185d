import asyncio
import os
from types import SimpleNamespace

import pytest
from embedded_support import STREAM, offer_of, tracks_of

from sealroom import srtp
from sealroom.bridge.embedded import EmbeddedMediaServer
from sealroom.bridge.media_calls import MediaCalls
from sealroom.bridge.media_server import TrackRef
from sealroom.errors import SealroomError
from sealroom.media.negotiation import MediaPeer
from sealroom.media.transport import MediaTransport

PROFILE = srtp.Profile.AEAD_AES_128_GCM
KEYS = sum(srtp.master_size(PROFILE))
TRACK = TrackRef("alice", STREAM, "track0")


@pytest.fixture
async def server():
    server = EmbeddedMediaServer(host_addresses=["127.0.0.1"])
    yield server
    await server.close()


@pytest.fixture
async def slow_goodbyes(monkeypatch):
    """Holds all closing peers up until the test is over."""
    until = asyncio.Event()
    close = MediaPeer.close

    async def wait(peer):
        await until.wait()
        await close(peer)

    monkeypatch.setattr(MediaPeer, "close", wait)
    yield
    until.set()


class Member:
    """Publishes a stream and receives alice's."""

    def __init__(self, server, name):
        self.server = server
        self.name = name
        self.consumer = None

    async def join(self):
        await self.server.publish(self.name, STREAM, offer_of(1), tracks_of(1))
        await self.server.update_subscriptions(self.name, [TRACK])
        participant = self.server._participants[self.name]
        transport = participant.subscriber.transport
        transport.start(profile=PROFILE, send_key=os.urandom(KEYS), receive_key=os.urandom(KEYS))
        consumer = participant.consumers[TRACK]
        self.consumer = consumer.id = self.server.router.add_consumer(
            transport, consumer.producer.id, ssrc=9, payload_type=96, mid="0"
        )

    @property
    def receives(self):
        try:
            self.server.router.consumer_statistics(self.consumer)
        except SealroomError:
            return False
        return True


@pytest.fixture
async def mallory(server):
    await server.publish("alice", STREAM, offer_of(1), tracks_of(1))
    member = Member(server, "mallory")
    await member.join()
    assert member.receives
    return member


async def test_a_removed_member_is_out_though_its_goodbye_takes_too_long(
    server, mallory, slow_goodbyes
):
    gone = SimpleNamespace(participant_id="mallory", media_lock=asyncio.Lock())
    await MediaCalls(server, timeout=0.05).remove(gone)
    assert not mallory.receives
    assert (server.statistics().participants, server.statistics().producers) == (1, 1)


async def test_a_reset_subscriber_is_out_though_its_goodbye_takes_too_long(
    server, mallory, slow_goodbyes
):
    await asyncio.wait_for(server.reset("mallory", "subscriber"), 10)
    assert not mallory.receives
    assert server.statistics().producers == 2


async def test_a_reset_publisher_publishes_anew_before_its_goodbye_is_over(
    server, mallory, slow_goodbyes
):
    await asyncio.wait_for(server.reset("mallory", "publisher"), 10)
    assert (mallory.receives, server.statistics().producers) == (True, 1)
    await server.publish("mallory", STREAM, offer_of(1), tracks_of(1))
    assert server.statistics().producers == 2


async def test_a_subscription_that_is_timed_out_leaves_no_connection(server, monkeypatch):
    await server.publish("alice", STREAM, offer_of(1), tracks_of(1))
    gathered, made = asyncio.Event(), []
    gather = MediaTransport.gather

    async def never_end(transport):
        made.append(transport)
        await gather(transport)
        gathered.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(MediaTransport, "gather", never_end)
    update = asyncio.create_task(server.update_subscriptions("bob", [TRACK]))
    await asyncio.wait_for(gathered.wait(), 10)
    update.cancel()
    with pytest.raises(asyncio.CancelledError):
        await update
    await server.close()
    assert [transport.state for transport in made] == ["closed"]


async def test_closing_the_server_waits_for_all_sockets(server, mallory):
    peers = [
        connection.peer
        for participant in server._participants.values()
        for connection in (participant.publisher, participant.subscriber)
        if connection is not None
    ]
    await server.close()
    assert [peer.state for peer in peers] == ["closed"] * 3
