"""Rooms: what a new one must look like, who sees it, lists, deletion, and their states."""

import asyncio

import msgspec
import pytest
from bridge_support import Refused, World, eventually, open_world

from sealroom.protocol import (
    MAX_JOINED_ROOMS,
    MAX_PAGE_BYTES,
    ErrorCode,
    EventType,
    RoomMember,
    SealedSecret,
)

ROOM_METHODS = {
    "room.get": {},
    "room.delete": {},
    "room.join": {},
    "room.leave": {},
    "room.participants": {},
    "stream.list": {},
    "stream.unpublish": {"stream_id": "s"},
    "subscription.update": {},
    "media.answer": {"offer_id": 1, "sdp": "x"},
    "media.trickle": {"transport": "publisher", "candidate": "x"},
}


async def refused_creation(world: World, code: ErrorCode, field: str, **changes: object) -> None:
    """A record with these changes, rightly signed, makes no room."""
    client = await world.user("alice")
    record = world.record(["alice"], ["bob"], **changes)
    await refused_params(world, client, world.create_params(client, record), code, field)


async def refused_params(world, client, params, code, field) -> None:
    with pytest.raises(Refused) as refusal:
        await client.call("room.create", params)
    assert (refusal.value.code, refusal.value.field) == (code, field)
    assert refusal.value.remedy
    listed = await world.bridge.admin.room_list(world.context_id)
    assert listed.total == 0


async def test_a_room_is_stored_verbatim(world: World) -> None:
    alice = await world.user("alice")
    params = world.create_params(alice, world.record(["alice"], ["bob"]), empty_room_ttl=5)
    created = (await alice.call("room.create", params)).room
    assert created.record == params.record
    assert (created.state, created.empty_room_ttl) == ("created", 5)
    seen = (await alice.call("room.get", room_id=params.room_id)).room
    assert seen == created


async def test_each_member_gets_its_own_sealed_secret_only(world: World) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(alice, ["bob"])
    assert [(one.user_id, one.sealed) for one in room.sealed_secrets] == [("alice", b"for alice")]
    for client, name in ((alice, "alice"), (bob, "bob")):
        got = (await client.call("room.get", room_id=room.room_id)).room
        listed = (await client.call("room.list", context_id=world.context_id)).rooms[0]
        expected = [SealedSecret(user_id=name, epoch=1, sealed=f"for {name}".encode())]
        assert got.sealed_secrets == listed.sealed_secrets == expected


async def test_a_stranger_is_refused_everywhere_as_if_there_were_no_room(world: World) -> None:
    alice, mallory = await world.user("alice"), await world.user("mallory")
    room = await world.create_room(alice, ["bob"])
    await alice.join(room.room_id)
    announcement = mallory.sign("stream-announcement", b"{}")
    methods = ROOM_METHODS | {"stream.publish": {"announcement": announcement, "offer": "x"}}
    for method, params in methods.items():
        answers = []
        for room_id in (room.room_id, "unknown"):
            with pytest.raises(Refused) as refusal:
                await mallory.call(method, {"room_id": room_id, **params})
            error = refusal.value
            answers.append((error.code, error.message, error.field, error.remedy))
        assert answers[0] == answers[1]
        assert answers[0][0] is ErrorCode.ACCESS_DENIED, method
    with pytest.raises(Refused) as refusal:
        await mallory.call(
            "events.subscribe", types=["room.closed"], scope="room", scope_id=room.room_id
        )
    assert refusal.value.code is ErrorCode.ACCESS_DENIED
    assert (await mallory.call("room.list", context_id=world.context_id)).total == 0
    await alice.no_event()


async def test_members_of_another_context_are_strangers(world: World) -> None:
    alice = await world.user("alice")
    room = await world.create_room(alice)
    other = await world.bridge.admin.context_create("other")
    await world.bridge.admin.user_add(other.context_id, "alice", world.identities["alice"].public)
    client = await world.connect()
    await client.login("alice", world.identities["alice"], other.context_id)
    for method, params in {
        "room.get": {"room_id": room.room_id},
        "room.list": {"context_id": world.context_id},
        "context.users": {"context_id": world.context_id},
        "events.subscribe": {
            "types": ["room.created"],
            "scope": "context",
            "scope_id": world.context_id,
        },
    }.items():
        with pytest.raises(Refused) as refusal:
            await client.call(method, params)
        assert refusal.value.code is ErrorCode.ACCESS_DENIED
    client.context_id = world.context_id
    record = world.record(["alice"])
    with pytest.raises(Refused) as refusal:
        await client.call("room.create", world.create_params(client, record))
    assert refusal.value.code is ErrorCode.ACCESS_DENIED


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("record.payload.context_id", {"context_id": "other"}),
        ("record.payload.author", {"author": "bob"}),
        ("record.payload.version", {"version": 2}),
        ("record.payload.previous_hash", {"previous_hash": bytes(32)}),
        ("record.payload.epoch", {"epoch": 2}),
        ("record.payload.policy.get", {"policy": {"get": "everyone"}}),
        ("record.payload.policy.fly", {"policy": {"fly": "all"}}),
    ],
)
async def test_a_record_must_fit_the_request(world: World, field: str, changes: dict) -> None:
    client = await world.user("alice")
    params = world.create_params(client, world.record(["alice"], ["bob"], **changes))
    params = msgspec.structs.replace(params, context_id=world.context_id)
    await refused_params(world, client, params, ErrorCode.RECORD_INVALID, field)


