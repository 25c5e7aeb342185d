"""Subscribers that do not take their data: cut, told, and a burden to nobody."""

from __future__ import annotations

from typing import Any

import pytest
from call_support import Call, eventually, open_call
from data_support import publish_data, read, received, record, subscribe_data

from sealroom.bridge import data_forwarding
from sealroom.client import RemoteDataTrack
from sealroom.client.errors import DataTrackCutError
from sealroom.client.events import DataRejected, DataTrackCut

KIB = 1024


@pytest.fixture(autouse=True)
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_forwarding, "MAX_DATA_BACKLOG_BYTES", 64 * KIB)


def deafen(call: Call, user_id: str) -> Any:
    """Have a subscriber's SCTP take nothing more; returns it."""
    subscriber = call.apis[user_id]._session(call.room_id).receiving.subscriber
    assert subscriber is not None
    sctp = subscriber.peer.use_data_channels()._sctp

    async def ignore(data: bytes) -> None:
        """As a subscriber does that is suspended."""

    sctp._handle_data = ignore
    return sctp


async def failure(remote: RemoteDataTrack) -> list[int]:
    """Read until the track is cut; return the numbers that came."""
    numbers = []
    try:
        async for message in remote.messages():
            numbers.append(message.sequence)
    except DataTrackCutError:
        return numbers
    raise AssertionError("the track ended without being cut")


async def test_a_subscriber_that_does_not_read_is_cut_and_told_and_others_are_not_delayed() -> None:
    async with open_call("alice", "bob", "carol") as call:
        stream, data = await publish_data(call, "alice")
        slow = await subscribe_data(call, "bob", stream)
        good = await subscribe_data(call, "carol", stream)
        cuts = record(call, "bob", DataTrackCut)
        await data.send(b"first")
        await received(slow, 1)
        deafen(call, "bob")
        for number in range(60):
            await data.send(bytes(8 * KIB))
            await received(good, number + 2)
        assert [one.sequence for one in await read(good, 61)] == list(range(61))
        await eventually(lambda: len(cuts) == 1)
        assert (cuts[0].stream_id, cuts[0].track_id) == (stream.stream_id, slow.track_id)
        assert await failure(slow) == [0]
        forwarding = call.bridge.media._data
        assert forwarding.subscribers_cut == 1
        assert call.bridge.media.statistics().data_subscribers_cut == 1
        subscribed = [len(one.consumers) for one in forwarding._producers.values()]
        assert subscribed == [1]


async def test_who_was_cut_can_subscribe_again_and_misses_nothing_unnoticed() -> None:
    async with open_call("alice", "bob") as call:
        stream, data = await publish_data(call, "alice")
        slow = await subscribe_data(call, "bob", stream)
        events = record(call, "bob", DataRejected)
        await data.send(b"first")
        await received(slow, 1)
        sctp = deafen(call, "bob")
        for _ in range(60):
            await data.send(bytes(8 * KIB))
        assert await failure(slow) == [0]
        del sctp._handle_data  # awake again
        again = await subscribe_data(call, "bob", stream)
        assert again is not slow
        await data.send(b"again")
        async for message in again.messages():
            assert message.sequence == 61
            break
        assert events == []


async def test_what_waits_for_a_subscriber_is_bounded_over_all_its_tracks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(data_forwarding, "MAX_PARTICIPANT_DATA_BACKLOG_BYTES", 96 * KIB)
    async with open_call("alice", "bob") as call:
        first, one = await publish_data(call, "alice")
        second, two = await publish_data(call, "alice")
        slow = [await subscribe_data(call, "bob", stream) for stream in (first, second)]
        deafen(call, "bob")
        (participant,) = [
            p for p in call.bridge.media._participants.values() if p.subscriber is not None
        ]
        channels = participant.subscriber.peer.use_data_channels()
        highest = 0
        for _ in range(60):
            for data in (one, two):
                await data.send(bytes(4 * KIB))
                highest = max(highest, channels.buffered_amount)
        assert 64 * KIB < highest <= 96 * KIB
        await eventually(lambda: all(track.has_ended for track in slow))
        assert channels.buffered_amount == 0
