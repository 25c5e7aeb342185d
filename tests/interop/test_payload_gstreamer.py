"""Payloads with GStreamer's rtp*pay and rtp*depay, both ways, as files of RFC 4571 frames."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from payload_support import (
    annex_b,
    assemble,
    canonical,
    decode,
    encoded_frames,
    opus_packets,
    rtp_packets,
    split_annex_b,
)

FRAMES = 20
VIDEO_SOURCE = (
    f"videotestsrc num-buffers={FRAMES} pattern=snow ! "
    "video/x-raw,format=I420,width=320,height=180,framerate=30/1 ! "
)
SOURCES = {
    "vp8": VIDEO_SOURCE + "vp8enc deadline=1 keyframe-max-dist=8",
    "vp9": VIDEO_SOURCE + "vp9enc deadline=1 cpu-used=8 lag-in-frames=0 keyframe-max-dist=8",
    "h264": VIDEO_SOURCE + "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=8 "
    "option-string=slices=3 ! video/x-h264,stream-format=byte-stream,alignment=au",
    "opus": f"audiotestsrc num-buffers={FRAMES} samplesperbuffer=960 wave=pink-noise ! "
    "audio/x-raw,rate=48000,channels=2 ! opusenc",
}
CAPS = {
    "vp8": "media=video,clock-rate=90000,encoding-name=VP8",
    "vp9": "media=video,clock-rate=90000,encoding-name=VP9",
    "h264": "media=video,clock-rate=90000,encoding-name=H264,packetization-mode=(string)1",
    "opus": "media=audio,clock-rate=48000,encoding-name=OPUS",
}
# What the frames go into a file as.
DEPAYLOADED = {"h264": " ! video/x-h264,stream-format=byte-stream,alignment=au"}


def run(pipeline: str) -> None:
    program = shutil.which("gst-launch-1.0")
    if program is None:
        pytest.skip("gst-launch-1.0 is not installed")
    done = subprocess.run(
        [program, "-q", *pipeline.split()], capture_output=True, text=True, timeout=60, check=False
    )
    if "no element" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr


def payload(codec: str, folder: Path, options: str) -> tuple[bytes, list[bytes]]:
    """The encoder's bytes, and the RTP packets GStreamer makes of them."""
    run(
        f"{SOURCES[codec]} ! tee name=t ! queue max-size-buffers=0 max-size-bytes=0 "
        f"max-size-time=0 ! filesink location={folder}/frames t. ! queue max-size-buffers=0 "
        f"max-size-bytes=0 max-size-time=0 ! rtp{codec}pay pt=96 {options} ! rtpstreampay ! "
        f"filesink location={folder}/packets"
    )
    packets, data = [], (folder / "packets").read_bytes()
    while data:
        size = struct.unpack_from("!H", data)[0]
        packets.append(data[2 : 2 + size])
        data = data[2 + size :]
    return (folder / "frames").read_bytes(), packets


def depayload(codec: str, folder: Path, packets: list[bytes]) -> bytes:
    """What GStreamer makes of RTP packets, its frames one after the other."""
    (folder / "packets").write_bytes(
        b"".join(struct.pack("!H", len(packet)) + packet for packet in packets)
    )
    run(
        f"filesrc location={folder}/packets ! "
        f"application/x-rtp-stream,payload=96,{CAPS[codec]} ! rtpstreamdepay ! "
        f"rtp{codec}depay{DEPAYLOADED.get(codec, '')} ! filesink location={folder}/out"
    )
    return (folder / "out").read_bytes()


# Of a NAL unit or frame over more than about 110 packets GStreamer 1.22 itself drops one.
@pytest.mark.parametrize("mtu", [400, 1200])
class TestWeReadItsPayloads:
    @pytest.mark.parametrize("codec", ["vp8", "vp9"])
    @pytest.mark.parametrize("picture_id", ["none", "7-bit", "15-bit"])
    def test_vp8_and_vp9(self, tmp_path: Path, codec: str, mtu: int, picture_id: str) -> None:
        sent, packets = payload(codec, tmp_path, f"mtu={mtu} picture-id-mode={picture_id}")
        frames = assemble(codec, packets)
        assert len(frames) == FRAMES
        assert b"".join(frames) == sent
        assert len(decode(codec, frames)) == FRAMES

    @pytest.mark.parametrize("aggregation", ["none", "zero-latency", "max-stap"])
    def test_h264(self, tmp_path: Path, mtu: int, aggregation: str) -> None:
        sent, packets = payload("h264", tmp_path, f"mtu={mtu} aggregate-mode={aggregation}")
        frames = assemble("h264", packets)
        assert len(frames) == FRAMES
        assert b"".join(frames) == annex_b(split_annex_b(sent))
        assert len(decode("h264", frames)) == FRAMES


def test_we_read_its_opus_payloads(tmp_path: Path) -> None:
    sent, packets = payload("opus", tmp_path, "")
    assert b"".join(assemble("opus", packets)) == sent


@pytest.mark.parametrize("max_payload", [100, 1150])
@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264"])
def test_it_reads_our_video_payloads(tmp_path: Path, codec: str, max_payload: int) -> None:
    frames = encoded_frames(codec)
    out = depayload(codec, tmp_path, rtp_packets(codec, frames, max_payload))
    assert out == b"".join(canonical(codec, frame) for frame in frames)


def test_it_reads_our_opus_payloads(tmp_path: Path) -> None:
    packets = rtp_packets("opus", opus_packets(), 1150, step=960)
    assert depayload("opus", tmp_path, packets) == b"".join(opus_packets())
