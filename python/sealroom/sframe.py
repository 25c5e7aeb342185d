"""SFrame (RFC 9605): end-to-end encryption of media frames.

>>> from sealroom import sframe
>>> key = bytes(32)
>>> sender = sframe.Sender(suite=sframe.AES_256_GCM_SHA512_128, key_id=1, base_key=key)
>>> receiver = sframe.Receiver(suite=sframe.AES_256_GCM_SHA512_128)
>>> receiver.add_key(1, key)
>>> receiver.unprotect(sender.protect(b"frame"))
b'frame'
"""

from sealroom._core.sframe import (
    AES_128_CTR_HMAC_SHA256_32,
    AES_128_CTR_HMAC_SHA256_64,
    AES_128_CTR_HMAC_SHA256_80,
    AES_128_GCM_SHA256_128,
    AES_256_GCM_SHA512_128,
    MAX_OVERHEAD,
    Receiver,
    Sender,
)

__all__ = [
    "AES_128_CTR_HMAC_SHA256_32",
    "AES_128_CTR_HMAC_SHA256_64",
    "AES_128_CTR_HMAC_SHA256_80",
    "AES_128_GCM_SHA256_128",
    "AES_256_GCM_SHA512_128",
    "MAX_OVERHEAD",
    "Receiver",
    "Sender",
]
