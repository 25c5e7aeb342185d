"""Parameters and results of what users call about themselves: log-in, context, events."""

from typing import Annotated, Literal

from msgspec import Meta

from .events import EventType
from .limits import (
    KIB,
    MAX_EVENT_SUBSCRIPTIONS,
    MAX_EVENT_TYPES,
    MAX_JOINED_ROOMS,
    MAX_PAGE_ITEMS,
)
from .objects import (
    User,
)
from .values import (
    Id,
    Message,
    PageParams,
    PolicyEntries,
    Signature,
    UserId,
)


class ChallengeParams(Message, frozen=True):
    """Asks for a nonce; answered alike for unknown users."""

    context_id: Id
    user_id: UserId


class ChallengeResult(Message, frozen=True):
    """Nonce to sign within `expires_in` seconds."""

    bridge_id: Id
    nonce: bytes
    expires_in: float


class LoginParams(Message, frozen=True):
    """`payload` is the JSON of a `LoginPayload`, carried verbatim."""

    payload: Annotated[bytes, Meta(min_length=1, max_length=KIB)]
    signature: Signature


class LoginResult(Message, frozen=True):
    """The session outlives its socket by `session_timeout` seconds, for `auth.resume`.

    It ends at once if the client closes with code 1000.
    """

    session_id: Id
    user: User
    session_timeout: float = 0.0


class ResumeParams(Message, frozen=True):
    """`payload` is the JSON of a `ResumePayload`, carried verbatim.

    `joined` are the rooms the client takes itself to be in; it leaves all others, whose join it
    never heard of.
    """

    payload: Annotated[bytes, Meta(min_length=1, max_length=KIB)]
    signature: Signature
    joined: Annotated[list[Id], Meta(max_length=MAX_JOINED_ROOMS)]


class ResumeResult(Message, frozen=True):
    """The session goes on. `replayed` events came before this; with `resync`, some are lost.

    What is lost cannot be sent again: an event `session.resync` came in its place.
    """

    replayed: int
    resync: bool


class ContextParams(Message, frozen=True):
    """Names a context."""

    context_id: Id


class ContextView(Message, frozen=True):
    """A context as its users see it; a new room's policy names every entry of `policy`."""

    context_id: Id
    title: str
    policy: PolicyEntries


class ContextUsersParams(PageParams, frozen=True, kw_only=True):
    """Users of the caller's context in order of user id; with `user_ids` only these."""

    context_id: Id
    user_ids: Annotated[list[UserId], Meta(max_length=MAX_PAGE_ITEMS)] | None = None


class ContextUsersResult(Message, frozen=True):
    """`total` counts all matches, `users` is one page of them."""

    total: int
    users: list[User]


class EventSubscribeParams(Message, frozen=True):
    """Events of one stream or room, or of all the caller's rooms in a context.

    Those of a joined room come without asking. `media.*` and `session.resync` cannot be asked for,
    `room.created` only of a context, and only `stream.*` of a stream. A stream must be live
    when it is asked for, unless `room_id` says where; if it ends and comes back under its id, its
    events go on.
    """

    types: Annotated[list[EventType], Meta(min_length=1, max_length=MAX_EVENT_TYPES)]
    scope: Literal["context", "room", "stream"]
    scope_id: Id
    room_id: Id | None = None


class EventSubscription(Message, frozen=True):
    """Handle of an event subscription."""

    subscription_id: Id


class EventQueriesParams(Message, frozen=True):
    """Several subscriptions, all or none: the field of a refusal names the one at fault."""

    queries: Annotated[
        list[EventSubscribeParams], Meta(min_length=1, max_length=MAX_EVENT_SUBSCRIPTIONS)
    ]


class EventQueriesResult(Message, frozen=True):
    """Handles of the subscriptions, in the order of the queries."""

    subscription_ids: list[Id]
