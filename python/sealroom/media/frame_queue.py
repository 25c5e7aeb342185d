"""A bounded queue that drops its oldest item, for consumers that may be slow or absent."""

from __future__ import annotations

import asyncio
import weakref
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
        self._reader: weakref.ref[FrameReader[T]] | None = None
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
        """Drops what is in it."""
        self.dropped += len(self._items)
        self._items.clear()
        self._bytes = 0

    def take(self, count: int) -> list[T]:
        """Returns up to `count` of the oldest items without waiting."""
        return [self._pop() for _ in range(min(count, len(self._items)))]

    def skip_to_beginning(self) -> None:
        """Has a new reader begin with an item that builds on none, now or later."""
        if self._begins is None:
            return
        while self._items and not self._begins(self._items[0][0]):
            self._pop()
            self.dropped += 1
        if not self._items:
            self.break_chain()

    @property
    def has_reader(self) -> bool:
        """Whether an iterator is open or somebody waits."""
        return self._waiting > 0 or self._holder() is not None

    async def get(self) -> T | None:
        """Returns the oldest item, waiting for one; None once the queue has ended and is empty.

        Raises AlreadyReadError if an iterator is open or somebody else waits: each would get some
        of the items.
        """
        if self._holder() is not None:
            raise _already_read()
        return await self._next()

    def iterate(self) -> FrameReader[T]:
        """Returns an iterator of the items until the queue has ended and is empty.

        It is the only reader until it has ended, is closed, or nobody holds it any more. Raises
        AlreadyReadError if there is one.
        """
        if self.has_reader:
            raise _already_read()
        reader = FrameReader(self)
        self._reader = weakref.ref(reader)
        return reader

    async def _next(self) -> T | None:
        while not self._items:
            if self._is_ending:
                return None
            if self._waiting:
                raise _already_read()
            if self.is_broken:
                self._tell_starved()
            self._changed.clear()
            self._waiting += 1
            try:
                await self._changed.wait()
            finally:
                self._waiting -= 1
        return self._pop()

    def _holder(self) -> FrameReader[T] | None:
        return None if self._reader is None else self._reader()

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


class FrameReader(AsyncIterator[T]):
    """Iterates over a queue, alone for as long as it is held and open."""

    def __init__(self, queue: FrameQueue[T]) -> None:
        self._queue = queue
        self._is_closed = False

    async def __anext__(self) -> T:
        if self._is_closed:
            raise StopAsyncIteration
        try:
            item = await self._queue._next()
        except BaseException:
            del self  # whoever keeps a cancelled task keeps its traceback, and not this reader
            raise
        if item is None:
            await self.aclose()
            raise StopAsyncIteration
        return item

    async def aclose(self) -> None:
        """Lets others read."""
        if not self._is_closed:
            self._is_closed = True
            self._queue._reader = None


def _already_read() -> AlreadyReadError:
    return AlreadyReadError(
        "another reader takes the frames here: end its loop or close its iterator (aclose), or"
        " read once and hand on, as aiortc's MediaRelay does with RemoteTrack.track"
    )
