"""What the native router makes of the streams that a publisher sends: sizes, SSRCs, RTCP back."""

from __future__ import annotations

import contextlib
import os
import struct
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from native_pair import PROFILE, rtp_packet, vp8_frame

from sealroom import errors, rtp, srtp
from sealroom._core.sfu import Router, RouterTransport

OPUS = 111


class Publisher:
    """A transport of a router whose far end is bare SRTP."""

    def __init__(self, profile: srtp.Profile = PROFILE) -> None:
        self.router = Router()
        self.transport = self.router.create_transport(extensions={"mid": 1})
        size = sum(srtp.master_size(profile))
        key, back = os.urandom(size), os.urandom(size)
        self.transport.start(profile=profile, send_key=back, receive_key=key)
        self.srtp = srtp.Sender(profile=profile, master=key)
        self.srtp_back = srtp.Receiver(profile=profile, master=back)

    def add_producer(self, **producer: Any) -> int:
        return self.router.add_producer(
            self.transport, **{"mid": "m", "payload_type": OPUS, "codec": "opus", **producer}
        )

    def send(self, sequence: int, payload: bytes = b"sound", **header: Any) -> bytes:
        header = {"ssrc": 7, "payload_type": OPUS, "timestamp": 0, **header}
        datagram = bytes(self.srtp.protect_rtp(rtp_packet(sequence, payload=payload, **header)))
        self.transport.receive_datagram(datagram)
        return datagram

    @property
    def counts(self) -> tuple[int, int]:
        statistics = self.router.statistics()
        return statistics.packets_received, statistics.packets_rejected


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    publisher = Publisher()
    with contextlib.closing(publisher.transport):
        yield publisher


def add_subscriber(router: Router, producer: int) -> RouterTransport:
    """With the profile that adds most to a packet."""
    profile = srtp.Profile.AEAD_AES_256_GCM
    size = sum(srtp.master_size(profile))
    transport = router.create_transport(extensions={"mid": 1})
    transport.start(profile=profile, send_key=os.urandom(size), receive_key=os.urandom(size))
    router.add_consumer(transport, producer, ssrc=9, payload_type=OPUS, mid="0")
    return transport


def test_packets_too_large_for_a_subscriber_do_not_wind_its_numbers_back() -> None:
    publisher = Publisher(srtp.Profile.AES128_CM_SHA1_80)
    producer = publisher.add_producer(ssrc=7)
    subscribed = add_subscriber(publisher.router, producer)
    with contextlib.closing(publisher.transport), contextlib.closing(subscribed):
        # The largest UDP payload of IPv6; sealed under the subscriber's profile it is none.
        oversized = bytes(65_527 - 12 - publisher.srtp.rtp_overhead)
        publisher.send(1000)
        publisher.send(1001)
        for step in range(1, 9):
            publisher.send(1000 + 4096 * step)
        for step in range(9, 17):
            publisher.send(1000 + 4096 * step, oversized)
        # The number of the second packet once more, by SRTP's 16 bits.
        publisher.send(1000 + 65_537, b"other")
        publisher.send(1000 + 65_538, b"more")
        sealed = defaultdict(set)
        for datagram in subscribed.take_outgoing():
            if not rtp.is_rtcp(datagram):
                sealed[datagram[2:4]].add(bytes(datagram))
        assert len(sealed) == 2 + 8 + 2
        assert [number for number, packets in sealed.items() if len(packets) > 1] == []
        assert publisher.counts == (12, 8)


@pytest.mark.parametrize(("size", "passes"), [(1500, True), (1501, False)])
def test_a_packet_that_could_not_be_sent_again_is_refused(
    publisher: Publisher, size: int, passes: bool
) -> None:
    publisher.add_producer(ssrc=7)
    publisher.send(1, bytes(size - 12))
    assert publisher.counts == (int(passes), int(not passes))


