"""Messages of data tracks: sealed under keys of their own, numbered without gaps.

    stream secret = Expand(epoch data key, "data stream", publisher's fingerprint, stream nonce)
    key           = Expand(stream secret, "data track key", track id)                    32 bytes
    salt          = Expand(stream secret, "data track salt", track id)                   12 bytes

    message    = version (1 byte, 1) | epoch (8) | sequence (8) | ciphertext | tag (16)
    ciphertext = AES-256-GCM(key, nonce = salt XOR sequence, data, bound to the label
                             "data message", stream id, track id and all before the ciphertext)

Integers are big-endian. The sequence begins at 0 with the track and goes on across epochs, so that
a nonce never comes again under its key, and nothing can be cut out where the key changes. It goes
on when the stream is published again under a fresh stream nonce, too: all keys are new then, and
the signed announcement says with which number (`first_sequence`).
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealroom.crypto.data_errors import (
    DataEpochError,
    DataForgedError,
    DataMalformedError,
    DataReorderedError,
    DataReplayError,
    DataTooBigError,
)
from sealroom.crypto.epoch import EpochKeys
from sealroom.crypto.labels import bind, expand
from sealroom.crypto.track_keys import STREAM_NONCE_BYTES
from sealroom.errors import InvalidArgumentError, KeyExhaustedError
from sealroom.protocol import DATA_MESSAGE_OVERHEAD, MAX_DATA_MESSAGE_BYTES

VERSION: Final = 1
_HEADER: Final = struct.Struct("!BQQ")
_TAG_BYTES: Final = 16
_SALT_BYTES: Final = 12
_LAST_SEQUENCE: Final = 2**64 - 1
_MAX_HOLES: Final = 64

assert _HEADER.size + _TAG_BYTES == DATA_MESSAGE_OVERHEAD


@dataclass(frozen=True, slots=True)
class DataTrackId:
    """Names one data track of one publisher; every key and message of it is bound to these."""

    fingerprint: bytes
    nonce: bytes
    stream_id: str
    track_id: str


@dataclass(frozen=True, slots=True)
class DataHeader:
    """The readable part of a message, not authenticated yet."""

    epoch: int
    sequence: int


@dataclass(frozen=True, slots=True)
class OpenedData:
    """An authentic message; `missing` counts those that should have come right before it."""

    epoch: int
    sequence: int
    missing: int
    data: bytes = field(repr=False)


def parse_header(message: bytes) -> DataHeader:
    """Return the header of a sealed message.

    Raises:
        DataTooBigError, DataMalformedError: it cannot be one.
    """
    if len(message) > MAX_DATA_MESSAGE_BYTES + DATA_MESSAGE_OVERHEAD:
        raise DataTooBigError(f"a data message carries at most {MAX_DATA_MESSAGE_BYTES} bytes")
    if len(message) < DATA_MESSAGE_OVERHEAD:
        raise DataMalformedError("a data message ends before its tag")
    version, epoch, sequence = _HEADER.unpack_from(message)
    if version != VERSION:
        raise DataMalformedError(f"a data message has version {VERSION}, not {version}")
    return DataHeader(epoch, sequence)


class _TrackCipher:
    """One epoch's key of one track."""

    def __init__(self, keys: EpochKeys, track: DataTrackId) -> None:
        if len(track.fingerprint) != 32 or len(track.nonce) != STREAM_NONCE_BYTES:
            raise ValueError("a fingerprint has 32 bytes and a stream nonce 16")
        stream = expand(keys.data, "data stream", track.fingerprint, track.nonce)
        salt = expand(stream, "data track salt", track.track_id, length=_SALT_BYTES)
        self._aead = AESGCM(expand(stream, "data track key", track.track_id))
        self._salt = int.from_bytes(salt, "big")
        self._bound = bind("data message", track.stream_id, track.track_id)

    def seal(self, header: bytes, sequence: int, data: bytes) -> bytes:
        return self._aead.encrypt(self._nonce(sequence), data, self._bound + header)

    def open(self, header: bytes, sequence: int, sealed: bytes) -> bytes:
        try:
            return self._aead.decrypt(self._nonce(sequence), sealed, self._bound + header)
        except InvalidTag:
            raise DataForgedError(f"data message {sequence} does not authenticate") from None

    def _nonce(self, sequence: int) -> bytes:
        return (self._salt ^ sequence).to_bytes(_SALT_BYTES, "big")


