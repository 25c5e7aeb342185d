"""H.264 and VP8 payloads with aiortc's packetizers and depacketizers, both ways."""

from __future__ import annotations

import pytest
from aiortc.codecs.h264 import H264Encoder, h264_depayload
from aiortc.codecs.vpx import vp8_depayload
from hypothesis import given
from hypothesis import strategies as st
from payload_support import annex_b, canonical, decode, encoded_frames, pictures, split_annex_b

from sealroom import rtp
from sealroom.errors import SealroomError


def nal_units(max_size: int) -> st.SearchStrategy[bytes]:
    """Of types that are no packets, without emulated start codes or a zero at the end."""
    body = st.binary(max_size=max_size).map(lambda data: data.replace(b"\0", b"\2"))
    header = st.tuples(st.integers(0, 3), st.integers(1, 23)).map(lambda t: t[0] << 5 | t[1])
    return st.tuples(header, body).map(lambda parts: bytes([parts[0]]) + parts[1])


class TestH264:
    def test_we_read_what_its_encoder_sends(self) -> None:
        encoder = H264Encoder()
        frames, theirs = [], []
        for picture in pictures(8):
            payloads, _ = encoder.encode(picture)
            frames.append(rtp.assemble_frame("h264", payloads))
            theirs.append(b"".join(map(h264_depayload, payloads)))
            assert rtp.depacketize("h264", payloads[0]).starts_frame
        assert frames == theirs
        assert len(decode("h264", frames)) == 8

    @pytest.mark.parametrize("max_payload", [100, 1150])
    def test_it_reads_what_we_send(self, max_payload: int) -> None:
        packetizer = rtp.Packetizer("h264")
        for frame in encoded_frames("h264"):
            payloads = packetizer.packetize(frame, max_payload)
            assert b"".join(map(h264_depayload, payloads)) == canonical("h264", frame)

    def test_its_packetizer_and_ours_carry_the_same_frames(self) -> None:
        for frame in encoded_frames("h264"):
            payloads = H264Encoder._packetize(split_annex_b(frame))
            assert rtp.assemble_frame("h264", payloads) == canonical("h264", frame)

    # Payloads below 3 bytes its parser refuses.
    @given(st.lists(nal_units(400), min_size=1, max_size=8), st.integers(60, 500))
    def test_any_nal_units(self, units: list[bytes], max_payload: int) -> None:
        payloads = rtp.Packetizer("h264").packetize(annex_b(units), max_payload)
        assert rtp.assemble_frame("h264", payloads) == annex_b(units)
        if all(len(payload) > 1 for payload in payloads):
            assert b"".join(map(h264_depayload, payloads)) == annex_b(units)
        assert rtp.assemble_frame("h264", H264Encoder._packetize(units)) == annex_b(units)

    @given(st.binary(min_size=3, max_size=64))  # below, its parser joins nothing to nothing
    def test_what_both_accept_they_read_alike(self, payload: bytes) -> None:
        try:
            ours = rtp.depacketize("h264", payload).data
        except SealroomError:
            return
        assert ours == h264_depayload(payload)


class TestVp8:
    @pytest.mark.parametrize("max_payload", [100, 1150])
    def test_it_reads_what_we_send(self, max_payload: int) -> None:
        packetizer = rtp.Packetizer("vp8")
        for frame in encoded_frames("vp8"):
            payloads = packetizer.packetize(frame, max_payload)
            assert b"".join(map(vp8_depayload, payloads)) == frame
