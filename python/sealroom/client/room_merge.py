"""One change of a room put upon another that came first, field by field. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from sealroom.client.errors import VersionConflictError
from sealroom.protocol import Role

Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomContent:
    """What managers decide about a room."""

    roles: Mapping[str, Role]
    policy: Mapping[str, str]
    public_meta: bytes
    private_meta: bytes | None  # None if nobody here has read it yet


def merge(base: RoomContent, mine: RoomContent, theirs: RoomContent, *, force: bool) -> RoomContent:
    """Return `theirs` with what `mine` changed of `base`.

    With `force`, `mine` wins where both changed the same thing.

    Raises:
        VersionConflictError: both changed the same thing, and not alike.
    """
    return RoomContent(
        roles=_merge_entries("member", base.roles, mine.roles, theirs.roles, force),
        policy=_merge_entries("policy entry", base.policy, mine.policy, theirs.policy, force),
        public_meta=_merge_values(
            "public_meta", base.public_meta, mine.public_meta, theirs.public_meta, force
        ),
        private_meta=_merge_values(
            "private_meta", base.private_meta, mine.private_meta, theirs.private_meta, force
        ),
    )


def _merge_values(name: str, base: Value, mine: Value, theirs: Value, force: bool) -> Value:
    if mine in (base, theirs):
        return theirs
    if theirs == base or force:
        return mine
    raise VersionConflictError(f"{name}: somebody else changed it meanwhile")


def _merge_entries(
    name: str,
    base: Mapping[str, Value],
    mine: Mapping[str, Value],
    theirs: Mapping[str, Value],
    force: bool,
) -> dict[str, Value]:
    merged: dict[str, Value] = {}
    for key in dict.fromkeys([*theirs, *mine, *base]):
        value = _merge_values(
            f"{name} {key!r}", base.get(key), mine.get(key), theirs.get(key), force
        )
        if value is not None:
            merged[key] = value
    return merged
