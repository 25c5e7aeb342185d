"""Events as the application sees them, by what they are of, and the union of all."""

from __future__ import annotations

from sealroom.client.bounded_stream import BoundedStream
from sealroom.client.connection_events import (
    ConnectionClosed,
    ConnectionStateChanged,
    EventsDropped,
    RoomLost,
    StreamLost,
    SubscriptionLost,
)
from sealroom.client.media_events import (
    DataFailed,
    DataRecovered,
    DataRecovering,
    MediaFailed,
    MediaRecovered,
    MediaRecovering,
    RecoveryReason,
)
from sealroom.client.room_events import (
    CustomEvent,
    CustomEventRefused,
    KeyRotated,
    ParticipantJoined,
    ParticipantLeft,
    RecordingStarted,
    RecordingStopped,
    RoomClosed,
    RoomCreated,
    RoomDeleted,
    RoomExcluded,
    RoomRefused,
    RoomReopened,
    RoomUpdated,
)
from sealroom.client.stream_events import (
    ActiveSpeakerChanged,
    DataRejected,
    DataTrackCut,
    FrameRejected,
    StreamPublished,
    StreamRefused,
    StreamUnpublished,
    StreamUpdated,
    TrackEnded,
    TrackRefused,
)

MAX_UNREAD_EVENTS = 1024

Event = (
    RoomCreated
    | RoomUpdated
    | RoomRefused
    | RoomDeleted
    | RoomClosed
    | RoomReopened
    | RoomExcluded
    | KeyRotated
    | ParticipantJoined
    | ParticipantLeft
    | StreamPublished
    | StreamRefused
    | StreamUpdated
    | StreamUnpublished
    | TrackEnded
    | ActiveSpeakerChanged
    | RecordingStarted
    | RecordingStopped
    | CustomEvent
    | CustomEventRefused
    | FrameRejected
    | DataRejected
    | DataTrackCut
    | DataRecovering
    | DataRecovered
    | DataFailed
    | TrackRefused
    | MediaRecovering
    | MediaRecovered
    | MediaFailed
    | EventsDropped
    | ConnectionStateChanged
    | RoomLost
    | StreamLost
    | SubscriptionLost
    | ConnectionClosed
)

__all__ = [
    "MAX_UNREAD_EVENTS",
    "ActiveSpeakerChanged",
    "BoundedStream",
    "ConnectionClosed",
    "ConnectionStateChanged",
    "CustomEvent",
    "CustomEventRefused",
    "DataFailed",
    "DataRecovered",
    "DataRecovering",
    "DataRejected",
    "DataTrackCut",
    "Event",
    "EventsDropped",
    "FrameRejected",
    "KeyRotated",
    "MediaFailed",
    "MediaRecovered",
    "MediaRecovering",
    "ParticipantJoined",
    "ParticipantLeft",
    "RecordingStarted",
    "RecordingStopped",
    "RecoveryReason",
    "RoomClosed",
    "RoomCreated",
    "RoomDeleted",
    "RoomExcluded",
    "RoomLost",
    "RoomRefused",
    "RoomReopened",
    "RoomUpdated",
    "StreamLost",
    "StreamPublished",
    "StreamRefused",
    "StreamUnpublished",
    "StreamUpdated",
    "SubscriptionLost",
    "TrackEnded",
    "TrackRefused",
]
