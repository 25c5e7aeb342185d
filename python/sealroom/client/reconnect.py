"""When a connection that dropped tries to come back."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sealroom.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnect:
    """Exponential back-off with jitter. All times in seconds.

    Attempt n waits `first_delay * factor**n`, at most `max_delay`, less a random share of up to
    `jitter`, so that the clients of a Bridge that restarts do not all come at once. The count
    begins again once a connection has lasted `stable_after`.

    Args:
        first_delay: from 0.01 to 60.
        factor: from 1 to 10.
        max_delay: from `first_delay` to 600.
        jitter: from 0 to 1.
        give_up_after: without a connection for so long, it is closed for good.
        stable_after: see above.
        sleep, random, clock: for tests.

    Raises:
        InvalidArgumentError: a figure is outside its range.
    """

    first_delay: float = 0.1
    factor: float = 1.7
    max_delay: float = 5.0
    jitter: float = 0.5
    give_up_after: float = 300.0
    stable_after: float = 10.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        for fits, text in (
            (0.01 <= self.first_delay <= 60, "first_delay: from 0.01 to 60 seconds"),
            (1 <= self.factor <= 10, "factor: from 1 to 10"),
            (self.first_delay <= self.max_delay <= 600, "max_delay: from first_delay to 600"),
            (0 <= self.jitter <= 1, "jitter: from 0 to 1"),
            (self.give_up_after > 0, "give_up_after: above 0 seconds"),
            (self.stable_after >= 0, "stable_after: from 0 seconds"),
        ):
            if not fits:
                raise InvalidArgumentError(text)

    def delay(self, attempt: int) -> float:
        """Return how long attempt number `attempt`, from 0, waits."""
        # The power is bounded: a float cannot hold it after some hundred attempts.
        delay = min(self.first_delay * self.factor ** min(attempt, 64), self.max_delay)
        return delay * (1 - self.jitter * self.random())
