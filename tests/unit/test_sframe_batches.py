"""Batches of frames: lists, and frames back to back in one buffer."""

from __future__ import annotations

import gc
import os
import threading
from typing import Any

import numpy as np
import pytest

from sealroom import errors, sframe
from sealroom._core import crypto

KEY = bytes(range(16))
# Below and above the 16 KiB from which a batch gives up the GIL.
SIZES = [[], [0], [1, 160, 0, 7], [160] * 64, [1200] * 64, [50_000, 3, 20_000]]


@pytest.fixture(params=[(b, s) for b in crypto.available_backends() for s in range(1, 6)], ids=str)
def pair(request: pytest.FixtureRequest) -> tuple[sframe.Sender, sframe.Receiver]:
    backend, suite = request.param
    receiver = sframe.Receiver(suite=suite, backend=backend)
    receiver.add_key(1, KEY)
    return sframe.Sender(suite=suite, key_id=1, base_key=KEY, backend=backend), receiver


@pytest.fixture
def gcm() -> tuple[sframe.Sender, sframe.Receiver]:
    receiver = sframe.Receiver(suite=sframe.AES_128_GCM_SHA256_128)
    receiver.add_key(1, KEY)
    return (
        sframe.Sender(suite=sframe.AES_128_GCM_SHA256_128, key_id=1, base_key=KEY),
        receiver,
    )


def pack(parts: list[bytes], dtype: Any = np.int32) -> tuple[Any, Any]:
    return np.frombuffer(b"".join(parts), np.uint8), np.array([len(p) for p in parts], dtype)


def unpack(data: Any, sizes: Any) -> list[bytes]:
    assert data.dtype == np.uint8
    assert sizes.dtype == np.int32
    ends = np.cumsum(np.maximum(sizes, 0))
    assert len(data) == (ends[-1] if len(ends) else 0)
    return [
        data[end - size : end].tobytes() for end, size in zip(ends, sizes, strict=True) if size >= 0
    ]


@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: f"{len(sizes)}x{sum(sizes)}")
@pytest.mark.parametrize("with_metadata", [False, True])
def test_batches_are_what_single_calls_make(
    pair: tuple[sframe.Sender, sframe.Receiver], sizes: list[int], with_metadata: bool
) -> None:
    sender, receiver = pair
    plaintexts = [os.urandom(size) for size in sizes]
    metadata = [os.urandom(i % 5) for i in range(len(sizes))] if with_metadata else None
    many = sender.protect_many(plaintexts, metadata)
    data, lengths = pack(plaintexts)
    if metadata is None:
        together = sender.protect_batch(data, lengths)
    else:
        together = sender.protect_batch(data, lengths, *pack(metadata, np.uint32))
    assert sender.next_counter == 2 * len(sizes)

    each = metadata or [b""] * len(sizes)
    for frame, aad, plaintext in zip(many, each, plaintexts, strict=True):
        assert receiver.unprotect(frame, aad) == plaintext
    frames = unpack(*together)
    if metadata is None:
        assert receiver.unprotect_many(frames) == plaintexts
        more = sender.protect_many(plaintexts)
        assert unpack(*receiver.unprotect_batch(*pack(more))) == plaintexts
    else:
        assert receiver.unprotect_many(frames, metadata) == plaintexts
        more = sender.protect_many(plaintexts, metadata)
        opened = receiver.unprotect_batch(*pack(more, np.uint32), *pack(metadata))
        assert unpack(*opened) == plaintexts


def test_any_sequence_of_any_bytes_like_is_taken(
    gcm: tuple[sframe.Sender, sframe.Receiver],
) -> None:
    sender, receiver = gcm
    plaintexts = (b"a", bytearray(b"b"), memoryview(b"c"), np.frombuffer(b"d", np.uint8))
    frames = sender.protect_many(plaintexts, [bytearray(b"x")] * 4)
    assert receiver.unprotect_many(tuple(frames), (b"x",) * 4) == [b"a", b"b", b"c", b"d"]


def test_refused_frame_stops_no_other(gcm: tuple[sframe.Sender, sframe.Receiver]) -> None:
    sender, receiver = gcm
    frames = sender.protect_many([b"a", b"b", b"c", b"d"])
    changed = [frames[0], frames[0], b"", frames[1][:-1] + b"\0", frames[2], b"\x77" * 20]
    opened = receiver.unprotect_many(changed, return_errors=True)
    assert opened[0] == b"a"
    assert opened[4] == b"c"
    kinds = [type(opened[i]) for i in (1, 2, 3, 5)]
    assert kinds == [
        errors.ReplayError,
        errors.TruncatedError,
        errors.AuthenticationError,
        errors.KeyNotFoundError,
    ]
    with pytest.raises(errors.ReplayError):
        receiver.unprotect_many([frames[0], frames[3]])
    with pytest.raises(errors.ReplayError):  # the one behind the refused one was opened
        receiver.unprotect(frames[3])


