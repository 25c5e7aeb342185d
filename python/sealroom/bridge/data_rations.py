"""How much a publisher, and all publishers of a room, may send on data tracks: token buckets.

Nothing here waits or has a clock of its own but the one given.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from sealroom.protocol import (
    DATA_BURST_SECONDS,
    DATA_MESSAGE_OVERHEAD,
    MAX_DATA_BYTES_PER_SECOND,
    MAX_DATA_MESSAGE_BYTES,
    MAX_DATA_MESSAGES_PER_SECOND,
    MAX_ROOM_DATA_BYTES_PER_SECOND,
    MAX_ROOM_DATA_MESSAGES_PER_SECOND,
)

from .errors import BridgeError
from .rate_limits import TokenBucket

MAX_REMEMBERED: Final = 10_000
"""Publishers and rooms each; the one not heard of for longest begins anew when it comes again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataLimits:
    """Messages and bytes, sealed, a second. What a publisher sends counts once.

    What a room sends counts for each subscriber it goes to, as that is what it costs. Above these
    the media server takes no more from a publisher until it may: nothing is lost.

    Raises:
        BridgeError: a rate is not above zero, or below one message in the time of a burst.
    """

    messages: float = MAX_DATA_MESSAGES_PER_SECOND  # of one publisher
    bytes: float = MAX_DATA_BYTES_PER_SECOND
    room_messages: float = MAX_ROOM_DATA_MESSAGES_PER_SECOND  # of all publishers of a room
    room_bytes: float = MAX_ROOM_DATA_BYTES_PER_SECOND
    burst_seconds: float = DATA_BURST_SECONDS  # what may come at once, in seconds of these rates

    def __post_init__(self) -> None:
        """Check the figures."""
        biggest = MAX_DATA_MESSAGE_BYTES + DATA_MESSAGE_OVERHEAD
        for name in self.__dataclass_fields__:
            if not getattr(self, name) > 0:
                raise BridgeError(f"The data limit {name} is not above 0.")
        for name in self.__dataclass_fields__:
            least = biggest if "bytes" in name else 1
            if name != "burst_seconds" and getattr(self, name) * self.burst_seconds < least:
                raise BridgeError(
                    f"The data limit {name} has no room for one message: give at least "
                    f"{least / self.burst_seconds:g} a second."
                )


class DataRations:
    """The buckets of a media server."""

    def __init__(self, limits: DataLimits, clock: Callable[[], float] = monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._publishers: OrderedDict[str, tuple[TokenBucket, TokenBucket]] = OrderedDict()
        self._rooms: OrderedDict[str, tuple[TokenBucket, TokenBucket]] = OrderedDict()

    def take(self, participant_id: str, room_id: str, size: int, subscribers: int) -> float:
        """Let a message pass and return 0, or return the seconds to wait before asking again."""
        limits, now = self._limits, self._clock()
        own = self._buckets(self._publishers, participant_id, limits.messages, limits.bytes, now)
        shared = self._buckets(self._rooms, room_id, limits.room_messages, limits.room_bytes, now)
        copies = max(1, subscribers)
        costs = [
            (bucket, min(cost, bucket.burst))
            for bucket, cost in zip((*own, *shared), (1, size, copies, size * copies), strict=True)
        ]
        seconds = max(bucket.wait(cost, now) for bucket, cost in costs)
        if seconds == 0:
            for bucket, cost in costs:
                bucket.take(cost, now)
        return seconds

    def _buckets(
        self,
        table: OrderedDict[str, tuple[TokenBucket, TokenBucket]],
        key: str,
        messages: float,
        size: float,
        now: float,
    ) -> tuple[TokenBucket, TokenBucket]:
        burst = self._limits.burst_seconds
        found = table.pop(key, None) or (
            TokenBucket(messages, messages * burst, now),
            TokenBucket(size, size * burst, now),
        )
        table[key] = found  # the newest is last
        if len(table) > MAX_REMEMBERED:
            table.popitem(last=False)
        return found
