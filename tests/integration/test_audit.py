"""The audit log: what is written, who can read it, and what bounds it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from bridge_support import Client, FakeMedia, Refused, World, eventually, open_world

from sealroom.access import record_hash
from sealroom.bridge import RequestError
from sealroom.bridge.actor import PROGRAM
from sealroom.bridge.audit import OTHER_SOURCES, AuditLimits, AuditLog, membership
from sealroom.bridge.audit_store import AuditStore
from sealroom.bridge.database import open_database
from sealroom.bridge.store import now_ms
from sealroom.protocol import (
    MAX_AUDIT_NAMES,
    MAX_AUDIT_SOURCES,
    MAX_QUEUED_AUDIT_ENTRIES,
    ROOM_RECORD_TYPE,
    SCOPES,
    AuditEntry,
    AuditListParams,
    ErrorCode,
    RoomMember,
    RoomRecord,
    RoomUpdateParams,
    RoomView,
)

MINUTE = 60_000
LIMITS = AuditLimits(max_age=1000.0, max_entries=1000, flush_interval=3600.0)


async def administrator(world: World, *scopes: str) -> Client:
    client = await world.connect()
    key = await world.bridge.admin.create_api_key("t", scopes)  # type: ignore[arg-type]
    await client.call("auth.admin", api_key=key)
    return client


async def entries(world: World, action: str | None = None) -> list[AuditEntry]:
    return (await world.bridge.admin.audit_list(action=action)).entries


def next_record(world: World, client: Client, room: RoomView, *members: str) -> RoomUpdateParams:
    """An update to these members, the first a manager."""
    before = msgspec.json.decode(room.record.payload, type=RoomRecord)
    record = msgspec.structs.replace(
        before,
        version=2,
        previous_hash=record_hash(room.record.payload),
        author=client.user_id,
        creator=before.author,
        members=[
            RoomMember(
                user_id=one,
                identity_fingerprint=world.identities[one].public.fingerprint,
                role="user" if index else "manager",
            )
            for index, one in enumerate(members)
        ],
        epoch=2,
        epoch_commitment=bytes(31) + b"2",
    )
    sealed = [{"user_id": one, "epoch": 2, "sealed": b"SEALED"} for one in members]
    return msgspec.convert(
        {
            "room_id": room.room_id,
            "record": client.sign(ROOM_RECORD_TYPE, record),
            "sealed_secrets": sealed,
        },
        RoomUpdateParams,
        builtin_types=[bytes],
    )


async def test_a_room_is_followed_from_its_making_to_its_end(world: World) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(alice, ["bob"])
    kicked = (await bob.join(room.room_id)).participant_id
    await alice.call("room.kick", room_id=room.room_id, participant_id=kicked)
    await alice.call("room.update", next_record(world, alice, room, "alice", "mallory"))
    for method in ("room.close", "room.reopen", "room.delete"):
        await alice.call(method, room_id=room.room_id)
    found = await world.bridge.admin.audit_list(world.context_id, actor_id="alice")
    assert found.total == 7
    assert [(one.action, one.object_kind, one.details) for one in reversed(found.entries)] == [
        ("room.created", "room", {"version": 1, "epoch": 1}),
        ("participant.kicked", "participant", {"room_id": room.room_id, "user_id": "bob"}),
        ("room.updated", "room", {"version": 2, "epoch": 2}),
        ("room.members_changed", "room", membership(["mallory"], ["bob"])),
        ("room.closed", "room", {}),
        ("room.reopened", "room", {}),
        ("room.deleted", "room", {}),
    ]
    for one in found.entries:
        assert (one.actor_kind, one.outcome) == ("user", "ok")
        assert one.object_id == (kicked if one.object_kind == "participant" else room.room_id)


async def test_the_bridge_itself_closes_an_empty_room(world: World) -> None:
    alice = await world.user("alice")
    room = await world.create_room(alice, ttl=0.0)
    await alice.join(room.room_id)
    await alice.call("room.leave", room_id=room.room_id)
    for _ in range(500):
        if found := await entries(world, "room.closed"):
            break
        await asyncio.sleep(0.01)
    (closed,) = found
    assert (closed.actor_kind, closed.object_id) == ("bridge", room.room_id)
    assert closed.context_id == world.context_id


async def test_calls_of_administrators_are_written_with_their_outcome(world: World) -> None:
    root = await administrator(world, "*")
    alice = await world.user("alice")
    room = await world.create_room(alice)
    joined = await alice.join(room.room_id)
    made = await root.call("admin.context_create", title="TITLE")
    other = made.context_id
    identity = world.identities["bob"].public.encode()
    await root.call("admin.context_update", context_id=other, title="TITLE")
    await root.call("admin.context_set_policy", context_id=other, policy={})
    user = {"context_id": other, "user_id": "bob"}
    await root.call("admin.user_add", identity=identity, **user)
    await root.call("admin.user_set_identity", identity=identity, **user)
    await root.call("admin.user_set_acl", acl="allow read", **user)
    await root.call("admin.user_remove", **user)
    with pytest.raises(Refused):
        await root.call("admin.user_remove", **user)
    await root.call("admin.context_delete", context_id=other)
    kick = {"room_id": room.room_id, "participant_id": joined.participant_id, "note": "NOTE"}
    await root.call("admin.participant_kick", **kick)
    for method in ("room_close", "room_reopen"):
        await root.call(f"admin.{method}", room_id=room.room_id)
    await root.call("admin.room_delete_many", room_ids=[room.room_id, "missing"])
    key = (await root.call("admin.key_create", title="TITLE", scopes=["rooms:read"])).key
    await root.call("admin.key_revoke", key_id=key.key_id)
    await root.call("admin.context_list")
    (own,) = [one.key_id for one in (await root.call("admin.key_list")).keys if one.title == "t"]
    found = (await root.call("admin.audit_list", actor_id=own)).entries
    calls = [one for one in reversed(found) if one.action.startswith("admin.")]
    assert [(one.action[6:], one.object_id, one.context_id, one.outcome) for one in calls] == [
        ("context_create", other, other, "ok"),
        ("context_update", other, other, "ok"),
        ("context_set_policy", other, other, "ok"),
        ("user_add", "bob", other, "ok"),
        ("user_set_identity", "bob", other, "ok"),
        ("user_set_acl", "bob", other, "ok"),
        ("user_remove", "bob", other, "ok"),
        ("user_remove", "bob", other, "USER_NOT_FOUND"),
        ("context_delete", other, other, "ok"),
        ("participant_kick", joined.participant_id, world.context_id, "ok"),
        ("room_close", room.room_id, world.context_id, "ok"),
        ("room_reopen", room.room_id, world.context_id, "ok"),
        ("room_delete", room.room_id, world.context_id, "ok"),
        ("room_delete", "missing", "", "ROOM_NOT_FOUND"),
        ("key_create", key.key_id, "", "ok"),
        ("key_revoke", key.key_id, "", "ok"),
    ]
    assert {one.actor_kind for one in found} == {"key"}
    assert {"room.closed", "room.reopened", "room.deleted", "participant.kicked"} <= {
        one.action for one in found
    }


async def test_only_a_key_with_the_scope_reads_the_log(world: World) -> None:
    reader = await administrator(world, "audit:read")
    assert (await reader.call("admin.audit_list")).total > 0
    with pytest.raises(Refused):
        await reader.call("admin.context_create", title="t")
    newest = (await reader.call("admin.audit_list", limit=1)).entries[0]
    assert (newest.action, newest.outcome) == ("admin.context_create", "SCOPE_REQUIRED")
    weak = await administrator(world, *(set(SCOPES) - {"*", "audit:read"}))
    for client, code in (
        (weak, ErrorCode.SCOPE_REQUIRED),
        (await world.user("alice"), ErrorCode.ADMIN_REQUIRED),
        (await world.connect(), ErrorCode.ADMIN_REQUIRED),
    ):
        with pytest.raises(Refused) as refused:
            await client.call("admin.audit_list")
        assert refused.value.code is code


async def test_the_log_is_filtered_and_paged(world: World) -> None:
    admin = world.bridge.admin
    everything = await admin.audit_list()
    pages = [await admin.audit_list(skip=number, limit=1) for number in range(everything.total)]
    assert [one.entries[0] for one in pages] == everything.entries
    assert (await admin.audit_list(context_id=world.context_id)).total == 4
    assert (await admin.audit_list(context_id="other")).total == 0
    assert (await admin.audit_list(action="admin.user_add")).total == 3
    newest = everything.entries[0].time
    assert (await admin.audit_list(since=newest + 1)).total == 0
    assert (await admin.audit_list(since=newest, until=newest + 1)).total >= 1
    for wrong, field in (
        ({"limit": 101}, "limit"),
        ({"action": "A"}, "action"),
        ({"since": 5, "until": 5}, "until"),
    ):
        with pytest.raises(RequestError) as refused:
            await admin.audit_list(**wrong)  # type: ignore[arg-type]
        assert refused.value.field == field


async def test_old_entries_are_pruned_and_those_of_a_day_are_not(world: World) -> None:
    core = world.bridge.bridge._running()
    day = 86_400_000
    await core.audit.flush()
    (sample,) = (await world.bridge.admin.audit_list(limit=1)).entries
    old = [
        msgspec.structs.replace(sample, time=now_ms() - age * day, object_id=f"{age} days")
        for age in (1, 3, 5)
    ]
    await core.admin._parts.audit_store.add(old)
    pruner = await administrator(world, "audit:write")
    total = (await world.bridge.admin.audit_list()).total
    assert (await pruner.call("admin.audit_prune", before=now_ms() - 2 * day)).deleted == 2
    left = await entries(world)
    assert len(left) == total - 2 + 1
    assert {one.object_id for one in left} & {one.object_id for one in old} == {"1 days"}
    pruned = (await entries(world, "admin.audit_prune"))[0]
    assert (pruned.outcome, pruned.details["deleted"]) == ("ok", 2)
    with pytest.raises(Refused) as refused:
        await pruner.call("admin.audit_prune", before=now_ms() - day + 60_000)
    assert (refused.value.code, refused.value.field) == (ErrorCode.INVALID_PARAMS, "before")
    for client, code in (
        (await administrator(world, "audit:read"), ErrorCode.SCOPE_REQUIRED),
        (await world.user("alice"), ErrorCode.ADMIN_REQUIRED),
    ):
        with pytest.raises(Refused) as refused:
            await client.call("admin.audit_prune", before=0)
        assert refused.value.code is code
    assert "1 days" in {one.object_id for one in await entries(world)}


async def test_neither_secrets_nor_metadata_are_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sealroom.bridge")
    root = await administrator(world, "*")
    made = await root.call("admin.key_create", title="KEYTITLE", scopes=["rooms:read"])
    with pytest.raises(Refused):
        await (await world.connect()).call("auth.admin", api_key="GUESSEDKEY")
    await root.call("admin.context_update", context_id=world.context_id, title="CONTEXTTITLE")
    alice = await world.user("alice")
    room = await world.create_room(alice, ["bob"], public_meta=b"PUBLICMETA")
    joined = await alice.join(room.room_id)
    kick = {"room_id": room.room_id, "participant_id": joined.participant_id, "note": "THENOTE"}
    await root.call("admin.participant_kick", **kick)
    await alice.call("room.update", next_record(world, alice, room, "alice"))
    text = msgspec.json.encode(await entries(world)).decode()
    assert "room.members_changed" in text
    assert "action='room.members_changed'" in caplog.text
    for seen in (text, caplog.text):
        for secret in (made.api_key, "KEYTITLE", "GUESSEDKEY", "CONTEXTTITLE", "PUBLICMETA"):
            assert secret not in seen
        for secret in ("THENOTE", "SEALED", world.identities["alice"].public.encode()):
            assert secret not in seen


async def test_entries_are_written_by_themselves(world: World) -> None:
    log = world.bridge.bridge._running().audit
    log.note(PROGRAM, "test.alone", ("number", "1"))
    assert log.waiting() > 0
    await eventually(lambda: log.waiting() == 0)
    assert len(await entries(world, "test.alone")) == 1


async def test_what_was_noted_is_written_at_the_end_and_outlives_a_restart(tmp_path: Path) -> None:
    config = {
        "database": f"sqlite+aiosqlite:///{tmp_path / 'bridge.db'}",
        "audit_flush_interval": 3600.0,
    }
    async with open_world(FakeMedia(), **config) as world:
        for _ in range(3):
            with pytest.raises(Refused):
                await (await world.connect()).call("auth.admin", api_key="wrong")
        first = world.context_id
    async with open_world(FakeMedia(), **config) as world:
        found = await world.bridge.admin.audit_list(first)
        assert [one.action for one in found.entries] == ["admin.user_add"] * 3 + [
            "admin.context_create"
        ]
        failed = await entries(world, "login.failed")
        assert sum(int(str(one.details["auth.admin"])) for one in failed) == 3
        assert {one.object_id for one in failed} == {"127.0.0.1"}


class Clock:
    def __init__(self) -> None:
        self.now = 1_000 * MINUTE

    def __call__(self) -> int:
        return self.now


async def stored(store: AuditStore) -> list[AuditEntry]:
    return (await store.page(AuditListParams()))[1]


async def test_failed_log_ins_are_one_line_for_a_source_and_a_minute(database_url: str) -> None:
    async with open_database(database_url) as database:
        clock, store = Clock(), AuditStore(database)
        log = AuditLog(store, LIMITS, clock)
        for _ in range(5000):
            log.failed_login("192.0.2.1", "auth.login")
        log.failed_login("192.0.2.1", "auth.admin")
        log.failed_login("192.0.2.2", "auth.resume")
        await log.flush()
        assert await stored(store) == []  # the minute is not over
        clock.now += MINUTE
        log.failed_login("192.0.2.1", "auth.login")
        await log.flush()
        found = {one.object_id: one for one in await stored(store)}
        assert len(found) == 2
        details = {"count": 5001, "auth.login": 5000, "auth.admin": 1}
        assert found["192.0.2.1"].details == details
        assert (found["192.0.2.1"].time, found["192.0.2.1"].outcome) == (
            clock.now - MINUTE,
            "LOGIN_FAILED",
        )
        for number in range(MAX_AUDIT_SOURCES + 100):
            log.failed_login(f"2001:db8::{number}", "auth.login")
        clock.now += MINUTE
        await log.flush()
        newest = [one for one in await stored(store) if one.time == clock.now - MINUTE]
        assert len(newest) == MAX_AUDIT_SOURCES + 1
        (other,) = [one for one in newest if one.object_id == OTHER_SOURCES]
        assert other.details["count"] == 101


async def test_the_log_is_bounded_by_age_and_count(database_url: str) -> None:
    async with open_database(database_url) as database:
        clock, store = Clock(), AuditStore(database)
        log = AuditLog(store, AuditLimits(180.0, 5, 3600.0), clock)
        for number in range(8):
            log.note(PROGRAM, "test.count", ("number", str(number)))
        await log.flush()
        assert [one.object_id for one in await stored(store)] == ["7", "6", "5", "4", "3"]
        clock.now += 3 * MINUTE
        log.note(PROGRAM, "test.age", ("number", "8"))
        await log.flush()
        assert len(await stored(store)) == 5
        clock.now += MINUTE
        await log.flush()
        assert [one.object_id for one in await stored(store)] == ["8"]


async def test_a_full_queue_drops_the_newest_and_says_how_many(database_url: str) -> None:
    async with open_database(database_url) as database:
        store = AuditStore(database)
        log = AuditLog(store, AuditLimits(1000.0, 10_000, 3600.0), Clock())
        for number in range(MAX_QUEUED_AUDIT_ENTRIES + 7):
            log.note(PROGRAM, "test.flood", ("number", str(number)))
        assert log.waiting() == MAX_QUEUED_AUDIT_ENTRIES
        await log.flush()
        total, _ = await store.page(AuditListParams(action="test.flood"))
        assert total == MAX_QUEUED_AUDIT_ENTRIES
        _, (dropped,) = await store.page(AuditListParams(action="audit.dropped"))
        assert dropped.details == {"count": 7}
        await log.flush()
        assert (await store.page(AuditListParams(action="audit.dropped")))[0] == 1


async def test_what_could_not_be_written_is_written_once_later(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_database(database_url) as database:
        store = AuditStore(database)
        log = AuditLog(store, LIMITS, Clock())
        log.note(PROGRAM, "test.once", ("number", "x\0" + "y" * 500))
        with monkeypatch.context() as broken:
            broken.setattr(store, "add", None)
            with pytest.raises(TypeError):
                await log.flush()
        await log.close()
        (one,) = await stored(store)
        assert one.object_id == "x?" + "y" * 126


async def test_a_reader_that_goes_away_makes_no_entry_twice(database_url: str) -> None:
    async with open_database(database_url) as database:
        store = AuditStore(database)
        log = AuditLog(store, LIMITS, Clock())
        log.note(PROGRAM, "test.once", ("number", "1"))
        reader = asyncio.create_task(log.flush())
        for _ in range(3):
            await asyncio.sleep(0)
        reader.cancel()
        await log.close()
        assert len(await stored(store)) == 1


def test_an_entry_names_only_so_many_users() -> None:
    details = membership([f"u{number:04}" for number in range(1000)], [])
    assert details["added_count"] == 1000
    assert len(details["added"]) == MAX_AUDIT_NAMES  # type: ignore[arg-type]
