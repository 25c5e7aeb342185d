"""Stream announcements: a publisher signs its nonce and tracks before anyone derives keys."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from sealroom.access import (
    Right,
    StreamChangeError,
    TrackChanges,
    find_track_changes,
    member_may,
)
from sealroom.crypto.epoch import EpochKeys
from sealroom.crypto.errors import (
    AnnouncementEpochError,
    ContextMismatchError,
    MemberKeyMismatchError,
    PublisherMismatchError,
    PublisherNotMemberError,
    PublisherRightError,
    RoomMismatchError,
    StreamMismatchError,
    StreamRollbackError,
    StreamUpdateError,
    TrackMismatchError,
)
from sealroom.crypto.signed_object import sign_object, verify_object
from sealroom.crypto.stream_details import StreamDetails, open_details, seal_details
from sealroom.crypto.track_keys import STREAM_NONCE_BYTES, derive_track_key
from sealroom.identity import Identity, PublicIdentity
from sealroom.protocol import (
    KIND_OF_CODEC,
    MAX_STREAM_DATA_TRACKS,
    STREAM_ANNOUNCEMENT_TYPE,
    AnnouncedTrack,
    RoomRecord,
    SignedObject,
    StreamAnnouncement,
    StreamView,
)


@dataclass(frozen=True, slots=True)
class VerifiedStream:
    """A stream whose publisher and tracks are certain.

    `details` are None while the secret of the epoch they are encrypted under is not known here.
    `removed` holds the ids of tracks that versions seen here have removed.
    """

    stream_id: str
    participant_id: str
    user_id: str
    fingerprint: bytes
    announcement: StreamAnnouncement = field(repr=False)
    details: StreamDetails | None = field(default=None, repr=False)
    removed: frozenset[str] = field(default=frozenset(), repr=False)

    def has_track(self, track_id: str) -> bool:
        """Tell whether a track is announced."""
        return any(track.track_id == track_id for track in self.announcement.tracks)

    def with_details(self, keys: EpochKeys) -> VerifiedStream:
        """Return the stream with its details, under the keys of the epoch it names.

        Raises:
            StreamDetailsError: they do not decrypt.
        """
        return replace(self, details=open_details(keys, self.fingerprint, self.announcement))

    def track(self, track_id: str) -> AnnouncedTrack:
        """Return an announced track.

        Raises:
            TrackMismatchError: there is none with this id.
        """
        for track in self.announcement.tracks:
            if track.track_id == track_id:
                return track
        raise TrackMismatchError(f"track {track_id!r} was not announced")

    def track_key(self, keys: EpochKeys, track_id: str, layer: int = 0) -> bytes:
        """Return the SFrame base key of an announced track.

        Raises:
            TrackMismatchError: it was not announced.
        """
        self.track(track_id)
        return derive_track_key(keys, self.fingerprint, self.announcement.nonce, track_id, layer)


def make_announcement(
    identity: Identity,
    user_id: str,
    *,
    keys: EpochKeys,
    stream_id: str,
    tracks: Sequence[AnnouncedTrack],
    nonce: bytes | None = None,
    version: int = 1,
    details: StreamDetails | None = None,
) -> SignedObject:
    """Announce a stream in the epoch of `keys`; the nonce is random unless one is given.

    Raises:
        InvalidArgumentError: the details are beyond their limit.
    """
    announcement = StreamAnnouncement(
        context_id=keys.id.context_id,
        room_id=keys.id.room_id,
        stream_id=stream_id,
        nonce=secrets.token_bytes(STREAM_NONCE_BYTES) if nonce is None else nonce,
        epoch=keys.id.epoch,
        tracks=list(tracks),
        version=version,
    )
    if details is not None:
        sealed = seal_details(details, keys, identity.public.fingerprint, announcement)
        announcement = msgspec.structs.replace(announcement, details=sealed)
    return sign_object(identity, user_id, STREAM_ANNOUNCEMENT_TYPE, announcement)


def verify_announcement(
    view: StreamView, record: RoomRecord, publisher: PublicIdentity
) -> VerifiedStream:
    """Return the stream that `view` shows if its publisher, a member of the room, announced it so.

    `record` must be verified; `publisher` is the public identity of the user `view.user_id`.

    Raises:
        PublisherNotMemberError: the user is not in the record.
        PublisherRightError: the record's policy does not let the user publish.
        PublisherMismatchError: announced by one user, shown as another's.
        MemberKeyMismatchError: the record gives the publisher another key.
        ObjectTypeError, ForgedSignatureError, MalformedObjectError: see `verify_object`.
        ContextMismatchError, RoomMismatchError, AnnouncementEpochError: announced elsewhere.
        StreamMismatchError: shown under another stream id.
        TrackMismatchError: a track twice, or a codec of another kind.
    """
    signed = view.announcement
    members = {one.user_id: one for one in record.members}
    member = members.get(view.user_id)
    if member is None:
        raise PublisherNotMemberError(f"{view.user_id!r} publishes without being a member")
    if signed.author != view.user_id:
        raise PublisherMismatchError(
            f"a stream announced by {signed.author!r} is shown as {view.user_id!r}'s"
        )
    if member.identity_fingerprint != publisher.fingerprint:
        raise MemberKeyMismatchError(view.user_id)
    if not member_may(record, Right.PUBLISH, view.user_id):
        raise PublisherRightError(f"the policy of the room does not let {view.user_id!r} publish")
    announcement = verify_object(signed, STREAM_ANNOUNCEMENT_TYPE, publisher, StreamAnnouncement)
    if announcement.context_id != record.context_id:
        raise ContextMismatchError("the stream was announced in another context")
    if announcement.room_id != record.room_id:
        raise RoomMismatchError("the stream was announced in another room")
    # It names the epoch it was made in and outlives it: track keys come from the room's epoch.
    if announcement.epoch > record.epoch:
        raise AnnouncementEpochError("the stream was announced in an epoch that the room never had")
    if announcement.stream_id != view.stream_id:
        raise StreamMismatchError("the stream is shown under another id than the announced one")
    _check_tracks(announcement)
    return VerifiedStream(
        stream_id=view.stream_id,
        participant_id=view.participant_id,
        user_id=view.user_id,
        fingerprint=publisher.fingerprint,
        announcement=announcement,
    )


def verify_update(
    before: VerifiedStream, after: VerifiedStream
) -> tuple[VerifiedStream, TrackChanges]:
    """Return `after`, which has been verified by itself, as what has become of `before`.

    Raises:
        StreamMismatchError: of another participant, user or key.
        StreamRollbackError: an older version.
        StreamUpdateError: a change that breaks a rule.
    """
    for name in ("stream_id", "participant_id", "user_id", "fingerprint"):
        if getattr(before, name) != getattr(after, name):
            raise StreamMismatchError(f"the newer announcement is of another {name}")
    if after.announcement.version < before.announcement.version:
        raise StreamRollbackError(
            f"version {after.announcement.version} of a stream that was at version "
            f"{before.announcement.version} before"
        )
    try:
        changes = find_track_changes(before.announcement, after.announcement, before.removed)
    except StreamChangeError as error:
        raise StreamUpdateError(str(error)) from None
    removed = before.removed | {track.track_id for track in changes.removed}
    return replace(after, removed=removed), changes


def _check_tracks(announcement: StreamAnnouncement) -> None:
    seen: set[str] = set()
    for track in announcement.tracks:
        if track.track_id in seen:
            raise TrackMismatchError(f"track {track.track_id!r} is announced twice")
        if KIND_OF_CODEC.get(track.codec) != track.kind:
            raise TrackMismatchError(f"track {track.track_id!r}: {track.codec} is not {track.kind}")
        if track.audio_level and track.kind != "audio":
            raise TrackMismatchError(f"track {track.track_id!r}: only audio has levels")
        if track.first_sequence and track.kind != "data":
            raise TrackMismatchError(f"track {track.track_id!r}: only data tracks number messages")
        seen.add(track.track_id)
    if sum(track.kind == "data" for track in announcement.tracks) > MAX_STREAM_DATA_TRACKS:
        raise TrackMismatchError(f"a stream has at most {MAX_STREAM_DATA_TRACKS} data track")
