"""Parameters and results of what administrators call about rooms: what is in them, what goes on."""

from .values import (
    Id,
    Message,
    Milliseconds,
    Note,
    Number,
    PageParams,
    PolicyEntries,
    Role,
    RoomState,
    RoomType,
    TtlSeconds,
    UserId,
)


class AdminRoomListParams(PageParams, frozen=True, kw_only=True):
    """One page of the rooms of a context, all or those in a state."""

    context_id: Id
    state: RoomState | None = None


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


class ParticipantListParams(PageParams, frozen=True, kw_only=True):
    """One page of who is in the rooms of a context now, or in one of them."""

    context_id: Id
    room_id: Id | None = None


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
