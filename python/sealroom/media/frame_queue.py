"""A bounded queue that drops its oldest item, for consumers that may be slow or absent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class FrameQueue(Generic[T]):
    """At most `size` items; a put into a full queue drops the oldest. Event-loop thread only."""

    def __init__(self, size: int) -> None:
        self._items: deque[T] = deque(maxlen=size)
        self._changed = asyncio.Event()
        self._closed = False
        self.dropped = 0

    def put(self, item: T) -> None:
        """Adds an item; ignored after `close`."""
        if self._closed:
            return
        if len(self._items) == self._items.maxlen:
            self.dropped += 1
        self._items.append(item)
        self._changed.set()

    def close(self) -> None:
        """Ends the queue: what is in it can still be taken."""
        self._closed = True
        self._changed.set()

    async def get(self) -> T | None:
        """Returns the oldest item, waiting for one; None once the queue is closed and empty."""
        while not self._items:
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._items.popleft()

    async def iterate(self) -> AsyncIterator[T]:
        """Yields items until the queue is closed and empty."""
        while (item := await self.get()) is not None:
            yield item
