"""Events of the connection to the Bridge, and of what does not outlive it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class EventsDropped:
    """The application read too slowly: this many of the oldest events are lost."""

    count: int


@dataclass(frozen=True, slots=True)
class ConnectionStateChanged:
    """How this side's connection to the Bridge is.

    * "reconnecting": the socket dropped, and this side tries to come back. Media flows on.
    * "resumed": it is back with its session; what happened meanwhile follows as events.
    * "resynced": too much happened, and this side has read rooms, participants and streams again:
      whatever differs came as events before this one. Custom events sent meanwhile are lost.
    * "connected": it is back with a new session, and on its way into its rooms.
    * "restored": it is in its rooms again, its streams are published again and what it subscribed
      to is, if it is there; each room and stream that could not come back had an event of its own.
    * "closed": for good; `ConnectionClosed` follows.

    `home`: URL of another Bridge where joined rooms live, if it is about the connection to that one
    and these rooms; empty for the connection that the application made. After "closed" of a home
    its rooms are joined where they live then, or lost (`RoomLost`).
    """

    state: Literal["reconnecting", "resumed", "resynced", "connected", "restored", "closed"]
    reason: str
    home: str = ""


@dataclass(frozen=True, slots=True)
class RoomLost:
    """A joined room did not come back after the connection did; `error` says why."""

    room_id: str
    error: Exception


@dataclass(frozen=True, slots=True)
class StreamLost:
    """A stream of this side's own could not be published again; its handle can be, later."""

    room_id: str
    stream_id: str
    error: Exception


@dataclass(frozen=True, slots=True)
class SubscriptionLost:
    """An event subscription was refused after the connection came back; its id is void."""

    subscription_id: str
    error: Exception


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """The connection to the Bridge is over, and with it every joined room."""

    reason: str
