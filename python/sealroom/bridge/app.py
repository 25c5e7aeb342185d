"""The Bridge and its ASGI application: `/v1/rpc`, `/healthz`, `/readyz`, `/metrics`."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from sealroom.protocol import CLOSE_BUSY, CLOSE_RATE_LIMITED, RPC_PATH

from .admin import Admin
from .config import BridgeConfig
from .connection import Connection, source_address
from .core import Core, open_core
from .errors import BridgeError
from .logs import get_logger, where
from .media_server import MediaServer
from .metrics import Metrics

if TYPE_CHECKING:
    from .server import RunningBridge


class Bridge:
    """A Bridge: an asynchronous context manager, to be entered once, that serves `app` meanwhile.

    `app` is an ASGI application for any server that has flow control for WebSockets; it enters the
    Bridge itself in its lifespan. Mounted in another application it does not, since a mounted
    application has no lifespan: enter the Bridge in the outer one's.

        bridge = Bridge(config)

        @asynccontextmanager
        async def lifespan(app):
            async with bridge:
                yield

        app = Starlette(routes=[Mount("/calls", bridge.app)], lifespan=lifespan)

    Args:
        config: settings; its host and port are for `sealroom bridge` and of no use here. By default
            the database is in memory.
        media: the media server, by default the native one of this machine; the Bridge closes it at
            the end.
    """

    def __init__(
        self, config: BridgeConfig | None = None, media: MediaServer | None = None
    ) -> None:
        self.config = config or BridgeConfig()
        self._media = media
        self.metrics = Metrics()
        self._opening: AbstractAsyncContextManager[Core] | None = None
        self._core: Core | None = None
        self._connections = 0
        self.app = Starlette(
            routes=[
                WebSocketRoute(RPC_PATH, self._serve),
                Route("/healthz", self._healthz),
                Route("/readyz", self._readyz),
                Route("/metrics", self._metrics),
            ],
            lifespan=self._lifespan,
        )

    @staticmethod
    def embedded(
        config: BridgeConfig | None = None, media: MediaServer | None = None
    ) -> "AbstractAsyncContextManager[RunningBridge]":
        """Run a whole Bridge inside this program, on a free port of 127.0.0.1.

        Args:
            config: settings; host and port are replaced. By default the database is in memory.
            media: media server; by default the native one of this machine.
        """
        from .server import embedded  # imports uvicorn, which a mounted Bridge does not need

        return embedded(config or BridgeConfig(), media)

    @property
    def media(self) -> MediaServer:
        """The media server.

        Raises:
            BridgeError: the Bridge was not entered, and the native one begins with it.
        """
        if self._media is None:
            raise BridgeError("The Bridge does not run; enter it with `async with`.")
        return self._media

    @property
    def admin(self) -> Admin:
        """Administration in process, without an API key.

        Raises:
            BridgeError: the Bridge does not run.
        """
        return self._running().admin

    @property
    def bridge_id(self) -> str:
        """Id that log-ins are bound to; kept in the database.

        Raises:
            BridgeError: the Bridge does not run.
        """
        return self._running().bridge_id

    async def first_api_key(self) -> str | None:
        """Make an API key if there is none that can be used; the only time it can be read.

        It has all scopes and no end.

        Raises:
            BridgeError: the Bridge does not run.
        """
        core = self._running()
        if await core.keys.has_usable():
            return None
        return await core.admin.create_api_key("first")

    async def __aenter__(self) -> Self:
        """Start.

        Raises:
            BridgeError: it was entered before, or the database URL is malformed.
        """
        if self._opening is not None:
            raise BridgeError("A Bridge is entered once; make a new one.")
        if self._media is None:
            self._media = _native_media_server(self.config)
        self._opening = open_core(self.config, self.media, self.metrics)
        self._core = await self._opening.__aenter__()
        get_logger().info("bridge started", bridge=self._core.bridge_id)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop. End the server first, so that connections are over."""
        if self._core is not None and self._opening is not None:
            self._core = None
            await self._opening.__aexit__(kind, error, trace)
            get_logger().info("bridge stopped")

    def _running(self) -> Core:
        if self._core is None:
            raise BridgeError("The Bridge does not run; enter it with `async with`.")
        return self._core

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        if self._core is not None:  # entered by whoever runs the server
            yield
        else:
            async with self:
                yield

    async def _serve(self, socket: WebSocket) -> None:
        if self._core is None:
            await socket.close()  # before accepting: the client sees HTTP 403
        elif self._connections >= self.config.max_connections:
            await socket.accept()
            await socket.close(CLOSE_BUSY)
        elif not self._core.admission.admits(source_address(socket)):
            await socket.accept()
            await socket.close(CLOSE_RATE_LIMITED)
        else:
            self._connections += 1
            self.metrics.connections.inc()
            try:
                core, config = self._core, self.config
                budget = core.admission.budget()
                await Connection(socket, core.dispatcher, config, self.metrics, budget).run()
            finally:
                self._connections -= 1
                self.metrics.connections.dec()

    async def _healthz(self, _request: Request) -> Response:
        """The process answers."""
        return PlainTextResponse("ok\n")

    async def _readyz(self, _request: Request) -> Response:
        """The Bridge runs and its database answers."""
        if self._core is None:
            return PlainTextResponse("not started\n", status_code=503)
        try:
            await self._core.store.ping()
        except Exception as error:
            get_logger().error("database does not answer", error=where(error))
            return PlainTextResponse("database does not answer\n", status_code=503)
        if self._core.upkeep.is_replaced:
            text = "another process runs under the public URL of this Bridge\n"
            return PlainTextResponse(text, status_code=503)
        if self._core.relay.state == "lost":
            return PlainTextResponse("ready; relay lost: events stay at each Bridge\n")
        return PlainTextResponse("ready\n")

    async def _metrics(self, _request: Request) -> Response:
        """All metrics in the Prometheus text format."""
        media_type = "text/plain; version=0.0.4; charset=utf-8"
        return Response(self.metrics.render(), media_type=media_type)


def _native_media_server(config: BridgeConfig) -> MediaServer:
    from .embedded import EmbeddedMediaServer  # needs the native core

    return EmbeddedMediaServer(host_addresses=config.host_addresses, data_limits=config.data_limits)
