"""Encoders that repeat their headers before every picture: these alone make no key frame."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Sequence

import pytest
from test_native_router import Call, frames_of

from sealroom import jitter, rtp, sframe
from sealroom.media.video_codecs import is_key_frame

START = b"\0\0\0\1"
SPS, PPS = bytes.fromhex("6742c01e"), bytes.fromhex("68ce3c80")
BODY = bytes(range(128, 228)) * 15
IDR, INTRA, DELTA = b"\x65\x88" + BODY, b"\x41\xb8" + BODY, b"\x41\x9a" + BODY
SEVENTH = b"\x41\x88" + BODY  # slice_type 7: all slices of the picture are I
# Messages of a NAL unit: user data of 17 bytes in which 00 00 is escaped, then a recovery point.
RECOVERY = bytes.fromhex("060511" + "00" * 2 + "03" + "00" * 2 + "03" + "61" * 13 + "060184" + "80")
NO_RECOVERY = bytes.fromhex("0605020606" + "80")
DELIMITER = bytes.fromhex("0930")


def annex_b(*units: bytes) -> bytes:
    return b"".join(START + unit for unit in units)


class Stream:
    """Sequence numbers and times of the packets of one stream."""

    def __init__(self) -> None:
        self.number = 65_530
        self.timestamp = 0

    def packets(self, payloads: Sequence[bytes], *, markers: Sequence[int] = ()) -> list[bytes]:
        """Of one frame; its last packet is marked, and those of `markers`."""
        self.timestamp += 3000
        made = []
        for i, payload in enumerate(payloads):
            marker = 0x80 if i + 1 == len(payloads) or i in markers else 0
            head = (0x80, 96 | marker, self.number & 0xFFFF, self.timestamp, 7)
            made.append(struct.pack("!BBHII", *head) + payload)
            self.number += 1
        return made

    def frame(self, codec: str, frame: bytes) -> list[bytes]:
        return self.packets(rtp.Packetizer(codec).packetize(frame, 1200))


@pytest.mark.parametrize(
    ("units", "is_key"),
    [
        ([SPS, PPS, DELTA], False),
        ([DELIMITER, SPS, PPS, NO_RECOVERY, DELTA], False),
        ([INTRA], False),
        ([RECOVERY, DELTA], False),
        ([SPS, PPS, INTRA], True),
        ([SPS, PPS, SEVENTH], True),
        ([SPS, PPS, RECOVERY, DELTA], True),  # intra refresh
        ([RECOVERY, SPS, PPS, DELTA], True),
        ([SPS, PPS, IDR], True),
        ([IDR], True),
        ([SPS, PPS], True),  # of a frame of their own, which others wait for
        ([SPS, PPS, DELTA, IDR], False),  # what the first slice is, all of them are
    ],
)
def test_h264_key_frames_are_told_by_their_first_slice(units: list[bytes], is_key: bool) -> None:
    frame = annex_b(*units)
    assert rtp.read_frame_info("h264", frame).is_key_frame is is_key
    assert is_key_frame("h264", frame) is is_key


SEQUENCE_HEADER = bytes.fromhex("0a0b00000024cfbfef8d000200")
STILL_SEQUENCE_HEADER = bytes.fromhex("0a0118")


@pytest.mark.parametrize(
    ("frame", "is_key"),
    [
        (SEQUENCE_HEADER + bytes.fromhex("320210aa"), True),
        (SEQUENCE_HEADER + bytes.fromhex("1a0210aa"), True),  # an OBU_FRAME_HEADER
        (bytes.fromhex("1200") + SEQUENCE_HEADER + bytes.fromhex("2a01ff320210aa"), True),
        (SEQUENCE_HEADER + bytes.fromhex("320230aa"), False),  # inter
        (SEQUENCE_HEADER + bytes.fromhex("320250aa"), False),  # intra-only
        (SEQUENCE_HEADER + bytes.fromhex("1a0190"), False),  # shown again
        (STILL_SEQUENCE_HEADER + bytes.fromhex("320230aa"), True),  # without these fields
        (bytes.fromhex("320210aa"), False),
        (bytes.fromhex("320230aa") + SEQUENCE_HEADER, False),
        (SEQUENCE_HEADER, True),
    ],
)
def test_av1_key_frames_are_told_by_their_first_frame(frame: bytes, is_key: bool) -> None:
    assert rtp.read_frame_info("av1", frame).is_key_frame is is_key
    assert is_key_frame("av1", frame) is is_key


def test_a_packetizer_takes_a_sequence_header_before_what_may_be_ciphertext_for_a_key_frame() -> (
    None
):
    payload = rtp.Packetizer("av1").packetize(SEQUENCE_HEADER + b"\x30\x30\xaa", 1200)[0]
    assert rtp.depacketize("av1", payload).is_key_frame
    told = rtp.Packetizer("av1").packetize(
        SEQUENCE_HEADER + b"\x30\x30\xaa", 1200, is_key_frame=False
    )
    assert not rtp.depacketize("av1", told[0]).is_key_frame


def test_parameter_sets_alone_are_not_marked_as_a_key_frame() -> None:
    def shown(*units: bytes) -> list[tuple[bool, bool]]:
        payloads = rtp.Packetizer("h264").packetize(annex_b(*units), 300)
        parts = [rtp.depacketize("h264", payload) for payload in payloads]
        return [(part.starts_frame, part.is_key_frame) for part in parts][:2]

    assert shown(SPS, PPS, IDR) == [(True, False), (True, True)]
    assert shown(SPS, PPS, INTRA) == [(True, False), (True, False)]
    assert shown(SPS, PPS, DELTA) == [(True, False), (True, False)]
    assert shown(SPS, PPS, RECOVERY, DELTA) == [(True, True), (True, False)]
    assert shown(SPS, PPS, DELTA[:20]) == [(True, False)]
    assert shown(SPS, PPS, INTRA[:20]) == [(True, True)]


def test_whoever_joins_at_a_delta_frame_with_headers_waits_for_a_key_frame() -> None:
    stream, buffer = Stream(), jitter.VideoJitterBuffer("h264")
    for i in range(20):
        buffer.insert(stream.frame("h264", annex_b(SPS, PPS, DELTA)), now=i / 30)
        buffer.handle_timeout(i / 30)
    assert buffer.pop() == []
    assert buffer.take_key_frame_request(20 / 30)
    buffer.insert(stream.frame("h264", annex_b(SPS, PPS, IDR)), now=21 / 30)
    buffer.insert(stream.frame("h264", annex_b(SPS, PPS, DELTA)), now=22 / 30)
    frames = buffer.pop()
    assert [frame.is_key_frame for frame in frames] == [True, False]
    assert frames[0].data.tobytes() == annex_b(SPS, PPS, IDR)


def test_a_loss_is_not_resumed_from_at_a_delta_frame_with_headers() -> None:
    stream, buffer = Stream(), jitter.VideoJitterBuffer("h264")
    got, requests = [], 0
    for i in range(60):
        slices = IDR if i in (0, 50) else DELTA
        sent = stream.frame("h264", annex_b(SPS, PPS, slices))
        if not 10 <= i < 13:
            buffer.insert(sent, now=i / 30)
        buffer.handle_timeout(i / 30)
        buffer.take_nacks(i / 30)
        got += [(frame.timestamp // 3000 - 1, frame.is_key_frame) for frame in buffer.pop()]
        requests += buffer.take_key_frame_request(i / 30)
    assert got == [(i, i in (0, 50)) for i in [*range(10), *range(50, 60)]]
    assert requests > 0


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 3, 0, 1], [1, 0, 3, 2]])
@pytest.mark.parametrize("slices", [[RECOVERY, DELTA], [NO_RECOVERY, INTRA]])
def test_streams_without_idr_start_whatever_packets_their_units_lie_in(
    slices: list[bytes], order: list[int]
) -> None:
    stream, buffer = Stream(), jitter.VideoJitterBuffer("h264")
    buffer.insert(stream.packets([DELTA]), now=0.0)
    sent = stream.packets([SPS, PPS, *(one[:40] for one in slices)])
    for i in order:
        assert buffer.pop() == []
        buffer.insert([sent[i]], now=0.033)
    buffer.insert(stream.packets([DELTA]), now=0.066)
    frames = buffer.pop()
    assert [frame.is_key_frame for frame in frames] == [True, False]
    assert frames[0].data.tobytes() == annex_b(SPS, PPS, *(one[:40] for one in slices))


def test_an_i_slice_without_parameter_sets_starts_no_stream() -> None:
    stream, buffer = Stream(), jitter.VideoJitterBuffer("h264")
    for i in range(20):
        buffer.insert(stream.frame("h264", annex_b(INTRA)), now=i / 30)
        buffer.handle_timeout(i / 30)
    assert buffer.pop() == []
    assert buffer.take_key_frame_request(20 / 30)


def test_parameter_sets_that_a_camera_marks_as_a_frame_start_the_stream() -> None:
    stream, buffer = Stream(), jitter.VideoJitterBuffer("h264")
    buffer.insert(stream.packets([SPS, PPS, IDR[:40]], markers=[0, 1]), now=0.0)
    assert b"".join(frame.data.tobytes() for frame in buffer.pop()) == annex_b(SPS, PPS, IDR[:40])


def test_end_to_end_encrypted_frames_tell_the_same() -> None:
    secret = os.urandom(32)
    sender = sframe.Sender(suite=4, key_id=1, base_key=secret)
    stream, buffer = Stream(), jitter.VideoJitterBuffer("h264")
    for i, slices in enumerate([DELTA, DELTA, INTRA, DELTA, IDR]):
        frame = sframe.protect_frame(sender, "h264", annex_b(SPS, PPS, slices))
        buffer.insert(stream.frame("h264", frame), now=i / 30)
    got = [(frame.timestamp // 3000 - 1, frame.is_key_frame) for frame in buffer.pop()]
    assert got == [(2, True), (3, False), (4, True)]


@pytest.mark.parametrize(
    ("key_frame", "order"),
    [
        (annex_b(SPS, PPS, IDR), [0, 1, 2]),
        (annex_b(SPS, PPS, INTRA), [0, 1, 2]),
        (annex_b(SPS, PPS, INTRA), [1, 0, 2]),
        (annex_b(SPS, PPS, RECOVERY, DELTA), [1, 2, 0]),
    ],
)
def test_a_subscriber_of_a_router_is_not_begun_with_a_delta_frame_with_headers(
    key_frame: bytes, order: list[int]
) -> None:
    with contextlib.closing(Call("h264")) as call:
        call.subscribe()
        for slices in (DELTA, INTRA):
            headers = (SPS, PPS) if slices is DELTA else ()
            for datagram in call.datagrams(annex_b(*headers, slices)):
                call.published.receive_datagram(datagram)
        assert call.subscribed.take_outgoing() == []
        sent = call.datagrams(key_frame)
        assert len(sent) == 3
        for i in order:
            call.published.receive_datagram(sent[i])
        for datagram in call.datagrams(annex_b(SPS, PPS, DELTA)):
            call.published.receive_datagram(datagram)
        assert frames_of(call) == [key_frame, annex_b(SPS, PPS, DELTA)]
