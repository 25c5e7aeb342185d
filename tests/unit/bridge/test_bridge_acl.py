"""Access lines: order, groups, arguments, default; and that they hold on the wire."""

from __future__ import annotations

import pytest

from sealroom.bridge.acl import READ, WRITE, Acl
from sealroom.bridge.errors import RequestError
from sealroom.protocol import (
    MAX_ACL_LENGTH,
    MAX_ACL_LINES,
    METHODS,
    ContextUsersParams,
    ErrorCode,
    RoomParams,
)

ROOM = RoomParams(room_id="r1")


def allowed(lines: str | None, method: str, params: object = ROOM) -> bool:
    try:
        Acl.parse(lines).require(method, params)  # type: ignore[arg-type]
    except RequestError as error:
        return error.error is not ErrorCode.ACCESS_DENIED
    return True


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (None, "11"),
        ("", "00"),
        ("allow all", "11"),
        ("ALLOW read", "10"),
        ("allow write", "01"),
        ("allow room.*", "11"),
        ("allow stream.*", "00"),
        ("allow room.join", "01"),
        ("allow all\ndeny room.join", "10"),
        ("deny room.join\nallow all", "11"),
        ("deny all\nallow read\n\n", "10"),
        ("allow all\ndeny write room_id=r1", "10"),
        ("allow all\ndeny write room_id=r2", "11"),
        ("allow room.join room_id=r1", "01"),
        ("allow room.join room_id=r2", "00"),
        ("allow room.* room_id=r1\ndeny room.get room_id=r1", "01"),
    ],
)
def test_the_last_line_that_fits_decides(lines: str | None, expected: str) -> None:
    assert [allowed(lines, one) for one in ("room.get", "room.join")] == [
        one == "1" for one in expected
    ]


def test_a_field_that_a_call_lacks_fits_nothing() -> None:
    params = ContextUsersParams(context_id="c")
    assert not allowed("allow read room_id=r1", "context.users", params)
    assert allowed("allow read context_id=c", "context.users", params)


@pytest.mark.parametrize(
    "lines",
    [
        "allow",
        "permit all",
        "allow fly",
        "allow admin.user_add",
        "allow admin.*",
        "allow *",
        "allow room.join r1",
        "allow room.join color=red",
        "allow all\ndeny room.history since=0",
        "deny subscription.update add=x",
        "deny room.create record=x",
        "allow all\n" * (MAX_ACL_LINES + 1),
        "allow all " + " " * MAX_ACL_LENGTH,
    ],
)
def test_malformed_lines_are_refused_by_name(lines: str) -> None:
    with pytest.raises(RequestError) as refused:
        Acl.parse(lines)
    assert refused.value.error is ErrorCode.INVALID_PARAMS
    assert (refused.value.field or "").startswith("acl")
    assert refused.value.remedy


def test_the_line_at_fault_is_named() -> None:
    with pytest.raises(RequestError) as refused:
        Acl.parse("allow all\n\ndeny fly")
    assert refused.value.field == "acl.line[3]"


def test_every_method_of_users_is_read_or_write() -> None:
    mine = {one for one in METHODS if not one.startswith(("auth.", "admin."))}
    assert mine == READ | WRITE
    assert not READ & WRITE
