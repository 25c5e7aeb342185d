"""PrivMX frames and messages against a second implementation of the format, with `cryptography`."""

from __future__ import annotations

import hashlib
import os
import struct

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from sealroom import errors, privmx
from sealroom._core import privmx as native

KEY_ID = "0123456789abcdef0123456789ABCDEF"
KEY = hashlib.sha256(b"room key".ljust(32)).digest()
KINDS: list[privmx.FrameKind] = ["audio", "key", "delta", "empty", "other"]
LAYOUTS: list[privmx.ClearHeader] = ["by_kind", "one_byte"]


class Peer:
    """The format as its description says, in no other way related to the code under test."""

    @staticmethod
    def clear_size(kind: str, layout: str) -> int:
        sizes = {"audio": 1, "key": 10, "delta": 3, "empty": 1, "other": 0}
        return 1 if layout == "one_byte" else sizes[kind]

    @staticmethod
    def seal_media(frame: bytes, clear: int, rms: int, key_id: str = KEY_ID) -> bytes:
        iv = os.urandom(12)
        body = AESGCM(KEY).encrypt(iv, frame[clear:], frame[:clear])
        trailer = iv + bytes([len(iv)]) + key_id.encode() + bytes([len(key_id), rms])
        return frame[:clear] + body + trailer

    @staticmethod
    def open_media(sealed: bytes, clear: int) -> tuple[bytes, str, int]:
        rms = sealed[-1]
        key_id_size = sealed[-2]
        rest = sealed[: -2 - key_id_size]
        key_id = sealed[-2 - key_id_size : -2].decode()
        iv_size = rest[-1]
        iv, body = rest[-1 - iv_size : -1], rest[clear : -1 - iv_size]
        frame = sealed[:clear] + AESGCM(KEY).decrypt(iv, body, sealed[:clear])
        return frame, key_id, rms

    @staticmethod
    def seal_data(message: bytes, sequence: int, key_id: str = KEY_ID) -> bytes:
        iv = os.urandom(12)
        header = struct.pack(">BI12sB", 1, sequence, iv, len(key_id)) + key_id.encode()
        return header + AESGCM(KEY).encrypt(iv, message, header)

    @staticmethod
    def open_data(sealed: bytes) -> tuple[bytes, str, int]:
        version, sequence, iv, size = struct.unpack_from(">BI12sB", sealed)
        assert version == 1
        header, body = sealed[: 18 + size], sealed[18 + size :]
        return AESGCM(KEY).decrypt(iv, body, header), header[18:].decode(), sequence


def make_keys(message_limit: int = privmx.DEFAULT_MESSAGE_LIMIT) -> privmx.KeyStore:
    keys = privmx.KeyStore(message_limit=message_limit)
    keys.add(KEY_ID, KEY)
    return keys


KEYS = make_keys()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
@given(frame=st.binary(min_size=10, max_size=300), level=st.integers(-100, 0))
def test_media_frames_of_either_side_are_read_by_the_other(
    kind: privmx.FrameKind, layout: privmx.ClearHeader, frame: bytes, level: int
) -> None:
    clear = Peer.clear_size(kind, layout)
    sealed = privmx.protect_media(
        KEYS, KEY_ID, frame, kind=kind, clear_header=layout, level=float(level)
    )
    assert len(sealed) == len(frame) + privmx.MEDIA_OVERHEAD
    assert Peer.open_media(sealed, clear) == (frame, KEY_ID, level + 100)
    theirs = Peer.seal_media(frame, clear, level + 100)
    opened = privmx.unprotect_media(KEYS, theirs, kind=kind, clear_header=layout)
    assert opened == (frame, KEY_ID, level)


