"""Wrong arguments of `Bridge.admin` are refused by name, before the database sees them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bridge_support import World

from sealroom.bridge import RequestError
from sealroom.identity import Identity
from sealroom.protocol import Context, ErrorCode

Step = Callable[[Any, Context], Awaitable[Any]]

STEPS: dict[str, Step] = {
    "context_get": lambda admin, team: admin.context_get(team),
    "context_update": lambda admin, team: admin.context_update(team, title="x"),
    "context_set_policy": lambda admin, team: admin.context_set_policy(team, {}),
    "context_delete": lambda admin, team: admin.context_delete(team),
    "user_add": lambda admin, team: admin.user_add(team, "dora", Identity.generate().public),
    "user_get": lambda admin, team: admin.user_get(team, "alice"),
    "user_set_acl": lambda admin, team: admin.user_set_acl(team, "alice", None),
    "user_remove": lambda admin, team: admin.user_remove(team, "alice"),
    "user_list": lambda admin, team: admin.user_list(team),
    "room_list": lambda admin, team: admin.room_list(team),
    "participant_list": lambda admin, team: admin.participant_list(team),
}


@pytest.mark.parametrize("name", STEPS)
async def test_a_context_for_its_id_is_refused_by_name(world: World, name: str) -> None:
    admin = world.bridge.admin
    team = await admin.context_create("team")
    with pytest.raises(RequestError) as refusal:
        await STEPS[name](admin, team)
    assert (refusal.value.error, refusal.value.field) == (ErrorCode.INVALID_PARAMS, "context_id")
    assert all(one.object_id != str(team) for one in (await admin.audit_list()).entries)


@pytest.mark.parametrize(
    "call",
    [
        lambda admin, wrong: admin.room_get(wrong),
        lambda admin, wrong: admin.room_close(wrong),
        lambda admin, wrong: admin.room_delete(wrong),
        lambda admin, wrong: admin.participant_kick(wrong, "p"),
        lambda admin, wrong: admin.room_delete_many("room"),
    ],
)
async def test_what_is_no_id_of_a_room_is_refused_by_name(world: World, call: Step) -> None:
    team = await world.bridge.admin.context_create("team")
    with pytest.raises(RequestError) as refusal:
        await call(world.bridge.admin, team)
    assert refusal.value.error == ErrorCode.INVALID_PARAMS
    assert (refusal.value.field or "").startswith("room_id")


async def test_the_refusal_says_where_the_id_is(world: World) -> None:
    admin = world.bridge.admin
    team: Any = await admin.context_create("team")
    with pytest.raises(RequestError, match=r"not Context.*give its \.context_id"):
        await admin.user_add(team, "dora", Identity.generate().public)