async def test_a_record_binds_its_room_id(world: World) -> None:
    client = await world.user("alice")
    params = world.create_params(client, world.record(["alice"]), room_id="another")
    field = "record.payload.room_id"
    await refused_params(world, client, params, ErrorCode.RECORD_INVALID, field)


async def test_a_record_with_unknown_fields_is_refused(world: World) -> None:
    client = await world.user("alice")
    record = world.record(["alice"])
    payload = msgspec.json.encode({**msgspec.to_builtins(record), "more": 1})
    signed = client.sign("room-record", payload)
    params = msgspec.structs.replace(world.create_params(client, record), record=signed)
    field = "record.payload.more"
    await refused_params(world, client, params, ErrorCode.RECORD_INVALID, field)


async def test_only_the_author_can_send_a_record(world: World) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    params = world.create_params(alice, world.record(["alice"], ["bob"]))
    code = ErrorCode.SIGNATURE_INVALID
    await refused_params(world, bob, params, code, "record.author")
    forged = msgspec.structs.replace(params.record, author="bob")
    forged_params = msgspec.structs.replace(params, record=forged)
    await refused_params(world, bob, forged_params, code, "record.signature")


async def test_a_changed_payload_or_type_is_refused(world: World) -> None:
    alice = await world.user("alice")
    params = world.create_params(alice, world.record(["alice"]))
    for changes, field in (
        ({"payload": params.record.payload + b" "}, "record.signature"),
        ({"type": "stream-announcement"}, "record.type"),
    ):
        record = msgspec.structs.replace(params.record, **changes)
        changed = msgspec.structs.replace(params, record=record)
        await refused_params(world, alice, changed, ErrorCode.SIGNATURE_INVALID, field)


async def test_the_author_must_be_a_manager_with_its_own_fingerprint(world: World) -> None:
    alice = await world.user("alice")
    record = world.record(["alice"], ["bob"])
    first, second = record.members
    for members in (
        [second],
        [msgspec.structs.replace(first, role="user"), second],
        [msgspec.structs.replace(first, identity_fingerprint=bytes(32)), second],
        [first, first],
    ):
        await refused_creation(
            world, ErrorCode.RECORD_INVALID, "record.payload.members", members=members
        )
    assert alice.events.empty()


async def test_members_must_be_users_with_these_identities(world: World) -> None:
    await world.user("alice")
    record = world.record(["alice"], ["bob"])
    for wrong in (
        RoomMember(user_id="nobody", identity_fingerprint=bytes(32), role="user"),
        msgspec.structs.replace(record.members[1], identity_fingerprint=bytes(32)),
    ):
        await refused_creation(
            world,
            ErrorCode.RECORD_INVALID,
            "record.payload.members[1]",
            members=[record.members[0], wrong],
        )


async def test_every_member_has_exactly_one_secret_of_the_epoch(world: World) -> None:
    client = await world.user("alice")
    record = world.record(["alice"], ["bob"])
    alice, bob = world.create_params(client, record).sealed_secrets
    replace = msgspec.structs.replace
    for secrets, field in (
        ([alice], "sealed_secrets"),
        ([alice, bob, bob], "sealed_secrets[2].user_id"),
        ([alice, replace(bob, user_id="mallory")], "sealed_secrets[1].user_id"),
        ([alice, replace(bob, epoch=2)], "sealed_secrets[1].epoch"),
    ):
        params = world.create_params(client, record, sealed_secrets=secrets)
        await refused_params(world, client, params, ErrorCode.SECRETS_INVALID, field)


async def test_a_taken_room_id_is_refused_and_the_room_stays(world: World) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(alice)
    record = world.record(["bob"], room_id=room.room_id)
    with pytest.raises(Refused) as refusal:
        await bob.call("room.create", world.create_params(bob, record))
    assert refusal.value.code is ErrorCode.ROOM_EXISTS
    assert (await alice.call("room.get", room_id=room.room_id)).room == room
    with pytest.raises(Refused):
        await bob.call("room.get", room_id=room.room_id)


