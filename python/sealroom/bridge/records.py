"""Checks of a new record: its author, the request, the record before, the context, the secrets."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

import msgspec

from sealroom.access import (
    Flag,
    Policy,
    PolicyError,
    Right,
    Rule,
    Violation,
    find_first_violation,
    find_missing_entry,
    find_violation,
    owner_of,
)
from sealroom.identity import PublicIdentity, SignatureError
from sealroom.protocol import (
    ROOM_RECORD_TYPE,
    ErrorCode,
    Role,
    RoomCreateParams,
    RoomRecord,
    RoomUpdateParams,
    SealedSecret,
    SignedObject,
)
from sealroom.protocol.decoding import decode_json

from .errors import RequestError, access_denied, malformed
from .room_store import CheckedRecord, StoredMember, version_conflict


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
    version: int = 1
    author: str = ""  # of the record
    signature: bytes = b""  # of the record: tells it from all others

    @classmethod
    def from_record(cls, record: RoomRecord, signature: bytes = b"") -> Self:
        """Read the access rules of a record.

        Raises:
            PolicyError: the record's policy is malformed.
        """
        return cls(
            room_id=record.room_id,
            context_id=record.context_id,
            owner=owner_of(record),
            epoch=record.epoch,
            policy=Policy.from_record(record.policy),
            members={
                member.user_id: Member(member.identity_fingerprint, member.role)
                for member in record.members
            },
            version=record.version,
            author=record.author,
            signature=signature,
        )

    def allows(self, right: Right, user_id: str, fingerprint: bytes) -> bool:
        """Tell whether a user has a right; none without `get`, none with another identity."""
        member = self.members.get(user_id)
        if member is None or member.fingerprint != fingerprint:
            return False
        return self.policy.grants(right, role=member.role, is_owner=user_id == self.owner)

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
    params: RoomCreateParams,
    user_id: str,
    identity: PublicIdentity,
    context_policy: Mapping[str, str],
) -> tuple[CheckedRecord, RoomAccess]:
    """Check all of a `room.create` that needs no database.

    Raises:
        RequestError: SIGNATURE_INVALID, RECORD_INVALID or SECRETS_INVALID with the field at fault.
    """
    record = _read_record(params.record, user_id, identity)
    _expect(record.context_id == params.context_id, "context_id", "name the context of the request")
    _expect(record.room_id == params.room_id, "room_id", "name the room of the request")
    _refuse(find_first_violation(record))
    _expect_own_fingerprint(record, user_id, identity)
    missing = find_missing_entry(context_policy, record.policy)
    _expect(missing is None, f"policy.{missing}", "name it as the context does (context.get)")
    members = {one.user_id for one in record.members}
    _check_secrets(params.sealed_secrets, record, current_for=members, older_for=())
    return _checked(params.record, record, identity, params.sealed_secrets)


def check_next_record(
    params: RoomUpdateParams,
    user_id: str,
    identity: PublicIdentity,
    previous_payload: bytes,
    context_policy: Mapping[str, str],
) -> tuple[CheckedRecord, RoomAccess]:
    """Check all of a `room.update` that needs no database, against the newest record.

    Raises:
        RequestError: VERSION_CONFLICT, ACCESS_DENIED, or as `check_new_room`.
    """
    previous = decode_json(previous_payload, RoomRecord)
    record = _read_record(params.record, user_id, identity)
    _expect(record.room_id == params.room_id, "room_id", "name the room of the request")
    if record.version <= previous.version:
        raise version_conflict()
    violation = find_violation(previous, previous_payload, record)
    if violation is not None and violation.rule is Rule.LINK:
        raise version_conflict()
    if violation is not None and violation.field in (f"policy.{Right.UPDATE}", "author"):
        raise access_denied()
    _refuse(violation)
    _expect_own_fingerprint(record, user_id, identity)
    if record.policy != previous.policy:
        missing = find_missing_entry(context_policy, record.policy)
        _expect(missing is None, f"policy.{missing}", "name it as the context does (context.get)")
    before = {(one.user_id, one.identity_fingerprint) for one in previous.members}
    added = {
        one.user_id
        for one in record.members
        if (one.user_id, one.identity_fingerprint) not in before
    }
    everybody = {one.user_id for one in record.members}
    shares = Policy.from_record(record.policy).says(Flag.SHARE_HISTORY)
    _check_secrets(
        params.sealed_secrets,
        record,
        current_for=added if record.epoch == previous.epoch else everybody,
        older_for=added if shares else (),
    )
    return _checked(params.record, record, identity, params.sealed_secrets)


def check_members_exist(
    record: RoomRecord,
    fingerprints: dict[str, bytes],
    known: Collection[tuple[str, bytes]] = (),
) -> None:
    """Check that every member is a user of the context with this fingerprint.

    Those in `known`, user id and fingerprint of the record before, may have left the context.

    Raises:
        RequestError: RECORD_INVALID, names the first member at fault.
    """
    for index, member in enumerate(record.members):
        _expect(
            (member.user_id, member.identity_fingerprint) in known
            or fingerprints.get(member.user_id) == member.identity_fingerprint,
            f"members[{index}]",
            "members are users of the context with their registered identities (context.users)",
        )


def _read_record(signed: SignedObject, user_id: str, identity: PublicIdentity) -> RoomRecord:
    verify_signed(signed, ROOM_RECORD_TYPE, user_id, identity, "record")
    try:
        record = decode_json(signed.payload, RoomRecord)
    except msgspec.DecodeError as error:
        raise malformed(ErrorCode.RECORD_INVALID, error, prefix="record.payload") from None
    _expect(record.author == user_id, "author", "name the user who signs")
    return record


def _checked(
    signed: SignedObject,
    record: RoomRecord,
    identity: PublicIdentity,
    secrets: list[SealedSecret],
) -> tuple[CheckedRecord, RoomAccess]:
    try:
        access = RoomAccess.from_record(record, signed.signature)
    except PolicyError as error:  # found before, where rules are; here for the type checker
        raise _invalid(f"policy.{error.entry}", str(error)) from None
    return CheckedRecord(
        record, signed, identity.encode(), access.stored_members(), secrets
    ), access


def _expect_own_fingerprint(record: RoomRecord, user_id: str, identity: PublicIdentity) -> None:
    own = next(one for one in record.members if one.user_id == user_id)
    _expect(
        own.identity_fingerprint == identity.fingerprint,
        "members",
        "give the author the fingerprint of the identity of the log-in",
    )


def _check_secrets(
    secrets: list[SealedSecret],
    record: RoomRecord,
    *,
    current_for: Collection[str],
    older_for: Collection[str],
) -> None:
    seen: set[tuple[str, int]] = set()
    for index, secret in enumerate(secrets):
        field = f"sealed_secrets[{index}]"
        if secret.epoch < record.epoch and older_for:
            wanted, remedy = older_for, "seal older secrets to new members only"
        else:
            wanted, remedy = current_for, "seal secrets to those members only who lack them"
        if secret.user_id not in wanted:
            raise _bad_secret(field + ".user_id", remedy)
        if (secret.user_id, secret.epoch) in seen:
            raise _bad_secret(field + ".user_id", "seal one secret of an epoch to each member")
        if secret.epoch > record.epoch or (secret.epoch < record.epoch and not older_for):
            raise _bad_secret(field + ".epoch", "seal the secret of the record's epoch")
        seen.add((secret.user_id, secret.epoch))
    if any((user_id, record.epoch) not in seen for user_id in current_for):
        raise _bad_secret("sealed_secrets", "seal the secret to every member who lacks it")


def _bad_secret(field: str, remedy: str) -> RequestError:
    return RequestError(ErrorCode.SECRETS_INVALID, field=field, remedy=remedy)


def _refuse(violation: Violation | None) -> None:
    if violation is not None:
        raise _invalid(violation.field, violation.remedy)


def _expect(condition: bool, field: str, remedy: str) -> None:
    if not condition:
        raise _invalid(field, remedy)


def _invalid(field: str, remedy: str) -> RequestError:
    return RequestError(ErrorCode.RECORD_INVALID, field=f"record.payload.{field}", remedy=remedy)
