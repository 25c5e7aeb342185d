"""A logged-in user at one client, whatever socket it has at the moment."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias
from uuid import uuid4

import msgspec

from sealroom.access import Right
from sealroom.identity import PublicIdentity
from sealroom.protocol import (
    EVENT_METHOD,
    EventEnvelope,
    EventType,
    Notification,
    SessionResync,
)

from .acl import ANYTHING, Acl
from .actor import Actor
from .event_log import EventLog
from .records import RoomAccess

if TYPE_CHECKING:
    from .live import LiveParticipant

Scope: TypeAlias = tuple[Literal["context", "room", "stream"], str]


class Link(Protocol):
    """The socket of a session."""

    def send(self, message: bytes) -> None:
        """Queue a message."""
        ...

    def close(self, code: int) -> None:
        """End the connection with a close code."""
        ...

    async def over(self) -> None:
        """Wait until the connection has ended, and with it the request under way."""
        ...


@dataclass(frozen=True, slots=True)
class Interest:
    """What an event subscription asks for."""

    types: frozenset[EventType]
    scope: Scope
    room_id: str | None = None  # only there

    def covers(self, event: EventType, access: RoomAccess, stream_id: str | None) -> bool:
        """Tell whether an event of a room, and of a stream maybe, was asked for."""
        kind, scope_id = self.scope
        ids = {"room": access.room_id, "context": access.context_id, "stream": stream_id}
        return (
            event in self.types and scope_id == ids[kind] and self.room_id in (None, access.room_id)
        )


@dataclass(eq=False, slots=True)
class Session:
    """What a user has at one client. Without a link it is parked: its events wait in the log."""

    context_id: str
    user_id: str
    identity: PublicIdentity
    log: EventLog
    link: Link | None
    session_id: str = field(default_factory=lambda: uuid4().hex)
    joined: dict[str, "LiveParticipant"] = field(default_factory=dict)  # by room id
    interests: dict[str, Interest] = field(default_factory=dict)  # by subscription id
    # Held while the session changes its link or ends for want of one.
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    ended: bool = False  # nothing is carried out for it any more
    has_left: bool = False  # and it is out of all rooms
    acl: Acl = ANYTHING

    @property
    def actor(self) -> Actor:
        """The session's user, as one who does something."""
        return Actor("user", self.user_id)

    def wants(self, event: EventType, access: RoomAccess, stream_id: str | None = None) -> bool:
        """Tell whether the session asked for this event, by joining or by subscribing."""
        if access.room_id in self.joined:
            return True
        return any(one.covers(event, access, stream_id) for one in self.interests.values())

    def may(self, right: Right, access: RoomAccess) -> bool:
        """Tell whether the session's user has a right in a room."""
        return access.allows(right, self.user_id, self.identity.fingerprint)

    def deliver(self, event: EventType, room_id: str, data: msgspec.Raw) -> None:
        """Number an event, keep it, and send it if there is a socket."""
        envelope = EventEnvelope(
            sequence=self.log.next_sequence,
            type=event,
            context_id=self.context_id,
            room_id=room_id,
            data=data,
        )
        self.log.append(envelope)
        self._send(envelope)

    def replay(self, after: int) -> int | None:
        """Send the events after this one again and return how many; None after a resync event.

        Raises:
            ValueError: there has been no such event.
        """
        missed = self.log.since(after)
        if missed is None:
            self.log.clear()
            lost = SessionResync(missed=self.log.sequence - after)
            self.deliver(EventType.SESSION_RESYNC, "", msgspec.Raw(msgspec.json.encode(lost)))
            return None
        for envelope in missed:
            self._send(envelope)
        return len(missed)

    def close(self, code: int) -> None:
        """End the connection, if there is one."""
        if self.link is not None:
            self.link.close(code)

    def _send(self, envelope: EventEnvelope) -> None:
        if self.link is not None:
            params = msgspec.Raw(msgspec.json.encode(envelope))
            self.link.send(msgspec.json.encode(Notification(method=EVENT_METHOD, params=params)))
