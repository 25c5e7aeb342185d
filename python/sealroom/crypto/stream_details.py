"""Title, metadata and track names of a stream: AES-256-GCM under a key of the stream's own.

    key    = Expand(epoch metadata key, "stream details", publisher's fingerprint, stream nonce)
    sealed = nonce (12 random bytes) + ciphertext + tag (16)
             bound to context, room, stream id and version of the announcement

The plaintext is the MessagePack of `StreamDetails`. A key encrypts one message per version of one
announcement: random nonces do not come near a bound.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Meta, field

from sealroom.crypto.epoch import EpochKeys
from sealroom.crypto.errors import StreamDetailsError
from sealroom.crypto.labels import bind, expand
from sealroom.errors import InvalidArgumentError
from sealroom.protocol import (
    MAX_NAME_LENGTH,
    MAX_STREAM_DETAILS_BYTES,
    MAX_STREAM_METADATA_BYTES,
    MAX_STREAM_TRACKS,
    MAX_TITLE_LENGTH,
    Id,
    Message,
    StreamAnnouncement,
)

_NONCE_BYTES: Final = 12
_Name = Annotated[str, Meta(max_length=MAX_NAME_LENGTH)]


class StreamDetails(Message, frozen=True):
    """What members read of a stream and the Bridge does not; `names` by track id."""

    title: Annotated[str, Meta(max_length=MAX_TITLE_LENGTH)] = ""
    metadata: Annotated[bytes, Meta(max_length=MAX_STREAM_METADATA_BYTES)] = b""
    names: Annotated[dict[Id, _Name], Meta(max_length=MAX_STREAM_TRACKS)] = field(
        default_factory=dict
    )

    @property
    def is_empty(self) -> bool:
        return self == StreamDetails()


def encode_details(details: StreamDetails) -> bytes:
    """Return the plaintext.

    Raises:
        InvalidArgumentError: all of it together is beyond its limit, or a text has no UTF-8.
    """
    try:
        plaintext = msgspec.msgpack.encode(details)
    except UnicodeEncodeError:
        raise InvalidArgumentError("title, names: a lone surrogate, which has no UTF-8") from None
    if len(plaintext) > MAX_STREAM_DETAILS_BYTES:
        raise InvalidArgumentError(
            f"title, metadata and names: at most {MAX_STREAM_DETAILS_BYTES} bytes together"
        )
    return plaintext


def seal_details(
    details: StreamDetails, keys: EpochKeys, fingerprint: bytes, announcement: StreamAnnouncement
) -> bytes:
    """Encrypt for one announcement, whose own `details` are not looked at; nothing for nothing.

    Raises:
        InvalidArgumentError: see `encode_details`.
    """
    if details.is_empty:
        return b""
    key, bound = _key(keys, fingerprint, announcement), _bound(announcement)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, encode_details(details), bound)


def open_details(
    keys: EpochKeys, fingerprint: bytes, announcement: StreamAnnouncement
) -> StreamDetails:
    """Decrypt those of a verified announcement; `keys` are of its epoch.

    Raises:
        StreamDetailsError: damaged, malformed, or of another stream, version, epoch or publisher.
    """
    sealed = announcement.details
    if not sealed:
        return StreamDetails()
    key, bound = _key(keys, fingerprint, announcement), _bound(announcement)
    try:
        plaintext = AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound)
        return msgspec.msgpack.decode(plaintext, type=StreamDetails)
    except (InvalidTag, ValueError):  # too short; msgspec's errors are ValueErrors
        raise StreamDetailsError("the details of the stream do not decrypt") from None


def _key(keys: EpochKeys, fingerprint: bytes, announcement: StreamAnnouncement) -> bytes:
    return expand(keys.metadata, "stream details", fingerprint, announcement.nonce)


def _bound(announcement: StreamAnnouncement) -> bytes:
    return bind(
        "stream details",
        announcement.context_id,
        announcement.room_id,
        announcement.stream_id,
        announcement.version,
    )
