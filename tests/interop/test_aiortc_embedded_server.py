"""The embedded media server between our peers and unmodified aiortc."""

import asyncio
import secrets

import av
import pytest
from aiortc import RTCSessionDescription
from media_support import NativePeer, Tone, assert_stock_receives, until

from sealroom.bridge.embedded import EmbeddedMediaServer
from sealroom.bridge.media_server import MediaError, PublishedTrack, TrackRef
from sealroom.media.transport import MediaTransport

STREAM = "ours"
TRACKS = {"audio": "our-audio", "video": "our-video"}


@pytest.fixture
async def server():
    server = EmbeddedMediaServer(host_addresses=["127.0.0.1"])
    yield server
    await server.close()


def announced(peer, stream_id=STREAM):
    return [
        PublishedTrack(s.track_id, s.kind, s.codec, s.mid)
        for s in peer.sections
        if s.stream_id == stream_id and not s.stopped
    ]


async def publish(server, native: NativePeer, *, name="alice", key=None):
    native.add_sections("sendonly")
    offer = await native.peer.create_offer()
    answer = await server.publish(name, STREAM, offer, announced(native.peer))
    await native.peer.accept_answer(answer)
    await native.peer.connected()
    native.start_senders(key)


async def subscribe(
    server, native: NativePeer, *, name="bob", publisher="alice", tracks=TRACKS, key=None
):
    wanted = [TrackRef(publisher, STREAM, track) for track in tracks.values()]
    offer = await server.update_subscriptions(name, wanted)
    await native.peer.accept_offer(offer.sdp)
    native.add_receivers(key)
    await server.answer(name, await native.peer.create_answer())
    await native.peer.connected()
    return offer


async def test_encrypted_media_reaches_every_subscriber(server, native_peer):
    key = secrets.token_bytes(32)
    alice = native_peer(protection=True)
    await publish(server, alice, key=key)
    subscribers = [native_peer(protection=True) for _ in range(3)]
    for number, native in enumerate(subscribers):
        offer = await subscribe(server, native, name=f"bob{number}", key=key)
        assert {t.track_id for t in offer.tracks} == set(TRACKS.values())
    await asyncio.gather(*(native.assert_receives() for native in subscribers))
    for native in subscribers:
        for track in native.incoming.values():
            assert track.statistics.frames_rejected == 0
    totals = server.statistics()
    assert (totals.participants, totals.producers, totals.consumers) == (4, 2, 6)
    assert totals.forwarded_packets > totals.received_packets > 0


async def test_a_stream_that_ends_while_it_is_subscribed_to_is_left_out(
    server, native_peer, monkeypatch
):
    alice, bob = native_peer(), native_peer()
    await publish(server, alice)
    gather = MediaTransport.gather

    async def end_first(transport):
        await server.unpublish("alice", STREAM)
        await gather(transport)

    monkeypatch.setattr(MediaTransport, "gather", end_first)
    wanted = [TrackRef("alice", STREAM, track) for track in TRACKS.values()]
    assert await server.update_subscriptions("bob", wanted) is None
    monkeypatch.undo()
    again = native_peer()
    await publish(server, again, name="carol")
    await subscribe(server, bob, publisher="carol")
    await bob.assert_receives()


async def test_a_stream_that_ends_before_its_first_offer_is_answered_does_no_harm(
    server, native_peer
):
    """The second offer, the only one to be answered, has nothing but rejected m-lines."""
    alice, bob = native_peer(), native_peer()
    await publish(server, alice)
    wanted = [TrackRef("alice", STREAM, track) for track in TRACKS.values()]
    await server.update_subscriptions("bob", wanted)
    await server.unpublish("alice", STREAM)
    offer = await server.update_subscriptions("bob", [])
    assert offer.tracks == []
    await bob.peer.accept_offer(offer.sdp)
    await server.answer("bob", await bob.peer.create_answer())
    again = native_peer()
    await publish(server, again, name="carol")
    await subscribe(server, bob, publisher="carol")
    await bob.assert_receives()


