import asyncio
import gc
import socket
import weakref

import aioice.ice
import pytest
from aiortc import RTCSessionDescription, VideoStreamTrack
from fake_packet_transport import FakePacketTransport

from sealroom.media import aiortc_hooks, dtls, transport
from sealroom.media.errors import TransportError
from sealroom.media.negotiation import MediaPeer
from sealroom.media.packet_transport import EventDispatcher, TransportClosed

RTP = bytes.fromhex("8060000100000000") + b"\0\0\0\7payload"


async def until(condition, timeout=5.0):
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.01)


async def negotiate(offerer, answerer):
    await answerer.accept_offer(await offerer.create_offer())
    await offerer.accept_answer(await answerer.create_answer())


@pytest.fixture
async def make_peer():
    """Makes peers on stand-ins for the native core, and closes them."""
    peers = []

    def make(fake=None, *, host="127.0.0.1", takeover=None):
        fake = fake or FakePacketTransport()
        peers.append(MediaPeer(fake, host_addresses=[host], takeover=takeover))
        return fake, peers[-1]

    yield make
    await asyncio.gather(*(peer.close() for peer in peers))


@pytest.fixture
def connected_pair(make_peer):
    async def connect(**options):
        """Two connected peers, the first offering one video section."""
        fakes, peers = zip(*(make_peer(**options) for _ in range(2)), strict=True)
        peers[0].add_section(kind="video", codec="vp8", direction="sendonly", ssrc=7)
        await negotiate(*peers)
        await asyncio.gather(*(p.connected() for p in peers))
        return fakes, peers

    return connect


@pytest.fixture
def quick_consent(monkeypatch):
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.1)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("takeover", [True, False])
async def test_both_ends_get_matching_keys_and_carry_media(connected_pair, host, takeover):
    (one, two), peers = await connected_pair(host=host, takeover=takeover)
    assert [p.transport.is_taken_over for p in peers] == [takeover, takeover]
    assert one.keys["send"] == two.keys["receive"]
    assert one.keys["receive"] == two.keys["send"]
    assert one.keys["profile"] == two.keys["profile"] == 8
    assert peers[0].transport.srtp_profile == "AEAD_AES_256_GCM"
    assert len(one.keys["send"]) == 32 + 12
    one.send(RTP)
    two.send(RTP + b"back")
    if takeover:
        await until(lambda: two.received_on_socket == [RTP])
        await until(lambda: one.received_on_socket == [RTP + b"back"])
    else:
        await until(lambda: two.received == [RTP] and one.received == [RTP + b"back"])


@pytest.mark.parametrize(
    ("profile", "number", "length"),
    [
        (dtls.SRTP_AEAD_AES_128_GCM, 7, 16 + 12),
        (dtls.SRTP_AES128_CM_SHA1_80, 1, 16 + 14),
    ],
)
async def test_every_profile_is_exported_with_its_key_length(
    connected_pair, monkeypatch, profile, number, length
):
    monkeypatch.setattr(dtls, "SRTP_PROFILES", [profile])
    (one, two), _ = await connected_pair()
    assert one.keys["profile"] == number
    assert one.keys["send"] == two.keys["receive"]
    assert len(one.keys["send"]) == length


async def test_keys_agree_with_what_aiortc_would_use(loopback_peer, make_peer):
    fake, peer = make_peer()
    stock = loopback_peer()
    stock.addTrack(VideoStreamTrack())
    await stock.setLocalDescription(await stock.createOffer())
    await peer.accept_offer(stock.localDescription.sdp)
    answer = await peer.create_answer()
    await stock.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await peer.connected()
    # aiortc sends as soon as it is connected; what it protected is what our receive key must open.
    await until(lambda: fake.received_on_socket or fake.received)
    from pylibsrtp import Policy, Session

    policy = Policy(
        key=fake.keys["receive"],
        ssrc_type=Policy.SSRC_ANY_INBOUND,
        srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    )
    packet = (fake.received + fake.received_on_socket)[0]
    session = Session(policy)
    is_rtcp = 192 <= packet[1] <= 223
    plain = session.unprotect_rtcp(packet) if is_rtcp else session.unprotect(packet)
    assert len(plain) < len(packet)


async def test_consent_checks_pass_through_the_taken_over_socket(connected_pair, quick_consent):
    fakes, peers = await connected_pair(takeover=True)
    await asyncio.sleep(2)
    assert [p.state for p in peers] == ["connected", "connected"]
    assert all(f.control_total > 10 for f in fakes)


async def test_without_hand_back_consent_is_lost_on_both_sides(
    connected_pair, quick_consent, monkeypatch
):
    # The control of the test above: it proves that consent really goes through the second socket.
    monkeypatch.setattr(transport, "RECOVERY_TIME", 0.5)
    fakes, peers = await connected_pair(takeover=True)
    fakes[0].hands_control_back = False
    await until(lambda: [p.state for p in peers] == ["failed", "failed"], timeout=10)
    assert fakes[0].socket is None
    with pytest.raises(TransportError, match="consent"):
        await peers[0].connected()


