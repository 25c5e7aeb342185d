"""A logged-in connection to a Bridge: requests, responses and events over one WebSocket."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from sealroom.client.errors import (
    ConnectionClosedError,
    ProtocolError,
    RequestTimeoutError,
    refusal,
)
from sealroom.identity import (
    Identity,
    PublicIdentity,
    RoomPinFile,
    RoomPins,
    TrustOnFirstUse,
    UserVerifier,
    default_pin_file,
    default_room_pin_file,
)
from sealroom.protocol import (
    EVENT_METHOD,
    LOGIN_TYPE,
    MAX_MESSAGE_BYTES,
    METHODS,
    RPC_PATH,
    ChallengeParams,
    ChallengeResult,
    EventEnvelope,
    Incoming,
    LoginParams,
    LoginPayload,
    LoginResult,
    Request,
    RoomListItems,
)

logger = logging.getLogger(__name__)

ResultT = TypeVar("ResultT", bound=msgspec.Struct)
EventCallback = Callable[[EventEnvelope], None]
CloseCallback = Callable[[str], None]

REQUEST_TIMEOUT = 15.0
"""Seconds a response may take, unless `connect` is told otherwise."""

MAX_REQUESTS_IN_FLIGHT = 64
"""Further requests wait for a response to one of these."""


class Connection:
    """One session of a user at a Bridge. Event-loop thread only.

    Use `Connection.connect`, then hand it to `StreamApi`. A connection does not come back by
    itself: when it is closed, every open request fails and `on_close` is called once.
    """

    def __init__(
        self,
        socket: ClientConnection,
        *,
        identity: Identity,
        user_id: str,
        context_id: str,
        trust: UserVerifier,
        room_pins: RoomPins,
        request_timeout: float,
    ) -> None:
        self.identity = identity
        self.user_id = user_id
        self.context_id = context_id
        self.trust = trust
        self.room_pins = room_pins
        self.session_id = ""
        self._socket = socket
        self._request_timeout = request_timeout
        self._ids = itertools.count(1)
        self._open: dict[int, tuple[str, asyncio.Future[msgspec.Raw]]] = {}
        self._slots = asyncio.Semaphore(MAX_REQUESTS_IN_FLIGHT)
        self._event_callbacks: list[EventCallback] = []
        self._close_callbacks: list[CloseCallback] = []
        self._close_reason: str | None = None
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        identity: Identity,
        user_id: str,
        context_id: str,
        trust: UserVerifier | None = None,
        room_pins: RoomPins | None = None,
        request_timeout: float = REQUEST_TIMEOUT,
    ) -> Self:
        """Connects and logs in.

        Args:
            url: of the Bridge, `ws://host:port` or `wss://host:port`.
            identity: the user's private identity; it never leaves this process.
            user_id, context_id: as the administrator registered them.
            trust: decides whose key is whose; by default trust on first use, with the pins in
                the file `default_pin_file()` names. `TrustOnFirstUse()` keeps them in memory only.
            room_pins: remembers the newest record seen of each room, so that no older or other
                history is believed; by default in the file `default_room_pin_file()` names.
                `MemoryRoomPins()` keeps them in memory only.
            request_timeout: seconds.

        Raises:
            ConnectionClosedError: nobody answers at `url`.
            LoginFailedError: context, user or identity are not the registered ones.
        """
        try:
            socket = await connect(
                url.rstrip("/") + RPC_PATH,
                max_size=MAX_MESSAGE_BYTES,
                compression=None,
                open_timeout=request_timeout,
                proxy=None,
            )
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI) as error:
            raise ConnectionClosedError(f"cannot reach a Bridge at {url}: {error}") from error
        connection = cls(
            socket,
            identity=identity,
            user_id=user_id,
            context_id=context_id,
            trust=trust or TrustOnFirstUse(default_pin_file()),
            room_pins=room_pins or RoomPinFile(default_room_pin_file()),
            request_timeout=request_timeout,
        )
        try:
            await connection._log_in()
        except BaseException:
            await connection.close()
            raise
        return connection

    @property
    def is_closed(self) -> bool:
        return self._close_reason is not None

    async def call(self, method: str, params: msgspec.Struct, result: type[ResultT]) -> ResultT:
        """Sends a request and returns its result.

        Raises:
            RequestRefusedError: the Bridge says no, and why; nothing has changed.
            RequestTimeoutError, ConnectionClosedError: it is not known whether the Bridge acted.
            ProtocolError: the response is malformed.
        """
        expected = METHODS[method]
        assert isinstance(params, expected[0])
        assert result is expected[1] or (method == "room.list" and result is RoomListItems)
        async with self._slots:
            raw = await self._request(method, params)
        try:
            return msgspec.json.decode(raw, type=result)
        except msgspec.DecodeError as error:
            raise ProtocolError(f"{method}: malformed result: {error}") from None

    def on_event(self, callback: EventCallback) -> Callable[[], None]:
        """Calls `callback` with every event in order; returns a function that ends it."""
        self._event_callbacks.append(callback)
        return lambda: self._event_callbacks.remove(callback)

    def on_close(self, callback: CloseCallback) -> None:
        """Calls `callback` once with the reason when the connection is closed."""
        if self._close_reason is not None:
            callback(self._close_reason)
        else:
            self._close_callbacks.append(callback)

    async def close(self) -> None:
        """Closes the connection; the Bridge then takes the user out of all rooms. Idempotent."""
        self._closed("closed by this side")
        await self._socket.close()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else "open"
        return f"<Connection {self.user_id} in {self.context_id}, {state}>"

    async def _log_in(self) -> None:
        challenge = await self.call(
            "auth.challenge",
            ChallengeParams(context_id=self.context_id, user_id=self.user_id),
            ChallengeResult,
        )
        payload = msgspec.json.encode(
            LoginPayload(
                bridge_id=challenge.bridge_id,
                nonce=challenge.nonce,
                context_id=self.context_id,
                user_id=self.user_id,
            )
        )
        result = await self.call(
            "auth.login",
            LoginParams(payload=payload, signature=self.identity.sign(LOGIN_TYPE, payload)),
            LoginResult,
        )
        registered = PublicIdentity.parse(result.user.identity)
        if registered.fingerprint != self.identity.public.fingerprint:
            raise ProtocolError("the Bridge answered a log-in with somebody else's identity")
        self.session_id = result.session_id

    async def _request(self, method: str, params: msgspec.Struct) -> msgspec.Raw:
        if self._close_reason is not None:
            raise ConnectionClosedError(f"the connection is closed: {self._close_reason}")
        request_id = next(self._ids)
        response: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()
        self._open[request_id] = (method, response)
        request = Request(
            id=request_id, method=method, params=msgspec.Raw(msgspec.json.encode(params))
        )
        try:
            async with asyncio.timeout(self._request_timeout):
                await self._socket.send(msgspec.json.encode(request).decode())
                return await response
        except TimeoutError:
            raise RequestTimeoutError(
                f"{method}: no response within {self._request_timeout:g} s"
            ) from None
        except ConnectionClosed as error:
            raise ConnectionClosedError(f"{method}: {error}") from None
        finally:
            self._open.pop(request_id, None)

    async def _read(self) -> None:
        reason = "closed by the Bridge"
        try:
            async for message in self._socket:
                self._handle(msgspec.json.decode(message, type=Incoming))
        except ConnectionClosed as error:
            reason = str(error)
        except msgspec.DecodeError as error:
            reason = f"the Bridge sent a malformed message: {error}"
        finally:
            # Before anything else that waits: who waits for a response must hear of it at once.
            self._closed(reason)
        await self._socket.close(1002)

    def _handle(self, message: Incoming) -> None:
        if message.method is not msgspec.UNSET:
            if message.method == EVENT_METHOD and message.params is not msgspec.UNSET:
                self._handle_event(msgspec.json.decode(message.params, type=EventEnvelope))
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

    def _handle_event(self, envelope: EventEnvelope) -> None:
        for callback in list(self._event_callbacks):
            try:
                callback(envelope)
            except Exception:
                logger.exception("a listener of %s failed", envelope.type)

    def _closed(self, reason: str) -> None:
        if self._close_reason is not None:
            return
        self._close_reason = reason
        for method, response in self._open.values():
            if not response.done():
                response.set_exception(ConnectionClosedError(f"{method}: {reason}"))
        callbacks, self._close_callbacks = self._close_callbacks, []
        for callback in callbacks:
            try:
                callback(reason)
            except Exception:
                logger.exception("a close listener failed")
