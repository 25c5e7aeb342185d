"""Calls from one Bridge to another, over the relay.

A room's participants, streams and media are at its home. What another Bridge is asked about them it
asks the home, on behalf of the user or administrator whose call it is. A call is carried out once
or not at all; when no answer comes, which of both is unknown.
"""

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import msgspec

from sealroom.access import Right
from sealroom.protocol import (
    MAX_MESSAGE_BYTES,
    ActorKind,
    ErrorCode,
    ErrorObject,
    Message,
)

from .actor import Actor
from .background import Background
from .errors import RequestError, from_object, home_silent, limit_exceeded, lives_elsewhere
from .logs import get_logger, where
from .records import RoomAccess
from .relay import Direct, Relay, RelayedAnswer, RelayedCall
from .relay_seal import RelaySeal

FORWARD_TIMEOUT: Final = 5.0
"""Seconds for an answer."""

MAX_OPEN_CALLS: Final = 256
"""Calls of one Bridge that wait for an answer; further ones are refused with BUSY."""

MAX_SERVED_CALLS: Final = 64
"""Calls of others that one Bridge carries out at once; further ones are refused with BUSY."""

_MAX_PROCESSES: Final = 1024  # others whose last number is kept; the one longest silent goes
_MAX_PLAIN_BYTES: Final = MAX_MESSAGE_BYTES - 1024

_Result = TypeVar("_Result", bound=Message)


class Caller(Message, frozen=True):
    """On whose behalf a call is made. The Bridge that makes it has authenticated them.

    `fingerprint`, `context_id`: of users.
    """

    kind: ActorKind
    actor_id: str = ""
    context_id: str = ""
    fingerprint: bytes = b""

    @classmethod
    def of(cls, actor: Actor) -> "Caller":
        """Return an administrator, the program or the Bridge."""
        return cls(actor.kind, actor.actor_id)

    @property
    def actor(self) -> Actor:
        """Who it is."""
        return Actor(self.kind, self.actor_id)

    def may(self, right: Right, access: RoomAccess) -> bool:
        """Tell whether they have a right in a room; administrators are asked for scopes before."""
        if self.kind != "user":
            return True
        is_here = access.context_id == self.context_id
        return is_here and access.allows(right, self.actor_id, self.fingerprint)


class _Call(Message, frozen=True):
    method: str
    caller: Caller
    params: msgspec.Raw


class _Answer(Message, frozen=True):
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: ErrorObject | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """Another Bridge: the id of its process, its own id, and its public URL."""

    instance: str
    bridge_id: str
    url: str


Handler = Callable[[Caller, Any], Awaitable[Message]]