async def test_a_close_by_the_peer_arrives_over_the_taken_over_socket(connected_pair):
    fakes, peers = await connected_pair(takeover=True)
    await peers[0].close()
    await until(lambda: peers[1].state == "closed")
    assert fakes[1].socket is None


async def test_datagrams_of_strangers_reach_asyncio_and_do_no_harm(connected_pair):
    fakes, peers = await connected_pair(takeover=True)
    port = fakes[0].socket.getsockname()[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for data in (b"", b"\x16garbage", b"\0\1garbage", RTP):
            stranger.sendto(data, ("127.0.0.1", port))
    await until(lambda: fakes[0].received == [RTP])
    await asyncio.sleep(0.1)
    assert fakes[0].received_on_socket == []
    assert peers[0].state == "connected"


async def test_media_before_the_keys_waits_for_them(make_peer):
    fake, peer = make_peer()
    for number in range(dtls.MAX_EARLY_MEDIA + 1):
        peer.transport.path.connection.data_received(RTP + bytes([number]), 1)
    assert fake.received == []
    _, other = make_peer()
    other.add_section(kind="audio", codec="opus", ssrc=9)
    await negotiate(other, peer)
    await peer.connected()
    assert len(fake.received) == dtls.MAX_EARLY_MEDIA
    assert fake.received[0] == RTP + bytes([1])


async def test_a_changed_route_is_taken_over_too(connected_pair):
    fakes, peers = await connected_pair(takeover=True)
    connection = peers[0].transport.path.connection
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        elsewhere.bind(("127.0.0.1", 0))
        candidate = aioice.Candidate.from_sdp(
            f"1 1 udp 1 127.0.0.1 {elsewhere.getsockname()[1]} typ host"
        )
        candidate._network_host = "127.0.0.1"
        pair = aioice.ice.CandidatePair(connection.selected_pair.protocol, candidate)
        pair.nominated = True
        pair.state = aioice.ice.CandidatePair.State.SUCCEEDED
        connection.check_complete(pair)
        assert fakes[0].attached_peers[1:] == [elsewhere.getsockname()]


async def test_a_required_takeover_that_is_refused_fails(connected_pair, monkeypatch):
    def refuse(*_):
        raise OSError("refused")

    monkeypatch.setattr(transport.socket_takeover, "connect_beside", refuse)
    with pytest.raises(TransportError, match="refused"):
        await connected_pair(takeover=True)


async def test_an_optional_takeover_that_is_refused_falls_back(connected_pair, monkeypatch):
    def refuse(*_):
        raise OSError("refused")

    monkeypatch.setattr(transport.socket_takeover, "connect_beside", refuse)
    (one, two), peers = await connected_pair()
    assert not peers[0].transport.is_taken_over
    one.send(RTP)
    await until(lambda: two.received == [RTP])


class TurnLikeTransport:
    """aioice's transport for TURN: no socket to share, and no `is_closing`."""

    def __init__(self):
        self.sent = []

    def get_extra_info(self, name):
        return None

    def sendto(self, data, addr):
        self.sent.append((data, addr))

    def close(self):
        pass


async def test_a_relayed_pair_uses_the_fallback(connected_pair, monkeypatch):
    (one, _), peers = await connected_pair(takeover=False)
    pair = peers[0].transport.path.connection.selected_pair
    relay = TurnLikeTransport()
    with pytest.raises(OSError, match="no socket"):
        transport.socket_takeover.connect_beside(relay, pair.remote_addr)
    with monkeypatch.context() as patch:
        patch.setattr(pair.protocol, "transport", relay)
        one.send(RTP)
        await until(lambda: relay.sent == [(RTP, pair.remote_addr)])


async def test_a_wrong_certificate_fails_both_ends(make_peer):
    fakes, peers = zip(make_peer(), make_peer(), strict=True)
    peers[0].add_section(kind="video", codec="vp8", direction="sendonly", ssrc=7)
    offer = await peers[0].create_offer()
    line = next(x for x in offer.splitlines() if x.startswith("a=fingerprint:"))
    wrong = line[:-2] + ("00" if line[-2:] != "00" else "11")
    await peers[1].accept_offer(offer.replace(line, wrong))
    await peers[0].accept_answer(await peers[1].create_answer())
    with pytest.raises(TransportError, match="DTLS"):
        await peers[1].connected()
    assert fakes[1].keys is None


async def test_unreachable_peer_times_out(make_peer, monkeypatch):
    monkeypatch.setattr(transport, "CONNECT_TIMEOUT", 0.3)
    (_, one), (_, two) = make_peer(), make_peer()
    one.add_section(kind="video", codec="vp8", ssrc=7)
    await two.accept_offer(await one.create_offer())
    answer = await two.create_answer()
    await two.close()
    states = []
    one.on_state_change = states.append
    await one.accept_answer(answer)
    with pytest.raises(TransportError):
        await one.connected()
    assert states == ["connecting", "failed"]
    await one.close()
    assert states[-1] == "closed"


@pytest.mark.parametrize("stage", ["ice", "dtls"])
async def test_a_peer_that_closes_while_it_is_connected_to_is_noticed(
    make_peer, monkeypatch, stage
):
    monkeypatch.setattr(transport, "CONNECT_SILENCE", 0.5)
    (_, one), (_, two) = make_peer(), make_peer()
    one.add_section(kind="video", codec="vp8", ssrc=7)
    offer = await one.create_offer()
    if stage == "dtls":
        # Its DTLS never comes, and no goodbye: as of a process that was killed.
        monkeypatch.setattr(dtls.DtlsCarrier, "receive", lambda *_: None)
    await two.accept_offer(offer)
    answer = await two.create_answer()
    if stage == "ice":
        await two.close()
    await one.accept_answer(answer)
    if stage == "dtls":
        await until(lambda: one.transport.path.connection.selected_pair is not None)
        await two.transport.path.close()
    with pytest.raises(TransportError, match="the peer was silent"):
        await one.connected()


async def test_a_peer_that_is_slow_but_heard_is_waited_for(make_peer, monkeypatch):
    monkeypatch.setattr(transport, "CONNECT_SILENCE", 0.5)
    (_, one), (_, two) = make_peer(), make_peer()
    one.add_section(kind="video", codec="vp8", ssrc=7)
    start = dtls.NativeDtlsTransport.start

    async def late(self, parameters):
        for _ in range(6):  # longer than the peer may be silent
            await asyncio.sleep(0.2)
            for peer in (one, two):
                peer.transport.path.send(bytes([20]))
        await start(self, parameters)

    monkeypatch.setattr(dtls.NativeDtlsTransport, "start", late)
    monkeypatch.setattr(dtls.DtlsCarrier, "receive", _without_noise(dtls.DtlsCarrier.receive))
    await negotiate(one, two)
    await asyncio.gather(one.connected(), two.connected())


def _without_noise(receive):
    def filtered(carrier, datagram):
        if len(datagram) > 1:
            receive(carrier, datagram)

    return filtered


async def test_closing_a_peer_that_never_started_is_harmless():
    peer = MediaPeer(FakePacketTransport())
    await peer.close()
    await peer.close()
    with pytest.raises(TransportError):
        await peer.connected()


async def test_events_reach_the_track_they_name_and_a_failing_one_stops_nobody():
    class Event:
        def __init__(self, **fields):
            self.__dict__.update(fields)

    fake = FakePacketTransport()
    dispatcher = EventDispatcher.of(fake)
    assert EventDispatcher.of(fake) is dispatcher
    seen = []

    def fail(_):
        raise ValueError

    dispatcher.register_receiver(1, fail)
    dispatcher.register_receiver(2, lambda e: seen.append(("receiver", e.receiver)))
    dispatcher.register_sender(1, lambda e: seen.append(("sender", e.sender)))
    dispatcher.dispatch([Event(receiver=1), Event(receiver=2), Event(sender=1), Event(receiver=3)])
    assert seen == [("receiver", 2), ("sender", 1)]
    assert dispatcher.events_unclaimed == 1


async def test_tracks_hear_of_the_end_of_their_transport_once(make_peer):
    fake, peer = make_peer()
    seen = []
    EventDispatcher.of(fake).register_receiver(1, seen.append)
    EventDispatcher.of(fake).register_sender(1, seen.append)
    await peer.close()
    await peer.close()
    assert seen == [TransportClosed(), TransportClosed()]


async def test_a_closed_peer_frees_its_session():
    fake = FakePacketTransport()
    peer = MediaPeer(fake, host_addresses=["127.0.0.1"])
    EventDispatcher.of(fake).register_receiver(1, lambda _, session=fake: session)
    await peer.close()
    kept = weakref.ref(fake)
    del fake, peer
    gc.collect()
    assert kept() is None


def test_a_missing_private_name_is_reported_with_the_versions(monkeypatch):
    monkeypatch.delattr("aiortc.RTCDtlsTransport._setup_srtp")
    with pytest.raises(ImportError, match=r"aiortc 1\.16.*RTCDtlsTransport\._setup_srtp"):
        aiortc_hooks.require_hooks()


def test_a_renamed_attribute_is_noticed(monkeypatch):
    monkeypatch.setattr("aiortc.RTCDtlsTransport._setup_srtp", lambda self: None)
    assert any("_ssl" in text for text in aiortc_hooks.missing_hooks())


async def test_the_end_of_asyncio_run_begins_nothing_new(connected_pair):
    """It cancels all tasks once and destroys what they began meanwhile, with a complaint."""
    _, peers = await connected_pair()
    told = []
    for peer in peers:
        peer.on_state_change = told.append
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert told == []
