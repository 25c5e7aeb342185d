"""When epochs come into use and end: everybody ready, nobody heard, several at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from sealroom.client.rotation import OVERLAP, KeySchedule
from sealroom.crypto.epoch import EpochId, EpochKeys, derive_epoch_keys


def keys(epoch: int) -> EpochKeys:
    return derive_epoch_keys(bytes(32), EpochId("context", "room", epoch))


class Timers:
    """Stands for the event loop's clock: timers fire when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self._timers: list[tuple[float, asyncio.TimerHandle]] = []
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "time", lambda: self.now)
        monkeypatch.setattr(loop, "call_later", self._call_later)

    def _call_later(self, delay: float, callback: object, *args: object) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(
            self.now + delay,
            callback,  # type: ignore[arg-type]
            args,
            asyncio.get_running_loop(),
        )
        self._timers.append((self.now + delay, handle))
        return handle

    def advance(self, seconds: float) -> None:
        until = self.now + seconds
        while due := [one for one in self._timers if one[0] <= until and not one[1].cancelled()]:
            first = min(due, key=lambda one: one[0])
            self._timers.remove(first)
            self.now = first[0]
            first[1]._run()
        self.now = until


class Room:
    """A schedule with what it said."""

    def __init__(self, grace: float = 5.0) -> None:
        self.switched: list[int] = []
        self.retired: list[int] = []
        self.schedule = KeySchedule(
            keys(1),
            switch_within=1.0,
            grace=grace,
            on_switch=lambda one: self.switched.append(one.id.epoch),
            on_retire=self.retired.append,
        )

    @property
    def accepted(self) -> list[int]:
        return [one.id.epoch for one in self.schedule.accepted]


@pytest.fixture
async def timers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Timers]:  # type: ignore[misc]
    with monkeypatch.context() as patch:
        yield Timers(patch)


async def test_senders_move_on_when_everybody_is_ready(timers: Timers) -> None:
    room = Room()
    room.schedule.add(keys(2))
    timers.advance(0.2)
    assert (room.switched, room.accepted, room.schedule.sending.id.epoch) == ([], [1, 2], 1)
    room.schedule.all_ready(2)
    assert (room.switched, room.schedule.sending.id.epoch) == ([2], 2)
    timers.advance(OVERLAP - 0.1)
    assert room.accepted == [1, 2]
    timers.advance(0.2)
    assert (room.accepted, room.retired) == ([2], [2])
    timers.advance(60)
    assert (room.switched, room.retired) == ([2], [2])


async def test_senders_do_not_wait_longer_than_they_are_told(timers: Timers) -> None:
    room = Room()
    room.schedule.add(keys(2))
    timers.advance(0.99)
    assert room.switched == []
    timers.advance(0.02)
    assert room.switched == [2]
    timers.advance(4.9)
    assert room.accepted == [1, 2]
    timers.advance(0.2)
    assert room.accepted == [2]


async def test_a_word_that_comes_late_ends_the_old_epoch_sooner(timers: Timers) -> None:
    room = Room()
    room.schedule.add(keys(2))
    timers.advance(2)
    room.schedule.all_ready(2)
    timers.advance(OVERLAP + 0.1)
    assert (room.switched, room.accepted) == ([2], [2])


async def test_an_epoch_overtaken_by_another_is_skipped_by_senders_only(timers: Timers) -> None:
    room = Room()
    room.schedule.add(keys(2))
    timers.advance(0.5)
    room.schedule.add(keys(3))
    room.schedule.all_ready(2)
    assert (room.switched, room.accepted) == ([], [1, 2, 3])
    timers.advance(0.6)  # one second after the first of them, not the last
    assert room.switched == [3]
    timers.advance(60)
    assert (room.switched, room.accepted) == ([3], [3])


@pytest.mark.parametrize("epoch", [0, 1, 5])
async def test_a_word_about_another_epoch_changes_nothing(timers: Timers, epoch: int) -> None:
    room = Room()
    room.schedule.add(keys(2))
    room.schedule.all_ready(epoch)
    assert (room.switched, room.accepted) == ([], [1, 2])


async def test_without_grace_the_old_epoch_ends_with_the_switch(timers: Timers) -> None:
    room = Room(grace=0)
    room.schedule.add(keys(2))
    room.schedule.all_ready(2)
    timers.advance(0.001)
    assert room.accepted == [2]


async def test_a_closed_schedule_does_nothing_more(timers: Timers) -> None:
    room = Room()
    room.schedule.add(keys(2))
    room.schedule.close()
    timers.advance(60)
    assert (room.switched, room.retired) == ([], [])
