"""Real calls in which members come and go: who decrypts what, and that nobody loses a frame."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from call_support import Call, eventually, open_call, publish, received, shows_stripes, take

from sealroom.bridge.room_changes import RoomChanges
from sealroom.client import StreamApi
from sealroom.client.errors import AccessDeniedError
from sealroom.client.events import (
    KeyRotated,
    ParticipantLeft,
    RoomExcluded,
    RoomUpdated,
    StreamUnpublished,
)
from sealroom.client.room_session import RoomSession
from sealroom.protocol import RoomParams, RoomResult


def session_of(call: Call, user_id: str) -> RoomSession:
    return call.apis[user_id]._session(call.room_id)


def record_events(api: StreamApi) -> list[Any]:
    events: list[Any] = []
    api.add_event_listener(events.append)
    return events


def of(events: list[Any], kind: type) -> list[Any]:
    return [one for one in events if isinstance(one, kind)]


def sending_epoch(call: Call, user_id: str) -> int:
    return session_of(call, user_id)._keys.sending.id.epoch


async def all_send_under(call: Call, epoch: int, *users: str) -> None:
    await eventually(lambda: all(sending_epoch(call, one) == epoch for one in users))


async def goes_on(call: Call, user_id: str, frames: int = 10) -> None:
    """Wait until so many more frames have been decrypted."""
    before = received(call, user_id).native.frames_received
    await eventually(lambda: received(call, user_id).native.frames_received >= before + frames)


def lost(call: Call, user_id: str) -> dict[str, int]:
    """What a user received of the camera and could not use, by reason."""
    native = received(call, user_id).native
    return {name: count for name, count in native.rejected.items() if count} | (
        {"dropped": native.frames_dropped} if native.frames_dropped else {}
    )


async def test_a_removed_member_is_out_at_once_and_the_others_lose_no_frame() -> None:
    async with open_call("alice", "bob", "carol") as call:
        stream = await publish(call.apis["alice"], call.room_id)
        for user_id in ("bob", "carol"):
            remote = (await call.subscribe(user_id, stream))["camera"]
            assert shows_stripes((await take(remote, 3))[-1])
        heard, events = record_events(call.apis["carol"]), record_events(call.apis["bob"])
        room = await call.apis["alice"].update_stream_room(call.room_id, users=["bob"])
        assert (room.version, room.epoch, room.users) == (2, 2, ["bob"])
        await all_send_under(call, 2, "alice", "bob")
        await goes_on(call, "bob", 30)
        assert lost(call, "bob") == {}
        await eventually(lambda: bool(of(heard, RoomExcluded)))
        assert of(heard, RoomExcluded) == [RoomExcluded(call.room_id, "removed", "alice")]
        assert not of(heard, RoomUpdated)
        assert call.room_id not in call.apis["carol"]._joined
        assert [(one.participant.user_id, one.reason) for one in of(events, ParticipantLeft)] == [
            ("carol", "removed")
        ]
        assert of(events, RoomUpdated) == [RoomUpdated(call.room_id, 2, 2, "alice")]
        assert of(events, KeyRotated) == [KeyRotated(call.room_id, 2)]
        with pytest.raises(AccessDeniedError):
            await call.apis["carol"].join_stream_room(call.room_id)


async def test_a_removed_member_whom_a_colluding_bridge_keeps_in_decrypts_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither the Bridge nor the SFU detaches carol: she gets every packet and no frame."""

    async def do_nothing(*_: Any) -> None:
        return None

    monkeypatch.setattr(RoomChanges, "_enforce", do_nothing)
    monkeypatch.setattr("sealroom.bridge.bus.EventBus.tell_excluded", lambda *_, **__: None)
    async with open_call("alice", "bob", "carol") as call:
        stream = await publish(call.apis["alice"], call.room_id)
        for user_id in ("bob", "carol"):
            await take((await call.subscribe(user_id, stream))["camera"], 3)
        await call.apis["alice"].update_stream_room(call.room_id, users=["bob"])
        await all_send_under(call, 2, "alice")
        await goes_on(call, "bob", 5)
        before = received(call, "carol").native
        decrypted, packets = before.frames_received, before.packets_received
        await goes_on(call, "bob", 20)
        after = received(call, "carol").native
        assert after.packets_received > packets + 15
        assert after.frames_received == decrypted
        # They are held for a moment, in case their key comes late, and then refused.
        await eventually(lambda: received(call, "carol").native.rejected["unknown_key_id"] > 0)
        assert received(call, "carol").native.frames_received == decrypted


