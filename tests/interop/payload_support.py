"""Frames of real encoders, and the checks that every payload test makes."""

from __future__ import annotations

import fractions
import functools

import av
import numpy as np
from av.video.frame import PictureType

from sealroom import rtp

WIDTH, HEIGHT = 320, 180
START_CODE = b"\0\0\0\1"

ENCODERS: dict[str, tuple[str, dict[str, str]]] = {
    "vp8": ("libvpx", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    "vp9": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    "h264": ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "slices": "4"}),
    "av1": ("libsvtav1", {"preset": "10", "svtav1-params": "pred-struct=1:rc=2:tbr=2000:lp=1"}),
}
DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9", "h264": "h264", "av1": "libdav1d"}


def pictures(count: int) -> list[av.VideoFrame]:
    """A noisy picture that moves, so that frames take several packets."""
    noise = np.random.default_rng(1).integers(
        0, 255, (HEIGHT * 3 // 2, WIDTH + 8 * count), np.uint8
    )
    frames = []
    for index in range(count):
        view = np.ascontiguousarray(noise[:, 4 * index : 4 * index + WIDTH] // 2)
        frame = av.VideoFrame.from_ndarray(view, format="yuv420p")
        frame.pts = index
        frame.time_base = fractions.Fraction(1, 30)
        if index == count // 2:
            frame.pict_type = PictureType.I
        frames.append(frame)
    return frames


@functools.cache
def encoded_frames(codec: str, count: int = 12) -> tuple[bytes, ...]:
    """What the encoder of that codec makes of `pictures`; the first is a key frame."""
    name, options = ENCODERS[codec]
    encoder = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base = fractions.Fraction(1, 30)
    if codec != "av1":
        encoder.bit_rate = 2_000_000
    encoder.options = options
    packets = [packet for frame in pictures(count) for packet in encoder.encode(frame)]
    packets += encoder.encode(None)
    assert len(packets) == count
    return tuple(bytes(packet) for packet in packets)


@functools.cache
def opus_packets(count: int = 20) -> tuple[bytes, ...]:
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48000, "stereo", "s16"
    noise = np.random.default_rng(1)
    packets = []
    for index in range(count):
        samples = noise.integers(-8000, 8000, (1, 2 * 960), np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 48000, 960 * index
        packets += encoder.encode(frame)
    return tuple(bytes(packet) for packet in packets)


def decode(codec: str, frames: list[bytes]) -> list[bytes]:
    """The decoded pictures, as bytes."""
    decoder = av.CodecContext.create(DECODERS[codec], "r")
    decoder.thread_count = 1
    decoded = [picture for data in frames for picture in decoder.decode(av.Packet(data))]
    decoded += decoder.decode(None)
    return [picture.to_ndarray().tobytes() for picture in decoded]


def split_annex_b(stream: bytes) -> list[bytes]:
    """NAL units, without the zeros behind them."""
    units = stream.split(b"\0\0\1")
    assert not units[0].strip(b"\0")
    return [unit.rstrip(b"\0") for unit in units[1:]]


def annex_b(units: list[bytes]) -> bytes:
    return b"".join(START_CODE + unit for unit in units)


def leb128(value: int) -> bytes:
    result = b""
    while value >= 0x80:
        result += bytes([value & 0x7F | 0x80])
        value >>= 7
    return result + bytes([value])


def split_obus(frame: bytes) -> list[tuple[bytes, bytes]]:
    """Headers, with the extension and without has_size, and payloads."""
    obus = []
    while frame:
        head = frame[: 2 if frame[0] & 4 else 1]
        frame = frame[len(head) :]
        size = len(frame)
        if head[0] & 2:
            size = shift = 0
            while True:
                byte, frame = frame[0], frame[1:]
                size |= (byte & 0x7F) << shift
                shift += 7
                if not byte & 0x80:
                    break
        obus.append((bytes([head[0] & ~2]) + head[1:], frame[:size]))
        frame = frame[size:]
    return obus


def join_obus(obus: list[tuple[bytes, bytes]]) -> bytes:
    """With size fields, without temporal delimiters and tile lists."""
    return b"".join(
        bytes([head[0] | 2]) + head[1:] + leb128(len(payload)) + payload
        for head, payload in obus
        if head[0] >> 3 & 15 not in (2, 8)
    )


def canonical(codec: str, frame: bytes) -> bytes:
    """The form in which a frame comes out of its packets."""
    if codec == "h264":
        return annex_b(split_annex_b(frame))
    if codec == "av1":
        return join_obus(split_obus(frame))
    return frame


def is_key_frame(codec: str, frame: bytes) -> bool:
    if codec == "vp8":
        return not frame[0] & 1
    if codec == "vp9":
        return frame[0] & 0b11111100 == 0b10000000
    if codec == "h264":
        return any(unit[0] & 31 == 5 for unit in split_annex_b(frame))
    return any(head[0] >> 3 == 1 for head, _ in split_obus(frame))


def shows_key_frame(codec: str, payloads: list[bytes]) -> bool:
    """What the payloads of a frame say of it; H.264 says it with the slice, behind the headers."""
    parts = [rtp.depacketize(codec, payload) for payload in payloads]
    return any(part.starts_frame and part.is_key_frame for part in parts)


def rtp_packets(
    codec: str,
    frames: list[bytes] | tuple[bytes, ...],
    max_payload: int,
    *,
    step: int = 3000,
) -> list[bytes]:
    """The frames as RTP packets of payload type 96, marker bit on each frame's last."""
    packetizer = rtp.Packetizer(codec, first_picture_id=32760)
    packets: list[bytes] = []
    for index, frame in enumerate(frames):
        payloads = packetizer.packetize(frame, max_payload)
        packets += [
            rtp.serialize_rtp(
                payload,
                payload_type=96,
                sequence_number=(65530 + len(packets) + number) & 0xFFFF,
                timestamp=index * step,
                ssrc=0x1234,
                marker=number + 1 == len(payloads),
            )
            for number, payload in enumerate(payloads)
        ]
    return packets


def payloads_of_frames(packets: list[bytes]) -> list[list[bytes]]:
    """Those in RTP packets of one stream, by their timestamps."""
    payloads: dict[int, list[bytes]] = {}
    for data in packets:
        packet = rtp.parse_rtp(data)
        payloads.setdefault(packet.timestamp, []).append(packet.payload)
    return list(payloads.values())


def assemble(codec: str, packets: list[bytes]) -> list[bytes]:
    """The frames in RTP packets of one stream; checks where they start."""
    frames = []
    for parts in payloads_of_frames(packets):
        assert rtp.depacketize(codec, parts[0]).starts_frame
        frames.append(rtp.assemble_frame(codec, parts))
    return frames
