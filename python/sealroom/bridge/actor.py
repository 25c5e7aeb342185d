"""Who does something at the Bridge."""

from dataclasses import dataclass
from typing import Final

from sealroom.protocol import ActorKind, Milliseconds, Scope


@dataclass(frozen=True, slots=True)
class Actor:
    """A user by user id, an API key by key id, the program around the Bridge, or the Bridge."""

    kind: ActorKind
    actor_id: str = ""


@dataclass(frozen=True, slots=True)
class Principal(Actor):
    """An API key that is neither revoked nor expired, with what it may do."""

    scopes: frozenset[Scope] = frozenset()
    expires_at: Milliseconds | None = None


PROGRAM: Final = Actor("program")
"""Who calls `Bridge.admin` in process; may do everything."""

BRIDGE: Final = Actor("bridge")

UNKNOWN: Final = Actor("unknown")
"""Who did not log in."""