async def test_the_server_sees_only_what_cannot_be_decoded(server, native_peer):
    key = secrets.token_bytes(32)
    alice, bob = native_peer(protection=True), native_peer(protection=True)
    await publish(server, alice, key=key)
    tap = server.tap(STREAM, TRACKS["video"])
    await subscribe(server, bob, key=key)
    await bob.assert_receives(("video",))
    frames = tap.take_frames()
    tap.close()
    assert any(frame.is_key_frame for frame in frames)
    decoder = av.CodecContext.create("vp8", "r")
    decoded = 0
    for frame in frames:
        try:
            for picture in decoder.decode(av.Packet(bytes(frame.data))):
                pixel = picture.to_ndarray(format="rgb24")[60, 40]
                decoded += int(pixel[0]) > 180 and int(pixel[2]) < 60
        except av.error.FFmpegError:
            pass
    assert decoded == 0


async def test_a_stock_subscriber_receives_what_stock_publishes(server, stock_peer):
    publisher, subscriber = stock_peer(), stock_peer()
    tone = Tone()
    publisher.addTrack(tone)
    await publisher.setLocalDescription(await publisher.createOffer())
    offer = publisher.localDescription.sdp
    stream_id = next(
        line.split(":", 1)[1].split()[0]
        for line in offer.splitlines()
        if line.startswith("a=msid:")
    )
    tracks = [PublishedTrack(tone.id, "audio", "opus", "0")]
    answer = await server.publish("alice", stream_id, offer, tracks)
    await publisher.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    wanted = [TrackRef("alice", stream_id, tone.id)]
    subscription = await server.update_subscriptions("bob", wanted)
    await subscriber.setRemoteDescription(RTCSessionDescription(subscription.sdp, "offer"))
    await subscriber.setLocalDescription(await subscriber.createAnswer())
    await server.answer("bob", subscriber.localDescription.sdp)
    await until(lambda: subscriber.remote_tracks)
    assert subscriber.remote_tracks[0].id == tone.id
    await assert_stock_receives(subscriber.remote_tracks)


async def test_subscriptions_change_during_the_call(server, native_peer):
    alice, bob = native_peer(), native_peer()
    await publish(server, alice)
    await subscribe(server, bob, tracks={"audio": TRACKS["audio"]})
    await bob.assert_receives(("audio",))
    assert (
        await server.update_subscriptions("bob", [TrackRef("alice", STREAM, TRACKS["audio"])])
        is None
    )
    await subscribe(server, bob)
    await bob.assert_receives(("video",))
    audio = bob.of_kind("audio")
    await subscribe(server, bob, tracks={"video": TRACKS["video"]})
    await until(lambda: audio.readyState == "ended")
    await bob.assert_receives(("video",))
    assert server.statistics().consumers == 1


async def test_a_stream_that_ends_ends_its_tracks(server, native_peer):
    alice, bob = native_peer(), native_peer()
    await publish(server, alice)
    await subscribe(server, bob)
    await bob.assert_receives()
    await server.unpublish("alice", STREAM)
    await until(lambda: all(t.readyState == "ended" for t in bob.incoming.values()))
    offer = await server.update_subscriptions("bob", [])
    assert offer.tracks == []
    assert server.statistics().producers == server.statistics().consumers == 0
    with pytest.raises(KeyError):
        server.tap(STREAM, TRACKS["video"])


async def test_a_stream_is_published_again_on_the_same_transport(server, native_peer):
    alice, bob = native_peer(), native_peer()
    await publish(server, alice)
    await server.unpublish("alice", STREAM)
    for mid, track in list(alice.outgoing.items()):
        await track.stop()
        alice.session.remove_sender(alice.senders[mid])
        alice.peer.stop_section(alice.peer.section(mid))
    await publish(server, alice)
    await subscribe(server, bob)
    await bob.assert_receives()


