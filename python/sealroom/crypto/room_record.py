"""Room records: made by managers, verified by everyone else, each linked to the one before.

The rules themselves are in `sealroom.access`, which the Bridge uses as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sealroom.access import (
    FIRST_EPOCH,
    Flag,
    Policy,
    Rule,
    Violation,
    find_first_violation,
    find_violation,
    owner_of,
    record_hash,
)
from sealroom.crypto.epoch import EpochId, EpochKeys, commit, derive_epoch_keys, seal_secret
from sealroom.crypto.errors import (
    AuthorError,
    CommitmentMismatchError,
    ContextMismatchError,
    EpochRuleError,
    MemberKeyMismatchError,
    RecordForkError,
    RecordRuleError,
    RecordVersionError,
    RoomMembersError,
    RoomMismatchError,
    VerificationError,
)
from sealroom.crypto.private_metadata import encrypt_private_metadata
from sealroom.crypto.signed_object import sign_object, verify_object
from sealroom.identity import Identity, PublicIdentity
from sealroom.protocol import (
    MAX_UPDATE_SECRETS,
    ROOM_RECORD_TYPE,
    Role,
    RoomMember,
    RoomRecord,
    SealedSecret,
    SignedObject,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A member to be: user id, its verified public identity, and role."""

    user_id: str
    identity: PublicIdentity
    role: Role


@dataclass(frozen=True, slots=True)
class VerifiedRecord:
    """A record that holds, and the hash that the next one names."""

    record: RoomRecord
    payload: bytes = field(repr=False)

    @property
    def hash(self) -> bytes:
        """SHA-256 of the signed bytes, as `previous_hash` of the next record."""
        return record_hash(self.payload)


@dataclass(frozen=True, slots=True)
class NewRecord:
    """What goes to the Bridge."""

    record: SignedObject
    sealed_secrets: list[SealedSecret]


@dataclass(frozen=True, slots=True)
class NewRoom:
    """What goes to the Bridge, and the keys that do not."""

    record: SignedObject
    sealed_secrets: list[SealedSecret]
    keys: EpochKeys = field(repr=False)


def make_room(
    identity: Identity,
    author: str,
    *,
    context_id: str,
    room_id: str,
    members: Sequence[Member],
    policy: Mapping[str, str],
    public_meta: bytes,
    private_meta: bytes,
    secret: bytes,
    created_at: int,
    room_type: str = "",
) -> NewRoom:
    """Make the first record of a room and seal `secret` to every member.

    `created_at` in Unix milliseconds.

    Raises:
        PolicyError: an entry is unknown or malformed.
        RoomMembersError: a member is named twice, there is no manager, or the author is not a
            manager (by the policy: a member) among them with the key of `identity`.
        IdentityError: a member's sealing key is degenerate.
    """
    own = [one for one in members if one.user_id == author]
    if len({one.user_id for one in members}) != len(members):
        raise RoomMembersError("a member is named twice")
    needs_role = Policy.from_record(policy).says(Flag.CREATOR_HAS_TO_BE_MANAGER)
    if not own or own[0].identity != identity.public:
        raise RoomMembersError("a room's creator is one of its members")
    if needs_role and own[0].role != "manager":
        raise RoomMembersError("a room's creator is one of its managers")
    if all(one.role != "manager" for one in members):
        raise RoomMembersError("a room has a manager")
    epoch = EpochId(context_id, room_id, FIRST_EPOCH)
    keys = derive_epoch_keys(secret, epoch)
    record = RoomRecord(
        context_id=context_id,
        room_id=room_id,
        version=1,
        previous_hash=b"",
        author=author,
        created_at=created_at,
        members=_named(members),
        policy=dict(policy),
        public_meta=public_meta,
        private_meta=encrypt_private_metadata(private_meta, keys, version=1),
        epoch=FIRST_EPOCH,
        epoch_commitment=commit(secret, epoch),
        room_type=room_type,
    )
    return NewRoom(
        record=sign_object(identity, author, ROOM_RECORD_TYPE, record),
        sealed_secrets=[seal_secret(secret, epoch, one.user_id, one.identity) for one in members],
        keys=keys,
    )


