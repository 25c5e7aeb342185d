"""Two changes of a room put together: both are made, or the second is refused, never half of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealroom.client.errors import VersionConflictError
from sealroom.client.room_merge import RoomContent, merge

BASE = RoomContent(
    roles={"alice": "manager", "bob": "user", "carol": "user"},
    policy={"publish": "user"},
    public_meta=b"public",
    private_meta=b"private",
)
contents = st.builds(
    RoomContent,
    roles=st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["user", "manager"])),
    policy=st.dictionaries(st.sampled_from("xyz"), st.sampled_from(["all", "none"])),
    public_meta=st.sampled_from([b"", b"1", b"2"]),
    private_meta=st.sampled_from([b"", b"1", b"2"]),
)


def merged(mine: RoomContent, theirs: RoomContent, *, force: bool = False) -> RoomContent:
    return merge(BASE, mine, theirs, force=force)


def test_changes_of_different_things_add_up() -> None:
    mine = replace(BASE, roles={"alice": "manager", "carol": "user"}, public_meta=b"mine")
    theirs = replace(
        BASE,
        roles={"alice": "manager", "bob": "user", "carol": "manager", "dave": "user"},
        policy={"publish": "user", "kick": "owner"},
        private_meta=b"theirs",
    )
    expected = RoomContent(
        roles={"alice": "manager", "carol": "manager", "dave": "user"},
        policy={"publish": "user", "kick": "owner"},
        public_meta=b"mine",
        private_meta=b"theirs",
    )
    assert merged(mine, theirs) == merged(theirs, mine) == expected


@pytest.mark.parametrize(
    ("mine", "theirs", "what"),
    [
        ({"public_meta": b"1"}, {"public_meta": b"2"}, "public_meta"),
        ({"private_meta": b"1"}, {"private_meta": b"2"}, "private_meta"),
        ({"policy": {"publish": "all"}}, {"policy": {}}, "'publish'"),
        ({"roles": {"alice": "manager"}}, {"roles": {**BASE.roles, "bob": "manager"}}, "'bob'"),
        (
            {"roles": {**BASE.roles, "dave": "user"}},
            {"roles": {**BASE.roles, "dave": "manager"}},
            "'dave'",
        ),
    ],
)
def test_changes_of_one_thing_conflict_and_with_force_mine_wins(
    mine: dict[str, Any], theirs: dict[str, Any], what: str
) -> None:
    mine_content, theirs_content = replace(BASE, **mine), replace(BASE, **theirs)
    with pytest.raises(VersionConflictError, match=what):
        merged(mine_content, theirs_content)
    forced = merged(mine_content, theirs_content, force=True)
    for name, wanted in mine.items():
        assert getattr(forced, name) == wanted


@given(contents, contents)
def test_who_changed_nothing_changes_nothing(base: RoomContent, theirs: RoomContent) -> None:
    assert merge(base, base, theirs, force=False) == theirs
    assert merge(base, theirs, base, force=False) == theirs
    assert merge(base, theirs, theirs, force=False) == theirs


@given(contents, contents, contents)
def test_force_never_refuses_and_keeps_every_change_of_mine(
    base: RoomContent, mine: RoomContent, theirs: RoomContent
) -> None:
    forced = merge(base, mine, theirs, force=True)
    for name in ("roles", "policy"):
        before, wanted, result = (getattr(one, name) for one in (base, mine, forced))
        for key in before.keys() | wanted.keys():
            if before.get(key) != wanted.get(key):
                assert result.get(key) == wanted.get(key)


@given(contents, contents, contents)
def test_what_goes_together_goes_together_in_either_order(
    base: RoomContent, mine: RoomContent, theirs: RoomContent
) -> None:
    try:
        one = merge(base, mine, theirs, force=False)
    except VersionConflictError:
        with pytest.raises(VersionConflictError):
            merge(base, theirs, mine, force=False)
    else:
        assert merge(base, theirs, mine, force=False) == one
