"""A malicious Bridge lies about the history of a room; a member who asks it catches each lie.

The Bridge here holds whatever records the test gives it and answers `room.get` and `room.history`;
the client side is the real one, with its pins.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from history_support import IDENTITIES, Bridge, Room, entry, member, refused, secret_of

from sealroom.crypto.epoch import EpochId, commit, seal_secret
from sealroom.crypto.errors import (
    AuthorError,
    CommitmentMismatchError,
    ContextMismatchError,
    EpochRuleError,
    ForgedSignatureError,
    MalformedObjectError,
    MemberKeyMismatchError,
    PrivateMetadataError,
    RecordForkError,
    RecordHistoryError,
    RecordRollbackError,
    RecordRuleError,
    RecordVersionError,
    RoomMembersError,
    RoomMismatchError,
    SealedSecretOpenError,
    SealedSecretRecipientError,
    VerificationError,
)
from sealroom.identity import AllowList, RoomPinFile
from sealroom.protocol import SealedSecret

# What is honest is believed


async def test_an_honest_history_is_verified_from_the_first_record_on() -> None:
    room = Room.new().update().update("carol", public_meta=b"new").update(is_new_epoch=True)
    bridge = Bridge(room)
    opened = await bridge.get()
    assert (opened.record.version, opened.record.epoch) == (4, 2)
    assert opened.room.public_meta == b"public"
    assert bridge.calls == ["room.get", "room.history", "room.history"]
    bridge.room = room.copy().update()
    await bridge.get()
    assert bridge.calls[3:] == ["room.get"]  # one step needs no history


async def test_a_restarted_client_goes_on_from_its_pin(tmp_path: Path) -> None:
    room, pins = Room.new().update(), RoomPinFile(tmp_path / "rooms.json")
    await Bridge(room, pins=pins).get()
    room.update("carol").update()
    restarted = Bridge(room, pins=pins)
    assert (await restarted.get()).record.version == 4
    pin = await pins.load("context", "room")
    assert pin is not None
    assert (pin.version, pin.epoch) == (4, 1)


async def test_a_manager_who_left_since_vouches_for_what_he_signed() -> None:
    room = Room.new().update("carol").update(members=[member("alice", "manager"), member("bob")])
    assert (await Bridge(room).get()).record.version == 3


# Rollback, fork, withheld history


@pytest.mark.parametrize("restart", [False, True])
async def test_a_rollback_is_refused(restart: bool, tmp_path: Path) -> None:
    room, pins = Room.new(), RoomPinFile(tmp_path / "rooms.json")
    newer = room.copy().update().update(is_new_epoch=True)
    bridge = Bridge(newer, pins=pins)
    await bridge.get()
    if restart:
        bridge = Bridge(newer, pins=pins)
    for older in (room, Room(newer.entries[:2], newer.secrets[:2])):
        bridge.room = older
        with pytest.raises(RecordRollbackError):
            await bridge.get()


@pytest.mark.parametrize("restart", [False, True])
async def test_another_record_of_the_same_version_is_a_fork(restart: bool, tmp_path: Path) -> None:
    """Both are signed by managers: one is shown to bob, the other to everybody else."""
    room, pins = Room.new(), RoomPinFile(tmp_path / "rooms.json")
    one, other = room.copy().update("alice"), room.copy().update("carol", public_meta=b"other")
    bridge = Bridge(one, pins=pins)
    await bridge.get()
    if restart:
        bridge = Bridge(other, pins=pins)
    bridge.room = other
    with pytest.raises(RecordForkError):
        await bridge.get()


@pytest.mark.parametrize("restart", [False, True])
async def test_a_history_that_does_not_lead_through_the_record_seen_is_a_fork(
    restart: bool, tmp_path: Path
) -> None:
    room, pins = Room.new(), RoomPinFile(tmp_path / "rooms.json")
    one = room.copy().update("alice")
    other = room.copy().update("carol", public_meta=b"other").update("carol").update("carol")
    bridge = Bridge(one, pins=pins)
    await bridge.get()
    if restart:
        bridge = Bridge(other, pins=pins)
    bridge.room = other
    with pytest.raises(RecordForkError):
        await bridge.get()


async def test_a_room_made_anew_under_the_same_id_is_a_fork() -> None:
    bridge = Bridge(Room.new())
    await bridge.get()
    bridge.room = Room.new(policy={"publish": "manager"})
    with pytest.raises(RecordForkError):
        await bridge.get()


async def test_withheld_records_are_missed() -> None:
    bridge = Bridge(Room.new().update().update())
    bridge.lie = lambda entries: []
    with pytest.raises(RecordHistoryError):
        await bridge.get()


async def test_a_left_out_record_is_missed() -> None:
    bridge = Bridge(Room.new().update().update().update())
    bridge.lie = lambda entries: [entries[0], entries[2], entries[3], entries[3]]
    with pytest.raises(RecordVersionError):
        await bridge.get()


async def test_a_history_that_ends_elsewhere_than_the_room_is_a_fork() -> None:
    room = Room.new().update()
    other = room.copy().update("carol", public_meta=b"other")
    bridge = Bridge(room.update())
    bridge.lie = lambda entries: other.entries
    with pytest.raises(RecordForkError):
        await bridge.get()


# Forged authors


async def test_a_record_by_a_user_is_refused() -> None:
    await refused(Room.new().forge("bob", "bob"), AuthorError)


async def test_a_record_by_somebody_who_is_no_member_is_refused() -> None:
    await refused(Room.new().forge("mallory", "mallory"), AuthorError)


async def test_a_record_signed_by_another_than_its_author_is_refused() -> None:
    await refused(Room.new().forge("mallory", "alice", identity="alice"), ForgedSignatureError)


async def test_a_managers_key_swapped_by_the_bridge_is_refused() -> None:
    """Mallory's signature with mallory's key, shown as alice's."""
    await refused(Room.new().forge("mallory", "alice"), MemberKeyMismatchError)


