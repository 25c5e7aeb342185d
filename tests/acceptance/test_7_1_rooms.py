"""Acceptance 7.1: rooms and the guards of the API (docs/acceptance.md)."""

from __future__ import annotations

from typing import Any

import pytest
from client_support import ClientWorld

from sealroom.client import StreamSubscription
from sealroom.client.errors import (
    AccessDeniedError,
    AlreadyJoinedError,
    LoginFailedError,
    NotJoinedError,
    RequestRefusedError,
    VersionConflictError,
)
from sealroom.crypto.errors import MemberKeyMismatchError, RoomMembersError
from sealroom.errors import InvalidArgumentError, SealroomError
from sealroom.identity import CallbackVerifier


@pytest.mark.parametrize(
    ("users", "managers"), [(["bob", "carol"], ["alice"]), (["bob"], ["alice", "bob"])]
)
async def test_item_01_a_room_is_as_it_was_created(
    clients: ClientWorld, users: list[str], managers: list[str]
) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await alice.create_stream_room(
        clients.context_id, users, managers, public_meta=b"public", private_meta=b"private"
    )
    for api in (alice, bob):
        room = await api.get_stream_room(room_id)
        assert (room.room_id, room.context_id) == (room_id, clients.context_id)
        assert (room.creator, room.last_modifier, room.version) == ("alice", "alice", 1)
        assert (room.public_meta, room.private_meta) == (b"public", b"private")
        assert room.managers == managers
        # One role each: who is named as both is a manager, and so has all that a user has.
        assert room.users == [one for one in users if one not in managers]


@pytest.mark.parametrize(
    "arguments",
    [
        {"skip": -1},
        {"limit": -1},
        {"limit": 0},
        {"limit": 101},
        {"sort_order": "sideways"},
        {"sort_by": "colour"},
        {"last_id": ""},
        {"last_id": "unknown"},
        {"filter": {f"field{number}": 1 for number in range(9)}},
    ],
)
async def test_item_02_a_list_needs_valid_arguments(
    clients: ClientWorld, arguments: dict[str, Any]
) -> None:
    alice = await clients.api("alice")
    await clients.room(alice)
    with pytest.raises((InvalidArgumentError, RequestRefusedError)) as caught:
        await alice.list_stream_rooms(**arguments)
    assert next(iter(arguments)) in str(caught.value)
    assert (await alice.list_stream_rooms()).total == 1


async def test_item_02_a_context_is_named_at_the_log_in_and_an_unknown_one_refused(
    clients: ClientWorld,
) -> None:
    clients.context_id = "unknown"
    with pytest.raises(LoginFailedError):
        await clients.api("alice")


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_item_03_a_list_tells_the_total_and_gives_the_slice(
    clients: ClientWorld, order: str
) -> None:
    alice = await clients.api("alice")
    rooms = [await clients.room(alice) for _ in range(5)]
    expected = rooms if order == "asc" else rooms[::-1]
    for skip, limit in ((0, 2), (2, 2), (4, 2), (5, 2), (0, 100)):
        page = await alice.list_stream_rooms(skip=skip, limit=limit, sort_order=order)
        assert page.total == 5
        assert [one.room_id for one in page.rooms] == expected[skip : skip + limit]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"users": ["nobody"]}, InvalidArgumentError),
        ({"managers": ["alice", "nobody"]}, InvalidArgumentError),
        ({"managers": []}, RoomMembersError),
        ({"version": 7, "public_meta": b"new"}, VersionConflictError),
    ],
)
async def test_item_04_a_wrong_update_is_refused_and_changes_nothing(
    clients: ClientWorld, change: dict[str, Any], error: type[SealroomError]
) -> None:
    alice = await clients.api("alice")
    room_id = await clients.room(alice)
    before = await alice.get_stream_room(room_id)
    with pytest.raises(error):
        await alice.update_stream_room(room_id, **change)
    assert await alice.get_stream_room(room_id) == before
    with pytest.raises(AccessDeniedError):
        await alice.update_stream_room("unknown", public_meta=b"new")


async def test_item_05_members_go_versions_count_and_force_wins(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    room_id = await alice.create_stream_room(
        clients.context_id, ["carol"], managers=["alice", "bob"]
    )
    room = await alice.update_stream_room(room_id, users=[])
    assert (room.version, room.epoch, room.users) == (2, 2, [])
    room = await alice.update_stream_room(room_id, managers=["alice"])
    assert (room.version, room.epoch, room.managers) == (3, 3, ["alice"])
    room = await alice.update_stream_room(room_id, public_meta=b"new", version=1, force=True)
    assert (room.version, room.epoch, room.public_meta) == (4, 3, b"new")
    room = await alice.update_stream_room(room_id, force_generate_new_key=True)
    assert (room.version, room.epoch) == (5, 4)


async def test_item_06_managers_delete_and_then_it_is_gone(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice)
    with pytest.raises(AccessDeniedError):
        await bob.delete_stream_room(room_id)
    assert (await bob.get_stream_room(room_id)).room_id == room_id
    await alice.delete_stream_room(room_id)
    for api in (alice, bob):
        with pytest.raises(AccessDeniedError):
            await api.get_stream_room(room_id)


async def test_item_07_a_verifier_that_says_no(clients: ClientWorld) -> None:
    """Nothing opens; unlike in the reference, nothing can be created for keys not believed."""
    room_id = await clients.room(await clients.api("alice"))
    alice = await clients.api("alice", CallbackVerifier(lambda context, user: user == "alice"))
    bob = await clients.api("bob", CallbackVerifier(lambda context, user: False))
    page = await bob.list_stream_rooms()
    assert (page.total, page.rooms) == (1, [])
    assert page.refused[0].status == MemberKeyMismatchError.code
    with pytest.raises(MemberKeyMismatchError):
        await bob.get_stream_room(room_id)
    for user in ("bob", "carol"):
        with pytest.raises(MemberKeyMismatchError):
            await alice.create_stream_room(clients.context_id, [user])
    with pytest.raises(MemberKeyMismatchError):
        await bob.update_stream_room(room_id, public_meta=b"new")
    assert (await alice.list_stream_rooms()).total == 1
    await alice.delete_stream_room(room_id)  # needs nobody's key


async def test_item_08_a_room_where_nobody_publishes_lists_no_streams(clients: ClientWorld) -> None:
    """Unlike in the reference, the caller has joined: events keep the list."""
    alice = await clients.api("alice")
    room_id = await clients.room(alice)
    with pytest.raises(NotJoinedError):
        await alice.list_streams(room_id)
    await alice.join_stream_room(room_id)
    assert await alice.list_streams(room_id) == []


async def test_item_09_joining_and_leaving_happen_once(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    room_id = await clients.room(alice)
    with pytest.raises(NotJoinedError):
        await alice.create_stream(room_id)
    with pytest.raises(AccessDeniedError):
        await alice.join_stream_room("unknown")
    await alice.join_stream_room(room_id)
    with pytest.raises(AlreadyJoinedError):
        await alice.join_stream_room(room_id)
    await alice.leave_stream_room(room_id)
    with pytest.raises(NotJoinedError):
        await alice.leave_stream_room(room_id)
    for late in (
        alice.create_stream(room_id),
        alice.subscribe_to_remote_streams(room_id, [StreamSubscription(stream_id="s")]),
    ):
        with pytest.raises(NotJoinedError):
            await late
