"""Runs a Bridge: as a server of its own (`run`), or inside a program (`embedded`)."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from ipaddress import ip_network

import uvicorn
from websockets.exceptions import InvalidState

from sealroom.protocol import MAX_MESSAGE_BYTES, RPC_PATH

from .admin import Admin
from .app import Bridge
from .config import BridgeConfig
from .errors import BridgeError
from .media_server import MediaServer
from .web_protocols import HttpProtocol, WebSocketProtocol

_PEER_TIMEOUT_MS = 30_000  # for data a peer does not acknowledge, zero windows included
_SHUTDOWN_SECONDS = 5
_LOOK_SECONDS = 0.005  # between looks whether a server began or its connections ended


class RunningBridge:
    """A Bridge that is served.

    Attributes:
        url: WebSocket URL of the Bridge for clients, without the path.
        bridge: the Bridge.
    """

    def __init__(self, bridge: Bridge, host: str, port: int) -> None:
        self.bridge = bridge
        self.url = _url(host, port)

    @property
    def rpc_url(self) -> str:
        """WebSocket URL of the RPC endpoint."""
        return self.url + RPC_PATH

    @property
    def http_url(self) -> str:
        """URL of `/healthz`, `/readyz` and `/metrics`, without the path."""
        return "http" + self.url.removeprefix("ws")

    @property
    def admin(self) -> Admin:
        """Administration in process, without an API key."""
        return self.bridge.admin

    @property
    def media(self) -> MediaServer:
        """The media server."""
        return self.bridge.media


def _url(host: str, port: int) -> str:
    return f"ws://[{host}]:{port}" if ":" in host else f"ws://{host}:{port}"


class _Server(uvicorn.Server):
    """Server that leaves signals alone: its own handlers would end the process too early.

    And that ends when it is told and its connections are gone; theirs looks every 100 ms.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told_to_end = asyncio.Event()

    def end(self) -> None:
        """Take no more connections and close those there are."""
        self._told_to_end.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        ticking = asyncio.create_task(super().main_loop())  # for the date in headers
        try:
            await self._told_to_end.wait()
        finally:
            ticking.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            with suppress(InvalidState):  # it is closing already
                connection.shutdown()
        try:
            async with asyncio.timeout(_SHUTDOWN_SECONDS):
                while self.server_state.connections or self.server_state.tasks:
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            for task in self.server_state.tasks:
                task.cancel()


def _listen(config: BridgeConfig) -> socket.socket:
    try:
        family = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((config.host, config.port), family=family, backlog=1024)
    except OSError as error:
        raise BridgeError(
            f"Cannot listen on {config.host} port {config.port}: {error.strerror or error}."
        ) from None
    # A peer that stops reading would otherwise keep its last buffer for ever.
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _PEER_TIMEOUT_MS)
    return listener


def _trusted_proxies(config: BridgeConfig) -> list[str]:
    for one in config.forwarded_allow_ips:
        try:
            ip_network(one)
        except ValueError:
            raise BridgeError(
                f"forwarded_allow_ips: {one!r} is no IP address or network. Remedy: name the"
                " proxy's, as 127.0.0.1 or 10.0.0.0/8; whoever is trusted can claim any address."
            ) from None
    return list(config.forwarded_allow_ips)


def _uvicorn_config(bridge: Bridge) -> uvicorn.Config:
    proxies = _trusted_proxies(bridge.config)
    return uvicorn.Config(
        bridge.app,
        lifespan="off",  # the Bridge is entered here
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,  # said in any case: uvicorn would trust loopback
        http=type("_Http", (HttpProtocol,), {"seconds": bridge.config.login_timeout}),
        ws=WebSocketProtocol,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # sealed data does not compress, and a bomb would
        log_config=None,
        log_level="warning",  # at debug it would log messages, and so API keys
        access_log=False,
        server_header=False,
    )


@asynccontextmanager
async def embedded(
    config: BridgeConfig, media: MediaServer | None = None
) -> AsyncIterator[RunningBridge]:
    """Serve a Bridge in this event loop, on a free port of 127.0.0.1. See `Bridge.embedded`."""
    config = replace(config, host="127.0.0.1", port=0)
    if media is None and config.host_addresses is None:
        config = replace(config, host_addresses=["127.0.0.1"])
    async with _served(config, media) as running:
        yield running


@asynccontextmanager
async def _served(config: BridgeConfig, media: MediaServer | None) -> AsyncIterator[RunningBridge]:
    try:
        _trusted_proxies(config)
        listening = _listen(config)
    except BridgeError:
        if media is not None:
            await media.close()
        raise
    with listening as listener:
        port = listener.getsockname()[1]
        is_one_address = config.host not in ("", "0.0.0.0", "::")
        if config.public_url is None and is_one_address:
            config = replace(config, public_url=_url(config.host, port))
        async with (
            Bridge(config, media) as bridge,
            _serving(bridge, listener),
        ):
            yield RunningBridge(bridge, config.host, port)


@asynccontextmanager
async def _serving(bridge: Bridge, listener: socket.socket) -> AsyncIterator[None]:
    server = _Server(_uvicorn_config(bridge))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                task.result()
                raise BridgeError("The server ended before it started.")
            await asyncio.sleep(_LOOK_SECONDS)
        yield
    finally:
        server.end()
        await task


async def serve(
    config: BridgeConfig,
    *,
    media: MediaServer | None = None,
    on_started: Callable[[RunningBridge, str | None], None] | None = None,
) -> None:
    """Serve a Bridge until SIGINT or SIGTERM.

    Args:
        config: settings.
        media: media server; by default the native one of this machine.
        on_started: called once with the Bridge and, at the first start with a new database, with
            its first API key, which cannot be read again.

    Raises:
        BridgeError: the address is taken, `forwarded_allow_ips` or the database URL is malformed.
        DatabaseInUseError: another Bridge runs on this SQLite file.
    """
    async with _served(config, media) as running:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        try:
            first_key = await running.bridge.first_api_key()
            if on_started is not None:
                on_started(running, first_key)
            await stop.wait()
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


def run(
    config: BridgeConfig,
    *,
    media: MediaServer | None = None,
    on_started: Callable[[RunningBridge, str | None], None] | None = None,
) -> None:
    """Serve a Bridge until SIGINT or SIGTERM, as `sealroom bridge` does. See `serve`."""
    asyncio.run(serve(config, media=media, on_started=on_started))
