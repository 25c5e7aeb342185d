"""Chromium and our media layer call each other, VP8 and Opus, encrypted end to end.

The browser's side of the encryption is its own JavaScript in an encoded transform (`browser/`).
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from dataclasses import replace

import pytest
from browser_support import key_of
from media_support import until

from sealroom import sframe

AUDIO, VIDEO = "0", "1"  # mids
KEY = secrets.token_bytes(32)


def digest_of(frame):
    return hashlib.sha256(bytes(frame.data)).hexdigest()


async def chromium_offers(native, theirs, key):
    offer = await theirs.call("offer", ["audio/opus", "video/VP8"], "sendrecv")
    native.add_sections()
    await native.peer.accept_offer(offer)
    native.add_receivers(key)
    await theirs.call("finish", await native.peer.create_answer())


async def chromium_answers(native, theirs, key):
    native.add_sections()
    offer = await native.peer.create_offer()
    await native.peer.accept_answer(await theirs.call("answer", offer, [AUDIO, VIDEO]))
    native.add_receivers(key)


async def begin(native, chromium, *, negotiate=chromium_answers, their_key=KEY, **options):
    theirs = await chromium.open_peer({mid: key_of(their_key) for mid in (AUDIO, VIDEO)})
    await negotiate(native, theirs, KEY if native.protection else None)
    await native.peer.connected()
    native.start_senders(KEY if native.protection else None, **options)
    return theirs


async def chromium_decodes(theirs, count):
    """Waits until so many pictures more were decoded."""

    async def decoded():
        return (await theirs.inbound("video")).get("framesDecoded", 0)

    async with asyncio.timeout(20):
        goal = await decoded() + count
        while await decoded() < goal:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("negotiate", "profile"),
    [(chromium_offers, "AES128_CM_SHA1_80"), (chromium_answers, "AEAD_AES_256_GCM")],
)
@pytest.mark.parametrize("takeover", [True, False], ids=["takeover", "fallback"])
async def test_both_kinds_flow_both_ways(native_peer, chromium, negotiate, profile, takeover):
    native = native_peer(protection=True, takeover=takeover)
    sent, received = [], []
    theirs = await begin(native, chromium, negotiate=negotiate, encoded_frame_handler=keep(sent))
    for track in native.incoming.values():
        track.encoded_frame_handler = keep(received)
    await native.assert_receives()
    await chromium_decodes(theirs, 10)
    await theirs.assert_sees_bars(VIDEO)
    await theirs.assert_hears_tone(AUDIO)
    assert native.peer.transport.srtp_profile == profile

    for mid in (AUDIO, VIDEO):
        record = await theirs.call("record", f"receive {mid}")
        assert record["rejected"] == {}
        assert len(record["digests"]) > 10
        assert set(record["digests"]) <= set(sent)
    assert len(received) > 20
    await theirs.assert_sent(set(received), AUDIO, VIDEO)
    for receiver in native.receivers.values():
        assert set(native.session.receiver_statistics(receiver).rejected.values()) == {0}


def keep(digests):
    def handler(frame):
        digests.append(digest_of(frame))
        return frame

    return handler


async def test_key_frames_are_asked_for_both_ways(native_peer, chromium):
    native = native_peer(protection=True)
    theirs = await begin(native, chromium)
    await native.assert_receives(("video",))
    await chromium_decodes(theirs, 5)
    ours = native.outgoing[VIDEO]
    before = ours.statistics.key_frames_sent
    await theirs.call("askForKeyFrame", VIDEO)
    await until(lambda: ours.statistics.key_frames_requested > 0)
    await until(lambda: ours.statistics.key_frames_sent > before)

    frames = native.incoming[VIDEO].encoded_frames()
    native.session.request_key_frame(native.receivers[VIDEO])
    async with asyncio.timeout(10):
        while not (await anext(frames)).is_key_frame:
            pass


async def test_with_another_key_neither_decodes_anything(native_peer, chromium):
    native = native_peer(protection=True)
    theirs = await begin(native, chromium, their_key=secrets.token_bytes(32))
    _reading = [track.frames() for track in native.incoming.values()]
    await until(lambda: all(t.statistics.frames_rejected for t in native.incoming.values()))
    for receiver in native.receivers.values():
        counters = native.session.receiver_statistics(receiver)
        assert counters.rejected["authentication_failed"] > 0
        assert counters.frames_received == 0
    for mid in (AUDIO, VIDEO):
        assert (await chromium_rejects(theirs, mid)).keys() == {"authentication failed"}
        assert (await theirs.call("record", f"receive {mid}"))["digests"] == []
    assert (await theirs.inbound("video")).get("framesDecoded", 0) == 0
    assert all(track.statistics.frames_decoded == 0 for track in native.incoming.values())


async def test_chromium_refuses_media_that_is_not_encrypted(native_peer, chromium):
    native = native_peer(protection=False)
    theirs = await begin(native, chromium)
    for mid in (AUDIO, VIDEO):
        await chromium_rejects(theirs, mid)
        assert (await theirs.call("record", f"receive {mid}"))["digests"] == []
    assert (await theirs.inbound("video")).get("framesDecoded", 0) == 0


async def test_without_its_flag_chromium_sends_clear_frames_past_the_transform(
    native_peer, chromium
):
    # Why docs/wire.md insists on encodedInsertableStreams: our side has no key and understands.
    native = native_peer(protection=False)
    theirs = await chromium.open_peer(
        {mid: key_of(KEY) for mid in (AUDIO, VIDEO)}, is_careful=False
    )
    await chromium_answers(native, theirs, None)
    await native.peer.connected()
    await native.assert_receives()
    assert (await theirs.call("record", f"send {VIDEO}"))["digests"] == []


MISCHIEF = ["replay", "tamper", "forge"]


async def test_bad_frames_of_chromiums_are_refused_and_the_call_goes_on(native_peer, chromium):
    native = native_peer(protection=True)
    theirs = await begin(native, chromium)
    await native.assert_receives()
    for mid, receiver in native.receivers.items():
        for count, mischief in enumerate(MISCHIEF, 1):
            await theirs.call("misbehave", mid, mischief)
            await until(lambda r=receiver, n=count: sum(rejections(native, r).values()) >= n)
            # Video is withheld until the key frame that was asked for; bad frames, too.
            before = native.session.receiver_statistics(receiver).frames_received
            await until(
                lambda r=receiver, n=before: (
                    native.session.receiver_statistics(r).frames_received > n
                )
            )
        assert rejections(native, receiver) == {"replayed": 1, "authentication_failed": 2}
    await native.assert_receives()


def rejections(native, receiver):
    rejected = native.session.receiver_statistics(receiver).rejected
    return {reason: count for reason, count in rejected.items() if count}


class Mischief:
    """Protects frames itself, as a handler of tracks without protection; on demand one badly."""

    def __init__(self):
        self.senders = {
            kind: sframe.Sender(suite=5, key_id=1, base_key=KEY) for kind in ("audio", "video")
        }
        self.before = {}
        self.wanted = {}

    def __call__(self, frame):
        sealed = sframe.protect_frame(self.senders[frame.kind], frame.codec, frame.data)
        sent = bytearray(sealed)
        match self.wanted.pop(frame.kind, None):
            case "replay":
                sent = self.before[frame.kind]
            case "tamper":
                sent[-20] ^= 1
            case "forge":  # a clear byte, or the SFrame header
                sent[0] ^= 1
        self.before[frame.kind] = sealed
        return replace(frame, data=bytes(sent))


async def test_bad_frames_of_ours_are_refused_by_chromium_and_the_call_goes_on(
    native_peer, chromium
):
    native, bad = native_peer(protection=False), Mischief()
    theirs = await begin(native, chromium, encoded_frame_handler=bad)
    await chromium_decodes(theirs, 5)
    for mid, track in native.outgoing.items():
        for count, mischief in enumerate(MISCHIEF, 1):
            bad.wanted[track.kind] = mischief
            rejected = await chromium_rejects(theirs, mid, count)
        assert rejected["replayed"] == 1
        assert sum(rejected.values()) == 3
    await chromium_decodes(theirs, 5)
    await theirs.assert_sees_bars(VIDEO)
    await theirs.assert_hears_tone(AUDIO)


async def chromium_rejects(theirs, mid, count=1):
    """Waits until it refused so many frames; why, and how many each."""
    async with asyncio.timeout(10):
        while True:
            rejected = (await theirs.call("record", f"receive {mid}"))["rejected"]
            if sum(rejected.values()) >= count:
                return rejected
            await asyncio.sleep(0.05)