async def test_the_streams_of_a_removed_member_end() -> None:
    async with open_call("alice", "bob", "carol") as call:
        stream = await publish(call.apis["carol"], call.room_id)
        await take((await call.subscribe("bob", stream))["camera"], 2)
        events = record_events(call.apis["bob"])
        await call.apis["alice"].update_stream_room(call.room_id, users=["bob"])
        await eventually(lambda: bool(of(events, StreamUnpublished)))
        assert not session_of(call, "bob").receiving.remote_tracks()
        assert await call.apis["bob"].list_streams(call.room_id) == []


async def test_a_new_key_on_demand_reaches_everybody_without_loss() -> None:
    async with open_call("alice", "bob") as call:
        stream = await publish(call.apis["alice"], call.room_id)
        await take((await call.subscribe("bob", stream))["camera"], 3)
        for epoch in (2, 3, 4):
            room = await call.apis["alice"].update_stream_room(
                call.room_id, force_generate_new_key=True
            )
            assert room.epoch == epoch
            await all_send_under(call, epoch, "alice", "bob")
            await goes_on(call, "bob", 10)
        assert lost(call, "bob") == {}


async def test_the_epoch_before_is_dropped_after_the_last_sender_moved_on() -> None:
    async with open_call("alice", "bob") as call:
        stream = await publish(call.apis["alice"], call.room_id)
        await take((await call.subscribe("bob", stream))["camera"], 3)
        await call.apis["alice"].update_stream_room(call.room_id, force_generate_new_key=True)
        schedule = session_of(call, "bob")._keys
        await eventually(lambda: [one.id.epoch for one in schedule.accepted] == [2])
        subscriber = session_of(call, "bob").receiving.subscriber
        assert subscriber is not None
        assert list(subscriber._epochs) == [2]
        await goes_on(call, "bob", 5)


async def test_a_bridge_that_keeps_silent_delays_the_switch_by_a_second_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sealroom.bridge.room_life.RoomLife.epoch_ready", lambda *_: None)
    async with open_call("alice", "bob") as call:
        await call.apis["alice"].update_stream_room(call.room_id, force_generate_new_key=True)
        assert sending_epoch(call, "alice") == 1
        # Four times what it is, for a machine that does other things meanwhile.
        async with asyncio.timeout(4):
            await all_send_under(call, 2, "alice", "bob")


async def test_an_added_member_joins_at_once_and_decrypts() -> None:
    async with open_call("alice", "bob") as call:
        stream = await publish(call.apis["alice"], call.room_id)
        dave = await call.add("dave")
        await call.apis["alice"].update_stream_room(call.room_id, users=["bob", "dave"])
        await dave.join_stream_room(call.room_id)
        remote = (await call.subscribe("dave", stream))["camera"]
        assert shows_stripes((await take(remote, 3))[-1])
        assert (await dave.get_stream_room(call.room_id)).epoch == 1


async def test_a_member_added_after_rotations_sees_streams_announced_before_them() -> None:
    async with open_call("alice", "bob") as call:
        stream = await publish(call.apis["alice"], call.room_id)
        for _ in range(2):
            await call.apis["alice"].update_stream_room(call.room_id, force_generate_new_key=True)
        await all_send_under(call, 3, "alice")
        dave = await call.add("dave")
        await call.apis["alice"].update_stream_room(call.room_id, users=["bob", "dave"])
        await dave.join_stream_room(call.room_id)
        remote = (await call.subscribe("dave", stream))["camera"]
        assert shows_stripes((await take(remote, 3))[-1])


async def test_a_member_added_after_a_rotation_has_no_key_of_before() -> None:
    async with open_call("alice", "bob") as call:
        dave = await call.add("dave")
        await call.apis["alice"].update_stream_room(call.room_id, force_generate_new_key=True)
        await call.apis["alice"].update_stream_room(call.room_id, users=["bob", "dave"])
        opened = await dave._directory.get(call.room_id)
        assert list(await dave._directory.epoch_secrets(opened)) == [2]
        alices = await call.apis["alice"]._directory.get(call.room_id)
        assert list(await call.apis["alice"]._directory.epoch_secrets(alices)) == [1, 2]


