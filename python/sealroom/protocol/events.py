"""Events the Bridge pushes: notifications of method `event` with an `EventEnvelope`.

`sequence` counts the events of one session from 1 without gaps, in the order they happened. The
session that caused an event does not get it, since its reply says as much; a publisher whose stream
somebody else unpublished does. Responses and events of one session come in one order: after the
reply to `room.join`, every change of the room is an event.
"""

from enum import StrEnum
from typing import Final

import msgspec

from .objects import Participant, StreamView, TrackAssignment
from .values import Id, Message, Milliseconds, UserId

EVENT_METHOD: Final = "event"


class EventType(StrEnum):
    """What happened; `EVENTS` names the struct of its data."""

    ROOM_CREATED = "room.created"
    ROOM_DELETED = "room.deleted"
    ROOM_CLOSED = "room.closed"
    PARTICIPANT_JOINED = "participant.joined"
    PARTICIPANT_LEFT = "participant.left"
    STREAM_PUBLISHED = "stream.published"
    STREAM_UNPUBLISHED = "stream.unpublished"
    MEDIA_OFFER = "media.offer"


class RoomCreated(Message, frozen=True):
    """A member created a room; to its members."""

    author: UserId
    created_at: Milliseconds


class RoomDeleted(Message, frozen=True):
    """The room and everything in it is gone: its participants are out without further events."""

    user_id: UserId | None  # who deleted it


class RoomClosed(Message, frozen=True):
    """The room was empty for its time to live; nobody can join it any more."""

    empty_room_ttl: float


class StreamUnpublished(Message, frozen=True):
    """A stream ended: unpublished, or its participant left or was cut off."""

    stream_id: Id
    participant_id: Id
    user_id: UserId


class MediaOffer(Message, frozen=True):
    """New offer of the subscriber transport, because a subscribed stream ended.

    Answer with `media.answer`. Goes to that one participant only.
    """

    offer_id: int
    offer: str
    tracks: list[TrackAssignment]


EVENTS: Final[dict[EventType, type[Message]]] = {
    EventType.ROOM_CREATED: RoomCreated,
    EventType.ROOM_DELETED: RoomDeleted,
    EventType.ROOM_CLOSED: RoomClosed,
    EventType.PARTICIPANT_JOINED: Participant,
    EventType.PARTICIPANT_LEFT: Participant,
    EventType.STREAM_PUBLISHED: StreamView,
    EventType.STREAM_UNPUBLISHED: StreamUnpublished,
    EventType.MEDIA_OFFER: MediaOffer,
}


class EventEnvelope(Message, frozen=True):
    """One event; `data` is the JSON of the struct `EVENTS[type]`, see `decode_event_data`."""

    sequence: int
    type: EventType
    context_id: Id
    room_id: Id
    data: msgspec.Raw


def decode_event_data(envelope: EventEnvelope) -> Message:
    """Return the typed data of an event.

    Raises:
        msgspec.ValidationError: the data does not have the shape of its type.
    """
    return msgspec.json.decode(envelope.data, type=EVENTS[envelope.type])
