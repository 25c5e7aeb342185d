"""Ways to break a media path, by what belongs to this process alone."""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Callable
from typing import Any

from sealroom.media.transport import MediaTransport

_SO_ATTACH_FILTER = 26
_SO_DETACH_FILTER = 27


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("jt", ctypes.c_uint8),
        ("jf", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("filter", ctypes.POINTER(_Instruction)))


def _drop_everything(sock: Any) -> None:
    instruction = _Instruction(0x06, 0, 0, 0)  # BPF_RET | BPF_K: keep 0 bytes
    program = _Program(1, ctypes.pointer(instruction))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, bytes(program))


def _sockets(transport: MediaTransport) -> list[Any]:
    path = transport.path
    found = [protocol.transport.get_extra_info("socket") for protocol in path.connection._protocols]
    return [*found, *([path._beside] if path._beside is not None else [])]


def blackhole(transport: MediaTransport) -> Callable[[], None]:
    """Has the kernel drop what arrives on the path in use, silently; returns what undoes it."""
    sockets = _sockets(transport)
    for one in sockets:
        _drop_everything(one)

    def undo() -> None:
        for one in sockets:
            one.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)

    return undo


def cut(transport: MediaTransport, packet_transport: Any) -> None:
    """Closes our own sockets on the path in use."""
    packet_transport.detach_socket()
    transport.path.forget_beside()
    for protocol in transport.path.connection._protocols:
        protocol.transport.close()
