"""What a native session makes of the streams that a peer sends: new SSRCs, late ones, padding."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

import pytest
from native_pair import KEY_SIZE, PROFILE, rtp_packet, vp8_frame

from sealroom import errors, srtp
from sealroom._core.session import FrameReceived, MediaSession


class Peer:
    """A session with one receiver, and the other end as bare SRTP."""

    def __init__(self, codec: str, **receiver: Any) -> None:
        key = os.urandom(KEY_SIZE)
        self.session = MediaSession(extensions={"mid": 1})
        self.session.start(profile=PROFILE, send_key=os.urandom(KEY_SIZE), receive_key=key)
        self.type = 111 if codec == "opus" else 96
        self.codec = codec
        self.receiver = self.add_receiver(mid="m", **receiver)
        self.srtp = srtp.Sender(profile=PROFILE, master=key)

    def add_receiver(self, **receiver: Any) -> int:
        return self.session.add_receiver(
            payload_type=self.type, codec=self.codec, protection=False, **receiver
        )

    def send(self, sequence: int, payload: bytes, **header: Any) -> bytes:
        header = {"ssrc": 7, "payload_type": self.type, "timestamp": 0, "mid": "m", **header}
        datagram = bytes(
            self.srtp.protect_rtp(rtp_packet(sequence, payload=payload, **header)),
        )
        self.session.receive_datagram(datagram)
        return datagram

    def video(self, sequence: int, ssrc: int, *, key: bool = False) -> None:
        self.send(
            sequence,
            b"\x10" + vp8_frame(50, key=key),
            ssrc=ssrc,
            timestamp=3000 * sequence,
            marker=True,
        )

    def rtx(self, sequence: int, ssrc: int, original: int) -> None:
        """Packet `original` of a stream of `video`, again."""
        self.send(
            sequence,
            original.to_bytes(2) + b"\x10" + vp8_frame(50, key=False),
            ssrc=ssrc,
            payload_type=97,
            timestamp=3000 * original,
            marker=True,
        )

    @property
    def frames(self) -> int:
        return self.session.receiver_statistics(self.receiver).frames_received

    def close(self) -> None:
        self.session.close()


def test_a_late_packet_of_the_old_stream_does_not_end_the_new_one() -> None:
    with contextlib.closing(Peer("vp8")) as peer:
        peer.video(0, ssrc=7, key=True)
        peer.video(0, ssrc=8, key=True)
        peer.video(1, ssrc=7)
        for sequence in range(1, 11):
            peer.video(sequence, ssrc=8)
        assert peer.frames == 1 + 11
        assert peer.session.statistics().datagrams_unrouted == 1


def test_streams_that_take_turns_packet_by_packet_restart_nothing() -> None:
    with contextlib.closing(Peer("vp8")) as peer:
        for sequence in range(50):
            for ssrc in range(7, 22):
                peer.video(sequence, ssrc=ssrc, key=sequence == 0)
        # Each new stream once, up to the bound on such changes; then the last of them alone.
        assert peer.frames == 9 + 49
        assert peer.session.statistics().datagrams_unrouted == 50 * 15 - 9 - 49


@pytest.mark.parametrize("named", [{}, {"rtx_ssrc": 70}], ids=["latched", "named"])
def test_a_late_retransmission_of_the_old_stream_is_none_of_the_new_one(
    named: dict[str, int],
) -> None:
    with contextlib.closing(Peer("vp8", rtx_payload_type=97, **named)) as peer:
        for sequence in range(30_000, 30_010):
            peer.video(sequence, ssrc=7, key=sequence == 30_000)
        peer.rtx(0, 70, 30_009)
        for sequence in range(100, 105):
            peer.video(sequence, ssrc=8, key=sequence == 100)
        peer.rtx(1, 70, 30_005)  # its number would throw away all that the new stream sends
        for sequence in range(105, 110):
            peer.video(sequence, ssrc=8)
        assert peer.frames == 10 + 10
        assert peer.session.statistics().datagrams_unrouted == 1
        peer.video(111, ssrc=8)
        peer.rtx(0, 80, 110)  # the new one has retransmissions of its own
        peer.rtx(2, 70, 30_006)
        peer.video(113, ssrc=8)
        peer.rtx(1, 80, 112)
        assert peer.frames == 10 + 14
        statistics = peer.session.receiver_statistics(peer.receiver)
        assert statistics.retransmissions_received == 3
        assert peer.session.statistics().datagrams_unrouted == 2


def test_retransmissions_come_back_with_their_stream() -> None:
    with contextlib.closing(Peer("vp8", rtx_payload_type=97)) as peer:
        peer.video(0, ssrc=7, key=True)
        peer.rtx(0, 70, 0)
        peer.video(0, ssrc=8, key=True)
        time.sleep(3.1)
        peer.video(10, ssrc=7, key=True)
        peer.video(12, ssrc=7)
        peer.rtx(1, 70, 11)
        assert peer.frames == 5


def test_a_stream_may_come_back_when_the_one_in_its_place_is_silent() -> None:
    with contextlib.closing(Peer("vp8")) as peer:
        peer.video(0, ssrc=7, key=True)
        peer.video(0, ssrc=8, key=True)
        time.sleep(3.1)
        peer.video(1, ssrc=7, key=True)
        peer.video(2, ssrc=7)
        assert peer.frames == 4


def test_counters_go_on_when_the_stream_changes() -> None:
    with contextlib.closing(Peer("vp8")) as peer:
        for sequence in [*range(20), 25, 26]:
            peer.video(sequence, ssrc=7, key=sequence == 0)
        time.sleep(0.05)  # until what is lost has been asked for
        peer.session.take_outgoing()
        before = peer.session.receiver_statistics(peer.receiver)
        assert (before.packets_received, before.packets_lost) == (22, 5)
        assert before.nacks_sent >= 5
        peer.video(0, ssrc=8, key=True)
        after = peer.session.receiver_statistics(peer.receiver)
        assert (after.packets_received, after.packets_lost) == (23, 5)
        assert after.nacks_sent >= before.nacks_sent
        assert after.frames_received == before.frames_received + 1
        assert after.bytes_received > before.bytes_received


@pytest.mark.parametrize("red", [False, True])
def test_padding_is_no_gap_in_audio(red: bool) -> None:
    with contextlib.closing(Peer("opus", **({"red_payload_type": 63} if red else {}))) as peer:
        sent = []
        for sequence in range(10):
            is_padding = sequence == 5
            spoken = sequence - (sequence >= 5)
            payload = b"" if is_padding else bytes([sequence]) * 30
            if not is_padding:
                sent.append(payload)
            peer.send(
                sequence,
                bytes([111]) + payload if red and not is_padding else payload,
                payload_type=63 if red else 111,
                timestamp=960 * spoken,
                padding=100 if is_padding else 0,
            )
        events = [e for e in peer.session.take_events() if isinstance(e, FrameReceived)]
        assert [bytes(event.data) for event in events] == sent
        assert peer.session.receiver_statistics(peer.receiver).frames_missing == 0


def test_tracks_that_come_and_go_do_not_use_a_session_up() -> None:
    with contextlib.closing(Peer("opus")) as peer:
        first = peer.send(0, b"first", ssrc=7)
        for number in range(6000):
            ssrc = 1000 + number
            receiver = peer.add_receiver(ssrc=ssrc)
            peer.send(0, b"one", ssrc=ssrc, mid="")
            peer.srtp.remove_stream(ssrc)
            assert peer.session.receiver_statistics(receiver).frames_received == 1
            peer.session.remove_receiver(receiver)
            peer.session.take_events()
        assert peer.session.statistics().datagrams_rejected == 0
        # The stream that has a receiver all the time is none of those that were given up.
        peer.session.receive_datagram(first)
        assert peer.session.statistics().datagrams_replayed == 1
        peer.send(1, b"second", ssrc=7)
        assert peer.frames == 2


def test_streams_that_no_receiver_ever_took_do_not_use_a_session_up() -> None:
    with contextlib.closing(Peer("opus", ssrc=5)) as peer:
        for number in range(4096):
            ssrc = 1000 + number
            peer.send(0, b"one", ssrc=ssrc, mid="")
            peer.srtp.remove_stream(ssrc)
        peer.send(0, b"taken", ssrc=5)
        assert peer.frames == 1
        assert peer.session.statistics().datagrams_rejected == 0
        assert peer.session.statistics().datagrams_unrouted == 4096


def test_a_stream_that_was_given_up_is_refused_for_good() -> None:
    with contextlib.closing(Peer("opus")) as peer:
        recorded = peer.send(0, b"recorded")
        peer.session.remove_receiver(peer.receiver)
        for number in range(1100):
            receiver = peer.add_receiver(ssrc=1000 + number)
            peer.send(0, b"one", ssrc=1000 + number, mid="")
            peer.session.remove_receiver(receiver)
        peer.receiver = peer.add_receiver(mid="m")
        peer.session.receive_datagram(recorded)
        peer.send(1, b"more of it")
        assert peer.frames == 0
        assert peer.session.statistics().datagrams_rejected == 2
        with pytest.raises(errors.InvalidArgumentError, match=r"^ssrc.*given up"):
            peer.add_receiver(ssrc=7)


def test_a_track_may_be_received_again_after_its_receiver_was_removed() -> None:
    with contextlib.closing(Peer("opus")) as peer:
        peer.send(0, b"one")
        peer.session.remove_receiver(peer.receiver)
        peer.receiver = peer.add_receiver(ssrc=7)
        peer.send(1, b"two")
        assert peer.frames == 1
        assert peer.session.statistics().datagrams_rejected == 0


def test_a_member_that_knows_the_keys_cannot_end_the_process_with_packets_out_of_order() -> None:
    """Five packets did: the jitter buffer assembled a key frame of packets it had let go of."""
    with contextlib.closing(Peer("h264")) as peer:
        idr = bytes.fromhex("6580010203")
        for sequence, timestamp, payload, marker in (
            (40, 50, bytes.fromhex("7c050909"), False),
            (50, 100, idr, False),
            (60, 200, idr, False),
            (45, 200, bytes.fromhex("6742c01e"), False),
            (46, 200, idr, True),
        ):
            peer.send(sequence, payload, timestamp=timestamp, marker=marker)
        assert peer.frames == 1