def test_tracks_that_come_and_go_do_not_use_a_transport_up(publisher: Publisher) -> None:
    first = publisher.add_producer(ssrc=7)
    recorded = publisher.send(0)
    for number in range(6000):
        ssrc = 1000 + number
        producer = publisher.add_producer(mid="w", ssrc=ssrc)
        publisher.send(0, ssrc=ssrc)
        publisher.srtp.remove_stream(ssrc)
        publisher.router.remove_producer(producer)
    assert publisher.counts == (6001, 0)
    # The stream that has a producer all the time is none of those that were given up.
    publisher.transport.receive_datagram(recorded)
    publisher.send(1)
    assert publisher.counts == (6002, 1)
    assert publisher.router.producer_statistics(first).packets_received == 2


def test_streams_that_no_producer_ever_took_do_not_use_a_transport_up(
    publisher: Publisher,
) -> None:
    for ssrc in range(1000, 1000 + 4096):
        publisher.send(0, ssrc=ssrc)
        publisher.srtp.remove_stream(ssrc)
    publisher.add_producer()
    publisher.send(0, mid="m")
    assert publisher.counts == (1, 4096)


def test_senders_of_rtcp_alone_do_not_use_a_transport_up(publisher: Publisher) -> None:
    for ssrc in range(1000, 1000 + 4096):
        publisher.transport.receive_datagram(
            publisher.srtp.protect_rtcp(struct.pack("!BBHI", 0x80, 201, 1, ssrc))
        )
        publisher.srtp.remove_stream(ssrc)
    publisher.add_producer(ssrc=7)
    publisher.send(0)
    assert publisher.counts == (1, 0)


def test_a_stream_that_was_given_up_is_refused_for_good(publisher: Publisher) -> None:
    producer = publisher.add_producer(ssrc=7)
    recorded = publisher.send(0, mid="m")
    publisher.router.remove_producer(producer)
    for ssrc in range(1000, 1000 + 1100):
        publisher.router.remove_producer(publisher.add_producer(ssrc=ssrc))
    with pytest.raises(errors.InvalidArgumentError, match=r"ssrc.*given up"):
        publisher.add_producer(ssrc=7)
    publisher.add_producer()  # which its old packets, and new ones, would be taken for
    publisher.transport.receive_datagram(recorded)
    publisher.send(1, mid="m")
    assert publisher.counts == (1, 2)


def test_a_track_may_be_sent_again_after_its_producer_was_removed(publisher: Publisher) -> None:
    publisher.router.remove_producer(publisher.add_producer(ssrc=7))
    for ssrc in range(1000, 1000 + 500):
        publisher.router.remove_producer(publisher.add_producer(ssrc=ssrc))
    publisher.add_producer(ssrc=7)
    publisher.send(0)
    assert publisher.counts == (1, 0)


def test_more_producers_than_srtp_has_places_for_are_refused(publisher: Publisher) -> None:
    for ssrc in range(1000, 1000 + 3040):
        publisher.add_producer(ssrc=ssrc)
    with pytest.raises(errors.LimitExceededError):
        publisher.add_producer(ssrc=7)


def rtcp_types(compound: bytes) -> list[int]:
    types = []
    while compound:
        types.append(compound[1])
        compound = compound[4 * (int.from_bytes(compound[2:4]) + 1) :]
    return types


def test_what_a_publisher_is_asked_for_comes_in_whole_compounds(publisher: Publisher) -> None:
    producer = publisher.add_producer(mid="v", payload_type=96, codec="vp8", ssrc=7)
    with contextlib.closing(add_subscriber(publisher.router, producer)):
        asked: set[int] = set()
        for sequence in (1, 2, 5, 6):  # a gap, and a key frame that the subscriber waits for
            publisher.send(sequence, b"\x10" + vp8_frame(50, key=False), payload_type=96)
        deadline = time.monotonic() + 10
        while not asked >= {205, 206} and time.monotonic() < deadline:
            for datagram in publisher.transport.take_outgoing():
                types = rtcp_types(publisher.srtp_back.unprotect_rtcp(datagram))
                assert types[:2] == [201, 202]  # RR and SDES, RFC 3550 section 6.1
                asked |= set(types)
            time.sleep(0.005)
        assert asked >= {205, 206}
