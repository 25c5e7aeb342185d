"""One WebSocket to a Bridge: requests and their responses, and events as they come."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self, cast

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.frames import CloseCode

from sealroom.client.errors import (
    ConnectionClosedError,
    ProtocolError,
    RequestTimeoutError,
    refusal,
)
from sealroom.client.local_address import abort_without_address
from sealroom.errors import InvalidArgumentError
from sealroom.protocol import (
    CLOSE_BINARY_MESSAGE,
    CLOSE_BUSY,
    CLOSE_FAILED_LOGINS,
    CLOSE_LOGGED_OUT,
    CLOSE_LOGIN_TIMEOUT,
    CLOSE_MESSAGE_TOO_BIG,
    CLOSE_RATE_LIMITED,
    CLOSE_SLOW_CONSUMER,
    CLOSE_TAKEN_OVER,
    CLOSE_USER_REMOVED,
    EVENT_METHOD,
    MAX_MESSAGE_BYTES,
    RPC_PATH,
    EventEnvelope,
    Incoming,
    Request,
)
from sealroom.protocol.decoding import decode_json

PING_INTERVAL: Final = 5.0
PING_TIMEOUT: Final = 10.0
"""A Bridge that is silent for the sum of both is taken for gone, well within a session's time."""

# Coming back would end the same way, or take the session from whoever has it now.
_FINAL: Final = {
    CLOSE_USER_REMOVED,
    CLOSE_TAKEN_OVER,
    CLOSE_BINARY_MESSAGE,
    CLOSE_MESSAGE_TOO_BIG,
}

_REASONS: Final = {
    CLOSE_SLOW_CONSUMER: "this side reads too slowly what the Bridge sends",
    CLOSE_FAILED_LOGINS: "too many log-ins failed",
    CLOSE_LOGIN_TIMEOUT: "no log-in within the time the Bridge allows",
    CLOSE_BUSY: "the Bridge has as many connections as it allows; try again later",
    CLOSE_USER_REMOVED: "an administrator removed this user or replaced its identity",
    CLOSE_TAKEN_OVER: "this session goes on over another connection of the user",
    CLOSE_RATE_LIMITED: "too many connections from this address, or too many refused requests",
}


class SocketLostError(ConnectionClosedError):
    """The socket went while a request was under way; whether the Bridge acted is unknown."""


@dataclass(frozen=True, slots=True)
class Closure:
    """Why a socket is closed; after a final one there is no point in coming back."""

    reason: str
    is_final: bool = False


