"""Seals calls between Bridges: Redis carries them, but can neither read, make nor alter one.

The key is derived from a secret in the database that the Bridges share, which Redis never sees.
"""

import os
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

SECRET_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class RelaySeal:
    """AES-256-GCM under a key of the sending process's own, with random nonces.

    What is sealed is bound to its sender, its receiver, its number and whether it is a call or an
    answer. Who has to refuse what comes again is the receiver.

    Args:
        secret: SECRET_BYTES random bytes.
        process: id of this process.
    """

    def __init__(self, secret: bytes, process: str) -> None:
        assert len(secret) == SECRET_BYTES
        self._secret = secret
        self._process = process
        self._own = self._cipher(process)

    def __repr__(self) -> str:
        return f"<RelaySeal of {self._process}>"

    def seal(
        self, kind: Literal["call", "answer"], target: str, number: int, plaintext: bytes
    ) -> bytes:
        """Return what only a Bridge on the same database can open, as said to `target`."""
        nonce = os.urandom(_NONCE_BYTES)
        bound = _bound(kind, self._process, target, number)
        return nonce + self._own.encrypt(nonce, plaintext, bound)

    def open(
        self, kind: Literal["call", "answer"], origin: str, number: int, sealed: bytes
    ) -> bytes | None:
        """Return what `origin` said to this process, None if it did not say that."""
        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        bound = _bound(kind, origin, self._process, number)
        try:
            return self._cipher(origin).decrypt(nonce, ciphertext, bound)
        except (InvalidTag, ValueError):  # ValueError: it is too short for a nonce
            return None

    def _cipher(self, process: str) -> AESGCM:
        info = b"sealroom/1 relay " + process.encode()
        return AESGCM(HKDFExpand(SHA256(), 32, info).derive(self._secret))


def _bound(kind: str, origin: str, target: str, number: int) -> bytes:
    return f"{kind}\n{origin}\n{target}\n{number}".encode()  # ids have no line ends
