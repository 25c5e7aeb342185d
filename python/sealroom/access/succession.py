"""Which record may be a room's first, and which may follow another. Pure, and the only such code.

Signatures are not looked at: the caller has verified that `author` signed the record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sealroom.access.policy import Flag, Policy, PolicyError, Right
from sealroom.protocol import RoomMember, RoomRecord

FIRST_EPOCH: Final = 1
_HASH_LABEL: Final = b"sealroom/1 room record\0"


class Rule(StrEnum):
    """What is broken; the value is the field of the record at fault."""

    CONTEXT = "context_id"
    ROOM = "room_id"
    TYPE = "room_type"
    VERSION = "version"
    LINK = "previous_hash"
    CREATOR = "creator"
    AUTHOR = "author"
    MEMBERS = "members"
    MANAGERS = "managers"
    POLICY = "policy"
    EPOCH = "epoch"
    COMMITMENT = "epoch_commitment"


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule, its field, and what the author of the record can do about it."""

    rule: Rule
    remedy: str
    entry: str = ""

    @property
    def field(self) -> str:
        """Path of the field in the record."""
        name = Rule.MEMBERS if self.rule is Rule.MANAGERS else self.rule
        return f"{name}.{self.entry}" if self.entry else str(name)


def record_hash(payload: bytes) -> bytes:
    """Return the SHA-256 that the next record names as `previous_hash`."""
    return hashlib.sha256(_HASH_LABEL + payload).digest()


def owner_of(record: RoomRecord) -> str:
    """Return the user who made the room."""
    return record.author if record.creator is None else record.creator


def member_may(record: RoomRecord, right: Right, user_id: str) -> bool:
    """Tell whether a user is a member with this right; the key is the caller's to check."""
    member = _members(record).get(user_id)
    if member is None:
        return False
    policy = Policy.from_record(record.policy)
    return policy.grants(right, role=member.role, is_owner=user_id == owner_of(record))


def has_lost_member(before: Iterable[RoomMember], after: Iterable[RoomMember]) -> bool:
    """Tell whether somebody, or somebody's former key, is no member any more."""
    keys = {(one.user_id, one.identity_fingerprint) for one in after}
    return any((one.user_id, one.identity_fingerprint) not in keys for one in before)


def find_first_violation(record: RoomRecord) -> Violation | None:
    """Return what keeps a record from being the first of a room."""
    if record.version != 1:
        return Violation(Rule.VERSION, "a new room has version 1")
    if record.previous_hash:
        return Violation(Rule.LINK, "version 1 follows no record")
    if record.epoch != FIRST_EPOCH:
        return Violation(Rule.EPOCH, "a new room begins with epoch 1")
    if record.creator not in (None, record.author):
        return Violation(Rule.CREATOR, "the author of version 1 is the creator")
    policy, violation = _read(record)
    if policy is None:
        return violation
    author = _members(record).get(record.author)
    if author is None:
        return Violation(Rule.MEMBERS, "the author is a member")
    if author.role != "manager" and policy.says(Flag.CREATOR_HAS_TO_BE_MANAGER):
        return Violation(Rule.MEMBERS, "the author is a manager")
    return None


def find_violation(previous: RoomRecord, payload: bytes, record: RoomRecord) -> Violation | None:
    """Return what keeps `record` from following `previous`, whose signed bytes are `payload`."""
    if record.context_id != previous.context_id:
        return Violation(Rule.CONTEXT, "a room stays in its context")
    if record.room_id != previous.room_id:
        return Violation(Rule.ROOM, "name the room of the record before")
    if record.version != previous.version + 1:
        return Violation(Rule.VERSION, "count on from the newest version")
    if record.previous_hash != record_hash(payload):
        return Violation(Rule.LINK, "name the hash of the record before")
    if record.creator != owner_of(previous):
        return Violation(Rule.CREATOR, "a room keeps its creator")
    if record.room_type != previous.room_type:
        return Violation(Rule.TYPE, "a room keeps its type")
    policy, violation = _read(record)
    if policy is None:
        return violation
    return (
        _find_author_violation(previous, record)
        or _find_manager_violation(previous, record)
        or _find_epoch_violation(previous, record)
    )


def _read(record: RoomRecord) -> tuple[Policy | None, Violation | None]:
    members = _members(record)
    if len(members) != len(record.members):
        return None, Violation(Rule.MEMBERS, "name each member once")
    if all(one.role != "manager" for one in record.members):
        return None, Violation(Rule.MEMBERS, "a room has a manager")
    try:
        return Policy.from_record(record.policy), None
    except PolicyError as error:
        return None, Violation(Rule.POLICY, str(error), error.entry)


def _find_author_violation(previous: RoomRecord, record: RoomRecord) -> Violation | None:
    author = _members(previous).get(record.author)
    if author is None or author.role != "manager":
        return Violation(Rule.AUTHOR, "a manager of the version before signs")
    # Who reads the record sees its author among the members, with the key that signed it: nobody
    # vouches for a room, and chooses its secret, unseen.
    after = _members(record).get(record.author)
    if after is None:
        return Violation(Rule.MEMBERS, "the author stays a member: have another manager remove it")
    if after.identity_fingerprint != author.identity_fingerprint:
        return Violation(Rule.MEMBERS, "the author keeps its key: have another manager renew it")
    policy = Policy.from_record(previous.policy)
    needed = [Right.GET, Right.UPDATE]
    if record.policy != previous.policy:
        needed.append(Right.UPDATE_POLICY)
    for right in needed:
        is_owner = record.author == owner_of(previous)
        if not policy.allows(right, role=author.role, is_owner=is_owner):
            return Violation(Rule.POLICY, "the author had no such right before", right)
    return None


def _find_manager_violation(previous: RoomRecord, record: RoomRecord) -> Violation | None:
    policy = Policy.from_record(previous.policy)
    before, after = _managers(previous), _managers(record)
    if record.author not in after and not policy.says(Flag.UPDATER_CAN_BE_REMOVED_FROM_MANAGERS):
        return Violation(Rule.MANAGERS, "the author stays a manager, says the policy")
    owner = owner_of(previous)
    if (
        owner in before
        and owner not in after
        and not policy.says(Flag.OWNER_CAN_BE_REMOVED_FROM_MANAGERS)
    ):
        return Violation(Rule.MANAGERS, "the owner stays a manager, says the policy")
    return None


def _find_epoch_violation(previous: RoomRecord, record: RoomRecord) -> Violation | None:
    step = record.epoch - previous.epoch
    if step not in (0, 1):
        return Violation(Rule.EPOCH, "keep the epoch or begin the next one")
    if step == 0 and has_lost_member(previous.members, record.members):
        return Violation(Rule.EPOCH, "a removed member always begins a new epoch")
    if (step == 0) != (record.epoch_commitment == previous.epoch_commitment):
        return Violation(Rule.COMMITMENT, "one epoch has one secret, and the next has another")
    return None


def _members(record: RoomRecord) -> Mapping[str, RoomMember]:
    return {one.user_id: one for one in record.members}


def _managers(record: RoomRecord) -> set[str]:
    return {one.user_id for one in record.members if one.role == "manager"}
