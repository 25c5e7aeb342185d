"""What administrators do to contexts, users, rooms and participants, and what members notice."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import msgspec
import pytest
from bridge_support import Client, Refused, World, eventually, open_world

from sealroom.bridge import RequestError
from sealroom.identity import Identity
from sealroom.protocol import CLOSE_USER_REMOVED, MAX_PAGE_ITEMS, ErrorCode, EventType


@pytest.fixture
async def root(world: World) -> Client:
    client = await world.connect()
    await client.call("auth.admin", api_key=await world.bridge.admin.create_api_key())
    return client


async def refused(call: Awaitable[object]) -> tuple[ErrorCode, str | None]:
    with pytest.raises(Refused) as refusal:
        await call
    return refusal.value.code, refusal.value.field


async def call_of_two(world: World) -> tuple[Client, Client, str]:
    """Alice and bob in a room of alice's; bob publishes."""
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(alice, ["bob"])
    await alice.join(room.room_id)
    await bob.join(room.room_id)
    await bob.publish(room.room_id)
    await alice.event(EventType.PARTICIPANT_JOINED)
    await alice.event(EventType.STREAM_PUBLISHED)
    return alice, bob, room.room_id


# --- Contexts ---


async def test_a_context_is_made_changed_and_shown(world: World, root: Client) -> None:
    made = await root.call("admin.context_create", title="first")
    context_id = made.context_id
    changed = await root.call(
        "admin.context_update", context_id=context_id, title="second", policy={"publish": "manager"}
    )
    assert (changed.title, changed.policy) == ("second", {"publish": "manager"})
    assert await root.call("admin.context_update", context_id=context_id, title="third") == (
        msgspec.structs.replace(changed, title="third")
    )
    await root.call("admin.context_set_policy", context_id=context_id, policy={})
    shown = await root.call("admin.context_get", context_id=context_id)
    assert (shown.title, shown.policy, shown.created_at) == ("third", {}, made.created_at)
    update = root.call("admin.context_update", context_id=context_id, policy={"fly": "all"})
    assert await refused(update) == (ErrorCode.INVALID_PARAMS, "policy.fly")
    with pytest.raises(RequestError):
        await world.bridge.admin.context_create("")
    for method in ("get", "update", "delete"):
        unknown = root.call(f"admin.context_{method}", context_id="unknown")
        assert await refused(unknown) == (ErrorCode.CONTEXT_NOT_FOUND, "context_id")


async def test_a_deleted_context_is_gone_with_all_that_is_in_it(world: World, root: Client) -> None:
    alice, bob, room_id = await call_of_two(world)
    await world.create_room(alice, ttl=0.0)
    other = await root.call("admin.context_create", title="other")
    await root.call("admin.context_delete", context_id=world.context_id)
    for client in (alice, bob):
        await asyncio.wait_for(client.socket.wait_closed(), 10)
        assert client.socket.close_code == CLOSE_USER_REMOVED
    assert [one.context_id for one in (await root.call("admin.context_list")).contexts] == [
        other.context_id
    ]
    assert world.media.streams == {}
    figures = await root.call("admin.statistics")
    assert (figures.sessions, figures.live_rooms, figures.live.participants) == (0, 0, 0)
    assert await refused(root.call("admin.room_get", room_id=room_id)) == (
        ErrorCode.ROOM_NOT_FOUND,
        "room_id",
    )
    again = await world.connect()
    assert (await refused(again.login("alice", world.identities["alice"])))[0] is (
        ErrorCode.LOGIN_FAILED
    )


async def test_a_join_under_way_does_not_survive_its_context(world: World) -> None:
    alice = await world.user("alice")
    room = await world.create_room(alice)
    joining = asyncio.create_task(alice.call("room.join", room_id=room.room_id))
    await world.bridge.admin.context_delete(world.context_id)
    await asyncio.wait_for(alice.socket.wait_closed(), 10)
    joining.cancel()
    statistics = await world.bridge.admin.statistics()
    assert (statistics.sessions, statistics.live_rooms) == (0, 0)


# --- Users ---


