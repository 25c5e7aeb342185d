"""After a connection came back: its rooms, what it published there, and what it wanted to hear of.

With its session all of that is still there. In a new session (the Bridge restarted, or it took too
long) this side joins its rooms again, verified from the pins on; says again that it records, if it
did; publishes its streams again, under their ids and with fresh nonces, so that no key is used
twice; and subscribes to what it subscribed to, once its publishers are there again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from sealroom.client.connection import Connection, ConnectionState
from sealroom.client.errors import ConnectionClosedError, RequestRefusedError
from sealroom.client.event_subscriptions import EventSubscriptions
from sealroom.client.events import ConnectionStateChanged, Event, RoomLost, StreamLost
from sealroom.client.inbox import Inbox
from sealroom.client.room_session import RoomSession
from sealroom.errors import SealroomError
from sealroom.protocol import ErrorCode

logger = logging.getLogger(__name__)

MAX_TRIES: Final = 6
MAX_HOME_TRIES: Final = 14  # within 44 s
_FIRST_PAUSE: Final = 0.25  # seconds; twice as long each time
_LONGEST_PAUSE: Final = 4.0
_HOME_IS_AWAY: Final = {ErrorCode.ROOM_ELSEWHERE, ErrorCode.HOME_SILENT}
_PASSING: Final = {
    ErrorCode.BUSY,
    ErrorCode.RATE_LIMITED,
    ErrorCode.INTERNAL_ERROR,
    ErrorCode.MEDIA_FAILED,
    ErrorCode.MEDIA_SERVER_FAILED,
    ErrorCode.STREAM_EXISTS,  # that of a session before, which the Bridge has not ended yet
}


class Restoring:
    """Brings the rooms of one `StreamApi` back. Event-loop thread only."""

    def __init__(
        self,
        connection: Connection,
        inbox: Inbox,
        rooms: dict[str, RoomSession],
        subscriptions: EventSubscriptions | None,
        *,
        enter: Callable[[str, RoomSession], Awaitable[None]],
        lose: Callable[[str], RoomSession],
        publish: Callable[[str], Awaitable[None]],
        stream_lost: Callable[[str], None],
        emit: Callable[[Event], None],
        home: str = "",
    ) -> None:
        """`rooms` may hold some of other connections; those of `connection` are brought back.

        `enter` joins a room and puts its new session in place of the one that is over.
        `lose` takes a room out of `rooms`. `publish` publishes a stream again under a fresh nonce,
        `stream_lost` hears of those for which that failed. `home` is the URL in events about the
        connection, empty for the application's own.
        """
        self._connection = connection
        self._inbox = inbox
        self._rooms = rooms
        self._subscriptions = subscriptions
        self._enter = enter
        self._lose = lose
        self._publish = publish
        self._stream_lost = stream_lost
        self._emit = emit
        self._home = home
        self._is_settled = asyncio.Event()
        self._is_settled.set()
        self._is_renewed = True
        self._unpublished: dict[str, str] = {}  # streams to publish, with their rooms
        self._unnoticed: set[str] = set()  # rooms to be told that this side records
        self._task: asyncio.Task[None] | None = None
        connection.remember_joined(lambda: self._own().keys() - self._outside().keys())
        self._stop_listening = connection.on_state(self._state_changed)

    async def settled(self) -> None:
        """Waits while this side has no connection or is on its way back into its rooms.

        Raises:
            ConnectionClosedError: it takes longer than a request may.
        """
        try:
            async with asyncio.timeout(self._connection.request_timeout):
                await self._is_settled.wait()
        except TimeoutError:
            raise ConnectionClosedError("the connection has not come back in time") from None

    async def close(self) -> None:
        """Stops whatever is under way."""
        self._stop_listening()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._is_settled.set()  # nothing comes back any more: who waits for it need not

    def _own(self) -> dict[str, RoomSession]:
        """Rooms that are joined over this connection."""
        return {key: one for key, one in self._rooms.items() if one.connection is self._connection}

    def _outside(self) -> dict[str, RoomSession]:
        """Of these, those whose session is not the connection's, or not set up to its end."""
        now = self._connection.session_id
        return {
            room_id: one
            for room_id, one in self._own().items()
            if one.session_id != now or not one.is_set_up or one.is_over
        }

    def _state_changed(self, state: ConnectionState, reason: str) -> None:
        self._emit(ConnectionStateChanged(state, reason, self._home))
        if state == "reconnecting":
            self._is_settled.clear()
            self._away()
            return
        if state == "closed":
            self._gone()
            return
        self._back()
        if state == "connected":
            self._is_renewed = False
            self._inbox.discard(self._connection)
        is_owing = bool(self._outside() or self._unpublished or self._unnoticed)
        if self._is_renewed and not is_owing:
            self._is_settled.set()
            return
        self._begin(self._restore)

    def _away(self) -> None:
        """The connection is on its way back."""

    def _back(self) -> None:
        """It is there again."""

    def _gone(self) -> None:
        """It is closed for good."""
        self._is_settled.set()

    def _finished(self) -> None:
        """What was begun last has ended."""

    def _begin(self, work: Callable[[], Awaitable[None]]) -> None:
        self._task = asyncio.create_task(self._after(self._task, work), name="sealroom restore")

    async def _after(
        self, previous: asyncio.Task[None] | None, work: Callable[[], Awaitable[None]]
    ) -> None:
        if previous is not None:  # it was broken off, and may still be clearing up
            await asyncio.gather(previous, return_exceptions=True)
        await work()
        self._finished()

    async def _restore(self) -> None:
        try:
            async with self._inbox.paused():
                if not self._is_renewed:
                    if self._subscriptions is not None:
                        await self._subscriptions.renew()
                    self._is_renewed = True
                for room_id, before in self._outside().items():
                    await self._come_back(room_id, before, self._enter)
            await self._make_up()
        except ConnectionClosedError as error:
            # What is left is taken up when it is back once more.
            logger.info("%r: broke off while it came back: %s", self._connection, error)
            return
        self._is_settled.set()
        self._emit(ConnectionStateChanged("restored", "", self._home))

    async def _make_up(self) -> None:
        """Tells again what was told, and publishes again what was published."""
        await asyncio.gather(*map(self._give_notice, self._unnoticed.copy()))
        await asyncio.gather(*(self._come_out(*one) for one in self._unpublished.copy().items()))

    async def _come_back(
        self,
        room_id: str,
        before: RoomSession,
        enter: Callable[[str, RoomSession], Awaitable[None]],
    ) -> None:
        for stream_id in await before.retire():
            self._unpublished[stream_id] = room_id
        try:
            await _persist(lambda: enter(room_id, before))
        except ConnectionClosedError:
            raise
        except Exception as error:
            gone = [one for one, room in self._unpublished.items() if room == room_id]
            for stream_id in gone:
                del self._unpublished[stream_id]
            self._emit(RoomLost(room_id, error))
            if room_id in self._rooms:
                await self._lose(room_id).close()
        else:
            session = self._rooms.get(room_id)
            if session is not None and session.people.gives_recording_notice:
                self._unnoticed.add(room_id)

    async def _give_notice(self, room_id: str) -> None:
        session = self._rooms.get(room_id)
        if session is not None and session.people.gives_recording_notice:
            try:
                await _persist(session.people.give_recording_notice)
            except ConnectionClosedError:
                raise
            except SealroomError as error:
                logger.warning("room %s: the recording notice is refused: %s", room_id, error)
                session.people.recording_notice_lost()
        self._unnoticed.discard(room_id)

    async def _come_out(self, stream_id: str, room_id: str) -> None:
        session = self._rooms.get(room_id)
        if session is None:
            self._unpublished.pop(stream_id, None)
            return
        try:
            await _persist(lambda: self._publish(stream_id))
            if session.session_id != session.connection.session_id:
                raise ConnectionClosedError("the session was over before the stream was published")
        except ConnectionClosedError:
            raise
        except Exception as error:
            self._unpublished.pop(stream_id, None)
            self._stream_lost(stream_id)
            self._emit(StreamLost(room_id, stream_id, error))
        else:
            self._unpublished.pop(stream_id, None)


async def _persist(attempt: Callable[[], Awaitable[None]]) -> None:
    """Tries again what is refused for a reason that passes, at most MAX_TRIES times.

    MAX_HOME_TRIES where a room's home cannot be reached: that takes until its lease is over.
    """
    for number in range(MAX_HOME_TRIES):
        try:
            return await attempt()
        except RequestRefusedError as error:
            tries = MAX_HOME_TRIES if error.error_code in _HOME_IS_AWAY else MAX_TRIES
            if error.error_code not in _PASSING | _HOME_IS_AWAY or number >= tries - 1:
                raise
        await asyncio.sleep(min(_FIRST_PAUSE * 2**number, _LONGEST_PAUSE))
    raise AssertionError