async def test_a_record_that_one_manager_signs_in_anothers_name_is_refused() -> None:
    await refused(Room.new().forge("carol", "carol", claimed="alice"), AuthorError)


async def test_a_record_by_a_manager_removed_before_is_refused() -> None:
    room = Room.new().update(members=[member("alice", "manager"), member("bob")])
    await refused(room.forge("carol", "carol"), AuthorError)


async def test_a_user_who_makes_himself_a_manager_is_refused() -> None:
    members = [member("alice", "manager"), member("carol", "manager"), member("bob", "manager")]
    await refused(Room.new().forge("bob", "bob", members=members), AuthorError)


async def test_an_author_whose_identity_is_none_is_refused() -> None:
    room = Room.new().update()
    room.entries[-1] = msgspec.structs.replace(room.entries[-1], author_identity="nonsense")
    await refused(room, MalformedObjectError)


async def test_a_first_record_by_a_made_up_creator_needs_the_verifiers_trust() -> None:
    """The whole room is the Bridge's invention: only the verifier can know."""
    room = Room.new()
    known = {name: IDENTITIES[name].public for name in ("bob", "carol")}
    trust = AllowList(known | {"alice": IDENTITIES["mallory"].public})
    with pytest.raises(MemberKeyMismatchError) as caught:
        await Bridge(room, trust=trust).get()
    assert caught.value.user_id == "alice"


async def test_an_author_who_removes_himself_is_refused() -> None:
    """Nobody would see whose word the room is, nor that he chose the secret of its new epoch."""
    policy = {"updater_can_be_removed_from_managers": "yes"}
    members = [member("alice", "manager"), member("bob")]
    room = Room.new(policy=policy).forge("carol", "carol", members=members, is_new_epoch=True)
    await refused(room, RoomMembersError)


async def test_an_author_who_gives_himself_another_key_is_refused() -> None:
    members = [member("alice", "manager"), member("carol", "manager", "mallory"), member("bob")]
    room = Room.new().forge("carol", "carol", members=members, is_new_epoch=True)
    await refused(room, MemberKeyMismatchError)


# Changed content


async def test_metadata_changed_by_the_bridge_is_refused() -> None:
    room = Room.new().update()
    record = msgspec.structs.replace(room.head, public_meta=b"changed")
    signed = msgspec.structs.replace(room.entries[-1].record, payload=msgspec.json.encode(record))
    room.entries[-1] = entry(signed)
    await refused(room, ForgedSignatureError)


async def test_private_metadata_of_the_version_before_is_refused() -> None:
    room = Room.new()
    await refused(room.forge(private_meta=room.head.private_meta), PrivateMetadataError)


async def test_a_member_added_by_the_bridge_is_refused() -> None:
    room = Room.new().update()
    record = msgspec.structs.replace(room.head, members=[*room.head.members, member("mallory")])
    signed = msgspec.structs.replace(room.entries[-1].record, payload=msgspec.json.encode(record))
    room.entries[-1] = entry(signed)
    await refused(room, ForgedSignatureError)


async def test_a_swapped_member_key_without_a_new_epoch_is_refused() -> None:
    """Whoever has the former key would go on decrypting."""
    members = [member("alice", "manager"), member("carol", "manager", "mallory"), member("bob")]
    await refused(Room.new().forge(members=members), EpochRuleError)


async def test_a_swapped_member_key_the_verifier_knows_otherwise_is_refused() -> None:
    members = [member("alice", "manager"), member("carol", "manager", "mallory"), member("bob")]
    room = Room.new().forge(members=members, is_new_epoch=True)
    trust = AllowList({name: one.public for name, one in IDENTITIES.items()})
    await refused(room, MemberKeyMismatchError, trust=trust)


