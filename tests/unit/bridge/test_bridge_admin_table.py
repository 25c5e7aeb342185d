"""Every method of `admin.*` has a scope, and is a method of `Admin` with the same parameters."""

from __future__ import annotations

import inspect

import pytest

from sealroom.bridge.admin import Admin
from sealroom.protocol import METHOD_SCOPES, METHODS, SCOPES, covers

ADMIN_METHODS = [one for one in METHODS if one.startswith("admin.")]


def test_every_method_has_a_scope_and_every_scope_a_method() -> None:
    assert set(METHOD_SCOPES) == set(ADMIN_METHODS)
    assert set(METHOD_SCOPES.values()) == set(SCOPES) - {"*"}


@pytest.mark.parametrize("method", ADMIN_METHODS)
def test_a_method_takes_the_fields_of_its_parameters(method: str) -> None:
    names = list(inspect.signature(getattr(Admin, method.removeprefix("admin."))).parameters)
    assert (names[0], names[-1]) == ("self", "actor")
    assert sorted(names[1:-1]) == sorted(METHODS[method][0].__struct_fields__)  # given by name


def test_all_scopes_cover_everything_and_none_covers_more_than_itself() -> None:
    assert covers(["*"], SCOPES)
    assert covers(["rooms:read", "keys:read"], ["keys:read"])
    assert not covers(["rooms:write"], ["rooms:read"])
    assert not covers([], ["rooms:read"])
    assert not covers(["rooms:read"], ["*"])
