"""A second UDP socket on the port of an asyncio transport, connected to one peer (Linux).

The kernel prefers a connected socket, so the peer's datagrams go to the second socket and those of
everybody else stay with asyncio. Linux allows it late: SO_REUSEPORT may be set on the first socket
after it was bound.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator

SUPPORTED = sys.platform == "linux"

_SOL_UDP = 17
_UDP_GRO = 104
_MAX_DATAGRAM = 65_535


def is_closing(transport: asyncio.BaseTransport) -> bool:
    """As the method of the same name, which aioice's transport for TURN lacks."""
    return hasattr(transport, "is_closing") and transport.is_closing()


def connect_beside(transport: asyncio.BaseTransport, remote: tuple[str, int]) -> socket.socket:
    """Returns a socket bound to the local address of `transport` and connected to `remote`.

    Raises OSError if the transport has no socket of its own (a TURN allocation), if it is closed,
    or if the kernel refuses.
    """
    original = transport.get_extra_info("socket")
    if original is None or is_closing(transport):
        raise OSError("the transport has no socket to share")
    # A duplicate, because event loops hand out wrappers that differ in what they let through.
    with socket.socket(fileno=os.dup(original.fileno())) as shared:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        beside = socket.socket(shared.family, socket.SOCK_DGRAM)
        try:
            beside.setblocking(False)
            beside.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            beside.bind(shared.getsockname())
            beside.connect(remote)
        except BaseException:
            beside.close()
            raise
    return beside


def read_all(source: socket.socket) -> Iterator[bytes]:
    """Yields the datagrams waiting in a non-blocking socket, those coalesced by UDP_GRO apart.

    Empty ones are left out. Raises OSError if the socket has an error.
    """
    while True:
        try:
            data, ancillary, _, _ = source.recvmsg(_MAX_DATAGRAM, socket.CMSG_SPACE(4))
        except BlockingIOError:
            return
        size = len(data)
        for level, kind, value in ancillary:
            if (level, kind) == (_SOL_UDP, _UDP_GRO):
                size = int.from_bytes(value, sys.byteorder) or size
        for start in range(0, len(data), max(size, 1)):
            yield data[start : start + size]
