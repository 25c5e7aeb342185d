"""Who gets which event.

An event goes to the sessions that joined its room or subscribed to its type for the stream, the
room or the context, and only if their user may `get` the room. The session that caused an event
does not get it: its reply says as much. Sequence numbers count per session, as events are sent.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol, TypeVar
from uuid import uuid4

import msgspec

from sealroom.access import Right
from sealroom.protocol import MAX_EVENT_SUBSCRIPTIONS, ErrorCode, EventType, Message

from .errors import RequestError, limit_exceeded
from .metrics import Metrics
from .records import RoomAccess
from .session import Interest, Scope, Session

__all__ = ["EventBus", "Interest", "Scope", "Session"]

_Key = TypeVar("_Key")


class Outlet(Protocol):
    """The way to the sessions at other Bridges; nothing here waits."""

    def event(
        self, event: EventType, access: RoomAccess, data: Message, only: Collection[str] | None
    ) -> None:
        """Tell of an event."""
        ...

    def excluded(self, access: RoomAccess, user_ids: Collection[str], data: Message) -> None:
        """Tell users that they lost a room."""
        ...

    def users_changed(self) -> None:
        """Have the users of sessions looked up."""
        ...


class EventBus:
    """Delivers events in this process and hands them to the exchange, if there is one.

    For one event loop; nothing here waits.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._sessions: dict[tuple[str, str], set[Session]] = {}  # by context and user
        self._by_id: dict[str, Session] = {}
        self._followers: dict[Scope, set[Session]] = {}
        self.exchange: Outlet | None = None  # to other Bridges

    def add(self, session: Session) -> None:
        """Take a new session."""
        self._sessions.setdefault((session.context_id, session.user_id), set()).add(session)
        self._by_id[session.session_id] = session

    def remove(self, session: Session) -> None:
        """Forget a session, its subscriptions and joined rooms."""
        key = (session.context_id, session.user_id)
        _discard(self._sessions, key, session)
        self._by_id.pop(session.session_id, None)
        for interest in session.interests.values():
            _discard(self._followers, interest.scope, session)
        for room_id in session.joined:
            _discard(self._followers, ("room", room_id), session)
        session.interests.clear()

    def session(self, session_id: str) -> Session | None:
        """Return a session that has not ended."""
        return self._by_id.get(session_id)

    def sessions_of(self, context_id: str, user_id: str) -> list[Session]:
        """Return the live sessions of a user."""
        return list(self._sessions.get((context_id, user_id), ()))

    def sessions_in(self, context_id: str) -> list[Session]:
        """Return the live sessions of a context."""
        tables = (found for key, found in self._sessions.items() if key[0] == context_id)
        return [session for sessions in tables for session in sessions]

    def users(self) -> list[tuple[str, str]]:
        """Return context and user of all live sessions."""
        return list(self._sessions)

    def session_count(self) -> int:
        """Return the number of live sessions."""
        return sum(map(len, self._sessions.values()))

    def subscribe(self, session: Session, interests: Sequence[Interest]) -> list[str]:
        """Add subscriptions, all or none, and return their ids. Whether the user may is not asked.

        Raises:
            RequestError: LIMIT_EXCEEDED, or NOT_LOGGED_IN when the session ended meanwhile.
        """
        if session.ended:
            raise RequestError(ErrorCode.NOT_LOGGED_IN)
        if len(session.interests) + len(interests) > MAX_EVENT_SUBSCRIPTIONS:
            raise limit_exceeded("event subscriptions", MAX_EVENT_SUBSCRIPTIONS)
        ids = []
        for interest in interests:
            ids.append(uuid4().hex)
            session.interests[ids[-1]] = interest
            self._followers.setdefault(interest.scope, set()).add(session)
        return ids

    def unsubscribe(self, session: Session, subscription_id: str) -> None:
        """Remove a subscription.

        Raises:
            RequestError: SUBSCRIPTION_NOT_FOUND.
        """
        interest = session.interests.pop(subscription_id, None)
        if interest is None:
            raise RequestError(
                ErrorCode.SUBSCRIPTION_NOT_FOUND,
                field="subscription_id",
                remedy="use an id from events.subscribe of this connection",
            )
        self._release(session, interest.scope)

    def follow_room(self, session: Session, room_id: str) -> None:
        """Give the session the events of a room it joined."""
        self._followers.setdefault(("room", room_id), set()).add(session)

    def unfollow_room(self, session: Session, room_id: str) -> None:
        """The session left a room; call after it is out of `session.joined`."""
        self._release(session, ("room", room_id))

    def drop_room(self, room_id: str) -> None:
        """Forget all subscriptions to a room that is gone."""
        scope: Scope = ("room", room_id)
        for session in self._followers.pop(scope, set()):
            for key in [key for key, one in session.interests.items() if one.scope == scope]:
                del session.interests[key]

    def publish(
        self,
        event: EventType,
        access: RoomAccess,
        data: Message,
        *,
        cause: Session | None = None,
        only: Collection[str] | None = None,
        relayed: bool = False,
    ) -> None:
        """Send an event to all who want and may see it, except the session that caused it.

        With `only`, to the sessions of these users. What is `relayed` other Bridges know already.
        """
        if self.exchange is not None and not relayed:
            self.exchange.event(event, access, data, only)
        stream_id = getattr(data, "stream_id", None)
        followers = self._followers.get(("room", access.room_id), set()) | self._followers.get(
            ("context", access.context_id), set()
        )
        if stream_id is not None:
            followers |= self._followers.get(("stream", stream_id), set())
        audience = [
            session
            for session in followers
            if session is not cause
            and session.context_id == access.context_id
            and (only is None or session.user_id in only)
            and session.wants(event, access, stream_id)
            and session.may(Right.GET, access)
        ]
        self.send(audience, event, access, data)

    def tell_excluded(
        self,
        access: RoomAccess,
        user_ids: Collection[str],
        data: Message,
        *,
        cause: Session | None = None,
        relayed: bool = False,
    ) -> None:
        """Tell users who may not see the room any more, in the sessions that follow it."""
        if self.exchange is not None and user_ids and not relayed:
            self.exchange.excluded(access, user_ids, data)
        for user_id in user_ids:
            audience = [
                session
                for session in self.sessions_of(access.context_id, user_id)
                if session is not cause and session.wants(EventType.ROOM_EXCLUDED, access)
            ]
            self.send(audience, EventType.ROOM_EXCLUDED, access, data)

    def send(
        self, audience: Iterable[Session], event: EventType, access: RoomAccess, data: Message
    ) -> None:
        """Send an event to these sessions."""
        raw = msgspec.Raw(msgspec.json.encode(data))
        for session in audience:
            session.deliver(event, access.room_id, raw)
            self._metrics.events.labels(event).inc()

    def _release(self, session: Session, scope: Scope) -> None:
        kind, scope_id = scope
        still = any(one.scope == scope for one in session.interests.values())
        if not still and not (kind == "room" and scope_id in session.joined):
            _discard(self._followers, scope, session)


def _discard(table: dict[_Key, set[Session]], key: _Key, session: Session) -> None:
    if (members := table.get(key)) is not None:
        members.discard(session)
        if not members:
            del table[key]
