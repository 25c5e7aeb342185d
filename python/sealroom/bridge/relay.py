"""What Bridges on one database tell each other, so that nobody waits for a heartbeat.

Everything that must hold is in the database; a relay makes it known sooner and carries events. What
it carries the Bridges see anyway: no content, no secret, no SDP.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, Literal, Protocol, TypeAlias

import msgspec
from msgspec import Meta

from sealroom.protocol import MAX_ROOM_MEMBERS, EventType, Fingerprint, Id, Message, UserId

MAX_RELAYED_BYTES: Final = 1024 * 1024  # one message; a deleted room's names up to 1,000 members


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


Relayed: TypeAlias = RelayedEvent | RelayedExclusion | RelayedCheck | RelayedGap


class Relay(Protocol):
    """Carries messages to all other Bridges, in order, at most once. For one event loop."""

    state: Literal["none", "connected", "lost"]

    def send(self, message: Relayed) -> None:
        """Queue a message; while the relay is lost it is dropped, and a gap told later."""
        ...

    async def start(
        self,
        receive: Callable[[Relayed], Awaitable[None]],
        gap: Callable[[], None],
    ) -> None:
        """Begin; `gap` is called when messages of others were lost."""
        ...

    async def close(self) -> None:
        """End."""
        ...


class NoRelay:
    """For a Bridge alone: there is nobody to tell."""

    state: Literal["none", "connected", "lost"] = "none"

    def send(self, message: Relayed) -> None:
        """Drop it."""

    async def start(
        self,
        receive: Callable[[Relayed], Awaitable[None]],
        gap: Callable[[], None],
    ) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""
