"""Rooms made and changed: records built, signed and sent, conflicts settled."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Mapping, Sequence

from sealroom.access import Flag, Policy, has_lost_member
from sealroom.access.policy import CAN_OVERWRITE
from sealroom.client.arguments import bytes_of, check_members, check_policy, check_type
from sealroom.client.connection import Connection
from sealroom.client.errors import AccessDeniedError, RequestRefusedError, VersionConflictError
from sealroom.client.models import UserIdentity
from sealroom.client.room_merge import RoomContent, merge
from sealroom.client.room_to_update import RoomToUpdate
from sealroom.client.rooms import OpenRoom, RoomDirectory
from sealroom.crypto.epoch import new_epoch_secret
from sealroom.crypto.room_record import Member, make_next_record, make_room
from sealroom.errors import InvalidArgumentError
from sealroom.identity import PublicIdentity
from sealroom.protocol import (
    MAX_METADATA_BYTES,
    MAX_ROOM_TYPE_LENGTH,
    ContextParams,
    ContextView,
    ErrorCode,
    ErrorDetail,
    ErrorObject,
    Role,
    RoomCreateParams,
    RoomMember,
    RoomResult,
    RoomUpdateParams,
)

MAX_UPDATE_ATTEMPTS = 16
"""How often an update is put upon newer versions before it gives up."""

Users = Sequence[str | UserIdentity]


class RoomEditor:
    """Creates and updates rooms for one connection."""

    def __init__(self, connection: Connection, directory: RoomDirectory) -> None:
        self._connection = connection
        self._directory = directory

    def over(self, connection: Connection, directory: RoomDirectory) -> RoomEditor:
        """The same over another connection of the same user."""
        return RoomEditor(connection, directory)

    async def create(
        self,
        users: Users,
        managers: Users,
        *,
        public_meta: bytes,
        private_meta: bytes,
        policy: Mapping[str, str] | None,
        empty_room_ttl: float | None,
        room_type: str,
    ) -> OpenRoom:
        """See `StreamApi.create_stream_room`."""
        check_members("users", users)
        check_members("managers", managers)
        public_meta, private_meta = _metadata(public_meta, private_meta)
        check_policy({} if policy is None else policy)
        check_type("empty_room_ttl", empty_room_ttl, int, float, type(None))
        check_type("room_type", room_type, str)
        if len(room_type) > MAX_ROOM_TYPE_LENGTH:
            raise InvalidArgumentError(f"room_type: at most {MAX_ROOM_TYPE_LENGTH} characters")
        connection = self._connection
        room_id = uuid.uuid4().hex
        context = await connection.call(
            "context.get", ContextParams(context_id=connection.context_id), ContextView
        )
        entries = {name: text for name, text in context.policy.items() if name != CAN_OVERWRITE}
        policy = entries | dict(policy or {})
        named = _roles(users, managers)
        own = named.pop(connection.user_id, "manager")
        if Policy.from_record(policy).says(Flag.CREATOR_HAS_TO_BE_MANAGER):
            own = "manager"
        roles: dict[str, Role] = {connection.user_id: own, **named}
        identities = await self._directory.identities(roles, _known((*users, *managers)))
        new = make_room(
            connection.identity,
            connection.user_id,
            context_id=connection.context_id,
            room_id=room_id,
            members=[Member(one, identities[one], role) for one, role in roles.items()],
            policy=policy,
            public_meta=public_meta,
            private_meta=private_meta,
            secret=new_epoch_secret(),
            created_at=_now(),
            room_type=room_type,
        )
        params = RoomCreateParams(
            context_id=connection.context_id,
            room_id=room_id,
            record=new.record,
            sealed_secrets=new.sealed_secrets,
            empty_room_ttl=empty_room_ttl,
        )
        result = await connection.call("room.create", params, RoomResult)
        return await self._directory.open(result.room, expected=room_id)

    async def update(
        self,
        room_id: str,
        *,
        users: Users | None,
        managers: Users | None,
        public_meta: bytes | None,
        private_meta: bytes | None,
        policy: Mapping[str, str] | None,
        version: int | None,
        force: bool,
        force_generate_new_key: bool,
        empty_room_ttl: float | None,
    ) -> OpenRoom:
        """See `StreamApi.update_stream_room`."""
        check_members("users", () if users is None else users)
        check_members("managers", () if managers is None else managers)
        _metadata(
            b"" if public_meta is None else public_meta,
            b"" if private_meta is None else private_meta,
        )
        check_type("empty_room_ttl", empty_room_ttl, int, float, type(None))
        check_type("version", version, int, type(None))
        if policy is not None:
            check_policy(policy)
            Policy.from_record(policy)
        is_strict = version is not None and not force
        current = await self._directory.get_to_update(room_id)
        if is_strict and current.record.version != version:
            raise VersionConflictError(
                f"the room is at version {current.record.version}, not {version}"
            )
        base = _content(current)
        mine = RoomContent(
            roles=_wanted_roles(base.roles, users, managers),
            policy=base.policy if policy is None else dict(policy),
            public_meta=base.public_meta if public_meta is None else bytes(public_meta),
            private_meta=base.private_meta if private_meta is None else bytes(private_meta),
        )
        identities = _known((*(users or ()), *(managers or ())))
        for attempt in range(MAX_UPDATE_ATTEMPTS):
            content = merge(base, mine, _content(current), force=force)
            params = await self._next(
                current, content, identities, force_generate_new_key, empty_room_ttl
            )
            try:
                result = await self._connection.call("room.update", params, RoomResult)
            except RequestRefusedError as refused:
                if refused.error_code != ErrorCode.VERSION_CONFLICT:
                    raise
                if is_strict:
                    raise VersionConflictError("somebody else was faster") from refused
            else:
                return await self._directory.open(result.room, expected=room_id)
            await asyncio.sleep(random.uniform(0, 0.02 * attempt))
            current = await self._directory.get_to_update(room_id)
        raise VersionConflictError(f"the room changed {MAX_UPDATE_ATTEMPTS} times meanwhile")

    async def _next(
        self,
        current: RoomToUpdate,
        content: RoomContent,
        known: Mapping[str, PublicIdentity],
        force_generate_new_key: bool,
        empty_room_ttl: float | None,
    ) -> RoomUpdateParams:
        connection = self._connection
        before = {one.user_id: one for one in current.record.members}
        _check_manager(before.get(connection.user_id))
        added = [one for one in content.roles if one not in before]
        renewed = [
            user_id
            for user_id, identity in known.items()
            if user_id in before and identity.fingerprint != before[user_id].identity_fingerprint
        ]
        is_new_epoch = (
            force_generate_new_key
            or bool(renewed)
            or current.damage is not None
            or not before.keys() <= content.roles.keys()
        )
        if content.private_meta is None:
            assert current.damage is not None
            raise type(current.damage)(
                f"{current.damage}; to go on in a new epoch, give private_meta anew"
            )
        identities = await self._directory.identities(
            content.roles if is_new_epoch else added, known
        )
        members = [
            RoomMember(
                user_id=user_id,
                identity_fingerprint=identities[user_id].fingerprint
                if user_id in identities
                else before[user_id].identity_fingerprint,
                role=role,
            )
            for user_id, role in content.roles.items()
        ]
        # A key that changed meanwhile, and that the verifier trusts, is another member.
        assert is_new_epoch or not has_lost_member(current.record.members, members)
        secrets = current.secrets
        if added and Policy.from_record(content.policy).says(Flag.SHARE_HISTORY):
            secrets = {**await self._directory.epoch_secrets(current), **secrets}
        made = make_next_record(
            connection.identity,
            connection.user_id,
            current.verified,
            members=members,
            identities=identities,
            policy=content.policy,
            public_meta=content.public_meta,
            private_meta=content.private_meta,
            secrets=secrets,
            next_secret=new_epoch_secret() if is_new_epoch else None,
            created_at=_now(),
        )
        return RoomUpdateParams(
            room_id=current.record.room_id,
            record=made.record,
            sealed_secrets=made.sealed_secrets,
            empty_room_ttl=empty_room_ttl,
        )


def _check_manager(member: RoomMember | None) -> None:
    if member is not None and member.role == "manager":
        return
    detail = ErrorDetail(ErrorCode.ACCESS_DENIED.name, remedy="ask one of them")
    raise AccessDeniedError(
        "room.update",
        ErrorObject(ErrorCode.ACCESS_DENIED, "Only managers change a room.", detail),
    )


def _content(room: RoomToUpdate) -> RoomContent:
    return RoomContent(
        roles={one.user_id: one.role for one in room.record.members},
        policy=room.record.policy,
        public_meta=room.record.public_meta,
        private_meta=room.private_meta,
    )


def _wanted_roles(
    base: Mapping[str, Role], users: Users | None, managers: Users | None
) -> dict[str, Role]:
    kept_users = [one for one, role in base.items() if role == "user"] if users is None else users
    kept_managers = (
        [one for one, role in base.items() if role == "manager"] if managers is None else managers
    )
    return _roles(kept_users, kept_managers)


def _roles(users: Users, managers: Users) -> dict[str, Role]:
    roles: dict[str, Role] = {_id(one): "user" for one in users}
    for one in managers:
        roles[_id(one)] = "manager"
    return roles


def _known(users: Users) -> dict[str, PublicIdentity]:
    return {one.user_id: one.identity for one in users if isinstance(one, UserIdentity)}


def _id(user: str | UserIdentity) -> str:
    return user if isinstance(user, str) else user.user_id


def _metadata(public_meta: bytes, private_meta: bytes) -> tuple[bytes, bytes]:
    public, private = bytes_of("public_meta", public_meta), bytes_of("private_meta", private_meta)
    for name, value in (("public_meta", public), ("private_meta", private)):
        if len(value) > MAX_METADATA_BYTES:
            raise InvalidArgumentError(f"{name}: at most {MAX_METADATA_BYTES} bytes")
    return public, private


def _now() -> int:
    return time.time_ns() // 1_000_000
