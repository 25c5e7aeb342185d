"""Parameters and results of what users call."""

from typing import Annotated, Literal

from msgspec import Meta, field

from .events import EventType
from .limits import (
    KIB,
    MAX_CANDIDATE_LENGTH,
    MAX_PAGE_ITEMS,
    MAX_ROOM_MEMBERS,
    MAX_SUBSCRIBED_TRACKS,
)
from .objects import (
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
    PageSize,
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
    """The session lives as long as the socket."""

    session_id: Id
    user: User


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


class RoomCreateParams(Message, frozen=True):
    """The client chooses `room_id` (uuid4 hex), since the signed record binds it."""

    context_id: Id
    room_id: Id
    record: SignedObject
    sealed_secrets: Annotated[list[SealedSecret], Meta(max_length=MAX_ROOM_MEMBERS)]
    empty_room_ttl: TtlSeconds | None = None


class RoomResult(Message, frozen=True):
    """One room."""

    room: RoomView


class RoomParams(Message, frozen=True):
    """Parameters of every method about one room as a whole."""

    room_id: Id


class RoomListParams(Message, frozen=True):
    """Rooms the caller is a member of, by time of creation."""

    context_id: Id
    skip: Skip = 0
    limit: PageSize = MAX_PAGE_ITEMS
    sort_order: Literal["asc", "desc"] = "desc"


class RoomListResult(Message, frozen=True):
    """`total` counts all rooms of the caller; a page may end before `limit` (MAX_PAGE_BYTES)."""

    total: int
    rooms: list[RoomView]


class JoinResult(Message, frozen=True):
    """The caller is among `participants`."""

    participant_id: Id
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


class UnpublishParams(Message, frozen=True):
    """A stream of the caller's, or anyone's with the right `unpublish_others`."""

    room_id: Id
    stream_id: Id


class StreamListResult(Message, frozen=True):
    """Live streams of a room."""

    streams: list[StreamView]


class SubscriptionParams(Message, frozen=True):
    """Changes to the caller's subscriptions; `remove` of what is gone is no error."""

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


class EventSubscribeParams(Message, frozen=True):
    """Events of one room, or of all the caller's rooms in a context.

    Those of a joined room come without asking. `media.offer` cannot be asked for.
    """

    types: Annotated[list[EventType], Meta(min_length=1, max_length=16)]
    scope: Literal["context", "room"]
    scope_id: Id


class EventSubscription(Message, frozen=True):
    """Handle of an event subscription."""

    subscription_id: Id
