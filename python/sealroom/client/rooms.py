"""Rooms as the client believes them: records verified, secrets opened, identities trusted."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sealroom.client.connection import Connection
from sealroom.client.errors import ProtocolError
from sealroom.client.models import RefusedRoom, StreamRoom, StreamRoomList, UserIdentity
from sealroom.crypto.announcement import VerifiedStream, verify_announcement
from sealroom.crypto.epoch import (
    EpochId,
    EpochKeys,
    derive_epoch_keys,
    new_epoch_secret,
    open_secret,
)
from sealroom.crypto.errors import MemberKeyMismatchError
from sealroom.crypto.private_metadata import decrypt_private_metadata
from sealroom.crypto.room_record import Member, make_room, verify_room_record
from sealroom.errors import InvalidArgumentError, SealroomError
from sealroom.identity import PublicIdentity, UserKey
from sealroom.protocol import (
    MAX_METADATA_BYTES,
    MAX_PAGE_ITEMS,
    ContextUsersParams,
    ContextUsersResult,
    Empty,
    RoomCreateParams,
    RoomListParams,
    RoomListResult,
    RoomParams,
    RoomRecord,
    RoomResult,
    RoomView,
    StreamView,
)


@dataclass(frozen=True, slots=True)
class OpenRoom:
    """A verified room with its current epoch's keys; repr shows none of them."""

    room: StreamRoom
    record: RoomRecord
    keys: EpochKeys = field(repr=False)


