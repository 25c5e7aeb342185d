"""Settings of the core are checked where they are given, and errors say what helps."""

# Ignored types: a setting of the wrong type, or a numpy integer, which the core takes and `int`
# does not say.
from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sealroom import errors, jitter, privmx, rtp, sframe, srtp
from sealroom._core import privmx as native_privmx

SUITE = sframe.AES_128_GCM_SHA256_128
KEY = bytes(range(32))
KEY_ID = "00112233445566778899aabbccddeeff"
Arguments = dict[str, Any]


def video(**settings: Any) -> object:
    return jitter.VideoJitterBuffer("vp8", **settings)


def sender(**settings: Any) -> object:
    return sframe.Sender(**{"suite": SUITE, "key_id": 1, "base_key": KEY, **settings})


def receiver(key_id: int, **settings: Any) -> None:
    sframe.Receiver(suite=SUITE).add_ratchet(key_id, KEY, **settings)


def layout(**settings: Any) -> sframe.MlsKeyIdLayout:
    return sframe.MlsKeyIdLayout(**{"epoch_bits": 8, "sender_bits": 8, **settings})


def mls_epoch(**settings: Any) -> None:
    arguments = {"sender": 0, "epoch": 0, "base_key": KEY, **settings}
    sframe.Receiver(suite=SUITE).add_mls_epoch(layout(), **arguments)


def ratchet_key_id(**settings: Any) -> object:
    return sframe.ratchet_key_id(**{"generation": 1, "step": 0, "bits": 8, **settings})


REFUSED: list[tuple[Callable[..., object], Arguments, str]] = [
    *(
        (buffer, {name: value}, f"{name}: an integer from {limits}$")
        for buffer in (video, jitter.AudioJitterBuffer)
        for name, values, limits in (
            ("ssrc", (-1, 2**32), r"0 to 2\*\*32 - 1"),
            ("max_packets", (-1, 1, 16385, 2**40, 2**70), "16 to 16384"),
            ("max_bytes", (0, 1499, 2**40), "1500 to 1073741824"),
        )
        for value in values
    ),
    (video, {"nack_max_packets": 10**6}, "nack_max_packets: an integer from 1 to 16384"),
    (video, {"nack_max_tries": -1}, "nack_max_tries: an integer from 0 to 1000"),
    (
        jitter.AudioJitterBuffer,
        {"min_target_delay": 0.5, "max_target_delay": 0.1},
        "min_target_delay: at most max_target_delay",
    ),
    (sender, {"first_counter": 10, "counter_limit": 5}, "counter_limit: above first_counter"),
    (sender, {"first_counter": -1}, "first_counter: an integer from 0"),
    (sender, {"key_id": 2**64}, r"key_id: an integer from 0 to 2\*\*64 - 1"),
    (sender, {"ratchet_bits": 33}, "ratchet_bits: an integer from 0 to 32"),
    (receiver, {"key_id": -1}, "key_id: an integer"),
    (receiver, {"key_id": 1, "bits": 0}, "bits: an integer from 1 to 32"),
    (receiver, {"key_id": 1, "kept_steps": 65}, "kept_steps: an integer from 0 to 64"),
    (layout, {"epoch_bits": -1}, "epoch_bits: an integer from 1 to 63"),
    (layout, {"epoch_bits": 2**40}, "epoch_bits: an integer from 1 to 63"),
    (layout, {"sender_bits": 57}, "sender_bits: an integer from 0 to 56"),
    (layout().encode, {"sender": 2**64, "epoch": 0}, "sender: an integer from 0"),
    (layout().encode, {"sender": 0, "epoch": -1}, "epoch: an integer from 0"),
    (layout().encode, {"sender": 0, "epoch": 0, "context": -1}, "context: an integer from 0"),
    (mls_epoch, {"sender": -1}, "sender: an integer from 0"),
    (mls_epoch, {"sender": 256}, "sender, context: too large for the layout"),
    (ratchet_key_id, {"generation": 2**64}, "generation, bits: 1 to 32 bits"),
    (ratchet_key_id, {"bits": -1}, "generation, bits: 1 to 32 bits"),
    (ratchet_key_id, {"step": -1}, "step: an integer from 0"),
    (
        sframe.key_commitment,
        {"suite": SUITE, "key_id": -1, "base_key": KEY},
        "key_id: an integer from 0",
    ),
    (sframe.PendingFrames, {"max_key_ids": -1}, "max_key_ids: an integer from 1 to 1048576"),
    (sframe.PendingFrames, {"max_frames_per_key": 0}, "max_frames_per_key: an integer from 1"),
    (sframe.PendingFrames, {"max_bytes_per_key": 0}, "max_bytes_per_key: an integer from 1"),
    (sframe.PendingFrames, {"max_age": 1e13}, "max_age: seconds, at most 1e12"),
    (privmx.KeyStore, {"message_limit": 0}, "message_limit: an integer from 1 to 4294967296"),
    (privmx.KeyStore, {"message_limit": 2**32 + 1}, "message_limit: an integer from 1"),
    (native_privmx.DataSender, {"first_sequence": 2**32}, "first_sequence: an integer from 0"),
    (privmx.DataSender, {"keys": privmx.KeyStore(), "key_id": "zz"}, "key_id: 32 hexadecimal"),
    (privmx.media_key, {"room_key": np.zeros(32, np.int32)}, "room_key: 32 bytes"),
    (privmx.media_key, {"room_key": np.zeros((2, 16), np.uint8)}, "room_key: 32 bytes"),
]


