"""The Python boundary of SFrame: vectors, buffers, errors, threads, choice of the back end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealroom import errors, sframe
from sealroom._core import crypto

SUITE = sframe.AES_128_GCM_SHA256_128
KEY = bytes(range(16))
VECTORS = json.loads((Path(__file__).parents[1] / "vectors/sframe-rfc9605.json").read_text())
FRAME_VECTORS = VECTORS["sframe"]
BYTES_LIKE: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "numpy": lambda data: np.frombuffer(data, np.uint8),
}


@pytest.fixture(params=crypto.available_backends())
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sender(backend: str) -> sframe.Sender:
    return sframe.Sender(suite=SUITE, key_id=1, base_key=KEY, backend=backend)


@pytest.fixture
def receiver(backend: str) -> sframe.Receiver:
    receiver = sframe.Receiver(suite=SUITE, backend=backend)
    receiver.add_key(1, KEY)
    return receiver


def counter_of(frame: bytes) -> int:
    """The counter in the header of a frame with a key id below 8 (RFC 9605 section 4.3)."""
    length = frame[0] & 0x07
    return int.from_bytes(frame[1 : length + 2]) if frame[0] & 0x08 else length


@pytest.mark.parametrize("vector", FRAME_VECTORS, ids=lambda v: f"suite{v['cipher_suite']}")
def test_frames_of_rfc_9605_come_out_byte_for_byte(backend: str, vector: dict[str, Any]) -> None:
    suite, key_id, counter = vector["cipher_suite"], vector["kid"], vector["ctr"]
    base_key, metadata, plaintext, frame = (
        bytes.fromhex(vector[name]) for name in ("base_key", "metadata", "pt", "ct")
    )
    sender = sframe.Sender(
        suite=suite, key_id=key_id, base_key=base_key, first_counter=counter, backend=backend
    )
    assert sender.key_id == key_id
    assert sender.protect(plaintext, metadata) == frame
    assert sender.next_counter == counter + 1
    receiver = sframe.Receiver(suite=suite, backend=backend)
    receiver.add_key(key_id, base_key)
    assert receiver.unprotect(frame, metadata) == plaintext


def test_vectors_of_rfc_9605_cover_every_suite() -> None:
    suites = [value for name, value in vars(sframe).items() if name.startswith("AES_")]
    assert sorted(suites) == [vector["cipher_suite"] for vector in FRAME_VECTORS]


@pytest.mark.parametrize("suite", range(1, 6))
@pytest.mark.parametrize("size", [0, 1, 160, 50_000])
def test_every_backend_opens_what_another_protects(suite: int, size: int) -> None:
    plaintext = os.urandom(size)
    for one in crypto.available_backends():
        frame = sframe.Sender(suite=suite, key_id=7, base_key=KEY, backend=one).protect(plaintext)
        assert len(frame) - size <= sframe.MAX_OVERHEAD
        for other in crypto.available_backends():
            receiver = sframe.Receiver(suite=suite, backend=other)
            receiver.add_key(7, KEY)
            assert receiver.unprotect(frame) == plaintext


@pytest.mark.parametrize("wrap", BYTES_LIKE.values(), ids=BYTES_LIKE)
def test_any_bytes_like_is_taken(backend: str, wrap: Callable[[bytes], Any]) -> None:
    sender = sframe.Sender(suite=SUITE, key_id=1, base_key=wrap(KEY), backend=backend)
    receiver = sframe.Receiver(suite=SUITE, backend=backend)
    receiver.add_key(1, wrap(KEY))
    frame = sender.protect(wrap(b"plaintext"), wrap(b"metadata"))
    assert receiver.unprotect(wrap(frame), wrap(b"metadata")) == b"plaintext"


@pytest.mark.parametrize(
    "data",
    [
        np.zeros((4, 25), np.uint8),
        np.zeros(50, np.uint16),
        np.zeros(200, np.uint8)[::2],
        memoryview(bytes(200))[::2],
    ],
    ids=["two_dimensions", "wide_items", "strided_array", "strided_view"],
)
def test_other_buffers_are_refused_and_spend_no_counter(sender: sframe.Sender, data: Any) -> None:
    with pytest.raises((BufferError, ValueError)):
        sender.protect(data)
    with pytest.raises((BufferError, ValueError)):
        sender.protect(b"plaintext", data)
    with pytest.raises(TypeError):
        sender.protect("text")  # type: ignore[arg-type]
    assert sender.next_counter == 0


def test_protect_into_fills_the_start_of_the_buffer(
    sender: sframe.Sender, receiver: sframe.Receiver
) -> None:
    plaintext = os.urandom(1000)
    out = np.full(1100, 0xAA, np.uint8)
    size = sender.protect_into(plaintext, out, b"metadata")
    assert 1000 < size <= 1000 + sframe.MAX_OVERHEAD
    assert (out[size:] == 0xAA).all()
    opened = bytearray(size)
    assert receiver.unprotect_into(out[:size], opened, b"metadata") == 1000
    assert opened[:1000] == plaintext


def test_buffer_that_is_too_small_spends_no_counter_and_no_replay(
    sender: sframe.Sender, receiver: sframe.Receiver
) -> None:
    with pytest.raises(errors.BufferTooSmallError):
        sender.protect_into(b"plaintext", bytearray(10))
    assert sender.next_counter == 0
    frame = sender.protect(b"plaintext")
    with pytest.raises(errors.BufferTooSmallError):
        receiver.unprotect_into(frame, bytearray(8))
    assert receiver.unprotect(frame) == b"plaintext"


def test_read_only_output_is_refused(sender: sframe.Sender, receiver: sframe.Receiver) -> None:
    frame = sender.protect(b"plaintext")
    with pytest.raises(BufferError):
        sender.protect_into(b"plaintext", bytes(100))  # type: ignore[arg-type]
    with pytest.raises(BufferError):
        receiver.unprotect_into(frame, bytes(100))  # type: ignore[arg-type]
    assert receiver.unprotect(frame) == b"plaintext"


def test_output_must_not_share_memory_with_what_is_read(
    sender: sframe.Sender, receiver: sframe.Receiver
) -> None:
    memory = memoryview(bytearray(200))
    with pytest.raises(errors.InvalidArgumentError, match="out: shares memory with plaintext"):
        sender.protect_into(memory[50:100], memory)
    with pytest.raises(errors.InvalidArgumentError, match="out: shares memory with metadata"):
        sender.protect_into(b"plaintext", memory, memory[199:])
    with pytest.raises(errors.InvalidArgumentError, match="out: shares memory with frame"):
        receiver.unprotect_into(memory[:100], memory[99:])
    assert sender.next_counter == 0
    size = sender.protect_into(memory[:50], memory[50:])  # next to each other is fine
    assert receiver.unprotect(memory[50 : 50 + size]) == bytes(50)


def test_changed_frame_or_metadata_does_not_authenticate(
    sender: sframe.Sender, receiver: sframe.Receiver
) -> None:
    frame = sender.protect(b"plaintext", b"metadata")
    for position in range(1, len(frame)):
        changed = bytearray(frame)
        changed[position] ^= 1
        with pytest.raises(errors.AuthenticationError):
            receiver.unprotect(changed, b"metadata")
    with pytest.raises(errors.AuthenticationError) as caught:
        receiver.unprotect(frame, b"Metadata")
    assert caught.value.code == "authentication_failed"
    assert receiver.unprotect(frame, b"metadata") == b"plaintext"


def test_frame_is_accepted_once(sender: sframe.Sender, receiver: sframe.Receiver) -> None:
    frames = [sender.protect(b"plaintext") for _ in range(1100)]
    receiver.unprotect(frames[50])
    with pytest.raises(errors.ReplayError) as replayed:
        receiver.unprotect(frames[50])
    assert replayed.value.code == "replayed"
    receiver.unprotect(frames[1099])
    with pytest.raises(errors.TooOldError) as too_old:  # never seen, but behind the window
        receiver.unprotect(frames[0])
    assert isinstance(too_old.value, errors.ReplayError)
    assert receiver.unprotect(frames[1099 - 1023]) == b"plaintext"


def test_keys_are_found_by_their_id(backend: str, receiver: sframe.Receiver) -> None:
    other = sframe.Sender(suite=SUITE, key_id=2**64 - 1, base_key=b"other", backend=backend)
    frame = other.protect(b"plaintext")
    with pytest.raises(errors.KeyNotFoundError) as caught:
        receiver.unprotect(frame)
    assert caught.value.code == "unknown_key_id"
    receiver.add_key(2**64 - 1, b"other")
    assert receiver.unprotect(frame) == b"plaintext"
    assert receiver.remove_key(2**64 - 1)
    assert not receiver.remove_key(2**64 - 1)
    with pytest.raises(errors.KeyNotFoundError):
        receiver.unprotect(frame)


def test_installed_key_is_not_replaced_and_keys_are_bounded(receiver: sframe.Receiver) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="key_id"):
        receiver.add_key(1, KEY)
    for key_id in range(2, 65):
        receiver.add_key(key_id, KEY)
    with pytest.raises(errors.LimitExceededError):
        receiver.add_key(65, KEY)


@pytest.mark.parametrize(
    "frame",
    [b"", b"\x18", b"\x19\x01", b"\x18\x01" + bytes(16), b"\x11", b"\x11" + bytes(15)],
    ids=["empty", "no_counter", "half_a_counter", "not_minimal", "no_tag", "half_a_tag"],
)
def test_malformed_frame_is_refused_as_such(receiver: sframe.Receiver, frame: bytes) -> None:
    with pytest.raises(errors.MalformedError):
        receiver.unprotect(frame)


def test_key_is_exhausted_at_its_limit(backend: str) -> None:
    sender = sframe.Sender(
        suite=SUITE, key_id=1, base_key=KEY, first_counter=2**64 - 3, backend=backend
    )
    sender.protect(b"plaintext")
    sender.protect(b"plaintext")
    for _ in range(2):
        with pytest.raises(errors.KeyExhaustedError) as caught:
            sender.protect(b"plaintext")
        assert caught.value.code == "key_exhausted"
    limited = sframe.Sender(suite=SUITE, key_id=1, base_key=KEY, counter_limit=1, backend=backend)
    limited.protect(b"plaintext")
    with pytest.raises(errors.KeyExhaustedError):
        limited.protect_into(b"plaintext", bytearray(100))


@pytest.mark.parametrize("suite", [-1, 0, 6, 8, 0x10000 + SUITE, 2**40])
def test_unknown_suites_are_named(suite: int) -> None:
    with pytest.raises(errors.UnsupportedError, match=f"suite: {suite} "):
        sframe.Sender(suite=suite, key_id=1, base_key=KEY)
    with pytest.raises(errors.UnsupportedError, match=f"suite: {suite} "):
        sframe.Receiver(suite=suite)


def test_empty_key_and_long_metadata_are_named(
    sender: sframe.Sender, receiver: sframe.Receiver
) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="base_key"):
        sframe.Sender(suite=SUITE, key_id=1, base_key=b"")
    with pytest.raises(errors.InvalidArgumentError, match="base_key"):
        receiver.add_key(2, b"")
    with pytest.raises(errors.InvalidArgumentError, match="metadata"):
        sender.protect(b"plaintext", bytes(1025))
    assert sender.next_counter == 0
    frame = sender.protect(b"plaintext", bytes(1024))
    with pytest.raises(errors.InvalidArgumentError, match="metadata"):
        receiver.unprotect(frame, bytes(1025))
    assert receiver.unprotect(frame, bytes(1024)) == b"plaintext"


def test_threads_on_one_sender_never_repeat_a_counter(
    sender: sframe.Sender, receiver: sframe.Receiver
) -> None:
    # Above 16 KiB a call gives up the GIL, so that the threads really meet in the core.
    small, large = bytes(160), bytes(20_000)
    frames: list[list[bytes]] = [[], []]
    begin = threading.Barrier(2)

    def work(mine: list[bytes]) -> None:
        begin.wait()
        for _ in range(200):
            mine += [sender.protect(small), sender.protect(large)]

    threads = [threading.Thread(target=work, args=(mine,)) for mine in frames]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = sorted(frames[0] + frames[1], key=counter_of)
    assert [counter_of(frame) for frame in made] == list(range(800))
    assert sender.next_counter == 800
    for frame in made:
        assert not any(receiver.unprotect(frame))


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_environment_chooses_the_backend(backend: str) -> None:
    code = "from sealroom._core import crypto; print(crypto.default_backend())"
    done = run_python(code, SEALROOM_CRYPTO=backend)
    assert done.stdout.strip() == backend, done.stderr
    assert crypto.backend_version(backend)


def test_unknown_backend_in_the_environment_names_the_variable_and_the_choices() -> None:
    code = """
from sealroom import errors, sframe
try:
    sframe.Receiver(suite=4)
except errors.UnsupportedError as error:
    print(error)
sframe.Receiver(suite=4, backend="openssl")  # one that is named in the program is taken
"""
    done = run_python(code, SEALROOM_CRYPTO="rot13")
    assert done.returncode == 0, done.stderr
    assert "SEALROOM_CRYPTO: 'rot13'" in done.stdout
    assert all(name in done.stdout for name in crypto.available_backends())


def test_unknown_backend_names_the_argument_and_the_choices() -> None:
    with pytest.raises(errors.UnsupportedError, match=r"backend: 'rot13'.*openssl"):
        sframe.Sender(suite=SUITE, key_id=1, base_key=KEY, backend="rot13")
