"""The log of a session's events: its numbers, its three bounds, and what they cost who resumes."""

import msgspec
import pytest

from sealroom.bridge.event_log import EventLog, LogLimits
from sealroom.protocol import EventEnvelope, EventType


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def fill(log: EventLog, count: int, data: bytes = b"{}") -> None:
    for _ in range(count):
        log.append(
            EventEnvelope(
                sequence=log.next_sequence,
                type=EventType.ROOM_CUSTOM,
                context_id="c",
                room_id="r",
                data=msgspec.Raw(data),
            )
        )


def numbers(log: EventLog, after: int) -> list[int] | None:
    events = log.since(after)
    return None if events is None else [one.sequence for one in events]


def test_an_empty_log_has_missed_nothing() -> None:
    assert numbers(EventLog(LogLimits()), 0) == []


def test_it_returns_what_came_after_a_number_in_order() -> None:
    log = EventLog(LogLimits())
    fill(log, 5)
    assert numbers(log, 0) == [1, 2, 3, 4, 5]
    assert numbers(log, 3) == [4, 5]
    assert numbers(log, 5) == []


@pytest.mark.parametrize("after", [-1, 6])
def test_a_number_that_never_was_is_an_error(after: int) -> None:
    log = EventLog(LogLimits())
    fill(log, 5)
    with pytest.raises(ValueError, match="no such event"):
        log.since(after)


def test_beyond_the_number_of_events_the_oldest_are_gone() -> None:
    log = EventLog(LogLimits(events=3))
    fill(log, 5)
    assert len(log) == 3
    assert numbers(log, 2) == [3, 4, 5]
    assert numbers(log, 1) is None


def test_beyond_the_bytes_the_oldest_are_gone() -> None:
    log = EventLog(LogLimits(bytes=3000))
    fill(log, 5, b'"' + b"x" * 998 + b'"')  # 1256 bytes with what is around
    assert numbers(log, 3) == [4, 5]
    assert numbers(log, 2) is None


def test_an_event_larger_than_the_log_is_not_kept() -> None:
    log = EventLog(LogLimits(bytes=100))
    fill(log, 1)
    assert len(log) == 0
    assert (numbers(log, 0), numbers(log, 1)) == (None, [])


def test_events_grow_too_old() -> None:
    clock = Clock()
    log = EventLog(LogLimits(seconds=10), clock)
    fill(log, 1)
    clock.now = 6
    fill(log, 1)
    assert numbers(log, 0) == [1, 2]
    clock.now = 11
    assert numbers(log, 0) is None
    assert numbers(log, 1) == [2]
    clock.now = 17
    assert numbers(log, 1) is None
    assert numbers(log, 2) == []


def test_after_clearing_the_numbers_go_on() -> None:
    log = EventLog(LogLimits())
    fill(log, 2)
    log.clear()
    fill(log, 1)
    assert numbers(log, 2) == [3]
    assert numbers(log, 1) is None
