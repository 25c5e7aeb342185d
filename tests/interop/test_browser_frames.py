"""Chromium's own JavaScript, written from docs/wire.md, and the core read each other's frames."""

from __future__ import annotations

import random
import secrets

import pytest
from browser_support import key_of
from codec_peer import encoded_bars
from payload_support import opus_packets

from sealroom import errors, sframe

CODECS = ["opus", "vp8", "vp9", "h264", "av1"]
BASE_KEY = secrets.token_bytes(32)
ODD_FRAMES = {
    "opus": [b"\0"],
    "vp8": [b"\0", b"\1", bytes(9), bytes(40), b"\0\0\0\x9d\1\x2a\0\0\0\0"],
    "vp9": [b"\0"],
    "h264": [
        b"\0",
        b"no start code",
        b"\0\0\1\x67ab\0\0\1\x68cd",  # no slice
        b"\0\0\1\x65",  # a slice without its header
        b"\0\0\0\1\x67a\0\0\0b\0\0\1\x41\0\0\1\0\0",  # an invalid parameter set
        b"".join(b"\0\0\1\x67" + bytes([n]) * 300 for n in range(4, 9)) + b"\0\0\1\x41xyz",
        b"\0\0\1\x67" + b"a" * 1100 + b"\0\0\1\x68b\0\0\1\x65xyz\0\0\0",
    ],
    "av1": [b"\0", b"\x0a\0", b"\x0a\x05a", b"\x12\0\x0a\1a\x32\1b", b"\x0e\0\1a", b"\x80" * 12],
}


STRUCTURE = {  # what random frames are made of
    "h264": [b"\0", b"\0", b"\1", b"\3", b"\0\0\1", b"\x67a", b"\x68", b"\x41", b"\x65", b"\xe7"],
    "av1": [
        b"\x0a",
        b"\x08",
        b"\x0e",
        b"\x12",
        b"\x2a",
        b"\x32",
        b"\x7a",
        b"\0",
        b"\1",
        b"\2",
        b"\x81",
    ],
    "vp8": [b"\0", b"\1", b"\x9d\1\x2a"],
}


def random_frames(codec, count=200):
    chance = random.Random(codec)
    pieces = STRUCTURE.get(codec, [b"\0", b"\1"])
    return [b"".join(chance.choices(pieces, k=chance.randint(1, 30))) for _ in range(count)]


def frames_of(codec):
    real = opus_packets() if codec == "opus" else encoded_bars(codec)
    return [*real[:4], *ODD_FRAMES[codec], *random_frames(codec)]


@pytest.mark.parametrize(("suite", "key_id"), [(4, 0), (4, 70000), (5, 7), (5, 8)])
async def test_either_makes_the_same_of_a_frame_and_reads_it(chromium, suite, key_id):
    key = key_of(BASE_KEY, key_id, suite)
    for codec in CODECS:
        frames = frames_of(codec)
        sender = sframe.Sender(suite=suite, key_id=key_id, base_key=BASE_KEY)
        receiver = sframe.Receiver(suite=suite)
        receiver.add_key(key_id, BASE_KEY)
        ours = [sframe.protect_frame(sender, codec, frame) for frame in frames]
        theirs = await chromium.protect(codec, key, frames)
        assert theirs == ours, codec
        assert await chromium.unprotect(codec, key, ours) == frames, codec
        opened = [sframe.unprotect_frame(receiver, codec, frame) for frame in theirs]
        assert opened == frames, codec


@pytest.mark.parametrize("codec", CODECS)
async def test_both_refuse_the_same_changed_frames(chromium, codec):
    frame = frames_of(codec)[0]
    sender = sframe.Sender(suite=5, key_id=1, base_key=BASE_KEY)
    sealed = sframe.protect_frame(sender, codec, frame)
    spots = [*range(40), len(sealed) // 2, *range(len(sealed) - 18, len(sealed))]
    changed = []
    for spot in spots:
        one = bytearray(sealed)
        one[spot] ^= 1 << spot % 8
        changed.append(bytes(one))
    changed += [sealed[:-1], sealed[:12], b"", sealed + b"\1", frame]
    changed += [b"\1" + sealed, sealed + sealed]
    receiver = sframe.Receiver(suite=5)
    receiver.add_key(1, BASE_KEY)
    for one in changed:
        with pytest.raises(errors.SealroomError):
            sframe.unprotect_frame(receiver, codec, one)
    answers = await chromium.unprotect(codec, key_of(BASE_KEY), [*changed, sealed, sealed])
    *refused, opened, again = answers
    assert all(isinstance(one, str) for one in refused)
    assert (opened, again) == (frame, "replayed")


async def test_both_refuse_another_key_and_an_unknown_key_id(chromium):
    other = secrets.token_bytes(32)
    sender = sframe.Sender(suite=5, key_id=1, base_key=other)
    stranger = sframe.Sender(suite=5, key_id=2, base_key=BASE_KEY)
    receiver = sframe.Receiver(suite=5)
    receiver.add_key(1, BASE_KEY)
    for codec in CODECS:
        frame = frames_of(codec)[0]
        sealed = [sframe.protect_frame(one, codec, frame) for one in (sender, stranger)]
        answers = await chromium.unprotect(codec, key_of(BASE_KEY), sealed)
        assert answers == ["authentication failed", "unknown key id"], codec
        (theirs,) = await chromium.protect(codec, key_of(other), [frame])
        with pytest.raises(errors.AuthenticationError):
            sframe.unprotect_frame(receiver, codec, theirs)
        (theirs,) = await chromium.protect(codec, key_of(BASE_KEY, 2), [frame])
        with pytest.raises(errors.KeyNotFoundError):
            sframe.unprotect_frame(receiver, codec, theirs)
