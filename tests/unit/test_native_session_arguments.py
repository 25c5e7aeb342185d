"""What MediaSession refuses, under the name of the argument."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from native_pair import BASE_KEY, KEY_SIZE, PROFILE, SUITE, Pair, vp8_frame

from sealroom import errors
from sealroom._core.session import FrameReceived, MediaSession
from sealroom.sframe import AES_128_GCM_SHA256_128


@pytest.fixture
def pair() -> Iterator[Pair]:
    with contextlib.closing(Pair()) as pair:
        yield pair


@pytest.fixture
def session() -> Iterator[MediaSession]:
    with contextlib.closing(MediaSession()) as session:
        yield session


def add_sender(session: MediaSession, **changes: Any) -> int:
    return session.add_sender(**{"ssrc": 1, "payload_type": 96, "codec": "vp8", **changes})


def add_receiver(session: MediaSession, **changes: Any) -> int:
    return session.add_receiver(**{"payload_type": 96, "codec": "vp8", **changes})


def start(session: MediaSession, **changes: Any) -> None:
    keys = {"send_key": bytes(KEY_SIZE), "receive_key": bytes(KEY_SIZE)}
    session.start(**{"profile": PROFILE, **keys, **changes})


def start_twice(session: MediaSession) -> None:
    start(session)
    start(session)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda s: add_sender(s, payload_type=128), errors.InvalidArgumentError, "payload_type"),
        (lambda s: add_sender(s, payload_type=-1), errors.InvalidArgumentError, "payload_type"),
        (lambda s: add_sender(s, payload_type=64), errors.InvalidArgumentError, "RFC 5761"),
        (lambda s: add_receiver(s, payload_type=95), errors.InvalidArgumentError, "RFC 5761"),
        (lambda s: add_receiver(s, payload_type=352), errors.InvalidArgumentError, "payload_type"),
        (lambda s: add_sender(s, rtx=(2, 72)), errors.InvalidArgumentError, "^rtx: .*RFC 5761"),
        (
            lambda s: add_receiver(s, rtx_payload_type=72),
            errors.InvalidArgumentError,
            "^rtx_payload_type: .*RFC 5761",
        ),
        (
            lambda s: add_receiver(s, codec="opus", red_payload_type=72),
            errors.InvalidArgumentError,
            "^red_payload_type: .*RFC 5761",
        ),
        (lambda s: add_sender(s, codec="vp7"), errors.UnsupportedError, "codec: 'vp7'"),
        (lambda s: add_sender(s, mid="m" * 17), errors.InvalidArgumentError, "mid"),
        (lambda s: [add_sender(s), add_sender(s)], errors.InvalidArgumentError, "ssrc"),
        (lambda s: add_receiver(s, mid="m" * 17), errors.InvalidArgumentError, "mid"),
        (lambda s: add_receiver(s, codec="h263"), errors.UnsupportedError, "codec: 'h263'"),
        (
            lambda s: [add_receiver(s, ssrc=5), add_receiver(s, ssrc=5)],
            errors.InvalidArgumentError,
            "ssrc",
        ),
        (lambda s: start(s, profile=5), errors.UnsupportedError, "profile: 5"),
        (lambda s: start(s, profile=0x10007), errors.UnsupportedError, "profile: 65543"),
        (lambda s: start(s, send_key=bytes(27)), errors.InvalidArgumentError, "send_key.*got 27"),
        (lambda s: start(s, receive_key=b""), errors.InvalidArgumentError, "receive_key.*got 0"),
        (start_twice, errors.InvalidArgumentError, "start"),
        (lambda s: s.set_extensions({"colour": 1}), errors.UnsupportedError, "'colour'"),
        (lambda s: s.set_extensions({"mid": 0}), errors.InvalidArgumentError, "'mid'"),
        (lambda s: s.set_extensions({"mid": 3, "rid": 3}), errors.InvalidArgumentError, "'rid'"),
        (lambda s: s.attach_socket(-1), errors.InvalidArgumentError, "fd"),
        (lambda s: MediaSession(cname=""), errors.InvalidArgumentError, "cname"),
        (lambda s: MediaSession(cname="é" * 128), errors.InvalidArgumentError, "cname"),
        (lambda s: MediaSession(backend="rot13"), errors.UnsupportedError, "backend: 'rot13'"),
        (lambda s: MediaSession(extensions={"mid": 256}), errors.InvalidArgumentError, "'mid'"),
    ],
)
def test_invalid_arguments_are_named(
    session: MediaSession,
    call: Callable[[MediaSession], object],
    error: type[errors.SealroomError],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        call(session)


def test_invalid_frames_are_named(pair: Pair) -> None:
    def send(data: bytes = b"\x01", **changes: Any) -> None:
        pair.alice.send_frame(pair.sender, data, **{"rtp_timestamp": 0, **changes})

    with pytest.raises(errors.InvalidArgumentError, match="data"):
        send(b"")
    with pytest.raises(errors.LimitExceededError, match=r"^data: .*2097153 bytes.*2 MiB: encode"):
        send(bytes((2 << 20) + 1))
    for level in (-1, 128):
        with pytest.raises(errors.InvalidArgumentError, match="audio_level"):
            send(audio_level=level)
    with pytest.raises(TypeError):
        send(rtp_timestamp=1 << 32)
    assert pair.alice.take_outgoing() == []


def test_audio_packet_is_never_split() -> None:
    with contextlib.closing(Pair("opus")) as pair:
        with pytest.raises(errors.LimitExceededError, match=r"^data: .*1301 .*1300.*bit rate"):
            pair.send(bytes(1301))
        assert pair.alice.take_outgoing() == []


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.send_frame(99, b"frame", rtp_timestamp=0),
        lambda s: s.set_sender_key(99, suite=SUITE, key_id=1, base_key=BASE_KEY),
        lambda s: s.remove_sender(99),
        lambda s: s.sender_statistics(99),
        lambda s: s.add_receiver_key(99, suite=SUITE, key_id=1, base_key=BASE_KEY),
        lambda s: s.remove_receiver_key(99, 1),
        lambda s: s.set_drop_broken_frames(99, True),
        lambda s: s.request_key_frame(99),
        lambda s: s.remove_receiver(99),
        lambda s: s.receiver_statistics(99),
    ],
)
def test_unknown_ids_are_refused(
    session: MediaSession, call: Callable[[MediaSession], object]
) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=r"sender|receiver"):
        call(session)


def test_sender_key_is_never_taken_back_to_an_earlier_id(pair: Pair) -> None:
    for key_id in (1, 0):
        with pytest.raises(errors.InvalidArgumentError, match="key_id"):
            pair.alice.set_sender_key(pair.sender, suite=SUITE, key_id=key_id, base_key=b"key")
    pair.send(vp8_frame(500))
    [event] = pair.bob.take_events()
    assert isinstance(event, FrameReceived)


def test_invalid_frame_keys_are_named(pair: Pair) -> None:
    for suite in (0, 6, 0x10000 + SUITE):
        with pytest.raises(errors.UnsupportedError, match=f"suite: {suite} "):
            pair.alice.set_sender_key(pair.sender, suite=suite, key_id=2, base_key=b"key")
        with pytest.raises(errors.UnsupportedError, match=f"suite: {suite} "):
            pair.bob.add_receiver_key(pair.receiver, suite=suite, key_id=2, base_key=b"key")
    with pytest.raises(errors.InvalidArgumentError, match="base_key"):
        pair.alice.set_sender_key(pair.sender, suite=SUITE, key_id=2, base_key=b"")
    other = AES_128_GCM_SHA256_128
    with pytest.raises(errors.InvalidArgumentError, match="suite"):
        pair.bob.add_receiver_key(pair.receiver, suite=other, key_id=2, base_key=b"key")


def test_other_descriptors_are_refused_and_closed(session: MediaSession) -> None:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):  # neither UDP, nor connected
        descriptor = socket.socket(socket.AF_INET, kind).detach()
        with pytest.raises(errors.InvalidArgumentError, match="fd"):
            session.attach_socket(descriptor)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
    assert not session.is_attached
