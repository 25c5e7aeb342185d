"""RTX and RED of a native session, switched on from Python."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from native_pair import BASE_KEY, KEY_SIZE, PROFILE, SUITE, vp8_frame

from sealroom import errors, rtp
from sealroom._core.session import FrameReceived, MediaSession


def connect(sender: dict[str, Any], receiver: dict[str, Any]) -> tuple[MediaSession, ...]:
    alice, bob = MediaSession(extensions={"mid": 1}), MediaSession(extensions={"mid": 1})
    one, other = os.urandom(KEY_SIZE), os.urandom(KEY_SIZE)
    alice.start(profile=PROFILE, send_key=one, receive_key=other)
    bob.start(profile=PROFILE, send_key=other, receive_key=one)
    out = alice.add_sender(ssrc=7, mid="m", **sender)
    into = bob.add_receiver(mid="m", **receiver)
    alice.set_sender_key(out, suite=SUITE, key_id=1, base_key=BASE_KEY)
    bob.add_receiver_key(into, suite=SUITE, key_id=1, base_key=BASE_KEY)
    return alice, bob


def frames_of(session: MediaSession) -> list[bytes | None]:
    return [
        None if event.is_missing else bytes(event.data)
        for event in session.take_events()
        if isinstance(event, FrameReceived)
    ]


@pytest.mark.parametrize(("distance", "lost"), [(1, {3}), (2, {3, 4}), (8, set(range(1, 9)))])
def test_redundancy_fills_the_gap_before_it_shows(distance: int, lost: set[int]) -> None:
    opus = {"payload_type": 111, "codec": "opus"}
    alice, bob = connect({**opus, "red": (63, distance)}, {**opus, "red_payload_type": 63})
    with contextlib.closing(alice), contextlib.closing(bob):
        sent = [os.urandom(60) for _ in range(12)]
        for number, frame in enumerate(sent):
            alice.send_frame(1, frame, rtp_timestamp=960 * number)
            for datagram in alice.take_outgoing():
                assert rtp.parse_rtp(datagram).payload_type == 63
                if number not in lost:
                    bob.receive_datagram(datagram)
        assert frames_of(bob) == sent
        statistics = bob.receiver_statistics(1)
        assert statistics.packets_from_redundancy == len(lost)
        assert statistics.frames_missing == 0


def test_a_lost_packet_comes_again_on_the_rtx_stream() -> None:
    vp8 = {"payload_type": 96, "codec": "vp8"}
    alice, bob = connect({**vp8, "rtx": (8, 97)}, {**vp8, "rtx_payload_type": 97})
    with contextlib.closing(alice), contextlib.closing(bob):
        frame = vp8_frame(20_000)
        alice.send_frame(1, frame, rtp_timestamp=0)
        first = alice.take_outgoing()
        for index, datagram in enumerate(first):
            if index != 5:
                bob.receive_datagram(datagram)
        received: list[bytes | None] = []
        streams = set()
        deadline = time.monotonic() + 30
        while not received and time.monotonic() < deadline:
            for datagram in bob.take_outgoing():
                alice.receive_datagram(datagram)
            for datagram in alice.take_outgoing():
                if not rtp.is_rtcp(datagram):
                    streams.add(int.from_bytes(datagram[8:12]))
                bob.receive_datagram(datagram)
            received = frames_of(bob)
            time.sleep(0.002)
        assert received == [frame]
        assert streams == {8}
        assert bob.receiver_statistics(1).retransmissions_received >= 1


REFUSED: dict[str, Callable[[MediaSession], object]] = {
    "rtx": lambda s: s.add_sender(ssrc=1, payload_type=96, codec="vp8", rtx=(1, 97)),
    "red": lambda s: s.add_sender(ssrc=1, payload_type=96, codec="vp8", red=(63, 1)),
    "distance": lambda s: s.add_sender(ssrc=1, payload_type=111, codec="opus", red=(63, 9)),
    "payload type": lambda s: s.add_receiver(payload_type=96, codec="vp8", rtx_payload_type=96),
    "rtx_payload_type": lambda s: s.add_receiver(payload_type=96, codec="vp8", rtx_ssrc=5),
    "RED": lambda s: s.add_receiver(payload_type=96, codec="vp8", red_payload_type=63),
}


@pytest.mark.parametrize("word", REFUSED)
def test_what_cannot_be_is_refused_by_name(word: str) -> None:
    with contextlib.closing(MediaSession()) as session:
        with pytest.raises(errors.InvalidArgumentError, match=word):
            REFUSED[word](session)
        assert session.add_sender(ssrc=1, payload_type=96, codec="vp8", rtx=(2, 97))
