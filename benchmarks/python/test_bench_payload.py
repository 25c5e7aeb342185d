"""Payload formats from Python, a frame at a time, beside aiortc's.

Each row is one frame of 50 kB in payloads of up to 1300 bytes, the size aiortc has built in.
"""

from __future__ import annotations

from typing import Any

import pytest
from aiortc.codecs.h264 import H264Encoder, h264_depayload
from aiortc.codecs.vpx import Vp8Encoder, VpxPayloadDescriptor, vp8_depayload

from sealroom import rtp

SIZE = 50_000
MAX_PAYLOAD = 1300
BODY = bytes(index % 254 + 2 for index in range(SIZE))
FRAMES = {
    "vp8": b"\x10" + BODY,
    "vp9": b"\x86" + BODY,
    "h264": b"\0\0\0\1\x65\x88" + BODY,
    "av1": b"\x30" + BODY,
}


def payloads_of(codec: str) -> list[bytes]:
    return rtp.Packetizer(codec).packetize(FRAMES[codec], MAX_PAYLOAD)


@pytest.mark.parametrize("codec", FRAMES)
def test_packetize(benchmark: Any, codec: str) -> None:
    benchmark.group = f"Packetize {codec}, {SIZE // 1000} kB"
    benchmark.name = "sealroom rtp.Packetizer"
    packetizer = rtp.Packetizer(codec)
    benchmark(packetizer.packetize, FRAMES[codec], MAX_PAYLOAD)


def test_aiortc_packetize_vp8(benchmark: Any) -> None:
    benchmark.group = f"Packetize vp8, {SIZE // 1000} kB"
    benchmark.name = "rival: aiortc Vp8Encoder._packetize"
    benchmark(Vp8Encoder._packetize, FRAMES["vp8"], 1)


def test_aiortc_packetize_h264(benchmark: Any) -> None:
    benchmark.group = f"Packetize h264, {SIZE // 1000} kB"
    benchmark.name = "rival: aiortc H264Encoder._packetize"
    benchmark(lambda: H264Encoder._packetize(H264Encoder._split_bitstream(FRAMES["h264"])))


@pytest.mark.parametrize("codec", FRAMES)
def test_assemble(benchmark: Any, codec: str) -> None:
    benchmark.group = f"Join the payloads of {codec}, {SIZE // 1000} kB"
    benchmark.name = "sealroom rtp.assemble_frame"
    payloads = payloads_of(codec)
    benchmark(rtp.assemble_frame, codec, payloads)


def test_aiortc_join_vp8(benchmark: Any) -> None:
    benchmark.group = f"Join the payloads of vp8, {SIZE // 1000} kB"
    benchmark.name = "rival: aiortc vp8_depayload"
    payloads = payloads_of("vp8")
    benchmark(lambda: b"".join(map(vp8_depayload, payloads)))


def test_aiortc_join_h264(benchmark: Any) -> None:
    benchmark.group = f"Join the payloads of h264, {SIZE // 1000} kB"
    benchmark.name = "rival: aiortc h264_depayload"
    payloads = payloads_of("h264")
    benchmark(lambda: b"".join(map(h264_depayload, payloads)))


@pytest.mark.parametrize("codec", FRAMES)
def test_depacketize(benchmark: Any, codec: str) -> None:
    benchmark.group = f"Depacketize one {codec} payload"
    benchmark.name = "sealroom rtp.depacketize"
    payload = payloads_of(codec)[0]
    benchmark(rtp.depacketize, codec, payload)


def test_aiortc_depacketize_vp8(benchmark: Any) -> None:
    benchmark.group = "Depacketize one vp8 payload"
    benchmark.name = "rival: aiortc VpxPayloadDescriptor.parse"
    benchmark(VpxPayloadDescriptor.parse, payloads_of("vp8")[0])


def test_aiortc_depacketize_h264(benchmark: Any) -> None:
    benchmark.group = "Depacketize one h264 payload"
    benchmark.name = "rival: aiortc h264_depayload"
    benchmark(h264_depayload, payloads_of("h264")[0])