async def test_a_user_is_shown_with_access_lines_and_live_sessions(
    world: World, root: Client
) -> None:
    await world.user("alice")
    of_alice = {"context_id": world.context_id, "user_id": "alice"}
    await root.call("admin.user_set_acl", {**of_alice, "acl": "allow all"})
    shown = await root.call("admin.user_get", of_alice)
    public = world.identities["alice"].public
    assert (shown.identity, shown.fingerprint) == (public.encode(), public.fingerprint)
    assert (shown.acl, shown.sessions) == ("allow all", 1)
    unknown = root.call("admin.user_get", context_id=world.context_id, user_id="zoe")
    assert await refused(unknown) == (ErrorCode.USER_NOT_FOUND, "user_id")


async def test_a_replaced_identity_ends_sessions_and_opens_no_room(
    world: World, root: Client
) -> None:
    alice, bob, room_id = await call_of_two(world)
    of_bob = {"context_id": world.context_id, "user_id": "bob"}
    await root.call("admin.user_set_acl", {**of_bob, "acl": "allow all"})
    new = Identity.generate()
    added = await root.call("admin.user_set_identity", {**of_bob, "identity": new.public.encode()})
    assert added.identity == new.public.encode()
    await asyncio.wait_for(bob.socket.wait_closed(), 10)
    assert bob.socket.close_code == CLOSE_USER_REMOVED
    await eventually(lambda: not world.media.streams)
    old = await world.connect()
    assert (await refused(old.login("bob", world.identities["bob"])))[0] is ErrorCode.LOGIN_FAILED
    again = await world.connect()
    await again.login("bob", new)
    for method in ("room.get", "room.join", "room.history"):
        assert (await refused(again.call(method, room_id=room_id)))[0] is ErrorCode.ACCESS_DENIED
    assert (await root.call("admin.user_get", of_bob)).acl == "allow all"
    users = await alice.call("context.users", context_id=world.context_id, user_ids=["bob"])
    assert users.users[0].identity == new.public.encode()  # for alice's UserVerifier to refuse
    for wrong, error in (
        ({**of_bob, "identity": "rubbish"}, (ErrorCode.INVALID_PARAMS, "identity")),
        ({**of_bob, "user_id": "zoe", "identity": new.public.encode()}, None),
    ):
        outcome = await refused(root.call("admin.user_set_identity", wrong))
        assert outcome == (error or (ErrorCode.USER_NOT_FOUND, "user_id"))


# --- Rooms ---


async def test_a_room_shows_what_is_public_of_it_and_nothing_else(
    world: World, root: Client
) -> None:
    _, _, room_id = await call_of_two(world)
    shown = await root.call("admin.room_get", room_id=room_id)
    assert (shown.creator, shown.author, shown.state) == ("alice", "alice", "open")
    assert (shown.version, shown.epoch, shown.public_meta) == (1, 1, b"public")
    assert [(one.user_id, one.role) for one in shown.members] == [
        ("alice", "manager"),
        ("bob", "user"),
    ]
    assert (shown.participants, shown.streams) == (2, 1)
    text = msgspec.json.encode(shown)
    assert b"private, encrypted" not in msgspec.json.encode(msgspec.to_builtins(shown))
    assert b"sealed" not in text
    unknown = root.call("admin.room_get", room_id="unknown")
    assert await refused(unknown) == (ErrorCode.ROOM_NOT_FOUND, "room_id")


async def test_rooms_are_listed_by_state_and_page(world: World, root: Client) -> None:
    alice = await world.user("alice")
    rooms = [(await world.create_room(alice)).room_id for _ in range(5)]
    await alice.join(rooms[0])
    for room_id in rooms[1:3]:
        await root.call("admin.room_close", room_id=room_id)

    async def listed(**params: object) -> tuple[int, set[str]]:
        page = await root.call("admin.room_list", context_id=world.context_id, **params)
        return page.total, {one.room_id for one in page.rooms}

    assert await listed() == (5, set(rooms))
    assert await listed(state="open") == (1, {rooms[0]})
    assert await listed(state="closed") == (2, set(rooms[1:3]))
    assert await listed(state="created") == (2, set(rooms[3:]))
    pages = [await listed(skip=skip, limit=2) for skip in (0, 2, 4)]
    assert [total for total, _ in pages] == [5, 5, 5]
    assert set().union(*(found for _, found in pages)) == set(rooms)
    wrong = root.call("admin.room_list", context_id=world.context_id, state="ajar")
    assert await refused(wrong) == (ErrorCode.INVALID_PARAMS, "state")
    for params, field in (({"limit": MAX_PAGE_ITEMS + 1}, "limit"), ({"skip": -1}, "skip")):
        call = root.call("admin.room_list", {"context_id": world.context_id, **params})
        assert await refused(call) == (ErrorCode.INVALID_PARAMS, field)


