"""Events as the application sees them, and the bounded queue an iterator reads them from."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from sealroom.client.models import (
    AudioLevel,
    ParticipantInfo,
    StreamInfo,
    StreamTrackInfo,
    StreamTrackModification,
)
from sealroom.protocol import LeaveReason, TransportRole

MAX_UNREAD_EVENTS = 1024


@dataclass(frozen=True, slots=True)
class RoomCreated:
    """A room that the user is a member of was created."""

    room_id: str
    author: str


@dataclass(frozen=True, slots=True)
class RoomUpdated:
    """A manager changed a room. If it is joined, the change was verified before this event."""

    room_id: str
    version: int
    epoch: int
    author: str


@dataclass(frozen=True, slots=True)
class RoomRefused:
    """The Bridge says a joined room changed, and what it shows does not verify.

    Nothing was changed here: the last epoch that verified stays in use.
    """

    room_id: str
    error: Exception


@dataclass(frozen=True, slots=True)
class KeyRotated:
    """This participant's senders in a joined room use the key of a new epoch from now on."""

    room_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class RoomExcluded:
    """This user is out of a room: `reason` is "removed" or "kicked", `user_id` who did it.

    `user_id` is None for an administrator; `note` is what it says about it.
    """

    room_id: str
    reason: LeaveReason
    user_id: str | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class RoomReopened:
    """A closed room is open again; `user_id` None: an administrator did it."""

    room_id: str
    user_id: str | None


@dataclass(frozen=True, slots=True)
class RoomDeleted:
    """A room is gone; who was in it is out. `user_id` None: an administrator did it."""

    room_id: str
    user_id: str | None


@dataclass(frozen=True, slots=True)
class RoomClosed:
    """A room was empty for its time to live, or `user_id` closed it; who was in it is out.

    `user_id` is None for an administrator, too.
    """

    room_id: str
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class ParticipantJoined:
    """Somebody joined."""

    room_id: str
    participant: ParticipantInfo


@dataclass(frozen=True, slots=True)
class ParticipantLeft:
    """Somebody left or was cut off.

    `reason` is "left", "disconnected", "removed" (no member any more), "kicked", or "unknown" if it
    happened while this side had no connection.
    """

    room_id: str
    participant: ParticipantInfo
    reason: LeaveReason | Literal["unknown"]


@dataclass(frozen=True, slots=True)
class StreamPublished:
    """A stream whose announcement verified."""

    room_id: str
    stream: StreamInfo


@dataclass(frozen=True, slots=True)
class StreamRefused:
    """The Bridge shows a stream whose announcement does not verify; it cannot be subscribed to.

    Of a stream that is known, this refuses a newer announcement: the stream stays what it was.
    """

    room_id: str
    stream_id: str
    user_id: str
    error: Exception


@dataclass(frozen=True, slots=True)
class StreamUpdated:
    """The publisher changed a stream, and the newer announcement verified; tracks by what changed.

    Removed tracks have ended. Of a room that is not joined, what was before is not known: the lists
    are empty.
    """

    room_id: str
    stream: StreamInfo
    tracks_added: list[StreamTrackInfo] = field(default_factory=list)
    tracks_removed: list[StreamTrackInfo] = field(default_factory=list)
    tracks_modified: list[StreamTrackModification] = field(default_factory=list)

    @classmethod
    def of(cls, room_id: str, before: StreamInfo, after: StreamInfo) -> StreamUpdated:
        old = {one.track_id: one for one in before.tracks}
        new = {one.track_id: one for one in after.tracks}
        return cls(
            room_id,
            after,
            tracks_added=[one for key, one in new.items() if key not in old],
            tracks_removed=[one for key, one in old.items() if key not in new],
            tracks_modified=[
                StreamTrackModification(old[key], one)
                for key, one in new.items()
                if key in old and old[key] != one
            ],
        )


@dataclass(frozen=True, slots=True)
class StreamUnpublished:
    """A stream ended."""

    room_id: str
    stream_id: str
    user_id: str


@dataclass(frozen=True, slots=True)
class TrackEnded:
    """The source of one of this side's own tracks ended; nothing more is sent from it.

    `error` is what it raised, None if it came to its end. The track stays published: end it for the
    others with `remove_track` and `update_stream`, or `unpublish_stream`.
    """

    room_id: str
    stream_id: str
    track_id: str
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class ActiveSpeakerChanged:
    """Others speak now: `speakers` holds the tracks of all who do, the dominant one first.

    Of the tracks that are received here, and one's own.
    """

    room_id: str
    speakers: list[AudioLevel]


@dataclass(frozen=True, slots=True)
class RecordingStarted:
    """A participant says that it records from now on. Who records without saying so is not seen."""

    room_id: str
    participant: ParticipantInfo


@dataclass(frozen=True, slots=True)
class RecordingStopped:
    """A participant that said to record does not any more: it stopped, left or lost the right."""

    room_id: str
    participant: ParticipantInfo


@dataclass(frozen=True, slots=True)
class CustomEvent:
    """An event that the application of another member sent; `sent_at` is by the sender's clock."""

    room_id: str
    user_id: str
    channel: str
    sent_at: int
    data: bytes


@dataclass(frozen=True, slots=True)
class CustomEventRefused:
    """The Bridge delivers a custom event that does not verify or comes again."""

    room_id: str
    user_id: str
    error: Exception


