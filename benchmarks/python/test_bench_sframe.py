"""SFrame from Python beside `cryptography`'s AES-GCM, which does the bare encryption only."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealroom import sframe

SIZES = [160, 1200, 50_000]


@pytest.mark.parametrize("size", SIZES)
def test_cryptography_aes_gcm_encrypt(benchmark: Any, size: int) -> None:
    benchmark.group = f"frame encryption, {size} B"
    benchmark.name = "rival: cryptography AESGCM"
    cipher = AESGCM(bytes(16))
    plaintext, nonce, aad = bytes(size), bytes(12), b"abc"
    benchmark(cipher.encrypt, nonce, plaintext, aad)


@pytest.mark.parametrize("size", SIZES)
def test_sframe_protect(benchmark: Any, size: int) -> None:
    benchmark.group = f"frame encryption, {size} B"
    benchmark.name = "sealroom sframe.Sender.protect"
    sender = sframe.Sender(suite=sframe.AES_128_GCM_SHA256_128, key_id=1, base_key=bytes(16))
    benchmark(sender.protect, bytes(size))
