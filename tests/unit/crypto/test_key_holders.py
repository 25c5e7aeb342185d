"""What holds keys gives them to nobody who copies or pickles it."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from sealroom.bridge.relay_seal import RelaySeal
from sealroom.client.models import StreamRoom
from sealroom.client.rooms import OpenRoom
from sealroom.crypto.data_message import DataReceiver, DataSender, DataTrackId
from sealroom.crypto.epoch import EpochId, derive_epoch_keys
from sealroom.crypto.room_record import Member, NewRoom, VerifiedRecord, make_room
from sealroom.crypto.signed_object import read_unverified
from sealroom.identity import Identity
from sealroom.protocol import RoomRecord

SECRET = bytes(range(32))
KEYS = derive_epoch_keys(SECRET, EpochId("context", "room", 1))
TRACK = DataTrackId(bytes(32), bytes(16), "stream", "track")


def new_room() -> NewRoom:
    alice = Identity.from_seed(bytes(32))
    return make_room(
        alice,
        "alice",
        context_id="context",
        room_id="room",
        members=[Member("alice", alice.public, "manager")],
        policy={},
        public_meta=b"",
        private_meta=b"",
        secret=SECRET,
        created_at=1,
    )


def open_room() -> OpenRoom:
    signed = new_room().record
    verified = VerifiedRecord(read_unverified(signed, RoomRecord), signed.payload)
    return OpenRoom(StreamRoom.__new__(StreamRoom), verified, {1: SECRET})


def receiver() -> DataReceiver:
    made = DataReceiver(TRACK)
    made.add_epoch(KEYS)
    return made


@pytest.mark.parametrize(
    "make",
    [
        lambda: KEYS,
        new_room,
        open_room,
        lambda: DataSender(KEYS, TRACK),
        receiver,
        lambda: RelaySeal(SECRET, "process"),
        lambda: Identity.from_seed(SECRET),
    ],
    ids=["EpochKeys", "NewRoom", "OpenRoom", "DataSender", "DataReceiver", "RelaySeal", "Identity"],
)
def test_keys_are_not_pickled(make: Callable[[], object]) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(make(), protocol)
    with pytest.raises(TypeError):
        copy.deepcopy(make())


def test_bare_keys_are_not_copied_either() -> None:
    for one in (KEYS, open_room()):
        with pytest.raises(TypeError, match="holds keys"):
            copy.copy(one)