def make_next_record(
    identity: Identity,
    author: str,
    previous: VerifiedRecord,
    *,
    members: Sequence[RoomMember],
    identities: Mapping[str, PublicIdentity],
    policy: Mapping[str, str],
    public_meta: bytes,
    private_meta: bytes,
    secrets: Mapping[int, bytes],
    next_secret: bytes | None,
    created_at: int,
) -> NewRecord:
    """Make the record after `previous` and seal to each member the secret it lacks.

    `identities` holds those of the members who need a secret: all in a new epoch, else the new
    ones. `secrets` holds the epoch secrets known by number, the current one among them. With
    `next_secret` a new epoch begins. Where the policy shares history, new members get the newest
    of the older secrets, as many as fit MAX_UPDATE_SECRETS.

    Raises:
        KeyError: an identity is missing.
        MemberKeyMismatchError: an identity is not the one `members` names.
        RecordRuleError, RoomMembersError, EpochRuleError, AuthorError: the record before does not
            allow it; a removed member needs `next_secret`.
        IdentityError: a member's sealing key is degenerate.
    """
    before = previous.record
    number = before.epoch if next_secret is None else before.epoch + 1
    secret = secrets[before.epoch] if next_secret is None else next_secret
    epoch = EpochId(before.context_id, before.room_id, number)
    version = before.version + 1
    keys = derive_epoch_keys(secret, epoch)
    record = RoomRecord(
        context_id=before.context_id,
        room_id=before.room_id,
        version=version,
        previous_hash=previous.hash,
        author=author,
        created_at=created_at,
        members=list(members),
        policy=dict(policy),
        public_meta=public_meta,
        private_meta=encrypt_private_metadata(private_meta, keys, version),
        epoch=number,
        epoch_commitment=commit(secret, epoch),
        creator=owner_of(before),
        room_type=before.room_type,
    )
    _refuse(find_violation(before, previous.payload, record))
    known = {(one.user_id, one.identity_fingerprint) for one in before.members}
    added = [one for one in members if (one.user_id, one.identity_fingerprint) not in known]
    lacking = added if next_secret is None else members
    for one in lacking:
        if identities[one.user_id].fingerprint != one.identity_fingerprint:
            raise MemberKeyMismatchError(one.user_id)
    sealed = [seal_secret(secret, epoch, one.user_id, identities[one.user_id]) for one in lacking]
    if added and Policy.from_record(policy).says(Flag.SHARE_HISTORY):
        shared = (MAX_UPDATE_SECRETS - len(sealed)) // len(added)
        older = sorted((one for one in secrets if one < number), reverse=True)[:shared]
        sealed += [
            seal_secret(
                secrets[one],
                EpochId(before.context_id, before.room_id, one),
                member.user_id,
                identities[member.user_id],
            )
            for one in older
            for member in added
        ]
    return NewRecord(sign_object(identity, author, ROOM_RECORD_TYPE, record), sealed)


def verify_room_record(
    signed: SignedObject,
    *,
    context_id: str,
    room_id: str,
    author: PublicIdentity,
    reader: str,
    fingerprints: Mapping[str, bytes],
) -> RoomRecord:
    """Return the first record of a room if everything in it holds.

    `author` is the public identity of the user `signed.author`; `reader` the user who asks;
    `fingerprints` the verified keys by user id. A member without one there is nobody whose key is
    known: whoever deals with it later must verify it then.

    Raises:
        ObjectTypeError, ForgedSignatureError, MalformedObjectError: see `verify_object`.
        ContextMismatchError, RoomMismatchError: a true record of another context or room.
        RecordVersionError: not a first record.
        RoomMembersError: a member twice, or the reader is none.
        AuthorError: signed by another than its author, or by one who is not a manager.
        MemberKeyMismatchError: a member's key is not the verified one.
    """
    record = verify_object(signed, ROOM_RECORD_TYPE, author, RoomRecord)
    if record.context_id != context_id:
        raise ContextMismatchError("the room record was made for another context")
    if record.room_id != room_id:
        raise RoomMismatchError("the room record was made for another room")
    if (violation := find_first_violation(record)) is not None:
        if violation.rule in (Rule.VERSION, Rule.LINK, Rule.EPOCH):
            raise RecordVersionError("this is not the first record of a room")
        if violation.rule is Rule.MEMBERS and len(_by_id(record)) == len(record.members):
            raise AuthorError(f"{record.author!r} made the room without being a manager in it")
        _refuse(violation)
    _check_author(record, signed, author, _by_id(record))
    check_reader(record, reader, fingerprints)
    return record


