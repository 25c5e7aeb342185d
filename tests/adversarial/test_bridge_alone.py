"""A Bridge without any member's help tries to get a secret: its own believed, or one sealed to it.

Every lie here leaves the true members their true keys, so that the strictest `UserVerifier` has
nothing to object to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from history_support import IDENTITIES, Bridge, Room, member, secret_of

from sealroom.client.models import UserIdentity
from sealroom.client.room_editor import RoomEditor
from sealroom.client.room_session import RoomSession
from sealroom.client.rooms import OpenRoom
from sealroom.client.rotation import KeySchedule
from sealroom.crypto.announcement import VerifiedStream, make_announcement
from sealroom.crypto.epoch import EpochId, EpochKeys, commit, open_secret, seal_secret
from sealroom.crypto.errors import (
    ForgedSignatureError,
    MalformedObjectError,
    MemberKeyMismatchError,
    RecordForkError,
    RecordVersionError,
    RoomMembersError,
    SealedSecretOpenError,
    VerificationError,
)
from sealroom.crypto.room_record import Member, VerifiedRecord, make_room
from sealroom.crypto.signed_object import read_unverified, sign_object
from sealroom.errors import InvalidArgumentError
from sealroom.identity import AllowList, Identity, MemoryRoomPins, RoomPin, UserKey
from sealroom.protocol import (
    ROOM_RECORD_TYPE,
    AnnouncedTrack,
    ContextUsersResult,
    ContextView,
    HistoricRecord,
    RoomHistoryResult,
    RoomMember,
    RoomRecord,
    SealedSecret,
    StreamView,
    User,
)

EVIL = Identity.from_seed(b"e" * 32)
EVIL_SECRET = b"E" * 32
TRUE_KEYS = AllowList({name: one.public for name, one in IDENTITIES.items()})


# An epoch of the Bridge's own


def invented(room: Room, signer: Identity, identity: str | None = None) -> HistoricRecord:
    """A record of an epoch whose secret the Bridge has, sealed to bob."""
    epoch = EpochId("context", "room", room.head.epoch + 1)
    record = msgspec.structs.replace(
        room.head,
        version=room.head.version + 1,
        previous_hash=VerifiedRecord(room.head, room.entries[-1].record.payload).hash,
        creator="alice",
        epoch=epoch.epoch,
        epoch_commitment=commit(EVIL_SECRET, epoch),
    )
    return HistoricRecord(
        record=sign_object(signer, "alice", ROOM_RECORD_TYPE, record),
        author_identity=signer.public.encode() if identity is None else identity,
        sealed_secret=seal_secret(EVIL_SECRET, epoch, "bob", IDENTITIES["bob"].public),
    )


@pytest.mark.parametrize(
    ("identity", "expected"),
    [("nonsense", MalformedObjectError), (None, MemberKeyMismatchError)],
)
async def test_an_epoch_before_the_known_record_shown_again_is_refused(
    identity: str | None, expected: type[VerificationError]
) -> None:
    room = Room.new()
    bridge = Bridge(room, trust=TRUE_KEYS)
    before = await bridge.get()
    lie = [invented(room, EVIL, identity), room.entries[-1]]
    bridge.answers["room.history"] = lambda _: RoomHistoryResult(records=lie, newest=1)
    with pytest.raises(expected):
        await bridge.directory.refresh(before)
    assert list((await bridge.get()).secrets) == [1]


async def test_the_known_record_is_none_after_itself() -> None:
    room = Room.new()
    bridge = Bridge(room, trust=TRUE_KEYS)
    before = await bridge.get()
    bridge.answers["room.history"] = lambda _: RoomHistoryResult(records=room.entries, newest=1)
    with pytest.raises(RecordVersionError):
        await bridge.directory.refresh(before)


async def test_a_history_without_end_is_left_at_its_first_lie() -> None:
    room = Room.new()
    bridge = Bridge(room, trust=TRUE_KEYS)
    before = await bridge.get()
    asked: list[int] = []

    def answer(params: Any) -> RoomHistoryResult:
        asked.append(params.since)
        if len(asked) > 1:
            raise AssertionError("asked for more")
        return RoomHistoryResult(records=[invented(room, EVIL)], newest=2**53)

    bridge.answers["room.history"] = answer
    with pytest.raises(MemberKeyMismatchError):
        await bridge.directory.refresh(before)


async def test_no_epoch_above_the_one_of_the_record_is_used() -> None:
    """Whatever secret a room may come with: its record says which epoch is the newest."""
    opened = await Bridge(Room.new(), trust=TRUE_KEYS).get()
    session = RoomSession.__new__(RoomSession)
    accepted: list[EpochKeys] = []
    session._keys = KeySchedule(
        opened.keys, switch_within=1, grace=1, on_switch=accepted.append, on_retire=lambda _: None
    )
    session.announced = cast(Any, SimpleNamespace())
    session.receiving = cast(Any, SimpleNamespace(add_epoch=accepted.append))
    secrets = {1: secret_of(1), 2: EVIL_SECRET}
    session._accept_epochs(OpenRoom(opened.room, opened.verified, secrets))
    assert accepted == []
    assert session._keys.newest.id.epoch == 1


# A room of the Bridge's own, at first contact


def signed(signer: Identity, author: str, record: RoomRecord) -> HistoricRecord:
    made = sign_object(signer, author, ROOM_RECORD_TYPE, record)
    return HistoricRecord(record=made, author_identity=signer.public.encode())


def following(before: HistoricRecord, **changes: Any) -> RoomRecord:
    record = read_unverified(before.record, RoomRecord)
    epoch = EpochId("context", "room", record.epoch + 1)
    following = msgspec.structs.replace(
        record,
        version=record.version + 1,
        previous_hash=VerifiedRecord(record, before.record.payload).hash,
        creator=record.author if record.creator is None else record.creator,
        epoch=epoch.epoch,
        epoch_commitment=commit(EVIL_SECRET, epoch),
    )
    return msgspec.structs.replace(following, **changes)


def evil_member(user_id: str, role: Any = "user") -> RoomMember:
    return RoomMember(user_id=user_id, identity_fingerprint=EVIL.public.fingerprint, role=role)


def first(author: str, *others: Member) -> HistoricRecord:
    made = make_room(
        EVIL,
        author,
        context_id="context",
        room_id="room",
        members=[Member(author, EVIL.public, "manager"), *others],
        policy={"updater_can_be_removed_from_managers": "yes"},
        public_meta=b"",
        private_meta=b"",
        secret=EVIL_SECRET,
        created_at=1,
    )
    return HistoricRecord(record=made.record, author_identity=EVIL.public.encode())


def shown(*entries: HistoricRecord) -> Room:
    """With the newest epoch's secret for bob."""
    secrets: list[list[SealedSecret]] = []
    for one in entries:
        epoch = EpochId("context", "room", read_unverified(one.record, RoomRecord).epoch)
        secrets.append([seal_secret(EVIL_SECRET, epoch, "bob", IDENTITIES["bob"].public)])
    return Room(list(entries), secrets)


