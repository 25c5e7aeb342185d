"""Payloads with FFmpeg's RTP muxer and demuxer (as PyAV bundles them), over loopback."""

from __future__ import annotations

import contextlib
import fractions
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from payload_support import (
    DECODERS,
    HEIGHT,
    WIDTH,
    assemble,
    canonical,
    encoded_frames,
    is_key_frame,
    join_obus,
    payloads_of_frames,
    rtp_packets,
    shows_key_frame,
    split_annex_b,
    split_obus,
)

from sealroom import rtp

CODECS = ["vp8", "vp9", "h264", "av1"]
ENCODING_NAMES = {"vp8": "VP8", "vp9": "VP9", "h264": "H264", "av1": "AV1"}


def bound_socket() -> socket.socket:
    """On a port whose successor, for RTCP, is free as well."""
    while True:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            try:
                other.bind(("127.0.0.1", one.getsockname()[1] + 1))
            except (OSError, OverflowError):
                one.close()
                continue
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        return one


def is_taken(port: int) -> bool:
    """Whether a UDP socket has that port; without binding it, which would be in the way."""
    return f":{port:04X} " in Path("/proc/net/udp").read_text()


def mux(codec: str, frames: tuple[bytes, ...], packet_size: int) -> list[bytes]:
    """The RTP packets FFmpeg makes of the frames."""
    with bound_socket() as receiver:
        receiver.settimeout(10)
        port = receiver.getsockname()[1]
        packets: list[bytes] = []

        def collect() -> None:
            with contextlib.suppress(TimeoutError):
                while packet := receiver.recv(65536):
                    packets.append(packet)

        thread = threading.Thread(target=collect)
        thread.start()
        options = {"strict": "experimental"}
        url = f"rtp://127.0.0.1:{port}?pkt_size={packet_size}"
        with av.open(url, "w", format="rtp", options=options) as output:
            stream = output.add_stream({"av1": "libsvtav1"}.get(codec, DECODERS[codec]), rate=30)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            stream.time_base = fractions.Fraction(1, 30)
            for index, frame in enumerate(frames):
                packet = av.Packet(frame)
                packet.stream = stream
                packet.time_base = fractions.Fraction(1, 30)
                packet.pts = packet.dts = index
                packet.is_keyframe = is_key_frame(codec, frame)
                output.mux(packet)
                time.sleep(0.01)  # loopback drops what nobody fetches
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
            ending.sendto(b"", ("127.0.0.1", port))
        thread.join()
    return [packet for packet in packets if not rtp.is_rtcp(packet)]


@pytest.mark.parametrize("packet_size", [300, 1200])
@pytest.mark.parametrize("codec", CODECS)
def test_we_read_its_payloads(codec: str, packet_size: int) -> None:
    frames = encoded_frames(codec)
    packets = mux(codec, frames, packet_size)
    assert max(len(packet) for packet in packets) <= packet_size
    assert assemble(codec, packets) == [canonical(codec, frame) for frame in frames]
    shown = [shows_key_frame(codec, payloads) for payloads in payloads_of_frames(packets)]
    # FFmpeg leaves out P, which tells a delta frame of VP9 (RFC 9628 section 4.2).
    told = [codec == "vp9" or is_key_frame(codec, frame) for frame in frames]
    assert shown == told
    assert codec == "vp9" or not all(told)


@pytest.fixture
def demuxed(tmp_path: Path) -> Iterator[object]:
    """A function that has FFmpeg read RTP packets, as a session description tells it to."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def read(codec: str, packets: list[bytes], count: int) -> list[bytes]:
        with bound_socket() as placeholder:
            port = placeholder.getsockname()[1]
        description = tmp_path / "call.sdp"
        description.write_text(
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n"
            f"m=video {port} RTP/AVP 96\na=rtpmap:96 {ENCODING_NAMES[codec]}/90000\n"
            + ("a=fmtp:96 packetization-mode=1\n" if codec == "h264" else "")
        )

        def send() -> None:
            while not is_taken(port) and not stop.is_set():
                time.sleep(0.02)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for packet in packets:
                    if stop.is_set():
                        return
                    sender.sendto(packet, ("127.0.0.1", port))
                    time.sleep(0.001)

        threads.append(threading.Thread(target=send))
        threads[0].start()
        # So that it gives frames on at once, and does not wait for more to guess a frame rate from.
        probing = {"analyzeduration": "1", "fpsprobesize": "0"}
        options = {"protocol_whitelist": "file,rtp,udp", **probing}
        frames: list[bytes] = []
        with av.open(str(description), format="sdp", options=options, timeout=(30, 30)) as source:
            for packet in source.demux():
                frames.append(bytes(packet))
                if len(frames) == count:
                    break
        return frames

    yield read
    stop.set()
    for thread in threads:
        thread.join()


# FFmpeg 8 reads VP9 after a draft without TL0PICIDX, which it leaves in the frame; libwebrtc wants
# that field, so it stays.
@pytest.mark.parametrize("max_payload", [300, 1150])
@pytest.mark.parametrize("codec", ["vp8", "h264", "av1"])
def test_it_reads_our_payloads(codec: str, max_payload: int, demuxed: object) -> None:
    frames = encoded_frames(codec)
    packets = rtp_packets(codec, frames, max_payload)
    received = demuxed(codec, packets, len(frames) - 1)  # type: ignore[operator]
    # It gives H.264 and AV1 on with headers and delimiters of its own choice.
    if codec == "h264":
        assert [split_annex_b(frame) for frame in received] == [
            split_annex_b(frame) for frame in frames[:-1]
        ]
    elif codec == "av1":
        assert [join_obus(split_obus(frame)) for frame in received] == [
            canonical(codec, frame) for frame in frames[:-1]
        ]
    else:
        assert received == list(frames[:-1])
