"""A malicious Bridge or member hands out records, secrets and streams that are not what they seem.

Each lie is told to a member who verifies, and each is caught under its own name.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest

from sealroom.crypto.announcement import make_announcement, verify_announcement
from sealroom.crypto.epoch import EpochId, commit, derive_epoch_keys, open_secret, seal_secret
from sealroom.crypto.errors import (
    AnnouncementEpochError,
    AuthorError,
    CommitmentMismatchError,
    ContextMismatchError,
    ForgedSignatureError,
    MalformedObjectError,
    MemberKeyMismatchError,
    ObjectTypeError,
    PrivateMetadataError,
    PublisherMismatchError,
    PublisherNotMemberError,
    PublisherRightError,
    RecordVersionError,
    RoomMembersError,
    RoomMismatchError,
    SealedSecretEpochError,
    SealedSecretOpenError,
    SealedSecretRecipientError,
    StreamMismatchError,
    TrackMismatchError,
    VerificationError,
)
from sealroom.crypto.private_metadata import decrypt_private_metadata
from sealroom.crypto.room_record import Member, NewRoom, make_room, verify_room_record
from sealroom.crypto.signed_object import sign_object
from sealroom.identity import Identity
from sealroom.protocol import (
    ROOM_RECORD_TYPE,
    STREAM_ANNOUNCEMENT_TYPE,
    AnnouncedTrack,
    RoomMember,
    RoomRecord,
    SignedObject,
    StreamAnnouncement,
    StreamView,
)

ALICE, BOB, CAROL, MALLORY = (Identity.from_seed(bytes([i]) * 32) for i in range(4))
KNOWN = {"alice": ALICE, "bob": BOB, "carol": CAROL, "mallory": MALLORY}
SECRET = bytes(range(32))
OTHER_SECRET = bytes(range(32, 64))
TRACKS = [
    AnnouncedTrack(track_id="v", kind="video", codec="vp8", source="camera"),
    AnnouncedTrack(track_id="a", kind="audio", codec="opus"),
]


def new_room(
    *, context_id: str = "context", room_id: str = "room", secret: bytes = SECRET
) -> NewRoom:
    """A room of alice (manager), bob and carol; mallory is a user of the context only."""
    return make_room(
        ALICE,
        "alice",
        context_id=context_id,
        room_id=room_id,
        members=[
            Member("alice", ALICE.public, "manager"),
            Member("bob", BOB.public, "user"),
            Member("carol", CAROL.public, "user"),
        ],
        policy={},
        public_meta=b"",
        private_meta=b"private",
        secret=secret,
        created_at=1,
    )


def record_of(new: NewRoom) -> RoomRecord:
    return msgspec.json.decode(new.record.payload, type=RoomRecord)


def verify(
    signed: SignedObject, *, author: Identity = ALICE, reader: str = "bob", **known: bytes
) -> RoomRecord:
    fingerprints = {name: one.public.fingerprint for name, one in KNOWN.items()}
    return verify_room_record(
        signed,
        context_id="context",
        room_id="room",
        author=author.public,
        reader=reader,
        fingerprints={**fingerprints, **known},
    )


def signed_record(signer: Identity = ALICE, author: str = "alice", **changes: Any) -> SignedObject:
    """The room's record with changes, signed again by `signer`."""
    record = msgspec.structs.replace(record_of(new_room()), **changes)
    return sign_object(signer, author, ROOM_RECORD_TYPE, record)


def test_the_honest_record_verifies() -> None:
    assert verify(new_room().record).room_id == "room"


# Room records


def test_a_swapped_member_key_is_caught() -> None:
    """Alice was shown mallory's key for bob; bob's peers know better."""
    members = [
        RoomMember(
            user_id=one.user_id,
            identity_fingerprint=MALLORY.public.fingerprint
            if one.user_id == "carol"
            else one.identity_fingerprint,
            role=one.role,
        )
        for one in record_of(new_room()).members
    ]
    with pytest.raises(MemberKeyMismatchError) as caught:
        verify(signed_record(members=members))
    assert caught.value.user_id == "carol"


def test_an_authors_key_swapped_by_the_bridge_is_caught() -> None:
    """The Bridge re-signs the record with a key of its own and shows that key as alice's."""
    forged = signed_record(signer=MALLORY)
    with pytest.raises(MemberKeyMismatchError) as caught:
        verify(forged, author=MALLORY, alice=MALLORY.public.fingerprint)
    assert caught.value.user_id == "alice"


