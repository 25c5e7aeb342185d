"""What stays known of a room when it is left: what was believed there once, and is not again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Hashable
from typing import Final, Generic, TypeVar

MAX_ENDED_STREAMS: Final = 10_000
"""Nonces of streams of a room that ended; the oldest are forgotten first."""

MAX_SEEN_EVENTS: Final = 10_000
"""Ids of custom events of a room that came; the oldest are forgotten first."""

MAX_LEFT_ROOMS: Final = 64
"""Rooms remembered besides those that are joined; those joined longest ago are forgotten first."""

ItemT = TypeVar("ItemT", bound=Hashable)


class NewestItems(Generic[ItemT]):
    """The newest `limit` of the items that were put in."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: dict[ItemT, None] = {}

    def __contains__(self, item: ItemT) -> bool:
        return item in self._items

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: ItemT) -> None:
        """Puts an item in, and forgets the oldest if there is no space."""
        self._items.pop(item, None)  # the newest is last
        self._items[item] = None
        if len(self._items) > self._limit:
            del self._items[next(iter(self._items))]


class RoomMemory:
    """Of one room, for all its sessions."""

    def __init__(self) -> None:
        self.ended_streams: NewestItems[bytes] = NewestItems(MAX_ENDED_STREAMS)
        """Nonces of streams."""
        self.seen_events: NewestItems[str] = NewestItems(MAX_SEEN_EVENTS)
        """Ids of custom events."""


class RoomMemories:
    """Of the rooms that are joined, and of those that were, for one `StreamApi`.

    Leaving forgets nothing: else whoever can make a client join again could replay.
    """

    def __init__(self, joined: Container[str]) -> None:
        self._joined = joined
        self._rooms: OrderedDict[str, RoomMemory] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rooms)

    def of(self, room_id: str) -> RoomMemory:
        """Returns what is known of a room that is about to be joined."""
        memory = self._rooms.setdefault(room_id, RoomMemory())
        self._rooms.move_to_end(room_id)
        left = [one for one in self._rooms if one not in self._joined and one != room_id]
        for one in left[: max(0, len(left) - MAX_LEFT_ROOMS)]:
            del self._rooms[one]
        return memory
