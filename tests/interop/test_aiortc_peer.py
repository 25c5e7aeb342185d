"""An unmodified aiortc.RTCPeerConnection exchanges VP8 and Opus with our peer."""

import asyncio

import aioice.ice
import aiortc.rtcdtlstransport
import pytest
from aiortc import RTCSessionDescription
from media_support import Bars, Tone, assert_stock_receives, until


async def answer_stock(native, stock):
    """The stock peer offers both kinds, both ways."""
    stock.addTrack(Tone())
    stock.addTrack(Bars())
    await stock.setLocalDescription(await stock.createOffer())
    native.add_sections()
    await native.peer.accept_offer(stock.localDescription.sdp)
    native.add_receivers()
    answer = await native.peer.create_answer()
    await stock.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await native.peer.connected()
    native.start_senders()


async def offer_to_stock(native, stock):
    """Our peer offers both kinds, both ways."""
    stock.addTrack(Tone())
    stock.addTrack(Bars())
    native.add_sections()
    offer = await native.peer.create_offer()
    await stock.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await stock.setLocalDescription(await stock.createAnswer())
    await native.peer.accept_answer(stock.localDescription.sdp)
    native.add_receivers()
    await native.peer.connected()
    native.start_senders()


@pytest.mark.parametrize("takeover", [True, False], ids=["takeover", "fallback"])
@pytest.mark.parametrize("negotiate", [answer_stock, offer_to_stock])
async def test_both_kinds_flow_both_ways(native_peer, stock_peer, negotiate, takeover):
    native, stock = native_peer(takeover=takeover), stock_peer()
    await negotiate(native, stock)
    assert native.peer.transport.is_taken_over is takeover
    await asyncio.gather(native.assert_receives(), assert_stock_receives(stock.remote_tracks))
    assert {t.kind for t in stock.remote_tracks} == {"audio", "video"}
    counters = native.session.statistics()
    assert counters.datagrams_rejected == counters.datagrams_unrouted == 0


@pytest.mark.parametrize(
    "profile", ["SRTP_AEAD_AES_256_GCM", "SRTP_AEAD_AES_128_GCM", "SRTP_AES128_CM_SHA1_80"]
)
async def test_every_srtp_profile(native_peer, stock_peer, monkeypatch, profile):
    only = [getattr(aiortc.rtcdtlstransport, profile)]
    monkeypatch.setattr(aiortc.rtcdtlstransport, "SRTP_PROFILES", only)
    native, stock = native_peer(), stock_peer()
    await offer_to_stock(native, stock)
    assert f"SRTP_{native.peer.transport.srtp_profile}" == profile
    await asyncio.gather(native.assert_receives(), assert_stock_receives(stock.remote_tracks))


async def test_key_frames_are_asked_for_both_ways(native_peer, stock_peer):
    native, stock = native_peer(), stock_peer()
    await offer_to_stock(native, stock)
    await asyncio.gather(native.assert_receives(), assert_stock_receives(stock.remote_tracks))
    mid = next(s.mid for s in native.peer.sections if s.kind == "video")
    outgoing = native.outgoing[mid]
    before = outgoing.statistics
    receiver = next(r for r in stock.getReceivers() if r.track.kind == "video")
    await receiver._send_rtcp_pli(native.peer.section(mid).local_ssrc)
    await until(lambda: outgoing.statistics.key_frames_requested > before.key_frames_requested)
    await until(lambda: outgoing.statistics.key_frames_sent > before.key_frames_sent)

    frames = native.incoming[mid].encoded_frames()
    native.session.request_key_frame(native.receivers[mid])
    async with asyncio.timeout(5):
        while not (await anext(frames)).is_key_frame:
            pass


async def test_sections_are_added_and_stopped_during_the_call(native_peer, stock_peer):
    native, stock = native_peer(), stock_peer()
    native.add_sections("sendonly", kinds=("audio",))

    async def renegotiate():
        offer = await native.peer.create_offer()
        await stock.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await stock.setLocalDescription(await stock.createAnswer())
        await native.peer.accept_answer(stock.localDescription.sdp)
        await native.peer.connected()
        native.start_senders()

    await renegotiate()
    await assert_stock_receives(stock.remote_tracks)
    native.add_sections("sendonly", kinds=("video",))
    await renegotiate()
    await until(lambda: len(stock.remote_tracks) == 2)
    await assert_stock_receives(stock.remote_tracks[1:])
    native.peer.sections[0].direction = "inactive"
    await renegotiate()
    assert [t.currentDirection for t in stock.getTransceivers()] == ["inactive", "recvonly"]
    await assert_stock_receives(stock.remote_tracks[1:])


@pytest.mark.parametrize("takeover", [True, False], ids=["takeover", "fallback"])
async def test_consent_holds_while_media_flows(native_peer, stock_peer, monkeypatch, takeover):
    # At a twentieth of its interval: 6 failures in a row, or 2 s, would close the connection.
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.25)
    native, stock = native_peer(takeover=takeover), stock_peer()
    await answer_stock(native, stock)
    await asyncio.sleep(6)
    assert native.peer.state == "connected"
    assert stock.iceConnectionState == "completed"
    await asyncio.gather(native.assert_receives(), assert_stock_receives(stock.remote_tracks))


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_consent_holds_for_a_minute(native_peer, stock_peer):
    native, stock = native_peer(takeover=True), stock_peer()
    await offer_to_stock(native, stock)
    receive = [asyncio.create_task(drain(t)) for t in stock.remote_tracks]
    await asyncio.sleep(65)
    assert native.peer.state == "connected"
    assert stock.iceConnectionState == "completed"
    for task in receive:
        task.cancel()
    counts = [r if isinstance(r, int) else 0 for r in await asyncio.gather(*receive)]
    assert min(counts) > 60 * 25
    await native.assert_receives()


async def drain(track):
    count = 0
    try:
        while True:
            await track.recv()
            count += 1
    except asyncio.CancelledError:
        return count


async def test_when_stock_hangs_up_our_side_closes(native_peer, stock_peer):
    native, stock = native_peer(), stock_peer()
    await offer_to_stock(native, stock)
    await native.assert_receives()
    await stock.close()
    await until(lambda: native.peer.state == "closed")


async def test_when_we_hang_up_stock_closes(native_peer, stock_peer):
    native, stock = native_peer(), stock_peer()
    await answer_stock(native, stock)
    await native.assert_receives()
    await native.close()
    await until(lambda: stock.connectionState == "closed")