class RoomDirectory:
    """Creates, fetches and verifies rooms for one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._identities: dict[str, PublicIdentity] = {}

    async def create(
        self,
        users: Sequence[str | UserIdentity],
        managers: Sequence[str | UserIdentity],
        *,
        public_meta: bytes,
        private_meta: bytes,
        policy: Mapping[str, str] | None,
        empty_room_ttl: float | None,
    ) -> OpenRoom:
        """See `StreamApi.create_stream_room`."""
        for name, value in (("public_meta", public_meta), ("private_meta", private_meta)):
            if len(value) > MAX_METADATA_BYTES:
                raise InvalidArgumentError(f"{name}: at most {MAX_METADATA_BYTES} bytes")
        connection = self._connection
        room_id = uuid.uuid4().hex
        new = make_room(
            connection.identity,
            connection.user_id,
            context_id=connection.context_id,
            room_id=room_id,
            members=await self._members(users, managers),
            policy=policy or {},
            public_meta=bytes(public_meta),
            private_meta=bytes(private_meta),
            secret=new_epoch_secret(),
            created_at=time.time_ns() // 1_000_000,
        )
        params = RoomCreateParams(
            context_id=connection.context_id,
            room_id=room_id,
            record=new.record,
            sealed_secrets=new.sealed_secrets,
            empty_room_ttl=empty_room_ttl,
        )
        result = await connection.call("room.create", params, RoomResult)
        return await self.open(result.room, expected=room_id)

    async def get(self, room_id: str) -> OpenRoom:
        """See `StreamApi.get_stream_room`."""
        result = await self._connection.call("room.get", RoomParams(room_id=room_id), RoomResult)
        return await self.open(result.room, expected=room_id)

    async def page(self, skip: int, limit: int, sort_order: str) -> StreamRoomList:
        """See `StreamApi.list_stream_rooms`."""
        if sort_order not in ("asc", "desc"):
            raise InvalidArgumentError("sort_order: 'asc' or 'desc'")
        if not (skip >= 0 and 1 <= limit <= MAX_PAGE_ITEMS):
            raise InvalidArgumentError(f"skip: from 0; limit: 1 to {MAX_PAGE_ITEMS}")
        params = RoomListParams(
            context_id=self._connection.context_id,
            skip=skip,
            limit=limit,
            sort_order="asc" if sort_order == "asc" else "desc",
        )
        page = await self._connection.call("room.list", params, RoomListResult)
        rooms: list[StreamRoom] = []
        refused: list[RefusedRoom] = []
        for view in page.rooms:
            try:
                rooms.append((await self.open(view, expected=view.room_id)).room)
            except SealroomError as error:
                refused.append(RefusedRoom(view.room_id, error))
        return StreamRoomList(page.total, rooms, refused)

    async def delete(self, room_id: str) -> None:
        await self._connection.call("room.delete", RoomParams(room_id=room_id), Empty)

    async def open(self, view: RoomView, *, expected: str) -> OpenRoom:
        """Verifies a room and opens its secret.

        Raises a `VerificationError` of `sealroom.crypto.errors` that names the lie.
        """
        connection = self._connection
        if view.room_id != expected:
            raise ProtocolError("the Bridge answered with another room than the one asked for")
        author = await self._identity(view.record.author)
        record = verify_room_record(
            view.record,
            context_id=connection.context_id,
            room_id=view.room_id,
            author=author,
            reader=connection.user_id,
            fingerprints={
                connection.user_id: connection.identity.public.fingerprint,
                view.record.author: author.fingerprint,
            },
        )
        await self._trust_members(record)
        epoch = EpochId(record.context_id, record.room_id, record.epoch)
        secret = open_secret(
            view.sealed_secrets,
            epoch,
            connection.user_id,
            connection.identity,
            record.epoch_commitment,
        )
        keys = derive_epoch_keys(secret, epoch)
        room = StreamRoom(
            room_id=record.room_id,
            context_id=record.context_id,
            creator=record.author,
            created_at=record.created_at,
            modified_at=view.modified_at,
            users=[one.user_id for one in record.members if one.role == "user"],
            managers=[one.user_id for one in record.members if one.role == "manager"],
            version=record.version,
            epoch=record.epoch,
            state=view.state,
            policy=dict(record.policy),
            public_meta=record.public_meta,
            private_meta=decrypt_private_metadata(record.private_meta, keys, record.version),
        )
        return OpenRoom(room, record, keys)

    async def verify_stream(self, view: StreamView, record: RoomRecord) -> VerifiedStream:
        """Verifies an announcement; raises a `VerificationError` that names the lie."""
        return verify_announcement(view, record, await self._identity(view.user_id))

    async def _members(
        self, users: Sequence[str | UserIdentity], managers: Sequence[str | UserIdentity]
    ) -> list[Member]:
        connection = self._connection
        known = {connection.user_id: connection.identity.public}
        wanted: dict[str, bool] = {connection.user_id: True}
        for is_manager, group in ((False, users), (True, managers)):
            for one in group:
                user_id = one if isinstance(one, str) else one.user_id
                if isinstance(one, UserIdentity):
                    known[user_id] = one.identity
                wanted[user_id] = wanted.get(user_id, False) or is_manager
        unknown = [user_id for user_id in wanted if user_id not in known]
        for start in range(0, len(unknown), MAX_PAGE_ITEMS):
            known |= await self._fetch(unknown[start : start + MAX_PAGE_ITEMS])
        await self._trust({user_id: known[user_id].fingerprint for user_id in wanted})
        return [
            Member(user_id, known[user_id], "manager" if is_manager else "user")
            for user_id, is_manager in wanted.items()
        ]

    async def _identity(self, user_id: str) -> PublicIdentity:
        if user_id == self._connection.user_id:
            return self._connection.identity.public
        if user_id not in self._identities:
            identity = (await self._fetch([user_id]))[user_id]
            await self._trust({user_id: identity.fingerprint})
            self._identities[user_id] = identity
        return self._identities[user_id]

    async def _fetch(self, user_ids: list[str]) -> dict[str, PublicIdentity]:
        params = ContextUsersParams(context_id=self._connection.context_id, user_ids=user_ids)
        result = await self._connection.call("context.users", params, ContextUsersResult)
        found = {one.user_id: PublicIdentity.parse(one.identity) for one in result.users}
        missing = [user_id for user_id in user_ids if user_id not in found]
        if missing:
            raise InvalidArgumentError(f"not in the context: {', '.join(missing)}")
        return found

    async def _trust_members(self, record: RoomRecord) -> None:
        await self._trust({one.user_id: one.identity_fingerprint for one in record.members})

    async def _trust(self, fingerprints: Mapping[str, bytes]) -> None:
        others = [
            UserKey(user_id, fingerprint)
            for user_id, fingerprint in fingerprints.items()
            if user_id != self._connection.user_id
        ]
        verdicts = await self._connection.trust.verify(self._connection.context_id, others)
        for claim, verdict in zip(others, verdicts, strict=True):
            if verdict is not True:
                raise MemberKeyMismatchError(claim.user_id)
