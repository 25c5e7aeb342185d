"""Parameters and results of what users call about rooms."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from .limits import (
    MAX_DELETED_ROOMS,
    MAX_FILTER_ENTRIES,
    MAX_PAGE_ITEMS,
    MAX_ROOM_MEMBERS,
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
)
from .values import (
    Id,
    Message,
    Number,
    PageParams,
    PageSize,
    PublicName,
    PublicValue,
    RoomType,
    TtlSeconds,
)


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


class RoomListParams(PageParams, frozen=True, kw_only=True):
    """Rooms the caller is a member of.

    With `last_id`, the page begins after that room in this order, and `skip` counts from there.
    `filter` compares fields of the JSON object that the public metadata is, if it is one: the
    first MAX_PUBLIC_FIELDS of its own whose value is no list or object and whose name and value
    are at most MAX_PUBLIC_FIELD_LENGTH long.
    """

    context_id: Id
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
