"""Acceptance 7.8: what the reference does not test (docs/acceptance.md)."""

from __future__ import annotations

from typing import Any

import pytest
from call_support import eventually, open_call, publish, shows_stripes, take
from client_support import ClientWorld, EventLog
from client_support import publish as publish_nothing

from sealroom import errors, sframe
from sealroom.bridge.room_changes import RoomChanges
from sealroom.client import StreamSubscription
from sealroom.client.errors import AccessDeniedError, StreamStateError
from sealroom.client.events import StreamPublished, StreamUnpublished
from sealroom.protocol import UnpublishParams
from sealroom.protocol.values import Empty


async def test_hostile_frames_replayed_reordered_and_lost() -> None:
    key = bytes(range(32))
    sender = sframe.Sender(suite=sframe.AES_256_GCM_SHA512_128, key_id=1, base_key=key)
    receiver = sframe.Receiver(suite=sframe.AES_256_GCM_SHA512_128)
    receiver.add_key(1, key)
    frames = [sender.protect(b"frame %d" % number) for number in range(1200)]
    assert receiver.unprotect(frames[0]) == b"frame 0"
    with pytest.raises(errors.ReplayError):
        receiver.unprotect(frames[0])
    assert receiver.unprotect(frames[3]) == b"frame 3"  # 2 is late
    assert receiver.unprotect(frames[2]) == b"frame 2"
    with pytest.raises(errors.ReplayError):
        receiver.unprotect(frames[2])
    assert receiver.unprotect(frames[1100]) == b"frame 1100"  # those between are lost
    with pytest.raises(errors.TooOldError):
        receiver.unprotect(frames[1])
    damaged = bytearray(frames[1101])
    damaged[-1] ^= 1
    with pytest.raises(errors.AuthenticationError):
        receiver.unprotect(bytes(damaged))
    assert receiver.unprotect(frames[1101]) == b"frame 1101"  # the forgery changed nothing


async def test_hostile_a_user_unpublishes_its_own_stream_and_no_others(
    clients: ClientWorld,
) -> None:
    """In the reference only managers unpublish, their own too."""
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice)
    for api in (alice, bob):
        await api.join_stream_room(room_id)
    hers, his = await publish_nothing(alice, room_id), await publish_nothing(bob, room_id)
    with pytest.raises(AccessDeniedError):
        await clients.connection_of(bob).call(
            "stream.unpublish", UnpublishParams(room_id=room_id, stream_id=hers.stream_id), Empty
        )
    await his.unpublish()
    assert [one.stream_id for one in await bob.list_streams(room_id)] == [hers.stream_id]


async def test_hostile_load_of_three_publishers_and_six_subscribers() -> None:
    """Eighteen videos, each decrypted in full; figures of more are those of the benchmarks."""
    names = [f"user{number}" for number in range(6)]
    async with open_call(*names) as call:
        streams = [await publish(call.apis[one], call.room_id) for one in names[:3]]
        for name in names:
            for stream in streams:
                remote = (await call.subscribe(name, stream))["camera"]
                assert shows_stripes((await take(remote, 2, seconds=30))[-1])

        def frames(name: str) -> list[int]:
            tracks = call.apis[name].statistics(call.room_id).received
            return [one.native.frames_received for one in tracks]

        before = {name: frames(name) for name in names}
        await eventually(
            lambda: all(
                now >= then + 20
                for name in names
                for now, then in zip(frames(name), before[name], strict=True)
            ),
            seconds=40,
        )
        for name in names:
            tracks = call.apis[name].statistics(call.room_id).received
            assert len(tracks) == 3
            assert all(sum(one.native.rejected.values()) == 0 for one in tracks), name


async def test_hostile_a_bridge_that_keeps_a_stream_the_policy_forbids(
    clients: ClientWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the signed record decides, clients carry out by themselves."""

    async def do_nothing(*_: Any) -> None:
        return None

    monkeypatch.setattr(RoomChanges, "_enforce", do_nothing)
    alice, bob, carol = [await clients.api(one) for one in ("alice", "bob", "carol")]
    room_id = await clients.room(alice, ("bob", "carol"))
    for api in (alice, bob, carol):
        await api.join_stream_room(room_id)
    log, own = EventLog(carol), EventLog(bob)
    stream = await publish_nothing(bob, room_id)
    await log.next(StreamPublished)
    await carol.subscribe_to_remote_streams(room_id, [StreamSubscription(stream.stream_id)])
    await alice.update_stream_room(room_id, policy={"publish": "manager"})
    for one in (log, own):
        assert (await one.next(StreamUnpublished)).stream_id == stream.stream_id
    assert await carol.list_streams(room_id) == []
    assert list(carol._session(room_id).receiving.remote_tracks()) == []
    with pytest.raises(StreamStateError):
        await stream.update()  # its own client has stopped sending
