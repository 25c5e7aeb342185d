"""Rooms through the API: made, changed, read, listed, closed and deleted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from sealroom.client.arguments import check_room_id, check_type
from sealroom.client.connection import Connection
from sealroom.client.errors import ApiClosedError, NotJoinedError
from sealroom.client.homes import Homes
from sealroom.client.models import (
    ParticipantInfo,
    RefusedStream,
    StreamInfo,
    StreamList,
    StreamRoom,
    StreamRoomList,
    UserIdentity,
)
from sealroom.client.room_editor import RoomEditor
from sealroom.client.room_session import RoomSession
from sealroom.client.rooms import RoomDirectory
from sealroom.client.unbroken import UnbrokenWork
from sealroom.errors import InvalidArgumentError, SealroomError
from sealroom.identity import pair_safety_number, room_safety_number
from sealroom.protocol import (
    MAX_DELETED_ROOMS,
    MAX_PAGE_ITEMS,
    Empty,
    ParticipantsResult,
    PublicValue,
    RoomDeleteManyParams,
    RoomDeleteManyResult,
    RoomListParams,
    RoomParams,
    StreamListResult,
)


class RoomApi(ABC):
    """The methods of `StreamApi` that need no participant. Event-loop thread only."""

    def __init__(self, connection: Connection) -> None:
        """`connection` is logged in and stays its owner's to close."""
        self._connection = connection
        self._directory = RoomDirectory(connection)
        self._editor = RoomEditor(connection, self._directory)
        self._joined: dict[str, RoomSession] = {}
        self._is_closed = False
        self._ending = UnbrokenWork()
        self._homes: Homes  # made by `StreamApi`, which has what a home needs

    @property
    def connection(self) -> Connection:
        """The connection it works over, which is its owner's to close."""
        return self._connection

    async def create_stream_room(
        self,
        context_id: str,
        users: Sequence[str | UserIdentity],
        managers: Sequence[str | UserIdentity] = (),
        *,
        public_meta: bytes = b"",
        private_meta: bytes = b"",
        policy: Mapping[str, str] | None = None,
        empty_room_ttl: float | None = None,
        room_type: str = "",
    ) -> str:
        """Creates a room and returns its id.

        The caller is one of its managers; where the policy says `creator_has_to_be_manager` "no"
        and the caller is among `users` only, a user.

        Args:
            context_id: the connection's context.
            users, managers: members, by user id (the key is then the Bridge's word, checked by the
                connection's `UserVerifier`) or as `UserIdentity`.
            public_meta: up to 64 KiB that the Bridge can read; if it is a JSON object, lists can
                filter on its fields.
            private_meta: up to 64 KiB that only members can read.
            policy: expressions by right and flags, `{"publish": "manager", "share_history":
                "yes"}`; for the rest the context's entries, which are the Bridge's word (name what
                matters), then the defaults (`sealroom.access`).
            empty_room_ttl: seconds after which an empty room closes; None for the Bridge's choice.
            room_type: up to 64 characters that lists can ask for; it never changes.

        Raises:
            InvalidArgumentError: an argument is beyond its limit, or a user not in the context.
            PolicyError: the policy names an unknown entry or a malformed value.
            MemberKeyMismatchError: the `UserVerifier` refuses a member's key.
        """
        if context_id != self._connection.context_id:
            raise InvalidArgumentError("context_id: not the context of this connection")
        opened = await self._editor.create(
            users,
            managers,
            public_meta=public_meta,
            private_meta=private_meta,
            policy=policy,
            empty_room_ttl=empty_room_ttl,
            room_type=room_type,
        )
        return opened.room.room_id

    async def update_stream_room(
        self,
        room_id: str,
        *,
        users: Sequence[str | UserIdentity] | None = None,
        managers: Sequence[str | UserIdentity] | None = None,
        public_meta: bytes | None = None,
        private_meta: bytes | None = None,
        policy: Mapping[str, str] | None = None,
        version: int | None = None,
        force: bool = False,
        force_generate_new_key: bool = False,
        empty_room_ttl: float | None = None,
    ) -> StreamRoom:
        """Changes a room; what is None stays as it is.

        A member who is in neither list any more is out at once, and a new epoch begins, whose
        secret only the others get. A new member gets the current epoch's secret, and older ones
        only if the policy says `share_history`.

        Two managers may change a room at once. Changes of different things (members, policy
        entries, public and private metadata count one by one) are both made; of the same thing,
        the second is refused.

        A room whose newest private metadata or secret do not open, so that nobody can join it, can
        be changed all the same, and a new epoch begins: with the private metadata read last, if
        nothing but the metadata is damaged, else with the `private_meta` given here.

        Args:
            room_id: of the room.
            users, managers: all members of that role from now on, see `create_stream_room`.
            public_meta, private_meta, policy, empty_room_ttl: see `create_stream_room`.
            version: refuse unless the room is at this version; None to take the newest.
            force: make this change whatever others changed meanwhile, `version` is not looked at.
            force_generate_new_key: begin a new epoch although nobody is removed.

        Raises:
            AccessDeniedError: the caller is no manager of the room.
            VersionConflictError: not at `version`, or somebody changed the same thing meanwhile.
            RecordRuleError: the policy or the rules of managers do not allow it.
            RoomMembersError: no manager would be left.
            PrivateMetadataError, SealedSecretOpenError, CommitmentMismatchError,
            SealedSecretRecipientError, SealedSecretEpochError: something does not open, and
                `private_meta` is not given.
        """
        way = self._way(room_id)
        opened = await self._editor.over(way, self._directory.over(way)).update(
            room_id,
            users=users,
            managers=managers,
            public_meta=public_meta,
            private_meta=private_meta,
            policy=policy,
            version=version,
            force=force,
            force_generate_new_key=force_generate_new_key,
            empty_room_ttl=empty_room_ttl,
        )
        if (session := self._joined.get(room_id)) is not None:
            await session.room_updated()  # the Bridge tells everybody but the one who did it
        return opened.room

    async def get_stream_room(self, room_id: str) -> StreamRoom:
        """Fetches, verifies and decrypts a room.

        Raises:
            RecordRollbackError, RecordForkError: not the history this user has seen before.
            VerificationError: another of `sealroom.crypto.errors`, one for each lie.
        """
        check_room_id(room_id)
        return (await self._directory.get(room_id)).room

    async def list_stream_rooms(
        self,
        *,
        skip: int = 0,
        limit: int = 100,
        sort_order: str = "desc",
        sort_by: str = "created_at",
        last_id: str | None = None,
        filter: Mapping[str, PublicValue] | None = None,
        room_type: str | None = None,
    ) -> StreamRoomList:
        """Lists the caller's rooms; one that does not verify spoils no other.

        Args:
            skip: how many to leave out, after `last_id` if given.
            limit: 1 to 100; a page may be shorter when rooms are large.
            sort_order: "asc" or "desc".
            sort_by: "created_at" or "modified_at", by the Bridge's clock.
            last_id: the last room of the page before, to go on after it.
            filter: fields of the public metadata and the value each must have,
                `{"kind": "lecture"}`, at most 8; only rooms whose public metadata is a JSON object
                match, by its first 64 fields of up to 256 characters.
            room_type: only rooms of this type.
        """
        if sort_order not in ("asc", "desc"):
            raise InvalidArgumentError("sort_order: 'asc' or 'desc'")
        if sort_by not in ("created_at", "modified_at"):
            raise InvalidArgumentError("sort_by: 'created_at' or 'modified_at'")
        check_type("skip", skip, int)
        check_type("limit", limit, int)
        if not (skip >= 0 and 1 <= limit <= MAX_PAGE_ITEMS):
            raise InvalidArgumentError(f"skip: from 0; limit: 1 to {MAX_PAGE_ITEMS}")
        params = RoomListParams(
            context_id=self._connection.context_id,
            skip=skip,
            limit=limit,
            sort_order="asc" if sort_order == "asc" else "desc",
            sort_by="created_at" if sort_by == "created_at" else "modified_at",
            last_id=last_id,
            filter=dict(filter or {}),
            room_type=room_type,
        )
        return await self._directory.page(params)

    async def delete_stream_room(self, room_id: str) -> None:
        """Deletes a room; its participants are out at once.

        Cancelled, it goes on to its end all the same, as `close_stream_room` does.
        """

        async def delete() -> None:
            await self._directory.over(self._way(room_id)).delete(room_id)
            await self._end(room_id)  # the Bridge tells everybody but the one who did it

        await self._ending.do(f"delete {room_id}", delete)

    async def delete_stream_rooms(self, room_ids: Sequence[str]) -> dict[str, int | None]:
        """Deletes up to 100 rooms and returns an error code for each that is still there.

        Raises:
            InvalidArgumentError: no room, or too many.
        """
        if isinstance(room_ids, str):
            raise InvalidArgumentError("room_ids: a list of ids, not str")
        if not 1 <= len(room_ids) <= MAX_DELETED_ROOMS:
            raise InvalidArgumentError(f"room_ids: 1 to {MAX_DELETED_ROOMS}")
        params = RoomDeleteManyParams(room_ids=list(room_ids))

        async def delete() -> dict[str, int | None]:
            result = await self._connection.call("room.delete_many", params, RoomDeleteManyResult)
            for one in result.rooms:
                if one.error is None:
                    await self._end(one.room_id)
            return {one.room_id: one.error for one in result.rooms}

        return await self._ending.do(f"delete {params.room_ids}", delete)

    async def close_stream_room(self, room_id: str) -> None:
        """Closes a room: everyone in it is out, nobody can join. It can be reopened."""

        async def close() -> None:
            await self._way(room_id).call("room.close", RoomParams(room_id=room_id), Empty)
            await self._end(room_id)

        await self._ending.do(f"close {room_id}", close)

    async def reopen_stream_room(self, room_id: str) -> None:
        """Opens a closed room; if nobody joins, it closes after its time to live."""
        await self._connection.call("room.reopen", RoomParams(room_id=room_id), Empty)

    async def list_stream_room_participants(self, room_id: str) -> list[ParticipantInfo]:
        """Asks the Bridge who is in a room and what they publish; joining is not needed.

        It is the Bridge's word; `list_participants` of a joined room knows only verified streams.
        """
        params = RoomParams(room_id=room_id)
        _, result = await self._homes.call(
            self._way(room_id), "room.participants", params, ParticipantsResult
        )
        return [ParticipantInfo.of(one) for one in result.participants]

    async def list_stream_room_streams(self, room_id: str) -> StreamList:
        """Asks the Bridge what is published in a room, and verifies it; joining is not needed.

        A stream that does not verify spoils no other. Which streams there are is the Bridge's word.
        """
        opened = await self._directory.get(room_id)
        params = RoomParams(room_id=room_id)
        result = await self._connection.call("stream.list", params, StreamListResult)
        found = StreamList([], [])
        for view in result.streams:
            try:
                stream = await self._directory.verify_stream(view, opened)
                found.streams.append(StreamInfo.of(stream))
            except SealroomError as error:
                found.refused.append(RefusedStream(view.stream_id, error))
        return found

    async def safety_number(self, user_id: str) -> str:
        """The number to compare with another user of the context, who sees the same one.

        It stands for both keys as the `UserVerifier` believes them.

        Raises:
            InvalidArgumentError: no other user of the context.
            MemberKeyMismatchError: the key the Bridge shows now is not the believed one.
        """
        connection = self._connection
        if user_id == connection.user_id:
            raise InvalidArgumentError("user_id: of another user")
        identity = (await self._directory.identities([user_id], {}))[user_id]
        own = connection.identity.public.fingerprint
        users = {connection.user_id: own, user_id: identity.fingerprint}
        return pair_safety_number(connection.context_id, users)

    async def room_safety_number(self, room_id: str) -> str:
        """The number that all members of a room see alike; it changes with its members and keys."""
        record = (await self._directory.get(room_id)).record
        members = {one.user_id: one.identity_fingerprint for one in record.members}
        return room_safety_number(record.context_id, room_id, members)

    def _check_open(self) -> None:
        if self._is_closed:
            raise ApiClosedError(
                "this StreamApi is closed: make another one, StreamApi(connection)"
            )

    def _session(self, room_id: str) -> RoomSession:
        self._check_open()
        session = self._joined.get(room_id)
        if session is None:
            raise NotJoinedError(f"room {room_id} is not joined: call join_stream_room first")
        return session

    def _way(self, room_id: str) -> Connection:
        """The connection for what is about a room: to its home, if that is joined and there.

        The Bridge sends no event to the session that caused it.
        """
        session = self._joined.get(room_id)
        if session is not None and session.connection.state in ("connected", "resumed"):
            return session.connection
        return self._connection

    @abstractmethod
    async def _settled(self, room_id: str | None = None) -> None:
        """Waits until joined rooms are what they seem to be; or one of them, and its connection."""

    async def _end(self, room_id: str) -> None:
        if room_id in self._joined:
            await self._forget(room_id).close()
            self._homes.sweep()

    def _forget(self, room_id: str) -> RoomSession:
        return self._joined.pop(room_id)
