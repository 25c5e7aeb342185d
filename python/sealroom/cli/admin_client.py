"""Administration of a Bridge over its socket, with an API key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from sealroom.cli.errors import CommandError
from sealroom.client.errors import ProtocolError
from sealroom.client.rpc_socket import RpcSocket
from sealroom.protocol import (
    METHODS,
    AdminParams,
    Empty,
    PageParams,
)
from sealroom.protocol.decoding import decode_json

TIMEOUT = 15.0

ResultT = TypeVar("ResultT", bound=msgspec.Struct)
ItemT = TypeVar("ItemT")


class AdminClient:
    """Calls `admin.*`."""

    def __init__(self, socket: RpcSocket) -> None:
        self._socket = socket

    async def call(self, method: str, params: msgspec.Struct, result: type[ResultT]) -> ResultT:
        """Sends a request and returns its result.

        Raises:
            RequestRefusedError: the Bridge says no, and why.
            RequestTimeoutError, ConnectionClosedError: it did not answer.
            ProtocolError: it answered with something else.
        """
        raw = await self._socket.request(method, params)
        try:
            return decode_json(raw, result)
        except msgspec.DecodeError as error:
            raise ProtocolError(f"{method}: malformed result: {error}") from None


@dataclass(frozen=True, slots=True)
class Administration:
    """What the options of administration said.

    Every method connects, and raises what `administer` and `AdminClient.call` do.
    """

    url: str
    key: str | None = field(repr=False)
    key_file: Path | None

    def ask(self, method: str, params: msgspec.Struct, result: type[ResultT]) -> ResultT:
        """Sends one request and returns its result."""

        async def work() -> ResultT:
            async with self._connected() as bridge:
                return await bridge.call(method, params, result)

        return asyncio.run(work())

    def order(self, method: str, params: msgspec.Struct) -> None:
        """Sends one request whose result is empty."""
        self.ask(method, params, Empty)

    def list_all(
        self,
        method: str,
        params: PageParams,
        result: type[ResultT],
        items: Callable[[ResultT], Sequence[ItemT]],
    ) -> list[ItemT]:
        """Returns the items of all pages, from `params.skip` on."""

        async def work() -> list[ItemT]:
            found: list[ItemT] = []
            async with self._connected() as bridge:
                while True:
                    skip = params.skip + len(found)
                    page = msgspec.structs.replace(params, skip=skip)
                    more = items(await bridge.call(method, page, result))
                    found += more
                    if len(more) == 0:
                        return found

        return asyncio.run(work())

    def _connected(self) -> AbstractAsyncContextManager[AdminClient]:
        return administer(self.url, self.key, self.key_file)


@asynccontextmanager
async def administer(
    url: str, key: str | None, key_file: Path | None
) -> AsyncIterator[AdminClient]:
    """Connects with the API key.

    Raises:
        CommandError: there is no key.
        ConnectionClosedError: nobody answers at `url`.
        RequestRefusedError: the key is not one of this Bridge.
    """
    api_key = read_key(key, key_file)
    socket = await RpcSocket.open(
        url, timeout=TIMEOUT, on_event=lambda _: None, on_closed=lambda *_: None
    )
    try:
        client = AdminClient(socket)
        await client.call("auth.admin", AdminParams(api_key=api_key), METHODS["auth.admin"][1])
        yield client
    finally:
        await socket.close()


def read_key(key: str | None, key_file: Path | None) -> str:
    """Returns the API key that the options give.

    Raises:
        CommandError: neither option does.
        OSError: the file cannot be read.
    """
    if key is None and key_file is not None:
        key = key_file.read_text().strip()
    if not key:
        raise CommandError(
            "an API key of the Bridge is needed, which 'sealroom bridge' shows at its first start."
            " Remedy: give --admin-key-file, or set SEALROOM_ADMIN_KEY or SEALROOM_ADMIN_KEY_FILE."
        )
    return key
