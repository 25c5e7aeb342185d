"""Paths that were left and still take, for a while, what the peer sends there."""

from __future__ import annotations

import asyncio

from sealroom.media.media_path import MediaPath

LINGER = 5.0
"""Seconds for which the path before still takes what the peer sends there."""

MAX_LINGERING = 2
"""Paths that linger at a time; of more, the oldest is closed."""


class LingeringPaths:
    """Closes each path that it is given, later."""

    def __init__(self) -> None:
        self._tasks: dict[MediaPath, asyncio.Task[None]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, path: MediaPath) -> None:
        """Keeps a path for `LINGER`, or until too many came after it."""
        for task in list(self._tasks.values())[: 1 - MAX_LINGERING]:
            task.cancel()
        self._tasks[path] = asyncio.create_task(self._close_later(path))

    async def close(self) -> None:
        """Closes all of them now."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*(path.close() for path in list(self._tasks)), return_exceptions=True)

    async def _close_later(self, path: MediaPath) -> None:
        try:
            await asyncio.sleep(LINGER)
        finally:
            await path.close()
            self._tasks.pop(path, None)