def test_a_record_changed_after_signing_is_caught() -> None:
    honest = new_room().record
    record = msgspec.structs.replace(record_of(new_room()), public_meta=b"changed")
    forged = msgspec.structs.replace(honest, payload=msgspec.json.encode(record))
    with pytest.raises(ForgedSignatureError):
        verify(forged)


def test_the_same_record_serialised_otherwise_is_not_the_signed_one() -> None:
    honest = new_room().record
    same = msgspec.structs.replace(honest, payload=msgspec.json.format(honest.payload, indent=1))
    with pytest.raises(ForgedSignatureError):
        verify(same)


def test_an_author_who_did_not_sign_is_caught() -> None:
    with pytest.raises(ForgedSignatureError):
        verify(signed_record(signer=MALLORY))


def test_a_record_signed_by_one_and_naming_another_as_author_is_caught() -> None:
    with pytest.raises(AuthorError, match="handed out"):
        verify(signed_record(signer=BOB, author="bob"), author=BOB)


def test_a_record_by_a_member_who_is_no_manager_is_caught() -> None:
    record = msgspec.structs.replace(record_of(new_room()), author="bob")
    signed = sign_object(BOB, "bob", ROOM_RECORD_TYPE, record)
    with pytest.raises(AuthorError, match="manager"):
        verify(signed, author=BOB)


def test_a_record_by_somebody_who_is_no_member_is_caught() -> None:
    record = msgspec.structs.replace(record_of(new_room()), author="mallory")
    signed = sign_object(MALLORY, "mallory", ROOM_RECORD_TYPE, record)
    with pytest.raises(AuthorError, match="manager"):
        verify(signed, author=MALLORY)


def test_a_record_of_another_context_is_caught() -> None:
    with pytest.raises(ContextMismatchError):
        verify(new_room(context_id="elsewhere").record)


def test_a_record_of_another_room_is_caught() -> None:
    with pytest.raises(RoomMismatchError):
        verify(new_room(room_id="elsewhere").record)


@pytest.mark.parametrize(
    "changes", [{"version": 2}, {"previous_hash": b"h" * 32}, {"epoch": 2}], ids=str
)
def test_a_record_that_is_not_the_first_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(RecordVersionError):
        verify(signed_record(**changes))


def test_a_reader_who_is_no_member_learns_so() -> None:
    with pytest.raises(RoomMembersError, match="mallory"):
        verify(new_room().record, reader="mallory")


def test_a_member_named_twice_is_caught() -> None:
    members = record_of(new_room()).members
    twin = RoomMember(user_id="bob", identity_fingerprint=BOB.public.fingerprint, role="manager")
    with pytest.raises(RoomMembersError, match="each member once"):
        verify(signed_record(members=[*members, twin]))


def test_an_announcement_is_no_room_record() -> None:
    honest = new_room().record
    with pytest.raises(ObjectTypeError):
        verify(msgspec.structs.replace(honest, type=STREAM_ANNOUNCEMENT_TYPE))


def test_a_payload_signed_as_something_else_is_caught() -> None:
    signed = sign_object(ALICE, "alice", STREAM_ANNOUNCEMENT_TYPE, record_of(new_room()))
    with pytest.raises(ForgedSignatureError):
        verify(msgspec.structs.replace(signed, type=ROOM_RECORD_TYPE))


@pytest.mark.parametrize("payload", [b"x", b"{}", b'{"room_id": 1}', b"\xff"], ids=str)
def test_a_signed_payload_that_is_no_record_is_refused(payload: bytes) -> None:
    signature = ALICE.sign(ROOM_RECORD_TYPE, payload)
    signed = SignedObject(
        type=ROOM_RECORD_TYPE, payload=payload, signature=signature, author="alice"
    )
    with pytest.raises(MalformedObjectError):
        verify(signed)


# Epoch secrets

EPOCH = EpochId("context", "room", 1)
COMMITMENT = commit(SECRET, EPOCH)


def test_a_secret_other_than_the_committed_one_is_caught() -> None:
    """The Bridge can seal: HPKE keys are public. It cannot make the commitment fit."""
    sealed = [seal_secret(OTHER_SECRET, EPOCH, "bob", BOB.public)]
    with pytest.raises(CommitmentMismatchError):
        open_secret(sealed, EPOCH, "bob", BOB, COMMITMENT)


def test_a_commitment_of_another_room_does_not_fit_the_same_secret() -> None:
    elsewhere = commit(SECRET, EpochId("context", "elsewhere", 1))
    sealed = [seal_secret(SECRET, EPOCH, "bob", BOB.public)]
    with pytest.raises(CommitmentMismatchError):
        open_secret(sealed, EPOCH, "bob", BOB, elsewhere)


