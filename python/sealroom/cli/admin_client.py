"""Administration of a Bridge over its socket, with an API key."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from sealroom.cli.errors import CommandError
from sealroom.client.errors import ConnectionClosedError, RequestTimeoutError, refusal
from sealroom.protocol import (
    MAX_MESSAGE_BYTES,
    METHODS,
    RPC_PATH,
    AdminParams,
    Empty,
    Incoming,
    PageParams,
    Request,
)

TIMEOUT = 15.0

ResultT = TypeVar("ResultT", bound=msgspec.Struct)
ItemT = TypeVar("ItemT")


class AdminClient:
    """Calls `admin.*`, one after another."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)

    async def call(self, method: str, params: msgspec.Struct, result: type[ResultT]) -> ResultT:
        """Sends a request and returns its result.

        Raises:
            RequestRefusedError: the Bridge says no, and why.
            RequestTimeoutError, ConnectionClosedError: it did not answer.
        """
        request_id = next(self._ids)
        request = Request(
            id=request_id, method=method, params=msgspec.Raw(msgspec.json.encode(params))
        )
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._socket.send(msgspec.json.encode(request).decode())
                while True:
                    answer = msgspec.json.decode(await self._socket.recv(), type=Incoming)
                    if answer.id == request_id:
                        break
        except TimeoutError:
            raise RequestTimeoutError(f"{method}: no answer within {TIMEOUT:g} s") from None
        except ConnectionClosed as error:
            raise ConnectionClosedError(f"{method}: {error}") from None
        if answer.error is not msgspec.UNSET:
            raise refusal(method, answer.error)
        return msgspec.json.decode(cast(Any, answer.result), type=result)


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
    try:
        socket = await connect(
            url.rstrip("/") + RPC_PATH,
            max_size=MAX_MESSAGE_BYTES,
            compression=None,
            open_timeout=TIMEOUT,
            proxy=None,
        )
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
        raise ConnectionClosedError(f"cannot reach a Bridge at {url}: {error}") from error
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