@given(messages=st.lists(st.binary(max_size=200), min_size=1, max_size=8))
@pytest.mark.parametrize("first", [privmx.NATIVE_FIRST_SEQUENCE, privmx.JAVASCRIPT_FIRST_SEQUENCE])
def test_data_messages_of_either_side_are_read_by_the_other(
    first: int, messages: list[bytes]
) -> None:
    sender = privmx.DataSender(KEYS, KEY_ID, first_sequence=first)
    receiver = privmx.DataReceiver(KEYS)
    assert receiver.last_sequence is None
    for sequence, message in enumerate(messages, first):
        sealed = sender.protect(message)
        assert len(sealed) == len(message) + privmx.DATA_OVERHEAD
        assert Peer.open_data(sealed) == (message, KEY_ID, sequence)
        opened = receiver.unprotect(Peer.seal_data(message, sequence))
        assert opened == (message, KEY_ID, sequence)
        assert receiver.last_sequence == sequence
    assert sender.next_sequence == first + len(messages)


def test_ivs_are_random() -> None:
    frames = {
        privmx.protect_media(KEYS, KEY_ID, b"frame", kind="audio")[-47:-35] for _ in range(200)
    }
    assert len(frames) == 200
    sender = privmx.DataSender(KEYS, KEY_ID)
    assert len({sender.protect(b"")[5:17] for _ in range(200)}) == 200


def test_the_media_key_is_the_hash_of_the_room_key() -> None:
    room_key = bytes(range(32))
    assert privmx.media_key(room_key) == hashlib.sha256(room_key).digest()
    with pytest.raises(errors.InvalidArgumentError, match="room_key: 32 bytes"):
        privmx.media_key(room_key[:31])


