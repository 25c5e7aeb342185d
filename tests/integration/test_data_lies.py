"""An SFU that cheats with data messages: whatever it does is named, and none of it is data."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from call_support import Call, eventually, open_call
from data_support import publish_data, read, received, record, subscribe_data

from sealroom.bridge.room_changes import RoomChanges
from sealroom.client import DataTrackHandle, RemoteDataTrack
from sealroom.client.events import DataRejected
from sealroom.crypto.data_errors import DataGapError

Forward = Callable[[bytes], None]


class Sfu:
    """The media server's forwarding, with `lie` in place of what it does with each message."""

    def __init__(self, call: Call) -> None:
        self.forwarding = call.bridge.media._data
        self.seen: list[tuple[Any, Any, bytes]] = []
        self.lie: Callable[[bytes, Forward], None] | None = None
        self._forward = self.forwarding._forward
        self.forwarding._forward = self._take

    def _take(self, ref: Any, producer: Any, message: bytes) -> None:
        self.seen.append((ref, producer, message))
        if self.lie is None:
            self._forward(ref, producer, message)
        else:
            self.lie(message, lambda other: self._forward(ref, producer, other))

    def send(self, index: int, message: bytes) -> None:
        """Send bytes to the subscribers of the track that message `index` was of."""
        ref, producer, _ = self.seen[index]
        self._forward(ref, producer, message)


async def started(call: Call) -> tuple[Sfu, DataTrackHandle, RemoteDataTrack, list[DataRejected]]:
    """A track of which message 0 has arrived."""
    stream, data = await publish_data(call, "alice")
    remote = await subscribe_data(call, "bob", stream)
    events = record(call, "bob", DataRejected)
    sfu = Sfu(call)
    await data.send(b"0")
    assert [one.data for one in await read(remote, 1)] == [b"0"]
    return sfu, data, remote, events


async def refuses(remote: RemoteDataTrack, events: list[DataRejected], **counts: int) -> None:
    """Wait until messages were refused for these reasons, and no others, and events told so."""
    expected = {f"data_{name}": count for name, count in counts.items()}
    await eventually(lambda: remote.statistics.refused == expected)
    await eventually(
        lambda: (
            {
                reason: sum(one.count for one in events if one.reason == reason)
                for reason in expected
            }
            == expected
        )
    )
    assert remote.statistics.messages_unread == 0


async def test_a_dropped_message_is_a_gap(call: Call) -> None:
    sfu, data, remote, events = await started(call)
    sfu.lie = lambda message, forward: None
    await data.send(b"1")
    await data.send(b"2")
    await eventually(lambda: len(sfu.seen) == 3)
    sfu.lie = None
    await data.send(b"3")
    with pytest.raises(DataGapError) as gap:
        await read(remote, 1)
    assert (gap.value.first, gap.value.count) == (1, 2)
    assert [one.sequence for one in await read(remote, 1)] == [3]
    await refuses(remote, events, gap=2)


async def test_a_repeated_message_is_a_replay(call: Call) -> None:
    sfu, data, remote, events = await started(call)

    def twice(message: bytes, forward: Forward) -> None:
        forward(message)
        forward(message)

    sfu.lie = twice
    await data.send(b"1")
    await data.send(b"2")
    sfu.send(0, sfu.seen[0][2])
    assert [one.sequence for one in await read(remote, 2)] == [1, 2]
    await refuses(remote, events, replayed=3)


async def test_swapped_messages_are_a_gap_and_one_out_of_order(call: Call) -> None:
    sfu, data, remote, events = await started(call)
    kept: list[bytes] = []

    def swap(message: bytes, forward: Forward) -> None:
        kept.append(message)
        if len(kept) == 2:
            for one in reversed(kept):
                forward(one)

    sfu.lie = swap
    await data.send(b"1")
    await data.send(b"2")
    with pytest.raises(DataGapError) as gap:
        await read(remote, 1)
    assert (gap.value.first, gap.value.count) == (1, 1)
    assert [one.sequence for one in await read(remote, 1)] == [2]
    await refuses(remote, events, gap=1, reordered=1)


@pytest.mark.parametrize("at", [9, 16, 17, -1], ids=["sequence", "its end", "data", "tag"])
async def test_an_altered_message_is_a_forgery(call: Call, at: int) -> None:
    sfu, data, remote, events = await started(call)
    sfu.lie = lambda message, forward: None
    await data.send(b"1")
    await eventually(lambda: len(sfu.seen) == 2)
    altered = bytearray(sfu.seen[1][2])
    altered[at] ^= 1
    sfu.send(1, bytes(altered))
    await refuses(remote, events, forged=1)
    sfu.send(1, sfu.seen[1][2])
    assert [one.data for one in await read(remote, 1)] == [b"1"]