@dataclass(frozen=True, slots=True)
class FrameRejected:
    """Frames were refused and not decoded; at most one event a second per track and reason.

    `reason` is "not_encrypted", "unknown_key_id", "authentication_failed", "replayed" or
    "queue_overflow"; `count` counts since the last such event.
    """

    room_id: str
    stream_id: str
    track_id: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class DataRejected:
    """Data messages were refused, or are missing; at most one event a second per track and reason.

    `reason` is the `code` of a `DataMessageError` (`sealroom.crypto.data_errors`):
    "data_malformed", "data_too_big", "data_forged", "data_epoch", "data_replayed",
    "data_reordered"; "data_gap" for missing ones, "data_overflow" for those that nobody read in
    time. `count` counts since the last such event.
    """

    room_id: str
    stream_id: str
    track_id: str
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class DataTrackCut:
    """The media server ended the subscription of a data track: subscribe again to go on."""

    room_id: str
    stream_id: str
    track_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class TrackRefused:
    """The media server offers a subscribed track in a way that does not fit what was announced.

    It is not received; the other tracks go on.
    """

    room_id: str
    stream_id: str
    track_id: str
    user_id: str
    error: Exception


RecoveryReason = Literal["requested", "no_consent", "address_gone", "connection_lost"]
"""Why a media connection is restarted: the application wants it; the other end stopped answering;
the host lost the address in use; the connection is dead at one end, and restarts cannot help."""


@dataclass(frozen=True, slots=True)
class DataRecovering:
    """The data association of one direction died, and another one is being made; media goes on.

    `DataRecovered` or `DataFailed` follows, or `MediaRecovered` with a new media connection.
    """

    room_id: str
    transport: TransportRole


@dataclass(frozen=True, slots=True)
class DataRecovered:
    """Data messages flow again. Those that were under way may be missing: readers are told."""

    room_id: str
    transport: TransportRole


@dataclass(frozen=True, slots=True)
class DataFailed:
    """No other data association could be made; the data tracks of this direction have ended.

    Media goes on. To add another data track, or to unsubscribe and subscribe again, tries again.
    """

    room_id: str
    transport: TransportRole
    reason: str


@dataclass(frozen=True, slots=True)
class MediaRecovering:
    """The media connection in one direction is being moved to a new path, or replaced.

    Media goes on over the old path while that works.
    """

    room_id: str
    transport: TransportRole
    reason: RecoveryReason


@dataclass(frozen=True, slots=True)
class MediaRecovered:
    """The media connection works again.

    If it `is_replaced`: own streams were published again (others see them end and come back), or
    the tracks received ended and were subscribed to again (as new `RemoteTrack`s).
    """

    room_id: str
    transport: TransportRole
    reason: RecoveryReason
    is_replaced: bool


@dataclass(frozen=True, slots=True)
class MediaFailed:
    """The media connection in one direction broke, and nothing helped; leave and join again.

    If it was the "subscriber", remote tracks have ended; if the "publisher", nothing is sent.
    """

    room_id: str
    transport: TransportRole
    reason: str


@dataclass(frozen=True, slots=True)
class EventsDropped:
    """The application read too slowly: this many of the oldest events are lost."""

    count: int


@dataclass(frozen=True, slots=True)
class ConnectionStateChanged:
    """How this side's connection to the Bridge is.

    * "reconnecting": the socket dropped, and this side tries to come back. Media flows on.
    * "resumed": it is back with its session; what happened meanwhile follows as events.
    * "resynced": too much happened, and this side has read rooms, participants and streams again:
      whatever differs came as events before this one. Custom events sent meanwhile are lost.
    * "connected": it is back with a new session, and on its way into its rooms.
    * "restored": it is in its rooms again, its streams are published again and what it subscribed
      to is, if it is there; each room and stream that could not come back had an event of its own.
    * "closed": for good; `ConnectionClosed` follows.

    `home`: URL of another Bridge where joined rooms live, if it is about the connection to that one
    and these rooms; empty for the connection that the application made. After "closed" of a home
    its rooms are joined where they live then, or lost (`RoomLost`).
    """

    state: Literal["reconnecting", "resumed", "resynced", "connected", "restored", "closed"]
    reason: str
    home: str = ""


@dataclass(frozen=True, slots=True)
class RoomLost:
    """A joined room did not come back after the connection did; `error` says why."""

    room_id: str
    error: Exception


@dataclass(frozen=True, slots=True)
class StreamLost:
    """A stream of this side's own could not be published again; its handle can be, later."""

    room_id: str
    stream_id: str
    error: Exception


@dataclass(frozen=True, slots=True)
class SubscriptionLost:
    """An event subscription was refused after the connection came back; its id is void."""

    subscription_id: str
    error: Exception


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """The connection to the Bridge is over, and with it every joined room."""

    reason: str


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

Item = TypeVar("Item")


class BoundedStream(Generic[Item]):
    """A queue that drops its oldest items and counts them, read with `async for`."""

    def __init__(self, size: int) -> None:
        self.dropped = 0
        self._size = size
        self._items: deque[Item] = deque()
        self._changed = asyncio.Event()
        self._is_closed = False

    def put(self, item: Item) -> None:
        if self._is_closed:
            return
        if len(self._items) >= self._size:
            self._items.popleft()
            self.dropped += 1
        self._items.append(item)
        self._changed.set()

    def close(self) -> None:
        """Ends the iteration after what is queued."""
        self._is_closed = True
        self._changed.set()

    def take_dropped(self) -> int:
        dropped, self.dropped = self.dropped, 0
        return dropped

    async def __aiter__(self) -> AsyncIterator[Item]:
        while True:
            while self._items:
                yield self._items.popleft()
            if self._is_closed:
                return
            self._changed.clear()
            await self._changed.wait()