def test_only_the_secrets_of_others_are_not_enough() -> None:
    with pytest.raises(SealedSecretRecipientError):
        open_secret(new_room().sealed_secrets, EPOCH, "mallory", MALLORY, COMMITMENT)


def test_a_secret_relabelled_from_another_recipient_does_not_open() -> None:
    carols = next(one for one in new_room().sealed_secrets if one.user_id == "carol")
    with pytest.raises(SealedSecretOpenError):
        open_secret([msgspec.structs.replace(carols, user_id="bob")], EPOCH, "bob", BOB, COMMITMENT)


def test_a_secret_sealed_to_ones_key_under_another_name_does_not_open() -> None:
    """Two users with one identity, or a user renamed: the name is bound too."""
    sealed = seal_secret(SECRET, EPOCH, "robert", BOB.public)
    with pytest.raises(SealedSecretOpenError):
        open_secret([msgspec.structs.replace(sealed, user_id="bob")], EPOCH, "bob", BOB, COMMITMENT)


def test_a_secret_marked_for_another_epoch_is_not_used() -> None:
    sealed = [seal_secret(SECRET, dataclasses.replace(EPOCH, epoch=2), "bob", BOB.public)]
    with pytest.raises(SealedSecretEpochError):
        open_secret(sealed, EPOCH, "bob", BOB, COMMITMENT)


@pytest.mark.parametrize(
    "elsewhere",
    [
        EpochId("context", "room", 2),
        EpochId("context", "elsewhere", 1),
        EpochId("elsewhere", "room", 1),
    ],
    ids=["epoch", "room", "context"],
)
def test_a_secret_replayed_from_elsewhere_does_not_open(elsewhere: EpochId) -> None:
    sealed = seal_secret(SECRET, elsewhere, "bob", BOB.public)
    with pytest.raises(SealedSecretOpenError):
        open_secret([msgspec.structs.replace(sealed, epoch=1)], EPOCH, "bob", BOB, COMMITMENT)


@pytest.mark.parametrize("cut", [1, 16, 1136, 1168])
def test_a_truncated_secret_does_not_open(cut: int) -> None:
    sealed = seal_secret(SECRET, EPOCH, "bob", BOB.public)
    short = msgspec.structs.replace(sealed, sealed=sealed.sealed[:-cut])
    with pytest.raises(SealedSecretOpenError):
        open_secret([short], EPOCH, "bob", BOB, COMMITMENT)


# Private metadata


@pytest.mark.parametrize(
    "elsewhere",
    [
        EpochId("context", "room", 2),
        EpochId("context", "elsewhere", 1),
        EpochId("elsewhere", "room", 1),
    ],
    ids=["epoch", "room", "context"],
)
def test_private_metadata_of_elsewhere_does_not_decrypt(elsewhere: EpochId) -> None:
    encrypted = record_of(new_room()).private_meta
    with pytest.raises(PrivateMetadataError):
        decrypt_private_metadata(encrypted, derive_epoch_keys(SECRET, elsewhere), 1)


def test_private_metadata_of_another_version_does_not_decrypt() -> None:
    new = new_room()
    with pytest.raises(PrivateMetadataError):
        decrypt_private_metadata(record_of(new).private_meta, new.keys, 2)


def test_private_metadata_bound_to_another_room_does_not_decrypt_even_under_its_key() -> None:
    new = new_room()
    relabelled = dataclasses.replace(new.keys, id=EpochId("context", "elsewhere", 1))
    with pytest.raises(PrivateMetadataError):
        decrypt_private_metadata(record_of(new).private_meta, relabelled, 1)


# Announcements


def shown(
    signer: Identity = BOB,
    author: str = "bob",
    *,
    stream_id: str = "stream",
    user_id: str = "bob",
    new: NewRoom | None = None,
) -> StreamView:
    """A stream that `signer` announced as "stream", shown under these ids."""
    keys = (new or new_room()).keys
    signed = make_announcement(signer, author, keys=keys, stream_id="stream", tracks=TRACKS)
    return StreamView(stream_id=stream_id, participant_id="p", user_id=user_id, announcement=signed)


def announced(**changes: Any) -> StreamView:
    """A stream whose announcement bob himself signed with changes."""
    honest = msgspec.json.decode(shown().announcement.payload, type=StreamAnnouncement)
    changed = msgspec.structs.replace(honest, **changes)
    signed = sign_object(BOB, "bob", STREAM_ANNOUNCEMENT_TYPE, changed)
    return StreamView(stream_id="stream", participant_id="p", user_id="bob", announcement=signed)