class RpcSocket:
    """Requests and events over one WebSocket. Event-loop thread only.

    When it closes, `on_closed` is called once, and then every open request fails.
    """

    def __init__(
        self,
        socket: ClientConnection,
        *,
        timeout: float,
        on_event: Callable[[EventEnvelope], None],
        on_closed: Callable[[RpcSocket, Closure], None],
    ) -> None:
        self.closure: Closure | None = None
        self._socket = socket
        self._timeout = timeout
        self._on_event = on_event
        self._on_closed = on_closed
        self._ids = itertools.count(1)
        self._open: dict[int, tuple[str, asyncio.Future[msgspec.Raw]]] = {}
        self._reader = asyncio.create_task(self._read())
        self._watch = asyncio.create_task(abort_without_address(socket.transport))

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        timeout: float,
        on_event: Callable[[EventEnvelope], None],
        on_closed: Callable[[RpcSocket, Closure], None],
    ) -> Self:
        """Connects; `timeout` in seconds is for this and for each response.

        Raises:
            ConnectionClosedError: nobody answers at `url`.
        """
        try:
            socket = await connect(
                url.rstrip("/") + RPC_PATH,
                max_size=MAX_MESSAGE_BYTES,
                compression=None,
                open_timeout=timeout,
                ping_interval=PING_INTERVAL,
                ping_timeout=PING_TIMEOUT,
                close_timeout=min(timeout, 10.0),
                proxy=None,
            )
        except (OSError, TimeoutError, EOFError, InvalidHandshake, InvalidURI) as error:
            raise ConnectionClosedError(f"cannot reach a Bridge at {url}: {error}") from error
        return cls(socket, timeout=timeout, on_event=on_event, on_closed=on_closed)

    @property
    def transport(self) -> asyncio.Transport:
        """The TCP connection."""
        return self._socket.transport

    @property
    def open_requests(self) -> int:
        """Requests without a response as yet."""
        return len(self._open)

    async def request(self, method: str, params: msgspec.Struct) -> msgspec.Raw:
        """Sends a request and returns its result, undecoded.

        Raises:
            RequestRefusedError: the Bridge says no, and why; nothing has changed.
            RequestTimeoutError, SocketLostError: it is not known whether the Bridge acted.
            ProtocolError: the response is malformed.
            InvalidArgumentError: a text in `params` has no UTF-8; nothing was sent.
        """
        if self.closure is not None:
            raise SocketLostError(f"{method}: {self.closure.reason}")
        try:
            encoded = msgspec.Raw(msgspec.json.encode(params))
        except UnicodeEncodeError:
            raise InvalidArgumentError(
                f"{method}: a text among the arguments has a lone surrogate, which cannot be sent;"
                ' replace it: text.encode(errors="replace").decode()'
            ) from None
        request_id = next(self._ids)
        response: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()
        self._open[request_id] = (method, response)
        request = Request(id=request_id, method=method, params=encoded)
        try:
            async with asyncio.timeout(self._timeout):
                await self._socket.send(msgspec.json.encode(request).decode())
                return await response
        except TimeoutError:
            raise RequestTimeoutError(f"{method}: no response within {self._timeout:g} s") from None
        except ConnectionClosed as error:
            # The reader may not have run yet: a request repeated at once would be refused by the
            # same dead socket, without a pause in which anything else could run.
            self._closed(_closure(error))
            raise SocketLostError(f"{method}: {_closure(error).reason}") from None
        finally:
            self._open.pop(request_id, None)
            if response.done() and not response.cancelled():
                response.exception()  # read, or asyncio complains that nobody did

    async def close(self, *, logs_out: bool = True) -> None:
        """Closes the socket and, if told to, ends the session that has it. Idempotent."""
        self._closed(Closure("closed by this side"))
        await self._socket.close(CLOSE_LOGGED_OUT if logs_out else CloseCode.GOING_AWAY)
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        closure = Closure("closed by the Bridge")
        try:
            async for message in self._socket:
                self._handle(decode_json(message, Incoming))
        except ConnectionClosed as error:
            closure = _closure(error)
        except msgspec.DecodeError as error:
            closure = Closure(f"the Bridge sent a malformed message: {error}", is_final=True)
        finally:
            # Before anything else that waits: who waits for a response must hear of it at once.
            self._watch.cancel()
            self._closed(closure)
        await self._socket.close(1002)

    def _handle(self, message: Incoming) -> None:
        if message.method is not msgspec.UNSET:
            if message.method == EVENT_METHOD and message.params is not msgspec.UNSET:
                self._on_event(decode_json(message.params, EventEnvelope))
            return
        waiting = self._open.get(message.id) if isinstance(message.id, int) else None
        if waiting is None or waiting[1].done():
            return  # an answer after its time-out
        method, response = waiting
        if message.error is not msgspec.UNSET:
            response.set_exception(refusal(method, message.error))
        elif message.result is not msgspec.UNSET:
            # A copy: Raw is a view of the message.
            response.set_result(msgspec.Raw(bytes(cast(Any, message.result))))
        else:
            response.set_exception(ProtocolError(f"{method}: neither a result nor an error"))

    def _closed(self, closure: Closure) -> None:
        if self.closure is not None:
            return
        self.closure = closure
        self._on_closed(self, closure)
        for method, response in self._open.values():
            if not response.done():
                response.set_exception(SocketLostError(f"{method}: {closure.reason}"))


def _closure(error: ConnectionClosed) -> Closure:
    codes = {one.code for one in (error.rcvd, error.sent) if one is not None}
    reason = next((_REASONS[code] for code in codes if code in _REASONS), str(error))
    return Closure(reason, is_final=codes & _FINAL != set())