async def test_a_first_record_under_a_made_up_key_that_the_second_replaces_is_refused() -> None:
    """The newest record names all the true keys, and one of them would have signed it."""
    one = first("alice")
    members = [member("alice", "manager"), member("bob")]
    two = signed(EVIL, "alice", following(one, members=members))
    bridge = Bridge(shown(one, two), trust=TRUE_KEYS)
    with pytest.raises(MemberKeyMismatchError) as caught:
        await bridge.get()
    assert caught.value.user_id == "alice"
    assert await bridge.room_pins.load("context", "room") is None


async def test_a_made_up_manager_who_leaves_with_the_record_he_signs_is_refused() -> None:
    """Trust on first use would believe his key, and nobody would see him among the members."""
    one = first("zed")
    members = [member("alice", "manager"), member("bob")]
    two = signed(EVIL, "zed", following(one, members=members))
    with pytest.raises(RoomMembersError):
        await Bridge(shown(one, two)).get()


async def test_a_made_up_key_in_the_first_record_is_shown_to_the_verifier() -> None:
    room = shown(first("alice", Member("bob", IDENTITIES["bob"].public, "user")))
    with pytest.raises(MemberKeyMismatchError) as caught:
        await Bridge(room, trust=TRUE_KEYS).get()
    assert caught.value.user_id == "alice"


