"""Wireshark's dissectors as a judge of bytes: UDP datagrams in, the fields that tshark read out."""

import shutil
import struct
import subprocess
from collections.abc import Sequence

import pytest

TSHARK = shutil.which("tshark")
requires_tshark = pytest.mark.skipif(
    TSHARK is None, reason="tshark is not installed: apt-get install tshark"
)

RTP_PORT, RTCP_PORT = 5004, 5005
_RAW_IPV4 = 228  # link type: no link-layer header


def _record(datagram: bytes, port: int) -> bytes:
    udp = struct.pack("!HHHH", port, port, 8 + len(datagram), 0) + datagram
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, *[b"\x7f\0\0\1"] * 2)
    packet = ip + udp
    return struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet


def dissect(datagrams: Sequence[bytes], port: int, fields: Sequence[str]) -> list[list[list[str]]]:
    """For each datagram, for each field, its values in order; RTP or RTCP by the port.

    Fails where tshark has a complaint about a datagram ("malformed", an expert's warning).
    """
    assert TSHARK is not None
    capture = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, _RAW_IPV4)
    capture += b"".join(_record(datagram, port) for datagram in datagrams)
    judged = ["_ws.malformed", "_ws.expert.message", *fields]
    options = ["-n", "-r-", f"-dudp.port=={RTP_PORT},rtp", f"-dudp.port=={RTCP_PORT},rtcp"]
    output = ["-Tfields", "-Eseparator=/t", "-Eaggregator=|", "-Eoccurrence=a"]
    result = subprocess.run(
        [TSHARK, *options, *output, *(f"-e{field}" for field in judged)],
        input=capture,
        capture_output=True,
        timeout=60,
        check=True,
    )
    rows = result.stdout.decode().splitlines()
    assert len(rows) == len(datagrams)
    read = []
    for row in rows:
        malformed, complaint, *values = [
            cell.split("|") if cell else [] for cell in row.split("\t")
        ]
        assert not malformed, row
        assert not complaint, row
        read.append(values)
    return read
