"""What a subscribed data track holds, hands out and tells, without a network."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from sealroom.client import remote_data_track
from sealroom.client.errors import DataTrackCutError
from sealroom.client.models import StreamTrackInfo
from sealroom.client.remote_data_track import (
    MAX_HELD_MESSAGES,
    MAX_UNREAD_BYTES,
    MAX_UNREAD_MESSAGES,
    RemoteDataTrack,
)
from sealroom.crypto.announcement import VerifiedStream
from sealroom.crypto.data_errors import DataGapError, DataOverflowError
from sealroom.crypto.data_message import DataReceiver, DataSender, DataTrackId
from sealroom.crypto.epoch import EpochId, EpochKeys, derive_epoch_keys
from sealroom.media.errors import AlreadyReadError
from sealroom.protocol import MAX_DATA_MESSAGE_BYTES, StreamAnnouncement

TRACK = DataTrackId(b"f" * 32, b"n" * 16, "stream", "track")


def keys(epoch: int = 1) -> EpochKeys:
    return derive_epoch_keys(b"s" * 32, EpochId("context", "room", epoch))


class Received:
    """A track in epoch 1 with the sender of its messages, and what it told."""

    def __init__(self) -> None:
        self.sender = DataSender(keys(), TRACK)
        self.told: list[tuple[float, str, int]] = []
        announcement = StreamAnnouncement(
            context_id="context", room_id="room", stream_id="stream", nonce=b"n" * 16, epoch=1,
            tracks=[],
        )  # fmt: skip
        stream = VerifiedStream("stream", "participant", "alice", b"f" * 32, announcement)
        receiver = DataReceiver(TRACK)
        receiver.add_epoch(keys())
        info = StreamTrackInfo("track", "data", "message", "")
        self.track = RemoteDataTrack(stream, info, receiver, self._refused)

    def _refused(self, _: Any, reason: str, count: int) -> None:
        self.told.append((asyncio.get_running_loop().time(), reason, count))

    def come(self, *contents: bytes) -> None:
        for one in contents:
            self.track.receive(self.sender.seal(one))

    async def read(self) -> list[int]:
        """What can be read now."""
        numbers = []
        messages = self.track.messages()
        try:
            while self.track.statistics.messages_unread:
                numbers.append((await anext(messages)).sequence)
        finally:
            await messages.aclose()  # type: ignore[attr-defined]
        return numbers


async def test_messages_are_read_in_order_until_the_track_ends() -> None:
    one = Received()
    one.come(b"a", b"b")
    one.track.end()
    one.track.end(DataTrackCutError("later"))  # idempotent
    assert [(m.sequence, m.data) async for m in one.track.messages()] == [(0, b"a"), (1, b"b")]
    one.come(b"too late")
    assert [m async for m in one.track.messages()] == []


async def test_a_cut_is_an_error_after_what_came_before() -> None:
    one = Received()
    one.come(b"a")
    one.track.end(DataTrackCutError("slow"))
    assert await one.read() == [0]
    for _ in range(2):
        with pytest.raises(DataTrackCutError):
            await anext(one.track.messages())


@pytest.mark.parametrize(
    ("size", "kept"), [(0, MAX_UNREAD_MESSAGES), (MAX_DATA_MESSAGE_BYTES, 256)]
)
async def test_the_queue_is_bounded_in_messages_and_bytes_and_losses_stand_where_they_are(
    size: int, kept: int
) -> None:
    assert kept * size <= MAX_UNREAD_BYTES
    one = Received()
    one.come(*[bytes(size)] * (kept + 3))
    assert one.track.statistics.messages_unread == kept
    assert await one.read() == list(range(kept))
    one.come(bytes(size))
    with pytest.raises(DataOverflowError) as lost:
        await anext(one.track.messages())
    assert (lost.value.first, lost.value.count) == (kept, 3)
    assert await one.read() == [kept + 3]
    assert one.track.statistics.refused == {"data_overflow": 3}


async def test_losses_that_follow_each_other_are_one() -> None:
    one = Received()
    one.come(*[b""] * (MAX_UNREAD_MESSAGES + 1))
    one.sender.seal(b"never comes")
    one.come(b"")
    await one.read()
    with pytest.raises(DataOverflowError) as lost:
        await anext(one.track.messages())
    assert (lost.value.first, lost.value.count) == (MAX_UNREAD_MESSAGES, 3)
    assert one.track.statistics.refused == {"data_overflow": 2, "data_gap": 1}


async def test_messages_that_overtake_their_key_come_in_order_once_it_is_there() -> None:
    one = Received()
    one.come(b"old")
    one.sender.rotate(keys(2))
    one.come(b"new", b"newer")
    one.sender.rotate(keys(3))
    one.come(b"newest")
    assert one.track.statistics.messages_received == 1
    one.track.add_epoch(keys(2))
    assert one.track.statistics.messages_received == 3
    one.track.add_epoch(keys(3))
    assert await one.read() == [0, 1, 2, 3]
    assert one.told == []


async def test_what_waits_for_a_key_is_bounded_in_number_and_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote_data_track, "HOLD_SECONDS", 0.1)
    one = Received()
    one.sender.rotate(keys(2))
    one.come(*[b""] * (MAX_HELD_MESSAGES + 5))
    assert one.track.statistics.refused == {"data_epoch": 5}
    async with asyncio.timeout(5):
        while one.track.statistics.refused["data_epoch"] < MAX_HELD_MESSAGES + 5:
            await asyncio.sleep(0.01)
    one.track.add_epoch(keys(2))
    assert one.track.statistics.messages_received == 0


async def test_an_epoch_that_is_over_does_not_wait() -> None:
    one = Received()
    one.track.add_epoch(keys(2))
    one.track.drop_epochs_before(2)
    one.come(b"")
    assert one.track.statistics.refused == {"data_epoch": 1}


async def test_each_reason_is_told_at_once_and_then_once_in_an_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote_data_track, "EVENT_INTERVAL", 0.2)
    one = Received()
    message = one.sender.seal(b"")
    one.track.receive(message)
    for _ in range(30):
        one.track.receive(message)
        one.track.receive(b"x" * 40)
    assert [(reason, count) for _, reason, count in one.told] == [
        ("data_replayed", 1),
        ("data_malformed", 1),
    ]
    async with asyncio.timeout(5):
        while len(one.told) < 4:
            await asyncio.sleep(0.01)
    one.track.receive(message)
    one.track.end()  # tells what is left
    for reason, total in (("data_replayed", 31), ("data_malformed", 30)):
        assert sum(count for _, name, count in one.told if name == reason) == total
        times = [at for at, name, _ in one.told if name == reason]
        assert all(later - earlier >= 0.19 for earlier, later in pairwise(times[:2]))


async def test_a_gap_is_an_error_where_it_is_and_what_follows_can_be_read() -> None:
    one = Received()
    one.come(b"0")
    one.sender.seal(b"1")
    one.come(b"2")
    messages = one.track.messages()
    assert (await anext(messages)).sequence == 0
    with pytest.raises(DataGapError):
        await anext(messages)
    assert await one.read() == [2]


async def test_a_second_reader_is_refused_and_the_first_goes_on() -> None:
    one = Received()
    messages = one.track.messages()
    first = asyncio.ensure_future(anext(messages))
    await asyncio.sleep(0)
    with pytest.raises(AlreadyReadError):
        await anext(one.track.messages())
    one.come(b"a")
    assert (await first).data == b"a"


async def test_a_reader_may_follow_one_that_was_broken_off() -> None:
    one = Received()
    for number in range(3):
        one.come(b"a")
        async for message in one.track.messages():
            assert message.sequence == number
            break
    waiting = asyncio.ensure_future(anext(one.track.messages()))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    one.come(b"b")
    assert await one.read() == [3]
