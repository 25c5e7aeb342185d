"""The protocol's tables are complete, its messages strict, and its limits fit each other."""

import ast
from pathlib import Path

import msgspec
import pytest

import sealroom.protocol
from sealroom import protocol
from sealroom.protocol import (
    ERROR_SENTENCES,
    EVENTS,
    METHODS,
    ErrorCode,
    EventEnvelope,
    EventType,
    Failure,
    Incoming,
    Message,
    Participant,
    Request,
    RoomCreateParams,
    RoomRecord,
    SealedSecret,
    SignedObject,
    Success,
    decode_event_data,
)

STRUCTS = sorted(
    (one for one in vars(protocol).values() if isinstance(one, type) and issubclass(one, Message)),
    key=lambda one: one.__name__,
)


def test_every_error_has_a_sentence_and_a_number_of_its_own() -> None:
    assert set(ERROR_SENTENCES) == set(ErrorCode)
    assert len(set(ERROR_SENTENCES.values())) == len(ERROR_SENTENCES)
    assert all(text.endswith(".") for text in ERROR_SENTENCES.values())
    assert len({int(code) for code in ErrorCode}) == len(list(ErrorCode.__members__))


def test_every_event_has_data() -> None:
    assert set(EVENTS) == set(EventType)


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda one: one.__name__)
def test_unknown_fields_are_refused(struct: type[Message]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"no_such_field": 1}', type=struct)
    assert struct.__struct_config__.forbid_unknown_fields
    assert struct.__struct_config__.frozen


def test_parameters_and_results_can_be_decoded() -> None:
    for parameters, result in METHODS.values():
        msgspec.json.Decoder(parameters)
        msgspec.json.Decoder(result)


@pytest.mark.parametrize("room_id", ["", "a" * 65, "a b", "a\n", "ä", "a/b", "a\0"])
def test_ids_are_short_tokens(room_id: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"room_id": room_id}, protocol.RoomParams)


@pytest.mark.parametrize("user_id", ["", "a" * 129, "a b", "a\n", "a\x7f", "\0"])
def test_user_ids_have_no_spaces_or_control_signs(user_id: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"context_id": "c", "user_id": user_id}, protocol.ChallengeParams)


def test_user_ids_may_be_of_any_script() -> None:
    found = msgspec.convert({"context_id": "c", "user_id": "żółć@例え"}, protocol.ChallengeParams)
    assert found.user_id == "żółć@例え"


def test_signed_payloads_travel_byte_by_byte() -> None:
    signed = SignedObject(type="t", payload=bytes(range(256)), signature=b"s", author="alice")
    assert msgspec.json.decode(msgspec.json.encode(signed), type=SignedObject) == signed


def test_event_data_is_decoded_by_its_type() -> None:
    envelope = EventEnvelope(
        sequence=1,
        type=EventType.PARTICIPANT_JOINED,
        context_id="c",
        room_id="r",
        data=msgspec.Raw(b'{"participant_id":"p","user_id":"alice"}'),
    )
    assert decode_event_data(envelope) == Participant(participant_id="p", user_id="alice")
    wrong = msgspec.structs.replace(envelope, type=EventType.ROOM_CLOSED)
    with pytest.raises(msgspec.ValidationError):
        decode_event_data(wrong)


def test_a_client_can_decode_everything_as_one_type() -> None:
    error = protocol.ErrorObject(code=1, message="m")
    success = msgspec.json.encode(Success(id=7, result=msgspec.Raw(b"{}")))
    failure = msgspec.json.encode(Failure(id=None, error=error))
    first = msgspec.json.decode(success, type=Incoming)
    assert (first.id, first.error, first.method) == (7, msgspec.UNSET, msgspec.UNSET)
    second = msgspec.json.decode(failure, type=Incoming)
    assert (second.id, second.error, second.result) == (None, error, msgspec.UNSET)


