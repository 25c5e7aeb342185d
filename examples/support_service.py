"""A support desk: an HTTP service with the Bridge inside, and a room for each ticket.

uvicorn --app-dir examples support_service:app --port 8000 --ws websockets-sansio

Clients connect to ws://127.0.0.1:8000/calls. With FastAPI it is `app.mount("/calls", bridge.app)`
and the same lifespan. Who may call these routes is the application's to check.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from sealroom.bridge import Bridge, BridgeConfig, RequestError, sqlite_url
from sealroom.client import Connection, StreamApi
from sealroom.client.events import ConnectionClosed, Event
from sealroom.errors import InvalidArgumentError
from sealroom.identity import Identity, MemoryRoomPins, TrustOnFirstUse

URL = os.environ.get("SUPPORT_URL", "ws://127.0.0.1:8000/calls")
DATABASE = os.environ.get("SUPPORT_DATABASE", "")


class Desk:
    """The service's own place at the Bridge: it manages the rooms, and joins none."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self.context_id = ""
        self.events: deque[str] = deque(maxlen=1000)
        self._api: StreamApi | None = None
        self._connecting = asyncio.Lock()

    async def open(self) -> None:
        """Makes the context; kept in the database, it would be looked up by its title."""
        self.context_id = (await self.bridge.admin.context_create("support")).context_id

    async def api(self) -> StreamApi:
        """Connects at the first request: while the service starts, nobody listens yet."""
        async with self._connecting:
            if self._api is None:
                identity = Identity.generate()
                await self.bridge.admin.user_add(self.context_id, "desk", identity.public)
                connection = await Connection.connect(
                    URL,
                    identity=identity,
                    user_id="desk",
                    context_id=self.context_id,
                    trust=TrustOnFirstUse(),
                    room_pins=MemoryRoomPins(),
                )
                self._api = StreamApi(connection)
                self._api.add_event_listener(self._note)
                await self._api.subscribe_for_events()
            return self._api

    async def close(self) -> None:
        if self._api is not None:
            await self._api.close()
            await self._api.connection.close()

    def _note(self, event: Event) -> None:
        self.events.append(type(event).__name__)
        if isinstance(event, ConnectionClosed):
            self._api = None  # the next request connects again


async def add_user(request: Request) -> JSONResponse:
    """Registers a customer or an agent with the public identity that its device made."""
    body = await request.json()
    await desk.bridge.admin.user_add(desk.context_id, body["user"], body["identity"])
    return JSONResponse({"context": desk.context_id}, 201)


async def open_ticket(request: Request) -> JSONResponse:
    """Opens a room for a customer and the agents of a ticket."""
    body = await request.json()
    api = await desk.api()
    room_id = await api.create_stream_room(
        desk.context_id, users=body["users"], private_meta=body["title"].encode()
    )
    return JSONResponse({"room": room_id}, 201)


async def remove_user(request: Request) -> JSONResponse:
    """Takes somebody out of a ticket's room, in mid-call too: the keys change at once."""
    room_id, user = request.path_params["room"], request.path_params["user"]
    api = await desk.api()
    room = await api.get_stream_room(room_id)
    room = await api.update_stream_room(
        room_id, users=[one for one in room.users if one != user], version=room.version
    )
    return JSONResponse({"users": room.users, "epoch": room.epoch})


async def close_ticket(request: Request) -> JSONResponse:
    """Closes a room: everybody is out."""
    await (await desk.api()).close_stream_room(request.path_params["room"])
    return JSONResponse({})


async def refused(request: Request, error: Exception) -> JSONResponse:
    """What was wrong with a request is said in the error."""
    return JSONResponse({"error": str(error)}, 400)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with desk.bridge:
        await desk.open()
        yield
        await desk.close()


bridge = Bridge(BridgeConfig(database=sqlite_url(DATABASE)) if DATABASE else BridgeConfig())
desk = Desk(bridge)
app = Starlette(
    routes=[
        Route("/users", add_user, methods=["POST"]),
        Route("/tickets", open_ticket, methods=["POST"]),
        Route("/tickets/{room}/users/{user}", remove_user, methods=["DELETE"]),
        Route("/tickets/{room}", close_ticket, methods=["DELETE"]),
        Mount("/calls", bridge.app),
    ],
    exception_handlers={RequestError: refused, InvalidArgumentError: refused},
    lifespan=lifespan,
)
