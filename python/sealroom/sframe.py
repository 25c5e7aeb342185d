"""SFrame (RFC 9605): end-to-end encryption of media frames.

>>> import time
>>> import numpy as np
>>> from sealroom import sframe
>>> key = bytes(32)
>>> sender = sframe.Sender(suite=sframe.AES_256_GCM_SHA512_128, key_id=1, base_key=key)
>>> receiver = sframe.Receiver(suite=sframe.AES_256_GCM_SHA512_128)
>>> receiver.add_key(1, key)
>>> receiver.unprotect(sender.protect(b"frame"))
b'frame'

Frames go in batches too, as lists or back to back in one buffer, several times faster:

>>> receiver.unprotect_many(sender.protect_many([b"one", b"two"]))
[b'one', b'two']
>>> packed, sizes = sender.protect_batch(b"onetwo", np.array([3, 3], np.int32))
>>> receiver.unprotect_batch(packed, sizes)[0].tobytes()
b'onetwo'

A sender may ratchet its key (RFC 9605 section 5.1), and a receiver follows:

>>> start = sframe.ratchet_key_id(generation=2, step=0, bits=8)
>>> suite = sframe.AES_256_GCM_SHA512_128
>>> sender = sframe.Sender(suite=suite, key_id=start, base_key=key, ratchet_bits=8)
>>> receiver.add_ratchet(start, key, bits=8)
>>> sender.ratchet()
>>> receiver.unprotect(sender.protect(b"one step on"))
b'one step on'

A frame may overtake its key. `PendingFrames` holds such frames, within bounds:

>>> pending = sframe.PendingFrames()
>>> frame = sframe.Sender(suite=suite, key_id=9, base_key=key).protect(b"early")
>>> pending.hold(frame, now=time.monotonic())
True
>>> receiver.add_key(9, key, commitment=sframe.key_commitment(suite=suite, key_id=9, base_key=key))
>>> [receiver.unprotect(frame, metadata) for frame, metadata in pending.take(9)]
[b'early']

A whole encoded frame keeps the bytes readable that packetizers and SFUs of its codec need:

>>> sealed = sframe.protect_frame(sender, "vp8", b"\\x11delta frame")
>>> sealed[0]
17
>>> sframe.unprotect_frame(receiver, "vp8", sealed)
b'\\x11delta frame'
"""

from sealroom._core.sframe import (
    AES_128_CTR_HMAC_SHA256_32,
    AES_128_CTR_HMAC_SHA256_64,
    AES_128_CTR_HMAC_SHA256_80,
    AES_128_GCM_SHA256_128,
    AES_256_GCM_SHA512_128,
    MAX_METADATA_SIZE,
    MAX_OVERHEAD,
    MlsKeyIdLayout,
    PendingFrames,
    Receiver,
    Sender,
    key_commitment,
    parse_header,
    protect_frame,
    ratchet_base_key,
    ratchet_key_id,
    unprotect_frame,
)

__all__ = [
    "AES_128_CTR_HMAC_SHA256_32",
    "AES_128_CTR_HMAC_SHA256_64",
    "AES_128_CTR_HMAC_SHA256_80",
    "AES_128_GCM_SHA256_128",
    "AES_256_GCM_SHA512_128",
    "MAX_METADATA_SIZE",
    "MAX_OVERHEAD",
    "MlsKeyIdLayout",
    "PendingFrames",
    "Receiver",
    "Sender",
    "key_commitment",
    "parse_header",
    "protect_frame",
    "ratchet_base_key",
    "ratchet_key_id",
    "unprotect_frame",
]
