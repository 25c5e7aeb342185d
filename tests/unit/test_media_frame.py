"""Whole frames through their codec's clear-byte rule (docs/wire.md, "Media frame")."""

from __future__ import annotations

import fractions
import re
from functools import cache

import av
import numpy as np
import pytest
from aiortc.codecs.h264 import H264Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from sealroom import errors, sframe

FORMATS = ["opus", "vp8", "vp9", "h264", "av1"]
KEY = bytes(range(32))
START_CODE = b"\x00\x00\x01"
STAND_IN_SLICE = b"\x41\x9a\x80"


def make_pair(
    suite: int = sframe.AES_256_GCM_SHA512_128, key_id: int = 7
) -> tuple[sframe.Sender, sframe.Receiver]:
    sender = sframe.Sender(suite=suite, key_id=key_id, base_key=KEY)
    receiver = sframe.Receiver(suite=suite)
    receiver.add_key(key_id, KEY)
    return sender, receiver


# Made once: a key schedule per example would be most of the time. Counters only go up.
SENDER, RECEIVER = make_pair()
ZERO_SENDER, ZERO_RECEIVER = make_pair(key_id=0)  # header bytes below 4, which need escapes


def check_round_trip(codec: str, frame: bytes) -> bytes:
    sealed = sframe.protect_frame(SENDER, codec, frame)
    assert sframe.unprotect_frame(RECEIVER, codec, sealed) == frame
    return sealed


def nal_units(stream: bytes) -> list[bytes]:
    return list(H264Encoder._split_bitstream(stream))


def with_start_codes(units: list[bytes], zeros_before: int, zeros_behind: int) -> bytes:
    return b"".join(bytes(zeros_before) + b"\x01" + unit + bytes(zeros_behind) for unit in units)


def leb128(value: int, width: int = 0) -> bytes:
    """At least `width` bytes."""
    out = bytearray()
    while True:
        more = value > 0x7F or len(out) + 1 < width
        out.append(value & 0x7F | 0x80 * more)
        value >>= 7
        if not more:
            return bytes(out)


def obu(obu_type: int, payload: bytes, *, has_size: bool = True, width: int = 0) -> bytes:
    header = bytes([obu_type << 3 | 2 * has_size])
    return header + (leb128(len(payload), width) if has_size else b"") + payload


def parse_obus(data: bytes) -> list[tuple[int, bytes]]:
    """Type and payload; an OBU without a size runs to the end."""
    found = []
    while data:
        header, data = data[0], data[1:]
        assert header & 0x85 == 0
        size = len(data)
        if header & 2:
            size = shift = 0
            while True:
                byte, data = data[0], data[1:]
                size |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
        assert size <= len(data)
        found.append((header >> 3, data[:size]))
        data = data[size:]
    return found


@pytest.mark.parametrize("codec", FORMATS)
@given(frame=st.binary(min_size=1, max_size=300))
def test_any_bytes_come_back_unchanged(codec: str, frame: bytes) -> None:
    check_round_trip(codec, frame)


@pytest.mark.parametrize("codec", FORMATS)
@given(frame=st.lists(st.integers(0, 9), min_size=1, max_size=200).map(bytes))
def test_bytes_full_of_zeros_and_start_codes_come_back_unchanged(codec: str, frame: bytes) -> None:
    check_round_trip(codec, frame)
    sealed = sframe.protect_frame(ZERO_SENDER, codec, frame)
    assert sframe.unprotect_frame(ZERO_RECEIVER, codec, sealed) == frame


nal_payload = st.binary(max_size=40).map(lambda data: data.replace(START_CODE, b"\x00\x00\x03"))
nal_header = st.sampled_from(
    [0x67, 0x68, 0x65, 0x61, 0x41, 0x01, 0x06, 0x09, 0x0A, 0x0B, 0x0C, 0x6F, 0x25, 0xE7, 0x02]
)


@st.composite
def h264_frames(draw: st.DrawFn) -> bytes:
    frame = draw(st.binary(max_size=3))
    for _ in range(draw(st.integers(1, 8))):
        frame += draw(st.sampled_from([START_CODE, b"\x00" + START_CODE, b"\x00\x00" + START_CODE]))
        frame += bytes([draw(nal_header)]) + draw(nal_payload)
    return frame + bytes(draw(st.integers(0, 4)))


