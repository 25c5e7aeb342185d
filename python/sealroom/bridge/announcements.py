"""Checks of a stream announcement: signature, the room it names, its tracks."""

import msgspec

from sealroom.identity import PublicIdentity
from sealroom.protocol import (
    KIND_OF_CODEC,
    MAX_ANNOUNCEMENT_BYTES,
    MAX_STREAM_DATA_TRACKS,
    STREAM_ANNOUNCEMENT_TYPE,
    ErrorCode,
    SignedObject,
    StreamAnnouncement,
)
from sealroom.protocol.decoding import decode_json

from .errors import RequestError, limit_exceeded, malformed
from .records import RoomAccess, verify_signed


def check_announcement(
    signed: SignedObject, user_id: str, identity: PublicIdentity, access: RoomAccess
) -> StreamAnnouncement:
    """Return the checked announcement.

    Raises:
        RequestError: SIGNATURE_INVALID, ANNOUNCEMENT_INVALID or LIMIT_EXCEEDED with the field.
    """
    if len(signed.payload) > MAX_ANNOUNCEMENT_BYTES:
        raise limit_exceeded(
            "bytes of announcement", MAX_ANNOUNCEMENT_BYTES, field="announcement.payload"
        )
    verify_signed(signed, STREAM_ANNOUNCEMENT_TYPE, user_id, identity, "announcement")
    try:
        announcement = decode_json(signed.payload, StreamAnnouncement)
    except msgspec.DecodeError as error:
        code = ErrorCode.ANNOUNCEMENT_INVALID
        raise malformed(code, error, prefix="announcement.payload") from None
    _expect(announcement.context_id == access.context_id, "context_id", "name the room's context")
    _expect(announcement.room_id == access.room_id, "room_id", "name the room of the request")
    _expect(bool(announcement.tracks) or announcement.version > 1, "tracks", "begin with a track")
    # The epoch the publisher was in: the room may have gone on meanwhile. Keys follow the room.
    _expect(announcement.epoch <= access.epoch, "epoch", "use an epoch the room has had")
    seen: set[str] = set()
    for index, track in enumerate(announcement.tracks):
        _expect(track.track_id not in seen, f"tracks[{index}].track_id", "name each track once")
        _expect(
            KIND_OF_CODEC[track.codec] == track.kind,
            f"tracks[{index}].codec",
            f"{track.codec} is {KIND_OF_CODEC[track.codec]}",
        )
        _expect(
            track.kind == "audio" or not track.audio_level,
            f"tracks[{index}].audio_level",
            "only audio has levels",
        )
        _expect(
            track.kind == "data" or not track.first_sequence,
            f"tracks[{index}].first_sequence",
            "only data tracks number messages",
        )
        seen.add(track.track_id)
    _expect(
        sum(track.kind == "data" for track in announcement.tracks) <= MAX_STREAM_DATA_TRACKS,
        "tracks",
        f"at most {MAX_STREAM_DATA_TRACKS} of kind data in a stream",
    )
    return announcement


def _expect(condition: bool, field: str, remedy: str) -> None:
    if not condition:
        raise RequestError(
            ErrorCode.ANNOUNCEMENT_INVALID, field=f"announcement.payload.{field}", remedy=remedy
        )
