"""Rations of data messages: by publisher and by room, in messages and in bytes."""

from __future__ import annotations

import pytest

from sealroom.bridge import data_rations
from sealroom.bridge.data_rations import DataLimits, DataRations
from sealroom.bridge.errors import BridgeError


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


LIMITS = DataLimits(
    messages=10, bytes=20_000, room_messages=40, room_bytes=80_000, burst_seconds=1.0
)


def admitted(rations: DataRations, participant: str, *, size: int = 100, copies: int = 1) -> int:
    """How many messages pass at once."""
    for count in range(1000):
        if rations.take(participant, "room", size, copies) > 0:
            return count
    raise AssertionError("there is no limit")


def test_a_publisher_sends_a_burst_and_then_at_its_rate() -> None:
    clock = Clock()
    rations = DataRations(LIMITS, clock)
    assert admitted(rations, "p") == 10
    assert rations.take("p", "room", 100, 1) == pytest.approx(0.1)
    clock.now += 0.5
    assert admitted(rations, "p") == 5
    clock.now += 3600
    assert admitted(rations, "p") == 10


def test_bytes_count_beside_messages() -> None:
    rations = DataRations(LIMITS, Clock())
    assert admitted(rations, "p", size=5000) == 4


def test_a_publisher_above_its_ration_takes_nothing_from_another() -> None:
    rations = DataRations(LIMITS, Clock())
    assert admitted(rations, "p") == 10
    for _ in range(100):
        assert rations.take("p", "room", 100, 1) > 0  # asking costs nothing, of the room neither
    assert admitted(rations, "q") == 10


def test_the_publishers_of_a_room_share_what_the_room_may_cost() -> None:
    clock = Clock()
    rations = DataRations(LIMITS, clock)
    assert [admitted(rations, name, copies=2) for name in ("p", "q", "r")] == [10, 10, 0]
    assert rations.take("r", "another room", 100, 2) == 0
    clock.now += 0.25
    assert admitted(rations, "r", copies=2) == 5
    assert admitted(DataRations(LIMITS, clock), "p", size=2000, copies=8) == 5


def test_a_message_that_costs_more_than_a_burst_passes_when_the_bucket_is_full() -> None:
    clock = Clock()
    rations = DataRations(LIMITS, clock)
    assert rations.take("p", "room", 100, 1000) == 0
    assert rations.take("p", "room", 100, 1000) == pytest.approx(1.0)
    clock.now += 1.0
    assert rations.take("p", "room", 100, 1000) == 0


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_rations, "MAX_REMEMBERED", 3)
    rations = DataRations(LIMITS, Clock())
    for number in range(10):
        rations.take(f"p{number}", f"r{number}", 1, 1)
    assert len(rations._publishers) == len(rations._rooms) == 3


@pytest.mark.parametrize(
    "limits",
    [
        {"messages": 0},
        {"bytes": -1},
        {"burst_seconds": 0},
        {"bytes": 1000},
        {"room_messages": 0.1},
        {"room_bytes": 8000},
    ],
)
def test_a_limit_that_lets_nothing_pass_is_refused(limits: dict[str, float]) -> None:
    with pytest.raises(BridgeError, match=next(iter(limits))):
        DataLimits(**limits)
