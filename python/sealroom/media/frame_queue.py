"""A bounded queue that drops its oldest item, for consumers that may be slow or absent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

from sealroom.media.errors import AlreadyReadError

T = TypeVar("T")


class FrameQueue(Generic[T]):
    """At most `max_items` of `max_bytes` together; a put into a full queue drops the oldest.

    The newest stays however large it is. Event-loop thread only.

    Of items that build on those before them, `begins` tells which do not: drops then reach up to
    the next of these, and where there is none, whatever comes before one is dropped as well
    (`is_broken`). `on_starved` is called when somebody waits while that is so; nobody has to be
    asked for a new beginning on behalf of a consumer that does not come.
    """

    def __init__(
        self,
        max_items: int,
        max_bytes: int,
        size_of: Callable[[T], int],
        *,
        begins: Callable[[T], bool] | None = None,
        on_starved: Callable[[], None] | None = None,
    ) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._size_of = size_of
        self._begins = begins
        self._on_starved = on_starved
        # With the size each had: who puts an item may change it later.
        self._items: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()
        self._waiting = 0
        self._is_ending = False
        self._is_closed = False
        self.is_broken = False
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Adds an item; ignored after `close`."""
        if self._is_closed:
            return
        if self.is_broken and self._begins is not None and not self._begins(item):
            self.dropped += 1
            if self._waiting:
                self._tell_starved()
            return
        self.is_broken = False
        size = self._size_of(item)
        self._items.append((item, size))
        self._bytes += size
        while len(self._items) > self._max_items or (
            self._bytes > self._max_bytes and len(self._items) > 1
        ):
            self._drop_oldest()
        self._changed.set()

    def break_chain(self) -> None:
        """Says that an item is missing here. Does nothing where none builds on others."""
        self.is_broken = self._begins is not None

    def end(self) -> None:
        """Has `get` return None as soon as the queue is empty."""
        self._is_ending = True
        self._changed.set()

    def close(self) -> None:
        """Ends the queue: what is in it can still be taken."""
        self._is_closed = True
        self.end()

    def clear(self) -> None:
        """Forgets what is in it."""
        self._items.clear()
        self._bytes = 0

    def take(self, count: int) -> list[T]:
        """Returns up to `count` of the oldest items without waiting."""
        return [self._pop() for _ in range(min(count, len(self._items)))]

    async def get(self) -> T | None:
        """Returns the oldest item, waiting for one; None once the queue has ended and is empty.

        Raises AlreadyReadError if somebody else waits: each would get some of the items.
        """
        while not self._items:
            if self._is_ending:
                return None
            if self._waiting:
                raise AlreadyReadError(
                    "a frame is awaited here by another reader: read once and hand on, or read"
                    " RemoteTrack.track through aiortc's MediaRelay"
                )
            if self.is_broken:
                self._tell_starved()
            self._changed.clear()
            self._waiting += 1
            try:
                await self._changed.wait()
            finally:
                self._waiting -= 1
        return self._pop()

    async def iterate(self) -> AsyncIterator[T]:
        """Yields items until the queue has ended and is empty."""
        while (item := await self.get()) is not None:
            yield item

    def _pop(self) -> T:
        item, size = self._items.popleft()
        self._bytes -= size
        return item

    def _drop_oldest(self) -> None:
        while self._items:
            self._pop()
            self.dropped += 1
            if self._begins is None or (self._items and self._begins(self._items[0][0])):
                return
        self.break_chain()

    def _tell_starved(self) -> None:
        if self._on_starved is not None:
            self._on_starved()
