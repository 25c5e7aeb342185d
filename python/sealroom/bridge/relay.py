"""What Bridges on one database tell each other, so that nobody waits for a heartbeat.

Everything that must hold is in the database; a relay makes it known sooner and carries events. What
it carries the Bridges see anyway: no content, no secret, no SDP.
"""

from collections.abc import Callable
from typing import Annotated, Final, Literal, Protocol, TypeAlias

import msgspec
from msgspec import Meta

from sealroom.protocol import (
    MAX_MESSAGE_BYTES,
    MAX_ROOM_MEMBERS,
    EventType,
    Fingerprint,
    Id,
    Message,
    Number,
    UserId,
)

MAX_RELAYED_BYTES: Final = 1024 * 1024  # one event; a deleted room's names up to 1,000 members
# One call or answer: what an answer to a client may hold, in base64
MAX_CALL_BYTES: Final = MAX_MESSAGE_BYTES * 4 // 3 + 1024


class RelayedEvent(Message, frozen=True, tag_field="kind", tag="event"):
    """An event of a room. `audience`: who may see one of a room that is gone by now."""

    origin: Id
    context_id: Id
    room_id: Id
    type: EventType
    data: msgspec.Raw
    only: list[UserId] | None = None
    audience: dict[UserId, Fingerprint] | None = None


class RelayedExclusion(Message, frozen=True, tag_field="kind", tag="exclusion"):
    """Users who lost a room, to be told; `data` is that of `room.excluded`."""

    origin: Id
    room_id: Id
    user_ids: Annotated[list[UserId], Meta(max_length=MAX_ROOM_MEMBERS)]
    data: msgspec.Raw


class RelayedCheck(Message, frozen=True, tag_field="kind", tag="check"):
    """Users or a context changed: look sessions up at once."""

    origin: Id


class RelayedGap(Message, frozen=True, tag_field="kind", tag="gap"):
    """The sender could not send for a while: events of it are lost."""

    origin: Id


class RelayedCall(Message, frozen=True, tag_field="kind", tag="call"):
    """A call for one Bridge to carry out, sealed (`relay_seal.py`)."""

    origin: Id
    target: Id
    number: Number
    sealed: bytes


class RelayedAnswer(Message, frozen=True, tag_field="kind", tag="answer"):
    """The answer to the call of that number, sealed; `target` is who called."""

    origin: Id
    target: Id
    number: Number
    sealed: bytes


Broadcast: TypeAlias = RelayedEvent | RelayedExclusion | RelayedCheck | RelayedGap
Direct: TypeAlias = RelayedCall | RelayedAnswer
Relayed: TypeAlias = Broadcast | Direct


class Receiver(Protocol):
    """Who gets what the relay brings."""

    async def receive(self, message: Broadcast) -> None:
        """Handle what was said to all, one after another."""
        ...

    def take(self, message: Direct) -> None:
        """Take what was said to this Bridge alone, at once."""
        ...

    def gap(self) -> None:
        """Messages of others were lost."""
        ...


class Relay(Protocol):
    """Carries messages to all other Bridges, or to one: in order, at most once.

    For one event loop.
    """

    state: Literal["none", "connected", "lost"]

    def send(self, message: Broadcast) -> None:
        """Queue a message for all; while the relay is lost it is dropped, and a gap told later."""
        ...

    def send_to(self, message: Direct, unheard: Callable[[], None]) -> None:
        """Queue a message for its target; `unheard` is called if it surely does not get there."""
        ...

    async def start(self, receiver: Receiver) -> None:
        """Begin."""
        ...

    async def close(self) -> None:
        """End."""
        ...


class NoRelay:
    """For a Bridge alone: there is nobody to tell."""

    state: Literal["none", "connected", "lost"] = "none"

    def send(self, message: Broadcast) -> None:
        """Drop it."""

    def send_to(self, message: Direct, unheard: Callable[[], None]) -> None:
        """Drop it, and say so."""
        unheard()

    async def start(self, receiver: Receiver) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""
