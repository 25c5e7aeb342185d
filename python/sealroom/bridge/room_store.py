"""Stored rooms: signed record, members, sealed secrets, state."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from sealroom.protocol import (
    MAX_CONTEXT_ROOMS,
    MAX_PAGE_BYTES,
    ROOM_RECORD_TYPE,
    ErrorCode,
    RoomState,
    RoomSummary,
    RoomView,
    SealedSecret,
    SignedObject,
)

from .database import Database, uncancelled
from .errors import RequestError, limit_exceeded
from .schema import room_members, rooms, sealed_secrets
from .store import now_ms

_PER_ROOM_BYTES = 2048  # of a page, besides the record: ids, signature, own sealed secret


@dataclass(frozen=True, slots=True)
class StoredMember:
    """Member as stored for lists."""

    user_id: str
    fingerprint: bytes
    visible: bool


class RoomStore:
    """Queries over rooms. For one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @uncancelled
    async def create(
        self,
        *,
        room_id: str,
        context_id: str,
        record: SignedObject,
        members: Sequence[StoredMember],
        secrets: Sequence[SealedSecret],
        empty_room_ttl: float,
    ) -> RoomView:
        """Store a new room in state `created` and return it without secrets.

        Raises:
            RequestError: ROOM_EXISTS, LIMIT_EXCEEDED.
        """
        now = now_ms()
        row = {
            "room_id": room_id,
            "context_id": context_id,
            "author": record.author,
            "record_payload": record.payload,
            "record_signature": record.signature,
            "state": "created",
            "empty_room_ttl": empty_room_ttl,
            "created_at": now,
            "modified_at": now,
        }
        count = sa.select(sa.func.count()).where(rooms.c.context_id == context_id)
        taken = sa.select(rooms.c.room_id).where(rooms.c.room_id == room_id)
        async with self._database.write() as connection:
            if (await connection.scalar(count) or 0) >= MAX_CONTEXT_ROOMS:
                raise limit_exceeded("rooms in a context", MAX_CONTEXT_ROOMS)
            if await connection.scalar(taken) is not None:
                raise _room_exists()
            try:
                await connection.execute(sa.insert(rooms).values(row))
            except IntegrityError:  # another process was faster
                raise _room_exists() from None
            await connection.execute(
                sa.insert(room_members),
                [
                    {
                        "room_id": room_id,
                        "user_id": member.user_id,
                        "fingerprint": member.fingerprint,
                        "visible": member.visible,
                    }
                    for member in members
                ],
            )
            await connection.execute(
                sa.insert(sealed_secrets),
                [
                    {
                        "room_id": room_id,
                        "user_id": secret.user_id,
                        "epoch": secret.epoch,
                        "sealed": secret.sealed,
                    }
                    for secret in secrets
                ],
            )
        return RoomView(
            room_id=room_id,
            context_id=context_id,
            record=record,
            sealed_secrets=[],
            state="created",
            empty_room_ttl=empty_room_ttl,
            created_at=now,
            modified_at=now,
        )

    @uncancelled
    async def get(self, room_id: str, user_id: str) -> RoomView | None:
        """Return a room with the user's own sealed secrets. Whether the user may is not asked."""
        views = await self._views([room_id], user_id)
        return views[0] if views else None

    @uncancelled
    async def page(
        self,
        context_id: str,
        user_id: str,
        fingerprint: bytes,
        *,
        skip: int,
        limit: int,
        order: Literal["asc", "desc"],
    ) -> tuple[int, list[RoomView]]:
        """Return the number of rooms the user may see and one page of them.

        The page ends before it outgrows MAX_PAGE_BYTES, but has at least one room if any is left.
        """
        mine = (
            rooms.c.context_id == context_id,
            room_members.c.room_id == rooms.c.room_id,
            room_members.c.user_id == user_id,
            room_members.c.fingerprint == fingerprint,
            room_members.c.visible,
        )
        keys = (rooms.c.created_at, rooms.c.room_id)
        query = sa.select(rooms.c.room_id, sa.func.length(rooms.c.record_payload).label("size"))
        query = query.where(*mine).offset(skip).limit(limit)
        query = query.order_by(*(key.asc() if order == "asc" else key.desc() for key in keys))
        async with self._database.read() as connection:
            total = await connection.scalar(sa.select(sa.func.count()).where(*mine))
            candidates = (await connection.execute(query)).all()
        chosen: list[str] = []
        room_left = MAX_PAGE_BYTES
        for row in candidates:
            room_left -= row.size * 4 // 3 + _PER_ROOM_BYTES
            if chosen and room_left < 0:
                break
            chosen.append(row.room_id)
        return total or 0, await self._views(chosen, user_id)

    @uncancelled
    async def lifecycle(self, room_id: str) -> tuple[RoomState, float] | None:
        """Return state and empty-room time to live of a room, None if it does not exist."""
        query = sa.select(rooms.c.state, rooms.c.empty_room_ttl).where(rooms.c.room_id == room_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else (row.state, row.empty_room_ttl)

    @uncancelled
    async def set_state(self, room_id: str, state: RoomState) -> None:
        """Change the state of a room; nothing happens if it is gone."""
        async with self._database.write() as connection:
            await connection.execute(
                sa.update(rooms)
                .where(rooms.c.room_id == room_id)
                .values(state=state, modified_at=now_ms())
            )

    @uncancelled
    async def open_rooms(self) -> dict[str, float]:
        """Return the rooms in state `open` with their empty-room time to live."""
        query = sa.select(rooms.c.room_id, rooms.c.empty_room_ttl).where(rooms.c.state == "open")
        async with self._database.read() as connection:
            return {row.room_id: row.empty_room_ttl for row in await connection.execute(query)}

    @uncancelled
    async def record_payload(self, room_id: str) -> bytes | None:
        """Return the bytes of a room's signed record, None if the room does not exist."""
        query = sa.select(rooms.c.record_payload).where(rooms.c.room_id == room_id)
        async with self._database.read() as connection:
            payload: bytes | None = await connection.scalar(query)
        return payload

    @uncancelled
    async def delete(self, room_id: str) -> None:
        """Delete a room with its members and secrets; nothing happens if it is gone."""
        async with self._database.write() as connection:
            await connection.execute(sa.delete(rooms).where(rooms.c.room_id == room_id))

    @uncancelled
    async def summaries(
        self, context_id: str, skip: int, limit: int
    ) -> tuple[int, list[RoomSummary]]:
        """Return the number of rooms of a context and one page, oldest first."""
        members = (
            sa.select(sa.func.count())
            .where(room_members.c.room_id == rooms.c.room_id)
            .scalar_subquery()
        )
        columns = (rooms.c.room_id, rooms.c.author, rooms.c.state, rooms.c.created_at)
        query = sa.select(*columns, members.label("members")).where(
            rooms.c.context_id == context_id
        )
        query = query.order_by(rooms.c.created_at, rooms.c.room_id).offset(skip).limit(limit)
        count = sa.select(sa.func.count()).where(rooms.c.context_id == context_id)
        async with self._database.read() as connection:
            total = await connection.scalar(count)
            rows = (await connection.execute(query)).all()
        return total or 0, [
            RoomSummary(
                room_id=row.room_id,
                author=row.author,
                members=row.members,
                participants=0,
                state=row.state,
                created_at=row.created_at,
            )
            for row in rows
        ]

    async def _views(self, room_ids: Sequence[str], user_id: str) -> list[RoomView]:
        if not room_ids:
            return []
        secrets: dict[str, list[SealedSecret]] = {}
        owned = sa.select(sealed_secrets).where(
            sealed_secrets.c.room_id.in_(room_ids), sealed_secrets.c.user_id == user_id
        )
        async with self._database.read() as connection:
            query = sa.select(rooms).where(rooms.c.room_id.in_(room_ids))
            found = {row.room_id: row for row in await connection.execute(query)}
            for row in await connection.execute(owned.order_by(sealed_secrets.c.epoch)):
                secret = SealedSecret(user_id=user_id, epoch=row.epoch, sealed=row.sealed)
                secrets.setdefault(row.room_id, []).append(secret)
        return [
            _view(found[room_id], secrets.get(room_id, []))
            for room_id in room_ids
            if room_id in found
        ]


def _view(row: Any, secrets: list[SealedSecret]) -> RoomView:
    return RoomView(
        room_id=row.room_id,
        context_id=row.context_id,
        record=SignedObject(
            type=ROOM_RECORD_TYPE,
            payload=row.record_payload,
            signature=row.record_signature,
            author=row.author,
        ),
        sealed_secrets=secrets,
        state=row.state,
        empty_room_ttl=row.empty_room_ttl,
        created_at=row.created_at,
        modified_at=row.modified_at,
    )


def _room_exists() -> RequestError:
    return RequestError(
        ErrorCode.ROOM_EXISTS, field="room_id", remedy="choose a new random room id (uuid4)"
    )