def test_every_bit_but_those_of_the_loudness_is_authenticated() -> None:
    sealed = privmx.protect_media(KEYS, KEY_ID, bytes(range(30)), kind="key", level=-40.0)
    for bit in range(len(sealed) * 8):
        tampered = bytearray(sealed)
        tampered[bit // 8] ^= 1 << bit % 8
        if bit // 8 == len(sealed) - 1:
            opened = privmx.unprotect_media(KEYS, tampered, kind="key")
            assert opened.data == bytes(range(30))
            assert -100 <= opened.unauthenticated_level <= 0
            continue
        with pytest.raises(errors.SealroomError):
            privmx.unprotect_media(KEYS, tampered, kind="key")


def test_what_cannot_be_decrypted_is_never_passed_through() -> None:
    clear_text = bytes(range(200))
    with pytest.raises(errors.MalformedError):
        privmx.unprotect_media(KEYS, clear_text, kind="delta")
    with pytest.raises(errors.TruncatedError):
        privmx.unprotect_media(KEYS, b"", kind="delta")
    sealed = privmx.protect_media(KEYS, KEY_ID, clear_text, kind="delta")
    with pytest.raises(errors.AuthenticationError):
        privmx.unprotect_media(KEYS, sealed, kind="delta", clear_header="one_byte")
    with pytest.raises(errors.KeyNotFoundError):
        privmx.unprotect_media(privmx.KeyStore(), sealed, kind="delta")
    with pytest.raises(errors.MalformedError):
        privmx.unprotect_media(KEYS, Peer.seal_media(clear_text, 3, 0, "short"), kind="delta")
    with pytest.raises(InvalidTag):
        Peer.open_media(bytes([sealed[0] ^ 1]) + sealed[1:], 3)


def test_media_may_be_replayed_and_data_not() -> None:
    sealed = privmx.protect_media(KEYS, KEY_ID, b"frame", kind="audio")
    for _ in range(2):  # the format has no counter: docs/security.md
        assert privmx.unprotect_media(KEYS, sealed, kind="audio").data == b"frame"
    receiver = privmx.DataReceiver(KEYS)
    receiver.unprotect(Peer.seal_data(b"a", 5))
    for sequence in (5, 4, 0):
        with pytest.raises(errors.ReplayError):
            receiver.unprotect(Peer.seal_data(b"a", sequence))
    assert receiver.unprotect(Peer.seal_data(b"b", 6)).data == b"b"


def test_a_refused_message_does_not_move_the_sequence() -> None:
    receiver = privmx.DataReceiver(KEYS)
    forged = bytearray(Peer.seal_data(b"a", 2**32 - 1))
    forged[-1] ^= 1
    with pytest.raises(errors.AuthenticationError):
        receiver.unprotect(forged)
    with pytest.raises(errors.UnsupportedError):
        receiver.unprotect(b"\x02" + Peer.seal_data(b"a", 1)[1:])
    with pytest.raises(errors.TruncatedError):
        receiver.unprotect(Peer.seal_data(b"", 1)[:-1])
    with pytest.raises(errors.MalformedError):
        receiver.unprotect(Peer.seal_data(b"message", 1, "0123456789abcdef"))
    with pytest.raises(errors.KeyNotFoundError):
        receiver.unprotect(Peer.seal_data(b"a", 1, "f" * 32))
    assert receiver.last_sequence is None
    assert receiver.unprotect(Peer.seal_data(b"a", 0)).sequence == 0


def test_sequence_numbers_end_and_do_not_wrap() -> None:
    sender = privmx.DataSender(KEYS, KEY_ID, first_sequence=2**32 - 1)
    assert Peer.open_data(sender.protect(b"last")) == (b"last", KEY_ID, 2**32 - 1)
    assert sender.next_sequence == 2**32
    with pytest.raises(errors.KeyExhaustedError):
        sender.protect(b"one more")


def test_a_key_protects_only_so_many_messages() -> None:
    keys = make_keys(message_limit=3)
    sender = privmx.DataSender(keys, KEY_ID)
    sender.protect(b"1")
    privmx.protect_media(keys, KEY_ID, b"2", kind="audio")
    sender.protect(b"3")
    with pytest.raises(errors.KeyExhaustedError):
        privmx.protect_media(keys, KEY_ID, b"4", kind="audio")
    with pytest.raises(errors.KeyExhaustedError):
        sender.protect(b"4")
    assert sender.next_sequence == 2


def test_bad_arguments_are_named() -> None:
    keys = make_keys()
    for key_id in ("", "0" * 31, "0" * 33, "g" * 32):
        with pytest.raises(errors.InvalidArgumentError, match="key_id: 32 hexadecimal digits"):
            keys.add(key_id, KEY)
    with pytest.raises(errors.InvalidArgumentError, match="key: 32 bytes"):
        keys.add("f" * 32, KEY[:16])
    with pytest.raises(errors.InvalidArgumentError, match="it has a key already"):
        keys.add(KEY_ID, KEY)
    assert (len(keys), KEY_ID in keys, "f" * 32 in keys, "" in keys) == (1, True, False, False)
    with pytest.raises(TypeError) as caught:
        keys.add(1, KEY)  # type: ignore[arg-type]
    assert repr(KEY)[2:-1] not in str(caught.value)
    with pytest.raises(errors.InvalidArgumentError, match="kind: 'video' is not one of"):
        privmx.protect_media(keys, KEY_ID, b"", kind="video")  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidArgumentError, match="clear_header: '' is not one of"):
        privmx.protect_media(keys, KEY_ID, b"x", kind="audio", clear_header="")  # type: ignore[arg-type]
    with pytest.raises(errors.InvalidArgumentError, match=r"frame: .* clear header, 10 bytes"):
        privmx.protect_media(keys, KEY_ID, b"123456789", kind="key")
    with pytest.raises(errors.InvalidArgumentError, match="level"):
        privmx.protect_media(keys, KEY_ID, b"x", kind="audio", level=float("nan"))
    with pytest.raises(errors.KeyNotFoundError):
        privmx.protect_media(keys, "f" * 32, b"x", kind="audio")
    iv = bytes(12)
    options = {"kind": "audio", "clear_header": "by_kind", "rms": 0}
    native.protect_media(keys, KEY_ID, b"x", iv=iv, **options)  # type: ignore[arg-type]
    for wrong in (iv, bytes(11), bytes(16)):
        with pytest.raises(errors.InvalidArgumentError, match="iv: 12 random bytes"):
            native.protect_media(keys, KEY_ID, b"x", iv=wrong, **options)  # type: ignore[arg-type]


def test_keys_are_bounded() -> None:
    keys = privmx.KeyStore()
    for number in range(privmx.MAX_KEYS):
        keys.add(f"{number:032x}", KEY)
    with pytest.raises(errors.LimitExceededError):
        keys.add("f" * 32, KEY)
    assert keys.remove("0" * 32)
    assert not keys.remove("0" * 32)
    keys.add("f" * 32, KEY)
    assert len(keys) == privmx.MAX_KEYS
