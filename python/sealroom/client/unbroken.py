"""Work that is done to its end, whatever becomes of who waits for it.

Leaving a room, ending it or a stream, and clearing up are several steps. A caller's time limit must
not leave them half done: it ends the waiting, not the work.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")

logger = logging.getLogger(__name__)


class UnbrokenWork:
    """At most one piece of work for each key. Event-loop thread only."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Any]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._tasks

    async def do(self, key: str, work: Callable[[], Coroutine[Any, Any, ResultT]]) -> ResultT:
        """Returns what comes of the work for this key, of what is under way or else of new."""
        if key not in self._tasks:
            task = self._tasks[key] = asyncio.create_task(work())
            task.add_done_callback(lambda one: self._done(key, one))
        result: ResultT = await asyncio.shield(self._tasks[key])
        return result

    async def done(self, key: str) -> None:
        """Returns once there is no work under way for this key, however it ended."""
        if (task := self._tasks.get(key)) is not None:
            await asyncio.wait([task])

    async def all_done(self) -> None:
        """Returns once what is under way now has ended."""
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    def _done(self, key: str, task: asyncio.Task[Any]) -> None:
        del self._tasks[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.info("%s was not brought to its end: %s", key, error)
