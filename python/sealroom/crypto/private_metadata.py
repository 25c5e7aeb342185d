"""Private metadata of a room: AES-256-GCM under the epoch's metadata key.

    nonce (12 random bytes) + ciphertext + tag (16), bound to context, room and record version

One key encrypts one record version and so few messages: random nonces do not come near a bound.
"""

from __future__ import annotations

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealroom.crypto.epoch import EpochKeys
from sealroom.crypto.errors import PrivateMetadataError
from sealroom.crypto.labels import bind

_NONCE_BYTES: Final = 12
OVERHEAD_BYTES: Final = _NONCE_BYTES + 16


def _bound(keys: EpochKeys, version: int) -> bytes:
    return bind("private metadata", keys.id.context_id, keys.id.room_id, version)


def encrypt_private_metadata(plaintext: bytes, keys: EpochKeys, version: int) -> bytes:
    """Encrypt for one version of one room record."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(keys.metadata).encrypt(nonce, plaintext, _bound(keys, version))


def decrypt_private_metadata(encrypted: bytes, keys: EpochKeys, version: int) -> bytes:
    """Decrypt.

    Raises:
        PrivateMetadataError: damaged, or of another room, context, epoch or version.
    """
    if len(encrypted) < OVERHEAD_BYTES:
        raise PrivateMetadataError("the private metadata is too short")
    nonce, ciphertext = encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:]
    try:
        return AESGCM(keys.metadata).decrypt(nonce, ciphertext, _bound(keys, version))
    except InvalidTag:
        raise PrivateMetadataError("the private metadata does not decrypt") from None
