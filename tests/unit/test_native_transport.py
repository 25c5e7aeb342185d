"""What media sessions and router transports share: sockets, their statistics, pacing."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from native_pair import KEY_SIZE, PROFILE, Pair, vp8_frame

from sealroom import errors
from sealroom._core.session import FrameReceived, MediaSession
from sealroom._core.sfu import Router, RouterTransport

Transport = MediaSession | RouterTransport

FAMILIES = [
    pytest.param(socket.AF_INET, "127.0.0.1", id="ipv4"),
    pytest.param(socket.AF_INET6, "::1", id="ipv6"),
]


def connected_pair(family: int, host: str) -> tuple[socket.socket, socket.socket]:
    one, other = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
    try:
        one.bind((host, 0))
        other.bind((host, 0))
    except OSError:
        one.close()
        other.close()
        pytest.skip(f"no {host} here")
    one.connect(other.getsockname())
    other.connect(one.getsockname())
    return one, other


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.002)
    return condition()


@pytest.fixture(params=["session", "router"])
def transport(request: pytest.FixtureRequest) -> Iterator[Transport]:
    made: Transport
    if request.param == "session":
        made = MediaSession()
    else:
        router = Router()
        made = router.create_transport(extensions={})
    with contextlib.closing(made):
        yield made


def test_statistics_before_a_socket_are_zero(transport: Transport) -> None:
    statistics = transport.transport_statistics()
    assert statistics.socket is None
    assert statistics.datagrams_received == statistics.datagrams_sent == 0


def test_after_close_neither_keys_nor_sockets_are_taken(transport: Transport) -> None:
    transport.close()
    mine, peer = connected_pair(socket.AF_INET, "127.0.0.1")
    descriptor = mine.detach()
    with pytest.raises(errors.NotReadyError):
        transport.attach_socket(descriptor)
    assert not transport.is_attached
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(descriptor)  # it was handed over, so it is closed
    key = os.urandom(KEY_SIZE)
    with pytest.raises(errors.InvalidArgumentError, match="not after close"):
        transport.start(profile=PROFILE, send_key=key, receive_key=key)
    peer.close()


@pytest.mark.parametrize(("family", "host"), FAMILIES)
def test_statistics_count_what_the_socket_saw(transport: Transport, family: int, host: str) -> None:
    mine, peer = connected_pair(family, host)
    transport.attach_socket(mine.detach())
    peer.send(b"\x00" * 20)  # STUN
    peer.send(b"\xff" * 30)  # nothing RFC 7983 knows
    assert eventually(lambda: transport.transport_statistics().datagrams_received == 2)
    statistics = transport.transport_statistics()
    assert statistics.bytes_received == 50
    assert (statistics.control_received, statistics.control_dropped) == (2, 1)
    transport.detach_socket()
    assert transport.transport_statistics().datagrams_received == 2
    assert transport.transport_statistics().socket is None
    peer.close()


def test_the_socket_tells_what_it_got(transport: Transport) -> None:
    mine, peer = connected_pair(socket.AF_INET, "127.0.0.1")
    asked = 4 << 20
    transport.attach_socket(mine.detach())
    got = transport.transport_statistics().socket
    assert got is not None
    assert got.receive_buffer_asked == got.send_buffer_asked == asked
    cut = got.receive_buffer < asked or got.send_buffer < asked
    assert got.is_buffer_cut is cut
    peer.close()


def test_offloads_are_switched_off_by_name(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALROOM_IO_DISABLE", "gso,gro,mmsg")
    mine, peer = connected_pair(socket.AF_INET, "127.0.0.1")
    transport.attach_socket(mine.detach())
    got = transport.transport_statistics().socket
    assert got is not None
    used = (got.segmentation_offload, got.receive_offload, got.message_batches)
    assert used == (False, False, False)
    peer.close()


@pytest.mark.parametrize("disabled", ["", "gso", "gro", "mmsg", "gso,gro,mmsg"])
@pytest.mark.parametrize(("family", "host"), FAMILIES)
def test_frames_cross_whatever_the_kernel_offers(
    disabled: str, family: int, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALROOM_IO_DISABLE", disabled)
    with contextlib.closing(Pair()) as pair:
        one, other = connected_pair(family, host)
        pair.alice.attach_socket(one.detach())
        pair.bob.attach_socket(other.detach())
        frame = vp8_frame(100_000)
        pair.alice.send_frame(pair.sender, frame, rtp_timestamp=1)
        events: list[object] = []
        assert eventually(lambda: bool(events.extend(pair.bob.take_events()) or events))
        [event] = events
        assert isinstance(event, FrameReceived)
        assert event.data.tobytes() == frame


def test_pacing_spreads_a_frame_and_stopping_it_sends_the_rest() -> None:
    with contextlib.closing(Pair()) as pair:
        pair.alice.set_pacing_rate(200_000)
        pair.alice.send_frame(pair.sender, vp8_frame(20_000), rtp_timestamp=1)
        assert pair.alice.transport_statistics().paced_bytes > 10_000
        assert 0 < len(pair.alice.take_outgoing()) < 17
        pair.alice.set_pacing_rate(None)
        assert pair.alice.transport_statistics().paced_bytes == 0


def test_nothing_waits_longer_than_pacing_may_hold_it() -> None:
    session = MediaSession(pacing_rate=10_000)
    with contextlib.closing(session):
        session.start(
            profile=PROFILE, send_key=os.urandom(KEY_SIZE), receive_key=os.urandom(KEY_SIZE)
        )
        sender = session.add_sender(ssrc=1, payload_type=96, codec="vp8", protection=False)
        session.send_frame(sender, vp8_frame(50_000), rtp_timestamp=1)
        taken: list[bytes] = []
        assert eventually(lambda: len(taken.extend(session.take_outgoing()) or taken) >= 43)
        assert session.transport_statistics().datagrams_overdue > 30


@pytest.mark.parametrize("rate", [0, -1, 9_999])
def test_a_pacing_rate_that_is_none_is_refused(rate: int) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="pacing_rate: at least 10,000"):
        MediaSession(pacing_rate=rate)
    with (
        contextlib.closing(MediaSession()) as session,
        pytest.raises(errors.InvalidArgumentError, match="rate: at least 10,000"),
    ):
        session.set_pacing_rate(rate)