@settings(max_examples=400)
@given(frame=h264_frames(), zeros_before=st.integers(2, 4), zeros_behind=st.integers(0, 3))
def test_h264_of_any_structure_comes_back_through_other_start_codes(
    frame: bytes, zeros_before: int, zeros_behind: int
) -> None:
    sealed = sframe.protect_frame(SENDER, "h264", frame)
    units = nal_units(sealed)
    assert [unit[0] & 0x1F in (7, 8) for unit in units[:-1]] == [True] * (len(units) - 1)
    assert units[-1][0] & 0x1F in (1, 5)
    assert units[-1][-1] == 0x80
    moved = with_start_codes(units, zeros_before, zeros_behind)
    assert sframe.unprotect_frame(RECEIVER, "h264", moved) == frame


@st.composite
def av1_temporal_units(draw: st.DrawFn) -> bytes:
    frame = b""
    for _ in range(draw(st.integers(1, 5))):
        frame += obu(
            draw(st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 15])),
            draw(st.binary(max_size=40)),
            has_size=draw(st.booleans()),
            width=draw(st.integers(0, 3)),
        )
    return frame


@settings(max_examples=400)
@given(
    frame=av1_temporal_units(),
    delimiter=st.booleans(),
    has_size=st.booleans(),
    width=st.integers(0, 4),
)
def test_av1_of_any_structure_comes_back_through_other_sizes(
    frame: bytes, delimiter: bool, has_size: bool, width: int
) -> None:
    obus = parse_obus(sframe.protect_frame(SENDER, "av1", frame))
    assert [kind for kind, _ in obus] in ([6], [1, 6])
    moved = obu(2, b"") if delimiter else b""
    for kind, payload in obus:
        moved += obu(kind, payload, has_size=has_size or kind == 1, width=width)
    assert sframe.unprotect_frame(RECEIVER, "av1", moved) == frame


