"""Notices that the address a connection was made from is gone: nothing comes over it any more."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any, Final

POLL: Final = 3.0
"""Seconds between looks, as with media paths."""


def is_local(address: tuple[Any, ...]) -> bool:
    """Whether a socket address, as `getsockname` gives it, is one of this host's."""
    family = socket.AF_INET6 if len(address) == 4 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address[0], 0, *address[2:]))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
    return True


async def abort_without_address(transport: asyncio.Transport) -> None:
    """Aborts a TCP connection once its local address is gone; TCP itself would wait for minutes."""
    address = transport.get_extra_info("sockname")
    while not transport.is_closing():
        await asyncio.sleep(POLL)
        if not is_local(address):
            transport.abort()
