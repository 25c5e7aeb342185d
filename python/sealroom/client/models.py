"""What the API takes and returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from sealroom.crypto.announcement import VerifiedStream
from sealroom.errors import SealroomError
from sealroom.identity import PublicIdentity
from sealroom.protocol import AnnouncedTrack, Codec, Kind, Participant, RoomState, Source


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """A user with the public identity the application knows to be theirs."""

    user_id: str
    identity: PublicIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRoom:
    """A room whose record was verified.

    Times are Unix milliseconds, `empty_room_ttl` is in seconds. `created_at`, `state` and
    `empty_room_ttl` are the Bridge's word, everything else is signed: `version` counts the changes,
    `epoch` the room's secrets, `modified_at` is by the clock of `last_modifier`.
    """

    room_id: str
    context_id: str
    creator: str
    created_at: int
    modified_at: int
    users: list[str]
    managers: list[str]
    version: int
    epoch: int
    state: RoomState
    policy: dict[str, str]
    public_meta: bytes
    private_meta: bytes
    last_modifier: str
    room_type: str
    empty_room_ttl: float


@dataclass(frozen=True, slots=True)
class RefusedRoom:
    """A room that the Bridge listed and that did not verify; its id, if that could be read."""

    room_id: str
    error: SealroomError

    @property
    def status(self) -> str:
        """Stable name of what is wrong, `error.code`."""
        return self.error.code


@dataclass(frozen=True, slots=True)
class StreamRoomList:
    """One page; `total` counts all rooms of the caller, on every page."""

    total: int
    rooms: list[StreamRoom]
    refused: list[RefusedRoom]


@dataclass(frozen=True, slots=True)
class ParticipantInfo:
    """One live session of a member in a room; a user may have several.

    `joined_at` (Unix milliseconds, 0 if it is not known) and `is_recording`, what the participant
    says of itself, are the Bridge's word.
    """

    participant_id: str
    user_id: str
    joined_at: int = 0
    is_recording: bool = False
    stream_ids: list[str] = field(default_factory=list)
    """Of the streams it publishes; in a joined room, of those whose announcement verified."""

    @classmethod
    def of(
        cls, participant: Participant, stream_ids: Iterable[str] | None = None
    ) -> ParticipantInfo:
        return cls(
            participant_id=participant.participant_id,
            user_id=participant.user_id,
            joined_at=participant.joined_at,
            is_recording=participant.recording,
            stream_ids=list(participant.stream_ids if stream_ids is None else stream_ids),
        )


@dataclass(frozen=True, slots=True)
class StreamTrackInfo:
    """An announced track; muted, and without frames, while it is not `enabled`."""

    track_id: str
    kind: Kind
    codec: Codec
    name: str
    source: Source = "other"
    enabled: bool = True
    audio_level: bool = False

    @classmethod
    def of(cls, stream: VerifiedStream, track: AnnouncedTrack) -> StreamTrackInfo:
        names = {} if stream.details is None else stream.details.names
        return cls(
            track_id=track.track_id,
            kind=track.kind,
            codec=track.codec,
            name=names.get(track.track_id, ""),
            source=track.source,
            enabled=track.enabled,
            audio_level=track.audio_level,
        )


@dataclass(frozen=True, slots=True)
class AudioLevel:
    """How loud an audio track is: `level` in dBov, 0 (loudest) to -127 (silence).

    Of somebody else's track it is what the publisher measured before encoding, encrypted on its
    way. `is_active`: louder than its own background noise, so that somebody seems to speak.
    """

    participant_id: str
    user_id: str
    stream_id: str
    track_id: str
    level: int = -127
    has_voice: bool = False
    is_active: bool = False
    is_local: bool = False

    def heard(self, level: int, has_voice: bool, is_active: bool) -> AudioLevel:
        return replace(self, level=level, has_voice=has_voice, is_active=is_active)


@dataclass(frozen=True, slots=True)
class StreamTrackModification:
    """What became of a track."""

    before: StreamTrackInfo
    after: StreamTrackInfo


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """A published stream whose announcement was verified; `version` counts its updates from 1.

    Without `has_details`, title, metadata and track names are empty because they are encrypted
    under an epoch whose secret this member does not have (yet).
    """

    stream_id: str
    participant_id: str
    user_id: str
    tracks: list[StreamTrackInfo]
    version: int = 1
    title: str = ""
    metadata: bytes = b""
    has_details: bool = True

    @classmethod
    def of(cls, stream: VerifiedStream) -> StreamInfo:
        return cls(
            stream_id=stream.stream_id,
            participant_id=stream.participant_id,
            user_id=stream.user_id,
            tracks=[StreamTrackInfo.of(stream, one) for one in stream.announcement.tracks],
            version=stream.announcement.version,
            title="" if stream.details is None else stream.details.title,
            metadata=b"" if stream.details is None else stream.details.metadata,
            has_details=stream.details is not None,
        )


@dataclass(frozen=True, slots=True)
class RefusedStream:
    """A stream that the Bridge listed and whose announcement did not verify."""

    stream_id: str
    error: SealroomError


@dataclass(frozen=True, slots=True)
class StreamList:
    """What is published in a room."""

    streams: list[StreamInfo]
    refused: list[RefusedStream]


@dataclass(frozen=True, slots=True)
class StreamSubscription:
    """A track of a stream, or all of its tracks."""

    stream_id: str
    track_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackStatistics:
    """Counters of one track: those of Python's side, and of the native core.

    `python` is an `OutgoingStatistics` or `IncomingStatistics`, `native` a `SenderStatistics` or
    `ReceiverStatistics` of `sealroom._core.session`. Of a data track, `python` is an
    `OutgoingDataStatistics` or `IncomingDataStatistics` and `native` None.
    """

    stream_id: str
    track_id: str
    kind: Kind
    python: Any
    native: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomStatistics:
    """What a joined room carries at the moment; None where there is no such transport yet."""

    sent: list[TrackStatistics] = field(default_factory=list)
    received: list[TrackStatistics] = field(default_factory=list)
    data_sent: list[TrackStatistics] = field(default_factory=list)
    data_received: list[TrackStatistics] = field(default_factory=list)
    publisher_srtp_profile: str | None = None
    subscriber_srtp_profile: str | None = None
    datagrams_replayed: int = 0
    crypto_backend: str = ""
