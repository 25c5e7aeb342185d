"""Parameters and results of what administrators call."""

from typing import Annotated, TypeAlias

from msgspec import Meta

from .limits import MAX_AUDIT_TEXT_LENGTH, MAX_PAGE_ITEMS
from .objects import (
    Context,
)
from .scopes import SCOPES, Scope
from .values import (
    AclText,
    ActorKind,
    Fingerprint,
    Id,
    IdentityText,
    Message,
    Milliseconds,
    Note,
    Number,
    OptionalTitle,
    PageSize,
    PolicyEntries,
    Role,
    RoomState,
    RoomType,
    Skip,
    Title,
    TtlSeconds,
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


class PageParams(Message, frozen=True):
    """One page of a list over the whole Bridge."""

    skip: Skip = 0
    limit: PageSize = MAX_PAGE_ITEMS


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


class UserIdentityParams(Message, frozen=True):
    """Replaces a user's public identity and ends the user's sessions; access lines stay.

    Rooms go on naming the old key: the user is out of them until a manager updates the room, and
    other users' clients refuse the new key until their `UserVerifier` is told.
    """

    context_id: Id
    user_id: UserId
    identity: IdentityText


class UserAddParams(Message, frozen=True):
    """Registers a user's public identity."""

    context_id: Id
    user_id: UserId
    identity: IdentityText


class UserParams(Message, frozen=True):
    """Names a user. `admin.user_remove` ends its sessions, too."""

    context_id: Id
    user_id: UserId


class UserAclParams(Message, frozen=True):
    """What a user may call: lines as `allow room.join room_id=r1`, None for everything."""

    context_id: Id
    user_id: UserId
    acl: AclText | None = None


class AdminRoomListParams(Message, frozen=True):
    """One page of the rooms of a context, all or those in a state."""

    context_id: Id
    state: RoomState | None = None
    skip: Skip = 0
    limit: PageSize = MAX_PAGE_ITEMS


class ContextPageParams(Message, frozen=True):
    """One page of a list over one context."""

    context_id: Id
    skip: Skip = 0
    limit: PageSize = MAX_PAGE_ITEMS


class RoomSummary(Message, frozen=True):
    """Room as an administrator sees it: no record, no secrets.

    `participants`: None while the Bridge where they may be does not answer.
    """

    room_id: Id
    author: UserId
    members: int
    participants: int | None
    state: RoomState
    created_at: Milliseconds


class AdminRoomListResult(Message, frozen=True):
    """One page of the rooms of a context."""

    total: int
    rooms: list[RoomSummary]


class AdminRoomMember(Message, frozen=True):
    """Member as the room's record names it."""

    user_id: UserId
    role: Role


class AdminRoomView(Message, frozen=True):
    """What is public of a room: no private metadata, no secrets.

    `participants` and `streams` are those of now; None while the room's home does not answer.
    """

    room_id: Id
    context_id: Id
    creator: UserId
    author: UserId  # of the newest record
    state: RoomState
    version: Number
    epoch: Number
    room_type: RoomType
    policy: PolicyEntries
    public_meta: bytes
    members: list[AdminRoomMember]
    empty_room_ttl: TtlSeconds
    created_at: Milliseconds
    modified_at: Milliseconds
    participants: int | None
    streams: int | None


class ParticipantListParams(Message, frozen=True):
    """One page of who is in the rooms of a context now, or in one of them."""

    context_id: Id
    room_id: Id | None = None
    skip: Skip = 0
    limit: PageSize = MAX_PAGE_ITEMS


class AdminParticipant(Message, frozen=True):
    """A live session in a room. Bytes are those of its tracks that are live now."""

    participant_id: Id
    room_id: Id
    user_id: UserId
    joined_at: Milliseconds
    streams: int
    subscribed_tracks: int
    received_bytes: int  # by the media server
    sent_bytes: int
    bridge_id: Id  # where the room lives


class ParticipantListResult(Message, frozen=True):
    """One page of participants at all Bridges: by Bridge, and of each the oldest first.

    `silent`: public URLs of the Bridges that do not answer; what is there is not counted.
    """

    total: int
    participants: list[AdminParticipant]
    silent: list[str]


class ParticipantKickParams(Message, frozen=True):
    """Throws one participant out; its user stays a member. The note is shown to that user."""

    room_id: Id
    participant_id: Id
    note: Note | None = None


class LiveFigures(Message, frozen=True):
    """What goes on now. Bytes are those of the tracks that are live now."""

    participants: int
    streams: int
    subscribed_tracks: int
    received_bytes: int  # by the media server
    sent_bytes: int


class MediaFigures(Message, frozen=True):
    """The media server since it started: numbers of now, packets and bytes of all the time."""

    participants: int
    producers: int
    consumers: int
    received_packets: int
    forwarded_packets: int
    forwarded_bytes: int
    data_messages_received: int
    data_messages_forwarded: int
    data_subscribers_cut: int


class BridgeStatistics(Message, frozen=True):
    """One Bridge process; `url` is its public URL, empty if it has none."""

    bridge_id: Id
    url: str
    started_at: Milliseconds
    uptime: float  # seconds
    sessions: int
    live_rooms: int
    live: LiveFigures
    media: MediaFigures


class BridgeListResult(Message, frozen=True):
    """All Bridges on the database, the one that answers first; `silent` as for participants."""

    bridges: list[BridgeStatistics]
    silent: list[str]


class ContextStatistics(Message, frozen=True):
    """One context, at all Bridges; `rooms` by state, `silent` as for participants."""

    context_id: Id
    users: int
    rooms: dict[RoomState, int]
    sessions: int
    live_rooms: int
    live: LiveFigures
    silent: list[str]


class RoomStatisticsView(Message, frozen=True):
    """One room; `bridge_id` is its home's, or if it lives nowhere that of who answers."""

    room_id: Id
    state: RoomState
    members: int
    live: LiveFigures
    bridge_id: Id


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


class AuditListParams(Message, frozen=True):
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
    skip: Skip = 0
    limit: PageSize = MAX_PAGE_ITEMS


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
