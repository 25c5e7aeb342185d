"""One WebSocket: reads requests one after another, writes from a bounded queue, closes with a code.

Requests of one connection are carried out in order, so a client that floods is slowed by its own
socket. A client that does not read is cut off when its queue is full: memory stays bounded.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any, Protocol
from uuid import uuid4

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from sealroom.protocol import (
    CLOSE_BINARY_MESSAGE,
    CLOSE_FAILED_LOGINS,
    CLOSE_LOGGED_OUT,
    CLOSE_LOGIN_TIMEOUT,
    CLOSE_MESSAGE_TOO_BIG,
    CLOSE_RATE_LIMITED,
    CLOSE_SLOW_CONSUMER,
    MAX_FAILED_LOGINS,
    MAX_MESSAGE_BYTES,
    MAX_UNAUTHENTICATED_MESSAGE_BYTES,
)

from .admission import ConnectionBudget
from .bus import Session
from .config import BridgeConfig
from .logs import get_logger, where
from .metrics import Metrics

GATE = "sealroom.gate"
"""Key of the connection's `Gate` in the ASGI scope; other web servers than ours have none."""


class Gate(Protocol):
    """Where the web server is told how much of a message it may gather."""

    is_open: bool  # messages may be large: somebody logged in


class Handler(Protocol):
    """Carries out requests."""

    async def handle(self, connection: "Connection", message: bytes) -> bytes:
        """Return the response to a message; never raises."""
        ...

    async def disconnected(self, connection: "Connection") -> None:
        """The connection is over."""
        ...


def source_address(socket: WebSocket) -> str:
    """Return the address a connection comes from, as the server in front says; may be empty."""
    return socket.client.host if socket.client is not None else ""


class Connection:
    """State of one client connection."""

    def __init__(
        self,
        socket: WebSocket,
        handler: Handler,
        config: BridgeConfig,
        metrics: Metrics,
        budget: ConnectionBudget,
    ) -> None:
        self.connection_id = uuid4().hex
        self.session: Session | None = None
        self.admin_key_id: str | None = None  # of the key that unlocked administration
        self.failed_logins = 0
        self.budget = budget
        self.address = source_address(socket)
        self._socket = socket
        self._gate: Gate | None = socket.scope.get(GATE)
        self._handler = handler
        self._config = config
        self._metrics = metrics
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._filled = asyncio.Event()
        self._closing: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._handling = False
        self._is_over = asyncio.Event()
        self.logged_out = False  # the client closed the connection of its own will

    @property
    def is_authenticated(self) -> bool:
        """Whether anyone logged in."""
        return self.session is not None or self.admin_key_id is not None

    def send(self, message: bytes) -> None:
        """Queue a message; beyond the limits of the queue the connection ends."""
        if self._closing.done():
            return
        self._queue.append(message)
        self._queued_bytes += len(message)
        self._filled.set()
        if (
            len(self._queue) > self._config.max_queued_messages
            or self._queued_bytes > self._config.max_queued_bytes
        ):
            self.close(CLOSE_SLOW_CONSUMER)

    def close(self, code: int) -> None:
        """End the connection with a close code; what is queued is dropped."""
        if not self._closing.done():
            self._closing.set_result(code)
            self._queue.clear()

    async def over(self) -> None:
        """Wait until the connection has ended, and with it the request under way."""
        await self._is_over.wait()

    async def run(self) -> None:
        """Serve the connection until it ends."""
        await self._socket.accept()
        reader = asyncio.create_task(self._read())
        writer = asyncio.create_task(self._write())
        try:
            ends: list[asyncio.Future[Any]] = [reader, writer, self._closing]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            code = self._closing.result() if self._closing.done() else None
            self.close(code or 1000)
            if not self._handling:  # a request under way is carried out to its end
                reader.cancel()
            writer.cancel()
            for result in await asyncio.gather(reader, writer, return_exceptions=True):
                if isinstance(result, WebSocketDisconnect) and result.code == CLOSE_LOGGED_OUT:
                    self.logged_out = code is None
                if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
                    get_logger().error("connection failed", error=where(result))
            try:
                await self._handler.disconnected(self)
            finally:
                self._is_over.set()
        if code is not None:
            await self._say_goodbye(code)

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(self._config.login_timeout) as login:
                while not self._closing.done():
                    await self._read_one()
                    if self._gate is not None:
                        self._gate.is_open = self.is_authenticated
                    if self.is_authenticated:
                        login.reschedule(None)
                    elif login.when() is None:  # its API key was revoked
                        now = asyncio.get_running_loop().time()
                        login.reschedule(now + self._config.login_timeout)
        except TimeoutError:
            self.close(CLOSE_LOGIN_TIMEOUT)

    async def _read_one(self) -> None:
        received = await self._socket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", 1005))
        if (text := received.get("text")) is None:
            return self.close(CLOSE_BINARY_MESSAGE)
        message = text.encode()
        limit = MAX_MESSAGE_BYTES if self.is_authenticated else MAX_UNAUTHENTICATED_MESSAGE_BYTES
        if len(message) > limit:
            return self.close(CLOSE_MESSAGE_TOO_BIG)
        self._handling = True
        try:
            self.send(await self._handler.handle(self, message))
        finally:
            self._handling = False
        if self.failed_logins >= MAX_FAILED_LOGINS:
            self.close(CLOSE_FAILED_LOGINS)
        elif self.budget.is_spent:
            self.close(CLOSE_RATE_LIMITED)
        return None

    async def _write(self) -> None:
        while True:
            await self._filled.wait()
            while self._queue:
                message = self._queue.popleft()
                self._queued_bytes -= len(message)
                await self._socket.send_text(message.decode())
            self._filled.clear()

    async def _say_goodbye(self, code: int) -> None:
        get_logger().info("connection closed", connection=self.connection_id, code=code)
        self._metrics.closed.labels(code).inc()
        if self._socket.client_state is not WebSocketState.CONNECTED:
            return
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            await asyncio.wait_for(self._socket.close(code), self._config.close_timeout)