def verify_first_record(
    signed: SignedObject, *, context_id: str, room_id: str, author: PublicIdentity
) -> VerifiedRecord:
    """Return the first record of a room, whoever reads it; see `verify_room_record`."""
    record = verify_room_record(
        signed,
        context_id=context_id,
        room_id=room_id,
        author=author,
        reader=signed.author,
        fingerprints={},
    )
    return VerifiedRecord(record, signed.payload)


def verify_next_record(
    previous: VerifiedRecord, signed: SignedObject, author: PublicIdentity
) -> VerifiedRecord:
    """Return a record if a manager of the record before made it and its rules allow it.

    `author` may come from the Bridge: it is believed only if the record before names its
    fingerprint for the user `signed.author`.

    Raises:
        ObjectTypeError, ForgedSignatureError, MalformedObjectError: see `verify_object`.
        MemberKeyMismatchError: the record before, or this one, gives the author another key.
        AuthorError: the author was no manager there, or is not who signed.
        ContextMismatchError, RoomMismatchError: replayed from elsewhere.
        RecordVersionError, RecordForkError: it does not count on, or follows another record.
        RoomMembersError, EpochRuleError, CommitmentMismatchError, RecordRuleError: the rules.
    """
    member = _by_id(previous.record).get(signed.author)
    if member is None or member.role != "manager":
        raise AuthorError(f"{signed.author!r} was no manager of the version before")
    if member.identity_fingerprint != author.fingerprint:
        raise MemberKeyMismatchError(signed.author)
    record = verify_object(signed, ROOM_RECORD_TYPE, author, RoomRecord)
    if record.author != signed.author:
        raise AuthorError(f"the record of {record.author!r} is handed out as {signed.author!r}'s")
    after = _by_id(record).get(record.author)
    if after is not None and after.identity_fingerprint != author.fingerprint:
        raise MemberKeyMismatchError(record.author)
    _refuse(find_violation(previous.record, previous.payload, record))
    return VerifiedRecord(record, signed.payload)


def check_reader(record: RoomRecord, reader: str, fingerprints: Mapping[str, bytes]) -> None:
    """Return if the reader is a member and no member has another than its verified key.

    Raises:
        RoomMembersError, MemberKeyMismatchError.
    """
    members = _by_id(record)
    if reader not in members:
        raise RoomMembersError(f"the room record does not name {reader!r}")
    for user_id, member in members.items():
        verified = fingerprints.get(user_id, member.identity_fingerprint)
        if verified != member.identity_fingerprint:
            raise MemberKeyMismatchError(user_id)


def _check_author(
    record: RoomRecord,
    signed: SignedObject,
    author: PublicIdentity,
    members: Mapping[str, RoomMember],
) -> None:
    if record.author != signed.author:
        raise AuthorError(f"the record of {record.author!r} is handed out as {signed.author!r}'s")
    if members[record.author].identity_fingerprint != author.fingerprint:
        raise MemberKeyMismatchError(record.author)


_ERRORS: Mapping[Rule, type[VerificationError]] = {
    Rule.CONTEXT: ContextMismatchError,
    Rule.ROOM: RoomMismatchError,
    Rule.VERSION: RecordVersionError,
    Rule.LINK: RecordForkError,
    Rule.AUTHOR: AuthorError,
    Rule.MEMBERS: RoomMembersError,
    Rule.EPOCH: EpochRuleError,
    Rule.COMMITMENT: CommitmentMismatchError,
}


def _refuse(violation: Violation | None) -> None:
    if violation is None:
        return
    if (error := _ERRORS.get(violation.rule)) is None:
        raise RecordRuleError(violation.field, violation.remedy)
    raise error(f"the room record breaks a rule at {violation.field}: {violation.remedy}")


def _by_id(record: RoomRecord) -> dict[str, RoomMember]:
    return {one.user_id: one for one in record.members}


def _named(members: Sequence[Member]) -> list[RoomMember]:
    return [
        RoomMember(
            user_id=one.user_id, identity_fingerprint=one.identity.fingerprint, role=one.role
        )
        for one in members
    ]
