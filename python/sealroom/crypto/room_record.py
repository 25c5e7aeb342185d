"""Room records, version 1: made by the room's creator, verified by everyone else.

Later versions (members changed, epochs rotated) are refused until they are supported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sealroom.crypto.epoch import EpochId, EpochKeys, commit, derive_epoch_keys, seal_secret
from sealroom.crypto.errors import (
    AuthorError,
    ContextMismatchError,
    MemberKeyMismatchError,
    RecordVersionError,
    RoomMembersError,
    RoomMismatchError,
)
from sealroom.crypto.private_metadata import encrypt_private_metadata
from sealroom.crypto.signed_object import sign_object, verify_object
from sealroom.identity import Identity, PublicIdentity
from sealroom.protocol import (
    ROOM_RECORD_TYPE,
    Role,
    RoomMember,
    RoomRecord,
    SealedSecret,
    SignedObject,
)

FIRST_EPOCH = 1


@dataclass(frozen=True, slots=True)
class Member:
    """A member to be: user id, its verified public identity, and role."""

    user_id: str
    identity: PublicIdentity
    role: Role


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
) -> NewRoom:
    """Make the first record of a room and seal `secret` to every member.

    `created_at` in Unix milliseconds.

    Raises:
        RoomMembersError: a member is named twice, or the author is not a manager among them with
            the key of `identity`.
        IdentityError: a member's sealing key is degenerate.
    """
    own = [one for one in members if one.user_id == author]
    if len({one.user_id for one in members}) != len(members):
        raise RoomMembersError("a member is named twice")
    if not own or own[0].role != "manager" or own[0].identity != identity.public:
        raise RoomMembersError("a room's creator is one of its managers")
    epoch = EpochId(context_id, room_id, FIRST_EPOCH)
    keys = derive_epoch_keys(secret, epoch)
    record = RoomRecord(
        context_id=context_id,
        room_id=room_id,
        version=1,
        previous_hash=b"",
        author=author,
        created_at=created_at,
        members=[
            RoomMember(
                user_id=one.user_id, identity_fingerprint=one.identity.fingerprint, role=one.role
            )
            for one in members
        ],
        policy=dict(policy),
        public_meta=public_meta,
        private_meta=encrypt_private_metadata(private_meta, keys, version=1),
        epoch=FIRST_EPOCH,
        epoch_commitment=commit(secret, epoch),
    )
    return NewRoom(
        record=sign_object(identity, author, ROOM_RECORD_TYPE, record),
        sealed_secrets=[seal_secret(secret, epoch, one.user_id, one.identity) for one in members],
        keys=keys,
    )


def verify_room_record(
    signed: SignedObject,
    *,
    context_id: str,
    room_id: str,
    author: PublicIdentity,
    reader: str,
    fingerprints: Mapping[str, bytes],
) -> RoomRecord:
    """Return the record of a room if everything in it holds.

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
    if record.version != 1 or record.previous_hash or record.epoch != FIRST_EPOCH:
        raise RecordVersionError("this is not the first record of a room")
    members = {one.user_id: one for one in record.members}
    if len(members) != len(record.members):
        raise RoomMembersError("the room record names a member twice")
    if reader not in members:
        raise RoomMembersError(f"the room record does not name {reader!r}")
    _check_author(record, signed, author, members)
    for user_id, member in members.items():
        verified = fingerprints.get(user_id, member.identity_fingerprint)
        if verified != member.identity_fingerprint:
            raise MemberKeyMismatchError(user_id)
    return record


def _check_author(
    record: RoomRecord,
    signed: SignedObject,
    author: PublicIdentity,
    members: Mapping[str, RoomMember],
) -> None:
    if record.author != signed.author:
        raise AuthorError(f"the record of {record.author!r} is handed out as {signed.author!r}'s")
    member = members.get(record.author)
    if member is None or member.role != "manager":
        raise AuthorError(f"{record.author!r} signed the room record without being a manager")
    if member.identity_fingerprint != author.fingerprint:
        raise MemberKeyMismatchError(record.author)
