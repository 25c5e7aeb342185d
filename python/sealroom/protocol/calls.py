"""Parameters and results of what users call."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from .events import EventType
from .limits import (
    KIB,
    MAX_CANDIDATE_LENGTH,
    MAX_DELETED_ROOMS,
    MAX_EVENT_SUBSCRIPTIONS,
    MAX_EVENT_TYPES,
    MAX_FILTER_ENTRIES,
    MAX_JOINED_ROOMS,
    MAX_PAGE_ITEMS,
    MAX_ROOM_MEMBERS,
    MAX_SUBSCRIBED_TRACKS,
    MAX_UPDATE_SECRETS,
)
from .objects import (
    HistoricRecord,
    MediaConfiguration,
    Participant,
    RoomView,
    SealedSecret,
    SignedObject,
    StreamView,
    TrackAssignment,
    TrackSelector,
    User,
)
from .values import (
    Id,
    Message,
    Number,
    PageSize,
    PolicyEntries,
    PublicName,
    PublicValue,
    RoomType,
    Sdp,
    Signature,
    Skip,
    TransportRole,
    TtlSeconds,
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


class ContextUsersParams(Message, frozen=True):
    """Users of the caller's context in order of user id; with `user_ids` only these."""

    context_id: Id
    user_ids: Annotated[list[UserId], Meta(max_length=MAX_PAGE_ITEMS)] | None = None
    skip: Skip = 0
    limit: PageSize = MAX_PAGE_ITEMS


class ContextUsersResult(Message, frozen=True):
    """`total` counts all matches, `users` is one page of them."""

    total: int
    users: list[User]


class ContextParams(Message, frozen=True):
    """Names a context."""

    context_id: Id


class ContextView(Message, frozen=True):
    """A context as its users see it; a new room's policy names every entry of `policy`."""

    context_id: Id
    title: str
    policy: PolicyEntries


class RoomCreateParams(Message, frozen=True):
    """The client chooses `room_id` (uuid4 hex), since the signed record binds it."""

    context_id: Id
    room_id: Id
    record: SignedObject
    sealed_secrets: Annotated[list[SealedSecret], Meta(max_length=MAX_ROOM_MEMBERS)]
    empty_room_ttl: TtlSeconds | None = None


class RoomUpdateParams(Message, frozen=True):
    """The next record of a room; of two that follow one version, the later is refused.

    `sealed_secrets`: of a new epoch for every member, else of the current one for every new
    member; where the policy shares history, older ones for new members as well.
    """

    room_id: Id
    record: SignedObject
    sealed_secrets: Annotated[list[SealedSecret], Meta(max_length=MAX_UPDATE_SECRETS)]
    empty_room_ttl: TtlSeconds | None = None


class RoomHistoryParams(Message, frozen=True):
    """Records after the version `since`, oldest first; from the first one if it is 0."""

    room_id: Id
    since: Annotated[int, Meta(ge=0, le=2**53)] = 0
    limit: PageSize = MAX_PAGE_ITEMS


class RoomHistoryResult(Message, frozen=True):
    """A page may end before `limit` (MAX_PAGE_BYTES); go on with the last one's version."""

    newest: int
    records: list[HistoricRecord]


class RoomDeleteManyParams(Message, frozen=True):
    """Rooms to delete, each by itself: one that cannot be does not keep the others."""

    room_ids: Annotated[list[Id], Meta(min_length=1, max_length=MAX_DELETED_ROOMS)]


class RoomDeletion(Message, frozen=True):
    """What became of one room; `error` is a code of the table of errors, None if it is gone."""

    room_id: Id
    error: int | None


class RoomDeleteManyResult(Message, frozen=True):
    """One entry per room asked for, in their order."""

    rooms: list[RoomDeletion]


class RoomReadyParams(Message, frozen=True):
    """The participant can decrypt this epoch and every newer one it was told of."""

    room_id: Id
    epoch: Number


class RoomKickParams(Message, frozen=True):
    """Throws one participant out; its user stays a member."""

    room_id: Id
    participant_id: Id


class RoomSendEventParams(Message, frozen=True):
    """An event of the application's, to the members its payload names, or to all."""

    room_id: Id
    event: SignedObject


class RoomResult(Message, frozen=True):
    """One room."""

    room: RoomView


class RoomParams(Message, frozen=True):
    """Parameters of every method about one room as a whole."""

    room_id: Id


