"""A Bridge process to kill, users that change rooms meanwhile, and what must hold afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from typing import Any
from uuid import uuid4

import msgspec
import sqlalchemy as sa
from bridge_support import Client, FakeMedia, Refused
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from sealroom.access import find_first_violation, find_violation, record_hash
from sealroom.bridge import BridgeConfig
from sealroom.bridge.database import open_database
from sealroom.bridge.room_store import public_fields
from sealroom.bridge.schema import room_fields, room_members, room_records, rooms, sealed_secrets
from sealroom.bridge.server import run
from sealroom.identity import Identity, PublicIdentity
from sealroom.protocol import (
    MAX_MESSAGE_BYTES,
    ROOM_RECORD_TYPE,
    RPC_PATH,
    ErrorCode,
    RoomCreateParams,
    RoomMember,
    RoomRecord,
    RoomUpdateParams,
    SealedSecret,
)

# Forked from a process that has imported everything: a start takes milliseconds.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["sealroom.bridge.server", "aiosqlite", "asyncpg"])


def _serve(database: str, pipe: Pipe) -> None:
    # The same Bridge each time, as its URL says: its rooms need not wait for a lease to end.
    config = BridgeConfig(port=0, public_url="ws://bridge.invalid", database=database)
    run(config, media=FakeMedia(), on_started=lambda bridge, _key: pipe.send(bridge.url))


@asynccontextmanager
async def bridge_to_kill(database: str) -> AsyncIterator[str]:
    """Run a Bridge in a process of its own; it is killed (SIGKILL) at the end."""
    ours, theirs = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_serve, args=(database, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        assert await asyncio.to_thread(ours.poll, 60), "the Bridge does not start"
        yield ours.recv()
    finally:
        process.kill()
        await asyncio.to_thread(process.join, 20)
        ours.close()


@dataclass(frozen=True, slots=True)
class Room:
    """What is known of a room: its newest record, and its state."""

    payload: bytes
    state: str


@dataclass(slots=True)
class Member:
    """A user who changes rooms of its own, one step after another, and keeps books."""

    user_id: str
    context_id: str
    identities: dict[str, Identity]
    chance: random.Random
    rooms: dict[str, Room | None] = field(default_factory=dict)  # None: deleted
    steps: int = 0
    # The step whose answer never came: the room, and what it is if the step was carried out.
    pending: tuple[str, Room | None] | None = None
    # Then an internal error is an answer that never came; else it is one that should not be.
    database_dies: bool = False
    _client: Client | None = None

    async def work(self, url: str) -> None:
        """Change rooms until the connection breaks, or the Bridge's database does."""
        socket = await connect(url + RPC_PATH, max_size=MAX_MESSAGE_BYTES, proxy=None)
        client = self._client = Client(socket, self.context_id)
        with contextlib.suppress(ConnectionClosed, asyncio.CancelledError):
            await client.login(self.user_id, self.identities[self.user_id])
            while await self._step(client):
                pass

    async def break_off(self) -> None:
        """The Bridge is dead: stop waiting for it."""
        if self._client is not None:
            await self._client.close()

    async def _step(self, client: Client) -> bool:
        mine = [key for key, room in self.rooms.items() if room is not None]
        room_id = self.chance.choice(mine) if mine else ""
        room = self.rooms.get(room_id)
        kind = self.chance.choice(
            ["create", "update", "update", "rotate", "rotate", "state", "end"]
        )
        if room is None or len(mine) < 2 or (kind == "create" and len(mine) < 6):
            room_id = uuid4().hex
            params, after = self._create(client, room_id)
            return await self._call(client, "room.create", params, room_id, after)
        if kind == "end" and len(mine) > 3:
            return await self._call(client, "room.delete", {"room_id": room_id}, room_id, None)
        if kind == "state":
            methods = {"closed": "room.reopen"}
            method = methods.get(room.state) or self.chance.choice(["room.close", "room.join"])
            state = "closed" if method == "room.close" else "open"
            after = Room(room.payload, state)
            if not await self._call(client, method, {"room_id": room_id}, room_id, after):
                return False
            if method != "room.join":
                return True
            return await self._call(client, "room.leave", {"room_id": room_id}, room_id, after)
        update, after = self._update(client, room, rotate=kind == "rotate")
        return await self._call(client, "room.update", update, room_id, after)

    async def _call(
        self, client: Client, method: str, params: Any, room_id: str, after: Room | None
    ) -> bool:
        self.pending = (room_id, after)
        try:
            await client.call(method, params)
        except Refused as refused:
            if not (self.database_dies and refused.code is ErrorCode.INTERNAL_ERROR):
                raise
            return False
        self.rooms[room_id], self.pending = after, None
        self.steps += 1
        return True

    def _create(self, client: Client, room_id: str) -> tuple[RoomCreateParams, Room]:
        record = RoomRecord(
            context_id=self.context_id,
            room_id=room_id,
            version=1,
            previous_hash=b"",
            author=self.user_id,
            created_at=1,
            members=self._members(),
            policy={},
            public_meta=self._metadata(),
            private_meta=b"private",
            epoch=1,
            epoch_commitment=bytes(32),
        )
        signed = client.sign(ROOM_RECORD_TYPE, record)
        params = RoomCreateParams(
            context_id=self.context_id,
            room_id=room_id,
            record=signed,
            sealed_secrets=_secrets(record),
            empty_room_ttl=3600,
        )
        return params, Room(signed.payload, "created")

    def _update(self, client: Client, room: Room, *, rotate: bool) -> tuple[RoomUpdateParams, Room]:
        before = msgspec.json.decode(room.payload, type=RoomRecord)
        record = msgspec.structs.replace(
            before,
            version=before.version + 1,
            previous_hash=record_hash(room.payload),
            creator=self.user_id,
            public_meta=self._metadata(),
        )
        if rotate:
            record = msgspec.structs.replace(
                record,
                members=self._members(),
                epoch=before.epoch + 1,
                epoch_commitment=self.chance.randbytes(32),
            )
        signed = client.sign(ROOM_RECORD_TYPE, record)
        secrets = _secrets(record) if rotate else []
        params = RoomUpdateParams(room_id=before.room_id, record=signed, sealed_secrets=secrets)
        return params, Room(signed.payload, room.state)

    def _members(self) -> list[RoomMember]:
        others = [one for one in self.identities if one != self.user_id]
        chosen = self.chance.sample(others, self.chance.randrange(len(others) + 1))
        return [
            RoomMember(
                user_id=one,
                identity_fingerprint=self.identities[one].public.fingerprint,
                role="manager" if one == self.user_id else "user",
            )
            for one in [self.user_id, *chosen]
        ]

    def _metadata(self) -> bytes:
        fields = {f"f{number}": self.chance.random() for number in range(self.chance.randrange(9))}
        return msgspec.json.encode(fields)


