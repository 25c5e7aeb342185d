"""A room's history and a Bridge that tells it, truly or falsely, to the real client side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import pytest

from sealroom.client.connection import Connection
from sealroom.client.rooms import OpenRoom, RoomDirectory
from sealroom.crypto.errors import VerificationError
from sealroom.crypto.room_record import Member, VerifiedRecord, make_next_record, make_room
from sealroom.crypto.signed_object import read_unverified, sign_object
from sealroom.identity import (
    Identity,
    MemoryRoomPins,
    RoomPins,
    TrustOnFirstUse,
    UserVerifier,
)
from sealroom.protocol import (
    ROOM_RECORD_TYPE,
    HistoricRecord,
    RoomHistoryResult,
    RoomMember,
    RoomRecord,
    RoomResult,
    RoomView,
    SealedSecret,
    SignedObject,
)

NAMES = ("alice", "bob", "carol", "mallory")
IDENTITIES = {name: Identity.from_seed(bytes([i]) * 32) for i, name in enumerate(NAMES)}


def secret_of(epoch: int) -> bytes:
    return bytes([epoch]) * 32


def member(user_id: str, role: Any = "user", key_of: str = "") -> RoomMember:
    identity = IDENTITIES[key_of or user_id].public
    return RoomMember(user_id=user_id, identity_fingerprint=identity.fingerprint, role=role)


@dataclass
class Room:
    """A room's true history, to be told falsely."""

    entries: list[HistoricRecord]
    secrets: list[list[SealedSecret]]  # by version

    @classmethod
    def new(
        cls,
        context_id: str = "context",
        room_id: str = "room",
        policy: dict[str, str] | None = None,
    ) -> Room:
        """Alice and carol manage, bob is a user."""
        made = make_room(
            IDENTITIES["alice"],
            "alice",
            context_id=context_id,
            room_id=room_id,
            members=[
                Member("alice", IDENTITIES["alice"].public, "manager"),
                Member("carol", IDENTITIES["carol"].public, "manager"),
                Member("bob", IDENTITIES["bob"].public, "user"),
            ],
            policy=policy or {},
            public_meta=b"public",
            private_meta=b"private",
            secret=secret_of(1),
            created_at=1,
        )
        return cls([entry(made.record)], [made.sealed_secrets])

    @property
    def head(self) -> RoomRecord:
        return read_unverified(self.entries[-1].record, RoomRecord)

    def copy(self) -> Room:
        return Room(list(self.entries), list(self.secrets))

    def update(
        self, author: str = "alice", members: list[RoomMember] | None = None, **changes: Any
    ) -> Room:
        """An honest next record."""
        before = self.head
        is_new_epoch = changes.pop("is_new_epoch", members is not None)
        made = make_next_record(
            IDENTITIES[author],
            author,
            VerifiedRecord(before, self.entries[-1].record.payload),
            members=before.members if members is None else members,
            identities={name: one.public for name, one in IDENTITIES.items()}
            | changes.pop("identities", {}),
            policy=changes.pop("policy", before.policy),
            public_meta=changes.pop("public_meta", b"public"),
            private_meta=b"private",
            secrets={before.epoch: secret_of(before.epoch)},
            next_secret=secret_of(before.epoch + 1) if is_new_epoch else None,
            created_at=2,
        )
        assert not changes
        self.entries.append(entry(made.record))
        self.secrets.append(made.sealed_secrets or self.secrets[-1])
        return self

    def forge(
        self, signer: str = "alice", author: str = "alice", identity: str = "", **changes: Any
    ) -> Room:
        """A next record that breaks rules, rightly signed by `signer`."""
        honest = self.copy().update(is_new_epoch=changes.pop("is_new_epoch", False))
        changes["author"] = changes.pop("claimed", author)
        record = msgspec.structs.replace(honest.head, **changes)
        signed = sign_object(IDENTITIES[signer], author, ROOM_RECORD_TYPE, record)
        self.entries.append(entry(signed, identity or signer))
        self.secrets.append(honest.secrets[-1])
        return self


def entry(signed: SignedObject, identity: str = "") -> HistoricRecord:
    text = IDENTITIES[identity or signed.author].public.encode()
    return HistoricRecord(record=signed, author_identity=text)


class Bridge:
    """Stands where a `Connection` does; shows `room`, or what `lie` makes of its history."""

    def __init__(
        self,
        room: Room,
        user_id: str = "bob",
        pins: RoomPins | None = None,
        trust: UserVerifier | None = None,
    ) -> None:
        self.room = room
        self.user_id = user_id
        self.context_id = "context"
        self.identity = IDENTITIES[user_id]
        self.trust = trust or TrustOnFirstUse()
        self.room_pins = pins or MemoryRoomPins()
        self.lie: Callable[[list[HistoricRecord]], list[HistoricRecord]] = lambda entries: entries
        self.answers: dict[str, Callable[[Any], Any]] = {}  # to other methods, and lies to these
        self.calls: list[str] = []
        # The part of a Connection that the client's modules of rooms use.
        self.connection = cast(Connection, self)
        self.directory = RoomDirectory(self.connection)

    async def call(self, method: str, params: Any, result: Any) -> Any:
        self.calls.append(method)
        if method in self.answers:
            return self.answers[method](params)
        if method == "room.history":
            entries = [self._with_secret(index) for index in range(len(self.room.entries))]
            shown = self.lie(entries)[params.since :]
            return RoomHistoryResult(newest=len(entries), records=shown[:2])
        assert method == "room.get"
        return RoomResult(room=self.view(params.room_id))

    def view(self, room_id: str = "room") -> RoomView:
        """The room as this user sees it."""
        head = self._with_secret(len(self.room.entries) - 1)
        return RoomView(
            room_id=room_id,
            context_id=self.context_id,
            record=head.record,
            author_identity=head.author_identity,
            sealed_secrets=[head.sealed_secret] if head.sealed_secret else [],
            state="open",
            empty_room_ttl=1.0,
            created_at=1,
            modified_at=1,
        )

    async def get(self) -> OpenRoom:
        return await self.directory.get("room")

    def _with_secret(self, index: int) -> HistoricRecord:
        own = [one for one in self.room.secrets[index] if one.user_id == self.user_id]
        return msgspec.structs.replace(
            self.room.entries[index], sealed_secret=own[0] if own else None
        )


async def refused(room: Room, expected: type[VerificationError], **options: Any) -> None:
    """Whoever sees the room first, and whoever knew it before, refuses its newest record."""
    fresh = Bridge(room, **options)
    with pytest.raises(expected):
        await fresh.get()
    assert await fresh.room_pins.load("context", "room") is None
    honest = Room(room.entries[:-1], room.secrets[:-1])
    knowing = Bridge(honest, **options)
    before = await knowing.get()
    knowing.room = room
    with pytest.raises(expected):
        await knowing.get()
    with pytest.raises(expected):
        await knowing.directory.refresh(before)
    pin = await knowing.room_pins.load("context", "room")
    assert pin is not None
    assert pin.version == len(honest.entries)  # nothing of the lie stays
