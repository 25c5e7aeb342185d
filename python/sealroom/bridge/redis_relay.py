"""Relay over Redis pub/sub. Redis keeps nothing: who is not connected misses what is said."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from sealroom.protocol.decoding import UNDECODABLE

from .errors import BridgeError
from .logs import get_logger, where
from .relay import (
    MAX_CALL_BYTES,
    MAX_RELAYED_BYTES,
    Broadcast,
    Direct,
    Receiver,
    Relayed,
    RelayedAnswer,
    RelayedCall,
    RelayedGap,
)

_MAX_QUEUED: Final = 1000  # messages to send, and messages to handle
_MAX_QUEUED_BYTES: Final = 16 * 1024 * 1024  # to send
_RETRY_SECONDS: Final = (0.2, 5.0)  # first and longest wait before connecting again
_TIMEOUT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Outgoing:
    channel: str
    raw: bytes
    unheard: Callable[[], None]


class RedisRelay:
    """One channel for all Bridges on one database, and one for each of them.

    Args:
        url: `redis://HOST/` or `rediss://`; may hold a password.
        database_id: names the channel.
        origin: id of this process, which names its own channel; what it said itself is ignored.

    Raises:
        BridgeError: the URL is malformed, or the extra is missing.
    """

    def __init__(self, url: str, database_id: str, origin: str) -> None:
        try:
            from redis.asyncio import Redis
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
        except ModuleNotFoundError as error:
            raise BridgeError(
                f"The relay needs {error.name}: install the extra with"
                " pip install 'sealroom[redis]'."
            ) from None
        try:
            self._redis = Redis.from_url(
                url,
                socket_timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                retry=Retry(NoBackoff(), 0),  # it would connect again and not tell of the gap
            )
        except ValueError:
            raise BridgeError("The Redis URL is malformed; try redis://HOST:6379/0.") from None
        self.state: Literal["none", "connected", "lost"] = "lost"
        self._channel = f"sealroom:{database_id}"
        self._origin = origin
        self._out: deque[_Outgoing] = deque()
        self._out_bytes = 0
        self._has_out = asyncio.Event()
        self._in: asyncio.Queue[Broadcast] = asyncio.Queue(_MAX_QUEUED)
        self._dropped = False  # something could not be sent: others must hear of a gap
        self._encoder = msgspec.json.Encoder()
        self._decoder: msgspec.json.Decoder[Relayed] = msgspec.json.Decoder(Relayed)
        self._tasks: list[asyncio.Task[None]] = []

    def send(self, message: Broadcast) -> None:
        """Queue a message for all; while Redis is lost it is dropped, and a gap told later."""
        self._put(_Outgoing(self._channel, self._encoder.encode(message), self._drop))

    def send_to(self, message: Direct, unheard: Callable[[], None]) -> None:
        """Queue a message for its target; `unheard` is called if it surely does not get there."""
        channel = self._channel_of(message.target)
        self._put(_Outgoing(channel, self._encoder.encode(message), unheard))

    def _drop(self) -> None:
        self._dropped = True

    def _channel_of(self, process: str) -> str:
        return f"{self._channel}:{process}"

    def _put(self, one: _Outgoing) -> None:
        limit = MAX_RELAYED_BYTES if one.channel == self._channel else MAX_CALL_BYTES
        if (
            self.state != "connected"
            or len(one.raw) > limit
            or len(self._out) >= _MAX_QUEUED
            or self._out_bytes + len(one.raw) > _MAX_QUEUED_BYTES
        ):
            one.unheard()
            return
        self._out.append(one)
        self._out_bytes += len(one.raw)
        self._has_out.set()

    def _take(self) -> _Outgoing:
        one = self._out.popleft()
        self._out_bytes -= len(one.raw)
        return one

    async def start(self, receiver: Receiver) -> None:
        """Begin, and wait a moment for the first connection; without one the Bridge goes on."""
        tried = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._listen(receiver, tried)),
            asyncio.create_task(self._handle(receiver)),
        ]
        with suppress(TimeoutError):
            await asyncio.wait_for(tried.wait(), _TIMEOUT_SECONDS)

    async def close(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._redis.aclose()

    async def _listen(self, receiver: Receiver, tried: asyncio.Event) -> None:
        wait, was_connected = _RETRY_SECONDS[0], False
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(self._channel, self._channel_of(self._origin))
                    self.state, wait = "connected", _RETRY_SECONDS[0]
                    get_logger().info("relay connected")
                    if was_connected:
                        receiver.gap()
                    if self._dropped:
                        self._dropped = False
                        self.send(RelayedGap(origin=self._origin))
                    was_connected = True
                    tried.set()
                    await self._run(channel, receiver)
            except Exception as error:
                if self.state == "connected":
                    get_logger().error("relay lost; events stay local", error=where(error))
            self.state = "lost"
            tried.set()
            while self._out:
                self._take().unheard()
            await asyncio.sleep(wait)
            wait = min(wait * 2, _RETRY_SECONDS[1])

    async def _run(self, channel: Any, receiver: Receiver) -> None:
        sender = asyncio.create_task(self._send_all())
        reader = asyncio.create_task(self._read_all(channel, receiver))
        try:
            await asyncio.wait([sender, reader], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sender, reader):
                task.cancel()
            results = await asyncio.gather(sender, reader, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _send_all(self) -> None:
        while True:
            while not self._out:
                self._has_out.clear()
                await self._has_out.wait()
            one = self._take()
            try:
                heard_by = await self._redis.publish(one.channel, one.raw)
            except BaseException:
                if one.channel == self._channel:  # of a call, nobody knows
                    one.unheard()
                raise
            if heard_by == 0:
                one.unheard()

    async def _read_all(self, channel: Any, receiver: Receiver) -> None:
        while True:
            message = await channel.get_message(timeout=_TIMEOUT_SECONDS / 2)
            if message is None:
                await channel.ping()  # its answer, or the time-out of the socket
                continue
            if message["type"] != "message":
                continue
            try:
                relayed = self._decoder.decode(message["data"])
            except UNDECODABLE:
                get_logger().error("relay: a message is malformed")
                continue
            if relayed.origin == self._origin:
                continue
            if isinstance(relayed, RelayedCall | RelayedAnswer):
                receiver.take(relayed)
                continue
            if self._in.full():  # slower than the others: rather a gap than memory without end
                while not self._in.empty():
                    self._in.get_nowait()
                receiver.gap()
            self._in.put_nowait(relayed)

    async def _handle(self, receiver: Receiver) -> None:
        while True:
            message = await self._in.get()
            try:
                await receiver.receive(message)
            except Exception as error:
                get_logger().error("relay: a message failed", error=where(error))