@pytest.mark.parametrize(("make", "settings", "words"), REFUSED)
def test_a_setting_out_of_range_is_refused_by_its_name(
    make: Callable[..., object], settings: Arguments, words: str
) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=words):
        make(**settings)


def test_integers_of_numpy_are_integers_and_fractions_are_none() -> None:
    jitter.VideoJitterBuffer("vp8", ssrc=np.uint32(7), max_packets=np.int64(64))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        jitter.VideoJitterBuffer("vp8", max_packets=64.0)  # type: ignore[arg-type]


def test_each_reason_to_refuse_a_key_has_its_own_sentence() -> None:
    opener = sframe.Receiver(suite=SUITE)
    opener.add_key(7, KEY)
    opener.add_ratchet(256, KEY)
    for key_id in (7, 256, 511):
        with pytest.raises(errors.InvalidArgumentError, match=rf"^key_id: {key_id} has a key"):
            opener.add_key(key_id, KEY)
    with pytest.raises(errors.InvalidArgumentError, match=r"^base_key: at least 1 byte$"):
        opener.add_key(8, b"")
    with pytest.raises(errors.InvalidArgumentError, match=r"^commitment: 32 bytes$"):
        opener.add_key(8, KEY, bytes(16))
    with pytest.raises(errors.InvalidArgumentError, match=r"^key_id: its generation has a key"):
        opener.add_ratchet(300, KEY)
    with pytest.raises(errors.InvalidArgumentError, match=r"^base_key: at least 1 byte$"):
        opener.add_ratchet(512, b"")
    for generation in range(2, 5):
        opener.add_ratchet(generation << 8, KEY)
    with pytest.raises(errors.LimitExceededError, match=r"at most 4 generations.*remove_key"):
        opener.add_ratchet(5 << 8, KEY)
    for key_id in range(8, 71):
        opener.add_key(key_id, KEY)
    with pytest.raises(errors.LimitExceededError, match=r"at most 64 keys.*remove_key"):
        opener.add_key(71, KEY)
    assert opener.key_ids == [*range(7, 71), 256, 512, 768, 1024]


def test_a_room_key_that_is_not_added_says_why() -> None:
    keys = privmx.KeyStore()
    keys.add(KEY_ID, KEY)
    with pytest.raises(errors.InvalidArgumentError, match=r"^key_id: it has a key already"):
        keys.add(KEY_ID, KEY)
    with pytest.raises(errors.InvalidArgumentError, match=r"^key: 32 bytes$"):
        keys.add("f" * 32, KEY[1:])
    for number in range(63):
        keys.add(f"{number:032}", KEY)
    with pytest.raises(errors.LimitExceededError, match=r"at most 64 keys; remove\(\)"):
        keys.add("f" * 32, KEY)