RECORD = record_of(new_room())


def test_the_honest_announcement_verifies() -> None:
    stream = verify_announcement(shown(), RECORD, BOB.public)
    assert (stream.user_id, stream.fingerprint) == ("bob", BOB.public.fingerprint)


def test_a_publisher_who_is_no_member_is_caught() -> None:
    view = shown(MALLORY, "mallory", user_id="mallory")
    with pytest.raises(PublisherNotMemberError):
        verify_announcement(view, RECORD, MALLORY.public)


def test_a_publisher_whom_the_policy_does_not_let_publish_is_caught() -> None:
    for policy in ({"publish": "manager"}, {"publish": "owner"}, {"get": "manager"}):
        record = msgspec.structs.replace(RECORD, policy=policy)
        with pytest.raises(PublisherRightError):
            verify_announcement(shown(), record, BOB.public)
    assert verify_announcement(
        shown(), msgspec.structs.replace(RECORD, policy={"publish": "user"}), BOB.public
    )


def test_a_stream_shown_as_another_members_is_caught() -> None:
    with pytest.raises(PublisherMismatchError):
        verify_announcement(shown(user_id="carol"), RECORD, CAROL.public)


def test_a_stream_shown_as_another_members_with_the_author_changed_too_is_caught() -> None:
    view = shown(user_id="carol")
    signed = msgspec.structs.replace(view.announcement, author="carol")
    with pytest.raises(ForgedSignatureError):
        verify_announcement(
            msgspec.structs.replace(view, announcement=signed), RECORD, CAROL.public
        )


def test_a_publisher_shown_with_another_key_than_the_records_is_caught() -> None:
    with pytest.raises(MemberKeyMismatchError) as caught:
        verify_announcement(shown(MALLORY, "bob"), RECORD, MALLORY.public)
    assert caught.value.user_id == "bob"


def test_an_announcement_by_another_is_caught() -> None:
    with pytest.raises(ForgedSignatureError):
        verify_announcement(shown(MALLORY, "bob"), RECORD, BOB.public)


def test_a_stream_under_another_id_is_caught() -> None:
    with pytest.raises(StreamMismatchError):
        verify_announcement(shown(stream_id="another"), RECORD, BOB.public)


def test_an_announcement_replayed_from_another_room_is_caught() -> None:
    view = shown(new=new_room(room_id="elsewhere"))
    with pytest.raises(RoomMismatchError):
        verify_announcement(view, RECORD, BOB.public)


def test_an_announcement_replayed_from_another_context_is_caught() -> None:
    view = shown(new=new_room(context_id="elsewhere"))
    with pytest.raises(ContextMismatchError):
        verify_announcement(view, RECORD, BOB.public)


def test_an_announcement_of_an_epoch_to_come_is_caught() -> None:
    with pytest.raises(AnnouncementEpochError):
        verify_announcement(announced(epoch=2), RECORD, BOB.public)


def test_a_track_announced_twice_is_caught() -> None:
    with pytest.raises(TrackMismatchError, match="twice"):
        verify_announcement(announced(tracks=[TRACKS[0], TRACKS[0]]), RECORD, BOB.public)


def test_a_codec_of_another_kind_is_caught() -> None:
    odd = AnnouncedTrack(track_id="v", kind="video", codec="opus")
    with pytest.raises(TrackMismatchError, match="not video"):
        verify_announcement(announced(tracks=[odd]), RECORD, BOB.public)


def test_a_track_that_was_not_announced_has_no_key() -> None:
    stream = verify_announcement(shown(), RECORD, BOB.public)
    with pytest.raises(TrackMismatchError):
        stream.track_key(new_room().keys, "screen")


def test_a_relabelled_track_gets_a_key_that_does_not_fit() -> None:
    """The SFU sends the camera's frames as the microphone's: other id, other key."""
    stream = verify_announcement(shown(), RECORD, BOB.public)
    keys = new_room().keys
    assert stream.track_key(keys, "v") != stream.track_key(keys, "a")


def test_a_restarted_publisher_gets_other_keys() -> None:
    keys = new_room().keys
    first, second = (verify_announcement(shown(), RECORD, BOB.public) for _ in range(2))
    assert first.track_key(keys, "v") != second.track_key(keys, "v")


def test_every_lie_has_a_code_of_its_own() -> None:
    classes = VerificationError.__subclasses__()
    assert len({one.code for one in classes}) == len(classes)
    assert len(classes) >= 20
