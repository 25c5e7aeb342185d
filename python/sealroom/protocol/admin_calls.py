"""Parameters and results of what administrators call about contexts, users, keys and the log."""

from typing import Annotated, TypeAlias

from msgspec import Meta

from .limits import MAX_AUDIT_TEXT_LENGTH
from .objects import Context
from .scopes import SCOPES, Scope
from .values import (
    AclText,
    ActorKind,
    Fingerprint,
    Id,
    IdentityText,
    Message,
    Milliseconds,
    OptionalTitle,
    PageParams,
    PolicyEntries,
    Title,
    UserId,
)


class AdminParams(Message, frozen=True):
    """Unlocks `admin.*` on this socket."""

    api_key: Annotated[str, Meta(min_length=1, max_length=256)]


class ContextCreateParams(Message, frozen=True):
    """New context; the Bridge chooses its id."""

    title: Title


class ContextPolicyParams(Message, frozen=True):
    """Entries that the policy of every new room in the context must name from now on."""

    context_id: Id
    policy: PolicyEntries


class ContextDetails(Message, frozen=True):
    """A context as an administrator sees it."""

    context_id: Id
    title: str
    policy: PolicyEntries
    created_at: Milliseconds


class ContextUpdateParams(Message, frozen=True):
    """Changes what is not None; the policy is that of rooms made from now on."""

    context_id: Id
    title: Title | None = None
    policy: PolicyEntries | None = None


class ContextListResult(Message, frozen=True):
    """One page of contexts."""

    total: int
    contexts: list[Context]


class AdminUser(Message, frozen=True):
    """A user as an administrator sees it; `sessions` are those logged in now, at all Bridges.

    `silent`: public URLs of the Bridges that do not answer, whose sessions are not counted.
    """

    user_id: UserId
    identity: IdentityText
    fingerprint: Fingerprint
    acl: str | None
    created_at: Milliseconds
    sessions: int
    silent: list[str]


class UserParams(Message, frozen=True):
    """Names a user. `admin.user_remove` ends its sessions, too."""

    context_id: Id
    user_id: UserId


class UserIdentityParams(UserParams, frozen=True):
    """A user's public identity: a new user's, or one that replaces the user's.

    Replacing ends the user's sessions; access lines stay. Rooms go on naming the old key: the user
    is out of them until a manager updates the room, and other users' clients refuse the new key
    until their `UserVerifier` is told.
    """

    identity: IdentityText


class UserAclParams(UserParams, frozen=True):
    """What a user may call: lines as `allow room.join room_id=r1`, None for everything."""

    acl: AclText | None = None


class ContextPageParams(PageParams, frozen=True, kw_only=True):
    """One page of a list over one context."""

    context_id: Id


class KeyCreateParams(Message, frozen=True):
    """New API key; its scopes and its end lie within those of the key that asks for it."""

    title: OptionalTitle
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

    def __repr__(self) -> str:
        """Leave the key itself out."""
        return f"KeyCreated(key={self.key!r})"


class KeyListResult(Message, frozen=True):
    """One page of API keys, oldest first, revoked and expired ones too."""

    total: int
    keys: list[ApiKeyView]


class KeyRevokeParams(Message, frozen=True):
    """Makes a key useless at once, for connections under way too."""

    key_id: Id


AuditDetails: TypeAlias = dict[str, str | int | list[str]]


class AuditListParams(PageParams, frozen=True, kw_only=True):
    """One page of the audit log, all or what matches; `since` is inclusive, `until` is not."""

    context_id: Id | None = None
    actor_id: (
        Annotated[
            str, Meta(min_length=1, max_length=MAX_AUDIT_TEXT_LENGTH, pattern=r"\A[^\x00]*\Z")
        ]
        | None
    ) = None
    action: Annotated[str, Meta(pattern=r"\A[a-z_.]{1,64}\Z")] | None = None
    since: Milliseconds | None = None
    until: Milliseconds | None = None


class AuditPruneParams(Message, frozen=True):
    """Deletes entries before a time, which lies at least MIN_PRUNED_AUDIT_AGE seconds back."""

    before: Milliseconds


class AuditPruneResult(Message, frozen=True):
    """How many entries are gone."""

    deleted: int


class AuditEntry(Message, frozen=True):
    """What somebody did. Ids are empty where there is none."""

    time: Milliseconds
    actor_kind: ActorKind
    actor_id: str  # user id or key id
    action: str
    object_kind: str
    object_id: str
    context_id: str
    outcome: str  # "ok" or the name of the error
    details: AuditDetails


class AuditListResult(Message, frozen=True):
    """One page of the audit log, newest first."""

    total: int
    entries: list[AuditEntry]
