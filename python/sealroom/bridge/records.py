"""Checks of a new room: the signed record against the request, its author and the context."""

from dataclasses import dataclass
from typing import Self

import msgspec

from sealroom.identity import PublicIdentity, SignatureError
from sealroom.protocol import (
    ROOM_RECORD_TYPE,
    ErrorCode,
    Role,
    RoomCreateParams,
    RoomRecord,
    SealedSecret,
    SignedObject,
)

from .access import Policy, PolicyError, Right
from .errors import RequestError, malformed
from .room_store import StoredMember


@dataclass(frozen=True, slots=True)
class Member:
    """What access depends on."""

    fingerprint: bytes
    role: Role


@dataclass(frozen=True, slots=True)
class RoomAccess:
    """Who may do what in a room, as its signed record says. Immutable, like the record."""

    room_id: str
    context_id: str
    owner: str
    epoch: int
    policy: Policy
    members: dict[str, Member]

    @classmethod
    def from_record(cls, record: RoomRecord) -> Self:
        """Read the access rules of a record.

        Raises:
            PolicyError: the record's policy is malformed.
        """
        return cls(
            room_id=record.room_id,
            context_id=record.context_id,
            owner=record.author,
            epoch=record.epoch,
            policy=Policy.from_record(record.policy),
            members={
                member.user_id: Member(member.identity_fingerprint, member.role)
                for member in record.members
            },
        )

    def allows(self, right: Right, user_id: str, fingerprint: bytes) -> bool:
        """Tell whether a user has a right; none without `get`, none with another identity."""
        member = self.members.get(user_id)
        if member is None or member.fingerprint != fingerprint:
            return False
        is_owner = user_id == self.owner
        return all(
            self.policy.allows(needed, role=member.role, is_owner=is_owner)
            for needed in (Right.GET, right)
        )

    def stored_members(self) -> list[StoredMember]:
        """Return the members as they are stored for lists."""
        return [
            StoredMember(user_id, one.fingerprint, self.allows(Right.GET, user_id, one.fingerprint))
            for user_id, one in self.members.items()
        ]


def verify_signed(
    signed: SignedObject, expected_type: str, user_id: str, identity: PublicIdentity, field: str
) -> None:
    """Check that an object has the type, and that this user signed it.

    Raises:
        RequestError: SIGNATURE_INVALID.
    """
    if signed.type != expected_type:
        raise RequestError(
            ErrorCode.SIGNATURE_INVALID, field=f"{field}.type", remedy=f"sign it as {expected_type}"
        )
    if signed.author != user_id:
        raise RequestError(
            ErrorCode.SIGNATURE_INVALID,
            field=f"{field}.author",
            remedy="only the author itself can send it",
        )
    try:
        identity.verify(expected_type, signed.payload, signed.signature)
    except SignatureError:
        raise RequestError(
            ErrorCode.SIGNATURE_INVALID,
            field=f"{field}.signature",
            remedy="sign exactly these payload bytes with the identity of the log-in",
        ) from None


def check_new_room(
    params: RoomCreateParams, user_id: str, identity: PublicIdentity
) -> tuple[RoomRecord, RoomAccess]:
    """Check all of a `room.create` that needs no database.

    Raises:
        RequestError: SIGNATURE_INVALID, RECORD_INVALID or SECRETS_INVALID with the field at fault.
    """
    verify_signed(params.record, ROOM_RECORD_TYPE, user_id, identity, "record")
    try:
        record = msgspec.json.decode(params.record.payload, type=RoomRecord)
    except msgspec.DecodeError as error:
        raise malformed(ErrorCode.RECORD_INVALID, error, prefix="record.payload") from None
    _expect(record.context_id == params.context_id, "context_id", "name the context of the request")
    _expect(record.room_id == params.room_id, "room_id", "name the room of the request")
    _expect(record.author == user_id, "author", "name the user who signs")
    _expect(record.version == 1, "version", "a new room has version 1")
    _expect(not record.previous_hash, "previous_hash", "version 1 follows no record")
    _expect(record.epoch == 1, "epoch", "a new room begins with epoch 1")
    try:
        access = RoomAccess.from_record(record)
    except PolicyError as error:
        raise RequestError(
            ErrorCode.RECORD_INVALID,
            str(error),
            field=f"record.payload.policy.{error.right}",
            remedy="see the rights and words of a policy",
        ) from None
    _expect(len(access.members) == len(record.members), "members", "name each member once")
    author = access.members.get(user_id)
    _expect(author is not None and author.role == "manager", "members", "the author is a manager")
    _expect(
        author is not None and author.fingerprint == identity.fingerprint,
        "members",
        "give the author the fingerprint of the identity of the log-in",
    )
    _check_secrets(params.sealed_secrets, record)
    return record, access


def check_members_exist(record: RoomRecord, fingerprints: dict[str, bytes]) -> None:
    """Check that every member is a user of the context with this fingerprint.

    Raises:
        RequestError: RECORD_INVALID, names the first member at fault.
    """
    for index, member in enumerate(record.members):
        _expect(
            fingerprints.get(member.user_id) == member.identity_fingerprint,
            f"members[{index}]",
            "members are users of the context with their registered identities (context.users)",
        )


def _check_secrets(secrets: list[SealedSecret], record: RoomRecord) -> None:
    members = {member.user_id for member in record.members}
    seen: set[str] = set()
    for index, secret in enumerate(secrets):
        field = f"sealed_secrets[{index}]"
        if secret.user_id not in members:
            raise _bad_secret(field + ".user_id", "seal secrets to members only")
        if secret.user_id in seen:
            raise _bad_secret(field + ".user_id", "seal one secret to each member")
        if secret.epoch != record.epoch:
            raise _bad_secret(field + ".epoch", "seal the secret of the record's epoch")
        seen.add(secret.user_id)
    if seen != members:
        raise _bad_secret("sealed_secrets", "seal the secret to every member")


def _bad_secret(field: str, remedy: str) -> RequestError:
    return RequestError(ErrorCode.SECRETS_INVALID, field=field, remedy=remedy)


def _expect(condition: bool, field: str, remedy: str) -> None:
    if not condition:
        raise RequestError(ErrorCode.RECORD_INVALID, field=f"record.payload.{field}", remedy=remedy)
