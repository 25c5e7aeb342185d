import asyncio
import socket

import pytest

from sealroom.client import local_address
from sealroom.client.local_address import abort_without_address, is_local


@pytest.mark.parametrize(
    ("address", "is_ours"),
    [
        (("127.0.0.1", 4711), True),
        (("192.0.2.1", 4711), False),  # nobody's, RFC 5737
        (("::1", 4711, 0, 0), True),
        (("2001:db8::1", 4711, 0, 0), False),  # nobody's, RFC 3849
    ],
)
def test_an_address_is_known_as_this_hosts_or_not(address, is_ours):
    if ":" in address[0] and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    assert is_local(address) is is_ours


async def test_a_connection_is_aborted_once_its_address_is_gone_and_not_before(monkeypatch):
    monkeypatch.setattr(local_address, "POLL", 0.02)
    taken = []
    server = await asyncio.start_server(lambda *pair: taken.append(pair), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        watch = asyncio.create_task(abort_without_address(writer.transport))
        await asyncio.sleep(0.1)
        assert not writer.transport.is_closing()
        monkeypatch.setattr(local_address, "is_local", lambda _: False)
        async with asyncio.timeout(10):
            await watch
            assert await reader.read() == b""
            ((at_server, answers),) = taken
            assert await at_server.read() == b""
            answers.close()
            await answers.wait_closed()
        assert writer.transport.is_closing()