def test_request_ids_are_bounded() -> None:
    for good in (b"0", b"-1", b'"a"'):
        msgspec.json.decode(b'{"jsonrpc":"2.0","method":"m","id":%s}' % good, type=Request)
    for bad in (b"null", b"1.5", b"9007199254740993", b'"%s"' % (b"a" * 65), b"[]"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(b'{"jsonrpc":"2.0","method":"m","id":%s}' % bad, type=Request)


def test_the_largest_room_fits_a_message() -> None:
    """1000 members with the longest names, secrets of the real size, full metadata."""
    name = "n" * protocol.MAX_USER_ID_LENGTH
    member = protocol.RoomMember(user_id=name, identity_fingerprint=bytes(32), role="manager")
    record = RoomRecord(
        context_id="c" * 64,
        room_id="r" * 64,
        version=1,
        previous_hash=b"",
        author=name,
        created_at=2**53,
        members=[member] * protocol.MAX_ROOM_MEMBERS,
        policy={},
        public_meta=bytes(protocol.MAX_METADATA_BYTES),
        private_meta=bytes(protocol.MAX_ENCRYPTED_METADATA_BYTES),
        epoch=1,
        epoch_commitment=bytes(32),
    )
    payload = msgspec.json.encode(record)
    assert len(payload) <= protocol.MAX_RECORD_BYTES
    sealed_bytes = 1120 + 32 + 16  # ML-KEM-768 + X25519 encapsulation, secret, tag
    secret = SealedSecret(user_id=name, epoch=1, sealed=bytes(sealed_bytes))
    params = RoomCreateParams(
        context_id="c" * 64,
        room_id="r" * 64,
        record=SignedObject(type="t", payload=payload, signature=bytes(64), author=name),
        sealed_secrets=[secret] * protocol.MAX_ROOM_MEMBERS,
    )
    assert len(msgspec.json.encode(params)) <= protocol.MAX_MESSAGE_BYTES


def test_the_largest_join_fits_a_message() -> None:
    name = "n" * protocol.MAX_USER_ID_LENGTH
    share = protocol.MAX_ROOM_ANNOUNCEMENT_BYTES // protocol.MAX_ROOM_STREAMS
    signed = SignedObject(type="t", payload=bytes(share), signature=bytes(64), author=name)
    stream = protocol.StreamView(
        stream_id="s" * 64, participant_id="p" * 32, user_id=name, announcement=signed
    )
    joined = protocol.JoinResult(
        participant_id="p" * 32,
        version=protocol.MAX_ROOM_VERSIONS,
        participants=[
            Participant(
                participant_id="p" * 32, user_id=name, joined_at=2**53, stream_ids=["s" * 64]
            )
        ]
        * 1000,
        streams=[stream] * protocol.MAX_ROOM_STREAMS,
        media=protocol.MediaConfiguration(ice_servers=[]),
    )
    assert len(msgspec.json.encode(joined)) <= protocol.MAX_MESSAGE_BYTES


def test_the_largest_update_fits_a_message() -> None:
    sealed = SealedSecret(
        user_id="n" * protocol.MAX_USER_ID_LENGTH, epoch=10**4, sealed=bytes(1200)
    )
    signed = SignedObject(
        type="room-record",
        payload=bytes(protocol.MAX_RECORD_BYTES),
        signature=bytes(64),
        author="n" * protocol.MAX_USER_ID_LENGTH,
    )
    update = protocol.RoomUpdateParams(
        room_id="r" * 64, record=signed, sealed_secrets=[sealed] * protocol.MAX_UPDATE_SECRETS
    )
    assert len(msgspec.json.encode(update)) <= protocol.MAX_MESSAGE_BYTES - 1024


def test_a_page_of_the_largest_users_fits_a_message() -> None:
    user = protocol.User(user_id="n" * 128, identity="i" * protocol.MAX_IDENTITY_LENGTH)
    page = protocol.ContextUsersResult(total=1, users=[user] * protocol.MAX_PAGE_ITEMS)
    assert len(msgspec.json.encode(page)) <= protocol.MAX_MESSAGE_BYTES


def test_the_protocol_stands_alone() -> None:
    for path in Path(sealroom.protocol.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                assert node.module in {"typing", "enum", "msgspec"}, path
            if isinstance(node, ast.Import):
                assert [one.name for one in node.names] == ["msgspec"], path
