"""A malicious Bridge or member shows announcements of a stream that are not the newest, or not its.

Each lie is told to a member who knows the stream, and each is caught under its own name.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest

from sealroom.crypto.announcement import (
    VerifiedStream,
    make_announcement,
    verify_announcement,
    verify_update,
)
from sealroom.crypto.epoch import EpochKeys
from sealroom.crypto.errors import (
    ForgedSignatureError,
    StreamDetailsError,
    StreamMismatchError,
    StreamUpdateError,
    TrackMismatchError,
)
from sealroom.crypto.room_record import Member, make_room
from sealroom.crypto.signed_object import sign_object
from sealroom.crypto.stream_details import StreamDetails
from sealroom.identity import Identity
from sealroom.protocol import (
    MAX_REMOVED_TRACKS,
    STREAM_ANNOUNCEMENT_TYPE,
    AnnouncedTrack,
    RoomRecord,
    SignedObject,
    StreamAnnouncement,
    StreamView,
)

ALICE, BOB = (Identity.from_seed(bytes([i]) * 32) for i in range(2))
ROOM = make_room(
    ALICE,
    "alice",
    context_id="context",
    room_id="room",
    members=[Member("alice", ALICE.public, "manager"), Member("bob", BOB.public, "user")],
    policy={},
    public_meta=b"",
    private_meta=b"",
    secret=bytes(range(32)),
    created_at=1,
)
RECORD = msgspec.json.decode(ROOM.record.payload, type=RoomRecord)
KEYS: EpochKeys = ROOM.keys
NONCE = bytes(range(16))
CAMERA = AnnouncedTrack(track_id="camera", kind="video", codec="vp8", source="camera")
MICROPHONE = AnnouncedTrack(track_id="microphone", kind="audio", codec="opus")
DETAILS = StreamDetails(title="Lecture", metadata=b"m", names={"camera": "front"})


def signed(version: int = 1, **changes: Any) -> SignedObject:
    """What bob announces of his stream."""
    honest = make_announcement(
        BOB,
        "bob",
        keys=KEYS,
        stream_id="stream",
        tracks=[CAMERA, MICROPHONE],
        nonce=NONCE,
        version=version,
        details=DETAILS,
    )
    payload = msgspec.json.decode(honest.payload, type=StreamAnnouncement)
    return sign_object(
        BOB, "bob", STREAM_ANNOUNCEMENT_TYPE, msgspec.structs.replace(payload, **changes)
    )


def verified(one: SignedObject, *, participant_id: str = "p", stream_id: str = "stream") -> Any:
    view = StreamView(
        stream_id=stream_id, participant_id=participant_id, user_id="bob", announcement=one
    )
    return verify_announcement(view, RECORD, BOB.public).with_details(KEYS)


def after(*announcements: SignedObject) -> VerifiedStream:
    """The stream after these announcements, one by one."""
    stream: VerifiedStream = verified(announcements[0])
    for one in announcements[1:]:
        stream, _ = verify_update(stream, verified(one))
    return stream


def test_an_honest_update_tells_what_changed() -> None:
    screen = AnnouncedTrack(track_id="screen", kind="video", codec="vp8")
    muted = msgspec.structs.replace(MICROPHONE, enabled=False)
    stream, changes = verify_update(
        after(signed()), verified(signed(2, tracks=[muted, screen], details=b""))
    )
    assert changes.added == (screen,)
    assert changes.removed == (CAMERA,)
    assert changes.modified == ((MICROPHONE, muted),)
    assert stream.removed == {"camera"}
    assert verified(signed()).details == DETAILS


def test_an_older_version_is_refused() -> None:
    """The Bridge shows again what the stream was when a camera was on."""
    first = signed()
    now = after(first, signed(2, tracks=[MICROPHONE]))
    for old in (first, signed(2)):
        with pytest.raises(StreamUpdateError, match="version 2"):
            verify_update(now, verified(old))


def test_a_removed_track_that_comes_back_under_the_same_nonce_is_refused() -> None:
    now = after(signed(), signed(2, tracks=[MICROPHONE]), signed(3, tracks=[]))
    with pytest.raises(StreamUpdateError, match="comes back"):
        verify_update(now, verified(signed(4)))
    other = msgspec.structs.replace(CAMERA, track_id="another")
    verify_update(now, verified(signed(4, tracks=[other])))


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "audio", "codec": "opus"},
        {"kind": "audio", "codec": "opus", "audio_level": True},
        {"suite": 4},
        {"source": "screen"},
    ],
)
def test_a_track_that_stays_and_is_another_now_is_refused(change: dict[str, Any]) -> None:
    other = msgspec.structs.replace(CAMERA, **change)
    with pytest.raises(StreamUpdateError, match="only enabled"):
        verify_update(after(signed()), verified(signed(2, tracks=[other])))


def test_another_nonce_or_room_epoch_is_refused() -> None:
    with pytest.raises(StreamUpdateError, match="nonce"):
        verify_update(after(signed()), verified(signed(2, nonce=bytes(16), details=b"")))


def test_a_stream_moved_to_another_participant_is_refused() -> None:
    with pytest.raises(StreamMismatchError, match="participant_id"):
        verify_update(after(signed()), verified(signed(2), participant_id="q"))


def test_a_track_whose_enabled_the_bridge_flips_is_refused() -> None:
    honest = signed()
    payload = honest.payload.replace(b'"enabled":true', b'"enabled":false')
    assert payload != honest.payload
    with pytest.raises(ForgedSignatureError):
        verified(msgspec.structs.replace(honest, payload=payload))


def test_details_that_the_bridge_swaps_with_another_streams_are_refused() -> None:
    other = make_announcement(
        BOB, "bob", keys=KEYS, stream_id="other", tracks=[CAMERA], details=DETAILS
    )
    details = msgspec.json.decode(other.payload, type=StreamAnnouncement).details
    honest = signed()
    payload = msgspec.json.encode(
        msgspec.structs.replace(
            msgspec.json.decode(honest.payload, type=StreamAnnouncement), details=details
        )
    )
    with pytest.raises(ForgedSignatureError):
        verified(msgspec.structs.replace(honest, payload=payload))
    with pytest.raises(StreamDetailsError):  # even if the publisher signs it
        verified(signed(details=details))


def test_details_of_another_version_or_damaged_ones_are_refused() -> None:
    first = msgspec.json.decode(signed().payload, type=StreamAnnouncement).details
    for details in (first, first[:-1] + bytes([first[-1] ^ 1]), b"x", b"x" * 40):
        with pytest.raises(StreamDetailsError):
            verified(signed(2, details=details))


def test_a_picture_with_an_audio_level_is_refused() -> None:
    odd = msgspec.structs.replace(CAMERA, audio_level=True)
    with pytest.raises(TrackMismatchError, match="only audio"):
        verified(signed(tracks=[odd]))


def test_the_details_are_not_readable_in_the_announcement() -> None:
    for word in (b"Lecture", b"front"):
        assert word not in signed().payload
        assert word not in msgspec.json.decode(signed().payload, type=StreamAnnouncement).details


def test_a_stream_that_removed_too_many_tracks_is_published_anew() -> None:
    removed = frozenset(str(number) for number in range(MAX_REMOVED_TRACKS - 1))
    now = dataclasses.replace(after(signed()), removed=removed)
    now, _ = verify_update(now, verified(signed(2, tracks=[CAMERA])))
    assert len(now.removed) == MAX_REMOVED_TRACKS
    with pytest.raises(StreamUpdateError, match="publish it anew"):
        verify_update(now, verified(signed(3, tracks=[])))
