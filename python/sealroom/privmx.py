"""Frames and messages of PrivMX Streams clients (format version 1), given the room's key.

A second, opt-in format beside SFrame, for reading and writing the media of existing PrivMX
clients. It is weaker: one key for the whole room, no protection against replay of media, a loudness
byte that anyone may change (docs/security.md). Frames that cannot be decrypted raise; they are
never passed through. The layouts stand in docs/wire.md.

>>> from sealroom import privmx
>>> keys = privmx.KeyStore()
>>> key_id = "00112233445566778899aabbccddeeff"
>>> keys.add(key_id, privmx.media_key(bytes(32)))
>>> sealed = privmx.protect_media(keys, key_id, b"an opus packet", kind="audio", level=-20.0)
>>> frame = privmx.unprotect_media(keys, sealed, kind="audio")
>>> frame.data, frame.unauthenticated_level
(b'an opus packet', -20)
>>> sender, receiver = privmx.DataSender(keys, key_id), privmx.DataReceiver(keys)
>>> receiver.unprotect(sender.protect(b"hello")).data
b'hello'
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from sealroom._core import privmx as _privmx
from sealroom._core.privmx import (
    DATA_OVERHEAD,
    DEFAULT_MESSAGE_LIMIT,
    IV_SIZE,
    KEY_SIZE,
    MAX_KEYS,
    MEDIA_OVERHEAD,
    KeyStore,
)
from sealroom.errors import InvalidArgumentError

if TYPE_CHECKING:
    from sealroom._core import BytesLike

__all__ = [
    "DATA_OVERHEAD",
    "DEFAULT_MESSAGE_LIMIT",
    "IV_SIZE",
    "JAVASCRIPT_FIRST_SEQUENCE",
    "KEY_SIZE",
    "MAX_KEYS",
    "MEDIA_OVERHEAD",
    "NATIVE_FIRST_SEQUENCE",
    "SILENCE",
    "ClearHeader",
    "DataMessage",
    "DataReceiver",
    "DataSender",
    "FrameKind",
    "KeyStore",
    "MediaFrame",
    "media_key",
    "protect_media",
    "unprotect_media",
]

_KEY_ID = re.compile("[0-9a-fA-F]{32}")

FrameKind = Literal["audio", "key", "delta", "empty", "other"]
ClearHeader = Literal["by_kind", "one_byte"]

SILENCE: Final = -99.0
"""The level that PrivMX clients write for silence and muted tracks, in dBFS."""
NATIVE_FIRST_SEQUENCE: Final = 0
JAVASCRIPT_FIRST_SEQUENCE: Final = 2
"""PrivMX's JavaScript receiver refuses lower first numbers, its native one accepts both."""


class MediaFrame(NamedTuple):
    """An encoded frame that was decrypted.

    `unauthenticated_level` is the loudness in dBFS, -100 to 0, that the frame came with: whoever
    carries the frame can change it, so nothing may depend on it but a picture of who speaks.
    """

    data: bytes
    key_id: str
    unauthenticated_level: int


class DataMessage(NamedTuple):
    """A message that was decrypted, with its number in the remote stream."""

    data: bytes
    key_id: str
    sequence: int


def media_key(room_key: bytes | bytearray | memoryview) -> bytes:
    """The key of a room's media and data, SHA-256 of the room key (32 bytes each)."""
    view = memoryview(room_key)
    if view.ndim != 1 or view.itemsize != 1 or view.nbytes != KEY_SIZE:
        raise InvalidArgumentError(f"room_key: {KEY_SIZE} bytes")
    return hashlib.sha256(bytes(view)).digest()


def protect_media(
    keys: KeyStore,
    key_id: str,
    frame: BytesLike,
    *,
    kind: FrameKind,
    clear_header: ClearHeader = "by_kind",
    level: float = SILENCE,
) -> bytes:
    """Encrypts an encoded frame under a random IV; MEDIA_OVERHEAD bytes longer than `frame`.

    `kind` and `clear_header` say how many bytes stay readable. "by_kind": audio 1; video key 10,
    delta 3, empty 1, other 0. "one_byte": 1 of every frame, as PrivMX's JavaScript client does
    whatever its source intends. Sender and receiver must agree. `level` is the loudness in dBFS,
    which travels in clear.

    Raises InvalidArgumentError (a frame shorter than its clear header), KeyNotFoundError and
    KeyExhaustedError at the key store's message limit.
    """
    if math.isnan(level):
        raise InvalidArgumentError("level: a number of dBFS, not NaN")
    rms = round(min(max(level, -100.0), 0.0)) + 100
    return _privmx.protect_media(
        keys,
        key_id,
        frame,
        iv=os.urandom(IV_SIZE),
        kind=kind,
        clear_header=clear_header,
        rms=rms,
    )


def unprotect_media(
    keys: KeyStore,
    frame: BytesLike,
    *,
    kind: FrameKind,
    clear_header: ClearHeader = "by_kind",
) -> MediaFrame:
    """Decrypts a frame of any sender whose key is in `keys`.

    A replayed frame decrypts again: the format has no counter. Raises TruncatedError and
    MalformedError, KeyNotFoundError, AuthenticationError (also if `kind` or `clear_header` is not
    the sender's).
    """
    data, key_id, rms = _privmx.unprotect_media(keys, frame, kind=kind, clear_header=clear_header)
    return MediaFrame(data, key_id, min(rms, 100) - 100)


class DataSender:
    """Encrypts the messages of one stream and numbers them. Thread-safe.

    PrivMX's native clients begin with number 0, its JavaScript client with 2 and refuses a first
    number of 0: pass JAVASCRIPT_FIRST_SEQUENCE where such a client listens.
    """

    def __init__(
        self, keys: KeyStore, key_id: str, *, first_sequence: int = NATIVE_FIRST_SEQUENCE
    ) -> None:
        if not _KEY_ID.fullmatch(key_id):
            raise InvalidArgumentError("key_id: 32 hexadecimal digits")
        self._keys = keys
        self._key_id = key_id
        self._sender = _privmx.DataSender(first_sequence=first_sequence)

    def protect(self, message: BytesLike) -> bytes:
        """The message on the wire, DATA_OVERHEAD bytes longer.

        Raises KeyNotFoundError, and KeyExhaustedError at the key's message limit, after which a
        new key helps, or after number 2**32 - 1, after which only a new DataSender does.
        """
        return self._sender.protect(self._keys, self._key_id, message, iv=os.urandom(IV_SIZE))

    @property
    def next_sequence(self) -> int:
        """The number of the next message; 2**32 when all are spent."""
        return self._sender.next_sequence


class DataReceiver:
    """Decrypts the messages of one remote stream, in order. Thread-safe."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._receiver = _privmx.DataReceiver()

    def unprotect(self, message: BytesLike) -> DataMessage:
        """The message; its number exceeds that of every message before.

        Raises ReplayError if it does not, MalformedError (TruncatedError), UnsupportedError for
        another version, KeyNotFoundError, AuthenticationError; after each the state is as before.
        """
        return DataMessage(*self._receiver.unprotect(self._keys, message))

    @property
    def last_sequence(self) -> int | None:
        """The number of the last message; None before the first."""
        return self._receiver.last_sequence
