"""Sessions begin, lose their socket, go on at another, and end: each once.

A session whose socket drops is parked: its participants, streams and subscriptions stay, media
flows, and events wait in its log. It goes on with `auth.resume`, or ends when its time is over, and
then only do the others learn that it is gone.
"""

import asyncio
from collections.abc import Collection

from sealroom.identity import PublicIdentity
from sealroom.protocol import (
    CLOSE_TAKEN_OVER,
    MAX_PARKED_SESSIONS,
    ErrorCode,
    ResumePayload,
    ResumeResult,
)

from .background import Background
from .bus import EventBus
from .errors import RequestError
from .event_log import EventLog, LogLimits
from .room_life import RoomLife
from .session import Link, Session


class Sessions:
    """For one event loop.

    Args:
        timeout: seconds a session lives without a socket; 0 to end it with its socket.
        capacity: parked sessions of all users; beyond it a session ends with its socket.
    """

    def __init__(
        self,
        *,
        bus: EventBus,
        life: RoomLife,
        background: Background,
        timeout: float,
        capacity: int,
        log: LogLimits,
    ) -> None:
        self.timeout = timeout
        self._bus = bus
        self._life = life
        self._background = background
        self._capacity = capacity
        self._log = log
        self._parked: dict[Session, asyncio.TimerHandle] = {}  # longest waiting first

    def parked_count(self) -> int:
        """Return the number of sessions without a socket."""
        return len(self._parked)

    def begin(self, context_id: str, user_id: str, identity: PublicIdentity, link: Link) -> Session:
        """Return a new session of a user who logged in."""
        session = Session(context_id, user_id, identity, EventLog(self._log), link)
        self._bus.add(session)
        return session

    async def end(self, session: Session) -> None:
        """End a session at once, whether it has a socket or not."""
        self._unpark(session)
        await self._life.end_session(session)

    async def resume(
        self,
        payload: ResumePayload,
        identity: PublicIdentity,
        joined: Collection[str],
        link: Link,
    ) -> tuple[Session, ResumeResult]:
        """Let a session go on at another socket; what it missed is sent before this returns.

        The socket it has still, if any, is closed, and its request under way carried out first.
        The user has proven to be who the payload names.

        Raises:
            RequestError: SESSION_NOT_FOUND: it is over, or another user's.
        """
        session = self._bus.session(payload.session_id)
        if (
            session is None
            or (session.context_id, session.user_id) != (payload.context_id, payload.user_id)
            or session.identity.fingerprint != identity.fingerprint
        ):
            raise _session_not_found()
        async with session.turn:
            if (old := session.link) is not None:
                old.close(CLOSE_TAKEN_OVER)
                await old.over()
            if session.ended or payload.last_sequence > session.log.sequence:
                raise _session_not_found()
            self._unpark(session)
            session.link = link
            replayed = session.replay(payload.last_sequence)
        for room_id, participant in list(session.joined.items()):
            if room_id not in joined:
                await self._life.part(participant)
        return session, ResumeResult(replayed=replayed or 0, resync=replayed is None)

    async def dropped(self, session: Session, link: Link, *, logged_out: bool) -> None:
        """A socket is gone; the session waits for another if it had this one and may."""
        if session.link is not link:
            return  # it goes on elsewhere
        session.link = None
        if session.ended:
            return
        if logged_out or self.timeout <= 0 or len(self._parked) >= self._capacity:
            await self._life.end_session(session)
            return
        own = [
            one
            for one in self._parked
            if (one.context_id, one.user_id) == (session.context_id, session.user_id)
        ]
        self._parked[session] = asyncio.get_running_loop().call_later(
            self.timeout, lambda: self._background.spawn(self._expire(session))
        )
        if len(own) >= MAX_PARKED_SESSIONS:
            await self._expire(own[0])

    def stop(self) -> None:
        """Drop the timers of parked sessions."""
        for timer in self._parked.values():
            timer.cancel()
        self._parked.clear()

    async def _expire(self, session: Session) -> None:
        async with session.turn:
            if session.link is not None:
                return  # it has gone on meanwhile
            await self.end(session)

    def _unpark(self, session: Session) -> None:
        if (timer := self._parked.pop(session, None)) is not None:
            timer.cancel()


def _session_not_found() -> RequestError:
    return RequestError(ErrorCode.SESSION_NOT_FOUND, remedy="log in again and join the rooms again")
