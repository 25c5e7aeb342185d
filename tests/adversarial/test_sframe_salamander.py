"""Whoever hands out keys gives two members different keys under one key id.

AES-GCM does not commit to its key, so he can make one frame that authenticates under both and opens
to different contents (an "invisible salamander"). A commitment to the key that the members share
refuses the second key.
"""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from sealroom import errors, sframe
from sealroom._core import crypto

SUITE = sframe.AES_128_GCM_SHA256_128
KEY_ID = 3
HEADER = bytes([KEY_ID << 4])  # counter 0
KEYS = (b"the key that alice was given", b"the key that bob was given")


def multiply(a: int, b: int) -> int:
    """In GF(2^128) with the bit order of GCM (NIST SP 800-38D, 6.3)."""
    product = 0
    for bit in range(127, -1, -1):
        if b >> bit & 1:
            product ^= a
        a = a >> 1 ^ (0xE1 << 120 if a & 1 else 0)
    return product


def power(a: int, exponent: int) -> int:
    result = 1 << 127  # the one of this bit order
    while exponent:
        if exponent & 1:
            result = multiply(result, a)
        a = multiply(a, a)
        exponent >>= 1
    return result


class Gcm:
    """What suite 4 makes of a base key (RFC 9605, 4.4.2), in parts."""

    def __init__(self, base_key: bytes) -> None:
        extract = hmac.HMAC(bytes(32), hashes.SHA256())
        extract.update(base_key)
        secret = extract.finalize()

        def derive(label: bytes, length: int) -> bytes:
            info = label + KEY_ID.to_bytes(8) + SUITE.to_bytes(2)
            return HKDFExpand(hashes.SHA256(), length, info).derive(secret)

        key = derive(b"SFrame 1.0 Secret key ", 16)
        nonce = derive(b"SFrame 1.0 Secret salt ", 12)  # of counter 0
        block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
        self.hash_key = int.from_bytes(block.update(bytes(16)))
        self.mask = int.from_bytes(block.update(nonce + (1).to_bytes(4)))

    def tag(self, blocks: list[int]) -> int:
        """The tag of HEADER and a ciphertext of whole blocks."""
        lengths = len(HEADER) * 8 << 64 | len(blocks) * 128
        state = 0
        for one in [int.from_bytes(HEADER.ljust(16, b"\0")), *blocks, lengths]:
            state = multiply(state ^ one, self.hash_key)
        return state ^ self.mask


def salamander() -> bytes:
    """One frame with a valid tag under both keys: its last block solves tag == tag."""
    first, second = (Gcm(key) for key in KEYS)
    chosen = int.from_bytes(b"sixteen of these")
    difference = first.tag([chosen, 0]) ^ second.tag([chosen, 0])
    # The last block enters a tag as block * H^2.
    factor = power(first.hash_key, 2) ^ power(second.hash_key, 2)
    block = multiply(difference, power(factor, 2**128 - 2))
    assert first.tag([chosen, block]) == second.tag([chosen, block])
    blocks = [chosen, block, first.tag([chosen, block])]
    return HEADER + b"".join(one.to_bytes(16) for one in blocks)


@pytest.mark.parametrize("backend", crypto.available_backends())
def test_one_frame_opens_differently_under_two_keys_unless_the_key_is_committed_to(
    backend: str,
) -> None:
    frame = salamander()
    alice, bob = (sframe.Receiver(suite=SUITE, backend=backend) for _ in KEYS)
    alice.add_key(KEY_ID, KEYS[0])
    bob.add_key(KEY_ID, KEYS[1])
    assert alice.unprotect(frame) != bob.unprotect(frame)  # both authentic: the attack is real

    commitment = sframe.key_commitment(suite=SUITE, key_id=KEY_ID, base_key=KEYS[0])
    bob = sframe.Receiver(suite=SUITE, backend=backend)
    with pytest.raises(errors.KeyCommitmentError):
        bob.add_key(KEY_ID, KEYS[1], commitment)
    with pytest.raises(errors.KeyNotFoundError):
        bob.unprotect(frame)
