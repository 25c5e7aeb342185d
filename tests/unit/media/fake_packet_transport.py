"""A stand-in for the native core: records keys and media, hands STUN and DTLS back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import Any


class FakePacketTransport:
    def __init__(self) -> None:
        self.event_fd = os.eventfd(0, os.EFD_NONBLOCK)
        self.keys: dict[str, Any] | None = None
        self.extensions: dict[str, int] = {}
        self.socket: socket.socket | None = None
        self.attached_peers: list[Any] = []
        self.received: list[bytes] = []
        self.received_on_socket: list[bytes] = []
        self.control: list[bytes] = []
        self.control_total = 0
        self.hands_control_back = True
        self.outgoing: list[bytes] = []
        self.events: list[Any] = []

    def start(self, *, profile: int, send_key: bytes, receive_key: bytes) -> None:
        self.keys = {"profile": profile, "send": send_key, "receive": receive_key}

    def set_extensions(self, extensions: dict[str, int]) -> None:
        self.extensions = extensions

    def attach_socket(self, fd: int) -> None:
        self.detach_socket()
        self.socket = socket.socket(fileno=fd)
        self.attached_peers.append(self.socket.getpeername())
        asyncio.get_running_loop().add_reader(self.socket, self._read)

    def detach_socket(self) -> None:
        if self.socket is not None:
            asyncio.get_running_loop().remove_reader(self.socket)
            self.socket.close()
            self.socket = None

    def _read(self) -> None:
        assert self.socket is not None
        data = self.socket.recv(2048)
        if 128 <= data[0] < 192:
            self.received_on_socket.append(data)
        else:
            self.control_total += 1
            if self.hands_control_back:
                self.control.append(data)
                self.signal()

    def signal(self) -> None:
        os.eventfd_write(self.event_fd, 1)

    def receive_datagram(self, data: bytes) -> None:
        self.received.append(data)

    def send(self, data: bytes) -> None:
        if self.socket is not None:
            self.socket.send(data)
        else:
            self.outgoing.append(data)
            self.signal()

    def take_events(self) -> list[Any]:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.event_fd)
        taken, self.events = self.events, []
        return taken

    def take_control(self) -> list[bytes]:
        taken, self.control = self.control, []
        return taken

    def take_outgoing(self) -> list[bytes]:
        taken, self.outgoing = self.outgoing, []
        return taken

    def __del__(self) -> None:
        os.close(self.event_fd)
