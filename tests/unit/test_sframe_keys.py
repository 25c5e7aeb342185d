"""Ratchet, MLS key ids, key commitments and frames that wait for their key, from Python."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from sealroom import errors, sframe
from sealroom._core import crypto
from sealroom.crypto.labels import bind

KEY = bytes(range(32))
HASHES: dict[int, hashes.HashAlgorithm] = {
    suite: hashes.SHA512() if suite == 5 else hashes.SHA256() for suite in range(1, 6)
}


@pytest.fixture(params=crypto.available_backends())
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def expand(suite: int, base_key: bytes, info: bytes, length: int) -> bytes:
    """HKDF with an empty salt, by another library."""
    extract = hmac.HMAC(bytes(HASHES[suite].digest_size), HASHES[suite])
    extract.update(base_key)
    return HKDFExpand(HASHES[suite], length, info).derive(extract.finalize())


@pytest.mark.parametrize("suite", range(1, 6))
def test_ratchet_and_commitment_are_the_hkdf_they_say(suite: int) -> None:
    size = HASHES[suite].digest_size
    next_key = expand(suite, KEY, b"SFrame 1.0 Ratchet", size)
    assert sframe.ratchet_base_key(suite=suite, base_key=KEY) == next_key
    commitment = sframe.key_commitment(suite=suite, key_id=7, base_key=KEY)
    assert commitment == expand(suite, KEY, bind("SFrame key commitment", suite, 7), 32)


def test_ratchet_is_followed_and_old_frames_are_lost_to_the_new_key(backend: str) -> None:
    start = sframe.ratchet_key_id(generation=5, step=254, bits=8)
    assert start == (5 << 8) + 254
    sender = sframe.Sender(suite=5, key_id=start, base_key=KEY, ratchet_bits=8, backend=backend)
    receiver = sframe.Receiver(suite=5, backend=backend)
    receiver.add_ratchet(start, KEY, bits=8, max_steps_ahead=2, kept_steps=1)
    before = sender.protect(b"before")
    key = KEY
    for _ in range(3):
        sender.ratchet()
        key = sframe.ratchet_base_key(suite=5, base_key=key)
    assert sender.key_id == (5 << 8) + 1
    assert sender.next_counter == 0
    with pytest.raises(errors.KeyNotFoundError):
        receiver.unprotect(sender.protect(b"three steps at once"))
    assert receiver.ratchet_position(start) == start

    joiner = sframe.Receiver(suite=5, backend=backend)
    joiner.add_ratchet(sender.key_id, key, bits=8)
    assert joiner.unprotect(sender.protect(b"now")) == b"now"
    with pytest.raises(errors.KeyNotFoundError):
        joiner.unprotect(before)
    assert receiver.unprotect(before) == b"before"
    assert receiver.has_key(start)
    assert receiver.remove_key(start)
    assert not receiver.has_key(start)


def test_ratchet_arguments_are_named() -> None:
    receiver = sframe.Receiver(suite=5)
    with pytest.raises(errors.InvalidArgumentError, match="max_steps_ahead"):
        receiver.add_ratchet(0, KEY, bits=3, max_steps_ahead=7, kept_steps=1)
    with pytest.raises(errors.InvalidArgumentError, match="ratchet_bits"):
        sframe.Sender(suite=5, key_id=1, base_key=KEY, ratchet_bits=33)
    with pytest.raises(errors.InvalidArgumentError, match="ratchet_bits"):
        sframe.Sender(suite=5, key_id=1, base_key=KEY).ratchet()
    for generation, bits in ((1 << 56, 8), (0, 0), (0, 33)):
        with pytest.raises(errors.InvalidArgumentError, match="generation, bits"):
            sframe.ratchet_key_id(generation, 0, bits)
    with pytest.raises(errors.KeyNotFoundError):
        receiver.ratchet_position(0)


def test_mls_epochs_replace_those_with_the_same_low_bits(backend: str) -> None:
    layout = sframe.MlsKeyIdLayout(epoch_bits=2, sender_bits=10)
    key_id = layout.encode(sender=3, epoch=6, context=1)
    assert key_id == (1 << 12) + (3 << 2) + 2
    assert layout.decode(key_id) == (1, 3, 2)
    receiver = sframe.Receiver(suite=5, backend=backend)

    def frame_of(epoch: int) -> bytes:
        sender = sframe.Sender(
            suite=5, key_id=layout.encode(sender=3, epoch=epoch), base_key=bytes([epoch])
        )
        return sender.protect(b"frame")

    for epoch in (4, 5, 8):
        receiver.add_mls_epoch(layout, sender=3, epoch=epoch, base_key=bytes([epoch]))
    with pytest.raises(errors.AuthenticationError):
        receiver.unprotect(frame_of(4))
    assert receiver.unprotect(frame_of(5)) == b"frame"
    assert receiver.unprotect(frame_of(8)) == b"frame"
    with pytest.raises(errors.InvalidArgumentError, match="newer"):
        receiver.add_mls_epoch(layout, sender=3, epoch=4, base_key=b"\x04")
    with pytest.raises(errors.InvalidArgumentError, match="sender, context"):
        layout.encode(sender=1 << 10, epoch=0)
    with pytest.raises(errors.InvalidArgumentError, match="epoch_bits"):
        sframe.MlsKeyIdLayout(epoch_bits=0, sender_bits=1)


def test_key_that_is_not_committed_to_is_refused(backend: str) -> None:
    receiver = sframe.Receiver(suite=5, backend=backend)
    commitment = sframe.key_commitment(suite=5, key_id=1, base_key=KEY)
    with pytest.raises(errors.KeyCommitmentError) as caught:
        receiver.add_key(1, KEY[:-1] + b"x", commitment)
    assert caught.value.code == "commitment_mismatch"
    with pytest.raises(errors.KeyCommitmentError):
        receiver.add_ratchet(256, KEY, commitment=commitment)
    with pytest.raises(errors.InvalidArgumentError, match="commitment"):
        receiver.add_key(1, KEY, commitment[:16])
    with pytest.raises(errors.InvalidArgumentError, match="commitment"):
        receiver.add_key(1, KEY, b"")
    assert not receiver.has_key(1)
    receiver.add_key(1, KEY, commitment)
    assert receiver.has_key(1)


def test_header_is_read() -> None:
    sender = sframe.Sender(suite=5, key_id=300, base_key=KEY, first_counter=70000)
    assert sframe.parse_header(sender.protect(b"frame")) == (300, 70000, 6)
    with pytest.raises(errors.TruncatedError):
        sframe.parse_header(b"")
    with pytest.raises(errors.MalformedError):
        sframe.parse_header(b"\x80\x01")


def test_frames_that_overtake_their_key_wait_for_it() -> None:
    receiver = sframe.Receiver(suite=5)
    pending = sframe.PendingFrames()
    sender = sframe.Sender(suite=5, key_id=9, base_key=KEY)
    for number in range(3):
        frame = bytearray(sender.protect(bytes([number]), b"metadata"))
        with pytest.raises(errors.KeyNotFoundError):
            receiver.unprotect(frame, b"metadata")
        assert pending.hold(frame, b"metadata", now=number / 10)
        frame[:] = bytes(len(frame))  # what is held is a copy
    assert len(pending) == 3
    assert pending.nbytes == 3 * (len(frame) + len(b"metadata"))
    receiver.add_key(9, KEY)
    opened = [receiver.unprotect(frame, metadata) for frame, metadata in pending.take(9)]
    assert opened == [b"\0", b"\1", b"\2"]
    assert len(pending) == pending.nbytes == pending.dropped == 0
    assert pending.take(9) == []


def test_waiting_frames_are_bounded_in_number_bytes_and_age() -> None:
    pending = sframe.PendingFrames(
        max_key_ids=2, max_frames_per_key=3, max_bytes_per_key=100, max_age=1.5
    )

    def frame_of(key_id: int, size: int = 10) -> bytes:
        return sframe.Sender(suite=5, key_id=key_id, base_key=KEY).protect(bytes(size))

    for _ in range(5):
        assert pending.hold(frame_of(1), now=10.0)
    assert (len(pending), pending.dropped) == (3, 2)
    assert not pending.hold(frame_of(1, 100), now=10.0)
    pending.set_newest_key_id(0)
    for key_id in (900, 800, 5, 6):
        pending.hold(frame_of(key_id), now=10.5)
    assert len(pending.take(5)) == 1
    assert pending.expire(11.4) == 0
    assert pending.expire(11.5) == 3
    assert len(pending) == 0
    with pytest.raises(errors.MalformedError):
        pending.hold(b"", now=0.0)
    with pytest.raises(errors.InvalidArgumentError, match="now"):
        pending.hold(frame_of(1), now=float("nan"))
    with pytest.raises(errors.InvalidArgumentError, match="max_age"):
        sframe.PendingFrames(max_age=0.0)
    with pytest.raises(errors.InvalidArgumentError, match="max_key_ids"):
        sframe.PendingFrames(max_key_ids=0)


@pytest.mark.parametrize(
    ("codec", "frame"),
    [
        ("opus", b"an Opus packet"),
        ("vp9", b"\x82a VP9 frame"),
        ("vp8", b"\x11a delta frame"),
        ("vp8", bytes.fromhex("9000009d012a40012c01") + b"a key frame"),
        ("h264", b"\0\0\0\1\x67\x42\0\0\0\1\x65\x88\x80a slice"),
        ("av1", b"\x0a\x01\x00\x32\x05frame"),
    ],
)
def test_media_frames_wait_under_the_key_id_that_their_refusal_tells(
    codec: str, frame: bytes
) -> None:
    sender = sframe.Sender(suite=5, key_id=1000, base_key=KEY)
    receiver = sframe.Receiver(suite=5)
    pending = sframe.PendingFrames()
    sealed = sframe.protect_frame(sender, codec, frame)
    with pytest.raises(errors.KeyNotFoundError, match=r"hold\(frame, key_id=") as caught:
        sframe.unprotect_frame(receiver, codec, sealed)
    assert pending.hold(sealed, now=0.0, key_id=caught.value.key_id)
    receiver.add_key(1000, KEY)
    [(held, metadata)] = pending.take(1000, now=1.0)
    assert metadata == b""
    assert sframe.unprotect_frame(receiver, codec, held) == frame
    with pytest.raises(errors.InvalidArgumentError, match=r"^key_id: an integer from 0"):
        pending.hold(sealed, now=0.0, key_id=-1)


def test_frames_that_are_taken_are_no_older_than_max_age_where_the_time_is_told() -> None:
    pending = sframe.PendingFrames(max_age=2.0)
    frame = sframe.Sender(suite=5, key_id=9, base_key=KEY).protect(b"frame")
    for now in (0.0, 1.0):
        pending.hold(frame, now=now)
    assert len(pending.take(9, now=2.5)) == 1
    assert (len(pending), pending.dropped) == (0, 1)
    pending.hold(frame, now=0.0)
    assert len(pending.take(9)) == 1
    with pytest.raises(errors.InvalidArgumentError, match="now"):
        pending.take(9, now=float("inf"))


SECRET = b"the key of all keys"
CALLS: dict[str, Callable[[], object]] = {
    "sender": lambda: sframe.Sender(suite=5, key_id=1, base_key=SECRET, ratchet_bits=-1),
    "add_key": lambda: sframe.Receiver(suite=5).add_key(1, SECRET, 7),  # type: ignore[arg-type]
    "add_ratchet": lambda: sframe.Receiver(suite=5).add_ratchet(1, SECRET, bits=-1),
    "add_mls_epoch": lambda: sframe.Receiver(suite=5).add_mls_epoch(
        sframe.MlsKeyIdLayout(epoch_bits=8, sender_bits=8), sender=-1, epoch=0, base_key=SECRET
    ),
    "key_commitment": lambda: sframe.key_commitment(suite=5, key_id=-1, base_key=SECRET),
    "ratchet_base_key": lambda: sframe.ratchet_base_key(
        suite="5",  # type: ignore[arg-type]
        base_key=SECRET,
    ),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_error_of_a_wrong_call_shows_no_key(call: Callable[[], object]) -> None:
    with pytest.raises((TypeError, errors.InvalidArgumentError)) as caught:
        call()
    assert SECRET.decode() not in str(caught.value)
