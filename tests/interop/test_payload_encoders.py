"""Frames of real encoders through packets and back, at several packet sizes."""

from __future__ import annotations

import pytest
from payload_support import (
    ENCODERS,
    HEIGHT,
    WIDTH,
    canonical,
    decode,
    encoded_frames,
    is_key_frame,
    opus_packets,
    pictures,
    shows_key_frame,
)

from sealroom import rtp


@pytest.mark.parametrize("max_payload", [40, 333, 1150, 1400])
@pytest.mark.parametrize("codec", ENCODERS)
class TestVideo:
    def test_frames_come_back(self, codec: str, max_payload: int) -> None:
        packetizer = rtp.Packetizer(codec)
        frames = encoded_frames(codec)
        assert max(len(frame) for frame in frames) > 3 * max_payload
        for frame in frames:
            payloads = packetizer.packetize(frame, max_payload)
            assert max(len(payload) for payload in payloads) <= max_payload
            assert rtp.assemble_frame(codec, payloads) == canonical(codec, frame)

    def test_starts_and_key_frames_are_known_from_the_packets(
        self, codec: str, max_payload: int
    ) -> None:
        packetizer = rtp.Packetizer(codec)
        keys = []
        for frame in encoded_frames(codec):
            payloads = packetizer.packetize(frame, max_payload)
            first = rtp.depacketize(codec, payloads[0])
            assert first.starts_frame
            keys.append(shows_key_frame(codec, payloads))
            assert keys[-1] == is_key_frame(codec, frame)
            if codec in ("vp8", "vp9"):
                assert not any(rtp.depacketize(codec, p).starts_frame for p in payloads[1:])
        assert keys[0]
        assert not all(keys)

    def test_decoded_pictures_are_the_same(self, codec: str, max_payload: int) -> None:
        packetizer = rtp.Packetizer(codec)
        frames = list(encoded_frames(codec))
        joined = [
            rtp.assemble_frame(codec, packetizer.packetize(frame, max_payload)) for frame in frames
        ]
        assert decode(codec, joined) == decode(codec, frames)
        assert len(decode(codec, joined)) == len(pictures(len(frames)))


@pytest.mark.parametrize("codec", ["vp8", "vp9"])
def test_packets_of_a_frame_are_equal_but_the_last(codec: str) -> None:
    packetizer = rtp.Packetizer(codec)
    for frame in encoded_frames(codec):
        sizes = [len(payload) for payload in packetizer.packetize(frame, 1150)]
        assert len(set(sizes[:-1])) <= 1
        assert sizes[-1] <= sizes[0]


def test_packets_of_an_av1_frame_are_equal_but_the_last() -> None:
    packetizer = rtp.Packetizer("av1")
    for frame in encoded_frames("av1"):
        sizes = [len(payload) for payload in packetizer.packetize(frame, 1150)]
        assert len(set(sizes[:-1])) <= 1
        assert sizes[-1] <= sizes[0]


def test_the_size_of_a_vp9_key_frame_is_in_its_descriptor() -> None:
    payload = rtp.Packetizer("vp9").packetize(encoded_frames("vp9")[0], 1150)[0]
    assert payload[0] & 0b01000010 == 0b10  # V without P
    assert payload[5] == 0b00011000  # one layer, Y, G
    assert payload[6:10] == WIDTH.to_bytes(2, "big") + HEIGHT.to_bytes(2, "big")


def test_an_opus_packet_is_its_payload() -> None:
    packetizer = rtp.Packetizer("opus")
    for packet in opus_packets():
        assert packetizer.packetize(packet, 1150) == [packet]
        assert rtp.assemble_frame("opus", [packet]) == packet
