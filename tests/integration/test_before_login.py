"""What somebody gets who has not logged in: little memory, and little time."""

import asyncio
import struct
from urllib.parse import urlparse

import pytest
from bridge_support import Refused, World, open_world

from sealroom.protocol import CLOSE_MESSAGE_TOO_BIG, MAX_MESSAGE_BYTES, ErrorCode

SECONDS = 0.5
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(world: World, request: str = "") -> Streams:
    url = urlparse(world.bridge.rpc_url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(request.encode())
    return reader, writer


async def upgraded(world: World) -> Streams:
    path = urlparse(world.bridge.rpc_url).path
    reader, writer = await connect(
        world,
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


@pytest.mark.parametrize("fragments", [False, True])
async def test_a_large_message_is_refused_before_it_is_complete(
    world: World, fragments: bool
) -> None:
    reader, writer = await upgraded(world)
    if fragments:
        first = bytes([0x01, 0xFF]) + struct.pack(">Q", 40_000) + bytes(4) + b"a" * 40_000
        more = bytes([0x00, 0xFF]) + struct.pack(">Q", 40_000) + bytes(4) + b"a" * 40_000
        writer.write(first + more)
    else:
        size = MAX_MESSAGE_BYTES - 1
        writer.write(bytes([0x81, 0xFF]) + struct.pack(">Q", size) + bytes(4) + b"a" * 100_000)
    closing = await asyncio.wait_for(reader.readexactly(4), 5)
    assert closing[0] == 0x88
    assert int.from_bytes(closing[2:], "big") == CLOSE_MESSAGE_TOO_BIG
    writer.close()


async def test_whoever_logged_in_may_send_large_messages(world: World) -> None:
    alice = await world.user("alice")
    with pytest.raises(Refused) as refused:
        await alice.send(b"x" * (MAX_MESSAGE_BYTES - 1))
    assert refused.value.code is ErrorCode.PARSE_ERROR


@pytest.mark.parametrize(
    "request_text",
    ["", "GET / HTTP/1.1\r\n", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\n"],
    ids=["nothing", "half", "one and a half"],
)
async def test_a_connection_that_asks_for_nothing_is_closed(request_text: str) -> None:
    async with open_world(login_timeout=SECONDS) as world:
        reader, writer = await connect(world, request_text)
        answer = await asyncio.wait_for(reader.read(), 10 * SECONDS)
        assert answer.count(b"ok\n") == request_text.count("\r\n\r\n")
        writer.close()


async def test_a_websocket_outlives_the_time_for_asking_for_it() -> None:
    async with open_world(login_timeout=SECONDS) as world:
        alice = await world.user("alice")
        await asyncio.sleep(2 * SECONDS)
        await alice.call("room.list", context_id=world.context_id)
