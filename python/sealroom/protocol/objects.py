"""Signed objects and the views both sides exchange."""

from typing import Annotated, Final

from msgspec import Meta, field

from .limits import (
    MAX_CHANNEL_LENGTH,
    MAX_CUSTOM_EVENT_BYTES,
    MAX_ENCRYPTED_METADATA_BYTES,
    MAX_METADATA_BYTES,
    MAX_PARTICIPANT_STREAMS,
    MAX_RECORD_BYTES,
    MAX_ROOM_MEMBERS,
    MAX_SEALED_DETAILS_BYTES,
    MAX_SEALED_SECRET_BYTES,
    MAX_STREAM_TRACKS,
    NONCE_BYTES,
)
from .values import (
    Codec,
    Fingerprint,
    Id,
    IdentityText,
    Kind,
    LeaveReason,
    Message,
    Milliseconds,
    Number,
    PolicyEntries,
    Role,
    RoomState,
    RoomType,
    Signature,
    Source,
    TtlSeconds,
    UserId,
)

LOGIN_TYPE: Final = "login"
RESUME_TYPE: Final = "resume"
ROOM_RECORD_TYPE: Final = "room-record"
STREAM_ANNOUNCEMENT_TYPE: Final = "stream-announcement"
CUSTOM_EVENT_TYPE: Final = "custom-event"


class SignedObject(Message, frozen=True):
    """Payload carried verbatim with the author's signature; never re-serialised for checking."""

    type: Annotated[str, Meta(min_length=1, max_length=64)]
    payload: Annotated[bytes, Meta(min_length=1, max_length=MAX_RECORD_BYTES)]
    signature: Signature
    author: UserId


