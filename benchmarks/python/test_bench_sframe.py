"""SFrame from Python beside `cryptography`'s AES-GCM, which does the bare encryption only.

One call per frame, one call into a buffer of the caller, and 64 frames per call. The times of
groups are per frame for single calls and per 64 frames for batches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealroom import sframe

SIZES = [160, 1200, 50_000]
BATCH = 64
KEY = bytes(16)
NONCE, AAD = bytes(12), b"abc"


def make_sender() -> sframe.Sender:
    return sframe.Sender(suite=sframe.AES_128_GCM_SHA256_128, key_id=1, base_key=KEY)


class Frames:
    """Protected frames, each of which a receiver opens once only."""

    def __init__(self, size: int, count: int) -> None:
        self.sender = make_sender()
        self.receiver = sframe.Receiver(suite=sframe.AES_128_GCM_SHA256_128)
        self.receiver.add_key(1, KEY)
        self.plaintexts = [bytes(size)] * count

    def batch(self) -> tuple[tuple[list[bytes]], dict[str, Any]]:
        return (self.sender.protect_many(self.plaintexts),), {}

    def packed(self) -> tuple[tuple[Any, Any], dict[str, Any]]:
        frames = self.sender.protect_many(self.plaintexts)
        sizes = np.array([len(frame) for frame in frames], np.int32)
        return (np.frombuffer(b"".join(frames), np.uint8), sizes), {}


def once_each(benchmark: Any, work: Callable[..., Any], setup: Callable[[], Any]) -> None:
    benchmark.pedantic(work, setup=setup, rounds=300, warmup_rounds=20)


@pytest.mark.parametrize("size", SIZES)
def test_cryptography_aes_gcm_encrypt(benchmark: Any, size: int) -> None:
    benchmark.group = f"frame encryption, {size} B"
    benchmark.name = "rival: cryptography AESGCM"
    benchmark(AESGCM(KEY).encrypt, NONCE, bytes(size), AAD)


@pytest.mark.parametrize("size", SIZES)
def test_sframe_protect(benchmark: Any, size: int) -> None:
    benchmark.group = f"frame encryption, {size} B"
    benchmark.name = "sealroom sframe.Sender.protect"
    benchmark(make_sender().protect, bytes(size))


@pytest.mark.parametrize("size", SIZES)
def test_sframe_protect_into(benchmark: Any, size: int) -> None:
    benchmark.group = f"frame encryption, {size} B"
    benchmark.name = "sealroom sframe.Sender.protect_into"
    benchmark(make_sender().protect_into, bytes(size), bytearray(size + sframe.MAX_OVERHEAD))


@pytest.mark.parametrize("size", SIZES)
def test_cryptography_aes_gcm_encrypt_batch(benchmark: Any, size: int) -> None:
    benchmark.group = f"frame encryption, {BATCH} x {size} B"
    benchmark.name = "rival: cryptography AESGCM"
    encrypt = AESGCM(KEY).encrypt
    plaintexts = [bytes(size)] * BATCH
    benchmark(lambda: [encrypt(NONCE, plaintext, AAD) for plaintext in plaintexts])


@pytest.mark.parametrize("size", SIZES)
def test_sframe_protect_many(benchmark: Any, size: int) -> None:
    benchmark.group = f"frame encryption, {BATCH} x {size} B"
    benchmark.name = "sealroom sframe.Sender.protect_many"
    benchmark(make_sender().protect_many, [bytes(size)] * BATCH)


@pytest.mark.parametrize("size", SIZES)
def test_sframe_protect_batch(benchmark: Any, size: int) -> None:
    benchmark.group = f"frame encryption, {BATCH} x {size} B"
    benchmark.name = "sealroom sframe.Sender.protect_batch"
    data, sizes = np.zeros(BATCH * size, np.uint8), np.full(BATCH, size, np.int32)
    benchmark(make_sender().protect_batch, data, sizes)


@pytest.mark.parametrize("size", SIZES)
def test_cryptography_aes_gcm_decrypt_batch(benchmark: Any, size: int) -> None:
    benchmark.group = f"frame decryption, {BATCH} x {size} B"
    benchmark.name = "rival: cryptography AESGCM"
    cipher = AESGCM(KEY)
    frames = [cipher.encrypt(NONCE, bytes(size), AAD)] * BATCH
    benchmark(lambda: [cipher.decrypt(NONCE, frame, AAD) for frame in frames])


@pytest.mark.parametrize("size", SIZES)
def test_sframe_unprotect(benchmark: Any, size: int) -> None:
    benchmark.group = f"frame decryption, {BATCH} x {size} B"
    benchmark.name = "sealroom sframe.Receiver.unprotect"
    frames = Frames(size, BATCH)
    unprotect = frames.receiver.unprotect
    once_each(benchmark, lambda batch: [unprotect(frame) for frame in batch], frames.batch)


@pytest.mark.parametrize("size", SIZES)
def test_sframe_unprotect_into(benchmark: Any, size: int) -> None:
    benchmark.group = f"frame decryption, {BATCH} x {size} B"
    benchmark.name = "sealroom sframe.Receiver.unprotect_into"
    frames = Frames(size, BATCH)
    unprotect, out = frames.receiver.unprotect_into, bytearray(size + sframe.MAX_OVERHEAD)
    once_each(benchmark, lambda batch: [unprotect(frame, out) for frame in batch], frames.batch)


@pytest.mark.parametrize("size", SIZES)
def test_sframe_unprotect_many(benchmark: Any, size: int) -> None:
    benchmark.group = f"frame decryption, {BATCH} x {size} B"
    benchmark.name = "sealroom sframe.Receiver.unprotect_many"
    frames = Frames(size, BATCH)
    once_each(benchmark, frames.receiver.unprotect_many, frames.batch)


@pytest.mark.parametrize("size", SIZES)
def test_sframe_unprotect_batch(benchmark: Any, size: int) -> None:
    benchmark.group = f"frame decryption, {BATCH} x {size} B"
    benchmark.name = "sealroom sframe.Receiver.unprotect_batch"
    frames = Frames(size, BATCH)
    once_each(benchmark, frames.receiver.unprotect_batch, frames.packed)
