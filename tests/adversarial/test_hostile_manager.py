"""A manager signs a record that nobody can open, to be the last one who changes the room."""

from __future__ import annotations

from typing import Any

import pytest
from history_support import IDENTITIES, Bridge, Room, entry, member, secret_of

from sealroom.client.room_editor import RoomEditor
from sealroom.client.rooms import OpenRoom
from sealroom.crypto.epoch import EpochId, seal_secret
from sealroom.crypto.errors import (
    CommitmentMismatchError,
    PrivateMetadataError,
    SealedSecretOpenError,
    SealedSecretRecipientError,
    VerificationError,
)
from sealroom.protocol import (
    ContextUsersParams,
    ContextUsersResult,
    RoomResult,
    RoomUpdateParams,
    SealedSecret,
    User,
)

JUNK = bytes(40)


def of(user_id: str, room: Room) -> Bridge:
    """A user's program, whose updates the Bridge takes."""
    bridge = Bridge(room, user_id)

    def update(params: RoomUpdateParams) -> Any:
        bridge.room.entries.append(entry(params.record))
        bridge.room.secrets.append(params.sealed_secrets)
        return RoomResult(room=bridge.view())

    def users(params: ContextUsersParams) -> ContextUsersResult:
        asked = [User(one, IDENTITIES[one].public.encode()) for one in params.user_ids]
        return ContextUsersResult(users=asked, total=len(asked))

    bridge.answers |= {"room.update": update, "context.users": users}
    return bridge


async def remove_carol(
    bridge: Bridge, private_meta: bytes | None = None, users: tuple[str, ...] = ("bob",)
) -> OpenRoom:
    editor = RoomEditor(bridge.connection, bridge.directory)
    return await editor.update(
        "room",
        users=users,
        managers=["alice"],
        public_meta=None,
        private_meta=private_meta,
        policy=None,
        version=None,
        force=False,
        force_generate_new_key=False,
        empty_room_ttl=None,
    )


def with_junk_secrets(room: Room, secret: bytes | None) -> Room:
    """Carol begins epoch 2, and nobody gets its secret: none, or another one, or nonsense."""
    room.update("carol", is_new_epoch=True)
    epoch = EpochId("context", "room", 2)
    room.secrets[-1] = [
        SealedSecret(user_id=name, epoch=2, sealed=JUNK)
        if secret is None
        else seal_secret(secret, epoch, name, IDENTITIES[name].public)
        for name in ("alice", "bob")
    ]
    return room


async def check_goes_on(bridge: Bridge, bob: Bridge, before: OpenRoom, opened: OpenRoom) -> None:
    """Whoever was there before, and whoever comes, believes the room without carol."""
    assert {one.user_id for one in opened.record.members} == {"alice", "bob"}
    bob.room = bridge.room
    refreshed = await bob.directory.refresh(before)
    assert refreshed.room == opened.room
    assert refreshed.secrets[opened.record.epoch] == opened.secrets[opened.record.epoch]
    assert (await Bridge(bridge.room).get()).room == opened.room


async def test_a_manager_is_removed_though_nobody_can_read_his_metadata() -> None:
    room = Room.new()
    alice, bob = of("alice", room), Bridge(room.copy())
    await alice.get()
    before = await bob.get()
    room.forge("carol", "carol", private_meta=JUNK)
    with pytest.raises(PrivateMetadataError):
        await alice.get()
    opened = await remove_carol(alice)
    assert opened.room.private_meta == b"private"  # as alice read it last
    assert opened.record.epoch == 2
    await check_goes_on(alice, bob, before, opened)


async def test_who_never_read_the_metadata_gives_it_anew() -> None:
    room = Room.new()
    before = await (bob := Bridge(room.copy())).get()
    room.forge("carol", "carol", private_meta=JUNK)
    alice = of("alice", room)
    with pytest.raises(PrivateMetadataError, match="private_meta"):
        await remove_carol(alice)
    opened = await remove_carol(alice, b"anew")
    assert opened.room.private_meta == b"anew"
    await check_goes_on(alice, bob, before, opened)


@pytest.mark.parametrize(
    ("secret", "expected"),
    [(None, SealedSecretOpenError), (secret_of(9), CommitmentMismatchError)],
)
async def test_a_manager_is_removed_though_nobody_has_the_secret_of_his_epoch(
    secret: bytes | None, expected: type[VerificationError]
) -> None:
    room = Room.new()
    alice, bob = of("alice", room), Bridge(room.copy())
    await alice.get()
    before = await bob.get()
    with_junk_secrets(room, secret)
    with pytest.raises(expected):
        await alice.get()
    opened = await remove_carol(alice, b"anew")
    assert (opened.record.epoch, sorted(opened.secrets)) == (3, [1, 3])
    assert opened.room.private_meta == b"anew"
    await check_goes_on(alice, bob, before, opened)


async def test_a_new_member_gets_the_older_secrets_that_there_are() -> None:
    room = with_junk_secrets(Room.new(policy={"share_history": "yes"}), None)
    alice = of("alice", room)
    opened = await remove_carol(alice, b"anew", ("bob", "mallory"))
    assert sorted(await alice.directory.epoch_secrets(opened)) == [1, 3]
    assert sorted(one.epoch for one in room.secrets[-1] if one.user_id == "mallory") == [1, 3]


async def test_a_bridge_that_withholds_a_secret_has_no_older_metadata_signed_again() -> None:
    room = Room.new()
    alice = of("alice", room)
    await alice.get()
    room.update("carol", is_new_epoch=True)  # with metadata that alice has not seen yet
    room.secrets[-1] = []
    with pytest.raises(SealedSecretRecipientError, match="private_meta"):
        await remove_carol(alice)
    assert len(room.entries) == 2


async def test_members_and_keys_of_a_damaged_room_are_verified_all_the_same() -> None:
    room = Room.new()
    members = [member("alice", "manager"), member("carol", "manager"), member("bob")]
    room.forge("carol", "carol", private_meta=JUNK, members=[*members, member("mallory")])

    class Verifier:
        async def verify(self, context_id: str, users: Any) -> list[bool]:
            return [one.user_id != "mallory" for one in users]

    alice = of("alice", room)
    alice.trust = Verifier()
    with pytest.raises(VerificationError, match="mallory"):
        await remove_carol(alice, b"anew")
    assert len(room.entries) == 2