async def test_members_hear_of_what_an_administrator_does_to_their_room(
    world: World, root: Client
) -> None:
    alice, bob, room_id = await call_of_two(world)
    for client in (alice, bob):
        types = ["room.closed", "room.reopened", "room.deleted"]
        await client.call("events.subscribe", types=types, scope="room", scope_id=room_id)
    await root.call("admin.room_close", room_id=room_id)
    for client in (alice, bob):
        _, closed = await client.event(EventType.ROOM_CLOSED)
        assert (closed.reason, closed.user_id) == ("closed", None)
    await eventually(lambda: world.media.count("remove_participant") == 2)
    assert (await refused(alice.join(room_id)))[0] is ErrorCode.ROOM_CLOSED
    again = root.call("admin.room_close", room_id=room_id)
    assert await refused(again) == (ErrorCode.ROOM_CLOSED, "room_id")
    await root.call("admin.room_reopen", room_id=room_id)
    for client in (alice, bob):
        assert (await client.event(EventType.ROOM_REOPENED))[1].user_id is None
    again = root.call("admin.room_reopen", room_id=room_id)
    assert await refused(again) == (ErrorCode.NOT_CLOSED, "room_id")
    await alice.join(room_id)
    await root.call("admin.room_delete", room_id=room_id)
    assert (await alice.event(EventType.ROOM_DELETED))[1].user_id is None
    assert (await refused(alice.call("room.get", room_id=room_id)))[0] is ErrorCode.ACCESS_DENIED
    gone = root.call("admin.room_delete", room_id=room_id)
    assert await refused(gone) == (ErrorCode.ROOM_NOT_FOUND, "room_id")


async def test_many_rooms_are_deleted_one_by_one(world: World, root: Client) -> None:
    alice = await world.user("alice")
    first, second = [(await world.create_room(alice)).room_id for _ in range(2)]
    deleted = await root.call("admin.room_delete_many", room_ids=[first, "unknown", second])
    assert [one.error for one in deleted.rooms] == [None, ErrorCode.ROOM_NOT_FOUND, None]
    assert (await root.call("admin.room_list", context_id=world.context_id)).total == 0
    for room_ids in ([], ["r"] * 101):
        call = root.call("admin.room_delete_many", room_ids=room_ids)
        assert await refused(call) == (ErrorCode.INVALID_PARAMS, "room_ids")
        with pytest.raises(RequestError, match="limit"):
            await world.bridge.admin.room_delete_many(room_ids)


# --- Participants ---


async def test_participants_are_listed_and_thrown_out_with_a_reason(
    world: World, root: Client
) -> None:
    alice, bob, room_id = await call_of_two(world)
    listed = await root.call("admin.participant_list", context_id=world.context_id)
    assert listed.total == 2
    first, second = listed.participants
    assert (first.user_id, first.streams, second.user_id, second.streams) == ("alice", 0, "bob", 1)
    assert (second.room_id, second.received_bytes, second.sent_bytes) == (room_id, 11, 7)
    page = await root.call(
        "admin.participant_list", context_id=world.context_id, room_id=room_id, skip=1, limit=1
    )
    assert (page.total, page.participants) == (2, [second])
    await root.call(
        "admin.participant_kick",
        room_id=room_id,
        participant_id=second.participant_id,
        note="the meeting is over",
    )
    _, excluded = await bob.event(EventType.ROOM_EXCLUDED)
    assert (excluded.reason, excluded.user_id) == ("kicked", None)
    assert excluded.note == "the meeting is over"
    await alice.event(EventType.STREAM_UNPUBLISHED)
    _, left = await alice.event(EventType.PARTICIPANT_LEFT)
    assert (left.user_id, left.reason) == ("bob", "kicked")
    gone = root.call(
        "admin.participant_kick", room_id=room_id, participant_id=second.participant_id
    )
    assert await refused(gone) == (ErrorCode.PARTICIPANT_NOT_FOUND, "participant_id")
    await bob.join(room_id)  # a member still
    empty = await root.call("admin.participant_list", context_id=world.context_id, room_id="other")
    assert (empty.total, empty.participants) == (0, [])
    for params, error in (
        ({"context_id": "unknown"}, (ErrorCode.CONTEXT_NOT_FOUND, "context_id")),
        ({"context_id": world.context_id, "limit": 0}, (ErrorCode.INVALID_PARAMS, "limit")),
    ):
        assert await refused(root.call("admin.participant_list", params)) == error
    long = {"room_id": room_id, "participant_id": "p", "note": "x" * 257}
    kick = root.call("admin.participant_kick", long)
    assert await refused(kick) == (ErrorCode.INVALID_PARAMS, "note")


