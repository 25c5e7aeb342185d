"""Bridges on one database and one Redis, with real media, and users at one or the other."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from multiprocessing.connection import Connection as Pipe
from typing import Any, Self

from call_support import LOOPBACK

from sealroom.bridge import BridgeConfig
from sealroom.bridge.server import RunningBridge, embedded, run
from sealroom.client import Connection, StreamApi
from sealroom.client.events import Event
from sealroom.client.room_session import RoomSession
from sealroom.identity import Identity, MemoryRoomPins, TrustOnFirstUse

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["sealroom.bridge.server", "asyncpg", "redis.asyncio"])

USERS = ("alice", "bob", "carol")


class Deployment:
    """Users who are known at all Bridges, and what they see."""

    def __init__(self, bridge: RunningBridge, context_id: str, stack: AsyncExitStack) -> None:
        self.bridge = bridge
        self.context_id = context_id
        self.identities: dict[str, Identity] = {}
        self.events: dict[StreamApi, list[Event]] = {}
        self._stack = stack

    async def api(self, user_id: str, url: str | list[str], **options: Any) -> StreamApi:
        """Log a user in at a Bridge, or at the first of several that answers."""
        connection = await Connection.connect(
            url,
            identity=self.identities[user_id],
            user_id=user_id,
            context_id=self.context_id,
            trust=TrustOnFirstUse(),
            room_pins=MemoryRoomPins(),
            **options,
        )
        self._stack.push_async_callback(connection.close)
        api = StreamApi(connection, host_addresses=LOOPBACK)
        self._stack.push_async_callback(api.close)
        seen = self.events[api] = []
        api.add_event_listener(seen.append)
        return api

    def of(self, api: StreamApi, *kinds: type) -> list[Any]:
        """The events of these kinds that an api has seen."""
        return [one for one in self.events[api] if isinstance(one, kinds)]


@asynccontextmanager
async def open_deployment(config: BridgeConfig) -> AsyncIterator[Deployment]:
    """One Bridge here, with its users; others may join its database."""
    async with embedded(config) as bridge, AsyncExitStack() as stack:
        context = await bridge.admin.context_create("homes")
        deployment = Deployment(bridge, context.context_id, stack)
        for user_id in USERS:
            identity = deployment.identities[user_id] = Identity.generate()
            await bridge.admin.user_add(context.context_id, user_id, identity.public)
        yield deployment


def session(api: StreamApi, room_id: str) -> RoomSession:
    """What an api keeps of a joined room."""
    return api._session(room_id)


def homes(api: StreamApi) -> set[str]:
    """URLs of the Bridges an api is connected to besides its own."""
    return set(api._homes._homes)


def _serve(config: BridgeConfig, pipe: Pipe) -> None:
    run(config, on_started=lambda bridge, _key: pipe.send(bridge.url))


class BridgeToKill:
    """A Bridge in a process of its own."""

    def __init__(self, config: BridgeConfig) -> None:
        self._config = config
        self.url = ""

    async def __aenter__(self) -> Self:
        ours, theirs = _processes.Pipe(duplex=False)
        self._process = _processes.Process(target=_serve, args=(self._config, theirs), daemon=True)
        self._process.start()
        theirs.close()
        assert await asyncio.to_thread(ours.poll, 120), "the Bridge does not start"
        self.url = ours.recv()
        ours.close()
        return self

    async def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        await asyncio.to_thread(self._process.join, 20)

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
