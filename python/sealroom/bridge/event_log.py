"""The newest events of one session, to be sent again after a dropped socket."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sealroom.protocol import (
    MAX_LOGGED_BYTES,
    MAX_LOGGED_EVENTS,
    MAX_LOGGED_SECONDS,
    EventEnvelope,
)

_ENVELOPE_BYTES: Final = 256  # what an event holds besides its data


@dataclass(frozen=True, slots=True)
class LogLimits:
    """Bounds of a log; what is beyond any of them goes, oldest first."""

    events: int = MAX_LOGGED_EVENTS
    bytes: int = MAX_LOGGED_BYTES
    seconds: float = MAX_LOGGED_SECONDS


class EventLog:
    """Numbers the events of a session and keeps the newest; sessions share the data of an event.

    Age is looked at whenever the log is used, so that a silent session may hold older ones.
    """

    def __init__(self, limits: LogLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._entries: deque[tuple[float, EventEnvelope]] = deque()
        self._bytes = 0
        self.sequence = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def next_sequence(self) -> int:
        """The number that the event to be appended must have."""
        return self.sequence + 1

    def append(self, envelope: EventEnvelope) -> None:
        """Keep an event, which has the next number."""
        assert envelope.sequence == self.next_sequence
        self.sequence += 1
        self._entries.append((self._clock(), envelope))
        self._bytes += _size(envelope)
        self._trim()

    def since(self, sequence: int) -> list[EventEnvelope] | None:
        """Return the events after this one, None if some of them are gone.

        Raises:
            ValueError: there has been no such event.
        """
        if not 0 <= sequence <= self.sequence:
            raise ValueError("no such event")
        self._trim()
        first = self._entries[0][1].sequence if self._entries else self.sequence + 1
        if sequence < first - 1:
            return None
        return [one for _, one in self._entries if one.sequence > sequence]

    def clear(self) -> None:
        """Forget all events, not their number."""
        self._entries.clear()
        self._bytes = 0

    def _trim(self) -> None:
        limits, oldest = self._limits, self._clock() - self._limits.seconds
        while self._entries and (
            len(self._entries) > limits.events
            or self._bytes > limits.bytes
            or self._entries[0][0] < oldest
        ):
            _, gone = self._entries.popleft()
            self._bytes -= _size(gone)


def _size(envelope: EventEnvelope) -> int:
    return len(memoryview(envelope.data)) + _ENVELOPE_BYTES
