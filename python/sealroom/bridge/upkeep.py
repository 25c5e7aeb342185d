"""Keeps what lives here in line with a database that other Bridges change as well."""

import asyncio
from typing import Final

from sealroom.protocol import EventType, RoomClosed, RoomDeleted, RoomParams

from .acl import NOTHING, Acl
from .background import Background
from .bus import EventBus
from .forwarding import Caller, Forwarding
from .home_calls import SETTLE
from .homes import Homed, Homes
from .live import LiveRoom, RoomRegistry
from .logs import get_logger, where
from .room_changes import RoomChanges
from .room_life import RoomLife
from .room_store import RoomStore
from .session_control import SessionControl
from .store import Store

_CLOSE_SERVICE_RESTART: Final = 1012


class Upkeep:
    """Heartbeat of this Bridge. For one event loop.

    What another Bridge did to a room that lives here is carried out one heartbeat later at the
    latest.

    Args:
        interval: seconds between heartbeats.

    Attributes:
        is_replaced: another process runs under this Bridge's public URL: it serves no rooms.
    """

    def __init__(
        self,
        *,
        homes: Homes,
        rooms: RoomStore,
        store: Store,
        control: SessionControl,
        registry: RoomRegistry,
        bus: EventBus,
        life: RoomLife,
        changes: RoomChanges,
        background: Background,
        forwarding: Forwarding,
        interval: float,
    ) -> None:
        self._homes = homes
        self._rooms = rooms
        self._store = store
        self._control = control
        self._registry = registry
        self._bus = bus
        self._life = life
        self._changes = changes
        self._background = background
        self._interval = interval
        self.is_replaced = False
        forwarding.serve(SETTLE, RoomParams, self.settle)

    def start(self) -> None:
        """Begin, where the database may be shared."""
        if self._homes.is_shared:
            self._background.spawn(self._run())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.beat()
            except Exception as error:
                get_logger().error("heartbeat failed", error=where(error))

    async def beat(self) -> None:
        """One heartbeat: what other Bridges did is carried out, what is due is closed."""
        live = dict(self._registry.live)  # before the question, for a claim comes before a room
        homed = await self._homes.beat()
        if homed is None and not self.is_replaced:
            get_logger().error("another process runs under the public URL of this Bridge")
        self.is_replaced = homed is None
        await self.check_users()
        for room_id, room in live.items():
            await self._check(room_id, room, (homed or {}).get(room_id))
        for room_id, ttl in await self._homes.sweep():
            await self._life.close_if_empty(room_id, ttl)

    async def check_users(self) -> None:
        """Cut off whom an administrator removed at another Bridge, put new access lines in force.

        A session that begins meanwhile reads them itself.
        """
        users = self._bus.users()
        lines = {one: one.acl for user in users for one in self._bus.sessions_of(*user)}
        found = await self._store.registered(users)
        for session, acl in lines.items():
            user = found.get((session.context_id, session.user_id))
            if user is None or user[0] != session.identity.fingerprint:
                await self._control.end([session])
            elif acl.text != user[1] and session.acl is acl and acl is not NOTHING:
                session.acl = Acl.parse(user[1])

    async def settle(self, _: Caller, params: RoomParams) -> RoomParams:
        """Carry out what another Bridge did to a room, media included, before it is answered."""
        # Who was joining then sees the room as it is now, or is in it.
        await self._registry.settled(params.room_id)
        await self.check_room(params.room_id)
        await self._life.media_removed(params.room_id)
        return params

    async def check_room(self, room_id: str) -> None:
        """Carry out at once what another Bridge did to a room that lives here."""
        room = self._registry.live.get(room_id)
        if room is not None:
            await self._check(room_id, room, Homed(b"", "open"))

    async def _check(self, room_id: str, room: LiveRoom, found: Homed | None) -> None:
        if found == Homed(room.access.signature, "open"):
            return
        async with self._registry.lock(room_id):
            if self._registry.live.get(room_id) is not room:
                return
            access = await self._registry.access(room_id)
            lifecycle = await self._rooms.lifecycle(room_id)
            if access is None or lifecycle is None:
                self._bus.publish(
                    EventType.ROOM_DELETED, room.access, RoomDeleted(user_id=None), relayed=True
                )
                self._life.empty(room)
                self._registry.forget(room_id)
                self._bus.drop_room(room_id)
            elif lifecycle[0] == "closed":
                data = RoomClosed(reason="closed", user_id=None, empty_room_ttl=lifecycle[1])
                self._bus.publish(EventType.ROOM_CLOSED, access, data, relayed=True)
                self._life.empty(room)
            elif found is None and not await self._has_claim(room_id):
                await self._leave(room)
            elif access.signature != room.access.signature:
                await self._changes.follow(room.access, access, None, relayed=True)

    async def _has_claim(self, room_id: str) -> bool:
        claim = None if self.is_replaced else await self._homes.claim(room_id)
        return claim is not None and claim.elsewhere is None

    async def _leave(self, room: LiveRoom) -> None:
        """The room has another home, since this Bridge was silent for too long: clients move."""
        for session in {one.session for one in room.participants.values()}:
            await self._life.end_session(session)
            session.close(_CLOSE_SERVICE_RESTART)
