"""The native router from Python: what it asks publishers for, and whose transports it takes."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

import pytest
from native_pair import KEY_SIZE, PROFILE, vp8_frame

from sealroom._core.session import KeyFrameRequested, MediaSession
from sealroom._core.sfu import Router, RouterTransport

EXTENSIONS = {"mid": 1}


class Call:
    """A publisher and a subscriber of one router, over links of which the test is in charge."""

    def __init__(self) -> None:
        self.router = Router()
        self.published, self.publisher = self._connect()
        self.subscribed, self.subscriber = self._connect()
        self.sender = self.publisher.add_sender(
            ssrc=5, payload_type=96, codec="vp8", mid="v", protection=False
        )
        self.receiver = self.subscriber.add_receiver(
            payload_type=97, codec="vp8", mid="v", protection=False
        )
        self.producer = self.router.add_producer(
            self.published, mid="v", ssrc=5, payload_type=96, codec="vp8"
        )
        self._timestamp = 0

    def _connect(self) -> tuple[RouterTransport, MediaSession]:
        transport = self.router.create_transport(extensions=EXTENSIONS)
        session = MediaSession(extensions=EXTENSIONS)
        one, other = os.urandom(KEY_SIZE), os.urandom(KEY_SIZE)
        transport.start(profile=PROFILE, send_key=one, receive_key=other)
        session.start(profile=PROFILE, send_key=other, receive_key=one)
        return transport, session

    def subscribe(self) -> int:
        return self.router.add_consumer(
            self.subscribed, self.producer, ssrc=9, payload_type=97, mid="v"
        )

    def send(self, *, key: bool = False) -> None:
        self._timestamp += 3000
        self.publisher.send_frame(
            self.sender, vp8_frame(300, key=key), rtp_timestamp=self._timestamp
        )
        for datagram in self.publisher.take_outgoing():
            self.published.receive_datagram(datagram)

    def hand_back(self) -> None:
        """To the publisher, what the router asks it for."""
        for datagram in self.published.take_outgoing():
            self.publisher.receive_datagram(datagram)

    def received(self) -> int:
        for datagram in self.subscribed.take_outgoing():
            self.subscriber.receive_datagram(datagram)
        return self.subscriber.receiver_statistics(self.receiver).frames_received

    def requests(self) -> int:
        return self.router.producer_statistics(self.producer).key_frame_requests_sent

    def close(self) -> None:
        for end in (self.publisher, self.subscriber, self.published, self.subscribed):
            end.close()


@pytest.fixture
def call() -> Iterator[Call]:
    with contextlib.closing(Call()) as call:
        yield call


def wait_for_requests(call: Call, count: int, seconds: float = 10.0) -> float:
    """How long it took."""
    start = time.monotonic()
    while call.requests() < count:
        assert time.monotonic() < start + seconds
        time.sleep(0.005)
    return time.monotonic() - start


def test_a_lost_request_for_the_first_picture_is_repeated(call: Call) -> None:
    call.send(key=True)  # before the subscriber comes
    call.subscribe()
    wait_for_requests(call, 1)
    assert call.published.take_outgoing()  # and lost
    call.send()
    assert call.received() == 0
    assert wait_for_requests(call, 2) > 0.7
    call.hand_back()
    assert any(isinstance(event, KeyFrameRequested) for event in call.publisher.take_events())
    call.send(key=True)
    call.send()
    assert call.received() == 2
    time.sleep(1.2)
    assert call.requests() == 2  # nobody waits any more


def test_a_lost_request_after_a_pause_is_repeated(call: Call) -> None:
    consumer = call.subscribe()
    call.send(key=True)
    assert call.received() == 1
    before = call.requests()
    call.router.set_consumer_paused(consumer, True)
    call.router.set_consumer_paused(consumer, False)
    wait_for_requests(call, before + 1)
    wait_for_requests(call, before + 2)
    call.router.set_consumer_paused(consumer, True)
    paused_at = call.requests()
    time.sleep(1.2)
    assert call.requests() == paused_at  # who is paused waits for nothing


def test_a_lost_request_of_a_tap_is_repeated(call: Call) -> None:
    call.send(key=True)
    call.router.set_tap(call.producer, True)
    wait_for_requests(call, 2)
    call.send(key=True)
    assert len(call.router.take_tapped_frames(call.producer)) == 1
    taken = call.requests()
    time.sleep(1.2)
    assert call.requests() == taken