@cache
def encode(codec_name: str, options: tuple[tuple[str, str], ...] = ()) -> list[bytes]:
    """64 frames of a moving picture, a key frame every 16 unless the options say otherwise."""
    if codec_name not in av.codecs_available:
        pytest.skip(f"PyAV was built without {codec_name}")
    context = av.CodecContext.create(codec_name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = 160, 96, "yuv420p"
    context.time_base = fractions.Fraction(1, 30)
    context.gop_size = 16
    context.options = dict(options)
    noise = np.random.default_rng(1).integers(0, 256, (96, 320, 3), dtype=np.uint8)
    frames = []
    for index in range(64):
        picture = np.ascontiguousarray(noise[:, index : index + 160])
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts = index
        frames += [bytes(packet) for packet in context.encode(frame)]
    return frames + [bytes(packet) for packet in context.encode(None)]


VIDEO = {
    "vp8": ("libvpx", (("deadline", "realtime"), ("lag-in-frames", "0"))),
    "vp9": ("libvpx-vp9", (("deadline", "realtime"), ("lag-in-frames", "0"))),
    "h264": ("libx264", (("preset", "ultrafast"), ("tune", "zerolatency"))),
    "h264-slices": ("libx264", (("preset", "fast"), ("x264-params", "slices=4:bframes=0:aud=1"))),
    "h264-intra-refresh": (
        "libx264",
        (("tune", "zerolatency"), ("x264-params", "intra-refresh=1:keyint=20")),
    ),
    "av1": ("libsvtav1", (("preset", "12"), ("svtav1-params", "pred-struct=1:keyint=16"))),
}


@pytest.mark.parametrize("name", VIDEO)
def test_encoded_video_comes_back_unchanged(name: str) -> None:
    codec = name.split("-")[0]
    frames = encode(*VIDEO[name])
    assert len(frames) >= 60
    for frame in frames:
        check_round_trip(codec, frame)


def test_encoded_audio_comes_back_unchanged() -> None:
    context = av.CodecContext.create("libopus", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.format, context.layout = 48000, "s16", "stereo"
    context.time_base = fractions.Fraction(1, 48000)
    noise = np.random.default_rng(2).integers(-9000, 9000, (80, 1, 1920), dtype=np.int16)
    packets = []
    for index, samples in enumerate(noise):
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 48000, index * 960
        packets += [bytes(packet) for packet in context.encode(frame)]
    assert len(packets) >= 60
    for packet in packets:
        assert len(check_round_trip("opus", packet)) <= len(packet) + sframe.MAX_OVERHEAD


@pytest.mark.parametrize("name", [name for name in VIDEO if name.startswith("h264")])
def test_a_packetizer_sees_the_parameter_sets_and_one_slice(name: str) -> None:
    key_frames = 0
    for frame in encode(*VIDEO[name]):
        original = nal_units(frame)
        parameter_sets = [unit for unit in original if unit[0] & 0x1F in (7, 8)]
        slices = [unit for unit in original if unit[0] & 0x1F in (1, 5)]
        if name == "h264-slices":
            assert len(slices) == 4
        sealed = check_round_trip("h264", frame)
        units = nal_units(sealed)
        assert units[:-1] == parameter_sets
        assert units[-1][:3] == slices[0][:3]
        assert not re.search(rb"\x00\x00[\x00-\x02]", units[-1])
        key_frames += bool(parameter_sets)
    assert key_frames >= 1


def test_av1_key_frames_show_their_sequence_header() -> None:
    key_frames = 0
    for frame in encode(*VIDEO["av1"]):
        headers = [payload for kind, payload in parse_obus(frame) if kind == 1]
        obus = parse_obus(check_round_trip("av1", frame))
        assert obus[:-1] == [(1, payload) for payload in headers]
        key_frames += bool(headers)
    assert key_frames >= 2


@pytest.mark.parametrize(("codec", "key_clear"), [("vp8", 10), ("vp9", 0)])
def test_the_clear_bytes_of_vp8_and_vp9(codec: str, key_clear: int) -> None:
    for frame in encode(*VIDEO[codec]):
        is_key = codec == "vp8" and frame[0] & 1 == 0
        clear = key_clear if is_key else min(key_clear, 1)
        sealed = check_round_trip(codec, frame)
        assert sealed[:clear] == frame[:clear]
        assert SENDER.key_id == sealed[clear] >> 4 & 7


@pytest.mark.parametrize("name", VIDEO)
def test_every_bit_of_a_key_frames_clear_bytes_is_authenticated(name: str) -> None:
    codec = name.split("-")[0]
    sender, receiver = make_pair()
    sealed = sframe.protect_frame(sender, codec, encode(*VIDEO[name])[0])
    for bit in range(8 * 80):
        tampered = bytearray(sealed)
        tampered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(errors.SealroomError):
            sframe.unprotect_frame(receiver, codec, tampered)
    sframe.unprotect_frame(receiver, codec, sealed)


@pytest.mark.parametrize("codec", FORMATS)
def test_replays_and_foreign_frames_are_refused(codec: str) -> None:
    sender, receiver = make_pair()
    sealed = sframe.protect_frame(sender, codec, b"\x41 frame")
    assert sframe.unprotect_frame(receiver, codec, sealed) == b"\x41 frame"
    with pytest.raises(errors.ReplayError):
        sframe.unprotect_frame(receiver, codec, sealed)
    with pytest.raises(errors.SealroomError):
        sframe.unprotect_frame(receiver, codec, b"")
    other = sframe.Sender(suite=5, key_id=8, base_key=KEY)
    with pytest.raises(errors.KeyNotFoundError):
        sframe.unprotect_frame(receiver, codec, sframe.protect_frame(other, codec, b"frame"))


@pytest.mark.parametrize("name", VIDEO)
def test_clear_text_is_refused(name: str) -> None:
    # By its form, or by chance further on: some frames end as ours do.
    for frame in encode(*VIDEO[name]):
        with pytest.raises(errors.SealroomError):
            sframe.unprotect_frame(RECEIVER, name.split("-")[0], frame)


def test_a_key_id_that_makes_a_false_vp8_frame_look_like_a_key_frame_is_refused() -> None:
    # As the docstring says: bit 0 of a key frame, without a key frame's start code.
    sender = sframe.Sender(suite=5, key_id=0x019D012A00, base_key=KEY)
    with pytest.raises(errors.UnsupportedError):
        sframe.protect_frame(sender, "vp8", b"\x10abc")
    text = " ".join((sframe.protect_frame.__doc__ or "").split())
    assert "UnsupportedError for another format, and for bytes that are no valid VP8 frame" in text


def test_bad_arguments_are_named_and_spend_no_counter() -> None:
    sender, receiver = make_pair()
    with pytest.raises(errors.UnsupportedError, match=r"format: 'h265'.*opus, vp8, vp9, h264, av1"):
        sframe.protect_frame(sender, "h265", b"frame")
    with pytest.raises(errors.UnsupportedError, match="format: ''"):
        sframe.unprotect_frame(receiver, "", b"frame")
    for codec in FORMATS:
        with pytest.raises(errors.InvalidArgumentError, match="frame: at least 1 byte"):
            sframe.protect_frame(sender, codec, b"")
    assert sender.next_counter == 0
