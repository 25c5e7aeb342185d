"""A logged-in connection to a Bridge: one session, over one WebSocket after another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Literal, Self, TypeAlias, TypeVar

import msgspec

from sealroom.client.arguments import check_type
from sealroom.client.bridge_urls import check_urls, url_to_try
from sealroom.client.errors import (
    ConnectionClosedError,
    LoginFailedError,
    ProtocolError,
    RequestRefusedError,
    SessionMismatchError,
)
from sealroom.client.listeners import Listeners
from sealroom.client.login import Credentials, decode_result
from sealroom.client.reconnect import Reconnect
from sealroom.client.repeating import is_bound, may_repeat, was_done
from sealroom.client.rpc_socket import Closure, RpcSocket, SocketLostError
from sealroom.errors import InvalidArgumentError, SealroomError
from sealroom.identity import (
    Identity,
    RoomPinFile,
    RoomPins,
    TrustOnFirstUse,
    UserVerifier,
    default_pin_file,
    default_room_pin_file,
)
from sealroom.protocol import (
    METHODS,
    ErrorCode,
    EventEnvelope,
    EventType,
    RoomListItems,
    SessionResync,
)

logger = logging.getLogger(__name__)

ResultT = TypeVar("ResultT", bound=msgspec.Struct)
EventCallback = Callable[[EventEnvelope], None]
CloseCallback = Callable[[str], None]
ConnectionState: TypeAlias = Literal["connected", "reconnecting", "resumed", "closed"]
"""`resumed`: the session goes on. `connected`: a new session, in no room as yet."""
StateCallback = Callable[[ConnectionState, str], None]

REQUEST_TIMEOUT = 15.0
"""Seconds a response may take, unless `connect` is told otherwise."""

MAX_REQUEST_TIMEOUT = 3600.0

MAX_PAST_SESSIONS = 256
"""Session ids that must not come again; the oldest are forgotten first."""

MAX_REQUESTS_IN_FLIGHT = 64
"""Further requests wait for a response to one of these."""


class Connection:
    """One user at a Bridge. Event-loop thread only.

    Use `Connection.connect`, then hand it to `StreamApi`. When its socket drops it comes back by
    itself, with the session it had or, if that is over, a new one; `on_state` tells which. Requests
    made meanwhile wait. Of those under way, which may have been carried out or not, those that can
    be repeated are (`sealroom.client.repeating`); the others raise `ConnectionClosedError`. It is
    closed for good by `close`, by a Bridge that removed the user or gave the session to somebody
    else who logged in as the user, and when `reconnect` gives up: `on_close` is called once.
    """

    def __init__(
        self,
        urls: Sequence[str],
        credentials: Credentials,
        *,
        trust: UserVerifier,
        room_pins: RoomPins,
        request_timeout: float,
        reconnect: Reconnect | None,
        follow_homes: bool = True,
    ) -> None:
        self.identity = credentials.identity
        self.user_id = credentials.user_id
        self.context_id = credentials.context_id
        self.trust = trust
        self.room_pins = room_pins
        self.request_timeout = request_timeout
        self.follows_homes = follow_homes
        self.session_id = ""
        self.state: ConnectionState = "reconnecting"
        self._urls = urls
        self._url = urls[0]
        self._credentials = credentials
        self._reconnect = reconnect
        self._socket: RpcSocket | None = None
        self._past_sessions: dict[str, None] = {}
        self._last_sequence = 0
        self._attempts = 0
        self._connected_at = 0.0
        self._coming_back: asyncio.Task[None] | None = None
        self._usable = asyncio.Event()  # logged in, or closed for good
        self._slots = asyncio.Semaphore(MAX_REQUESTS_IN_FLIGHT)
        self._event_listeners: Listeners[EventEnvelope] = Listeners("events")
        self._state_listeners: Listeners[ConnectionState, str] = Listeners("states")
        self._close_listeners: Listeners[str] = Listeners("the end")
        self._joined_rooms: list[Callable[[], Iterable[str]]] = []
        self._close_reason: str | None = None

    @classmethod
    async def connect(
        cls,
        url: str | Sequence[str],
        *,
        identity: Identity,
        user_id: str,
        context_id: str,
        trust: UserVerifier | None = None,
        room_pins: RoomPins | None = None,
        request_timeout: float = REQUEST_TIMEOUT,
        reconnect: Reconnect | None = Reconnect(),  # noqa: B008 - immutable
        follow_homes: bool = True,
    ) -> Self:
        """Connects and logs in.

        Args:
            url: of the Bridge, `ws://host:port` or `wss://host:port`. Where several Bridges share a
                database, the URLs of up to 8: the first that answers is used, and after
                SAME_URL_TRIES attempts in vain to come back to it, the next.
            identity: the user's private identity; it never leaves this process.
            user_id, context_id: as the administrator registered them.
            trust: decides whose key is whose; by default trust on first use, with the pins in
                the file `default_pin_file()` names. `TrustOnFirstUse()` keeps them in memory only.
            room_pins: remembers the newest record seen of each room, so that no older or other
                history is believed; by default in the file `default_room_pin_file()` names.
                `MemoryRoomPins()` keeps them in memory only.
            request_timeout: seconds, up to an hour.
            reconnect: when to come back after the socket dropped; None to be closed then.
            follow_homes: where several Bridges serve the same rooms, go to the one where a room
                lives, over a further connection that `StreamApi` looks after; with TLS if `url`
                has it. False: joining such a room raises `RoomElsewhereError`.

        Raises:
            InvalidArgumentError: an argument is of a wrong type or beyond its limit.
            ConnectionClosedError: nobody answers at `url`.
            LoginFailedError: context, user or identity are not the registered ones.
        """
        urls = check_urls(url)
        check_type("identity", identity, Identity)
        check_type("user_id", user_id, str)
        check_type("context_id", context_id, str)
        check_type("request_timeout", request_timeout, int, float)
        if not 0 < request_timeout <= MAX_REQUEST_TIMEOUT:
            raise InvalidArgumentError(f"request_timeout: up to {MAX_REQUEST_TIMEOUT:g} seconds")
        connection = cls(
            urls,
            Credentials(identity, user_id, context_id),
            trust=trust or TrustOnFirstUse(default_pin_file()),
            room_pins=room_pins or RoomPinFile(default_room_pin_file()),
            request_timeout=request_timeout,
            reconnect=reconnect,
            follow_homes=follow_homes,
        )
        for number, one in enumerate(urls, 1):
            connection._url = one
            try:
                await connection._connect()
                break
            except ConnectionClosedError:
                if number == len(urls):
                    raise
        return connection

    async def connect_home(self, url: str) -> Connection:
        """Logs the same user in at another Bridge on the same database.

        Same identity, trust and pins. It is the caller's to close.

        Raises:
            ConnectionClosedError: nobody answers at `url`.
            LoginFailedError: that Bridge does not know the user.
        """
        connection = Connection(
            (url,),
            self._credentials,
            trust=self.trust,
            room_pins=self.room_pins,
            request_timeout=self.request_timeout,
            reconnect=self._reconnect,
        )
        await connection._connect()
        return connection

    @property
    def url(self) -> str:
        """Of the Bridge, that of now where there are several."""
        return self._url

    @property
    def is_closed(self) -> bool:
        """Whether it is closed for good."""
        return self._close_reason is not None

    async def call(self, method: str, params: msgspec.Struct, result: type[ResultT]) -> ResultT:
        """Sends a request and returns its result; while there is no socket, waits for one.

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
        return decode_result(method, raw, result)

    def on_event(self, callback: EventCallback) -> Callable[[], None]:
        """Calls `callback` with every event once and in order; returns a function that ends it."""
        return self._event_listeners.add(callback)

    def on_state(self, callback: StateCallback) -> Callable[[], None]:
        """Calls `callback` with each state from now on and why; returns a function that ends it."""
        return self._state_listeners.add(callback)

    def on_close(self, callback: CloseCallback) -> None:
        """Calls `callback` once with the reason when the connection is closed for good."""
        if self._close_reason is not None:
            callback(self._close_reason)
        else:
            self._close_listeners.add(callback)

    def remember_joined(self, rooms: Callable[[], Iterable[str]]) -> None:
        """Has a resumed session be in the rooms that `rooms` returns then, and in no others."""
        self._joined_rooms.append(rooms)

    async def close(self) -> None:
        """Logs out; the Bridge then takes the user out of all rooms. Idempotent."""
        self._closed("closed by this side")
        if self._coming_back is not None:
            self._coming_back.cancel()
            await asyncio.gather(self._coming_back, return_exceptions=True)
        if self._socket is not None:
            await self._socket.close()

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
        return f"<Connection {self.user_id} in {self.context_id}, {self.state}>"

    async def _connect(self) -> None:
        """Opens a socket and resumes the session there, or begins a new one."""
        socket = await RpcSocket.open(
            self._url,
            timeout=self.request_timeout,
            on_event=self._handle_event,
            on_closed=self._lost,
        )
        try:
            state: ConnectionState = "resumed"
            if not self.session_id or not await self._resume(socket):
                state = "connected"
                self._begin_session((await self._credentials.log_in(socket)).session_id)
            if socket.closure is not None or self.is_closed:
                raise ConnectionClosedError("closed while it came back")
        except BaseException:
            await socket.close(logs_out=self.is_closed)
            raise
        self._socket = socket
        if self._reconnect is not None:
            self._connected_at = self._reconnect.clock()
        self._enter(state, "")
        self._usable.set()

    def _begin_session(self, session_id: str) -> None:
        # Under an id that was before, this side would take itself to be in its rooms still.
        if session_id in self._past_sessions:
            raise SessionMismatchError("the Bridge begins a session under the id of another one")
        while len(self._past_sessions) >= MAX_PAST_SESSIONS:
            del self._past_sessions[next(iter(self._past_sessions))]
        self._past_sessions[session_id] = None
        self.session_id = session_id

    async def _resume(self, socket: RpcSocket) -> bool:
        joined = {room_id for rooms in self._joined_rooms for room_id in rooms()}
        try:
            await self._credentials.resume(
                socket, self.session_id, self._last_sequence, sorted(joined)
            )
        except RequestRefusedError as error:
            if error.error_code != ErrorCode.SESSION_NOT_FOUND:
                raise
            self.session_id, self._last_sequence = "", 0
            return False
        return True

    async def _come_back(self, policy: Reconnect, reason: str) -> None:
        lost_at = policy.clock()
        if lost_at - self._connected_at >= policy.stable_after:
            self._attempts = 0
        while True:
            delay = policy.delay(self._attempts)
            self._attempts += 1
            await policy.sleep(delay)
            try:
                return await self._connect()
            except (LoginFailedError, ProtocolError) as error:
                return self._closed(str(error))
            except SealroomError as error:
                logger.info("%r: attempt %d failed: %s", self, self._attempts, error)
                self._url = url_to_try(self._urls, self._url, self._attempts)
                if policy.clock() - lost_at >= policy.give_up_after:
                    return self._closed(f"gave up after {policy.give_up_after:g} s: {reason}")

    def _lost(self, socket: RpcSocket, closure: Closure) -> None:
        if socket is not self._socket or self.is_closed:
            return None
        if closure.is_final or self._reconnect is None:
            return self._closed(closure.reason)
        self._usable.clear()
        self._enter("reconnecting", closure.reason)
        self._coming_back = asyncio.create_task(
            self._come_back(self._reconnect, closure.reason), name="sealroom reconnect"
        )
        return None

    async def _request(self, method: str, params: msgspec.Struct) -> msgspec.Raw:
        session_id = self.session_id
        is_repeated = False
        while True:
            socket = await self._socket_for(method)
            if session_id != self.session_id and is_bound(method):
                raise ConnectionClosedError(f"{method}: the session it belongs to is over")
            try:
                return await socket.request(method, params)
            except SocketLostError as error:
                if self.is_closed or not may_repeat(method):
                    raise ConnectionClosedError(str(error)) from None
            except RequestRefusedError as error:
                if not (is_repeated and was_done(method, error.error_code)):
                    raise
                return msgspec.Raw(b"{}")
            is_repeated = True

    async def _socket_for(self, method: str) -> RpcSocket:
        try:
            async with asyncio.timeout(self.request_timeout):
                await self._usable.wait()
        except TimeoutError:
            raise ConnectionClosedError(
                f"{method}: no connection for {self.request_timeout:g} s; it was not sent"
            ) from None
        if self._close_reason is not None:
            raise ConnectionClosedError(f"the connection is closed: {self._close_reason}")
        assert self._socket is not None
        return self._socket

    def _handle_event(self, envelope: EventEnvelope) -> None:
        expected = self._last_sequence + 1
        if envelope.sequence < expected:
            return  # it has come before
        self._last_sequence = envelope.sequence
        if envelope.sequence > expected and envelope.type is not EventType.SESSION_RESYNC:
            # No Bridge should do that; what is lost is lost all the same.
            self._pass_on(_resync(envelope, envelope.sequence - expected))
        self._pass_on(envelope)

    def _pass_on(self, envelope: EventEnvelope) -> None:
        self._event_listeners.tell(envelope)

    def _enter(self, state: ConnectionState, reason: str) -> None:
        self.state = state
        self._state_listeners.tell(state, reason)

    def _closed(self, reason: str) -> None:
        if self._close_reason is not None:
            return
        self._close_reason = reason
        self._usable.set()
        self._enter("closed", reason)
        self._close_listeners.tell(reason)


def _resync(envelope: EventEnvelope, missed: int) -> EventEnvelope:
    data = msgspec.Raw(msgspec.json.encode(SessionResync(missed=missed)))
    return msgspec.structs.replace(envelope, type=EventType.SESSION_RESYNC, room_id="", data=data)
