"""Messages of data tracks: their format, their keys and their numbers."""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from sealroom.crypto.data_errors import (
    DataEpochError,
    DataForgedError,
    DataMalformedError,
    DataMessageError,
    DataReorderedError,
    DataReplayError,
    DataTooBigError,
)
from sealroom.crypto.data_message import (
    DataReceiver,
    DataSender,
    DataTrackId,
    parse_header,
)
from sealroom.crypto.epoch import EpochId, EpochKeys, derive_epoch_keys
from sealroom.errors import InvalidArgumentError
from sealroom.protocol import DATA_MESSAGE_OVERHEAD, MAX_DATA_MESSAGE_BYTES

TRACK = DataTrackId(b"f" * 32, b"n" * 16, "stream", "track")


def keys(epoch: int = 1, secret: bytes = b"s" * 32) -> EpochKeys:
    return derive_epoch_keys(secret, EpochId("context", "room", epoch))


def pair(track: DataTrackId = TRACK) -> tuple[DataSender, DataReceiver]:
    receiver = DataReceiver(track)
    receiver.add_epoch(keys())
    return DataSender(keys(), track), receiver


def test_a_message_has_the_bytes_that_the_wire_document_says() -> None:
    def expand(secret: bytes, label: str, *fields: bytes, length: int = 32) -> bytes:
        info = b"sealroom/1 " + label.encode() + b"\0"
        info += b"".join(len(one).to_bytes(4, "big") + one for one in fields)
        return hmac.digest(secret, info + b"\1", hashlib.sha256)[:length]

    epoch = (b"context", b"room", (7).to_bytes(8, "big"))
    stream = expand(expand(b"s" * 32, "epoch data", *epoch), "data stream", b"f" * 32, b"n" * 16)
    key = expand(stream, "data track key", b"track")
    salt = expand(stream, "data track salt", b"track", length=12)
    sender = DataSender(keys(7), TRACK)
    sender.seal(b"first")
    header = b"\1" + (7).to_bytes(8, "big") + (1).to_bytes(8, "big")
    nonce = salt[:4] + bytes(a ^ b for a, b in zip(salt[4:], header[9:], strict=True))
    bound = b"sealroom/1 data message\0" + b"\0\0\0\6stream" + b"\0\0\0\5track" + header
    assert sender.seal(b"second") == header + AESGCM(key).encrypt(nonce, b"second", bound)


@given(st.lists(st.binary(max_size=64), max_size=8))
def test_messages_come_back_in_order_with_numbers_from_zero(contents: list[bytes]) -> None:
    sender, receiver = pair()
    opened = [receiver.open(sender.seal(one)) for one in contents]
    assert [one.data for one in opened] == contents
    assert [(one.sequence, one.missing) for one in opened] == [(i, 0) for i in range(len(contents))]


@given(st.binary(max_size=200))
def test_no_bytes_make_the_parser_or_the_receiver_do_more_than_refuse(message: bytes) -> None:
    try:
        header = parse_header(message)
    except DataMalformedError:
        pass
    else:
        assert message[:17] == struct.pack("!BQQ", 1, header.epoch, header.sequence)
    sender, receiver = pair()
    with pytest.raises(DataMessageError):
        receiver.open(message)
    assert receiver.open(sender.seal(b"still the first")).sequence == 0


@given(st.data())
def test_an_altered_message_is_refused_and_changes_nothing(data: st.DataObject) -> None:
    sender, receiver = pair()
    receiver.open(sender.seal(b"zero"))
    message = sender.seal(b"one")
    at = data.draw(st.integers(0, len(message) - 1))
    bit = data.draw(st.integers(0, 7))
    altered = message[:at] + bytes([message[at] ^ 1 << bit]) + message[at + 1 :]
    with pytest.raises(DataMalformedError if at == 0 else (DataForgedError, DataEpochError)):
        receiver.open(altered)
    cut = data.draw(st.integers(0, len(message) - 1))
    with pytest.raises((DataMalformedError, DataForgedError)):
        receiver.open(message[:cut])
    assert receiver.open(message).sequence == 1


