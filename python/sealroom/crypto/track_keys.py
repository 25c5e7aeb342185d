"""SFrame base keys: one per publisher, stream, track and layer, so no two senders share a key.

    stream secret = Expand(epoch media key, "stream", publisher's fingerprint, stream nonce)
    base key      = Expand(stream secret, "track", track id, layer)

The stream nonce is the publisher's own random choice: a restarted publisher gets new keys and may
start its frame counters at zero. The SFrame key id (KID) is the epoch number.
"""

from __future__ import annotations

from typing import Final

from sealroom.crypto.epoch import EpochKeys
from sealroom.crypto.labels import expand

STREAM_NONCE_BYTES: Final = 16
DEFAULT_SUITE: Final = 5  # AES_256_GCM_SHA512_128, RFC 9605 section 4.5


def derive_track_key(
    keys: EpochKeys, fingerprint: bytes, nonce: bytes, track_id: str, layer: int = 0
) -> bytes:
    """Return the 32-byte SFrame base key of one layer of one track.

    Raises:
        ValueError: the fingerprint has not 32 or the nonce not 16 bytes.
    """
    if len(fingerprint) != 32 or len(nonce) != STREAM_NONCE_BYTES:
        raise ValueError("a fingerprint has 32 bytes and a stream nonce 16")
    stream = expand(keys.media, "stream", fingerprint, nonce)
    return expand(stream, "track", track_id, layer)
