"""Every right for every role under every expression, against a table written down by hand."""

from __future__ import annotations

import msgspec
import pytest

from sealroom.access import (
    DEFAULT_POLICY,
    Flag,
    Policy,
    PolicyError,
    Right,
    Rule,
    check_context_policy,
    find_first_violation,
    find_missing_entry,
    find_violation,
    member_may,
    record_hash,
)
from sealroom.bridge.records import RoomAccess
from sealroom.protocol import Role, RoomMember, RoomRecord

ROLES = ("stranger", "impostor", "user", "manager", "owning user", "owning manager")
# By expression: may user, manager, owning user, owning manager? Strangers never may.
TABLE = {
    "all": "1111",
    "user": "1111",
    "manager": "0101",
    "owner": "0011",
    "none": "0000",
    "manager&owner": "0001",
    "user&owner": "0011",
    "manager,owner": "0111",
    "none,manager": "0101",
    "none&manager": "0000",
    "user&manager,owner": "0111",
}
FOR_MANAGERS = {Right.UPDATE, Right.UPDATE_POLICY}


def fingerprint(name: str) -> bytes:
    return name[:1].encode() * 32


def access(policy: dict[str, str], owner: str) -> RoomAccess:
    """A room of the manager m, the user u, and an owner who is one or the other."""
    members: list[tuple[str, Role]] = [("m", "manager"), ("u", "user")]
    record = RoomRecord(
        context_id="context",
        room_id="room",
        version=2,
        previous_hash=bytes(32),
        author="m",
        created_at=1,
        members=[
            RoomMember(user_id=name, identity_fingerprint=fingerprint(name), role=role)
            for name, role in members
        ],
        policy=policy,
        public_meta=b"",
        private_meta=b"",
        epoch=1,
        epoch_commitment=bytes(32),
        creator=owner,
    )
    return RoomAccess.from_record(record)


def may(right: Right, role: str, policy: dict[str, str]) -> bool:
    match role:
        case "stranger":
            return access(policy, "o").allows(right, "s", fingerprint("s"))
        case "impostor":  # the manager's name with another key
            return access(policy, "m").allows(right, "m", fingerprint("s"))
        case "user":
            return access(policy, "o").allows(right, "u", fingerprint("u"))
        case "manager":
            return access(policy, "o").allows(right, "m", fingerprint("m"))
        case "owning user":
            return access(policy, "u").allows(right, "u", fingerprint("u"))
        case _:
            return access(policy, "m").allows(right, "m", fingerprint("m"))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("right", Right)
def test_a_role_has_a_right_where_the_table_says_so(right: Right, role: str) -> None:
    for expression, row in TABLE.items():
        expected = dict(zip(ROLES, "00" + row, strict=True))[role] == "1"
        if right in FOR_MANAGERS and role.endswith("user"):
            expected = False
        assert may(right, role, {right: expression}) is expected, expression


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("right", Right)
def test_defaults_give_managers_all_and_users_the_call(right: Right, role: str) -> None:
    for_users = {Right.GET, Right.PUBLISH, Right.SUBSCRIBE, Right.SEND_CUSTOM_EVENT}
    expected = role.endswith("manager") or (role.endswith("user") and right in for_users)
    assert may(right, role, {}) is expected


@pytest.mark.parametrize("right", [one for one in Right if one is not Right.GET])
def test_who_may_not_see_a_room_may_nothing_in_it(right: Right) -> None:
    for role in ROLES:
        policy = {"get": "manager&owner", right: "all"}
        assert may(right, role, policy) is (role == "owning manager"), role


@pytest.mark.parametrize("right", Right)
def test_clients_answer_as_the_bridge_does(right: Right) -> None:
    """Of a user whose key is right; strangers have none."""
    for expression in TABLE:
        for policy in ({right: expression}, {right: expression, "get": "manager"}):
            signed = record({str(key): one for key, one in policy.items()})
            at_bridge = RoomAccess.from_record(signed)
            for name in ("owner", "other", "user", "stranger"):
                assert member_may(signed, right, name) is at_bridge.allows(
                    right, name, fingerprint(name)
                ), (policy, name)


# Who may write the next record: the same rights, where only signed bytes decide


def record(policy: dict[str, str], author: str = "owner", **changes: object) -> RoomRecord:
    members: list[tuple[str, Role]] = [("owner", "manager"), ("other", "manager"), ("user", "user")]
    first = RoomRecord(
        context_id="context",
        room_id="room",
        version=1,
        previous_hash=b"",
        author=author,
        created_at=1,
        members=[
            RoomMember(user_id=name, identity_fingerprint=fingerprint(name), role=role)
            for name, role in members
        ],
        policy=policy,
        public_meta=b"",
        private_meta=b"",
        epoch=1,
        epoch_commitment=bytes(32),
    )
    return msgspec.structs.replace(first, **changes)


