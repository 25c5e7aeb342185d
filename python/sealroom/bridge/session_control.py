"""What administrators do to live sessions: cut them off, change what they may call."""

from collections.abc import Awaitable, Callable, Iterable

from sealroom.protocol import CLOSE_USER_REMOVED

from .acl import Acl
from .bus import EventBus, Session


class SessionControl:
    """The one way to the live sessions of a user or a context. Stored state is changed before."""

    def __init__(self, bus: EventBus, end_session: Callable[[Session], Awaitable[None]]) -> None:
        self._bus = bus
        self._end_session = end_session

    def set_acl(self, context_id: str, user_id: str, acl: str | None) -> None:
        """Put new access lines into force.

        Raises:
            RequestError: INVALID_PARAMS with the line at fault.
        """
        parsed = Acl.parse(acl)
        self._tell_others()
        for session in self._bus.sessions_of(context_id, user_id):
            session.acl = parsed

    async def end_user(self, context_id: str, user_id: str) -> None:
        """Cut off the sessions of a user, and their media."""
        self._tell_others()
        await self.end(self._bus.sessions_of(context_id, user_id))

    async def end_context(self, context_id: str) -> None:
        """Cut off all sessions of a context, and their media."""
        self._tell_others()
        await self.end(self._bus.sessions_in(context_id))

    def _tell_others(self) -> None:
        if self._bus.exchange is not None:
            self._bus.exchange.users_changed()

    async def end(self, sessions: Iterable[Session]) -> None:
        """Cut off sessions, and their media."""
        sessions = list(sessions)
        for session in sessions:
            session.ended = True  # at once: nothing is carried out for it while others end
        for session in sessions:
            await self._end_session(session)
            session.close(CLOSE_USER_REMOVED)
