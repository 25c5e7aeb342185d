"""The bounded queue that an iterator reads events and tracks from."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class BoundedStream(Generic[Item]):
    """A queue that drops its oldest items and counts them, read with `async for`."""

    def __init__(self, size: int) -> None:
        self.dropped = 0
        self._size = size
        self._items: deque[Item] = deque()
        self._changed = asyncio.Event()
        self._is_closed = False

    def put(self, item: Item) -> None:
        if self._is_closed:
            return
        if len(self._items) >= self._size:
            self._items.popleft()
            self.dropped += 1
        self._items.append(item)
        self._changed.set()

    def close(self) -> None:
        """Ends the iteration after what is queued."""
        self._is_closed = True
        self._changed.set()

    def take_dropped(self) -> int:
        dropped, self.dropped = self.dropped, 0
        return dropped

    async def __aiter__(self) -> AsyncIterator[Item]:
        while True:
            while self._items:
                yield self._items.popleft()
            if self._is_closed:
                return
            self._changed.clear()
            await self._changed.wait()
