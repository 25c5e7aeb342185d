"""Sockets as applications hand them over, with options of their own, and none left to have."""

from __future__ import annotations

import os
import resource
import socket
import sys
import time

import pytest
from native_pair import Pair, vp8_frame

from sealroom._core.session import MediaSession
from sealroom._core.sfu import Router

linux = pytest.mark.skipif(sys.platform != "linux", reason="these socket options are Linux's")

SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING = 29, 35, 37
IP_RECVTOS, IP_PKTINFO, IP_RECVTTL, IP_RECVERR = 13, 8, 12, 11


def connected() -> tuple[socket.socket, socket.socket]:
    one, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for end in (one, other):
        end.bind(("127.0.0.1", 0))
    one.connect(other.getsockname())
    other.connect(one.getsockname())
    return one, other


@linux
@pytest.mark.parametrize(
    "options",
    [
        [(socket.SOL_SOCKET, SO_TIMESTAMP)],
        [(socket.SOL_SOCKET, SO_TIMESTAMPNS)],
        [
            (socket.SOL_SOCKET, SO_TIMESTAMPNS),
            (socket.IPPROTO_IP, IP_PKTINFO),
            (socket.IPPROTO_IP, IP_RECVTOS),
            (socket.IPPROTO_IP, IP_RECVTTL),
        ],
    ],
    ids=["timestamp", "timestampns", "timestampns_pktinfo_tos_ttl"],
)
def test_media_comes_through_a_socket_whose_opener_asked_for_other_control_data(
    options: list[tuple[int, int]],
) -> None:
    pair = Pair()
    one, other = connected()
    for level, option in options:
        other.setsockopt(level, option, 1)
    pair.alice.attach_socket(one.detach())
    pair.bob.attach_socket(other.detach())
    pair.alice.send_frame(pair.sender, vp8_frame(60_000), rtp_timestamp=1)
    sent = pair.alice.transport_statistics().datagrams_sent
    assert sent > 40
    end = time.monotonic() + 5
    while pair.bob.transport_statistics().datagrams_received < sent and time.monotonic() < end:
        time.sleep(0.01)
    assert pair.bob.transport_statistics().datagrams_received >= sent
    assert pair.bob.statistics().datagrams_rejected == 0
    pair.close()


@linux
def test_an_error_queue_that_nobody_would_read_is_switched_off() -> None:
    ours, peer = connected()
    ours.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    with ours.dup() as kept, peer:
        session = MediaSession()
        session.attach_socket(ours.detach())
        assert kept.getsockopt(socket.IPPROTO_IP, IP_RECVERR) == 0
        session.close()


def test_a_router_out_of_descriptors_says_so_and_is_as_before() -> None:
    router = Router()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        for _ in range(10_050):  # more than the transports that a router may have
            with pytest.raises(OSError, match="eventfd"):
                router.create_transport(extensions={})
        with pytest.raises(OSError, match="Too many open files"):
            MediaSession()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    router.create_transport(extensions={}).close()


def test_counters_of_pacing_stay_when_pacing_ends() -> None:
    pair = Pair()
    one, other = connected()
    pair.alice.attach_socket(one.detach())
    pair.bob.attach_socket(other.detach())
    pair.alice.set_pacing_rate(100_000)
    pair.alice.send_frame(pair.sender, vp8_frame(20_000), rtp_timestamp=1)
    end = time.monotonic() + 5
    while pair.alice.transport_statistics().datagrams_delayed == 0 and time.monotonic() < end:
        time.sleep(0.01)
    before = pair.alice.transport_statistics()
    assert before.datagrams_delayed > 0
    pair.alice.set_pacing_rate(None)
    after = pair.alice.transport_statistics()
    assert after.datagrams_delayed >= before.datagrams_delayed
    assert after.datagrams_overdue >= before.datagrams_overdue
    assert after.paced_bytes == 0
    pair.close()
