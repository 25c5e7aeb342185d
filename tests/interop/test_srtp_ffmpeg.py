"""Our SRTP against FFmpeg's own implementation, both ways, over loopback UDP."""

from __future__ import annotations

import base64
import random
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest
from srtp_support import (
    TIMEOUT,
    collect,
    free_port,
    receiving_socket,
    require_program,
    running,
    wait_until_bound,
)

from sealroom import srtp
from sealroom.rtp import is_rtcp

SUITES = {
    "AES_CM_128_HMAC_SHA1_80": srtp.Profile.AES128_CM_SHA1_80,
    # By its DTLS name: under "AES_CM_128_HMAC_SHA1_32" FFmpeg shortens the tag of RTCP as well,
    # where RFC 4568 section 6.2.2 keeps 80 bits.
    "SRTP_AES128_CM_HMAC_SHA1_32": srtp.Profile.AES128_CM_SHA1_32,
}
SSRC = 0x1234ABCD
PAYLOAD = 160  # 20 ms of PCMU


@pytest.fixture(scope="module")
def ffmpeg() -> str:
    program = require_program("ffmpeg")
    protocols = subprocess.run([program, "-protocols"], capture_output=True, check=True).stdout
    if b"srtp" not in protocols:
        pytest.skip("this ffmpeg has no srtp protocol")
    return program


@pytest.fixture
def master() -> bytes:
    return random.Random(3).randbytes(30)


@pytest.mark.parametrize("suite", SUITES)
def test_we_open_what_ffmpeg_sealed(ffmpeg: str, suite: str, master: bytes) -> None:
    port = free_port()
    params = base64.b64encode(master).decode()
    source = ["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=8000", "-t", "1"]
    keys = ["-srtp_out_suite", suite, "-srtp_out_params", params]
    command = [ffmpeg, "-nostdin", "-v", "error", *source, "-c:a", "pcm_mulaw", "-f", "rtp", *keys]
    receiver = srtp.Receiver(profile=SUITES[suite], master=master)
    with (
        receiving_socket(port) as rtp,
        receiving_socket(port + 1) as rtcp,
        running([*command, f"srtp://127.0.0.1:{port}"]),
    ):
        packets = [receiver.unprotect_rtp(packet) for packet in collect(rtp, 1000)]
        reports = [receiver.unprotect_rtcp(packet) for packet in collect(rtcp, 1)]
    assert len(packets) >= 5
    numbers = [int.from_bytes(packet[2:4]) for packet in packets]
    assert [(number - numbers[0]) & 0xFFFF for number in numbers] == list(range(len(packets)))
    samples = b"".join(packet[12:] for packet in packets)
    assert len(samples) == 8000
    assert len(set(samples)) > 50  # a sine, not silence
    assert [report[1] for report in reports] == [200]
    assert reports[0][4:8] == packets[0][8:12]


@pytest.mark.parametrize("suite", SUITES)
def test_ffmpeg_opens_what_we_sealed(
    ffmpeg: str, suite: str, master: bytes, tmp_path: Path
) -> None:
    port = free_port()
    description = tmp_path / "stream.sdp"
    description.write_text(
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio {port} RTP/SAVP 0\r\n"
        f"a=crypto:1 {suite} inline:{base64.b64encode(master).decode()}\r\n"
    )
    output = tmp_path / "samples.ul"
    command = [ffmpeg, "-nostdin", "-v", "error", "-protocol_whitelist", "file,rtp,srtp,udp"]
    command += ["-analyzeduration", "100000", "-i", str(description), "-t", "1"]
    command += ["-c", "copy", "-f", "mulaw", "-y", str(output)]
    samples = random.Random(4).randbytes(100 * PAYLOAD)
    sender = srtp.Sender(profile=SUITES[suite], master=master)
    with running(command) as process, socket.socket(type=socket.SOCK_DGRAM) as out:
        assert wait_until_bound(process, port)
        deadline = time.monotonic() + TIMEOUT
        for i in range(100):
            header = struct.pack("!BBHII", 0x80, 0, (65_500 + i) & 0xFFFF, PAYLOAD * i, SSRC)
            packet = header + samples[PAYLOAD * i : PAYLOAD * (i + 1)]
            assert not is_rtcp(packet)
            out.sendto(sender.protect_rtp(packet), ("127.0.0.1", port))
            time.sleep(0.01)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.returncode == 0
    received = output.read_bytes()
    assert len(received) >= 8000 - PAYLOAD
    assert received in samples