async def test_lists_are_paged_in_both_orders(world: World) -> None:
    alice = await world.user("alice")
    made = [(await world.create_room(alice)).room_id for _ in range(7)]
    await world.create_room(await world.user("bob"))
    seen = {}
    for order in ("asc", "desc"):
        pages = [
            await alice.call(
                "room.list", context_id=world.context_id, skip=skip, limit=3, sort_order=order
            )
            for skip in (0, 3, 6, 9)
        ]
        assert [page.total for page in pages] == [7] * 4
        assert [len(page.rooms) for page in pages] == [3, 3, 1, 0]
        seen[order] = [room.room_id for page in pages for room in page.rooms]
    assert set(seen["asc"]) == set(made)
    assert seen["desc"] == seen["asc"][::-1]
    times = [(await alice.call("room.get", room_id=one)).room.created_at for one in seen["asc"]]
    assert times == sorted(times)


async def test_a_page_stops_before_it_outgrows_a_message(world: World) -> None:
    alice = await world.user("alice")
    big = {"public_meta": bytes(65536), "private_meta": bytes(65536)}
    for _ in range(12):
        await world.create_room(alice, **big)
    room_ids: list[str] = []
    pages = 0
    while len(room_ids) < 12:
        page = await alice.call("room.list", context_id=world.context_id, skip=len(room_ids))
        assert page.rooms
        assert len(msgspec.json.encode(page)) <= MAX_PAGE_BYTES
        room_ids += [room.room_id for room in page.rooms]
        pages += 1
    assert (pages > 1, len(set(room_ids))) == (True, 12)


async def test_only_who_may_delete_deletes(world: World) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(alice, ["bob"])
    with pytest.raises(Refused) as refusal:
        await bob.call("room.delete", room_id=room.room_id)
    assert refusal.value.code is ErrorCode.ACCESS_DENIED
    await alice.call("room.delete", room_id=room.room_id)
    for client in (alice, bob):
        with pytest.raises(Refused):
            await client.call("room.get", room_id=room.room_id)
    with pytest.raises(Refused) as refusal:
        await alice.call("room.delete", room_id=room.room_id)
    assert refusal.value.code is ErrorCode.ACCESS_DENIED


async def test_a_policy_without_get_hides_the_room_from_users(world: World) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    await bob.call(
        "events.subscribe", types=["room.created"], scope="context", scope_id=world.context_id
    )
    room = await world.create_room(alice, ["bob"], policy={"get": "manager"})
    for method in ("room.get", "room.join", "room.participants", "stream.list"):
        with pytest.raises(Refused) as refusal:
            await bob.call(method, room_id=room.room_id)
        assert refusal.value.code is ErrorCode.ACCESS_DENIED
    assert (await bob.call("room.list", context_id=world.context_id)).total == 0
    await bob.no_event()
    assert (await alice.call("room.list", context_id=world.context_id)).total == 1


async def test_deleting_a_room_cuts_off_its_participants(world: World) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(alice, ["bob"])
    await alice.join(room.room_id)
    participant = (await bob.join(room.room_id)).participant_id
    await bob.publish(room.room_id)
    await alice.call("room.delete", room_id=room.room_id)
    await bob.event(EventType.ROOM_DELETED)
    await bob.no_event()
    assert ("remove_participant", participant) in world.media.calls
    assert world.media.count("remove_participant") == 2
    assert not world.media.streams
    with pytest.raises(Refused) as refusal:
        await bob.call("room.leave", room_id=room.room_id)
    assert refusal.value.code is ErrorCode.ACCESS_DENIED


async def test_joining_and_leaving_twice_are_errors(world: World) -> None:
    alice = await world.user("alice")
    room = await world.create_room(alice)
    with pytest.raises(Refused) as refusal:
        await alice.call("room.leave", room_id=room.room_id)
    assert refusal.value.code is ErrorCode.NOT_JOINED
    await alice.join(room.room_id)
    with pytest.raises(Refused) as refusal:
        await alice.join(room.room_id)
    assert refusal.value.code is ErrorCode.ALREADY_JOINED
    await alice.call("room.leave", room_id=room.room_id)
    assert world.media.count("remove_participant") == 1
    await alice.join(room.room_id)


async def test_a_user_may_join_from_two_connections(world: World) -> None:
    first, second = await world.user("alice"), await world.user("alice")
    room = await world.create_room(first)
    one = (await first.join(room.room_id)).participant_id
    other = await second.join(room.room_id)
    assert other.participant_id != one
    assert {one, other.participant_id} == {each.participant_id for each in other.participants}


