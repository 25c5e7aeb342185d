"""Stored rooms, changed in transactions: records, members, sealed secrets, state.

`room_lists` has the queries that only read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from sealroom.access import record_hash
from sealroom.protocol import (
    MAX_CONTEXT_ROOMS,
    MAX_PUBLIC_FIELD_LENGTH,
    MAX_PUBLIC_FIELDS,
    MAX_ROOM_VERSIONS,
    ErrorCode,
    RoomRecord,
    RoomState,
    SealedSecret,
    SignedObject,
)
from sealroom.protocol.decoding import decode_json

from .database import Database, uncancelled
from .errors import RequestError, limit_exceeded
from .schema import (
    room_fields,
    room_homes,
    room_members,
    room_records,
    rooms,
    sealed_secrets,
)
from .store import lock_context, now_ms


@dataclass(frozen=True, slots=True)
class StoredMember:
    """Member as stored for lists."""

    user_id: str
    fingerprint: bytes
    visible: bool


@dataclass(frozen=True, slots=True)
class CheckedRecord:
    """A record that passed all checks, with what is stored beside it."""

    record: RoomRecord
    signed: SignedObject
    author_identity: str
    members: Sequence[StoredMember]
    secrets: Sequence[SealedSecret]


class RoomStore:
    """Changes of rooms. For one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @uncancelled
    async def create(self, checked: CheckedRecord, empty_room_ttl: float) -> int:
        """Store a new room in state `created` and return the time of it.

        Raises:
            RequestError: ROOM_EXISTS, LIMIT_EXCEEDED.
        """
        now, record = now_ms(), checked.record
        row = _head(checked) | {
            "room_id": record.room_id,
            "context_id": record.context_id,
            "room_type": record.room_type,
            "state": "created",
            "empty_room_ttl": empty_room_ttl,
            "created_at": now,
            "modified_at": now,
        }
        count = sa.select(sa.func.count()).where(rooms.c.context_id == record.context_id)
        taken = sa.select(rooms.c.room_id).where(rooms.c.room_id == record.room_id)
        async with self._database.write() as connection:
            await lock_context(connection, record.context_id)
            if (await connection.scalar(count) or 0) >= MAX_CONTEXT_ROOMS:
                raise limit_exceeded("rooms in a context", MAX_CONTEXT_ROOMS)
            if await connection.scalar(taken) is not None:
                raise _room_exists()
            try:
                await connection.execute(sa.insert(rooms).values(row))
            except IntegrityError:  # another Bridge was faster, in another context
                raise _room_exists() from None
            await _store_details(connection, checked)
        return now

    @uncancelled
    async def update(self, checked: CheckedRecord, empty_room_ttl: float | None) -> str | None:
        """Make a record a room's newest if it follows the one that is.

        Whoever is no member any more loses all sealed secrets. Returns the id of the process where
        the room lives, None if nowhere.

        Raises:
            RequestError: VERSION_CONFLICT, LIMIT_EXCEEDED.
        """
        record = checked.record
        if record.version > MAX_ROOM_VERSIONS:
            raise limit_exceeded("versions of a room", MAX_ROOM_VERSIONS, field="record.payload")
        values = _head(checked) | {"modified_at": now_ms()}
        if empty_room_ttl is not None:
            values["empty_room_ttl"] = empty_room_ttl
        room = rooms.c.room_id == record.room_id
        newest = sa.select(rooms.c.version, rooms.c.record_payload).where(room).with_for_update()
        here = room_members.c.room_id == record.room_id
        async with self._database.write() as connection:
            before = (await connection.execute(newest)).first()
            if (
                before is None
                or before.version != record.version - 1
                or record_hash(before.record_payload) != record.previous_hash
            ):
                raise version_conflict()
            await connection.execute(sa.update(rooms).where(room).values(values))
            await connection.execute(sa.delete(room_members).where(here))
            await connection.execute(
                sa.delete(room_fields).where(room_fields.c.room_id == record.room_id)
            )
            await _store_details(connection, checked)
            still = sa.select(room_members.c.user_id).where(here)
            await connection.execute(
                sa.delete(sealed_secrets).where(
                    sealed_secrets.c.room_id == record.room_id,
                    sealed_secrets.c.user_id.not_in(still),
                )
            )
            return await _home(connection, record.room_id)

    @uncancelled
    async def lifecycle(self, room_id: str) -> tuple[RoomState, float] | None:
        """Return state and empty-room time to live of a room, None if it does not exist."""
        query = sa.select(rooms.c.state, rooms.c.empty_room_ttl).where(rooms.c.room_id == room_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else (row.state, row.empty_room_ttl)

    @uncancelled
    async def set_state(self, room_id: str, state: RoomState) -> str | None:
        """Change the state of a room, which then lives nowhere; nothing happens if it is gone.

        Returns the id of the process where it lived, None if nowhere.
        """
        empty_since = self._database.now() if state == "open" else None
        values = {"state": state, "empty_since": empty_since}
        here = rooms.c.room_id == room_id
        async with self._database.write() as connection:
            await connection.execute(sa.update(rooms).where(here).values(values))
            home = await _home(connection, room_id)
            await connection.execute(sa.delete(room_homes).where(room_homes.c.room_id == room_id))
        return home

    @uncancelled
    async def open_rooms(self) -> dict[str, float]:
        """Return the rooms in state `open` with their empty-room time to live."""
        query = sa.select(rooms.c.room_id, rooms.c.empty_room_ttl).where(rooms.c.state == "open")
        async with self._database.read() as connection:
            return {row.room_id: row.empty_room_ttl for row in await connection.execute(query)}

    @uncancelled
    async def newest(self, room_id: str) -> tuple[bytes, bytes] | None:
        """Return payload and signature of a room's newest record, None if there is no such room."""
        query = sa.select(rooms.c.record_payload, rooms.c.record_signature)
        async with self._database.read() as connection:
            row = (await connection.execute(query.where(rooms.c.room_id == room_id))).first()
        return None if row is None else (row.record_payload, row.record_signature)

    @property
    def is_shared(self) -> bool:
        """Whether other Bridges may change the same rooms."""
        return self._database.is_shared

    @uncancelled
    async def signature(self, room_id: str) -> bytes | None:
        """Return the signature of a room's newest record, None if the room does not exist."""
        query = sa.select(rooms.c.record_signature).where(rooms.c.room_id == room_id)
        async with self._database.read() as connection:
            signature: bytes | None = await connection.scalar(query)
        return signature

    @uncancelled
    async def delete(self, room_id: str) -> str | None:
        """Delete a room with all that belongs to it; nothing happens if it is gone.

        Returns the id of the process where it lived, None if nowhere.
        """
        here = rooms.c.room_id == room_id
        async with self._database.write() as connection:
            await connection.execute(sa.select(rooms.c.room_id).where(here).with_for_update())
            home = await _home(connection, room_id)
            await connection.execute(sa.delete(rooms).where(here))
        return home


async def _home(connection: AsyncConnection, room_id: str) -> str | None:
    """Return where a room lives; its row must be locked, as for a claim."""
    query = sa.select(room_homes.c.instance_id).where(room_homes.c.room_id == room_id)
    home: str | None = await connection.scalar(query)
    return home


def version_conflict() -> RequestError:
    """The record follows another one than the newest."""
    return RequestError(
        ErrorCode.VERSION_CONFLICT,
        field="record.payload.version",
        remedy="fetch the room, apply the change to it and try again",
    )


def public_fields(public_meta: bytes) -> dict[str, str]:
    """Return the fields that lists filter on, with their values as JSON; none if it is no JSON."""
    try:
        fields = decode_json(public_meta, dict[str, object])
    except msgspec.DecodeError:
        return {}
    texts = (
        (name, field_text(value))
        for name, value in fields.items()
        if value is None or isinstance(value, str | int | float)
    )
    fitting = (
        (name, text)
        for name, text in texts
        if max(len(name), len(text)) <= MAX_PUBLIC_FIELD_LENGTH and "\0" not in name
    )
    return dict(islice(fitting, MAX_PUBLIC_FIELDS))


def field_text(value: object) -> str:
    """Return a value as JSON; 1 and 1.0 are the same."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return msgspec.json.encode(value).decode()


def _head(checked: CheckedRecord) -> dict[str, Any]:
    return {
        "author": checked.signed.author,
        "record_payload": checked.signed.payload,
        "record_signature": checked.signed.signature,
        "version": checked.record.version,
        "epoch": checked.record.epoch,
    }


async def _store_details(connection: AsyncConnection, checked: CheckedRecord) -> None:
    record, signed = checked.record, checked.signed
    here = {"room_id": record.room_id}
    await connection.execute(
        sa.insert(room_records),
        here
        | {
            "version": record.version,
            "epoch": record.epoch,
            "author": signed.author,
            "author_identity": checked.author_identity,
            "payload": signed.payload,
            "signature": signed.signature,
        },
    )
    members = [
        here | {"user_id": one.user_id, "fingerprint": one.fingerprint, "visible": one.visible}
        for one in checked.members
    ]
    await connection.execute(sa.insert(room_members), members)
    secrets = [
        here | {"user_id": one.user_id, "epoch": one.epoch, "sealed": one.sealed}
        for one in checked.secrets
    ]
    if secrets:
        await connection.execute(sa.insert(sealed_secrets), secrets)
    fields = [
        here | {"name": name, "value": text}
        for name, text in public_fields(record.public_meta).items()
    ]
    if fields:
        await connection.execute(sa.insert(room_fields), fields)


def _room_exists() -> RequestError:
    return RequestError(
        ErrorCode.ROOM_EXISTS, field="room_id", remedy="choose a new random room id (uuid4)"
    )
