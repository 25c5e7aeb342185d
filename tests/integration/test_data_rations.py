"""Publishers above their ration of data messages: slowed down, robbed of nothing."""

from __future__ import annotations

import asyncio
import time

import pytest
from call_support import Call, open_call, shows_stripes, take
from data_support import publish_data, read, received, record, subscribe_data

from sealroom.bridge.data_rations import DataLimits
from sealroom.client import DataTrackHandle
from sealroom.client.data_track import SEND_WINDOW
from sealroom.client.events import DataFailed, DataRecovering, DataRejected, DataTrackCut
from sealroom.media.sctp import MAX_WINDOW, RECEIVE_WINDOW, WINDOW_SLACK

KIB = 1024


async def send(data: DataTrackHandle, count: int, size: int) -> None:
    for _ in range(count):
        await data.send(bytes(size))


def held(call: Call) -> list[int]:
    """Bytes that wait at the media server, by publisher."""
    peers = [one.publisher for one in call.bridge.media._participants.values() if one.publisher]
    return [one.peer.use_data_channels()._sctp._withheld for one in peers]


@pytest.mark.parametrize(("size", "seconds"), [(1, 2.0), (8 * KIB, 2.0)])
async def test_who_sends_too_fast_waits_and_every_message_arrives_in_order(
    size: int, seconds: float
) -> None:
    limits = DataLimits(messages=200, bytes=512 * KIB, burst_seconds=0.5)
    total = 100 + 400 if size == 1 else 32 + 128  # a burst, and two seconds of the rate
    async with open_call("alice", "bob", data_limits=limits) as call:
        stream, data = await publish_data(call, "alice", video=True)
        remote = await subscribe_data(call, "bob", stream)
        events = record(call, "bob", DataRejected, DataTrackCut)
        died = record(call, "alice", DataRecovering)
        started = time.monotonic()
        sending = asyncio.create_task(send(data, total, size))
        messages = await read(remote, total, 60)
        assert time.monotonic() - started >= seconds * 0.9  # that is what a limit is
        await sending
        assert [one.sequence for one in messages] == list(range(total))
        assert events == died == []
        [camera] = call.apis["bob"]._session(call.room_id).receiving.remote_tracks()
        assert shows_stripes((await take(camera, 5))[-1])  # media is not slowed down


async def test_what_waits_is_bounded_at_both_ends_and_others_go_on() -> None:
    limits = DataLimits(messages=20, burst_seconds=1.0)
    async with open_call("alice", "bob", "carol", data_limits=limits) as call:
        flood, data = await publish_data(call, "alice")
        calm, other = await publish_data(call, "bob")
        flooded = await subscribe_data(call, "carol", flood)
        calmed = await subscribe_data(call, "carol", calm)
        events = record(call, "alice", DataFailed, DataRecovering)
        sending = asyncio.create_task(send(data, 200, 16 * KIB))
        highest = 0
        for number in range(10):
            assert await other.send(b"calm") == number
            await received(calmed, number + 1)  # at once, as far as the other is concerned
            highest = max(highest, *held(call))
            await asyncio.sleep(0.1)
        assert not sending.done()
        assert 0 < highest <= RECEIVE_WINDOW + WINDOW_SLACK
        assert data.statistics is not None
        assert data.statistics.buffered_amount <= SEND_WINDOW + 17 * KIB
        under_way = (highest + MAX_WINDOW + SEND_WINDOW) // (16 * KIB) + 2
        assert data.statistics.messages_sent - flooded.statistics.messages_received <= under_way
        assert flooded.statistics.refused == {}
        assert events == []
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def test_the_publishers_of_a_room_share_its_ration() -> None:
    limits = DataLimits(messages=1000, room_messages=100, burst_seconds=1.0)
    async with open_call("alice", "bob", "carol", data_limits=limits) as call:
        published = [await publish_data(call, one) for one in ("alice", "bob")]
        remotes = [await subscribe_data(call, "carol", stream) for stream, _ in published]
        started = time.monotonic()
        sending = [asyncio.create_task(send(data, 150, 10)) for _, data in published]
        for remote in remotes:
            messages = await read(remote, 150, 60)
            assert [one.sequence for one in messages] == list(range(150))
        assert time.monotonic() - started >= 1.8
        await asyncio.gather(*sending)
