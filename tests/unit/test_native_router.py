"""The native router from Python: what it asks publishers for, and whose transports it takes."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

import pytest
from native_pair import KEY_SIZE, PROFILE, rtp_packet, vp8_frame

from sealroom import errors, srtp
from sealroom._core.session import FrameReceived, KeyFrameRequested, MediaSession
from sealroom._core.sfu import ProducerStatistics, Router, RouterTransport

EXTENSIONS = {"mid": 1}


class Call:
    """A publisher and a subscriber of one router, over links of which the test is in charge."""

    def __init__(self, codec: str = "vp8") -> None:
        self.router = Router()
        self.published, self.publisher = self._connect()
        self.subscribed, self.subscriber = self._connect()
        self.sender = self.publisher.add_sender(
            ssrc=5, payload_type=96, codec=codec, mid="v", protection=False
        )
        self.receiver = self.subscriber.add_receiver(
            payload_type=97, codec=codec, mid="v", protection=False
        )
        self.producer = self.router.add_producer(
            self.published, mid="v", ssrc=5, payload_type=96, codec=codec
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
        for datagram in self.datagrams(vp8_frame(300, key=key)):
            self.published.receive_datagram(datagram)

    def datagrams(self, frame: bytes) -> list[bytes]:
        """Of a frame, not yet sent."""
        self._timestamp += 3000
        self.publisher.send_frame(self.sender, frame, rtp_timestamp=self._timestamp)
        return list(self.publisher.take_outgoing())

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


class Publisher:
    """A tapped VP8 producer, and its sender as bare SRTP."""

    def __init__(self) -> None:
        self.router = Router()
        self.transport = self.router.create_transport(extensions=EXTENSIONS)
        key = os.urandom(KEY_SIZE)
        self.transport.start(profile=PROFILE, send_key=os.urandom(KEY_SIZE), receive_key=key)
        self.srtp = srtp.Sender(profile=PROFILE, master=key)
        self.producer = self.router.add_producer(
            self.transport, mid="v", ssrc=7, payload_type=96, codec="vp8"
        )

    def send(self, sequence: int, *, padding: int = 0) -> None:
        payload = b"" if padding else b"\x10" + vp8_frame(50, key=sequence == 0)
        packet = rtp_packet(
            sequence,
            3000 * sequence,
            payload,
            ssrc=7,
            payload_type=96,
            marker=not padding,
            padding=padding,
        )
        self.transport.receive_datagram(self.srtp.protect_rtp(packet))

    def tapped(self) -> int:
        return len(self.router.take_tapped_frames(self.producer))

    def statistics(self) -> ProducerStatistics:
        return self.router.producer_statistics(self.producer)

    def close(self) -> None:
        self.transport.close()


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with contextlib.closing(Publisher()) as publisher:
        yield publisher


def test_packets_that_overtook_each_other_are_not_asked_for(publisher: Publisher) -> None:
    publisher.send(0)
    for sequence in range(1, 101, 2):
        publisher.send(sequence + 1)
        publisher.send(sequence)
    assert publisher.statistics().nacks_sent < 10  # of 50: a busy machine may stop for a while
    publisher.send(103)
    deadline = time.monotonic() + 5
    while publisher.statistics().nacks_sent < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert publisher.statistics().nacks_sent >= 2  # what is lost is


def test_padding_is_no_loss_to_a_tap(publisher: Publisher) -> None:
    publisher.router.set_tap(publisher.producer, True)
    for sequence in range(20):
        publisher.send(sequence, padding=200 if sequence == 5 else 0)
    assert publisher.tapped() == 19


def test_a_tap_that_lost_what_it_builds_on_asks_for_a_key_frame(publisher: Publisher) -> None:
    publisher.router.set_tap(publisher.producer, True)
    for sequence in range(20):
        if sequence != 5:
            publisher.send(sequence)
    assert publisher.tapped() == 5
    before = publisher.statistics().key_frame_requests_sent
    deadline = time.monotonic() + 10
    while publisher.statistics().key_frame_requests_sent == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_transport_of_another_router_is_refused(call: Call) -> None:
    other = Router()
    with contextlib.closing(other.create_transport(extensions=EXTENSIONS)) as foreign:
        assert foreign.id == call.published.id
        refused = pytest.raises(errors.InvalidArgumentError, match="transport: of another router")
        with refused:
            call.router.add_producer(foreign, mid="w", payload_type=96, codec="vp8")
        with refused:
            call.router.add_consumer(foreign, call.producer, ssrc=1, payload_type=96, mid="w")


H264_DELTA = bytes.fromhex("000000014180") + bytes(range(128, 228)) * 15
H264_KEY_FRAME = bytes.fromhex("000000016742c01e0000000168ce3c800000000165") + (
    bytes(range(128, 228)) * 25
)


def frames_of(call: Call) -> list[bytes]:
    call.received()
    return [
        event.data.tobytes()
        for event in call.subscriber.take_events()
        if isinstance(event, FrameReceived)
    ]


@pytest.mark.parametrize("order", [[1, 0, 2, 3], [3, 2, 1, 0], [1, 2, 3, 0], [0, 1, 2, 3]])
def test_a_subscribers_first_h264_key_frame_is_whole(order: list[int]) -> None:
    with contextlib.closing(Call("h264")) as call:
        for datagram in call.datagrams(H264_DELTA):
            call.published.receive_datagram(datagram)
        call.subscribe()
        sent = call.datagrams(H264_KEY_FRAME)
        assert len(sent) == 4
        for i in order:
            call.published.receive_datagram(sent[i])
        assert frames_of(call) == [H264_KEY_FRAME]


def test_an_h264_key_frame_that_lost_its_start_is_not_begun_with() -> None:
    with contextlib.closing(Call("h264")) as call:
        call.subscribe()
        for datagram in call.datagrams(H264_KEY_FRAME)[1:] + call.datagrams(H264_DELTA):
            call.published.receive_datagram(datagram)
        assert call.subscribed.take_outgoing() == []
        wait_for_requests(call, 2)
        for datagram in call.datagrams(H264_KEY_FRAME):
            call.published.receive_datagram(datagram)
        assert frames_of(call) == [H264_KEY_FRAME]


def test_an_h264_key_frame_without_parameter_sets_is_begun_with_behind_another_frame() -> None:
    with contextlib.closing(Call("h264")) as call:
        call.subscribe()
        bare = bytes.fromhex("0000000165") + bytes(range(128, 228)) * 25
        before = call.datagrams(H264_DELTA)
        sent = call.datagrams(bare)
        for datagram in [*sent, before[-1]]:  # the frame before ends late
            call.published.receive_datagram(datagram)
        assert call.subscribed.take_outgoing()