def test_a_data_sender_at_its_end_asks_for_a_new_sender_not_for_a_new_key() -> None:
    keys = privmx.KeyStore()
    keys.add(KEY_ID, KEY)
    last = privmx.DataSender(keys, KEY_ID, first_sequence=2**32 - 1)
    last.protect(b"the last one")
    with pytest.raises(errors.KeyExhaustedError, match=r"sequence numbers .* make a new one"):
        last.protect(b"one more")


def test_a_frame_without_a_key_tells_its_key_id() -> None:
    seal = sframe.Sender(suite=SUITE, key_id=300, base_key=KEY)
    opener = sframe.Receiver(suite=SUITE)
    out = bytearray(100)
    frame = seal.protect(b"frame")
    video_frame = sframe.protect_frame(seal, "vp8", b"\x01a delta frame")
    calls: list[Callable[[], object]] = [
        lambda: opener.unprotect(frame),
        lambda: opener.unprotect_into(frame, out),
        lambda: sframe.unprotect_frame(opener, "vp8", video_frame),
    ]
    sizes = np.array([len(frame)], np.int32)
    calls += [
        lambda: opener.unprotect_many([frame]),
        lambda: opener.unprotect_batch(frame, sizes),
    ]
    for call in calls:
        with pytest.raises(errors.KeyNotFoundError, match=r"key id 300: .*PendingFrames") as caught:
            call()
        assert caught.value.key_id == 300
    kept: dict[int, Exception] = {}
    opener.unprotect_batch(frame, sizes, errors=kept)
    for error in (*opener.unprotect_many([frame], return_errors=True), kept[0]):
        assert isinstance(error, errors.KeyNotFoundError)
        assert error.key_id == 300
        assert "key id 300: " in str(error)


def test_more_bytes_than_the_crypto_libraries_take_are_refused_as_such() -> None:
    large = np.zeros(2**31, np.uint8)  # of which nothing is ever read
    seal = sframe.Sender(suite=SUITE, key_id=0, base_key=KEY)
    opener = sframe.Receiver(suite=SUITE)
    opener.add_key(0, KEY)
    keys = privmx.KeyStore()
    keys.add(KEY_ID, KEY)
    calls: dict[str, list[Callable[[], object]]] = {
        "plaintext": [lambda: seal.protect(large), lambda: seal.protect_many([large])],
        "frame": [
            lambda: sframe.protect_frame(seal, "opus", large),
            lambda: opener.unprotect_many([large]),
            lambda: sframe.unprotect_frame(opener, "opus", large),
            lambda: privmx.protect_media(keys, KEY_ID, large, kind="audio"),
        ],
        "message": [lambda: privmx.DataSender(keys, KEY_ID).protect(large)],
    }
    for name, refused in calls.items():
        for call in refused:
            with pytest.raises(
                errors.InvalidArgumentError, match=rf"^{name}: at most 2\*\*31 - 1 bytes$"
            ):
                call()
    assert seal.next_counter == 0


def test_a_buffer_that_is_too_small_is_told_what_is_needed() -> None:
    seal = sframe.Sender(suite=SUITE, key_id=1, base_key=KEY)
    needed = len(seal.protect(bytes(100)))
    with pytest.raises(errors.BufferTooSmallError, match=f"out: {needed} bytes are needed, .* 99"):
        seal.protect_into(bytes(100), bytearray(99))
    opener = sframe.Receiver(suite=SUITE)
    opener.add_key(1, KEY)
    with pytest.raises(errors.BufferTooSmallError, match="out: 100 bytes are needed, it has 3"):
        opener.unprotect_into(seal.protect(bytes(100)), bytearray(3))


def test_sender_and_receiver_tell_suite_and_back_end_and_are_not_copied() -> None:
    seal = sframe.Sender(suite=SUITE, key_id=1, base_key=KEY, backend="openssl")
    opener = sframe.Receiver(suite=SUITE, backend="openssl")
    assert (seal.suite, seal.backend) == (opener.suite, opener.backend) == (SUITE, "openssl")
    for one, reason in ((seal, "same counters"), (opener, "replayed")):
        for leak in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match=f"not copied or pickled.*{reason}"):
                leak(one)


