"""Parameters and results of what administrators call."""

from typing import Annotated

from msgspec import Meta

from .limits import (
    MAX_ACL_LENGTH,
    MAX_PAGE_ITEMS,
    MAX_TITLE_LENGTH,
)
from .objects import (
    Context,
)
from .scopes import SCOPES, Scope
from .values import (
    Id,
    IdentityText,
    Message,
    Milliseconds,
    PageSize,
    PolicyEntries,
    RoomState,
    Skip,
    UserId,
)


class AdminParams(Message, frozen=True):
    """Unlocks `admin.*` on this socket."""

    api_key: Annotated[str, Meta(min_length=1, max_length=256)]


class ContextCreateParams(Message, frozen=True):
    """New context; the Bridge chooses its id."""

    title: Annotated[str, Meta(min_length=1, max_length=MAX_TITLE_LENGTH)]


class ContextPolicyParams(Message, frozen=True):
    """Entries that the policy of every new room in the context must name from now on."""

    context_id: Id
    policy: PolicyEntries


class PageParams(Message, frozen=True):
    """One page of a list over the whole Bridge."""

    skip: Skip = 0
    limit: PageSize = MAX_PAGE_ITEMS


class ContextListResult(Message, frozen=True):
    """One page of contexts."""

    total: int
    contexts: list[Context]


class UserAddParams(Message, frozen=True):
    """Registers a user's public identity."""

    context_id: Id
    user_id: UserId
    identity: IdentityText


class UserRemoveParams(Message, frozen=True):
    """Removes a user and ends its sessions."""

    context_id: Id
    user_id: UserId


class UserAclParams(Message, frozen=True):
    """What a user may call: lines as `allow room.join room_id=r1`, None for everything."""

    context_id: Id
    user_id: UserId
    acl: Annotated[str, Meta(max_length=MAX_ACL_LENGTH)] | None = None


class ContextPageParams(Message, frozen=True):
    """One page of a list over one context."""

    context_id: Id
    skip: Skip = 0
    limit: PageSize = MAX_PAGE_ITEMS


class RoomSummary(Message, frozen=True):
    """Room as an administrator sees it: no record, no secrets."""

    room_id: Id
    author: UserId
    members: int
    participants: int
    state: RoomState
    created_at: Milliseconds


class AdminRoomListResult(Message, frozen=True):
    """One page of the rooms of a context."""

    total: int
    rooms: list[RoomSummary]


class KeyCreateParams(Message, frozen=True):
    """New API key; its scopes and its end lie within those of the key that asks for it."""

    title: Annotated[str, Meta(max_length=MAX_TITLE_LENGTH)]
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=len(SCOPES))]
    expires_at: Milliseconds | None = None


class ApiKeyView(Message, frozen=True):
    """API key without the key: what is shown. `last_used_at` is good to the minute."""

    key_id: Id
    title: str
    scopes: list[Scope]
    created_at: Milliseconds
    created_by: str  # key id; empty for a key the Bridge or its program made
    expires_at: Milliseconds | None
    last_used_at: Milliseconds | None
    revoked_at: Milliseconds | None


class KeyCreated(Message, frozen=True):
    """The new API key itself is in `api_key`, and never again anywhere else."""

    api_key: str
    key: ApiKeyView


class KeyListResult(Message, frozen=True):
    """One page of API keys, oldest first, revoked and expired ones too."""

    total: int
    keys: list[ApiKeyView]


class KeyRevokeParams(Message, frozen=True):
    """Makes a key useless at once, for connections under way too."""

    key_id: Id