async def test_participants_are_seen_without_joining(world: World) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(alice, ["bob"])
    await alice.join(room.room_id)
    listed = await bob.call("room.participants", room_id=room.room_id)
    assert [one.user_id for one in listed.participants] == ["alice"]


async def test_a_session_joins_a_limited_number_of_rooms(world: World) -> None:
    alice = await world.user("alice")
    for _ in range(MAX_JOINED_ROOMS):
        await alice.join((await world.create_room(alice)).room_id)
    extra = await world.create_room(alice)
    with pytest.raises(Refused) as refusal:
        await alice.join(extra.room_id)
    assert refusal.value.code is ErrorCode.LIMIT_EXCEEDED
    assert (await alice.call("room.get", room_id=extra.room_id)).room.state == "created"


async def state(client, room) -> str:
    return (await client.call("room.get", room_id=room.room_id)).room.state


async def test_an_empty_room_closes_after_its_time_to_live(world: World) -> None:
    alice = await world.user("alice")
    room = await world.create_room(alice, ttl=0.3)
    await asyncio.sleep(0.5)
    assert await state(alice, room) == "created"  # never joined: it does not age
    await alice.join(room.room_id)
    assert await state(alice, room) == "open"
    await alice.call("events.subscribe", types=["room.closed"], scope="room", scope_id=room.room_id)
    await asyncio.sleep(0.5)
    assert await state(alice, room) == "open"
    await alice.call("room.leave", room_id=room.room_id)
    assert await state(alice, room) == "open"
    await alice.event(EventType.ROOM_CLOSED)
    assert await state(alice, room) == "closed"
    with pytest.raises(Refused) as refusal:
        await alice.join(room.room_id)
    assert refusal.value.code is ErrorCode.ROOM_CLOSED


async def test_a_join_in_time_keeps_the_room_open(world: World) -> None:
    alice = await world.user("alice")
    room = await world.create_room(alice, ttl=0.4)
    await alice.join(room.room_id)
    await alice.call("room.leave", room_id=room.room_id)
    await asyncio.sleep(0.1)
    await alice.join(room.room_id)
    await asyncio.sleep(0.6)
    assert await state(alice, room) == "open"


async def test_a_room_emptied_by_a_dropped_connection_closes(world: World) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(alice, ["bob"], ttl=0.05)
    await bob.join(room.room_id)
    bob.socket.transport.abort()
    await eventually(lambda: world.media.count("remove_participant"))
    for _ in range(100):
        if await state(alice, room) == "closed":
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the room stayed open")


async def test_the_default_time_to_live_is_the_bridges() -> None:
    async with open_world(empty_room_ttl=42.0) as world:
        alice = await world.user("alice")
        assert (await world.create_room(alice)).empty_room_ttl == 42.0


async def test_administrators_see_rooms_without_their_content(world: World) -> None:
    alice = await world.user("alice")
    room = await world.create_room(alice, ["bob"])
    await alice.join(room.room_id)
    listed = await world.bridge.admin.room_list(world.context_id)
    summary = listed.rooms[0]
    assert (summary.room_id, summary.author, summary.members) == (room.room_id, "alice", 2)
    assert (summary.participants, summary.state) == (1, "open")


async def test_users_of_the_context_are_listed_by_page_and_by_id(world: World) -> None:
    alice = await world.user("alice")
    page = await alice.call("context.users", context_id=world.context_id, skip=1, limit=1)
    assert (page.total, [user.user_id for user in page.users]) == (3, ["bob"])
    assert page.users[0].identity == world.identities["bob"].public.encode()
    some = await alice.call(
        "context.users", context_id=world.context_id, user_ids=["mallory", "nobody", "alice"]
    )
    assert [user.user_id for user in some.users] == ["alice", "mallory"]


async def test_a_room_of_a_thousand_members_is_created_and_seen(world: World) -> None:
    alice = await world.user("alice")
    names = [f"user-{number:04}" for number in range(999)]
    for name in names:
        await world.add_user(name)
    record = world.record(["alice"], names)
    params = world.create_params(alice, record)
    secrets = [msgspec.structs.replace(one, sealed=bytes(1200)) for one in params.sealed_secrets]
    params = msgspec.structs.replace(params, sealed_secrets=secrets)
    created = (await alice.call("room.create", params)).room
    assert len(created.sealed_secrets) == 1
    last = await world.user(names[-1])
    seen = (await last.call("room.get", room_id=record.room_id)).room
    assert [one.user_id for one in seen.sealed_secrets] == [names[-1]]