async def test_a_creator_swapped_later_is_refused() -> None:
    await refused(Room.new().forge(creator="carol"), RecordRuleError)


async def test_a_room_type_swapped_later_is_refused() -> None:
    await refused(Room.new().forge(room_type="other"), RecordRuleError)


@pytest.mark.parametrize("expression", ["owner", "manager&owner", "none,owner"])
async def test_a_manager_without_the_right_to_update_is_refused(expression: str) -> None:
    await refused(Room.new(policy={"update": expression}).forge("carol", "carol"), RecordRuleError)


async def test_a_policy_changed_without_the_right_to_is_refused() -> None:
    room = Room.new(policy={"update_policy": "owner"})
    await refused(room.copy().forge("carol", "carol", policy={}), RecordRuleError)


async def test_an_owner_demoted_against_the_policy_is_refused() -> None:
    room = Room.new(policy={"owner_can_be_removed_from_managers": "no"})
    members = [member("alice"), member("carol", "manager"), member("bob")]
    await refused(room.forge("carol", "carol", members=members), RecordRuleError)


async def test_a_room_left_without_managers_is_refused() -> None:
    members = [member("alice"), member("carol"), member("bob")]
    await refused(Room.new().forge(members=members), RoomMembersError)


# Epochs


async def test_a_removal_without_a_new_epoch_is_refused() -> None:
    members = [member("alice", "manager"), member("bob")]
    await refused(Room.new().forge(members=members), EpochRuleError)


@pytest.mark.parametrize("epoch", [1, 4])
async def test_an_epoch_that_goes_back_or_skips_is_refused(epoch: int) -> None:
    room = Room.new().update(is_new_epoch=True)
    await refused(room.forge(epoch=epoch), EpochRuleError)


async def test_another_commitment_in_the_same_epoch_is_refused() -> None:
    other = commit(secret_of(9), EpochId("context", "room", 1))
    await refused(Room.new().forge(epoch_commitment=other), CommitmentMismatchError)


async def test_a_new_epoch_under_the_old_commitment_is_refused() -> None:
    room = Room.new()
    await refused(
        room.forge(epoch=2, epoch_commitment=room.head.epoch_commitment), CommitmentMismatchError
    )


def sealed(secret: bytes, epoch: int, room_id: str = "room") -> list[list[SealedSecret]]:
    bob = IDENTITIES["bob"].public
    one = seal_secret(secret, EpochId("context", room_id, epoch), "bob", bob)
    return [[msgspec.structs.replace(one, epoch=2)]]


async def test_a_secret_of_the_bridges_own_for_a_new_epoch_is_refused() -> None:
    room = Room.new().update(is_new_epoch=True)
    room.secrets = [room.secrets[0], *sealed(secret_of(9), 2)]
    await refused(room, CommitmentMismatchError)


async def test_the_secret_of_the_epoch_before_does_not_serve_the_new_one() -> None:
    room = Room.new().update(is_new_epoch=True)
    room.secrets = [room.secrets[0], *sealed(secret_of(1), 1)]
    await refused(room, SealedSecretOpenError)


async def test_a_withheld_secret_of_a_new_epoch_is_missed() -> None:
    room = Room.new().update(is_new_epoch=True)
    room.secrets[-1] = []
    await refused(room, SealedSecretRecipientError)


# Replay from elsewhere


@pytest.mark.parametrize("length", [1, 2])
async def test_records_of_another_room_are_refused(length: int) -> None:
    other = Room.new(room_id="elsewhere")
    if length == 2:
        other.update()
    with pytest.raises(RoomMismatchError):
        await Bridge(other).get()


@pytest.mark.parametrize("length", [1, 2])
async def test_records_of_another_context_are_refused(length: int) -> None:
    other = Room.new(context_id="elsewhere")
    if length == 2:
        other.update()
    with pytest.raises(ContextMismatchError):
        await Bridge(other).get()


async def test_a_record_of_another_room_in_the_middle_of_the_history_is_refused() -> None:
    room, other = Room.new().update(), Room.new(room_id="elsewhere").update()
    bridge = Bridge(room.copy().update())
    bridge.lie = lambda entries: [entries[0], other.entries[1], entries[2]]
    with pytest.raises(RoomMismatchError):
        await bridge.get()


async def test_a_reader_who_was_removed_learns_so() -> None:
    room = Room.new().update(members=[member("alice", "manager"), member("carol", "manager")])
    with pytest.raises(RoomMembersError, match="bob"):
        await Bridge(room).get()


def test_every_lie_has_a_code_of_its_own() -> None:
    classes = VerificationError.__subclasses__()
    assert len({one.code for one in classes}) == len(classes)