class LoginPayload(Message, frozen=True):
    """What a log-in signs (type `LOGIN_TYPE`); the nonce is good once, on the same socket."""

    bridge_id: Id
    nonce: Annotated[bytes, Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
    context_id: Id
    user_id: UserId


class ResumePayload(Message, frozen=True):
    """What a resumption signs (type `RESUME_TYPE`): a log-in that names the session to go on with.

    `last_sequence` is that of the last event the client got, 0 for none.
    """

    bridge_id: Id
    nonce: Annotated[bytes, Meta(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
    context_id: Id
    user_id: UserId
    session_id: Id
    last_sequence: Annotated[int, Meta(ge=0, le=2**53)]


class RoomMember(Message, frozen=True):
    """Member of a room; the fingerprint is of the public identity the room's author verified."""

    user_id: UserId
    identity_fingerprint: Fingerprint
    role: Role


class RoomRecord(Message, frozen=True):
    """Payload of a signed room record; version 1 has an empty `previous_hash`.

    Later versions name the hash of the record before (`sealroom.access.record_hash`) and the
    `creator`, who is the author of version 1. `created_at` is the author's clock.
    """

    context_id: Id
    room_id: Id
    version: Number
    previous_hash: Annotated[bytes, Meta(max_length=32)]
    author: UserId
    created_at: Milliseconds
    members: Annotated[list[RoomMember], Meta(min_length=1, max_length=MAX_ROOM_MEMBERS)]
    policy: PolicyEntries
    public_meta: Annotated[bytes, Meta(max_length=MAX_METADATA_BYTES)]
    private_meta: Annotated[bytes, Meta(max_length=MAX_ENCRYPTED_METADATA_BYTES)]
    epoch: Number
    epoch_commitment: Annotated[bytes, Meta(min_length=32, max_length=64)]
    creator: UserId | None = None
    room_type: RoomType = ""


class AnnouncedTrack(Message, frozen=True):
    """One track of a stream; `suite` is the SFrame cipher suite of RFC 9605 section 4.5.

    A track of kind "data" has the codec "message"; its messages do not use SFrame.

    While `enabled` is False the track is muted: its publisher sends nothing of it. From one version
    of an announcement to the next, nothing else of a track changes. With `audio_level`, for audio
    only, the last byte of each frame's plaintext is its loudness.

    `first_sequence`, of a data track: the number of its first message under this nonce. A publisher
    that publishes a stream again goes on counting, so that who received it before knows what is
    missing.
    """

    track_id: Id
    kind: Kind
    codec: Codec
    suite: Annotated[int, Meta(ge=1, le=5)] = 5
    source: Source = "other"
    enabled: bool = True
    audio_level: bool = False
    first_sequence: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0


class StreamAnnouncement(Message, frozen=True):
    """Payload of a signed stream announcement (type `STREAM_ANNOUNCEMENT_TYPE`).

    A stream is published at version 1 with a fresh nonce; `sealroom.access` holds what a later
    version may change. `details` are title, metadata and names of the tracks, encrypted under
    `epoch` (`sealroom.crypto.stream_details`).
    """

    context_id: Id
    room_id: Id
    stream_id: Id
    nonce: Annotated[bytes, Meta(min_length=16, max_length=16)]
    epoch: Number
    tracks: Annotated[list[AnnouncedTrack], Meta(max_length=MAX_STREAM_TRACKS)]
    version: Number = 1
    details: Annotated[bytes, Meta(max_length=MAX_SEALED_DETAILS_BYTES)] = b""


class CustomEventPayload(Message, frozen=True):
    """Payload of a signed custom event (type `CUSTOM_EVENT_TYPE`); `user_ids` None for everybody.

    `data` is encrypted under the epoch's data key, bound to sender, room, epoch, id and channel.
    """

    context_id: Id
    room_id: Id
    event_id: Id
    epoch: Number
    sent_at: Milliseconds
    channel: Annotated[str, Meta(max_length=MAX_CHANNEL_LENGTH)]
    user_ids: Annotated[list[UserId], Meta(min_length=1, max_length=MAX_ROOM_MEMBERS)] | None
    data: Annotated[bytes, Meta(max_length=MAX_CUSTOM_EVENT_BYTES + 64)]


class User(Message, frozen=True):
    """User of a context with the encoded public identity the administrator registered."""

    user_id: UserId
    identity: IdentityText


class SealedSecret(Message, frozen=True):
    """Epoch secret sealed to one member."""

    user_id: UserId
    epoch: Number
    sealed: Annotated[bytes, Meta(min_length=1, max_length=MAX_SEALED_SECRET_BYTES)]


class HistoricRecord(Message, frozen=True):
    """A record of a room's past; the identity is believed only if an earlier record names it.

    `sealed_secret` is the caller's own of the record's epoch, if there is one.
    """

    record: SignedObject
    author_identity: IdentityText
    sealed_secret: SealedSecret | None = None


class RoomView(Message, frozen=True):
    """Room as a member sees it: its newest record, and the caller's own secret of its epoch."""

    room_id: Id
    context_id: Id
    record: SignedObject
    author_identity: IdentityText
    sealed_secrets: list[SealedSecret]
    state: RoomState
    empty_room_ttl: TtlSeconds
    created_at: Milliseconds
    modified_at: Milliseconds


class Participant(Message, frozen=True):
    """One live session of a member in a room; a user may have several.

    `recording`: it says that it records. `stream_ids` are those of the streams it publishes.
    """

    participant_id: Id
    user_id: UserId
    joined_at: Milliseconds = 0
    recording: bool = False
    stream_ids: Annotated[list[Id], Meta(max_length=MAX_PARTICIPANT_STREAMS)] = field(
        default_factory=list
    )


class RecordingNotice(Message, frozen=True):
    """A participant says that it begins or ends to record the room."""

    participant_id: Id
    user_id: UserId


class ParticipantGone(Message, frozen=True):
    """A participant is out, and why."""

    participant_id: Id
    user_id: UserId
    reason: LeaveReason


class StreamView(Message, frozen=True):
    """Published stream; the announcement is the publisher's, for the subscriber to verify."""

    stream_id: Id
    participant_id: Id
    user_id: UserId
    announcement: SignedObject


class IceServer(Message, frozen=True):
    """STUN or TURN server for the client's ICE agent."""

    urls: list[str]
    username: str | None = None
    credential: str | None = None

    def __repr__(self) -> str:
        """Leave the credential out."""
        return f"IceServer(urls={self.urls!r})"


class MediaConfiguration(Message, frozen=True):
    """What a client needs to reach the media server.

    `expires_in`: seconds for which the credentials are good, None if there are none of the
    Bridge's; ask for new ones with `turn.credentials`.
    """

    ice_servers: list[IceServer]
    expires_in: float | None = None


class TrackSelector(Message, frozen=True):
    """A track of a stream, or all its tracks when `track_id` is None."""

    stream_id: Id
    track_id: Id | None = None


class TrackAssignment(Message, frozen=True):
    """The m-line of the subscriber transport that carries a track."""

    mid: str
    stream_id: Id
    track_id: Id


class Context(Message, frozen=True):
    """A closed group of users."""

    context_id: Id
    title: str
    created_at: Milliseconds