def test_refused_frame_of_a_buffer_has_size_minus_one(
    gcm: tuple[sframe.Sender, sframe.Receiver],
) -> None:
    sender, receiver = gcm
    frames = sender.protect_many([b"first", b"second", b"third"])
    found: dict[int, Exception] = {}
    data, sizes = receiver.unprotect_batch(
        *pack([frames[0], frames[0], b"", frames[2]]), errors=found
    )
    assert sizes.tolist() == [5, -1, -1, 5]
    assert data.tobytes() == b"firstthird"
    assert {i: type(e) for i, e in found.items()} == {
        1: errors.ReplayError,
        2: errors.TruncatedError,
    }
    with pytest.raises(errors.ReplayError):
        receiver.unprotect_batch(*pack(frames))
    with pytest.raises(errors.ReplayError):
        receiver.unprotect(frames[1])


def test_exhausted_key_refuses_the_rest() -> None:
    sender = sframe.Sender(suite=4, key_id=1, base_key=KEY, counter_limit=2)
    made = sender.protect_many([b"x"] * 4, return_errors=True)
    assert [isinstance(one, bytes) for one in made] == [True, True, False, False]
    assert isinstance(made[2], errors.KeyExhaustedError)
    with pytest.raises(errors.KeyExhaustedError):
        sender.protect_batch(*pack([b"x"]))


def test_long_metadata_is_named(gcm: tuple[sframe.Sender, sframe.Receiver]) -> None:
    sender, _ = gcm
    with pytest.raises(errors.InvalidArgumentError, match="metadata: at most 1024"):
        sender.protect_many([b"x"], [bytes(1025)])
    found: dict[int, Exception] = {}
    sender.protect_batch(*pack([b"x"]), *pack([bytes(1025)]), errors=found)
    assert "1024" in str(found[0])
    assert sender.next_counter == 0


def test_arguments_that_do_not_fit_are_named_and_spend_no_counter(
    gcm: tuple[sframe.Sender, sframe.Receiver],
) -> None:
    sender, _ = gcm
    data = np.zeros(10, np.uint8)
    with pytest.raises(TypeError, match="plaintexts: a sequence"):
        sender.protect_many([b"x", "text"])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="plaintexts: a sequence"):
        sender.protect_many(7)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="metadata: a sequence"):
        sender.protect_many([b"x"], [1])  # type: ignore[list-item]
    with pytest.raises(errors.InvalidArgumentError, match="metadata: as many as plaintexts"):
        sender.protect_many([b"x"], [])
    for sizes in ([4, 5], [11], [-1, 11]):
        with pytest.raises(errors.InvalidArgumentError, match="sizes: must add up to 10 bytes"):
            sender.protect_batch(data, np.array(sizes, np.int32))
    others: list[Any] = [np.array([10]), np.array([10.0], np.float32), np.array([[10]], np.int32)]
    for wrong in others:
        with pytest.raises((TypeError, BufferError), match="sizes"):
            sender.protect_batch(data, wrong)
    with pytest.raises(errors.InvalidArgumentError, match="both or none"):
        sender.protect_batch(data, np.array([10], np.int32), b"x")
    with pytest.raises(errors.InvalidArgumentError, match="metadata_sizes: as many"):
        sender.protect_batch(data, np.array([10], np.int32), b"", np.array([], np.int32))
    with pytest.raises(TypeError, match="errors: a dict"):
        sender.protect_batch(
            data,
            np.array([10], np.int32),
            errors=[],  # type: ignore[arg-type]
        )
    assert sender.next_counter == 0


def test_results_outlive_what_made_them() -> None:
    sender = sframe.Sender(suite=4, key_id=1, base_key=KEY)
    data, sizes = sender.protect_batch(*pack([b"frame"] * 3))
    frames = sender.protect_many([b"frame"] * 3)
    del sender
    gc.collect()
    receiver = sframe.Receiver(suite=4)
    receiver.add_key(1, KEY)
    assert receiver.unprotect_many(unpack(data, sizes) + frames) == [b"frame"] * 6


@pytest.mark.parametrize("size", [160, 1200])
def test_sixteen_threads_on_one_sender_and_one_receiver_repeat_no_counter(
    gcm: tuple[sframe.Sender, sframe.Receiver], size: int
) -> None:
    sender, receiver = gcm
    threads_count, rounds, batch = 16, 12, 5
    plaintexts = [bytes(size)] * batch
    begin = threading.Barrier(threads_count)
    made: list[list[bytes]] = [[] for _ in range(threads_count)]

    def protect(mine: list[bytes]) -> None:
        begin.wait()
        for number in range(rounds):
            if number % 3 == 0:
                mine += sender.protect_many(plaintexts)
            elif number % 3 == 1:
                mine += unpack(*sender.protect_batch(*pack(plaintexts)))
            else:
                mine += [sender.protect(plaintext) for plaintext in plaintexts]

    def run(work: Any, arguments: list[Any]) -> None:
        threads = [threading.Thread(target=work, args=(one,)) for one in arguments]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    run(protect, made)
    frames = [frame for mine in made for frame in mine]
    counters = sorted(sframe.parse_header(frame)[1] for frame in frames)
    assert counters == list(range(threads_count * rounds * batch))

    # Every thread tries every frame; each is opened by one of them.
    opened = [0] * threads_count
    begin.reset()

    def unprotect(number: int) -> None:
        begin.wait()
        results = receiver.unprotect_many(frames, return_errors=True)
        opened[number] = sum(isinstance(result, bytes) for result in results)

    run(unprotect, list(range(threads_count)))
    assert sum(opened) == len(frames)
