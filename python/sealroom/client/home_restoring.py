"""Brings rooms back whose home is another Bridge than the application's, wherever they live then.

The home may come back, with the session or without: then it is as with any Bridge. Or it is dead,
or was silent for too long: then its rooms get another home, which the application's own Bridge
knows. So that one is asked while the home is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from sealroom.client.connection import Connection
from sealroom.client.errors import (
    ConnectionClosedError,
    HomeSilentError,
    RequestRefusedError,
    RoomElsewhereError,
)
from sealroom.client.restoring import Restoring
from sealroom.client.room_session import RoomSession
from sealroom.errors import SealroomError
from sealroom.protocol import ErrorCode, ParticipantsResult, RoomParams

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 5.0
"""Seconds between questions where the rooms live now, while their home is away."""


class HomeRestoring(Restoring):
    """`Restoring` for the connection to a home.

    Args:
        primary: the application's connection.
        enter_anew: joins a room wherever it lives now, in place of its session before.
        stop_events: ends that events of the connection are taken.
        idle: called when nothing is under way any more.
    """

    def __init__(
        self,
        *arguments: Any,
        primary: Connection,
        enter_anew: Callable[[str, RoomSession], Awaitable[None]],
        stop_events: Callable[[], None],
        idle: Callable[[], None],
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._primary = primary
        self._enter_anew = enter_anew
        self.stop_events = stop_events
        self._idle = idle
        self._is_back = asyncio.Event()

    @property
    def is_at_work(self) -> bool:
        """Whether rooms are on their way back."""
        return self._task is not None and not self._task.done()

    def _away(self) -> None:
        self._is_back.clear()
        self._begin(self._watch)

    def _back(self) -> None:
        self._is_back.set()

    def _gone(self) -> None:
        self._is_back.set()
        if self._primary.is_closed:
            self._is_settled.set()
        else:
            self._begin(self._leave)

    def _finished(self) -> None:
        asyncio.get_running_loop().call_soon(self._idle)

    async def _watch(self) -> None:
        """The home is away: follows those of its rooms that have another home by now."""
        pause = FIRST_PAUSE
        while self._own() and not self._connection.is_closed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_back.wait(), pause)
            if self._is_back.is_set():
                return
            pause = min(pause * 1.5, LONGEST_PAUSE)
            for room_id, session in self._own().items():
                if session.is_over or await self._has_moved(room_id, session):
                    await self._move(room_id, session)
        self._is_settled.set()

    async def _leave(self) -> None:
        """The connection is closed for good: follows all rooms."""
        pause = FIRST_PAUSE
        while self._own() and not self._primary.is_closed:
            for room_id, session in self._own().items():
                await self._move(room_id, session)
            if self._own():
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, LONGEST_PAUSE)
        self._is_settled.set()

    async def _move(self, room_id: str, session: RoomSession) -> None:
        try:
            async with self._inbox.paused():
                if self._rooms.get(room_id) is not session:
                    return  # it was left meanwhile
                await self._come_back(room_id, session, self._enter_anew)
            await self._make_up()
        except ConnectionClosedError:
            return  # the next round tries again

    async def _has_moved(self, room_id: str, session: RoomSession) -> bool:
        params = RoomParams(room_id=room_id)
        try:
            found = await self._primary.call("room.participants", params, ParticipantsResult)
        except (RoomElsewhereError, HomeSilentError) as error:
            return error.url.rstrip("/") != self._connection.url.rstrip("/")
        except RequestRefusedError as error:
            return error.error_code == ErrorCode.ACCESS_DENIED  # deleted, or a member no more
        except SealroomError:
            return False
        return session.participant_id not in {one.participant_id for one in found.participants}
