"""Video in every codec, encrypted end to end, between our media layer and Chromium."""

from __future__ import annotations

import asyncio
import hashlib
import secrets

import pytest
from browser_support import key_of
from codec_peer import FRAME_RATE, CodecPeer, decode, encoded_bars
from media_support import assert_bars
from payload_support import annex_b, split_annex_b


def digests(frames):
    return {hashlib.sha256(frame).hexdigest() for frame in frames}


def after_numbers(bits, at, count):
    """Where `count` exp-Golomb numbers end (H.264 section 9.1)."""
    for _ in range(count):
        at += 2 * (bits.index("1", at) - at) + 1
    return at


def without_vui(frame):
    """A baseline frame whose sequence parameter set ends before its VUI (section 7.3.2.1.1)."""
    units = split_annex_b(frame)
    for index, unit in enumerate(units):
        if unit[0] & 31 != 7:
            continue
        assert unit[1] == 66, "no fields of the high profiles"
        bits = "".join(f"{byte:08b}" for byte in unit.replace(b"\0\0\3", b"\0\0"))
        at = after_numbers(bits, 32, 4) + 1  # of pictures; then a flag
        at = after_numbers(bits, at, 2) + 2  # width and height; then two flags
        at = after_numbers(bits, at + 1, 4) if bits[at] == "1" else at + 1  # cropping
        assert bits[at] == "1", "it has a VUI"
        bits = bits[:at] + "01"
        bits += "0" * (-len(bits) % 8)
        units[index] = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return annex_b(units)


@pytest.fixture
async def call(chromium):
    """Calls Chromium with a codec, and ends it."""
    peers = []

    async def begin(codec, frames=None):
        key = secrets.token_bytes(32)
        peers.append(CodecPeer(codec, key, frames))
        theirs = await chromium.open_peer({"0": key_of(key)})
        await peers[0].accept(
            await theirs.call("answer", await peers[0].peer.create_offer(), ["0"])
        )
        return peers[0], theirs

    yield begin
    await asyncio.gather(*(peer.close() for peer in peers))


@pytest.mark.parametrize("codec", ["vp8", "h264", "vp9", "av1"])
async def test_video_flows_both_ways_and_is_decoded_at_both_ends(call, codec):
    ours, theirs = await call(codec)
    async with asyncio.timeout(20):
        while len(ours.received) < 2 * FRAME_RATE:
            await asyncio.sleep(0.1)
        while (await theirs.inbound("video")).get("framesDecoded", 0) < 2 * FRAME_RATE:
            await asyncio.sleep(0.1)
    await theirs.assert_sees_bars("0")
    received = list(ours.received)
    pictures = decode(codec, received)
    assert len(pictures) == len(received)
    assert_bars(pictures[-1])

    await theirs.assert_sent(digests(received), "0")
    got = await theirs.call("record", "receive 0")
    assert set(got["digests"]) <= digests(ours.sent)
    assert got["rejected"] == {}
    assert got["keyFrames"] >= 2  # the browser tells them from what stays readable
    inbound = await theirs.inbound("video")
    assert inbound["mimeType"].lower() == f"video/{codec}"
    assert inbound["framesAssembledFromMultiplePackets"] > FRAME_RATE
    counters = ours.session.receiver_statistics(ours.receiver)
    assert counters.packets_received > len(ours.received)
    assert set(counters.rejected.values()) == {0}


@pytest.mark.parametrize("sps", ["reordering", "no-vui"])
async def test_key_frames_whose_sps_chromium_rewrites_do_not_open(call, sps):
    # It puts "no reordering" into the parameter sets of what arrives; docs/wire.md says so.
    if sps == "reordering":
        frames = encoded_bars("h264", bf="2")
    else:
        frames = [without_vui(frame) for frame in encoded_bars("h264")]
    _, theirs = await call("h264", frames)
    async with asyncio.timeout(20):
        while True:
            record = await theirs.call("record", "receive 0")
            if record["rejected"].get("authentication failed", 0) >= 2:
                break
            await asyncio.sleep(0.1)
    assert record["keyFrames"] == 0
    assert record["rejected"].keys() == {"authentication failed"}
    assert await theirs.call("look", "0") is None
