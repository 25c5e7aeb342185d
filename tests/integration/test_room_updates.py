"""Rooms that change: what an update keeps, what it refuses, how two go together, lists, states."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from client_support import ClientWorld, EventLog, open_client_world

from sealroom.access import PolicyError
from sealroom.client import StreamApi
from sealroom.client.errors import (
    AccessDeniedError,
    NotJoinedError,
    RequestRefusedError,
    VersionConflictError,
)
from sealroom.client.events import (
    ParticipantLeft,
    RoomClosed,
    RoomExcluded,
    RoomRefused,
    RoomReopened,
    RoomUpdated,
)
from sealroom.crypto.errors import (
    ForgedSignatureError,
    RecordRuleError,
    RoomMembersError,
)
from sealroom.errors import InvalidArgumentError
from sealroom.protocol import MAX_METADATA_BYTES, ErrorCode, RoomView


@pytest_asyncio.fixture
async def clients(monkeypatch: pytest.MonkeyPatch, database_url: str) -> AsyncIterator[ClientWorld]:
    async with open_client_world(monkeypatch, database=database_url) as one:
        await one.world.add_user("carol")
        yield one


async def test_an_update_keeps_what_it_does_not_name(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(
        alice,
        ("bob", "carol"),
        public_meta=b"public",
        private_meta=b"private",
        policy={"publish": "manager"},
        room_type="lecture",
    )
    first = await bob.get_stream_room(room_id)
    changed = await alice.update_stream_room(room_id, public_meta=b"new")
    for room in (changed, await bob.get_stream_room(room_id)):
        assert (room.public_meta, room.private_meta) == (b"new", b"private")
        assert (room.users, room.managers, room.policy) == (
            first.users,
            first.managers,
            {"publish": "manager"},
        )
        assert (room.version, room.epoch, room.room_type) == (2, 1, "lecture")
        assert (room.creator, room.last_modifier) == ("alice", "alice")
        assert room.modified_at >= first.modified_at
    await alice.update_stream_room(room_id, private_meta=b"secret", policy={})
    room = await bob.get_stream_room(room_id)
    assert (room.private_meta, room.policy, room.version) == (b"secret", {}, 3)


async def test_an_update_needs_the_version_it_names_unless_forced(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    room_id = await clients.room(alice)
    await alice.update_stream_room(room_id, public_meta=b"1", version=1)
    for version in (1, 3):
        with pytest.raises(VersionConflictError):
            await alice.update_stream_room(room_id, public_meta=b"2", version=version)
    assert (await alice.get_stream_room(room_id)).public_meta == b"1"
    room = await alice.update_stream_room(room_id, public_meta=b"2", version=1, force=True)
    assert (room.version, room.public_meta) == (3, b"2")


async def overtake(clients: ClientWorld, api: StreamApi, other: StreamApi, **change: Any) -> None:
    """Have `other` change the room right before the next update of `api` arrives."""
    connection = clients.connection_of(api)
    honest = connection.call

    async def late(method: str, params: Any, result: Any) -> Any:
        if method == "room.update":
            connection.call = honest  # type: ignore[method-assign]
            await other.update_stream_room(params.room_id, **change)
        return await honest(method, params, result)

    connection.call = late  # type: ignore[method-assign]


async def test_changes_of_different_things_are_both_made(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice, ("carol",), managers=("bob",), private_meta=b"x")
    await overtake(clients, alice, bob, private_meta=b"bob's", users=[], policy={"close": "owner"})
    room = await alice.update_stream_room(
        room_id, public_meta=b"alice's", users=["carol", "mallory"]
    )
    assert (room.public_meta, room.private_meta) == (b"alice's", b"bob's")
    assert (room.users, room.policy, room.version) == (["mallory"], {"close": "owner"}, 3)


async def test_changes_of_the_same_thing_are_a_conflict_unless_forced(
    clients: ClientWorld,
) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice, (), managers=("bob",))
    await overtake(clients, alice, bob, public_meta=b"bob's")
    with pytest.raises(VersionConflictError, match="public_meta"):
        await alice.update_stream_room(room_id, public_meta=b"alice's")
    assert (await alice.get_stream_room(room_id)).public_meta == b"bob's"
    await overtake(clients, alice, bob, public_meta=b"bob's again")
    room = await alice.update_stream_room(room_id, public_meta=b"alice's", force=True)
    assert (room.public_meta, room.version) == (b"alice's", 4)


async def test_a_strict_update_that_is_overtaken_is_refused(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice, (), managers=("bob",))
    await overtake(clients, alice, bob, private_meta=b"x")
    with pytest.raises(VersionConflictError):
        await alice.update_stream_room(room_id, public_meta=b"y", version=1)


async def test_many_updates_at_once_are_all_made(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice, (), managers=("bob",))
    rights = ["publish", "subscribe", "close", "kick"]
    await asyncio.gather(
        *(
            api.update_stream_room(room_id, policy={**dict.fromkeys(rights[:-1], "user"), **extra})
            for api, extra in ((alice, {"kick": "owner"}), (bob, {"record": "owner"}))
        ),
    )
    room = await bob.get_stream_room(room_id)
    assert room.policy == {
        **dict.fromkeys(rights[:-1], "user"),
        "kick": "owner",
        "record": "owner",
    }


async def test_removing_a_member_begins_an_epoch_and_adding_one_does_not(
    clients: ClientWorld,
) -> None:
    alice, bob, carol = [await clients.api(one) for one in ("alice", "bob", "carol")]
    room_id = await clients.room(alice, ("bob",))
    assert (await alice.update_stream_room(room_id, users=["bob", "carol"])).epoch == 1
    assert (await carol.get_stream_room(room_id)).version == 2
    assert (await alice.update_stream_room(room_id, users=["carol"])).epoch == 2
    with pytest.raises(AccessDeniedError):
        await bob.get_stream_room(room_id)
    assert (await alice.update_stream_room(room_id, force_generate_new_key=True)).epoch == 3
    assert (
        await alice.update_stream_room(room_id, managers=["alice", "carol"], users=[])
    ).epoch == 3
    assert (await carol.get_stream_room(room_id)).managers == ["alice", "carol"]


async def test_a_member_removed_and_added_again_lacks_the_epochs_between(
    clients: ClientWorld,
) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice)
    await bob.get_stream_room(room_id)
    await alice.update_stream_room(room_id, users=[])
    await alice.update_stream_room(room_id, force_generate_new_key=True)
    await alice.update_stream_room(room_id, users=["bob"])
    opened = await bob._directory.get(room_id)
    assert opened.record.epoch == 3
    assert list(await bob._directory.epoch_secrets(opened)) == [3]


async def test_only_managers_update_and_a_room_keeps_one(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice)
    with pytest.raises(AccessDeniedError, match="Only managers change a room"):
        await bob.update_stream_room(room_id, public_meta=b"x")
    with pytest.raises(RoomMembersError):
        await alice.update_stream_room(room_id, users=["alice", "bob"], managers=[])
    with pytest.raises(InvalidArgumentError, match="nobody"):
        await alice.update_stream_room(room_id, users=["nobody"])
    with pytest.raises(AccessDeniedError):
        await alice.update_stream_room("unknown", users=["bob"])
    with pytest.raises(PolicyError):
        await alice.update_stream_room(room_id, policy={"fly": "all"})
    with pytest.raises(InvalidArgumentError, match="public_meta"):
        await alice.update_stream_room(room_id, public_meta=b"x" * (MAX_METADATA_BYTES + 1))
    assert (await bob.get_stream_room(room_id)).version == 1


async def test_a_manager_steps_down_only_where_the_policy_lets_him(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice, (), managers=("bob",))
    with pytest.raises(RecordRuleError, match="author stays"):
        await alice.update_stream_room(room_id, managers=["bob"], users=["alice"])
    await alice.update_stream_room(
        room_id,
        policy={
            "updater_can_be_removed_from_managers": "yes",
            "owner_can_be_removed_from_managers": "no",
        },
    )
    with pytest.raises(RecordRuleError, match="owner stays"):
        await alice.update_stream_room(room_id, managers=["bob"], users=["alice"])
    room = await bob.update_stream_room(room_id, managers=["alice"], users=["bob"])
    assert (room.managers, room.users) == (["alice"], ["bob"])


async def test_lists_go_on_after_an_id_and_sort_by_modification(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    ids = [await clients.room(alice) for _ in range(5)]
    await alice.update_stream_room(ids[1], public_meta=b"x")
    await asyncio.sleep(0.005)
    await alice.update_stream_room(ids[0], public_meta=b"x")

    async def listed(**options: Any) -> list[str]:
        return [one.room_id for one in (await alice.list_stream_rooms(**options)).rooms]

    assert await listed(sort_order="asc") == ids
    assert await listed(sort_order="asc", last_id=ids[1]) == ids[2:]
    assert await listed(sort_order="desc", last_id=ids[3]) == ids[2::-1]
    assert await listed(sort_order="asc", last_id=ids[0], skip=1, limit=2) == ids[2:4]
    assert (await listed(sort_by="modified_at"))[:2] == [ids[0], ids[1]]
    assert await listed(sort_by="modified_at", sort_order="asc", last_id=ids[1]) == [ids[0]]
    for wrong in ({"last_id": "unknown"}, {"last_id": ""}):
        with pytest.raises(RequestRefusedError) as refused:
            await alice.list_stream_rooms(**wrong)  # type: ignore[arg-type]
        assert refused.value.error_code == ErrorCode.INVALID_PARAMS
    with pytest.raises(InvalidArgumentError):
        await alice.list_stream_rooms(sort_by="name")


async def test_lists_filter_on_public_metadata_and_type(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    metas: list[Any] = [{"kind": "a", "n": 1}, {"kind": "a", "n": 2.0, "x": None}, {"kind": "b"}]
    ids = [await clients.room(alice, public_meta=json.dumps(one).encode()) for one in metas]
    plain = await clients.room(alice, public_meta=b"kind", room_type="t")
    long = await clients.room(alice, public_meta=json.dumps({"kind": "a" * 300, "n": [1]}).encode())

    async def found(**options: Any) -> set[str]:
        page = await alice.list_stream_rooms(**options)
        assert page.total == len(page.rooms)
        return {one.room_id for one in page.rooms}

    assert await found(filter={"kind": "a"}) == set(ids[:2])
    assert await found(filter={"kind": "a", "n": 2}) == {ids[1]}
    assert await found(filter={"x": None}) == {ids[1]}
    assert await found(filter={"n": "1"}) == set()
    assert await found(filter={"n": True}) == set()
    assert await found(room_type="t") == {plain}
    assert await found(room_type="") == {*ids, long}
    await alice.update_stream_room(ids[0], public_meta=b'{"kind": "b"}')
    assert await found(filter={"kind": "b"}) == {ids[0], ids[2]}
    with pytest.raises(RequestRefusedError):
        await alice.list_stream_rooms(filter={str(one): one for one in range(9)})


async def test_a_malformed_room_in_a_list_spoils_no_other(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    ids = [await clients.room(alice) for _ in range(3)]
    connection = clients.connection_of(alice)
    honest = connection.call

    async def lying(method: str, params: Any, result: Any) -> Any:
        answer = await honest(method, params, result)
        if method == "room.list":
            view = msgspec.json.decode(answer.rooms[1], type=RoomView)
            forged = msgspec.structs.replace(view.record, payload=b"{}")
            view = msgspec.structs.replace(view, record=forged)
            rooms = [msgspec.Raw(b'{"odd": 1}'), msgspec.Raw(msgspec.json.encode(view))]
            return msgspec.structs.replace(answer, rooms=[*rooms, answer.rooms[2]])
        return answer

    connection.call = lying  # type: ignore[method-assign]
    page = await alice.list_stream_rooms(sort_order="asc")
    assert [one.room_id for one in page.rooms] == [ids[2]]
    assert [(one.room_id, one.status) for one in page.refused] == [
        ("", "protocol_error"),
        (ids[1], "malformed_object"),
    ]


async def test_many_rooms_are_deleted_each_by_itself(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    ids = [await clients.room(alice), await clients.room(bob, ("alice",)), "unknown"]
    await alice.join_stream_room(ids[0])
    result = await alice.delete_stream_rooms(ids)
    denied = int(ErrorCode.ACCESS_DENIED)
    assert result == {ids[0]: None, ids[1]: denied, ids[2]: denied}
    with pytest.raises(NotJoinedError):
        await alice.leave_stream_room(ids[0])
    for wrong in ([], ["x"] * 101):
        with pytest.raises(InvalidArgumentError):
            await alice.delete_stream_rooms(wrong)


async def test_members_hear_of_changes_and_who_is_removed_hears_that(
    clients: ClientWorld,
) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    events = EventLog(bob)
    await bob.subscribe_for_events()
    room_id = await clients.room(alice)
    await alice.update_stream_room(room_id, public_meta=b"x")
    assert await events.next(RoomUpdated) == RoomUpdated(room_id, 2, 1, "alice")
    await alice.close_stream_room(room_id)
    assert await events.next() == RoomClosed(room_id, "alice")
    await alice.reopen_stream_room(room_id)
    assert await events.next() == RoomReopened(room_id, "alice")
    await alice.update_stream_room(room_id, users=[])
    assert await events.next() == RoomExcluded(room_id, "removed", "alice")
    await alice.update_stream_room(room_id, users=["bob"])
    assert await events.next() == RoomUpdated(room_id, 4, 2, "alice")


async def test_a_closed_room_can_be_read_and_changed_but_not_joined(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice)
    with pytest.raises(AccessDeniedError):
        await bob.close_stream_room(room_id)
    await bob.join_stream_room(room_id)
    await alice.close_stream_room(room_id)
    for attempt, code in (
        (alice.join_stream_room, ErrorCode.ROOM_CLOSED),
        (alice.close_stream_room, ErrorCode.ROOM_CLOSED),
    ):
        with pytest.raises(RequestRefusedError) as refused:
            await attempt(room_id)
        assert refused.value.error_code == code
    assert (await bob.get_stream_room(room_id)).state == "closed"
    assert (await alice.update_stream_room(room_id, public_meta=b"x")).state == "closed"
    with pytest.raises(AccessDeniedError):
        await bob.reopen_stream_room(room_id)
    await alice.reopen_stream_room(room_id)
    with pytest.raises(RequestRefusedError) as refused:
        await alice.reopen_stream_room(room_id)
    assert refused.value.error_code == ErrorCode.NOT_CLOSED
    await bob.join_stream_room(room_id)


async def test_a_reopened_room_closes_again_if_nobody_comes(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    room_id = await clients.room(alice, empty_room_ttl=30)
    await alice.close_stream_room(room_id)
    await alice.update_stream_room(room_id, empty_room_ttl=0.05)
    events = EventLog(alice)
    await alice.subscribe_for_events()
    await alice.reopen_stream_room(room_id)
    assert await events.next() == RoomClosed(room_id, None)
    assert (await alice.get_stream_room(room_id)).empty_room_ttl == 0.05


async def test_a_policy_change_ends_what_it_forbids(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice)
    for api in (alice, bob):
        await api.join_stream_room(room_id)
    stream = await bob.create_stream(room_id)
    from aiortc.mediastreams import AudioStreamTrack

    await stream.add_track(AudioStreamTrack())
    await stream.publish()
    await alice.update_stream_room(room_id, policy={"publish": "manager"})
    async with asyncio.timeout(10):
        while await bob.list_streams(room_id):
            await asyncio.sleep(0.01)
    assert not clients.world.media.streams
    second = await bob.create_stream(room_id)
    await second.add_track(AudioStreamTrack())
    with pytest.raises(AccessDeniedError):
        await second.publish()


async def test_a_kicked_participant_is_out_and_may_join_again(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice)
    for api in (alice, bob):
        await api.join_stream_room(room_id)
    events, others = EventLog(bob), EventLog(alice)
    participant = next(one for one in bob.list_participants(room_id) if one.user_id == "bob")
    with pytest.raises(AccessDeniedError):
        await bob.kick_participant(room_id, participant.participant_id)
    await alice.kick_participant(room_id, participant.participant_id)
    assert await events.next(RoomExcluded) == RoomExcluded(room_id, "kicked", "alice")
    left = await others.next(ParticipantLeft)
    assert (left.participant, left.reason) == (participant, "kicked")
    with pytest.raises(NotJoinedError):
        await bob.leave_stream_room(room_id)
    await bob.join_stream_room(room_id)


async def test_an_update_that_does_not_verify_changes_nothing_in_a_call(
    clients: ClientWorld,
) -> None:
    """The Bridge tells of a new version and shows a forged one: the epoch that was stays."""
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice)
    await bob.join_stream_room(room_id)
    events, connection = EventLog(bob), clients.connection_of(bob)
    honest = connection.call

    async def lying(method: str, params: Any, result: Any) -> Any:
        answer = await honest(method, params, result)
        if method != "room.history":
            return answer
        forged = [
            msgspec.structs.replace(
                one,
                record=msgspec.structs.replace(one.record, payload=one.record.payload + b" "),
            )
            for one in answer.records
        ]
        return msgspec.structs.replace(answer, records=forged)

    connection.call = lying  # type: ignore[method-assign]
    await alice.update_stream_room(room_id, force_generate_new_key=True)
    refused = await events.next(RoomRefused)
    assert isinstance(refused.error, ForgedSignatureError)
    assert bob._session(room_id)._keys.newest.id.epoch == 1
    connection.call = honest  # type: ignore[method-assign]
    await alice.update_stream_room(room_id, public_meta=b"x")
    assert await events.next(RoomUpdated) == RoomUpdated(room_id, 3, 2, "alice")
    assert bob._session(room_id)._keys.newest.id.epoch == 2


async def test_people_compare_numbers(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice)
    assert await alice.safety_number("bob") == await bob.safety_number("alice")
    number = await alice.room_safety_number(room_id)
    assert number == await bob.room_safety_number(room_id)
    await alice.update_stream_room(room_id, users=["bob", "carol"])
    assert await alice.room_safety_number(room_id) != number
    with pytest.raises(InvalidArgumentError):
        await alice.safety_number("alice")
    with pytest.raises(InvalidArgumentError):
        await alice.safety_number("nobody")


async def test_the_policy_of_a_context_is_written_into_new_rooms(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    admin = clients.world.bridge.admin
    await admin.context_set_policy(clients.context_id, {"publish": "manager", "kick": "owner"})
    room_id = await clients.room(alice, policy={"publish": "user"})
    assert (await alice.get_stream_room(room_id)).policy == {"publish": "user", "kick": "owner"}
    await admin.context_set_policy(
        clients.context_id, {"publish": "manager", "can_overwrite_context_policy": "no"}
    )
    with pytest.raises(RequestRefusedError) as refused:
        await clients.room(alice, policy={"publish": "user"})
    assert refused.value.field == "record.payload.policy.publish"
    with pytest.raises(RequestRefusedError) as refused:
        await alice.update_stream_room(room_id, policy={"publish": "all"})
    assert refused.value.error_code == ErrorCode.RECORD_INVALID
    for wrong in ({"fly": "all"}, {"share_history": "maybe"}):
        with pytest.raises(Exception, match="malformed"):
            await admin.context_set_policy(clients.context_id, wrong)


async def test_a_creator_need_not_manage_where_the_policy_says_so(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    room_id = await alice.create_stream_room(
        clients.context_id, ["alice"], ["bob"], policy={"creator_has_to_be_manager": "no"}
    )
    room = await alice.get_stream_room(room_id)
    assert (room.users, room.managers, room.creator) == (["alice"], ["bob"], "alice")
    with pytest.raises(AccessDeniedError, match="Only managers change a room"):
        await alice.update_stream_room(room_id, public_meta=b"x")
    bob = await clients.api("bob")
    assert (await bob.update_stream_room(room_id, public_meta=b"x")).creator == "alice"