async def test_the_newest_offer_counts(server, native_peer):
    alice, bob = native_peer(), native_peer()
    await publish(server, alice)
    stale = await server.update_subscriptions("bob", [TrackRef("alice", STREAM, TRACKS["audio"])])
    assert len(stale.tracks) == 1
    await subscribe(server, bob)
    await bob.assert_receives()


async def test_a_failed_publication_leaves_nothing(server, native_peer):
    alice = native_peer()
    alice.add_sections("sendonly")
    offer = await alice.peer.create_offer()
    tracks = announced(alice.peer)
    bad = [
        (offer, STREAM, [*tracks, PublishedTrack("x", "audio", "opus", "77")], "does not send"),
        (offer, "another", tracks, "names another"),
        (offer, STREAM, [PublishedTrack("our-audio", "video", "vp8", "0")], "no vp8"),
        (offer, STREAM, [tracks[0], tracks[0]], "twice"),
        (offer.replace("opus", "G722"), STREAM, tracks, "no opus"),
        ("v=0", STREAM, tracks, "m-lines"),
    ]
    for sdp, stream_id, wanted, reason in bad:
        with pytest.raises(MediaError, match=reason):
            await server.publish("alice", stream_id, sdp, wanted)
    assert server.statistics().participants == server.statistics().producers == 0
    answer = await server.publish("alice", STREAM, offer, tracks)
    await alice.peer.accept_answer(answer)
    await alice.peer.connected()
    with pytest.raises(MediaError, match="already"):
        await server.publish("alice", STREAM, offer, tracks)


async def test_media_that_was_not_announced_is_not_taken(server, native_peer):
    alice = native_peer()
    alice.add_sections("sendonly")
    offer = await alice.peer.create_offer()
    answer = await server.publish("alice", STREAM, offer, announced(alice.peer)[:1])
    await alice.peer.accept_answer(answer)
    assert [s.current_direction for s in alice.peer.sections] == ["sendonly", "inactive"]


async def test_wrong_calls_are_errors(server, native_peer):
    with pytest.raises(MediaError, match="not published"):
        await server.update_subscriptions("bob", [TrackRef("alice", "no", "such")])
    with pytest.raises(MediaError, match="no offer"):
        await server.answer("bob", "v=0")
    with pytest.raises(MediaError, match="no such transport"):
        await server.add_candidate("bob", "publisher", "candidate:1 1 udp 1 127.0.0.1 9 typ host")
    await server.unpublish("bob", "nothing")
    await server.remove_participant("bob")
    alice, bob = native_peer(), native_peer()
    await publish(server, alice)
    await server.update_subscriptions("bob", [TrackRef("alice", STREAM, TRACKS["audio"])])
    with pytest.raises(MediaError):
        await server.answer("bob", "v=0")
    with pytest.raises(MediaError, match="malformed"):
        await server.add_candidate("bob", "subscriber", "candidate:nonsense")
    await subscribe(server, bob)
    await bob.assert_receives()


async def test_a_participant_that_leaves_takes_its_streams_along(server, native_peer):
    alice, bob = native_peer(), native_peer()
    await publish(server, alice)
    await subscribe(server, bob)
    await bob.assert_receives()
    await server.remove_participant("alice")
    await until(lambda: alice.peer.state == "closed")
    await until(lambda: all(t.readyState == "ended" for t in bob.incoming.values()))
    await server.remove_participant("bob")
    await until(lambda: bob.peer.state == "closed")
    assert server.statistics().participants == 0


async def test_a_participant_whose_connection_failed_can_come_back(server, native_peer):
    alice, bob = native_peer(), native_peer()
    await publish(server, alice)
    await alice.peer.close()
    await until(lambda: server._participants["alice"].publisher.is_dead)
    again = native_peer()
    await publish(server, again)
    await subscribe(server, bob)
    await bob.assert_receives()
