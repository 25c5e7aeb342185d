"""Members of a room's next record: users of the context, or who they were in the one before."""

import msgspec
import pytest
from bridge_support import Client, Refused, World

from sealroom.access import record_hash
from sealroom.protocol import (
    ROOM_RECORD_TYPE,
    ErrorCode,
    RoomMember,
    RoomRecord,
    RoomResult,
    SealedSecret,
)


async def update_members(
    world: World, client: Client, record: RoomRecord, members: list[RoomMember], *new: str
) -> RoomResult:
    changed = msgspec.structs.replace(
        record,
        version=2,
        creator=client.user_id,
        previous_hash=record_hash(msgspec.json.encode(record)),
        members=members,
    )
    result: RoomResult = await client.call(
        "room.update",
        room_id=record.room_id,
        record=client.sign(ROOM_RECORD_TYPE, changed),
        sealed_secrets=[SealedSecret(user_id=one, epoch=1, sealed=b"x") for one in new],
    )
    return result


async def test_a_members_identity_does_not_make_a_user_of_another_name(world: World) -> None:
    alice = await world.user("alice")
    record = world.record(["alice"], ["bob"])
    await alice.call("room.create", world.create_params(alice, record))
    ghost = msgspec.structs.replace(record.members[1], user_id="ceo", role="manager")
    with pytest.raises(Refused) as caught:
        await update_members(world, alice, record, [*record.members, ghost], "ceo")
    assert caught.value.code == ErrorCode.RECORD_INVALID
    assert caught.value.field == "record.payload.members[2]"


async def test_a_member_who_left_the_context_may_stay_in_the_record(world: World) -> None:
    alice = await world.user("alice")
    record = world.record(["alice"], ["bob"])
    await alice.call("room.create", world.create_params(alice, record))
    await world.bridge.admin.user_remove(world.context_id, "bob")
    await update_members(world, alice, record, record.members)