async def test_where_the_policy_shares_history_an_added_member_gets_it() -> None:
    async with open_call("alice", "bob") as call:
        alice, dave = call.apis["alice"], await call.add("dave")
        await alice.update_stream_room(
            call.room_id, force_generate_new_key=True, policy={"share_history": "yes"}
        )
        await alice.update_stream_room(call.room_id, force_generate_new_key=True)
        await alice.update_stream_room(call.room_id, users=["bob", "dave"])
        opened = await dave._directory.get(call.room_id)
        secrets = await dave._directory.epoch_secrets(opened)
        assert secrets == await alice._directory.epoch_secrets(
            await alice._directory.get(call.room_id)
        )
        assert list(secrets) == [1, 2, 3]


async def test_two_managers_who_change_a_live_room_at_once_converge() -> None:
    async with open_call("alice", "bob", "carol", "dave") as call:
        alice, bob = call.apis["alice"], call.apis["bob"]
        await alice.update_stream_room(
            call.room_id, users=["carol", "dave"], managers=["alice", "bob"]
        )
        stream = await publish(alice, call.room_id)
        await take((await call.subscribe("bob", stream))["camera"], 3)
        await asyncio.gather(
            alice.update_stream_room(call.room_id, users=["carol"]),
            bob.update_stream_room(call.room_id, public_meta=b"by bob"),
            alice.update_stream_room(call.room_id, private_meta=b"by alice"),
            bob.update_stream_room(call.room_id, users=["dave"]),
        )
        rooms = [await api.get_stream_room(call.room_id) for api in (alice, bob)]
        for room in rooms:
            assert (room.version, room.epoch) == (6, 3)
            assert (room.users, room.managers) == ([], ["alice", "bob"])
            assert (room.public_meta, room.private_meta) == (b"by bob", b"by alice")
        await all_send_under(call, 3, "alice", "bob")
        await goes_on(call, "bob", 10)
        assert lost(call, "bob") == {}


async def test_a_participant_who_heard_of_no_rotation_catches_up_through_the_history() -> None:
    async with open_call("alice", "bob", "carol") as call:
        alice = call.apis["alice"]
        bob = call.apis["bob"]
        before = await bob._directory.get(call.room_id)
        await bob.leave_stream_room(call.room_id)
        for _ in range(3):
            await alice.update_stream_room(call.room_id, force_generate_new_key=True)
        caught_up = await bob._directory.refresh(before)
        assert (caught_up.record.version, sorted(caught_up.secrets)) == (4, [1, 2, 3, 4])
        await bob.join_stream_room(call.room_id)
        stream = await publish(alice, call.room_id)
        assert shows_stripes((await take((await call.subscribe("bob", stream))["camera"], 3))[-1])


async def test_who_joins_while_the_room_changes_has_its_newest_epoch() -> None:
    async with open_call("alice", "bob") as call:
        alice, bob = call.apis["alice"], call.apis["bob"]
        await bob.leave_stream_room(call.room_id)
        honest, connection = call.connections["bob"].call, call.connections["bob"]

        async def overtaken(method: str, params: Any, result: Any) -> Any:
            answer = await honest(method, params, result)
            if method == "room.get":
                connection.call = honest  # type: ignore[method-assign]
                await alice.update_stream_room(call.room_id, force_generate_new_key=True)
            return answer

        connection.call = overtaken  # type: ignore[method-assign]
        await bob.join_stream_room(call.room_id)
        assert session_of(call, "bob")._keys.newest.id.epoch == 2
        stream = await publish(alice, call.room_id)
        await take((await call.subscribe("bob", stream))["camera"], 2)


async def test_a_room_closed_in_a_call_ends_it_and_can_be_reopened() -> None:
    async with open_call("alice", "bob") as call:
        alice, bob = call.apis["alice"], call.apis["bob"]
        stream = await publish(bob, call.room_id)
        await take((await call.subscribe("alice", stream))["camera"], 2)
        await alice.close_stream_room(call.room_id)
        await eventually(lambda: call.room_id not in bob._joined)
        params = RoomParams(room_id=call.room_id)
        view = await call.connections["bob"].call("room.get", params, RoomResult)
        assert view.room.state == "closed"
        await alice.reopen_stream_room(call.room_id)
        for api in (alice, bob):
            await api.join_stream_room(call.room_id)
