"""Events of streams and tracks: what is published, and what of it is refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from sealroom.client.models import (
    AudioLevel,
    StreamInfo,
    StreamTrackInfo,
    StreamTrackModification,
)


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
class ActiveSpeakerChanged:
    """Others speak now: `speakers` holds the tracks of all who do, the dominant one first.

    Of the tracks that are received here, and one's own.
    """

    room_id: str
    speakers: list[AudioLevel]


@dataclass(frozen=True, slots=True)
class FrameRejected:
    """Frames were refused and not decoded; at most one event a second per track and reason.

    `reason` is "not_encrypted", "unknown_key_id", "authentication_failed", "replayed" or, of
    authentic frames that were not taken in time, "queue_overflow"; `count` counts since the last
    such event.
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
    """The media server ended the subscription of a data track: subscribe again to go on.

    So it says, or it does not go on with the track and nobody says why; `reason` tells which.
    """

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
