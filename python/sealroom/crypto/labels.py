"""The key schedule's one building block: HKDF-Expand (RFC 5869) under a label and bound fields.

    info = b"sealroom/1 " + label + b"\\0" + for each field: length (4 bytes, big-endian) + field

Lengths make the encoding injective: no two lists of fields give the same info.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

SECRET_BYTES: Final = 32

Field = bytes | str | int


def bind(label: str, *fields: Field) -> bytes:
    """Return label and fields as one string of bytes; integers take 8 bytes, big-endian.

    Raises:
        ValueError: the label is not printable ASCII.
        OverflowError: an integer is negative or beyond 64 bits.
    """
    if not label or not label.isascii() or not label.isprintable():
        raise ValueError("a label is printable ASCII")
    out = bytearray(b"sealroom/1 " + label.encode("ascii") + b"\0")
    for field in fields:
        if isinstance(field, str):
            data = field.encode()
        else:
            data = field.to_bytes(8, "big") if isinstance(field, int) else field
        out += len(data).to_bytes(4, "big") + data
    return bytes(out)


def expand(secret: bytes, label: str, *fields: Field, length: int = SECRET_BYTES) -> bytes:
    """Return `length` bytes of HKDF-Expand-SHA256(secret, bind(label, *fields)).

    `secret` must be uniform: this is Expand without Extract.

    Raises:
        ValueError: the secret has not 32 bytes.
    """
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"a secret has {SECRET_BYTES} bytes")
    return HKDFExpand(SHA256(), length, bind(label, *fields)).derive(secret)


def digest(label: str, *fields: Field) -> bytes:
    """Return SHA-256 over bind(label, *fields)."""
    return hashlib.sha256(bind(label, *fields)).digest()
