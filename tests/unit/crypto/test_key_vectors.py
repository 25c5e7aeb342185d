"""Frozen vectors: what these outputs are is part of the protocol and must never drift."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sealroom.crypto.announcement import verify_announcement
from sealroom.crypto.epoch import (
    EpochId,
    EpochKeys,
    commit,
    derive_epoch_keys,
    open_secret,
    seal_info,
)
from sealroom.crypto.labels import bind
from sealroom.crypto.private_metadata import decrypt_private_metadata
from sealroom.crypto.room_record import verify_room_record
from sealroom.crypto.track_keys import derive_track_key
from sealroom.identity import Identity, signing_input
from sealroom.protocol import RoomRecord, SealedSecret, SignedObject, StreamView

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "sealroom-keys.json").read_bytes()
)
IDENTITIES = {
    name: Identity.from_seed(bytes.fromhex(one["seed"]))
    for name, one in VECTORS["identities"].items()
}
EPOCH = VECTORS["epoch"]
EPOCH_ID = EpochId(EPOCH["context_id"], EPOCH["room_id"], EPOCH["epoch"])
SECRET = bytes.fromhex(EPOCH["secret"])


@pytest.fixture
def keys() -> EpochKeys:
    return derive_epoch_keys(SECRET, EPOCH_ID)


@pytest.fixture
def record() -> RoomRecord:
    signed = msgspec.convert(VECTORS["room"]["object"], SignedObject)
    return verify_room_record(
        signed,
        context_id="ctx",
        room_id="room",
        author=IDENTITIES["alice"].public,
        reader="bob",
        fingerprints={name: one.public.fingerprint for name, one in IDENTITIES.items()},
    )


@pytest.mark.parametrize("name", IDENTITIES)
def test_identities(name: str) -> None:
    public, expected = IDENTITIES[name].public, VECTORS["identities"][name]
    assert public.encode() == expected["public"]
    assert public.fingerprint.hex() == expected["fingerprint"]
    assert public.fingerprint_text == expected["fingerprint_text"]


def test_signatures() -> None:
    for one in VECTORS["signatures"]:
        payload = bytes.fromhex(one["payload"])
        assert signing_input(one["type"], payload).hex() == one["input"]
        assert IDENTITIES[one["signer"]].sign(one["type"], payload).hex() == one["signature"]


def test_bindings() -> None:
    read = {"bytes": bytes.fromhex, "str": str, "int": int}
    for one in VECTORS["bind"]:
        fields = [read[kind](value) for field in one["fields"] for kind, value in field.items()]
        assert bind(one["label"], *fields).hex() == one["output"]


def test_epoch_keys(keys: EpochKeys) -> None:
    assert keys.metadata.hex() == EPOCH["metadata_key"]
    assert keys.media.hex() == EPOCH["media_key"]
    assert keys.data.hex() == EPOCH["data_key"]
    assert commit(SECRET, EPOCH_ID).hex() == EPOCH["commitment"]
    info = seal_info(EPOCH_ID, "bob", IDENTITIES["bob"].public)
    assert info.hex() == EPOCH["seal_info_bob"]


def test_track_keys(keys: EpochKeys) -> None:
    for one in VECTORS["track_keys"]:
        key = derive_track_key(
            keys,
            IDENTITIES[one["publisher"]].public.fingerprint,
            bytes.fromhex(one["nonce"]),
            one["track_id"],
            one["layer"],
        )
        assert key.hex() == one["key"]


def test_a_track_key_by_the_standard_library_alone() -> None:
    def field(data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + data

    def expand(secret: bytes, label: bytes, *fields: bytes) -> bytes:
        info = b"sealroom/1 " + label + b"\0" + b"".join(map(field, fields))
        return hmac.digest(secret, info + b"\x01", "sha256")

    one, layer = VECTORS["track_keys"][1], (1).to_bytes(8, "big")
    public = VECTORS["identities"]["alice"]["fingerprint"]
    media = expand(SECRET, b"epoch media", b"ctx", b"room", (1).to_bytes(8, "big"))
    stream = expand(media, b"stream", bytes.fromhex(public), bytes.fromhex(one["nonce"]))
    assert expand(stream, b"track", b"v", layer).hex() == one["key"]
    bound = b"".join(map(field, (b"ctx", b"room", (1).to_bytes(8, "big"), SECRET)))
    commitment = hashlib.sha256(b"sealroom/1 epoch commitment\0" + bound).hexdigest()
    assert commitment == EPOCH["commitment"]


def test_a_sealed_message_still_opens() -> None:
    one = VECTORS["sealed"]
    sealed, info = bytes.fromhex(one["sealed"]), bytes.fromhex(one["info"])
    message = IDENTITIES[one["recipient"]].open_sealed(sealed, info=info)
    assert message.hex() == one["message"]


@pytest.mark.parametrize("name", IDENTITIES)
def test_a_stored_room_still_opens(name: str, record: RoomRecord, keys: EpochKeys) -> None:
    sealed = msgspec.convert(VECTORS["room"]["sealed_secrets"], list[SealedSecret])
    opened = open_secret(sealed, EPOCH_ID, name, IDENTITIES[name], record.epoch_commitment)
    assert opened == SECRET
    meta = decrypt_private_metadata(record.private_meta, keys, record.version)
    assert meta.hex() == VECTORS["room"]["private_meta"]


def test_a_stored_announcement_still_verifies(record: RoomRecord, keys: EpochKeys) -> None:
    view = StreamView(
        stream_id="stream",
        participant_id="p",
        user_id="alice",
        announcement=msgspec.convert(VECTORS["announcement"]["object"], SignedObject),
    )
    stream = verify_announcement(view, record, IDENTITIES["alice"].public)
    assert stream.track_key(keys, "v", layer=1).hex() == VECTORS["track_keys"][1]["key"]
