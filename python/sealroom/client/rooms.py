"""Rooms as the client believes them: records verified, secrets opened, identities trusted."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from sealroom.access import owner_of
from sealroom.client.connection import Connection
from sealroom.client.errors import ProtocolError
from sealroom.client.models import RefusedRoom, StreamRoom, StreamRoomList
from sealroom.client.room_chain import ChainLink, RoomChain
from sealroom.client.room_to_update import UNREADABLE, RoomToUpdate
from sealroom.crypto.announcement import VerifiedStream, verify_announcement
from sealroom.crypto.custom_event import OpenedEvent, open_custom_event
from sealroom.crypto.epoch import EpochId, EpochKeys, KeyHolder, derive_epoch_keys, open_secret
from sealroom.crypto.errors import (
    EventSenderError,
    MemberKeyMismatchError,
    PrivateMetadataError,
    RecordHistoryError,
    RecordRollbackError,
)
from sealroom.crypto.private_metadata import decrypt_private_metadata
from sealroom.crypto.room_record import VerifiedRecord, check_reader
from sealroom.errors import InvalidArgumentError, SealroomError
from sealroom.identity import PublicIdentity, UserKey
from sealroom.protocol import (
    MAX_PAGE_ITEMS,
    ContextUsersParams,
    ContextUsersResult,
    Empty,
    HistoricRecord,
    RoomListItems,
    RoomListParams,
    RoomParams,
    RoomRecord,
    RoomResult,
    RoomView,
    SealedSecret,
    SignedObject,
    StreamView,
)
from sealroom.protocol.decoding import decode_json

MAX_KNOWN_ROOMS = 256
"""Rooms whose newest record is kept at hand; of others the history is fetched again."""

MAX_FETCHES = 3
"""Of a room that comes older than it was seen before."""


@dataclass(frozen=True, slots=True)
class OpenRoom(KeyHolder):
    """A verified room with the keys of its epochs that are known; repr shows none of them."""

    room: StreamRoom
    verified: VerifiedRecord
    secrets: Mapping[int, bytes] = field(repr=False)

    @property
    def record(self) -> RoomRecord:
        """The newest record."""
        return self.verified.record

    @property
    def keys(self) -> EpochKeys:
        """Keys of the current epoch."""
        return self.keys_of(self.record.epoch)

    def keys_of(self, epoch: int) -> EpochKeys:
        """Keys of one of the epochs in `secrets`."""
        return derive_epoch_keys(self.secrets[epoch], epoch_id(self.record, epoch))


class RoomDirectory:
    """Fetches and verifies rooms for one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._identities: dict[str, PublicIdentity] = {}
        self._known: OrderedDict[str, OpenRoom] = OrderedDict()

    def over(self, connection: Connection) -> RoomDirectory:
        """The same rooms and identities, asked for over another connection of the same user."""
        if connection is self._connection:
            return self
        other = RoomDirectory(connection)
        other._identities, other._known = self._identities, self._known
        return other

    async def get(self, room_id: str) -> OpenRoom:
        """See `StreamApi.get_stream_room`."""
        return await self._accept(*await self._newest(room_id))

    async def get_to_update(self, room_id: str) -> RoomToUpdate:
        """As `get`, also if private metadata or secret of the newest record do not open.

        A manager who makes such a record must not be the last one who changes the room.
        """
        newest, view, known = await self._newest(room_id)
        try:
            opened = await self._accept(newest, view, known)
        except UNREADABLE as error:  # found after members and keys, so these are right
            secrets = {} if known is None else known.secrets
            last_read = None
            if known is not None and isinstance(error, PrivateMetadataError):
                last_read = known.room.private_meta
            return RoomToUpdate(newest.verified, secrets, last_read, error)
        return RoomToUpdate(opened.verified, opened.secrets, opened.room.private_meta, None)

    async def _newest(self, room_id: str) -> tuple[ChainLink, RoomView, OpenRoom | None]:
        for attempt in range(MAX_FETCHES):
            result = await self._connection.call(
                "room.get", RoomParams(room_id=room_id), RoomResult
            )
            try:
                return await self._verify(result.room, room_id)
            except RecordRollbackError:
                # Another program may have seen and pinned a newer one while the answer came.
                if attempt == MAX_FETCHES - 1:
                    raise
        raise AssertionError

    async def page(self, params: RoomListParams) -> StreamRoomList:
        """See `StreamApi.list_stream_rooms`."""
        page = await self._connection.call("room.list", params, RoomListItems)
        rooms: list[StreamRoom] = []
        refused: list[RefusedRoom] = []
        for item in page.rooms:
            room_id = ""
            try:
                try:
                    view = decode_json(item, RoomView)
                except msgspec.DecodeError as error:
                    raise ProtocolError(f"room.list: malformed room: {error}") from None
                room_id = view.room_id
                rooms.append((await self.open(view, expected=room_id)).room)
            except RecordRollbackError:
                await self._get_into(room_id, rooms, refused)
            except SealroomError as error:
                refused.append(RefusedRoom(room_id, error))
        return StreamRoomList(page.total, rooms, refused)

    async def _get_into(
        self, room_id: str, rooms: list[StreamRoom], refused: list[RefusedRoom]
    ) -> None:
        try:
            rooms.append((await self.get(room_id)).room)
        except SealroomError as error:
            refused.append(RefusedRoom(room_id, error))

    async def delete(self, room_id: str) -> None:
        await self._connection.call("room.delete", RoomParams(room_id=room_id), Empty)

    async def open(self, view: RoomView, *, expected: str) -> OpenRoom:
        """Verifies a room and opens the secret of its epoch.

        Raises a `VerificationError` of `sealroom.crypto.errors` that names the lie.
        """
        return await self._accept(*await self._verify(view, expected))

    async def _verify(
        self, view: RoomView, expected: str
    ) -> tuple[ChainLink, RoomView, OpenRoom | None]:
        if view.room_id != expected:
            raise ProtocolError("the Bridge answered with another room than the one asked for")
        own = next(iter(view.sealed_secrets), None)
        head = HistoricRecord(
            record=view.record, author_identity=view.author_identity, sealed_secret=own
        )
        known = self._known.get(expected)
        chain = RoomChain(self._connection, expected)
        newest = await chain.advance(None if known is None else known.verified, head)
        return newest, view, known

    async def refresh(self, known: OpenRoom) -> OpenRoom:
        """Fetches what happened to a room since, and opens the secrets of all epochs since."""
        chain = RoomChain(self._connection, known.record.room_id)
        for attempt in range(MAX_FETCHES):
            try:
                links = await chain.follow(known.verified)
            except RecordRollbackError:
                if attempt == MAX_FETCHES - 1:
                    raise
                continue
            if not links:
                return known
            secrets = dict(known.secrets)
            for link in links:
                self._add_secret(secrets, link.verified.record, link.sealed_secret)
            return await self._accept(links[-1], known.room, replace(known, secrets=secrets))
        raise AssertionError

    async def epoch_secrets(self, opened: OpenRoom | RoomToUpdate) -> dict[int, bytes]:
        """Every epoch secret of a room this user was given, by number, from the verified history.

        Raises:
            RecordHistoryError, VerificationError: the history does not hold or does not lead to
                the room as it was opened.
        """
        room_id = opened.record.room_id
        secrets: dict[int, bytes] = {}
        previous: VerifiedRecord | None = None
        chain = RoomChain(self._connection, room_id)
        async for entry in chain.history(0, opened.record.version):
            previous = chain.verify(previous, entry)
            self._add_secret(secrets, previous.record, entry.sealed_secret)
        if previous is None or previous.payload != opened.verified.payload:
            raise RecordHistoryError("the history of the room does not end with its newest record")
        return secrets

    async def verify_stream(self, view: StreamView, opened: OpenRoom) -> VerifiedStream:
        """Verifies an announcement; raises a `VerificationError` that names the lie.

        Title and names are there if this user was given the secret of the epoch they are under.
        """
        identity = await self._identity(view.user_id, opened.record)
        stream = verify_announcement(view, opened.record, identity)
        epoch = stream.announcement.epoch
        if epoch not in opened.secrets:
            return stream
        return stream.with_details(opened.keys_of(epoch))

    async def open_event(
        self, signed: SignedObject, record: RoomRecord, epochs: Sequence[EpochKeys]
    ) -> OpenedEvent:
        """Verifies and decrypts a custom event; raises a `VerificationError` that names the lie."""
        members = {one.user_id for one in record.members}
        if signed.author not in members:
            raise EventSenderError(f"{signed.author!r} sends events without being a member")
        sender = await self._identity(signed.author, record)
        return open_custom_event(signed, record, epochs, sender, self._connection.user_id)

    async def identities(
        self, user_ids: Iterable[str], known: Mapping[str, PublicIdentity]
    ) -> dict[str, PublicIdentity]:
        """Trusted identities of users: those the application knows, the Bridge's word for others.

        Raises:
            InvalidArgumentError: a user is not in the context.
            MemberKeyMismatchError: a key is not trusted.
        """
        connection = self._connection
        found = dict(known) | {connection.user_id: connection.identity.public}
        wanted = list(dict.fromkeys(user_ids))
        unknown = [user_id for user_id in wanted if user_id not in found]
        for start in range(0, len(unknown), MAX_PAGE_ITEMS):
            found |= await self._fetch(unknown[start : start + MAX_PAGE_ITEMS])
        await self._trust({user_id: found[user_id].fingerprint for user_id in wanted})
        return {user_id: found[user_id] for user_id in wanted}

    async def _accept(
        self,
        newest: ChainLink,
        view: RoomView | StreamRoom,
        known: OpenRoom | None,
    ) -> OpenRoom:
        """Opens a room whose history has been verified up to its newest record.

        Its author is a member of it with the key that signed, so the verifier's word on the members
        is one on the author as well, who holds the history before together.
        """
        connection = self._connection
        verified = newest.verified
        record = verified.record
        own = {connection.user_id: connection.identity.public.fingerprint}
        check_reader(record, connection.user_id, own)
        await self._trust({one.user_id: one.identity_fingerprint for one in record.members})
        secrets = dict(known.secrets) if known is not None else {}
        if record.epoch not in secrets:
            sealed = [] if newest.sealed_secret is None else [newest.sealed_secret]
            secrets[record.epoch] = self._open_secret(record, sealed)
        keys = derive_epoch_keys(secrets[record.epoch], epoch_id(record, record.epoch))
        room = StreamRoom(
            room_id=record.room_id,
            context_id=record.context_id,
            creator=owner_of(record),
            created_at=view.created_at,
            modified_at=record.created_at,
            users=[one.user_id for one in record.members if one.role == "user"],
            managers=[one.user_id for one in record.members if one.role == "manager"],
            version=record.version,
            epoch=record.epoch,
            state=view.state,
            policy=dict(record.policy),
            public_meta=record.public_meta,
            private_meta=decrypt_private_metadata(record.private_meta, keys, record.version),
            last_modifier=record.author,
            room_type=record.room_type,
            empty_room_ttl=view.empty_room_ttl,
        )
        opened = OpenRoom(room, verified, secrets)
        if known is None or known.record.version < record.version:
            await RoomChain(connection, record.room_id).pin(verified)
        self._known[record.room_id] = opened
        self._known.move_to_end(record.room_id)
        if len(self._known) > MAX_KNOWN_ROOMS:
            self._known.popitem(last=False)
        return opened

    def _add_secret(
        self, secrets: dict[int, bytes], record: RoomRecord, sealed: SealedSecret | None
    ) -> None:
        """Opens the secret of an epoch on the way to the newest; one that does not open is missing.

        Its manager sealed nonsense, and somebody has begun another epoch since.
        """
        if sealed is None or record.epoch in secrets:
            return
        with contextlib.suppress(*UNREADABLE):
            secrets[record.epoch] = self._open_secret(record, [sealed])

    def _open_secret(self, record: RoomRecord, sealed: Iterable[SealedSecret]) -> bytes:
        return open_secret(
            sealed,
            epoch_id(record, record.epoch),
            self._connection.user_id,
            self._connection.identity,
            record.epoch_commitment,
        )

    async def _identity(self, user_id: str, record: RoomRecord) -> PublicIdentity:
        """A member's trusted identity, asked for again if the record names another than before."""
        if user_id == self._connection.user_id:
            return self._connection.identity.public
        known = self._identities.get(user_id)
        member = next((one for one in record.members if one.user_id == user_id), None)
        if known is None or (member and member.identity_fingerprint != known.fingerprint):
            known = (await self._fetch([user_id]))[user_id]
            await self._trust({user_id: known.fingerprint})
            self._identities[user_id] = known
        return known

    async def _fetch(self, user_ids: list[str]) -> dict[str, PublicIdentity]:
        params = ContextUsersParams(context_id=self._connection.context_id, user_ids=user_ids)
        result = await self._connection.call("context.users", params, ContextUsersResult)
        wanted = set(user_ids)  # whoever else is in the answer was not asked for
        found = {
            one.user_id: PublicIdentity.parse(one.identity)
            for one in result.users
            if one.user_id in wanted
        }
        missing = [user_id for user_id in user_ids if user_id not in found]
        if missing:
            raise InvalidArgumentError(
                f"not in the context: {', '.join(missing)}; an administrator adds users"
            )
        return found

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


def epoch_id(record: RoomRecord, epoch: int) -> EpochId:
    """Name an epoch of the room a record is of."""
    return EpochId(record.context_id, record.room_id, epoch)
