"""A browser as a member of a room, through the Bridge and its media server.

What is signed and which keys come from it stays in Python (`browser_member.py`); the browser's
JavaScript gets the keys of single tracks, and does all media: ICE, DTLS, SRTP, codecs, SFrame.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import numpy as np
import pytest
from browser_member import BrowserMember
from media_support import Bars, Tone, assert_bars, assert_tone

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from call_support import eventually, open_call

from sealroom.client import StreamSubscription


async def publish(call, user_id, codec="vp8"):
    """Bars and a tone."""
    stream = await call.apis[user_id].create_stream(call.room_id)
    await stream.add_track(Bars(), name="camera", codec=codec)
    await stream.add_track(Tone(), name="microphone")
    await stream.publish()
    return stream


async def receives(call, user_id, stream_id):
    """A member in Python subscribes to a stream of bars and a tone, and gets them."""
    api = call.apis[user_id]
    session = api._session(call.room_id)
    await eventually(lambda: stream_id in session.streams)
    await api.subscribe_to_remote_streams(call.room_id, [StreamSubscription(stream_id=stream_id)])
    remotes = {one.kind: one for one in session.receiving.remote_tracks()}
    async with asyncio.timeout(20):
        frames = remotes["video"].frames()
        for _ in range(10):
            frame = await anext(frames)
        assert_bars(frame.to_ndarray())
        frames = remotes["audio"].frames()
        heard = [await anext(frames) for _ in range(40)]
        assert_tone(np.concatenate([one.to_ndarray()[:, 0] for one in heard[10:]]))


async def shows(member, stream_id):
    """A member in a browser sees the bars and hears the tone of a stream."""
    await member.subscriber.assert_sees_bars(member.mid_of(stream_id, "video"))
    await member.subscriber.assert_hears_tone(member.mid_of(stream_id, "audio"))


async def decodes(member, mid, count=10):
    """A browser decodes so many pictures more."""

    async def decoded():
        return (await member.subscriber.inbound("video", mid)).get("framesDecoded", 0)

    async with asyncio.timeout(20):
        goal = await decoded() + count
        while await decoded() < goal:
            await asyncio.sleep(0.1)


async def rejections(member, stream_id):
    return [
        (await member.subscriber.call("record", f"receive {member.mid_of(stream_id, kind)}"))[
            "rejected"
        ]
        for kind in ("audio", "video")
    ]


@pytest.fixture
async def call():
    async with open_call("alice", "bob") as one:
        yield one


async def test_a_browser_sees_and_hears_a_room_whose_streams_come_and_go(call, chromium):
    first = await publish(call, "alice")
    await call.sees("bob", first)
    bob = BrowserMember(call.apis["bob"], call.room_id, chromium)
    await bob.subscribe(first.stream_id)
    await shows(bob, first.stream_id)

    second = await publish(call, "alice")
    await call.sees("bob", second)
    await bob.subscribe(second.stream_id)
    await shows(bob, second.stream_id)
    for one in (first, second):
        assert await rejections(bob, one.stream_id) == [{}, {}]

    await first.unpublish()
    await decodes(bob, bob.mid_of(second.stream_id, "video"))
    third = await publish(call, "alice")
    await call.sees("bob", third)
    await bob.subscribe(third.stream_id)
    await shows(bob, third.stream_id)
    await decodes(bob, bob.mid_of(second.stream_id, "video"))


async def test_members_in_python_see_and_hear_a_browser_who_comes_late_too(call, chromium):
    bob = BrowserMember(call.apis["bob"], call.room_id, chromium)
    stream_id = await bob.publish()
    await receives(call, "alice", stream_id)
    # The media server asks the browser for a key frame, so that she need not wait for one.
    carol = await call.add("carol")
    await call.apis["alice"].update_stream_room(call.room_id, users=["bob", "carol"])
    await carol.join_stream_room(call.room_id)
    await receives(call, "carol", stream_id)


async def test_two_browsers_see_and_hear_each_other(call, chromium, chromium_browser):
    other = await chromium_browser.open_page()
    alice = BrowserMember(call.apis["alice"], call.room_id, chromium)
    bob = BrowserMember(call.apis["bob"], call.room_id, other)
    from_alice, from_bob = await alice.publish(), await bob.publish()
    for member, stream_id in ((alice, from_bob), (bob, from_alice)):
        await eventually(lambda m=member, s=stream_id: m.knows(s))
        await member.subscribe(stream_id)
        await shows(member, stream_id)
        assert await rejections(member, stream_id) == [{}, {}]
    await other.close()


@pytest.mark.parametrize("codec", ["h264", "vp9", "av1"])
async def test_other_codecs_pass_the_media_server_both_ways(call, chromium, codec):
    stream = await publish(call, "alice", codec)
    await call.sees("bob", stream)
    bob = BrowserMember(call.apis["bob"], call.room_id, chromium)
    await bob.subscribe(stream.stream_id)
    await shows(bob, stream.stream_id)
    mid = bob.mid_of(stream.stream_id, "video")
    await decodes(bob, mid)
    assert (await bob.subscriber.inbound("video", mid))["mimeType"].lower() == f"video/{codec}"
    assert await rejections(bob, stream.stream_id) == [{}, {}]
    await receives(call, "alice", await bob.publish(codec))


async def test_a_browser_goes_on_when_the_key_changes(call, chromium):
    stream = await publish(call, "alice")
    await call.sees("bob", stream)
    bob = BrowserMember(call.apis["bob"], call.room_id, chromium)
    stream_id = await bob.publish()
    await bob.subscribe(stream.stream_id)
    await shows(bob, stream.stream_id)
    await receives(call, "alice", stream_id)

    api = call.apis["alice"]
    await api.update_stream_room(call.room_id, force_generate_new_key=True)
    sessions = [call.apis[one]._session(call.room_id) for one in ("alice", "bob")]
    await eventually(lambda: all(one._keys.sending.id.epoch == 2 for one in sessions))
    await eventually(lambda: all(len(one._keys.accepted) == 1 for one in sessions))
    await decodes(bob, bob.mid_of(stream.stream_id, "video"))
    await shows(bob, stream.stream_id)
    remote = next(one for one in sessions[0].receiving.remote_tracks() if one.kind == "video")
    async with asyncio.timeout(20):
        frames = remote.frames()
        for _ in range(60):  # more than were waiting from before
            frame = await anext(frames)
    assert_bars(frame.to_ndarray())


async def test_lost_packets_are_sent_again_both_ways(call, chromium):
    await chromium.lose(10)
    stream = await publish(call, "alice")
    await call.sees("bob", stream)
    bob = BrowserMember(call.apis["bob"], call.room_id, chromium)
    await bob.subscribe(stream.stream_id)
    stream_id = await bob.publish()
    await receives(call, "alice", stream_id)
    mid = bob.mid_of(stream.stream_id, "video")
    async with asyncio.timeout(30):
        # By the browser from the media server, and by the media server from the browser.
        while (await bob.subscriber.inbound("video", mid)).get("nackCount", 0) < 3:
            await asyncio.sleep(0.1)
        while (await bob.publisher.outbound("video")).get("retransmittedPacketsSent", 0) < 3:
            await asyncio.sleep(0.1)
    await decodes(bob, mid)
    await bob.subscriber.assert_sees_bars(mid)
    assert await rejections(bob, stream.stream_id) == [{}, {}]
    for one in call.apis["alice"].statistics(call.room_id).received:
        assert one.python.decode_errors == one.python.frames_rejected == 0


async def test_media_paths_of_a_browser_change_and_nothing_ends(call, chromium):
    stream = await publish(call, "alice")
    await call.sees("bob", stream)
    bob = BrowserMember(call.apis["bob"], call.room_id, chromium)
    await bob.subscribe(stream.stream_id)
    await shows(bob, stream.stream_id)
    await receives(call, "alice", await bob.publish())
    session = call.apis["alice"]._session(call.room_id)
    remote = next(one for one in session.receiving.remote_tracks() if one.kind == "video")
    before = [await one.path() for one in (bob.subscriber, bob.publisher)]
    await bob.restart()
    async with asyncio.timeout(20):
        for peer, old in zip((bob.subscriber, bob.publisher), before, strict=True):
            while await peer.path() in ("", old):
                await asyncio.sleep(0.05)
        await decodes(bob, bob.mid_of(stream.stream_id, "video"))
        received = remote.track.statistics.frames_received
        while remote.track.statistics.frames_received < received + 10:
            await asyncio.sleep(0.05)
    assert remote.track.statistics.frames_rejected == 0
    assert await rejections(bob, stream.stream_id) == [{}, {}]