async def test_bytes_that_are_no_message_are_malformed(call: Call) -> None:
    sfu, _, remote, events = await started(call)
    sfu.send(0, b"\2" + sfu.seen[0][2][1:])
    await refuses(remote, events, malformed=1)


async def test_a_message_under_a_made_up_epoch_waits_for_its_key_in_vain(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealroom.client.remote_data_track.HOLD_SECONDS", 0.3)
    sfu, data, remote, events = await started(call)
    sfu.send(0, b"\1" + (9).to_bytes(8, "big") + sfu.seen[0][2][9:])
    await data.send(b"1")  # and it keeps nothing from coming
    assert [one.data for one in await read(remote, 1)] == [b"1"]
    await refuses(remote, events, epoch=1)


async def test_a_message_moved_to_another_stream_or_publisher_is_a_forgery() -> None:
    async with open_call("alice", "bob", "carol") as call:
        sfu, data, remote, events = await started(call)
        second, other = await publish_data(call, "alice")
        third, of_carol = await publish_data(call, "carol")
        for stream in (second, third):
            await subscribe_data(call, "bob", stream)
        await data.send(b"1")
        await other.send(b"of another stream")
        await of_carol.send(b"of another publisher")
        await eventually(lambda: len(sfu.seen) == 4)
        assert [one.data for one in await read(remote, 1)] == [b"1"]
        for _, _, message in sfu.seen[2:]:
            sfu.send(0, message)
        await refuses(remote, events, forged=2)


async def test_a_media_server_cannot_open_channels_nobody_asked_for(call: Call) -> None:
    _, data, remote, events = await started(call)
    (subscriber,) = [p.subscriber for p in call.bridge.media._participants.values() if p.subscriber]
    channels = subscriber.peer.use_data_channels()
    label = f"{remote.stream_id} {remote.track_id}"
    opened = [channels.open(one) for one in (label, "nobody nothing", "")]
    for one in opened:
        one.send(b"x" * 40)
    await eventually(lambda: all(one.is_closed for one in opened))
    await data.send(b"1")
    assert [one.data for one in await read(remote, 1)] == [b"1"]
    assert events == []
    assert remote.statistics.refused == {}


async def test_a_flood_of_bad_messages_gives_an_event_a_second(call: Call) -> None:
    sfu, _, remote, _ = await started(call)
    times: list[float] = []
    call.apis["bob"].add_event_listener(
        lambda event: times.append(time.monotonic()) if isinstance(event, DataRejected) else None
    )
    deadline = time.monotonic() + 20
    while len(times) < 3:
        assert time.monotonic() < deadline
        sfu.send(0, sfu.seen[0][2])
        await asyncio.sleep(0.01)
    assert remote.statistics.refused["data_replayed"] > 50
    assert all(later - earlier > 0.9 for earlier, later in pairwise(times))


async def test_a_removed_member_whom_a_colluding_bridge_keeps_in_reads_nothing_of_the_new_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither the Bridge nor the SFU detaches carol: she gets every message and opens none."""

    async def do_nothing(*_: Any) -> None:
        return None

    monkeypatch.setattr(RoomChanges, "_enforce", do_nothing)
    monkeypatch.setattr("sealroom.bridge.bus.EventBus.tell_excluded", lambda *_, **__: None)
    monkeypatch.setattr("sealroom.client.remote_data_track.HOLD_SECONDS", 0.3)
    async with open_call("alice", "bob", "carol") as call:
        stream, data = await publish_data(call, "alice")
        remotes = [await subscribe_data(call, one, stream) for one in ("bob", "carol")]
        await data.send(b"for all")
        for remote in remotes:
            await received(remote, 1)
        await call.apis["alice"].update_stream_room(call.room_id, users=["bob"])
        session = call.apis["alice"]._session(call.room_id)
        await eventually(lambda: session._keys.sending.id.epoch == 2)
        for _ in range(5):
            await data.send(b"for bob")
        assert [one.epoch for one in await read(remotes[0], 6)] == [1, 2, 2, 2, 2, 2]
        await eventually(lambda: remotes[1].statistics.refused == {"data_epoch": 5})
        assert [one.data for one in await read(remotes[1], 1)] == [b"for all"]
        assert remotes[1].statistics.messages_received == 1
