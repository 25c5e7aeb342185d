"""Recording notices outlive sessions and Bridges: whoever records goes on saying so."""

from __future__ import annotations

import asyncio
from pathlib import Path

from call_support import LOOPBACK, eventually
from outage_support import BridgeProcess
from reconnect_support import wired

from sealroom.client import Connection, StreamApi
from sealroom.client.events import (
    ConnectionStateChanged,
    Event,
    ParticipantJoined,
    ParticipantLeft,
    RecordingStarted,
    RecordingStopped,
)
from sealroom.identity import Identity, MemoryRoomPins, TrustOnFirstUse
from sealroom.protocol import MAX_LOGGED_EVENTS


def who_records(api: StreamApi, room_id: str) -> set[str]:
    return {one.user_id for one in api.list_participants(room_id) if one.is_recording}


async def test_a_notice_is_given_again_in_a_new_session_and_seen_by_who_joins_later() -> None:
    async with wired(0.2) as (call, wire, alice_log, bob_log):
        alice, bob = call.apis["alice"], call.apis["bob"]
        await alice.update_stream_room(call.room_id, policy={"record": "user"})
        await bob.start_recording_notice(call.room_id)
        await eventually(lambda: who_records(alice, call.room_id) == {"bob"})
        for number in range(1, 3):
            wire.cut(stay_down=True)
            await eventually(lambda n=number: len(alice_log.of(ParticipantLeft)) == n)
            assert who_records(alice, call.room_id) == set()
            wire.mend()
            await eventually(lambda n=number: bob_log.states().count("restored") == n, seconds=20)
            await eventually(lambda: who_records(alice, call.room_id) == {"bob"})
            assert who_records(bob, call.room_id) == {"bob"}
        assert len(alice_log.of(RecordingStarted)) == 3
        late = await call.add("carol")
        await alice.update_stream_room(call.room_id, users=["bob", "carol"])
        await late.join_stream_room(call.room_id)
        assert who_records(late, call.room_id) == {"bob"}
        await bob.stop_recording_notice(call.room_id)
        for api in (alice, late):
            await eventually(lambda api=api: who_records(api, call.room_id) == set())
        assert bob_log.of(RecordingStopped)[-1].participant.user_id == "bob"


async def test_a_notice_that_was_taken_back_is_not_given_again() -> None:
    async with wired(0.2) as (call, wire, alice_log, bob_log):
        alice, bob = call.apis["alice"], call.apis["bob"]
        await alice.update_stream_room(call.room_id, policy={"record": "user"})
        await bob.start_recording_notice(call.room_id)
        await bob.stop_recording_notice(call.room_id)
        wire.cut(stay_down=True)
        await eventually(lambda: alice_log.of(ParticipantLeft) != [])
        wire.mend()
        await bob_log.reaches("restored")
        await eventually(lambda: alice_log.of(ParticipantJoined) != [])
        assert who_records(alice, call.room_id) == who_records(bob, call.room_id) == set()
        assert len(alice_log.of(RecordingStarted)) == 1


async def test_who_may_not_record_any_more_is_told_that_its_notice_is_void() -> None:
    async with wired(0.2) as (call, wire, alice_log, bob_log):
        alice, bob = call.apis["alice"], call.apis["bob"]
        await alice.update_stream_room(call.room_id, policy={"record": "user"})
        await bob.start_recording_notice(call.room_id)
        wire.cut(stay_down=True)
        await eventually(lambda: alice_log.of(ParticipantLeft) != [])
        await alice.update_stream_room(call.room_id, policy={"record": "manager"})
        wire.mend()
        await bob_log.reaches("restored")
        [stopped] = bob_log.of(RecordingStopped)
        assert stopped.participant.user_id == "bob"
        assert who_records(bob, call.room_id) == who_records(alice, call.room_id) == set()


async def test_who_missed_notices_reads_who_records_now() -> None:
    async with wired(30.0) as (call, wire, _, bob_log):
        alice, bob = call.apis["alice"], call.apis["bob"]
        wire.cut(stay_down=True)
        await bob_log.reaches("reconnecting")
        await alice.start_recording_notice(call.room_id)
        for _ in range(MAX_LOGGED_EVENTS):
            await alice.send_custom_event(call.room_id, b"noise")
        wire.mend()
        await bob_log.reaches("resynced")
        assert who_records(bob, call.room_id) == {"alice"}
        assert len(bob_log.of(RecordingStarted)) == 1


async def test_a_notice_outlives_a_bridge_that_is_killed(tmp_path: Path) -> None:
    bridge = BridgeProcess(tmp_path)
    identities = {name: Identity.generate() for name in ("alice", "bob", "carol")}
    connections: list[Connection] = []
    events: list[Event] = []
    await bridge.start()

    async def log_in(user_id: str) -> StreamApi:
        connections.append(
            await Connection.connect(
                bridge.url,
                identity=identities[user_id],
                user_id=user_id,
                context_id=context_id,
                trust=TrustOnFirstUse(),
                room_pins=MemoryRoomPins(),
            )
        )
        return StreamApi(connections[-1], host_addresses=LOOPBACK)

    def restored() -> bool:
        states = [one.state for one in events if isinstance(one, ConnectionStateChanged)]
        return states.count("restored") == 2

    try:
        await bridge.answers()
        context_id = await bridge.register(**identities)
        alice, bob = await log_in("alice"), await log_in("bob")
        room_id = await alice.create_stream_room(context_id, ["bob", "carol"])
        for api in (alice, bob):
            await api.join_stream_room(room_id)
            api.add_event_listener(events.append)
        await alice.start_recording_notice(room_id)
        await eventually(lambda: who_records(bob, room_id) == {"alice"})
        await bridge.kill()
        await bridge.start()
        await bridge.answers()
        await eventually(restored, seconds=30)
        await eventually(lambda: who_records(bob, room_id) == {"alice"})
        assert who_records(alice, room_id) == {"alice"}
        late = await log_in("carol")
        await late.join_stream_room(room_id)
        assert who_records(late, room_id) == {"alice"}
        await late.close()
    finally:
        for connection in connections:
            await asyncio.wait_for(connection.close(), 30)
        await bridge.kill()
