"""Stored rooms as members and administrators read them: one, a page, a history."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from sealroom.protocol import (
    MAX_PAGE_BYTES,
    ROOM_RECORD_TYPE,
    ErrorCode,
    HistoricRecord,
    RoomHistoryResult,
    RoomListParams,
    RoomState,
    RoomSummary,
    RoomView,
    SealedSecret,
    SignedObject,
)

from .database import Database, uncancelled
from .errors import RequestError
from .room_store import field_text
from .schema import room_fields, room_members, room_records, rooms, sealed_secrets

_BESIDES_RECORD_BYTES = 6144  # of a page: ids, signature, identity, own sealed secret


class RoomLists:
    """Queries over rooms. Whether the user may see them is asked where it says so."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @uncancelled
    async def get(self, room_id: str, user_id: str) -> RoomView | None:
        """Return a room with the user's own sealed secret. Whether the user may is not asked."""
        async with self._database.read() as connection:
            views = await _views(connection, [room_id], user_id)
        return views[0] if views else None

    @uncancelled
    async def page(
        self, user_id: str, fingerprint: bytes, params: RoomListParams
    ) -> tuple[int, list[RoomView]]:
        """Return the number of rooms the user may see that match, and one page of them.

        The page ends before it outgrows MAX_PAGE_BYTES, but has at least one room if any is left.

        Raises:
            RequestError: INVALID_PARAMS: `last_id` is none of these rooms.
        """
        matches = _matches(user_id, fingerprint, params)
        by = rooms.c[params.sort_by]
        query = sa.select(rooms.c.room_id, sa.func.length(rooms.c.record_payload).label("size"))
        query = query.where(*matches)
        async with self._database.read() as connection:
            total = await connection.scalar(sa.select(sa.func.count()).where(*matches))
            if params.last_id is not None:
                last = await connection.scalar(
                    sa.select(by).where(*matches, rooms.c.room_id == params.last_id)
                )
                if last is None:
                    raise RequestError(
                        ErrorCode.INVALID_PARAMS,
                        field="last_id",
                        remedy="give the id of the last room of the page before, or none",
                    )
                at, key = sa.tuple_(by, rooms.c.room_id), sa.tuple_(last, params.last_id)
                query = query.where(at > key if params.sort_order == "asc" else at < key)
            keys = (by, rooms.c.room_id)
            ordered = (one.asc() if params.sort_order == "asc" else one.desc() for one in keys)
            query = query.order_by(*ordered).offset(params.skip).limit(params.limit)
            candidates = (await connection.execute(query)).all()
            chosen = [row.room_id for row in _fitting(candidates)]
            return total or 0, await _views(connection, chosen, user_id)

    @uncancelled
    async def history(
        self, room_id: str, user_id: str, since: int, limit: int
    ) -> RoomHistoryResult:
        """Return records after a version. Whether the user may is not asked."""
        newest = sa.select(rooms.c.version).where(rooms.c.room_id == room_id)
        query = (
            sa.select(
                room_records,
                sa.func.length(room_records.c.payload).label("size"),
                sealed_secrets.c.sealed,
            )
            .outerjoin(
                sealed_secrets,
                sa.and_(
                    sealed_secrets.c.room_id == room_records.c.room_id,
                    sealed_secrets.c.epoch == room_records.c.epoch,
                    sealed_secrets.c.user_id == user_id,
                ),
            )
            .where(room_records.c.room_id == room_id, room_records.c.version > since)
            .order_by(room_records.c.version)
            .limit(limit)
        )
        async with self._database.read() as connection:
            version = await connection.scalar(newest)
            rows = (await connection.execute(query)).all()
        return RoomHistoryResult(
            newest=version or 0, records=[_historic(row, user_id) for row in _fitting(rows)]
        )

    @uncancelled
    async def summaries(
        self, context_id: str, state: RoomState | None, skip: int, limit: int
    ) -> tuple[int, list[RoomSummary]]:
        """Return the number of rooms of a context, or in a state, and one page, oldest first."""
        conditions = [rooms.c.context_id == context_id]
        if state is not None:
            conditions.append(rooms.c.state == state)
        members = (
            sa.select(sa.func.count())
            .where(room_members.c.room_id == rooms.c.room_id)
            .scalar_subquery()
        )
        columns = (rooms.c.room_id, rooms.c.author, rooms.c.state, rooms.c.created_at)
        query = sa.select(*columns, members.label("members")).where(*conditions)
        query = query.order_by(rooms.c.created_at, rooms.c.room_id).offset(skip).limit(limit)
        count = sa.select(sa.func.count()).where(*conditions)
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


def _matches(
    user_id: str, fingerprint: bytes, params: RoomListParams
) -> list[sa.ColumnElement[bool]]:
    conditions = [
        rooms.c.context_id == params.context_id,
        room_members.c.room_id == rooms.c.room_id,
        room_members.c.user_id == user_id,
        room_members.c.fingerprint == fingerprint,
        room_members.c.visible,
    ]
    if params.room_type is not None:
        conditions.append(rooms.c.room_type == params.room_type)
    for name, value in params.filter.items():
        conditions.append(
            sa.exists().where(
                room_fields.c.room_id == rooms.c.room_id,
                room_fields.c.name == name,
                room_fields.c.value == field_text(value),
            )
        )
    return conditions


def _fitting(rows: Sequence[Any]) -> list[Any]:
    fitting: list[Any] = []
    bytes_left = MAX_PAGE_BYTES
    for row in rows:
        bytes_left -= row.size * 4 // 3 + _BESIDES_RECORD_BYTES
        if fitting and bytes_left < 0:
            break
        fitting.append(row)
    return fitting


async def _views(
    connection: AsyncConnection, room_ids: Sequence[str], user_id: str
) -> list[RoomView]:
    query = (
        sa.select(rooms, room_records.c.author_identity, sealed_secrets.c.sealed)
        .join(
            room_records,
            sa.and_(
                room_records.c.room_id == rooms.c.room_id,
                room_records.c.version == rooms.c.version,
            ),
        )
        .outerjoin(
            sealed_secrets,
            sa.and_(
                sealed_secrets.c.room_id == rooms.c.room_id,
                sealed_secrets.c.epoch == rooms.c.epoch,
                sealed_secrets.c.user_id == user_id,
            ),
        )
        .where(rooms.c.room_id.in_(room_ids))
    )
    found = {row.room_id: row for row in await connection.execute(query)} if room_ids else {}
    return [_view(found[room_id], user_id) for room_id in room_ids if room_id in found]


def _view(row: Any, user_id: str) -> RoomView:
    secret = _secret(row, user_id)
    return RoomView(
        room_id=row.room_id,
        context_id=row.context_id,
        record=SignedObject(
            type=ROOM_RECORD_TYPE,
            payload=row.record_payload,
            signature=row.record_signature,
            author=row.author,
        ),
        author_identity=row.author_identity,
        sealed_secrets=[] if secret is None else [secret],
        state=row.state,
        empty_room_ttl=row.empty_room_ttl,
        created_at=row.created_at,
        modified_at=row.modified_at,
    )


def _historic(row: Any, user_id: str) -> HistoricRecord:
    return HistoricRecord(
        record=SignedObject(
            type=ROOM_RECORD_TYPE,
            payload=row.payload,
            signature=row.signature,
            author=row.author,
        ),
        author_identity=row.author_identity,
        sealed_secret=_secret(row, user_id),
    )


def _secret(row: Any, user_id: str) -> SealedSecret | None:
    if row.sealed is None:
        return None
    return SealedSecret(user_id=user_id, epoch=row.epoch, sealed=row.sealed)
