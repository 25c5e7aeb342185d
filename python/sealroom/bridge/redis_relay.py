"""Relay over Redis pub/sub. Redis keeps nothing: who is not connected misses what is said."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Literal

import msgspec

from .errors import BridgeError
from .logs import get_logger, where
from .relay import MAX_RELAYED_BYTES, Relayed, RelayedGap

_MAX_QUEUED: Final = 1000  # messages to send, and messages to handle
_RETRY_SECONDS: Final = (0.2, 5.0)  # first and longest wait before connecting again
_TIMEOUT_SECONDS: Final = 5.0


class RedisRelay:
    """One channel for all Bridges on one database.

    Args:
        url: `redis://HOST/` or `rediss://`; may hold a password.
        database_id: names the channel.
        origin: id of this process; what it said itself is ignored.

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
        self._out: asyncio.Queue[bytes] = asyncio.Queue(_MAX_QUEUED)
        self._in: asyncio.Queue[Relayed] = asyncio.Queue(_MAX_QUEUED)
        self._dropped = False  # something could not be sent: others must hear of a gap
        self._encoder = msgspec.json.Encoder()
        self._decoder: msgspec.json.Decoder[Relayed] = msgspec.json.Decoder(Relayed)
        self._tasks: list[asyncio.Task[None]] = []

    def send(self, message: Relayed) -> None:
        """Queue a message; while Redis is lost it is dropped, and a gap told later."""
        raw = self._encoder.encode(message)
        if self.state != "connected" or self._out.full() or len(raw) > MAX_RELAYED_BYTES:
            self._dropped = True
        else:
            self._out.put_nowait(raw)

    async def start(
        self,
        receive: Callable[[Relayed], Awaitable[None]],
        gap: Callable[[], None],
    ) -> None:
        """Begin, and wait a moment for the first connection; without one the Bridge goes on."""
        tried = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._listen(gap, tried)),
            asyncio.create_task(self._handle(receive)),
        ]
        with suppress(TimeoutError):
            await asyncio.wait_for(tried.wait(), _TIMEOUT_SECONDS)

    async def close(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._redis.aclose()

    async def _listen(self, gap: Callable[[], None], tried: asyncio.Event) -> None:
        wait, was_connected = _RETRY_SECONDS[0], False
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(self._channel)
                    self.state, wait = "connected", _RETRY_SECONDS[0]
                    get_logger().info("relay connected")
                    if was_connected:
                        gap()
                    if self._dropped:
                        self._dropped = False
                        self.send(RelayedGap(origin=self._origin))
                    was_connected = True
                    tried.set()
                    await self._run(channel, gap)
            except Exception as error:
                if self.state == "connected":
                    get_logger().error("relay lost; events stay local", error=where(error))
            self.state = "lost"
            tried.set()
            while not self._out.empty():
                self._out.get_nowait()
                self._dropped = True
            await asyncio.sleep(wait)
            wait = min(wait * 2, _RETRY_SECONDS[1])

    async def _run(self, channel: Any, gap: Callable[[], None]) -> None:
        sender = asyncio.create_task(self._send_all())
        reader = asyncio.create_task(self._read_all(channel, gap))
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
            raw = await self._out.get()
            try:
                await self._redis.publish(self._channel, raw)
            except BaseException:
                self._dropped = True
                raise

    async def _read_all(self, channel: Any, gap: Callable[[], None]) -> None:
        while True:
            message = await channel.get_message(timeout=_TIMEOUT_SECONDS / 2)
            if message is None:
                await channel.ping()  # its answer, or the time-out of the socket
                continue
            if message["type"] != "message":
                continue
            try:
                relayed = self._decoder.decode(message["data"])
            except msgspec.DecodeError:
                get_logger().error("relay: a message is malformed")
                continue
            if relayed.origin == self._origin:
                continue
            if self._in.full():  # slower than the others: rather a gap than memory without end
                while not self._in.empty():
                    self._in.get_nowait()
                gap()
            self._in.put_nowait(relayed)

    async def _handle(self, receive: Callable[[Relayed], Awaitable[None]]) -> None:
        while True:
            message = await self._in.get()
            try:
                await receive(message)
            except Exception as error:
                get_logger().error("relay: a message failed", error=where(error))