async def test_whoever_signed_the_newest_record_is_shown_to_the_verifier() -> None:
    """However many records of made-up managers lie before it."""
    one = first("alice")
    two = signed(
        EVIL, "alice", following(one, members=[evil_member("alice"), evil_member("zed", "manager")])
    )
    members = [member("alice", "manager"), member("bob"), evil_member("zed", "manager")]
    three = signed(EVIL, "zed", following(two, author="zed", members=members))
    with pytest.raises(MemberKeyMismatchError) as caught:
        await Bridge(shown(one, two, three), trust=TRUE_KEYS).get()
    assert caught.value.user_id == "zed"


# Keys of users


def users(*more: User) -> Callable[[Any], ContextUsersResult]:
    """Those asked for, and some that nobody asked for."""

    def answer(params: Any) -> ContextUsersResult:
        asked = [User(one, IDENTITIES[one].public.encode()) for one in params.user_ids]
        return ContextUsersResult(users=[*asked, *more], total=9)

    return answer


class Caught(Exception):
    pass


def check_sealed(
    sealed: list[SealedSecret], user_id: str, epoch: EpochId, commitment: bytes
) -> None:
    """To the user's own key, and not to the Bridge's."""
    with pytest.raises(SealedSecretOpenError):
        open_secret(sealed, epoch, user_id, EVIL, commitment)
    open_secret(sealed, epoch, user_id, IDENTITIES[user_id], commitment)


async def test_a_key_nobody_asked_for_replaces_none_that_the_application_gave() -> None:
    bridge = Bridge(Room.new(), user_id="alice")
    sent: list[Any] = []

    def create(params: Any) -> Any:
        sent.append(params)
        raise Caught

    bridge.answers = {
        "context.get": lambda _: ContextView(context_id="context", title="", policy={}),
        "context.users": users(
            User("bob", EVIL.public.encode()), User("alice", EVIL.public.encode())
        ),
        "room.create": create,
    }
    editor = RoomEditor(bridge.connection, bridge.directory)
    with pytest.raises(Caught):
        await editor.create(
            [UserIdentity("bob", IDENTITIES["bob"].public), "carol"],
            [],
            public_meta=b"",
            private_meta=b"",
            policy=None,
            empty_room_ttl=None,
            room_type="",
        )
    [params] = sent
    epoch = EpochId("context", params.room_id, 1)
    commitment = read_unverified(params.record, RoomRecord).epoch_commitment
    for user_id in ("alice", "bob", "carol"):
        check_sealed(params.sealed_secrets, user_id, epoch, commitment)


async def test_a_key_nobody_asked_for_does_not_replace_ones_own() -> None:
    bridge = Bridge(Room.new(), user_id="alice", trust=TRUE_KEYS)
    bridge.answers["context.users"] = users(User("alice", EVIL.public.encode()))
    found = await bridge.directory.identities(["alice", "bob"], {})
    assert found == {name: IDENTITIES[name].public for name in ("alice", "bob")}


async def test_nor_does_one_that_the_application_gives() -> None:
    bridge = Bridge(Room.new(), user_id="alice", trust=TRUE_KEYS)
    found = await bridge.directory.identities(["alice"], {"alice": EVIL.public})
    assert found == {"alice": IDENTITIES["alice"].public}


