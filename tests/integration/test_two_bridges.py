"""Two Bridges on one PostgreSQL database: one home for each live room, the same rooms at both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
import pytest_asyncio
import sqlalchemy as sa
from bridge_support import Client, FakeMedia, Refused, World, eventually, open_world
from test_postgres import next_record

from sealroom.bridge import BridgeConfig, BridgeError
from sealroom.bridge.actor import PROGRAM
from sealroom.bridge.admin_store import AdminStore
from sealroom.bridge.app import Bridge
from sealroom.bridge.audit import AuditLimits, AuditLog
from sealroom.bridge.audit_store import AuditStore
from sealroom.bridge.database import open_database
from sealroom.bridge.errors import RequestError
from sealroom.bridge.schema import users
from sealroom.bridge.server import embedded
from sealroom.bridge.store import Store, lock_context
from sealroom.protocol import (
    CLOSE_USER_REMOVED,
    LOGIN_TYPE,
    ROOM_RECORD_TYPE,
    AuditEntry,
    AuditListParams,
    ErrorCode,
    EventType,
    LoginPayload,
    RoomRecord,
    RoomUpdateParams,
    RoomView,
)

QUICK: dict[str, Any] = {"heartbeat_interval": 0.2, "home_lease": 2.0}


@dataclass
class Pair:
    """Two Bridges, and the same users at each."""

    here: World
    there: World


@asynccontextmanager
async def open_pair(database: str, **config: Any) -> AsyncIterator[Pair]:
    options = QUICK | config
    async with open_world(database=database, **options) as here:
        media = FakeMedia()
        async with embedded(BridgeConfig(database=database, **options), media) as other:
            there = World(other, media, here.context_id)
            there.identities = here.identities
            try:
                yield Pair(here, there)
            finally:
                await there.close()


@pytest_asyncio.fixture
async def pair(postgres_url: str) -> AsyncIterator[Pair]:
    async with open_pair(postgres_url) as one:
        yield one


async def refused(client: Client, method: str, **params: Any) -> Refused:
    with pytest.raises(Refused) as refusal:
        await client.call(method, params)
    return refusal.value


def without(client: Client, world: World, room: RoomView) -> RoomUpdateParams:
    """An update after which its author is the only member."""
    record = msgspec.structs.replace(
        msgspec.json.decode(next_record(client, room).record.payload, type=RoomRecord),
        members=world.record([client.user_id]).members,
        epoch=2,
        epoch_commitment=b"2" * 32,
    )
    only = world.create_params(client, world.record([client.user_id]))
    secrets = [msgspec.structs.replace(one, epoch=2) for one in only.sealed_secrets]
    signed = client.sign(ROOM_RECORD_TYPE, record)
    return RoomUpdateParams(room_id=room.room_id, record=signed, sealed_secrets=secrets)


async def test_rooms_are_the_same_at_both(pair: Pair) -> None:
    alice, bob = await pair.here.user("alice"), await pair.there.user("bob")
    room = await pair.here.create_room(alice, ["bob"])
    assert (await bob.call("room.get", room_id=room.room_id)).room.record == room.record
    assert (await bob.call("room.list", context_id=pair.there.context_id)).total == 1
    await alice.call("room.update", next_record(alice, room))
    assert (await bob.call("room.history", room_id=room.room_id)).newest == 2
    await alice.call("room.close", room_id=room.room_id)
    assert (await refused(bob, "room.join", room_id=room.room_id)).code is ErrorCode.ROOM_CLOSED
    again = await pair.there.user("alice")
    await again.call("room.reopen", room_id=room.room_id)
    assert (await refused(alice, "room.reopen", room_id=room.room_id)).code is ErrorCode.NOT_CLOSED
    await again.call("room.delete", room_id=room.room_id)
    assert (await refused(alice, "room.get", room_id=room.room_id)).code is ErrorCode.ACCESS_DENIED


async def test_a_live_room_has_one_home_and_the_other_bridge_names_it(pair: Pair) -> None:
    alice, bob = await pair.here.user("alice"), await pair.there.user("bob")
    room = await pair.here.create_room(alice, ["bob"])
    await alice.join(room.room_id)
    for method, params in {
        "room.join": {},
        "room.participants": {},
        "stream.list": {},
    }.items():
        refusal = await refused(bob, method, room_id=room.room_id, **params)
        assert refusal.code is ErrorCode.ROOM_ELSEWHERE, method
        assert refusal.url == pair.here.bridge.url
    manager = await pair.there.user("alice")
    refusal = await refused(manager, "room.kick", room_id=room.room_id, participant_id="x")
    assert refusal.code is ErrorCode.ROOM_ELSEWHERE
    await alice.call("room.leave", room_id=room.room_id)
    await eventually_joins(bob, room.room_id)
    refusal = await refused(alice, "room.join", room_id=room.room_id)
    assert refusal.url == pair.there.bridge.url


async def eventually_joins(client: Client, room_id: str) -> None:
    """Join as soon as the room has no other home."""
    async with asyncio.timeout(15):
        while True:
            try:
                await client.join(room_id)
                return
            except Refused as refusal:
                if refusal.code is not ErrorCode.ROOM_ELSEWHERE:
                    raise
            await asyncio.sleep(0.02)


async def test_of_two_who_join_at_once_at_two_bridges_one_gets_the_room(pair: Pair) -> None:
    alice, bob = await pair.here.user("alice"), await pair.there.user("bob")
    for _ in range(10):
        room = await pair.here.create_room(alice, ["bob"])
        outcomes = await asyncio.gather(
            alice.join(room.room_id), bob.join(room.room_id), return_exceptions=True
        )
        refusals = [one for one in outcomes if isinstance(one, Refused)]
        assert [one.code for one in refusals] == [ErrorCode.ROOM_ELSEWHERE]
        await alice.call("room.delete", room_id=room.room_id)


async def test_a_member_removed_at_the_other_bridge_is_out_and_told(pair: Pair) -> None:
    alice, bob = await pair.there.user("alice"), await pair.here.user("bob")
    room = await pair.there.create_room(alice, ["bob"])
    participant = (await bob.join(room.room_id)).participant_id
    await alice.call("room.update", without(alice, pair.there, room))
    event, data = await bob.event(EventType.ROOM_EXCLUDED)
    assert (event.room_id, data.reason, data.user_id) == (room.room_id, "removed", "alice")
    await eventually(lambda: ("remove_participant", participant) in pair.here.media.calls)


@pytest.mark.parametrize(
    ("method", "event"),
    [("room.delete", EventType.ROOM_DELETED), ("room.close", EventType.ROOM_CLOSED)],
)
async def test_a_room_ended_at_the_other_bridge_ends_at_its_home(
    pair: Pair, method: str, event: EventType
) -> None:
    alice, bob = await pair.there.user("alice"), await pair.here.user("bob")
    room = await pair.there.create_room(alice, ["bob"])
    participant = (await bob.join(room.room_id)).participant_id
    await alice.call(method, room_id=room.room_id)
    await bob.event(event)
    await eventually(lambda: ("remove_participant", participant) in pair.here.media.calls)


async def test_an_empty_room_closes_whichever_bridge_it_was_at(pair: Pair) -> None:
    alice, bob = await pair.here.user("alice"), await pair.there.user("bob")
    room = await pair.here.create_room(alice, ["bob"], ttl=1.0)
    await alice.join(room.room_id)
    await alice.call("room.leave", room_id=room.room_id)
    await eventually_joins(bob, room.room_id)  # the timer that ran here is void
    await asyncio.sleep(1.5)
    assert (await alice.call("room.get", room_id=room.room_id)).room.state == "open"
    await bob.call("room.leave", room_id=room.room_id)
    async with asyncio.timeout(15):
        while (await alice.call("room.get", room_id=room.room_id)).room.state != "closed":
            await asyncio.sleep(0.05)


async def test_rooms_of_a_bridge_that_stopped_are_taken_over(postgres_url: str) -> None:
    async with open_world(database=postgres_url, **QUICK) as here:
        alice = await here.user("alice")
        room = await here.create_room(alice, ["bob"])
        await alice.join(room.room_id)
        stopping = Bridge(
            BridgeConfig(database=postgres_url, public_url="ws://gone:1", **QUICK), FakeMedia()
        )
        async with stopping:
            pass  # one that came and went disturbs nobody
        identities, context_id = here.identities, here.context_id
    async with embedded(BridgeConfig(database=postgres_url, **QUICK), FakeMedia()) as other:
        there = World(other, FakeMedia(), context_id)
        there.identities = identities
        await (await there.user("bob")).join(room.room_id)  # at once: the first one resigned
        await there.close()


async def test_a_silent_home_loses_its_rooms_and_lets_go_of_them(postgres_url: str) -> None:
    async with open_pair(postgres_url, home_lease=3.0) as pair:
        alice, bob = await pair.here.user("alice"), await pair.there.user("bob")
        room = await pair.here.create_room(alice, ["bob"])
        await alice.join(room.room_id)
        homes = pair.here.bridge.bridge._running().upkeep._homes
        beat, silent = homes.beat, asyncio.Event()

        async def hang() -> Any:
            await silent.wait()
            return await beat()

        homes.beat = hang  # type: ignore[method-assign]
        await eventually_joins(bob, room.room_id)
        silent.set()
        await asyncio.wait_for(alice.socket.wait_closed(), 15)
        assert alice.socket.close_code == 1012
        assert pair.here.media.count("remove_participant") == 1
        listed = await bob.call("room.participants", room_id=room.room_id)
        assert [one.user_id for one in listed.participants] == ["bob"]


async def test_a_user_removed_or_restricted_at_the_other_bridge_feels_it(pair: Pair) -> None:
    alice, bob = await pair.here.user("alice"), await pair.here.user("bob")
    room = await pair.here.create_room(alice, ["bob"])
    participant = (await bob.join(room.room_id)).participant_id
    admin = pair.there.bridge.admin
    await admin.user_set_acl(pair.here.context_id, "alice", "DENY all")
    async with asyncio.timeout(15):
        while True:
            try:
                await alice.call("room.get", room_id=room.room_id)
            except Refused as refusal:
                assert refusal.code is ErrorCode.ACCESS_DENIED  # noqa: PT017
                break
            await asyncio.sleep(0.02)
    await admin.user_set_acl(pair.here.context_id, "alice", None)
    await admin.user_remove(pair.here.context_id, "bob")
    await asyncio.wait_for(bob.socket.wait_closed(), 15)
    assert bob.socket.close_code == CLOSE_USER_REMOVED
    assert ("remove_participant", participant) in pair.here.media.calls
    async with asyncio.timeout(15):
        while True:
            try:
                await alice.call("room.get", room_id=room.room_id)
                break
            except Refused:
                await asyncio.sleep(0.02)


async def test_a_login_at_one_bridge_is_none_at_the_other(pair: Pair) -> None:
    assert pair.here.bridge.bridge.bridge_id != pair.there.bridge.bridge.bridge_id
    first, second = await pair.here.connect(), await pair.there.connect()
    asked = {"context_id": pair.here.context_id, "user_id": "alice"}
    challenge = await first.call("auth.challenge", asked)
    await second.call("auth.challenge", asked)
    payload = msgspec.json.encode(
        LoginPayload(bridge_id=challenge.bridge_id, nonce=challenge.nonce, **asked)
    )
    signature = pair.here.identities["alice"].sign(LOGIN_TYPE, payload)
    with pytest.raises(Refused) as refusal:
        await second.call("auth.login", {"payload": payload, "signature": signature})
    assert refusal.value.code is ErrorCode.LOGIN_FAILED
    await first.call("auth.login", {"payload": payload, "signature": signature})


async def test_a_bridge_keeps_its_id_by_its_url_and_steps_back_for_its_successor(
    postgres_url: str,
) -> None:
    config = BridgeConfig(database=postgres_url, public_url="wss://one.example", **QUICK)
    async with Bridge(config, FakeMedia()) as first, Bridge(config, FakeMedia()) as second:
        assert second.bridge_id == first.bridge_id
        await eventually(lambda: first._running().upkeep.is_replaced)
        assert not second._running().upkeep.is_replaced


async def test_a_shared_database_needs_a_public_url(postgres_url: str) -> None:
    for url in (None, "http://one.example", "ws://" + "x" * 508):
        config = BridgeConfig(database=postgres_url, public_url=url)
        with pytest.raises(BridgeError, match="public URL"):
            async with Bridge(config, FakeMedia()):
                pass


async def test_a_context_deleted_while_somebody_adds_to_it_is_deleted_after_or_before(
    postgres_url: str,
) -> None:
    async with open_database(postgres_url) as here, open_database(postgres_url) as there:
        context_id = (await Store(here).create_context("both")).context_id
        async with here.write() as connection:  # a user is being added
            await lock_context(connection, context_id)
            user = {"user_id": "alice", "identity": "x", "fingerprint": b"1" * 32}
            row = user | {"context_id": context_id, "created_at": 1}
            await connection.execute(sa.insert(users).values(row))
            deletion = asyncio.create_task(AdminStore(there).delete_context(context_id))
            await asyncio.sleep(0.3)
            assert not deletion.done()
        assert await deletion == []
        with pytest.raises(RequestError) as gone:
            await Store(here).add_user(context_id, "bob", "x", b"2" * 32)
        assert gone.value.error is ErrorCode.CONTEXT_NOT_FOUND


async def test_contexts_deleted_at_one_bridge_and_filled_at_the_other_give_typed_errors(
    pair: Pair,
) -> None:
    here, there = pair.here.bridge.admin, pair.there.bridge.admin
    identity = pair.here.identities["alice"].public
    allowed = {ErrorCode.CONTEXT_NOT_FOUND}
    for _ in range(5):
        context_id = (await here.context_create("racing")).context_id
        outcomes = await asyncio.gather(
            *(here.user_add(context_id, f"user{one}", identity) for one in range(8)),
            there.context_delete(context_id),
            *(here.user_add(context_id, f"late{one}", identity) for one in range(8)),
            return_exceptions=True,
        )
        failures = [one for one in outcomes if isinstance(one, BaseException)]
        assert all(isinstance(one, RequestError) for one in failures), failures
        assert {one.error for one in failures} <= allowed  # type: ignore[union-attr]
        assert not isinstance(outcomes[8], BaseException)


async def test_two_bridges_write_one_audit_log_and_nothing_is_lost(postgres_url: str) -> None:
    limits = AuditLimits(max_age=3600, max_entries=100_000, flush_interval=0.01)
    async with open_database(postgres_url) as here, open_database(postgres_url) as there:
        logs = [AuditLog(AuditStore(one), limits) for one in (here, there)]
        for log in logs:
            log.start()
        for number in range(400):
            for name, log in zip(("here", "there"), logs, strict=True):
                log.note(PROGRAM, "test", (name, str(number)))
            await asyncio.sleep(0.001)
        for log in logs:
            await log.close()
        found: list[AuditEntry] = []
        while len(found) < 800:
            total, page = await AuditStore(here).page(AuditListParams(skip=len(found)))
            assert total == 800
            found += page
    # The newest first by the clocks of those who noted them; of each, in the order it noted them.
    assert [one.time for one in found] == sorted((one.time for one in found), reverse=True)
    for name in ("here", "there"):
        noted = [int(one.object_id) for one in found if one.object_kind == name]
        assert noted == list(reversed(range(400)))
