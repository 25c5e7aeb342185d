"""Rooms and announcements among honest users, and what cannot even be made."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealroom.crypto.announcement import make_announcement, verify_announcement
from sealroom.crypto.epoch import EpochId, derive_epoch_keys, open_secret
from sealroom.crypto.errors import RoomMembersError, TrackMismatchError
from sealroom.crypto.private_metadata import decrypt_private_metadata
from sealroom.crypto.room_record import Member, NewRoom, make_room, verify_room_record
from sealroom.identity import Identity
from sealroom.protocol import AnnouncedTrack, RoomRecord, StreamView

SECRET = bytes(range(32))
PEOPLE = {name: Identity.from_seed(name.encode().ljust(32)) for name in ("alice", "bob", "carol")}
FINGERPRINTS = {name: one.public.fingerprint for name, one in PEOPLE.items()}


def member(name: str, role: str) -> Member:
    return Member(name, PEOPLE[name].public, role)  # type: ignore[arg-type]


def room(
    members: list[Member], *, public: bytes = b"", private: bytes = b"", author: str = "alice"
) -> NewRoom:
    return make_room(
        PEOPLE[author],
        author,
        context_id="context",
        room_id="room",
        members=members,
        policy={"kick": "manager"},
        public_meta=public,
        private_meta=private,
        secret=SECRET,
        created_at=1_700_000_000_000,
    )


def verified(new: NewRoom, reader: str) -> RoomRecord:
    return verify_room_record(
        new.record,
        context_id="context",
        room_id="room",
        author=PEOPLE[new.record.author].public,
        reader=reader,
        fingerprints=FINGERPRINTS,
    )


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=100), st.binary(max_size=100), st.sampled_from(["bob", "alice"]))
def test_a_member_reads_what_the_creator_wrote(public: bytes, private: bytes, reader: str) -> None:
    new = room([member("alice", "manager"), member("bob", "user")], public=public, private=private)
    record = verified(new, reader)
    epoch = EpochId("context", "room", record.epoch)
    commitment = record.epoch_commitment
    secret = open_secret(new.sealed_secrets, epoch, reader, PEOPLE[reader], commitment)
    keys = derive_epoch_keys(secret, epoch)
    assert keys == new.keys
    assert record.public_meta == public
    assert decrypt_private_metadata(record.private_meta, keys, record.version) == private
    assert record.policy == {"kick": "manager"}
    assert [(one.user_id, one.role) for one in record.members] == [
        ("alice", "manager"),
        ("bob", "user"),
    ]


def test_neither_secret_nor_private_metadata_is_in_what_the_bridge_gets() -> None:
    new = room([member("alice", "manager")], private=b"very private words")
    handed_out = new.record.payload + b"".join(one.sealed for one in new.sealed_secrets)
    assert b"very private" not in handed_out
    assert SECRET not in handed_out
    assert SECRET.hex() not in repr(new)


@pytest.mark.parametrize(
    "members",
    [
        [],
        [member("bob", "manager")],
        [member("alice", "user")],
        [member("alice", "manager"), member("bob", "user"), member("bob", "manager")],
        [Member("alice", PEOPLE["bob"].public, "manager")],
    ],
)
def test_a_room_without_its_creator_as_manager_or_with_twins_cannot_be_made(
    members: list[Member],
) -> None:
    with pytest.raises(RoomMembersError):
        room(members)


def test_a_member_whose_key_is_not_known_yet_does_not_spoil_the_room() -> None:
    new = room([member("alice", "manager"), member("bob", "user"), member("carol", "user")])
    record = verify_room_record(
        new.record,
        context_id="context",
        room_id="room",
        author=PEOPLE["alice"].public,
        reader="bob",
        fingerprints={name: FINGERPRINTS[name] for name in ("alice", "bob")},
    )
    assert record.members[2].identity_fingerprint == FINGERPRINTS["carol"]


def test_subscriber_and_publisher_derive_the_same_track_keys() -> None:
    new = room([member("alice", "manager"), member("bob", "user")])
    tracks = [
        AnnouncedTrack(track_id="v", kind="video", codec="vp8", source="camera"),
        AnnouncedTrack(track_id="a", kind="audio", codec="opus"),
    ]
    nonce = b"0123456789abcdef"
    signed = make_announcement(
        PEOPLE["bob"], "bob", keys=new.keys, stream_id="s", tracks=tracks, nonce=nonce
    )
    view = StreamView(stream_id="s", participant_id="p", user_id="bob", announcement=signed)
    stream = verify_announcement(view, verified(new, "alice"), PEOPLE["bob"].public)
    assert stream.announcement.tracks == tracks
    assert stream.announcement.nonce == nonce
    assert stream.track_key(new.keys, "v") != stream.track_key(new.keys, "a")
    with pytest.raises(TrackMismatchError):
        stream.track_key(new.keys, "another")


def test_every_stream_gets_a_nonce_of_its_own() -> None:
    new = room([member("alice", "manager")])
    track = AnnouncedTrack(track_id="v", kind="video", codec="vp8")
    payloads = {
        make_announcement(
            PEOPLE["alice"], "alice", keys=new.keys, stream_id="s", tracks=[track]
        ).payload
        for _ in range(20)
    }
    assert len(payloads) == 20
