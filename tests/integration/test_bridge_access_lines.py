"""Access lines on the wire: at log-in, in a session under way, and no way around them."""

from __future__ import annotations

import pytest
from bridge_support import Refused, World

from sealroom.protocol import ErrorCode


async def test_lines_hold_at_once_and_at_the_next_log_in(world: World) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(alice, ["bob"])
    admin, context_id = world.bridge.admin, world.context_id
    await admin.user_set_acl(context_id, "bob", "allow read")
    for client in (bob, await world.user("bob")):
        assert (await client.call("room.get", room_id=room.room_id)).room
        with pytest.raises(Refused) as refused:
            await client.join(room.room_id)
        assert refused.value.code is ErrorCode.ACCESS_DENIED
    await admin.user_set_acl(context_id, "bob", None)
    await bob.join(room.room_id)
    await alice.join(room.room_id)  # nobody else's


async def test_deleting_many_is_no_way_around_a_line(world: World) -> None:
    alice = await world.user("alice")
    rooms = [(await world.create_room(alice)).room_id for _ in range(2)]
    lines = f"allow all\ndeny room.delete room_id={rooms[0]}"
    await world.bridge.admin.user_set_acl(world.context_id, "alice", lines)
    result = await alice.call("room.delete_many", room_ids=rooms)
    assert [one.error for one in result.rooms] == [int(ErrorCode.ACCESS_DENIED), None]


async def test_lines_are_checked_before_they_are_stored(world: World) -> None:
    bob = await world.user("bob")
    await bob.call("auth.admin", api_key=await world.bridge.admin.create_api_key())
    for user_id, acl, code in (
        ("bob", "allow fly", ErrorCode.INVALID_PARAMS),
        ("nobody", "allow all", ErrorCode.USER_NOT_FOUND),
    ):
        with pytest.raises(Refused) as refused:
            await bob.call(
                "admin.user_set_acl", context_id=world.context_id, user_id=user_id, acl=acl
            )
        assert refused.value.code is code
    assert (await bob.call("room.list", context_id=world.context_id)).total == 0
