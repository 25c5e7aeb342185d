"""What of a burst goes out again behind a quiet time: a key frame on a screen that stood still."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence

from native_pair import KEY_SIZE, PROFILE, vp8_frame
from test_native_router import EXTENSIONS

from sealroom import rtp, srtp
from sealroom._core.session import MediaSession
from sealroom._core.sfu import Router

# The share is a quarter of the bytes of a second and 16 KiB: of a frame this large 65 packets, and
# 30 if it counted as sent over all of the quiet time.
FRAME_SIZE = 250_000
LOST = 55
QUIET = 3.0


class Receiver:
    """Loses packets and asks for them, once."""

    def __init__(self) -> None:
        self.send_key, self.receive_key = os.urandom(KEY_SIZE), os.urandom(KEY_SIZE)
        self._srtcp = srtp.Sender(profile=PROFILE, master=self.send_key)

    def ask(self, datagrams: Sequence[bytes], ssrc: int) -> bytes:
        numbers = [rtp.parse_rtp(datagram).sequence_number for datagram in datagrams]
        return bytes(self._srtcp.protect_rtcp(rtp.write_nack(1, ssrc, numbers)))


def media_of(datagrams: Sequence[bytes]) -> list[bytes]:
    return [datagram for datagram in datagrams if not rtp.is_rtcp(datagram)]


def test_a_sender_repairs_the_burst_after_a_quiet_time() -> None:
    receiver = Receiver()
    with contextlib.closing(MediaSession(extensions=EXTENSIONS)) as session:
        session.start(profile=PROFILE, send_key=receiver.receive_key, receive_key=receiver.send_key)
        sender = session.add_sender(ssrc=7, payload_type=96, codec="vp8", protection=False)
        session.send_frame(sender, vp8_frame(300), rtp_timestamp=0)
        time.sleep(QUIET)
        session.take_outgoing()
        session.send_frame(sender, vp8_frame(FRAME_SIZE), rtp_timestamp=3000)
        lost = media_of(session.take_outgoing())[:LOST]
        session.receive_datagram(receiver.ask(lost, 7))
        assert len(media_of(session.take_outgoing())) == LOST


def test_the_router_repairs_the_burst_after_a_quiet_time() -> None:
    receiver = Receiver()
    router = Router()
    published = router.create_transport(extensions=EXTENSIONS)
    subscribed = router.create_transport(extensions=EXTENSIONS)
    publisher = MediaSession(extensions=EXTENSIONS)
    with contextlib.closing(publisher), contextlib.closing(subscribed):
        one, other = os.urandom(KEY_SIZE), os.urandom(KEY_SIZE)
        published.start(profile=PROFILE, send_key=one, receive_key=other)
        publisher.start(profile=PROFILE, send_key=other, receive_key=one)
        subscribed.start(
            profile=PROFILE, send_key=receiver.receive_key, receive_key=receiver.send_key
        )
        sender = publisher.add_sender(
            ssrc=5, payload_type=96, codec="vp8", mid="v", protection=False
        )
        producer = router.add_producer(published, mid="v", ssrc=5, payload_type=96, codec="vp8")
        router.add_consumer(subscribed, producer, ssrc=9, payload_type=97, mid="v")

        def forwarded(size: int, timestamp: int) -> list[bytes]:
            publisher.send_frame(sender, vp8_frame(size), rtp_timestamp=timestamp)
            for datagram in publisher.take_outgoing():
                published.receive_datagram(datagram)
            return media_of(subscribed.take_outgoing())

        assert len(forwarded(300, 0)) == 1
        time.sleep(QUIET)
        lost = forwarded(FRAME_SIZE, 3000)[:LOST]
        subscribed.receive_datagram(receiver.ask(lost, 9))
        assert len(media_of(subscribed.take_outgoing())) == LOST
        published.close()
