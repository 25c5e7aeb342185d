"""Text that is not UTF-8, and nesting without end, are malformed like anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from sealroom.access.policy import Policy
from sealroom.bridge.announcements import check_announcement
from sealroom.bridge.errors import RequestError
from sealroom.bridge.records import RoomAccess, check_new_room
from sealroom.bridge.room_store import public_fields
from sealroom.client.errors import ProtocolError
from sealroom.client.login import decode_result
from sealroom.client.rooms import RoomDirectory
from sealroom.crypto.errors import MalformedObjectError
from sealroom.crypto.signed_object import read_unverified, verify_object
from sealroom.identity import Identity, PinFileError, RoomPinFile, TrustOnFirstUse, UserKey
from sealroom.protocol import (
    ROOM_RECORD_TYPE,
    STREAM_ANNOUNCEMENT_TYPE,
    ErrorCode,
    EventEnvelope,
    EventType,
    RoomCreateParams,
    RoomListItems,
    RoomListParams,
    RoomRecord,
    RoomResult,
    SignedObject,
    decode_event_data,
)
from sealroom.protocol.decoding import decode_json

ALICE = Identity.from_seed(bytes(32))
NO_TEXT = b'{"context_id":"\xff"}'


class Text(msgspec.Struct):
    context_id: str


def signed(object_type: str) -> SignedObject:
    signature = ALICE.sign(object_type, NO_TEXT)
    return SignedObject(type=object_type, payload=NO_TEXT, signature=signature, author="alice")


@pytest.mark.parametrize(
    "data", [NO_TEXT, b'{"b":' + b"[" * 100_000, b'{"context_id":"\\ud800"}', b"\xff", b""]
)
def test_whatever_is_wrong_is_a_decoding_error(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_json(data, Text)


def test_a_signed_object_is_malformed() -> None:
    record = signed(ROOM_RECORD_TYPE)
    with pytest.raises(MalformedObjectError, match="UTF-8"):
        read_unverified(record, RoomRecord)
    with pytest.raises(MalformedObjectError):
        verify_object(record, ROOM_RECORD_TYPE, ALICE.public, RoomRecord)


def test_a_result_is_an_error_of_the_protocol() -> None:
    with pytest.raises(ProtocolError, match=r"room\.get"):
        decode_result("room.get", msgspec.Raw(b'{"room":{"room_id":"\xff"}}'), RoomResult)


async def test_a_room_in_a_list_is_refused_by_itself() -> None:
    class Bridge:
        async def call(self, *_: Any) -> RoomListItems:
            return RoomListItems(total=1, rooms=[msgspec.Raw(b'{"room_id":"\xff"}')])

    directory = RoomDirectory(cast(Any, Bridge()))
    page = await directory.page(RoomListParams(context_id="context"))
    assert page.rooms == []
    assert [type(one.error) for one in page.refused] == [ProtocolError]


def test_an_event_is_malformed() -> None:
    envelope = EventEnvelope(
        sequence=1,
        type=EventType.STREAM_UNPUBLISHED,
        context_id="context",
        room_id="room",
        data=msgspec.Raw(b'{"stream_id":"\xff"}'),
    )
    with pytest.raises(msgspec.DecodeError):
        decode_event_data(envelope)


async def test_files_of_pins_are_malformed(tmp_path: Path) -> None:
    path = tmp_path / "pins.json"
    path.write_bytes(b'{"context":{"\xff":"x"}}')
    with pytest.raises(PinFileError):
        await RoomPinFile(path).load("context", "room")
    with pytest.raises(PinFileError):
        await TrustOnFirstUse(path).verify("context", [UserKey("alice", bytes(32))])


def test_the_bridge_refuses_a_record_by_its_code() -> None:
    params = RoomCreateParams(
        context_id="context", room_id="room", record=signed(ROOM_RECORD_TYPE), sealed_secrets=[]
    )
    with pytest.raises(RequestError) as refused:
        check_new_room(params, "alice", ALICE.public, {})
    assert refused.value.error is ErrorCode.RECORD_INVALID


def test_the_bridge_refuses_an_announcement_by_its_code() -> None:
    access = RoomAccess("room", "context", "alice", 1, Policy.from_record({}), {})
    with pytest.raises(RequestError) as refused:
        check_announcement(signed(STREAM_ANNOUNCEMENT_TYPE), "alice", ALICE.public, access)
    assert refused.value.error is ErrorCode.ANNOUNCEMENT_INVALID


def test_public_metadata_that_is_no_text_has_no_fields_to_filter_on() -> None:
    assert public_fields(b'{"kind":"\xff"}') == {}