# --- Statistics ---


async def test_statistics_count_what_is_there(world: World, root: Client) -> None:
    alice, bob, room_id = await call_of_two(world)
    await world.create_room(alice)
    of_room = await root.call("admin.room_statistics", room_id=room_id)
    assert (of_room.state, of_room.members) == ("open", 2)
    live = of_room.live
    assert (live.participants, live.streams, live.subscribed_tracks) == (2, 1, 0)
    assert (live.received_bytes, live.sent_bytes) == (22, 14)
    of_context = await root.call("admin.context_statistics", context_id=world.context_id)
    assert (of_context.users, of_context.rooms) == (3, {"created": 1, "open": 1, "closed": 0})
    assert (of_context.sessions, of_context.live_rooms, of_context.live) == (2, 1, live)
    whole = await root.call("admin.statistics")
    assert (whole.bridge_id, whole.sessions) == (world.bridge.bridge.bridge_id, 2)
    assert (whole.live_rooms, whole.live, whole.media.producers) == (1, live, 1)
    assert 0 < whole.uptime < 600
    other = await root.call("admin.context_create", title="other")
    empty = await root.call("admin.context_statistics", context_id=other.context_id)
    assert (empty.users, empty.sessions, empty.live.participants) == (0, 0, 0)
    await bob.close()
    await eventually(lambda: world.media.count("remove_participant") == 1)
    assert (await root.call("admin.room_statistics", room_id=room_id)).live.streams == 0
    for method, field in (("room", "room_id"), ("context", "context_id")):
        call = root.call(f"admin.{method}_statistics", **{field: "unknown"})
        assert (await refused(call))[1] == field


@pytest.mark.parametrize(
    ("field", "value"), [("skip", -1), ("skip", "a"), ("limit", 0), ("limit", MAX_PAGE_ITEMS + 1)]
)
async def test_pages_that_are_none_are_refused_in_process_too(
    world: World, field: str, value: Any
) -> None:
    admin, page = world.bridge.admin, {field: value}
    context_id = (await admin.context_create("pages")).context_id
    for call in (
        admin.context_list(**page),
        admin.key_list(**page),
        admin.user_list(context_id, **page),
        admin.room_list(context_id, **page),
        admin.participant_list(context_id, **page),
        admin.audit_list(**page),
    ):
        with pytest.raises(RequestError) as refusal:
            await call
        assert (refusal.value.error, refusal.value.field) == (ErrorCode.INVALID_PARAMS, field)


async def test_a_member_without_a_key_reaches_none_of_it(world: World) -> None:
    alice = await world.user("alice")
    room = await world.create_room(alice)
    for method in ("room_get", "room_close", "room_delete", "room_statistics"):
        call = alice.call(f"admin.{method}", room_id=room.room_id)
        assert (await refused(call))[0] is ErrorCode.ADMIN_REQUIRED


async def test_a_deleted_room_of_a_deleted_context_leaves_no_timer() -> None:
    async with open_world(empty_room_ttl=0.05) as world:
        alice = await world.user("alice")
        room = await world.create_room(alice)
        await alice.join(room.room_id)
        await world.bridge.admin.context_delete(world.context_id)
        life = world.bridge.bridge._running().admin._parts.control._life
        assert life._closing == {}