class Forwarding:
    """Both ends of such calls, at one Bridge. For one event loop.

    Args:
        timeout: seconds for an answer.
    """

    def __init__(
        self,
        relay: Relay,
        seal: RelaySeal,
        instance: str,
        background: Background,
        timeout: float = FORWARD_TIMEOUT,
    ) -> None:
        self._relay = relay
        self._seal = seal
        self._instance = instance
        self._background = background
        self.timeout = timeout
        self._numbers = itertools.count(1)
        self._open: dict[int, tuple[str, asyncio.Future[bytes | None]]] = {}
        self._last: OrderedDict[str, int] = OrderedDict()  # number of a call, by process
        self._served = 0
        self._methods: dict[str, tuple[type[Message], Handler]] = {}

    @property
    def is_possible(self) -> bool:
        """Whether there is a relay, and it works now."""
        return self._relay.state == "connected"

    def serve(self, method: str, params: type[Message], handler: Handler) -> None:
        """Have `handler` answer calls of a method; it decides whether the caller may."""
        self._methods[method] = (params, handler)

    async def call(
        self, peer: Peer, caller: Caller, method: str, params: Message, result: type[_Result]
    ) -> _Result:
        """Have another Bridge carry out a call, and return its result.

        Raises:
            RequestError: what it answers; ROOM_ELSEWHERE: there is no relay; HOME_SILENT: no
                answer came; BUSY: too many calls wait.
        """
        if not self.is_possible:
            raise lives_elsewhere(peer.url)
        if len(self._open) >= MAX_OPEN_CALLS:
            raise RequestError(ErrorCode.BUSY, remedy="try again later")
        number = next(self._numbers)
        call = _Call(method, caller, msgspec.Raw(msgspec.json.encode(params)))
        sealed = self._seal.seal("call", peer.instance, number, msgspec.json.encode(call))
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._open[number] = (peer.instance, future)
        message = RelayedCall(
            origin=self._instance, target=peer.instance, number=number, sealed=sealed
        )
        try:
            self._relay.send_to(message, lambda: _settle(future, None))
            async with asyncio.timeout(self.timeout):
                plain = await future
        except TimeoutError:
            plain = None
        finally:
            del self._open[number]
        if plain is None:
            raise home_silent(peer.url)
        answer = msgspec.json.decode(plain, type=_Answer)
        if answer.error is not None:
            raise from_object(answer.error)
        assert answer.result is not msgspec.UNSET
        return msgspec.json.decode(answer.result, type=result)

    async def carry_out(
        self, caller: Caller, method: str, params: Message, result: type[_Result]
    ) -> _Result:
        """Carry out here what others may ask as well."""
        done = await self._methods[method][1](caller, params)
        assert isinstance(done, result)
        return done

    def take(self, message: Direct) -> None:
        """Take what came for this Bridge; what no Bridge on the database said changes nothing."""
        kind: Literal["call", "answer"] = "answer" if isinstance(message, RelayedAnswer) else "call"
        plain = None
        if message.target == self._instance:
            plain = self._seal.open(kind, message.origin, message.number, message.sealed)
        if plain is None:
            get_logger().error("relay: a message that no Bridge sealed", kind=kind)
        elif isinstance(message, RelayedAnswer):
            asked, future = self._open.get(message.number, ("", None))
            if future is not None and asked == message.origin:
                _settle(future, plain)
        elif message.number > self._last.get(message.origin, 0):  # else it has come before
            self._last[message.origin] = message.number
            self._last.move_to_end(message.origin)
            if len(self._last) > _MAX_PROCESSES:
                self._last.popitem(last=False)
            if self._served >= MAX_SERVED_CALLS:
                busy = RequestError(ErrorCode.BUSY, remedy="try again later")
                self._answer(message, _Answer(error=busy.to_object()))
            else:
                self._served += 1
                self._background.spawn(self._serve(message, plain))

    async def _serve(self, message: RelayedCall, plain: bytes) -> None:
        try:
            self._answer(message, await self._answer_to(plain))
        finally:
            self._served -= 1

    async def _answer_to(self, plain: bytes) -> _Answer:
        try:
            call = msgspec.json.decode(plain, type=_Call)
            if call.method not in self._methods:  # of a newer Bridge
                raise RequestError(ErrorCode.METHOD_NOT_FOUND, remedy="update that Bridge")
            params, handler = self._methods[call.method]
            result = await handler(call.caller, msgspec.json.decode(call.params, type=params))
            raw = msgspec.json.encode(result)
            if len(raw) > _MAX_PLAIN_BYTES:
                raise limit_exceeded("bytes of an answer", _MAX_PLAIN_BYTES)
        except RequestError as error:
            return _Answer(error=error.to_object())
        except Exception as error:
            get_logger().error("a call of another Bridge failed", error=where(error))
            failure = RequestError(ErrorCode.INTERNAL_ERROR, remedy="see the log of that Bridge")
            return _Answer(error=failure.to_object())
        return _Answer(result=msgspec.Raw(raw))

    def _answer(self, message: RelayedCall, answer: _Answer) -> None:
        plain = msgspec.json.encode(answer)
        sealed = self._seal.seal("answer", message.origin, message.number, plain)
        self._relay.send_to(
            RelayedAnswer(
                origin=self._instance, target=message.origin, number=message.number, sealed=sealed
            ),
            lambda: None,
        )


def _settle(future: asyncio.Future[bytes | None], plain: bytes | None) -> None:
    if not future.done():
        future.set_result(plain)