def following(before: dict[str, str], author: str, **changes: object) -> Rule | None:
    """The rule that a next record of this author breaks."""
    previous = record(before)
    payload = msgspec.json.encode(previous)
    changes = {"policy": before, "version": 2, "creator": "owner", **changes}
    after = msgspec.structs.replace(
        record(before, author), previous_hash=record_hash(payload), **changes
    )
    violation = find_violation(previous, payload, after)
    return None if violation is None else violation.rule


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [("manager", "11"), ("owner", "10"), ("none", "00"), ("all", "11"), ("user&owner", "10")],
)
@pytest.mark.parametrize("right", [Right.UPDATE, Right.UPDATE_POLICY, Right.GET])
def test_the_signed_policy_says_who_writes_the_next_record(
    right: Right, expression: str, allowed: str
) -> None:
    changes = {"policy": {"kick": "none"}} if right is Right.UPDATE_POLICY else {}
    for author, one in zip(("owner", "other"), allowed, strict=True):
        assert following({right: expression}, author, **changes) is (
            None if one == "1" else Rule.POLICY
        )
    assert following({right: expression}, "user", **changes) is Rule.AUTHOR
    assert following({right: expression}, "stranger", **changes) is Rule.AUTHOR


def with_roles(**roles: str) -> list[RoomMember]:
    return [
        RoomMember(user_id=name, identity_fingerprint=fingerprint(name), role=role)  # type: ignore[arg-type]
        for name, role in roles.items()
    ]


def test_flags_say_whether_author_and_owner_can_be_demoted() -> None:
    owner_out = {"members": with_roles(owner="user", other="manager", user="user")}
    other_out = {"members": with_roles(owner="manager", other="user", user="user")}
    updater = Flag.UPDATER_CAN_BE_REMOVED_FROM_MANAGERS
    owner = Flag.OWNER_CAN_BE_REMOVED_FROM_MANAGERS
    for policy, author, change, expected in (
        ({}, "owner", owner_out, Rule.MANAGERS),
        ({}, "other", owner_out, None),
        ({}, "other", other_out, Rule.MANAGERS),
        ({}, "owner", other_out, None),
        ({updater: "yes"}, "other", other_out, None),
        ({updater: "yes"}, "owner", owner_out, None),
        ({owner: "no"}, "other", owner_out, Rule.MANAGERS),
        ({owner: "no", updater: "yes"}, "owner", owner_out, Rule.MANAGERS),
        ({owner: "no"}, "owner", other_out, None),
    ):
        assert following({str(key): one for key, one in policy.items()}, author, **change) is (
            expected
        ), (policy, author)


def test_an_author_stays_a_member_under_the_key_that_signs() -> None:
    policy = {str(Flag.UPDATER_CAN_BE_REMOVED_FROM_MANAGERS): "yes"}
    gone = with_roles(owner="manager", user="user")
    assert following(policy, "other", members=gone) is Rule.MEMBERS
    assert following(policy, "owner", members=gone, epoch=2, epoch_commitment=b"2" * 32) is None
    renewed = [
        RoomMember(user_id="other", identity_fingerprint=fingerprint("new"), role="manager"),
        *gone,
    ]
    changes = {"members": renewed, "epoch": 2, "epoch_commitment": b"2" * 32}
    assert following(policy, "other", **changes) is Rule.MEMBERS
    assert following(policy, "owner", **changes) is None


def test_the_creator_manages_the_room_unless_the_policy_says_no() -> None:
    members = with_roles(owner="user", other="manager")
    violation = find_first_violation(record({}, members=members))
    assert violation is not None
    assert violation.rule is Rule.MEMBERS
    relaxed = record({"creator_has_to_be_manager": "no"}, members=members)
    assert find_first_violation(relaxed) is None
    assert find_first_violation(record({}, "user")) is not None


def test_a_context_asks_for_entries_and_says_whether_they_are_bound() -> None:
    context = {"publish": "manager", "share_history": "yes"}
    assert find_missing_entry(context, {}) == "publish"
    assert find_missing_entry(context, {"publish": "all"}) == "share_history"
    assert find_missing_entry(context, {"publish": "all", "share_history": "no"}) is None
    bound = context | {"can_overwrite_context_policy": "no"}
    assert find_missing_entry(bound, {"publish": "all", "share_history": "yes"}) == "publish"
    assert find_missing_entry(bound, context) is None
    check_context_policy(bound)
    for wrong in (
        {"can_overwrite_context_policy": "maybe"},
        {"publish": "nobody"},
        {"share_history": "all"},
        {"fly": "all"},
    ):
        with pytest.raises(PolicyError) as refused:
            check_context_policy(wrong)
        assert refused.value.entry == next(iter(wrong))


def test_flags_take_yes_and_no_and_nothing_else() -> None:
    for flag in Flag:
        assert Policy.from_record({flag: "yes"}).says(flag)
        assert not Policy.from_record({flag: "no"}).says(flag)
        for wrong in ("", "all", "YES", "true"):
            with pytest.raises(PolicyError):
                Policy.from_record({flag: wrong})
    assert set(DEFAULT_POLICY) == set(Right)