def test_layouts_of_the_same_widths_are_equal() -> None:
    one = sframe.MlsKeyIdLayout(epoch_bits=8, sender_bits=10)
    assert one == sframe.MlsKeyIdLayout(epoch_bits=8, sender_bits=10)
    assert one != sframe.MlsKeyIdLayout(epoch_bits=8, sender_bits=11)
    assert one != "layout"
    assert len({one, sframe.MlsKeyIdLayout(epoch_bits=8, sender_bits=10)}) == 1


def packet(number: int, timestamp: int = 0) -> bytes:
    return rtp.serialize_rtp(
        b"an Opus packet",
        payload_type=111,
        sequence_number=number,
        timestamp=timestamp,
        ssrc=7,
    )


def test_objects_show_their_properties_and_no_media() -> None:
    seal = sframe.Sender(suite=SUITE, key_id=3, base_key=KEY, backend="openssl")
    assert repr(seal) == "Sender(next_counter=0, key_id=3, suite=4, backend='openssl')"
    assert repr(sframe.MlsKeyIdLayout(epoch_bits=8, sender_bits=10)) == (
        "MlsKeyIdLayout(epoch_bits=8, sender_bits=10)"
    )
    buffer = jitter.AudioJitterBuffer()
    buffer.insert([packet(5)], now=1.0)
    (frame,) = buffer.pop()
    assert repr(frame) == (
        "AudioFrame(data=<14 bytes>, timestamp=0, sequence_number=5, is_missing=False, arrival=1.0)"
    )
    assert "packets_received=1, " in repr(buffer.statistics)
    usage = srtp.Sender(profile=srtp.Profile.AEAD_AES_128_GCM, master=bytes(28)).key_usage()
    assert repr(usage).startswith("KeyUsage(")
    assert " object at 0x" not in repr(usage) + repr(buffer)


def test_sizes_of_joined_audio_frames_go_into_the_next_batch() -> None:
    buffer = jitter.AudioJitterBuffer()
    seal = sframe.Sender(suite=SUITE, key_id=1, base_key=KEY)
    opener = sframe.Receiver(suite=SUITE)
    opener.add_key(1, KEY)
    sealed = [
        rtp.serialize_rtp(
            seal.protect(os.urandom(50)),
            payload_type=111,
            sequence_number=i,
            timestamp=960 * i,
            ssrc=7,
        )
        for i in range(3)
    ]
    buffer.insert(sealed, now=0.0)
    data, sizes, _, _ = buffer.pop_batch()
    assert sizes.dtype == np.int32
    _, opened = opener.unprotect_batch(data, sizes)
    assert opened.tolist() == [50, 50, 50]


def test_a_receiver_report_is_made_of_what_a_jitter_buffer_has_seen() -> None:
    buffer = jitter.AudioJitterBuffer()
    assert buffer.take_report_block() is None
    buffer.insert([packet(65534), packet(65535), packet(1), packet(4)], now=0.0)
    block = buffer.take_report_block(last_sender_report=9, delay_since_last_sender_report=10)
    assert block is not None
    assert (block.ssrc, block.cumulative_lost, block.fraction_lost) == (7, 3, 3 * 256 // 7)
    assert block.extended_highest_sequence == 65536 + 4
    assert (block.last_sender_report, block.delay_since_last_sender_report) == (9, 10)
    buffer.insert([packet(5, 960)], now=0.02)
    after = buffer.take_report_block()
    assert after is not None
    assert (after.cumulative_lost, after.fraction_lost) == (3, 0)
    assert rtp.write_receiver_report(rtp.ReceiverReport(sender=1, reports=[after]))


def test_packets_lost_is_negative_where_packets_from_before_the_first_came_later() -> None:
    buffer = jitter.AudioJitterBuffer()
    buffer.insert([packet(10), packet(8), packet(9)], now=0.0)
    assert buffer.statistics.packets_lost == -2