class RoomListParams(Message, frozen=True):
    """Rooms the caller is a member of.

    With `last_id`, the page begins after that room in this order, and `skip` counts from there.
    `filter` compares fields of the JSON object that the public metadata is, if it is one: the
    first MAX_PUBLIC_FIELDS of its own whose value is no list or object and whose name and value
    are at most MAX_PUBLIC_FIELD_LENGTH long.
    """

    context_id: Id
    skip: Skip = 0
    limit: PageSize = MAX_PAGE_ITEMS
    sort_order: Literal["asc", "desc"] = "desc"
    sort_by: Literal["created_at", "modified_at"] = "created_at"
    last_id: Id | None = None
    filter: Annotated[dict[PublicName, PublicValue], Meta(max_length=MAX_FILTER_ENTRIES)] = field(
        default_factory=dict
    )
    room_type: RoomType | None = None


class RoomListResult(Message, frozen=True):
    """`total` counts all rooms that match; a page may end before `limit` (MAX_PAGE_BYTES)."""

    total: int
    rooms: list[RoomView]


class RoomListItems(Message, frozen=True):
    """The same with the rooms still undecoded, for who does not want to lose all to a bad one."""

    total: int
    rooms: list[msgspec.Raw]


class JoinResult(Message, frozen=True):
    """The caller is among `participants`; `version` is the record's that admitted it."""

    participant_id: Id
    version: Number
    participants: list[Participant]
    streams: list[StreamView]
    media: MediaConfiguration


class ParticipantsResult(Message, frozen=True):
    """Live participants of a room."""

    participants: list[Participant]


class PublishParams(Message, frozen=True):
    """Offer of the publisher transport; each track's m-line has `a=msid:<stream_id> <track_id>`."""

    room_id: Id
    announcement: SignedObject
    offer: Sdp


class PublishResult(Message, frozen=True):
    """SDP answer of the media server."""

    stream_id: Id
    answer: str


class StreamUpdateParams(Message, frozen=True):
    """A higher version of the announcement of a stream the participant has published.

    `offer` is needed when tracks are added and holds the m-lines of all announced tracks.
    """

    room_id: Id
    announcement: SignedObject
    offer: Sdp | None = None


class StreamUpdateResult(Message, frozen=True):
    """SDP answer of the media server, None without an offer."""

    stream_id: Id
    answer: str | None


class UnpublishParams(Message, frozen=True):
    """A stream of the caller's, or anyone's with the right `unpublish_others`."""

    room_id: Id
    stream_id: Id


class StreamListResult(Message, frozen=True):
    """Live streams of a room."""

    streams: list[StreamView]


class SubscriptionParams(Message, frozen=True):
    """Changes to the caller's subscriptions; `remove` of what is gone is no error.

    Who adds a stream without naming tracks gets those it adds later, too, as the limit allows.
    """

    room_id: Id
    add: Annotated[list[TrackSelector], Meta(max_length=MAX_SUBSCRIBED_TRACKS)] = field(
        default_factory=list
    )
    remove: Annotated[list[TrackSelector], Meta(max_length=MAX_SUBSCRIBED_TRACKS)] = field(
        default_factory=list
    )


class SubscriptionResult(Message, frozen=True):
    """Offer of the subscriber transport (None when nothing changed) and all tracks now subscribed.

    Answer with `media.answer` and the same `offer_id`. A newer offer supersedes an unanswered one.
    """

    offer_id: int
    offer: str | None
    tracks: list[TrackAssignment]


class AnswerParams(Message, frozen=True):
    """Answer to the offer `offer_id`."""

    room_id: Id
    offer_id: Annotated[int, Meta(ge=1, le=2**53)]
    sdp: Sdp


class AnswerResult(Message, frozen=True):
    """`accepted` is False when a newer offer superseded this one: answer that instead."""

    accepted: bool


class TrickleParams(Message, frozen=True):
    """One ICE candidate in SDP syntax (`candidate:...`) for one of the caller's transports."""

    room_id: Id
    transport: TransportRole
    candidate: Annotated[str, Meta(max_length=MAX_CANDIDATE_LENGTH)]


class RestartParams(Message, frozen=True):
    """Another path for one of the caller's transports (ICE restart, RFC 8445 section 2.4).

    For the publisher transport `offer` is one with new ICE credentials and the same m-lines; for
    the subscriber transport there is none, since the media server makes it.
    """

    room_id: Id
    transport: TransportRole
    offer: Sdp | None = None


class RestartResult(Message, frozen=True):
    """Of the publisher transport the `answer`; of the subscriber transport an `offer`.

    The offer is to be answered as one of `subscription.update`.
    """

    answer: str | None = None
    offer_id: int | None = None
    offer: str | None = None
    tracks: list[TrackAssignment] = field(default_factory=list)


class ResetParams(Message, frozen=True):
    """Ends one of the caller's transports with what it carries; none there is no error.

    With the publisher transport the caller's streams end, with the subscriber transport its
    subscriptions. The next `stream.publish` or `subscription.update` begins a new transport.
    """

    room_id: Id
    transport: TransportRole


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
