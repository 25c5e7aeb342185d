"""An ICE restart as one end sees it: another path, checked beside the one in use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiortc import RTCIceParameters

from sealroom.media.errors import TransportError
from sealroom.media.media_path import MediaPath

RESTART_TIMEOUT = 10.0
"""Seconds an ICE restart may take from the exchange of credentials on."""


class PathRestart:
    """The newest restart of a transport; one before that has not come through is given up.

    `described` is the newest generation the peer was told of, also while it is being checked or
    after it did not work. `move_to` takes the transport to a path that is connected.
    """

    def __init__(self, path: MediaPath, move_to: Callable[[MediaPath], None]) -> None:
        self.described = path
        self._move_to = move_to
        self._path: MediaPath | None = None
        self._task: asyncio.Task[str | None] | None = None

    @property
    def path(self) -> MediaPath | None:
        """The path that is to be used next, None without a restart."""
        return self._path

    @property
    def is_open(self) -> bool:
        """True after `begin` until the peer's credentials came."""
        return self._path is not None and self._task is None

    async def begin(self, path: MediaPath) -> None:
        """Makes a path that has gathered the next one."""
        await self.stop()
        self._path = self.described = path

    def check(self, remote: RTCIceParameters) -> None:
        """Begins to check the path in the background; `outcome` tells how that ended."""
        if self._path is None or self._task is not None:
            raise TransportError("there is no ICE restart to go on with")
        self._task = asyncio.create_task(self._check(self._path, remote))

    async def outcome(self) -> None:
        """Returns once the newest restart has moved to its path; raises TransportError if not."""
        task = self._task
        if task is None:
            raise TransportError("there is no ICE restart")
        await asyncio.wait([task])
        failure = "another restart came in between" if task.cancelled() else task.result()
        if failure is not None:
            raise TransportError(failure)

    async def stop(self) -> None:
        """Gives the restart up, and its path unless the transport has moved there."""
        path, self._path = self._path, None
        task, self._task = self._task, None
        try:
            if task is not None and not task.done():
                task.cancel()
                await asyncio.wait([task])
        finally:  # also if who waits is cancelled: nobody else knows the path any more
            if path is not None:
                await path.close()

    async def _check(self, path: MediaPath, remote: RTCIceParameters) -> str | None:
        try:
            async with asyncio.timeout(RESTART_TIMEOUT):
                await path.connect(remote)
            self._path = None  # or `stop` would close what is in use by then
            self._move_to(path)
        except (TransportError, OSError, TimeoutError) as error:
            self._path = None
            await path.close()
            return (
                f"the ICE restart failed: {error}"
                if str(error)
                else (f"the ICE restart was not through after {RESTART_TIMEOUT:.0f} s")
            )
        return None
