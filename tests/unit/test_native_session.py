"""The Python boundary of MediaSession, on every crypto back end."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import socket
import time
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from native_pair import BASE_KEY, KEY_SIZE, PROFILE, SUITE, Pair, vp8_frame

from sealroom import errors
from sealroom._core import crypto
from sealroom._core.session import (
    FrameReceived,
    FrameRejected,
    KeyFrameRequested,
    MediaSession,
    RemoteBye,
)


@pytest.fixture(params=crypto.available_backends())
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pair(backend: str) -> Iterator[Pair]:
    with contextlib.closing(Pair(backend=backend)) as pair:
        yield pair


def is_readable(session: MediaSession, seconds: float = 0.0) -> bool:
    return bool(select.select([session.event_fd], [], [], seconds)[0])


def of_kind(session: MediaSession, kind: type) -> list[Any]:
    return [event for event in session.take_events() if isinstance(event, kind)]


def test_frame_arrives_as_an_array_that_outlives_the_session(backend: str) -> None:
    pair = Pair(backend=backend)
    sent = vp8_frame(50_000)
    before = time.monotonic()
    pair.send(sent)
    [event] = pair.bob.take_events()
    assert isinstance(event, FrameReceived)
    assert (event.receiver, event.rtp_timestamp) == (pair.receiver, 3000)
    assert event.is_key_frame
    assert not event.is_missing
    assert event.rejected is None
    assert before <= event.arrival <= time.monotonic()
    data = event.data
    assert data.dtype == np.uint8
    assert data.ndim == 1
    session = weakref.ref(pair.bob)
    del event, pair
    gc.collect()
    assert session() is None
    assert data.tobytes() == sent


def test_session_runs_on_the_backend_asked_for(backend: str) -> None:
    assert MediaSession(backend=backend).backend == backend


def test_any_bytes_like_is_sent(pair: Pair) -> None:
    frame = vp8_frame(3000)
    for wrapped in (frame, bytearray(frame), memoryview(frame), np.frombuffer(frame, np.uint8)):
        pair.send(wrapped)
        [event] = of_kind(pair.bob, FrameReceived)
        assert event.data.tobytes() == frame
    with pytest.raises(TypeError):
        pair.send("text")  # type: ignore[arg-type]
    with pytest.raises(BufferError):
        pair.send(np.zeros((2, 50), np.uint8))


def test_audio_arrives_on_the_clock_of_the_io_thread() -> None:
    with contextlib.closing(Pair("opus")) as pair:
        sent = [os.urandom(80) for _ in range(10)]
        got: list[bytes] = []
        for number, frame in enumerate(sent):
            pair.alice.send_frame(
                pair.sender,
                frame,
                rtp_timestamp=number * 960,
                audio_level=30,
                voice_activity=True,
            )
        pair.carry()
        while len(got) < len(sent):
            assert is_readable(pair.bob, 5)
            got += [event.data.tobytes() for event in of_kind(pair.bob, FrameReceived)]
        assert got == sent


def test_frame_under_a_wrong_key_is_rejected_and_a_key_frame_asked_for(pair: Pair) -> None:
    pair.set_key(2, b"one key", b"another key")
    pair.send(vp8_frame(2000))
    [event] = pair.bob.take_events()
    assert isinstance(event, FrameRejected)
    expected = (pair.receiver, "authentication_failed", 1)
    assert (event.receiver, event.reason, event.count) == expected
    assert pair.bob.receiver_statistics(pair.receiver).rejected == {
        "not_encrypted": 0,
        "unknown_key_id": 0,
        "replayed": 0,
        "authentication_failed": 1,
        "queue_overflow": 0,
    }
    pair.carry()
    [request] = pair.alice.take_events()
    assert isinstance(request, KeyFrameRequested)
    assert request.sender == pair.sender


def test_frame_under_a_removed_key_is_rejected_apart(pair: Pair) -> None:
    pair.bob.remove_receiver_key(pair.receiver, 1)
    pair.send(vp8_frame(2000))
    [event] = pair.bob.take_events()
    assert isinstance(event, FrameRejected)
    assert event.reason == "unknown_key_id"
    with pytest.raises(errors.KeyNotFoundError):
        pair.bob.remove_receiver_key(pair.receiver, 1)


def test_clear_frame_is_never_delivered_where_protection_is_required(pair: Pair) -> None:
    clear = pair.alice.add_sender(ssrc=8, payload_type=96, codec="vp8", mid="m", protection=False)
    for number in range(50):
        pair.alice.send_frame(clear, vp8_frame(20 + number), rtp_timestamp=number * 3000)
    pair.carry()
    # Clear text may look like a frame whose key is still to come, and then waits for it.
    give_up = time.monotonic() + 20
    while sum(pair.bob.receiver_statistics(pair.receiver).rejected.values()) < 50:
        assert time.monotonic() < give_up
        time.sleep(0.05)
    assert of_kind(pair.bob, FrameReceived) == []


def test_frames_that_overtake_their_key_come_when_it_comes(pair: Pair) -> None:
    sent = [vp8_frame(2000) for _ in range(3)]
    pair.alice.set_sender_key(pair.sender, suite=SUITE, key_id=2, base_key=b"the next key")
    for frame in sent:
        pair.send(frame)
    assert pair.bob.take_events() == []
    pair.bob.add_receiver_key(pair.receiver, suite=SUITE, key_id=2, base_key=b"the next key")
    assert is_readable(pair.bob, 5)
    received = [event.data.tobytes() for event in of_kind(pair.bob, FrameReceived)]
    assert received == sent
    pair.carry()
    assert pair.alice.take_events() == []  # no key frame was asked for


def test_broken_frame_is_shown_only_on_request_and_marked(pair: Pair) -> None:
    sent = vp8_frame(2000)
    pair.bob.set_drop_broken_frames(pair.receiver, False)
    pair.set_key(2, b"one key", b"another key")
    pair.send(sent)
    [event] = of_kind(pair.bob, FrameReceived)
    assert event.rejected == "authentication_failed"
    assert sent[10:] not in event.data.tobytes()  # as received, which is ciphertext
    pair.bob.set_drop_broken_frames(pair.receiver, True)
    pair.send(vp8_frame(2000))
    assert of_kind(pair.bob, FrameReceived) == []


def test_changed_or_repeated_datagrams_change_nothing(pair: Pair) -> None:
    pair.alice.send_frame(pair.sender, vp8_frame(500), rtp_timestamp=0)
    [datagram] = pair.alice.take_outgoing()
    pair.bob.receive_datagram(datagram[:-1] + bytes([datagram[-1] ^ 1]))
    pair.bob.receive_datagram(b"")
    pair.bob.receive_datagram(bytes(2000))
    assert pair.bob.take_events() == []
    pair.bob.receive_datagram(datagram)
    pair.bob.receive_datagram(datagram)
    assert len(of_kind(pair.bob, FrameReceived)) == 1
    statistics = pair.bob.statistics()
    assert statistics.datagrams_received == 5
    assert statistics.datagrams_rejected == 4
    assert statistics.datagrams_replayed == 1


def test_frames_are_refused_until_both_keys_are_there() -> None:
    session = MediaSession()
    sender = session.add_sender(ssrc=1, payload_type=96, codec="vp8")
    with pytest.raises(errors.NotReadyError) as caught:
        session.send_frame(sender, vp8_frame(100), rtp_timestamp=0)
    assert caught.value.code == "not_ready"
    session.start(profile=PROFILE, send_key=bytes(KEY_SIZE), receive_key=bytes(KEY_SIZE))
    with pytest.raises(errors.NotReadyError):
        session.send_frame(sender, vp8_frame(100), rtp_timestamp=0)
    assert session.take_outgoing() == []
    session.set_sender_key(sender, suite=SUITE, key_id=1, base_key=BASE_KEY)
    session.send_frame(sender, vp8_frame(100), rtp_timestamp=0)
    assert len(session.take_outgoing()) == 1
    assert session.sender_statistics(sender).frames_sent == 1


def test_event_descriptor_is_readable_while_something_waits(pair: Pair) -> None:
    assert not is_readable(pair.alice)
    pair.alice.send_frame(pair.sender, vp8_frame(500), rtp_timestamp=0)
    assert is_readable(pair.alice)  # a datagram waits to be sent
    assert pair.alice.take_events() == []
    assert not is_readable(pair.alice)
    pair.carry()
    assert is_readable(pair.bob)
    assert len(pair.bob.take_events()) == 1
    assert not is_readable(pair.bob)


def test_descriptor_stays_readable_while_more_events_wait_than_one_call_takes(pair: Pair) -> None:
    second = pair.bob.add_receiver(payload_type=97, codec="vp8", mid="n")
    pair.bob.add_receiver_key(second, suite=SUITE, key_id=1, base_key=b"second")
    sender = pair.alice.add_sender(ssrc=8, payload_type=97, codec="vp8", mid="n")
    pair.alice.set_sender_key(sender, suite=SUITE, key_id=1, base_key=b"second")
    for number in range(200):
        pair.send(vp8_frame(20))
        pair.alice.send_frame(sender, vp8_frame(20), rtp_timestamp=number * 3000)
    pair.carry()
    assert len(pair.bob.take_events()) == 256
    assert is_readable(pair.bob)
    assert len(pair.bob.take_events()) == 144
    assert not is_readable(pair.bob)


def test_video_that_is_not_fetched_is_dropped_up_to_a_key_frame(pair: Pair) -> None:
    pair.send(vp8_frame(100))
    for _ in range(299):
        pair.send(vp8_frame(100, key=False))
    pair.send(vp8_frame(100))
    events = pair.bob.take_events()
    frames = [event for event in events if isinstance(event, FrameReceived)]
    assert len(frames) <= 256
    assert frames[0].is_key_frame
    statistics = pair.bob.receiver_statistics(pair.receiver)
    assert statistics.rejected["queue_overflow"] == 257
    assert [e.reason for e in events if isinstance(e, FrameRejected)] == ["queue_overflow"]
    assert len(of_kind(pair.alice, KeyFrameRequested)) >= 1


def test_frames_that_waited_for_their_key_are_dropped_up_to_a_key_frame_too(pair: Pair) -> None:
    pair.send(vp8_frame(200))
    for _ in range(234):
        pair.send(vp8_frame(100, key=False))
    pair.alice.set_sender_key(pair.sender, suite=SUITE, key_id=2, base_key=BASE_KEY[::-1])
    for _ in range(40):
        pair.send(vp8_frame(100, key=False))  # the queue has room for 21 of them
    pair.send(vp8_frame(200))
    pair.send(vp8_frame(100, key=False))
    pair.bob.add_receiver_key(pair.receiver, suite=SUITE, key_id=2, base_key=BASE_KEY[::-1])
    frames = of_kind(pair.bob, FrameReceived)
    assert [frame.is_key_frame for frame in frames] == [True, False]
    assert pair.bob.receiver_statistics(pair.receiver).rejected["queue_overflow"] == 235 + 40


def test_datagrams_that_nobody_sends_are_bounded_and_the_newest_kept(pair: Pair) -> None:
    for number in range(2100):
        pair.alice.send_frame(
            pair.sender, vp8_frame(50, key=number == 2099), rtp_timestamp=number * 3000
        )
    waiting = pair.alice.take_outgoing()
    assert len(waiting) == 2048
    for datagram in waiting[-1:]:
        pair.bob.receive_datagram(datagram)
    [event] = of_kind(pair.bob, FrameReceived)
    assert event.rtp_timestamp == 2099 * 3000


def test_removed_sender_says_goodbye(pair: Pair) -> None:
    pair.send(vp8_frame(500))
    pair.alice.remove_sender(pair.sender)
    pair.carry()
    [goodbye] = of_kind(pair.bob, RemoteBye)
    assert goodbye.receiver == pair.receiver
    with pytest.raises(errors.InvalidArgumentError, match="sender"):
        pair.send(vp8_frame(500))


def test_a_rejection_that_nobody_fetches_costs_no_processor_time(pair: Pair) -> None:
    pair.set_key(2, b"one key", b"another key")
    pair.send(vp8_frame(500))
    assert is_readable(pair.bob)
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.03
    assert is_readable(pair.bob)
    assert [event.count for event in of_kind(pair.bob, FrameRejected)] == [1]
    # Within a second there is at most one such event; the next is announced when it is over.
    pair.send(vp8_frame(500))
    rejected = of_kind(pair.bob, FrameRejected)
    assert rejected == []
    while not rejected:
        assert is_readable(pair.bob, 5)
        pair.carry()  # reports leave meanwhile
        rejected = of_kind(pair.bob, FrameRejected)
    assert [event.count for event in rejected] == [1]


def test_close_is_idempotent_and_ends_everything(pair: Pair) -> None:
    pair.alice.send_frame(pair.sender, vp8_frame(500), rtp_timestamp=0)
    datagrams = pair.alice.take_outgoing()
    for _ in range(2):
        pair.close()
    with pytest.raises(errors.NotReadyError):
        pair.alice.send_frame(pair.sender, vp8_frame(500), rtp_timestamp=0)
    for datagram in datagrams:
        pair.bob.receive_datagram(datagram)
    assert pair.bob.take_events() == []
    assert pair.alice.statistics().datagrams_received == 0


def udp_pair() -> tuple[socket.socket, socket.socket]:
    one, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    one.bind(("127.0.0.1", 0))
    other.bind(("127.0.0.1", 0))
    one.connect(other.getsockname())
    other.connect(one.getsockname())
    return one, other


def test_attached_sockets_carry_media_and_hand_back_the_rest(pair: Pair) -> None:
    one, other = udp_pair()
    stun = b"\x00\x01" + bytes(18)
    one.send(stun)
    pair.bob.attach_socket(other.detach())
    assert pair.bob.is_attached
    assert is_readable(pair.bob, 5)
    assert pair.bob.take_events() == []
    assert pair.bob.take_control() == [stun]
    pair.alice.attach_socket(one.detach())
    sent = vp8_frame(20_000)
    pair.alice.send_frame(pair.sender, sent, rtp_timestamp=0)
    assert pair.alice.take_outgoing() == []
    assert is_readable(pair.bob, 5)
    [event] = of_kind(pair.bob, FrameReceived)
    assert event.data.tobytes() == sent
    pair.bob.detach_socket()
    assert not pair.bob.is_attached
