"""Peers of the SRTP tests as programs behind loopback sockets."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

TIMEOUT = 20.0  # seconds, for whatever a peer does


def require_program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def free_port() -> int:
    """An even port whose successor is free too."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            if port % 2:
                continue
            with contextlib.suppress(OSError), socket.socket(type=socket.SOCK_DGRAM) as second:
                second.bind(("127.0.0.1", port + 1))
                return port
    raise RuntimeError("no pair of free UDP ports")


@contextlib.contextmanager
def receiving_socket(port: int = 0) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.bind(("127.0.0.1", port))
        sock.settimeout(0.5)
        yield sock


def wait_until_bound(process: subprocess.Popen[bytes], port: int) -> bool:
    """Until somebody receives on the UDP port, by the kernel's own list; False if it ended."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            print("the peer ended:", process.stderr.read().decode() if process.stderr else "")  # noqa: T201
            return False
        bound = Path("/proc/net/udp").read_text() + Path("/proc/net/udp6").read_text()
        if f":{port:04X} " in bound:
            return True
        time.sleep(0.02)
    pytest.fail(f"the peer never listened on port {port}")


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def collect(sock: socket.socket, count: int) -> list[bytes]:
    """Up to `count` datagrams; fewer if the peer falls silent for two seconds."""
    packets: list[bytes] = []
    silence = 0
    deadline = time.monotonic() + TIMEOUT
    while len(packets) < count and silence < 4 and time.monotonic() < deadline:
        try:
            packets.append(sock.recv(65_536))
            silence = 0
        except TimeoutError:
            silence += 1
    return packets