class DataSender:
    """Seals the messages of one track; there must be only one for a track (under one nonce)."""

    def __init__(self, keys: EpochKeys, track: DataTrackId, first: int = 0) -> None:
        """`first`: the number of the first message."""
        self._track = track
        self._epoch = keys.id.epoch
        self._cipher = _TrackCipher(keys, track)
        self._next = first

    @property
    def next_sequence(self) -> int:
        """Of the message sealed next."""
        return self._next

    @property
    def epoch(self) -> int:
        return self._epoch

    def rotate(self, keys: EpochKeys) -> None:
        """Seal from the next message on under a newer epoch; an older one changes nothing."""
        if keys.id.epoch > self._epoch:
            self._epoch, self._cipher = keys.id.epoch, _TrackCipher(keys, self._track)

    def seal(self, data: bytes) -> bytes:
        """Return the next message.

        Raises:
            InvalidArgumentError: the data is beyond `MAX_DATA_MESSAGE_BYTES`.
            KeyExhaustedError: 2^64 - 1 messages have been sealed.
        """
        if len(data) > MAX_DATA_MESSAGE_BYTES:
            raise InvalidArgumentError(
                f"data: at most {MAX_DATA_MESSAGE_BYTES} bytes in a message; send it in parts"
            )
        if self._next == _LAST_SEQUENCE:
            raise KeyExhaustedError("the track has no sequence numbers left; add another one")
        header = _HEADER.pack(VERSION, self._epoch, self._next)
        sealed = self._cipher.seal(header, self._next, data)
        self._next += 1
        return header + sealed


class DataReceiver:
    """Opens the messages of one track and holds their sender to its numbers."""

    def __init__(self, track: DataTrackId) -> None:
        self._track = track
        self._ciphers: dict[int, _TrackCipher] = {}
        self._next: int | None = None  # the sequence to come, None before the first message
        self._is_resumed = False
        self._epoch = 0  # of the newest message
        # What was missing when later messages came. Of more than these the oldest are forgotten.
        self._holes: deque[tuple[int, int]] = deque(maxlen=_MAX_HOLES)

    def add_epoch(self, keys: EpochKeys) -> None:
        """Accept messages of an epoch."""
        self._ciphers.setdefault(keys.id.epoch, _TrackCipher(keys, self._track))

    def drop_epochs_before(self, epoch: int) -> None:
        """Refuse messages of older epochs from now on."""
        self._ciphers = {one: key for one, key in self._ciphers.items() if one >= epoch}

    @property
    def next_sequence(self) -> int | None:
        """Of the message to come; None if any may be the first one."""
        return self._next

    def expect(self, sequence: int) -> None:
        """Take it that the first message has this number: others before it are missing."""
        if self._next is None:
            self._next = sequence

    def resume(self) -> None:
        """Take up again after a pause, with any number that has not come before."""
        self._is_resumed = True

    def may_come(self, epoch: int) -> bool:
        """Tell whether the key of an epoch may still come: it is newer than all there are."""
        return epoch > max(self._ciphers, default=0)

    def open(self, message: bytes) -> OpenedData:
        """Return an authentic message that comes in its turn, or after a gap.

        Raises:
            DataTooBigError, DataMalformedError: see `parse_header`.
            DataEpochError: no key of its epoch, or the message before was of a newer one.
            DataForgedError: it does not authenticate.
            DataReorderedError: it was missing when a later one came.
            DataReplayError: it came before, or is older than the first one.
        """
        header = parse_header(message)
        cipher = self._ciphers.get(header.epoch)
        if cipher is None:
            raise DataEpochError(header.epoch, "it is not in use here")
        prefix, sealed = message[: _HEADER.size], message[_HEADER.size :]
        data = cipher.open(prefix, header.sequence, sealed)
        missing = self._check(header)
        self._epoch, self._next = header.epoch, header.sequence + 1
        self._is_resumed = False
        return OpenedData(header.epoch, header.sequence, missing, data)

    def _check(self, header: DataHeader) -> int:
        sequence, expected = header.sequence, self._next
        if expected is None or sequence == expected:
            missing = 0
        elif sequence > expected:
            missing = 0 if self._is_resumed else sequence - expected
        elif self._fill_hole(sequence):
            raise DataReorderedError(f"data message {sequence} comes after a later one")
        else:
            raise DataReplayError(f"data message {sequence} comes again")
        if header.epoch < self._epoch:
            # Its sender has moved on: only somebody with the old key could go back.
            raise DataEpochError(header.epoch, f"the one before is of epoch {self._epoch}")
        if missing:
            self._holes.append((sequence - missing, sequence))
        return missing

    def _fill_hole(self, sequence: int) -> bool:
        for index, (start, end) in enumerate(self._holes):
            if start <= sequence < end:
                del self._holes[index]
                for hole in ((start, sequence), (sequence + 1, end)):
                    if hole[0] < hole[1]:
                        self._holes.append(hole)
                return True
        return False
