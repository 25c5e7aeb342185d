"""Which Bridge a live room is at home at, where several use one database.

A room lives at one Bridge: its participants, streams and media are there. That Bridge claims it in
the database when the first participant joins and gives it up with the last. A claim holds while
its Bridge's heartbeat is younger than the lease, by the database's clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from sealroom.protocol import MAX_BRIDGES, MAX_URL_LENGTH, ErrorCode

from .database import Database, uncancelled
from .errors import BridgeError, RequestError
from .forwarding import Peer
from .room_store import RoomStore
from .schema import bridges, room_homes, rooms
from .store import Store

_FORGET_AFTER_MS: Final = 7 * 86_400_000  # a Bridge that did not run for so long gets a new id
_SWEPT_AT_ONCE: Final = 100  # rooms; the next heartbeat goes on


@dataclass(frozen=True, slots=True)
class Claim:
    """What became of a claim: the room is at home here, unless it is closed or has another home."""

    state: str  # before
    empty_room_ttl: float
    elsewhere: str | None = None  # public URL of its home


class Homed(NamedTuple):
    """A room that is at home here, as the database has it."""

    signature: bytes
    state: str


class Homes:
    """Claims of one Bridge. Alone on its database (SQLite) it is the home of every room.

    Args:
        lease: seconds after its last heartbeat until a Bridge counts as gone.
    """

    def __init__(self, database: Database, rooms: RoomStore, lease: float) -> None:
        self._database = database
        self._rooms = rooms
        self._lease_ms = int(lease * 1000)
        self.instance = uuid4().hex  # of this process, so that nobody takes it for one before it
        self.bridge_id = ""
        self.public_url = ""
        self.is_shared = database.is_shared

    async def register(self, store: Store, public_url: str | None) -> str:
        """Return the id of this Bridge, which log-ins are bound to.

        Alone it is the database's. Where Bridges share one, each has its own, kept by public URL;
        a process that starts under the URL of another takes its place.

        Raises:
            BridgeError: the database may be shared, and the public URL is missing or malformed.
        """
        self.public_url = (public_url or "").rstrip("/")
        if not self.is_shared:
            self.bridge_id = await store.bridge_id()
        elif public_url is None:
            raise BridgeError(
                "A Bridge whose database others may share needs a public URL, at which clients"
                " reach it: public_url, sealroom bridge --public-url wss://..."
            )
        elif len(public_url) > MAX_URL_LENGTH or not public_url.startswith(("ws://", "wss://")):
            raise BridgeError(
                f"A public URL is ws:// or wss:// and has at most {MAX_URL_LENGTH} signs."
            )
        else:
            self.bridge_id = await self._register(self.public_url)
        return self.bridge_id

    @uncancelled
    async def _register(self, public_url: str) -> str:
        now = self._database.now()
        mine = bridges.c.public_url == public_url
        values = {"instance_id": self.instance, "heartbeat_at": now}
        async with self._database.write(alone="bridges") as connection:
            old = bridges.c.heartbeat_at < now - _FORGET_AFTER_MS
            await connection.execute(sa.delete(bridges).where(old))
            found: str | None = await connection.scalar(sa.select(bridges.c.bridge_id).where(mine))
            if found is not None:
                await connection.execute(sa.update(bridges).where(mine).values(values))
                return found
            new = {"bridge_id": uuid4().hex, "public_url": public_url} | values
            await connection.execute(sa.insert(bridges).values(new))
            return str(new["bridge_id"])

    @uncancelled
    async def claim(self, room_id: str) -> Claim | None:
        """Make this Bridge the home of a room and open it; None if there is no such room."""
        if not self.is_shared:
            lifecycle = await self._rooms.lifecycle(room_id)
            if lifecycle is not None and lifecycle[0] == "created":
                await self._rooms.set_state(room_id, "open")
            return None if lifecycle is None else Claim(*lifecycle)
        here = rooms.c.room_id == room_id
        async with self._database.write() as connection:
            query = sa.select(rooms.c.state, rooms.c.empty_room_ttl).where(here).with_for_update()
            room = (await connection.execute(query)).first()
            if room is None or room.state == "closed":
                return None if room is None else Claim(room.state, room.empty_room_ttl)
            home = (
                await connection.execute(
                    sa.select(room_homes.c.instance_id, bridges.c.public_url)
                    .select_from(room_homes.join(bridges, self._is_home()))
                    .where(room_homes.c.room_id == room_id)
                )
            ).first()
            me = sa.select(bridges.c.bridge_id).where(bridges.c.instance_id == self.instance)
            if await connection.scalar(me) is None:
                raise RequestError(ErrorCode.BUSY, remedy="connect again")  # it is replaced
            if home is not None and home.instance_id != self.instance:
                return Claim(room.state, room.empty_room_ttl, home.public_url)
            if home is None:
                await self._forget(connection, room_id)
                mine = {"room_id": room_id, "instance_id": self.instance}
                await connection.execute(sa.insert(room_homes).values(mine))
                await connection.execute(
                    sa.update(rooms).where(here).values(state="open", empty_since=None)
                )
            return Claim(room.state, room.empty_room_ttl)

    @uncancelled
    async def elsewhere(self, room_id: str) -> Peer | None:
        """Return the Bridge at which a room lives, None if that is this one or none."""
        if not self.is_shared:
            return None
        query = (
            sa.select(bridges.c.instance_id, bridges.c.bridge_id, bridges.c.public_url)
            .select_from(room_homes.join(bridges, self._is_home()))
            .where(room_homes.c.room_id == room_id, room_homes.c.instance_id != self.instance)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else Peer(*row)

    @uncancelled
    async def peer(self, instance: str) -> Peer | None:
        """Return the Bridge whose process has this id, None if it does not live."""
        query = sa.select(bridges.c.instance_id, bridges.c.bridge_id, bridges.c.public_url)
        async with self._database.read() as connection:
            one = query.where(self._is_alive(), bridges.c.instance_id == instance)
            row = (await connection.execute(one)).first()
        return None if row is None else Peer(*row)

    @uncancelled
    async def others(self) -> list[Peer]:
        """Return the other Bridges that live, by public URL, at most MAX_BRIDGES."""
        if not self.is_shared:
            return []
        query = (
            sa.select(bridges.c.instance_id, bridges.c.bridge_id, bridges.c.public_url)
            .where(self._is_alive(), bridges.c.instance_id != self.instance)
            .order_by(bridges.c.public_url)
            .limit(MAX_BRIDGES)
        )
        async with self._database.read() as connection:
            return [Peer(*row) for row in await connection.execute(query)]

    @uncancelled
    async def release(self, room_id: str) -> None:
        """The room is empty: any Bridge may be its next home."""
        here = sa.and_(rooms.c.room_id == room_id, rooms.c.state == "open")
        mine = sa.and_(room_homes.c.room_id == room_id, room_homes.c.instance_id == self.instance)
        async with self._database.write() as connection:
            await self._lock(connection, room_id)
            if (await connection.execute(sa.delete(room_homes).where(mine))).rowcount:
                values = {"empty_since": self._database.now()}
                await connection.execute(sa.update(rooms).where(here).values(values))

    @uncancelled
    async def close_unused(self, room_id: str) -> bool:
        """Close a room that was empty for its time to live; False if it was not, at any Bridge."""
        if not self.is_shared:
            lifecycle = await self._rooms.lifecycle(room_id)
            if lifecycle is None or lifecycle[0] != "open":
                return False
            await self._rooms.set_state(room_id, "closed")
            return True
        async with self._database.write() as connection:
            await self._lock(connection, room_id)
            unused = sa.update(rooms).where(rooms.c.room_id == room_id, *self._is_unused())
            return bool((await connection.execute(unused.values(state="closed"))).rowcount)

    @uncancelled
    async def beat(self) -> Mapping[str, Homed] | None:
        """Say that this Bridge lives, and return the rooms at home here, by id.

        None: another process runs under this Bridge's public URL; it has its place.
        """
        me = sa.and_(bridges.c.bridge_id == self.bridge_id, bridges.c.instance_id == self.instance)
        beat = sa.update(bridges).where(me).values(heartbeat_at=self._database.now())
        query = (
            sa.select(rooms.c.room_id, rooms.c.record_signature, rooms.c.state)
            .join(room_homes, room_homes.c.room_id == rooms.c.room_id)
            .where(room_homes.c.instance_id == self.instance)
        )
        async with self._database.write() as connection:
            if not (await connection.execute(beat)).rowcount:
                return None
            rows = (await connection.execute(query)).all()
        return {row.room_id: Homed(row.record_signature, row.state) for row in rows}

    @uncancelled
    async def sweep(self) -> list[tuple[str, float]]:
        """Free rooms whose home is gone; return rooms due to close, with their times to live."""
        lost = sa.select(room_homes.c.room_id).where(~self._lives()).limit(_SWEPT_AT_ONCE)
        due = sa.select(rooms.c.room_id, rooms.c.empty_room_ttl).where(*self._is_unused())
        async with self._database.read() as connection:
            freed = (await connection.scalars(lost)).all()
        for room_id in freed:
            async with self._database.write() as connection:
                await self._lock(connection, room_id)
                gone = sa.delete(room_homes).where(room_homes.c.room_id == room_id, ~self._lives())
                if (await connection.execute(gone)).rowcount:
                    values = {"empty_since": self._database.now()}
                    here = rooms.c.room_id == room_id
                    await connection.execute(sa.update(rooms).where(here).values(values))
        async with self._database.read() as connection:
            rows = (await connection.execute(due.limit(_SWEPT_AT_ONCE))).all()
        return [(row.room_id, row.empty_room_ttl) for row in rows]

    @uncancelled
    async def resign(self) -> None:
        """This Bridge stops: its rooms are free at once."""
        if not self.is_shared:
            return
        me = bridges.c.instance_id == self.instance
        async with self._database.write() as connection:
            await connection.execute(sa.update(bridges).where(me).values(heartbeat_at=0))

    def _is_home(self) -> sa.ColumnElement[bool]:
        return sa.and_(bridges.c.instance_id == room_homes.c.instance_id, self._is_alive())

    def _is_alive(self) -> sa.ColumnElement[bool]:
        return bridges.c.heartbeat_at > self._database.now() - self._lease_ms

    def _lives(self) -> sa.ColumnElement[bool]:
        return sa.exists().where(self._is_home()).correlate(room_homes)

    def _is_unused(self) -> tuple[sa.ColumnElement[bool], ...]:
        homed = sa.exists().where(room_homes.c.room_id == rooms.c.room_id).correlate(rooms)
        waited = self._database.now() - rooms.c.empty_since
        return (rooms.c.state == "open", waited >= rooms.c.empty_room_ttl * 1000, ~homed)

    @staticmethod
    async def _lock(connection: AsyncConnection, room_id: str) -> None:
        """Rooms before what belongs to them, as everywhere: so no two wait for each other."""
        query = sa.select(rooms.c.room_id).where(rooms.c.room_id == room_id)
        await connection.execute(query.with_for_update())

    @staticmethod
    async def _forget(connection: AsyncConnection, room_id: str) -> None:
        await connection.execute(sa.delete(room_homes).where(room_homes.c.room_id == room_id))