async def test_a_user_withheld_is_missed() -> None:
    bridge = Bridge(Room.new(), user_id="alice", trust=TRUE_KEYS)
    bridge.answers["context.users"] = lambda _: ContextUsersResult(
        users=[User("carol", IDENTITIES["carol"].public.encode())], total=1
    )
    with pytest.raises(InvalidArgumentError, match="bob"):
        await bridge.directory.identities(["bob"], {})


async def test_a_renewed_identity_is_asked_for_again_and_a_lie_about_it_is_not_kept() -> None:
    """Bob's key changed while the program ran; alice's record says so, and the verifier agrees."""
    room = Room.new()
    keys = {name: one.public for name, one in IDENTITIES.items()}
    believed: dict[str, bytes] = {}

    class Verifier:
        async def verify(self, context_id: str, users: Sequence[UserKey]) -> list[bool]:
            asked = [(one.user_id, one.fingerprint) for one in users]
            return [believed.get(user_id, key) == key for user_id, key in asked]

    bridge = Bridge(room, user_id="alice", trust=Verifier())
    bridge.answers["context.users"] = lambda params: ContextUsersResult(
        users=[User(one, keys[one].encode()) for one in params.user_ids], total=1
    )

    async def verify(identity: Identity) -> VerifiedStream:
        opened = await bridge.get()
        announced = make_announcement(
            identity,
            "bob",
            keys=opened.keys,
            stream_id="s",
            tracks=[AnnouncedTrack(track_id="t", kind="audio", codec="opus")],
        )
        view = StreamView("s", "p", "bob", announced)
        return await bridge.directory.verify_stream(view, opened)

    await verify(IDENTITIES["bob"])
    renewed = IDENTITIES["mallory"]
    believed["bob"] = renewed.public.fingerprint
    room.update(
        members=[
            member("alice", "manager"),
            member("carol", "manager"),
            member("bob", "user", "mallory"),
        ],
        identities={"bob": renewed.public},
    )
    keys["bob"] = EVIL.public
    with pytest.raises(MemberKeyMismatchError):
        await verify(renewed)
    keys["bob"] = renewed.public
    assert (await verify(renewed)).fingerprint == renewed.public.fingerprint
    count = bridge.calls.count("context.users")
    await verify(renewed)
    assert bridge.calls.count("context.users") == count  # and then it is kept
    with pytest.raises(ForgedSignatureError):
        await verify(IDENTITIES["bob"])


# Two histories, shown to two programs of one user at once


class SlowPins(MemoryRoomPins):
    """Looked at before, and kept after, another program has seen the room."""

    def __init__(self, others: RoomPin) -> None:
        super().__init__()
        self._others = others

    async def save(self, context_id: str, room_id: str, pin: RoomPin) -> None:
        await super().save(context_id, room_id, self._others)
        await super().save(context_id, room_id, pin)


async def test_of_two_histories_shown_at_first_contact_one_is_refused() -> None:
    room = Room.new()
    one, other = room.copy().update(), room.copy().update("carol", public_meta=b"other")
    first = Bridge(one)
    await first.get()
    seen = await first.room_pins.load("context", "room")
    assert seen is not None
    with pytest.raises(RecordForkError):
        await Bridge(other, pins=SlowPins(seen)).get()
    assert (await Bridge(one, pins=SlowPins(seen)).get()).record.public_meta == b"public"


async def test_a_record_that_another_program_has_seen_otherwise_is_a_fork_though_known() -> None:
    room = Room.new()
    one, other = room.copy().update(), room.copy().update("carol", public_meta=b"other")
    bridge, elsewhere = Bridge(one), Bridge(other)
    before = await bridge.get()
    await elsewhere.get()
    bridge.room_pins = elsewhere.room_pins
    with pytest.raises(RecordForkError):
        await bridge.get()
    with pytest.raises(RecordForkError):
        await bridge.directory.refresh(before)
