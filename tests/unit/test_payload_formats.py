"""Payload formats at the Python boundary, over arbitrary frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealroom import jitter, rtp
from sealroom.errors import InvalidArgumentError, MalformedError, UnsupportedError

VIDEO = ["vp8", "vp9", "h264", "av1"]


def leb128(value: int) -> bytes:
    low = value & 0x7F
    return bytes([low]) if value < 0x80 else bytes([low | 0x80]) + leb128(value >> 7)


@st.composite
def obus(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """An OBU with a size field, and as it comes out of packets: nothing for a delimiter."""
    kind = draw(st.integers(0, 15))
    extension = draw(st.none() | st.integers(0, 255))
    payload = draw(st.binary(max_size=300))
    head = bytes([kind << 3 | 2 | (0 if extension is None else 4)])
    if extension is not None:
        head += bytes([extension])
    whole = head + leb128(len(payload)) + payload
    return whole, b"" if kind in (2, 8) else whole


class TestRoundTrip:
    @given(
        st.sampled_from(["vp8", "vp9"]),
        st.binary(min_size=1, max_size=3000),
        st.integers(21, 1400),
        st.none() | st.booleans(),
    )
    def test_any_vp8_and_vp9_frame(
        self, codec: str, frame: bytes, max_payload: int, is_key_frame: bool | None
    ) -> None:
        payloads = rtp.Packetizer(codec).packetize(frame, max_payload, is_key_frame=is_key_frame)
        assert rtp.assemble_frame(codec, payloads) == frame
        assert max(map(len, payloads)) <= max_payload
        if codec == "vp9" and is_key_frame is not None:
            assert rtp.depacketize(codec, payloads[0]).is_key_frame == is_key_frame

    @given(st.binary(min_size=1, max_size=1200))
    def test_any_opus_packet(self, frame: bytes) -> None:
        assert rtp.assemble_frame("opus", rtp.Packetizer("opus").packetize(frame, 1200)) == frame

    @given(st.lists(obus(), min_size=1, max_size=8), st.integers(2, 1400))
    def test_any_obus(self, parts: list[tuple[bytes, bytes]], max_payload: int) -> None:
        frame = b"".join(whole for whole, _ in parts)
        expected = b"".join(kept for _, kept in parts)
        packetizer = rtp.Packetizer("av1")
        if not expected:
            with pytest.raises(InvalidArgumentError):
                packetizer.packetize(frame, max_payload)
            return
        payloads = packetizer.packetize(frame, max_payload)
        assert rtp.assemble_frame("av1", payloads) == expected
        assert max(map(len, payloads)) <= max_payload

    @given(st.sampled_from(VIDEO), st.lists(st.binary(max_size=80), min_size=1, max_size=5))
    def test_any_payloads_raise_what_is_documented(self, codec: str, payloads: list[bytes]) -> None:
        try:
            frame = rtp.assemble_frame(codec, payloads)
        except (MalformedError, UnsupportedError):
            return
        assert frame


class TestArguments:
    def test_unknown_codec_is_named(self) -> None:
        with pytest.raises(UnsupportedError, match=r"codec: 'h263'.*opus, vp8, vp9, h264, av1"):
            rtp.Packetizer("h263")
        with pytest.raises(UnsupportedError, match="'h263'"):
            rtp.assemble_frame("h263", [b"a"])

    @pytest.mark.parametrize("codec", [*VIDEO, "opus"])
    def test_empty_frame_is_refused(self, codec: str) -> None:
        with pytest.raises(InvalidArgumentError, match="frame or max_payload"):
            rtp.Packetizer(codec).packetize(b"", 1200)

    @pytest.mark.parametrize("codec", ["h264", "av1"])
    def test_what_is_not_the_codecs_format_is_refused(self, codec: str) -> None:
        with pytest.raises(InvalidArgumentError, match="Annex B"):
            rtp.Packetizer(codec).packetize(b"\xff" * 100, 1200)

    def test_no_payloads_are_no_frame(self) -> None:
        with pytest.raises(InvalidArgumentError, match="payloads"):
            rtp.assemble_frame("vp8", [])
        with pytest.raises(InvalidArgumentError, match="payloads"):
            rtp.assemble_frame("opus", [b"a", b"b"])

    def test_av1_frame_without_its_end_is_refused(self) -> None:
        payloads = rtp.Packetizer("av1").packetize(b"\x30" + bytes(100), 40)
        for wrong in (payloads[:-1], payloads[1:], payloads[::-1]):
            with pytest.raises(MalformedError):
                rtp.assemble_frame("av1", wrong)

    def test_packet_types_of_other_h264_modes_are_unsupported(self) -> None:
        with pytest.raises(UnsupportedError):
            rtp.depacketize("h264", b"\x19\0\0\0\1\x67")

    def test_any_bytes_like_is_accepted(self) -> None:
        payload = bytes.fromhex("658880")
        for view in (bytearray(payload), memoryview(payload), np.frombuffer(payload, np.uint8)):
            assert rtp.assemble_frame("h264", [view]) == b"\0\0\0\1" + payload


class TestLayers:
    def test_an_av1_packet_holds_one_layer(self) -> None:
        def obu(kind: int, layer: int | None, payload: bytes) -> bytes:
            head = kind << 3 | 2
            if layer is None:
                return bytes([head, len(payload)]) + payload
            return bytes([head | 4, layer << 3, len(payload)]) + payload

        header = obu(1, None, b"sequence")
        layers = [obu(6, 0, b"first"), obu(5, 0, b"meta"), obu(6, 1, b"second"), obu(6, 9, b"t")]
        payloads = rtp.Packetizer("av1").packetize(header + b"".join(layers), 1200)
        assert len(payloads) == 3
        assert b"first" in payloads[0]
        assert b"meta" in payloads[0]
        assert b"second" in payloads[1]
        assert rtp.assemble_frame("av1", payloads) == header + b"".join(layers)

    @pytest.mark.parametrize(
        ("payload", "starts_frame", "is_key_frame"),
        [
            ("a8010000ff", True, True),  # the lowest layer of a key picture
            ("a8010300ff", False, False),  # the next, which needs it
            ("e8010000ff", True, False),
            ("e8010200ff", True, False),  # needs no lower one: a router may have left it out
            ("e8010300ff", False, False),
            ("e0010200ff", False, False),  # its middle
            ("a8010200ff", True, False),
        ],
    )
    def test_a_vp9_layer_that_needs_none_below_starts_a_frame(
        self, payload: str, starts_frame: bool, is_key_frame: bool
    ) -> None:
        part = rtp.depacketize("vp9", bytes.fromhex(payload))
        assert (part.starts_frame, part.is_key_frame) == (starts_frame, is_key_frame)

    def test_a_vp9_size_that_is_not_given_is_read(self) -> None:
        frame = bytes.fromhex("82498342001 3f00b30".replace(" ", "")) + bytes(40)
        info = rtp.read_frame_info("vp9", frame)
        assert info.width > 0
        told = rtp.Packetizer("vp9").packetize(
            frame, 1200, is_key_frame=True, width=info.width, height=info.height
        )
        assert rtp.Packetizer("vp9").packetize(frame, 1200, is_key_frame=True) == told
        assert rtp.Packetizer("vp9").packetize(frame, 1200) == told


class TestLenience:
    """What others send against the letter of their specification."""

    def test_an_h264_fragment_that_starts_and_ends_is_a_whole_unit(self) -> None:
        part = rtp.depacketize("h264", bytes.fromhex("7cc588aa"))
        assert part.data == bytes.fromhex("000000016588aa")
        assert part.is_key_frame
        assert rtp.assemble_frame("h264", [bytes.fromhex(one) for one in ("5cc19a", "5cc14a")]) == (
            bytes.fromhex("00000001419a00000001414a")
        )
        with pytest.raises(MalformedError, match="payloads: a fragment"):
            rtp.assemble_frame("h264", [bytes.fromhex("5c819a"), bytes.fromhex("5cc14a")])

    def test_a_stream_of_a_camera_that_fragments_small_frames_plays(self) -> None:
        buffer, got = jitter.VideoJitterBuffer("h264"), 0
        for i in range(30):
            payload = bytes.fromhex("5cc19a" if i else "7cc588") + bytes(range(1, 100))
            header = {"sequence_number": i, "timestamp": 3000 * i, "ssrc": 7, "marker": True}
            before = rtp.serialize_rtp(b"\x67\x42", payload_type=96, **header | {"marker": False})
            packet = rtp.serialize_rtp(
                payload, payload_type=96, **header | {"sequence_number": i + 1}
            )
            buffer.insert([packet] if i else [before, packet], now=i / 30)
            got += len(buffer.pop())
        assert got == 30

    @pytest.mark.parametrize(
        "payloads",
        [["200030aa"], ["000230aa00"], ["00000230aa"], ["200230aa"], ["5030", "8001aa00"]],
    )
    def test_av1_elements_without_a_byte_are_passed_over(self, payloads: list[str]) -> None:
        frame = rtp.assemble_frame("av1", [bytes.fromhex(payload) for payload in payloads])
        assert frame == bytes.fromhex("3201aa")


class TestAssembling:
    @pytest.mark.parametrize("codec", VIDEO)
    def test_payloads_without_the_first_are_refused(self, codec: str) -> None:
        payloads = rtp.Packetizer(codec).packetize(frame_of(codec), 1000)
        assert len(payloads) > 2
        assert rtp.assemble_frame(codec, payloads)
        with pytest.raises(MalformedError):
            rtp.assemble_frame(codec, payloads[1:])

    @pytest.mark.parametrize("codec", ["vp9", "h264", "av1"])
    def test_payloads_without_the_last_are_refused(self, codec: str) -> None:
        payloads = rtp.Packetizer(codec).packetize(frame_of(codec), 1000)
        with pytest.raises(MalformedError):
            rtp.assemble_frame(codec, payloads[:-1])

    def test_two_frames_are_not_one(self) -> None:
        with pytest.raises(MalformedError, match=r"payloads: .* more than one frame"):
            rtp.assemble_frame("vp8", rtp.Packetizer("vp8").packetize(b"frame", 1000) * 2)

    def test_a_fragment_that_is_followed_by_another_nal_unit_is_refused(self) -> None:
        payloads = rtp.Packetizer("h264").packetize(frame_of("h264"), 1000)
        with pytest.raises(MalformedError, match="payloads: a fragment"):
            rtp.assemble_frame("h264", [payloads[0], *payloads])


def frame_of(codec: str) -> bytes:
    """Of one unit, so that only its fragments tell where it begins."""
    body = bytes(range(1, 201)) * 13
    if codec == "h264":
        return bytes.fromhex("0000000165") + b"\x88" + body
    return bytes.fromhex("32") + leb128(len(body)) + body if codec == "av1" else body
