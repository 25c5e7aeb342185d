"""Queries over contexts and rooms that only administrators ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from sealroom.protocol import ErrorCode, RoomState

from .database import Database, uncancelled
from .errors import RequestError
from .schema import contexts, rooms, users
from .store import context_not_found


@dataclass(frozen=True, slots=True)
class StoredRoom:
    """The head of a room."""

    context_id: str
    record: bytes
    state: RoomState
    empty_room_ttl: float
    created_at: int
    modified_at: int


@dataclass(frozen=True, slots=True)
class ContextFigures:
    """How much a context holds."""

    users: int
    rooms: Mapping[str, int]  # by state


class AdminStore:
    """For one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @uncancelled
    async def update_context(
        self, context_id: str, title: str | None, policy: Mapping[str, str] | None
    ) -> None:
        """Change what is not None of a context.

        Raises:
            RequestError: CONTEXT_NOT_FOUND.
        """
        values: dict[str, Any] = {"context_id": context_id}  # so that there is something to set
        if title is not None:
            values["title"] = title
        if policy is not None:
            values["policy"] = msgspec.json.encode(policy).decode()
        statement = sa.update(contexts).where(contexts.c.context_id == context_id)
        async with self._database.write() as connection:
            if (await connection.execute(statement.values(values))).rowcount == 0:
                raise context_not_found()

    @uncancelled
    async def delete_context(self, context_id: str) -> list[str]:
        """Delete a context with its users and rooms; return the ids of the rooms.

        Raises:
            RequestError: CONTEXT_NOT_FOUND.
        """
        query = sa.select(rooms.c.room_id).where(rooms.c.context_id == context_id)
        here = contexts.c.context_id == context_id
        async with self._database.write() as connection:
            # After whoever adds to it at another Bridge; the next one finds it gone.
            locked = sa.select(contexts.c.context_id).where(here).with_for_update()
            if await connection.scalar(locked) is None:
                raise context_not_found()
            room_ids = list((await connection.scalars(query)).all())
            for table in (rooms, users):
                await connection.execute(sa.delete(table).where(table.c.context_id == context_id))
            await connection.execute(sa.delete(contexts).where(here))
        return room_ids

    @uncancelled
    async def context_figures(self, context_id: str) -> ContextFigures:
        """Count what a context holds; zeros if there is none."""
        count = sa.func.count()
        by_state = sa.select(rooms.c.state, count.label("rooms")).group_by(rooms.c.state)
        async with self._database.read() as connection:
            found = await connection.scalar(
                sa.select(count).select_from(users).where(users.c.context_id == context_id)
            )
            states = (
                await connection.execute(by_state.where(rooms.c.context_id == context_id))
            ).all()
        return ContextFigures(found or 0, {row.state: row.rooms for row in states})

    @uncancelled
    async def room(self, room_id: str) -> StoredRoom:
        """Return the head of a room.

        Raises:
            RequestError: ROOM_NOT_FOUND.
        """
        query = sa.select(rooms).where(rooms.c.room_id == room_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            raise room_not_found()
        return StoredRoom(
            context_id=row.context_id,
            record=row.record_payload,
            state=row.state,
            empty_room_ttl=row.empty_room_ttl,
            created_at=row.created_at,
            modified_at=row.modified_at,
        )


def room_not_found() -> RequestError:
    """No room has this id."""
    return RequestError(ErrorCode.ROOM_NOT_FOUND, field="room_id", remedy="see admin.room_list")
