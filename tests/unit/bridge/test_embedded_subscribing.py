import logging
import os

import pytest
from embedded_support import STREAM, offer_of, tracks_of

from sealroom import srtp
from sealroom._core.sfu import Router
from sealroom.bridge import media_participants
from sealroom.bridge.embedded import EmbeddedMediaServer
from sealroom.bridge.media_server import TrackRef, TransportGoneError
from sealroom.errors import LimitExceededError
from sealroom.media.negotiation import MediaPeer
from sealroom.protocol import MAX_SUBSCRIBED_TRACKS

PROFILE = srtp.Profile.AEAD_AES_128_GCM
KEYS = sum(srtp.master_size(PROFILE))
ONE, TWO, THREE = (TrackRef("alice", STREAM, f"track{number}") for number in range(3))


class Subscriber:
    """Bob, who answers offers over a connection that is up at once."""

    def __init__(self, server, monkeypatch):
        self.server = server
        self.failed = []
        server.on_transport_failed = lambda *told: self.failed.append(told)

        async def accept(peer, answer):
            for section in peer.sections:
                section.is_negotiated = True
                section.current_direction = section.direction

        async def connected(peer):
            return

        monkeypatch.setattr(MediaPeer, "accept_answer", accept)
        monkeypatch.setattr(MediaPeer, "connected", connected)

    @property
    def connection(self):
        return self.server._participants["bob"].subscriber

    async def take(self, *wanted):
        """Subscribes to just these, and returns which of them come."""
        offer = await self.server.update_subscriptions("bob", wanted)
        if offer is not None:
            await self.server.answer("bob", "answer")
            await self.server._participants["bob"].start_task
        consumers = self.server._participants["bob"].consumers
        return {ref for ref, consumer in consumers.items() if consumer.id is not None}


@pytest.fixture
async def bob(monkeypatch):
    server = EmbeddedMediaServer(host_addresses=["127.0.0.1"])
    await server.publish("alice", STREAM, offer_of(3), tracks_of(3))
    yield Subscriber(server, monkeypatch)
    await server.close()


async def test_a_track_the_router_refuses_keeps_no_other_from_coming(bob, monkeypatch, caplog):
    caplog.set_level(logging.WARNING)
    assert await bob.take(ONE) == {ONE}
    add_consumer = Router.add_consumer

    class Full:
        def __init__(self, router):
            self._router = router

        def __getattr__(self, name):
            return getattr(self._router, name)

        def add_consumer(self, transport, producer, **config):
            if producer == bob.server._state.tracks[TWO].id:
                raise LimitExceededError("full")
            return add_consumer(self._router, transport, producer, **config)

    object.__setattr__(bob.server._state, "router", Full(bob.server.router))
    assert await bob.take(ONE, TWO, THREE) == {ONE, THREE}
    assert len(caplog.records) == 1
    assert bob.failed == []


async def test_a_connection_that_has_used_up_its_ssrcs_is_told_and_begun_anew(bob, monkeypatch):
    monkeypatch.setattr(media_participants, "MAX_SSRCS", MAX_SUBSCRIBED_TRACKS + 4)
    for wanted in (ONE, TWO, ONE, TWO):
        assert await bob.take(wanted) == {wanted}
    assert bob.failed == []
    assert await bob.take(THREE) == {THREE}
    assert bob.failed == [("bob", "subscriber")]
    with pytest.raises(TransportGoneError):  # so that the client resets it
        await bob.server.restart_subscriber("bob")
    worn_out = bob.connection
    await bob.server.reset("bob", "subscriber")
    assert await bob.take(THREE) == {THREE}
    assert bob.connection is not worn_out
    assert len(bob.failed) == 1


async def test_a_client_that_does_not_reset_is_offered_a_new_connection(bob, monkeypatch):
    monkeypatch.setattr(media_participants, "MAX_SSRCS", MAX_SUBSCRIBED_TRACKS)
    await bob.take(ONE)
    worn_out = bob.connection
    assert await bob.take(ONE, TWO) == {ONE, TWO}
    assert bob.connection is not worn_out


def test_the_router_takes_as_many_ssrcs_of_a_transport_as_are_reckoned_with():
    router = Router()
    published, subscribed = (router.create_transport(extensions={"mid": 1}) for _ in range(2))
    subscribed.start(profile=PROFILE, send_key=os.urandom(KEYS), receive_key=os.urandom(KEYS))
    producer = router.add_producer(published, mid="m", ssrc=7, payload_type=111, codec="opus")
    for ssrc in range(2, media_participants.MAX_SSRCS + 2):
        consumer = router.add_consumer(subscribed, producer, ssrc=ssrc, payload_type=111, mid="0")
        router.remove_consumer(consumer)
        if ssrc % 1024 == 0:
            subscribed.take_outgoing()