def _secrets(record: RoomRecord) -> list[SealedSecret]:
    return [
        SealedSecret(user_id=one.user_id, epoch=record.epoch, sealed=bytes(1200))
        for one in record.members
    ]


async def check_store(database: str, members: list[Member]) -> None:
    """Check everything stored against itself and against what was answered.

    The books of the members then say what the step without an answer came to.
    """
    stored = await _stored_rooms(database)
    for member in members:
        pending, member.pending = member.pending, None
        for room_id, expected in {
            **member.rooms,
            **({pending[0]: None} if pending else {}),
        }.items():
            expected = member.rooms.get(room_id)
            found = stored.pop(room_id, None)
            allowed = [expected]
            if pending is not None and pending[0] == room_id:
                allowed.append(pending[1])
            assert found in allowed, f"{room_id} is neither as before nor as after its last step"
            member.rooms[room_id] = found
    assert not stored, "rooms that nobody made"


async def _stored_rooms(database: str) -> dict[str, Room]:
    async with open_database(database) as opened, opened.read() as connection:
        tables: dict[str, list[Any]] = {
            one.name: list(
                (await connection.execute(sa.select(one).order_by(*one.primary_key))).all()
            )
            for one in (rooms, room_records, room_members, sealed_secrets, room_fields)
        }
    found = {}
    for room in tables["rooms"]:
        of_room = {
            name: [row for row in rows if row.room_id == room.room_id]
            for name, rows in tables.items()
        }
        _check_room(room, of_room)
        found[room.room_id] = Room(room.record_payload, room.state)
    for name, rows in tables.items():
        assert {row.room_id for row in rows} <= found.keys(), f"{name} has rows of no room"
    return found


def _check_room(room: Any, tables: dict[str, list[Any]]) -> None:
    history = tables["room_records"]
    assert [one.version for one in history] == list(range(1, room.version + 1))
    previous: RoomRecord | None = None
    for number, row in enumerate(history):
        identity = PublicIdentity.parse(row.author_identity)
        identity.verify(ROOM_RECORD_TYPE, row.payload, row.signature)
        record = msgspec.json.decode(row.payload, type=RoomRecord)
        assert (record.version, record.epoch) == (row.version, row.epoch)
        if previous is None:
            assert find_first_violation(record) is None
        else:
            assert find_violation(previous, history[number - 1].payload, record) is None
        previous = record
    newest = history[-1]
    assert previous is not None
    assert (room.record_payload, room.record_signature) == (newest.payload, newest.signature)
    assert (room.epoch, room.author) == (newest.epoch, newest.author)
    names = {one.user_id for one in previous.members}
    assert {one.user_id for one in tables["room_members"]} == names
    has_secret = {one.user_id for one in tables["sealed_secrets"] if one.epoch == room.epoch}
    assert has_secret == names, "a member lacks the secret of the epoch, or a stranger has it"
    assert {one.user_id for one in tables["sealed_secrets"]} == names
    fields = {one.name: one.value for one in tables["room_fields"]}
    assert fields == public_fields(previous.public_meta)
