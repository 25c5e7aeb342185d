"""Policies: the expressions, the defaults, and that strangers have no right."""

import pytest

from sealroom.access import DEFAULT_POLICY, Policy, PolicyError, Right, parse_expression
from sealroom.bridge.records import Member, RoomAccess
from sealroom.protocol import MAX_POLICY_EXPRESSION_LENGTH

CASES = [  # expression, and whether user, manager, owner (a user), owner (a manager) may
    ("all", "1111"),
    ("none", "0000"),
    ("user", "1111"),
    ("manager", "0101"),
    ("owner", "0011"),
    ("manager&owner", "0001"),
    ("manager,owner", "0111"),
    ("none,owner", "0011"),
    ("none&owner", "0000"),
    ("owner&user,manager", "0111"),
    ("manager,owner&none", "0101"),
    (" owner & manager , none ", "0001"),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_expressions_mean_what_they_say(text: str, expected: str) -> None:
    policy = Policy.from_record({"publish": text})
    who = [("user", False), ("manager", False), ("user", True), ("manager", True)]
    granted = [policy.allows(Right.PUBLISH, role=role, is_owner=own) for role, own in who]
    assert granted == [one == "1" for one in expected]


@pytest.mark.parametrize(
    "text", ["", ",", "&", "user,", "&user", "user&&owner", "users", "USER", "user|owner", "user;x"]
)
def test_malformed_expressions_are_refused(text: str) -> None:
    with pytest.raises(PolicyError) as refusal:
        parse_expression("publish", text)
    assert refusal.value.entry == "publish"


def test_an_expression_is_limited() -> None:
    longest = ("user," * 20)[: MAX_POLICY_EXPRESSION_LENGTH - 4] + "user"
    assert len(longest) == MAX_POLICY_EXPRESSION_LENGTH
    parse_expression("publish", longest)
    with pytest.raises(PolicyError):
        parse_expression("publish", longest.replace("user", " user", 1))


def test_unknown_rights_are_refused() -> None:
    with pytest.raises(PolicyError, match="unpublish_others"):
        Policy.from_record({"unpublish": "user"})


def test_every_right_has_a_default_and_only_managers_change_things() -> None:
    policy = Policy.from_record({})
    assert set(DEFAULT_POLICY) == set(Right)
    for_users = {right for right in Right if policy.allows(right, role="user", is_owner=False)}
    assert for_users == {Right.GET, Right.PUBLISH, Right.SUBSCRIBE, Right.SEND_CUSTOM_EVENT}
    assert all(policy.allows(right, role="manager", is_owner=False) for right in Right)


def room(policy: dict[str, str]) -> RoomAccess:
    members = {"alice": Member(b"A" * 32, "manager"), "bob": Member(b"B" * 32, "user")}
    return RoomAccess("room", "context", "alice", 1, Policy.from_record(policy), members)


def test_strangers_have_no_right_even_where_all_may() -> None:
    access = room(dict.fromkeys(Right, "all"))
    for right in set(Right) - {Right.UPDATE, Right.UPDATE_POLICY}:  # those are the managers'
        assert access.allows(right, "bob", b"B" * 32)
    for right in Right:
        assert not access.allows(right, "mallory", b"M" * 32)
        assert not access.allows(right, "bob", b"M" * 32)  # another identity under his name


def test_without_get_there_is_no_other_right() -> None:
    access = room({"get": "manager", "publish": "user"})
    assert not access.allows(Right.PUBLISH, "bob", b"B" * 32)
    assert access.allows(Right.PUBLISH, "alice", b"A" * 32)
    assert {one.user_id: one.visible for one in access.stored_members()} == {
        "alice": True,
        "bob": False,
    }