def test_the_biggest_message_passes_and_a_bigger_one_is_refused_at_both_ends() -> None:
    sender, receiver = pair()
    biggest = sender.seal(bytes(MAX_DATA_MESSAGE_BYTES))
    assert len(biggest) == MAX_DATA_MESSAGE_BYTES + DATA_MESSAGE_OVERHEAD
    assert receiver.open(biggest).data == bytes(MAX_DATA_MESSAGE_BYTES)
    with pytest.raises(InvalidArgumentError, match="data: at most 16384 bytes"):
        sender.seal(bytes(MAX_DATA_MESSAGE_BYTES + 1))
    assert sender.next_sequence == 1
    with pytest.raises(DataTooBigError):
        receiver.open(biggest + b"x")


def test_a_replayed_message_is_named() -> None:
    sender, receiver = pair()
    messages = [sender.seal(b"") for _ in range(3)]
    for message in messages:
        receiver.open(message)
    for message in messages:
        with pytest.raises(DataReplayError):
            receiver.open(message)


def test_a_gap_is_counted_where_it_is_and_what_comes_late_is_named() -> None:
    sender, receiver = pair()
    messages = [sender.seal(b"") for _ in range(6)]
    receiver.open(messages[0])
    assert receiver.open(messages[4]).missing == 3
    for late in (2, 1, 3):
        with pytest.raises(DataReorderedError):
            receiver.open(messages[late])
        with pytest.raises(DataReplayError):
            receiver.open(messages[late])
    assert receiver.open(messages[5]).missing == 0


def test_the_first_message_seen_begins_the_count() -> None:
    sender, receiver = pair()
    messages = [sender.seal(b"") for _ in range(6)]
    assert (receiver.open(messages[3]).sequence, receiver.open(messages[4]).missing) == (3, 0)
    with pytest.raises(DataReplayError):
        receiver.open(messages[2])


def test_after_a_pause_the_count_may_skip_and_nothing_comes_again() -> None:
    sender, receiver = pair()
    messages = [sender.seal(b"") for _ in range(6)]
    receiver.open(messages[0])
    receiver.resume()
    with pytest.raises(DataReplayError):
        receiver.open(messages[0])
    assert receiver.open(messages[3]).missing == 0
    with pytest.raises(DataReplayError):
        receiver.open(messages[2])
    assert receiver.open(messages[5]).missing == 1


def test_the_count_goes_on_in_the_next_epoch_and_the_epoch_before_does_not_come_back() -> None:
    sender, receiver = pair()
    other = DataSender(keys(1), TRACK)
    for _ in range(2):
        receiver.open(sender.seal(b"old"))
        other.seal(b"old")
    sender.rotate(keys(2))
    sender.rotate(keys(1))
    message = sender.seal(b"new")
    assert parse_header(message).epoch == 2
    assert receiver.may_come(2)
    with pytest.raises(DataEpochError) as refused:
        receiver.open(message)
    assert refused.value.epoch == 2
    receiver.add_epoch(keys(2))
    assert not receiver.may_come(2)
    opened = receiver.open(message)
    assert (opened.sequence, opened.epoch, opened.missing) == (2, 2, 0)
    other.seal(b"its number is taken")
    with pytest.raises(DataEpochError, match="the one before is of epoch 2"):
        receiver.open(other.seal(b"by somebody with the old key"))


def test_a_dropped_epoch_is_refused() -> None:
    sender, receiver = pair()
    receiver.add_epoch(keys(2))
    receiver.drop_epochs_before(2)
    with pytest.raises(DataEpochError):
        receiver.open(sender.seal(b""))


@pytest.mark.parametrize(
    "other",
    [
        replace(TRACK, fingerprint=b"g" * 32),
        replace(TRACK, nonce=b"m" * 16),
        replace(TRACK, stream_id="another"),
        replace(TRACK, track_id="another"),
    ],
)
def test_a_message_of_another_publisher_stream_or_track_does_not_authenticate(
    other: DataTrackId,
) -> None:
    sender, _ = pair(other)
    _, receiver = pair()
    with pytest.raises(DataForgedError):
        receiver.open(sender.seal(b"elsewhere"))


def test_holes_are_remembered_up_to_a_bound() -> None:
    sender, receiver = pair()
    messages = [sender.seal(b"") for _ in range(2 * 70 + 1)]
    for message in messages[::2]:
        receiver.open(message)
    with pytest.raises(DataReplayError):  # forgotten, and refused all the same
        receiver.open(messages[1])
    with pytest.raises(DataReorderedError):
        receiver.open(messages[-2])
