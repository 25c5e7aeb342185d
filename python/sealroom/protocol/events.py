"""Events the Bridge pushes: notifications of method `event` with an `EventEnvelope`.

`sequence` counts the events of one session from 1 without gaps, in the order they happened. The
session that caused an event does not get it, since its reply says as much; a publisher whose stream
somebody else unpublished does. Responses and events of one session come in one order: after the
reply to `room.join`, every change of the room is an event.

The Bridge keeps a session's newest events (`MAX_LOGGED_EVENTS` and its fellows) and sends those a
client missed again when it resumes; a client that missed older ones gets `session.resync` instead.
"""

from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from .decoding import decode_json
from .limits import MAX_ID_LENGTH
from .objects import (
    Participant,
    ParticipantGone,
    RecordingNotice,
    SignedObject,
    StreamView,
    TrackAssignment,
)
from .values import Id, LeaveReason, Message, Milliseconds, Note, Number, TransportRole, UserId

EVENT_METHOD: Final = "event"


class EventType(StrEnum):
    """What happened; `EVENTS` names the struct of its data."""

    ROOM_CREATED = "room.created"
    ROOM_UPDATED = "room.updated"
    ROOM_DELETED = "room.deleted"
    ROOM_CLOSED = "room.closed"
    ROOM_REOPENED = "room.reopened"
    ROOM_EXCLUDED = "room.excluded"
    ROOM_EPOCH_READY = "room.epoch_ready"
    ROOM_CUSTOM = "room.custom"
    PARTICIPANT_JOINED = "participant.joined"
    PARTICIPANT_LEFT = "participant.left"
    STREAM_PUBLISHED = "stream.published"
    STREAM_UPDATED = "stream.updated"
    STREAM_UNPUBLISHED = "stream.unpublished"
    RECORDING_STARTED = "recording.started"
    RECORDING_STOPPED = "recording.stopped"
    MEDIA_OFFER = "media.offer"
    MEDIA_FAILED = "media.failed"
    DATA_CUT = "data.cut"
    SESSION_RESYNC = "session.resync"


class RoomCreated(Message, frozen=True):
    """A member created a room; to its members."""

    author: UserId
    created_at: Milliseconds


class RoomUpdated(Message, frozen=True):
    """A manager changed the room: fetch `room.history` and verify; to who is a member now."""

    version: Number
    epoch: Number
    author: UserId


class RoomDeleted(Message, frozen=True):
    """The room and everything in it is gone: its participants are out without further events."""

    user_id: UserId | None  # who deleted it; None: an administrator


class RoomClosed(Message, frozen=True):
    """The room was empty for its time to live, or somebody closed it: nobody can join it.

    Its participants are out without further events.
    """

    reason: Literal["empty", "closed"]
    user_id: UserId | None  # who closed it; None: an administrator, or nobody
    empty_room_ttl: float


class RoomReopened(Message, frozen=True):
    """A closed room is open again; if nobody joins, it closes after its time to live."""

    user_id: UserId | None  # who opened it; None: an administrator


class RoomExcluded(Message, frozen=True):
    """The user who gets this is out of the room, with all its participants there."""

    reason: LeaveReason
    user_id: UserId | None  # who did it; None: an administrator
    note: Note | None = None  # the reason, for people


class RoomEpochReady(Message, frozen=True):
    """Every participant says it can decrypt this epoch: senders need not wait any longer."""

    epoch: Number


class CustomEventView(Message, frozen=True):
    """An event of the application's; its author signed it, for the receiver to verify."""

    event: SignedObject


class StreamUnpublished(Message, frozen=True):
    """A stream ended: unpublished, or its participant left or was cut off."""

    stream_id: Id
    participant_id: Id
    user_id: UserId


class MediaOffer(Message, frozen=True):
    """New offer of the subscriber transport, because a subscribed track ended or one was added.

    Answer with `media.answer`. Goes to that one participant only.
    """

    offer_id: int
    offer: str
    tracks: list[TrackAssignment]


class MediaFailed(Message, frozen=True):
    """A transport is dead at the media server: restart it, and reset it if that is refused.

    Goes to that one participant only.
    """

    transport: TransportRole


class SessionResync(Message, frozen=True):
    """Events of this session are lost: read again whatever one follows. Of no room.

    `missed` counts them: sequence numbers between the last one the client named and this event's.
    None: the relay between Bridges lost events, nobody knows how many, and maybe none of this
    session's.
    """

    missed: Number | None


class DataCut(Message, frozen=True):
    """The receiver of this event was too slow for a data track, and is not subscribed to it now."""

    stream_id: Id
    track_id: Id


EVENTS: Final[dict[EventType, type[Message]]] = {
    EventType.ROOM_CREATED: RoomCreated,
    EventType.ROOM_UPDATED: RoomUpdated,
    EventType.ROOM_DELETED: RoomDeleted,
    EventType.ROOM_CLOSED: RoomClosed,
    EventType.ROOM_REOPENED: RoomReopened,
    EventType.ROOM_EXCLUDED: RoomExcluded,
    EventType.ROOM_EPOCH_READY: RoomEpochReady,
    EventType.ROOM_CUSTOM: CustomEventView,
    EventType.PARTICIPANT_JOINED: Participant,
    EventType.PARTICIPANT_LEFT: ParticipantGone,
    EventType.STREAM_PUBLISHED: StreamView,
    EventType.STREAM_UPDATED: StreamView,
    EventType.STREAM_UNPUBLISHED: StreamUnpublished,
    EventType.RECORDING_STARTED: RecordingNotice,
    EventType.RECORDING_STOPPED: RecordingNotice,
    EventType.MEDIA_OFFER: MediaOffer,
    EventType.MEDIA_FAILED: MediaFailed,
    EventType.DATA_CUT: DataCut,
    EventType.SESSION_RESYNC: SessionResync,
}


class EventEnvelope(Message, frozen=True):
    """One event; `data` is the JSON of the struct `EVENTS[type]`, see `decode_event_data`.

    `room_id` is empty for an event of the session itself.
    """

    sequence: int
    type: EventType
    context_id: Id
    room_id: Annotated[str, Meta(max_length=MAX_ID_LENGTH)]
    data: msgspec.Raw


def decode_event_data(envelope: EventEnvelope) -> Message:
    """Return the typed data of an event.

    Raises:
        msgspec.ValidationError: the data does not have the shape of its type.
        msgspec.DecodeError: it is no JSON, or not in UTF-8.
    """
    return decode_json(envelope.data, EVENTS[envelope.type])
