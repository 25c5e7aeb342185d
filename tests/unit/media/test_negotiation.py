import asyncio
import re

import pytest
from aiortc import (
    AudioStreamTrack,
    RTCBundlePolicy,
    RTCRtpSender,
    RTCSessionDescription,
    VideoStreamTrack,
)
from fake_packet_transport import FakePacketTransport

from sealroom.media.description_bounds import MAX_SECTIONS
from sealroom.media.errors import NegotiationError, TransportError
from sealroom.media.negotiation import MediaPeer
from sealroom.media.sections import intersect, reverse
from sealroom.media.session_description import MAX_CANDIDATES, parse_description


@pytest.fixture
async def make_peer():
    """Makes peers on stand-ins for the native core, and closes them."""
    peers = []

    def make():
        peers.append(MediaPeer(FakePacketTransport(), host_addresses=["127.0.0.1"]))
        return peers[-1]

    yield make
    for peer in peers:
        await peer.close()


async def negotiate(offerer, answerer):
    await answerer.accept_offer(await offerer.create_offer())
    await offerer.accept_answer(await answerer.create_answer())


def mid_lines(sdp):
    return re.findall(r"^a=mid:(.*?)\r?$", sdp, re.MULTILINE)


def ports(sdp):
    return [int(p) for p in re.findall(r"^m=\w+ (\d+)", sdp, re.MULTILINE)]


@pytest.mark.parametrize(
    ("mine", "theirs", "agreed"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("recvonly", "sendonly", "recvonly"),
        ("sendrecv", "recvonly", "sendonly"),
        ("sendonly", "sendonly", "inactive"),
        ("sendrecv", "inactive", "inactive"),
    ],
)
def test_directions_agree_as_rfc_3264_says(mine, theirs, agreed):
    assert intersect(mine, reverse(theirs)) == agreed


@pytest.mark.parametrize("policy", [RTCBundlePolicy.MAX_BUNDLE, RTCBundlePolicy.BALANCED])
async def test_answering_stock_aiortc_chooses_vp8_and_opus(loopback_peer, make_peer, policy):
    stock, peer = loopback_peer(policy), make_peer()
    video, audio = VideoStreamTrack(), AudioStreamTrack()
    stock.addTrack(video)
    stock.addTrack(audio)
    await stock.setLocalDescription(await stock.createOffer())
    await peer.accept_offer(stock.localDescription.sdp)
    received = {s.kind: s for s in peer.sections}
    assert received["video"].codec == "vp8"
    assert received["video"].payload_type == 97
    assert received["audio"].codec == "opus"
    assert received["audio"].payload_type == 96
    senders = {s.kind: s for s in stock.getSenders()}
    for kind, section in received.items():
        assert section.remote_ssrc == senders[kind]._ssrc
        assert section.remote_track_id == section.track_id == senders[kind].track.id
        assert section.direction == "recvonly"
    assert peer.extensions == {"mid": 1, "audio_level": 2, "abs_send_time": 3}
    answer = await peer.create_answer()
    await stock.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await peer.connected()
    assert {s.current_direction for s in peer.sections} == {"recvonly"}
    assert {t.currentDirection for t in stock.getTransceivers()} == {"sendonly"}
    assert {len(t._codecs) for t in stock.getTransceivers()} == {1}
    assert peer.transport.dtls_role == "client"
    assert "H264" not in answer
    assert "rtx" not in answer


@pytest.mark.parametrize("policy", [RTCBundlePolicy.MAX_BUNDLE, RTCBundlePolicy.BALANCED])
async def test_offering_to_stock_aiortc(loopback_peer, make_peer, policy):
    stock, peer = loopback_peer(policy), make_peer()
    # Audio first: with max-bundle aiortc closes everything unless its own track answers line 0.
    both = peer.add_section(
        kind="audio", codec="opus", direction="sendrecv", ssrc=2222, track_id="microphone"
    )
    sending = peer.add_section(
        kind="video", codec="vp8", ssrc=1111, stream_id="stream", track_id="camera"
    )
    receiving = peer.add_section(kind="video", codec="vp8", direction="recvonly")
    tracks = []
    stock.on("track", tracks.append)
    stock.addTrack(AudioStreamTrack())
    offer = await peer.create_offer()
    await stock.setRemoteDescription(RTCSessionDescription(offer, "offer"))
    await stock.setLocalDescription(await stock.createAnswer())
    await peer.accept_answer(stock.localDescription.sdp)
    await peer.connected()
    assert peer.transport.dtls_role == "server"
    assert [t.id for t in tracks] == ["microphone", "camera"]
    assert sending.current_direction == "sendonly"
    assert both.current_direction == "sendrecv"
    assert both.remote_ssrc == stock.getSenders()[0]._ssrc
    assert (both.stream_id, both.track_id) == ("-", "microphone")
    assert receiving.current_direction == "inactive"
    assert receiving.remote_ssrc is None


async def test_a_section_added_before_the_offer_answers_it(make_peer):
    one, two = make_peer(), make_peer()
    offered = one.add_section(kind="audio", codec="opus", direction="sendrecv", ssrc=1)
    waiting = two.add_section(
        kind="audio", codec="opus", direction="sendrecv", ssrc=2, stream_id="s", track_id="t"
    )
    await negotiate(one, two)
    assert two.sections == [waiting]
    assert waiting.mid == offered.mid
    assert offered.current_direction == waiting.current_direction == "sendrecv"
    assert (offered.remote_ssrc, waiting.remote_ssrc) == (2, 1)
    assert (offered.remote_stream_id, offered.remote_track_id) == ("s", "t")


async def test_lines_are_added_turned_inactive_and_turned_on_again(make_peer):
    one, two = make_peer(), make_peer()
    first = one.add_section(kind="video", codec="vp8", ssrc=1, stream_id="s", track_id="a")
    await negotiate(one, two)
    await asyncio.gather(one.connected(), two.connected())
    second = one.add_section(kind="audio", codec="opus", ssrc=2, stream_id="s", track_id="b")
    first.direction = "inactive"
    await negotiate(one, two)
    assert [s.current_direction for s in one.sections] == ["inactive", "sendonly"]
    assert [s.current_direction for s in two.sections] == ["inactive", "recvonly"]
    assert two.section(second.mid).track_id == "b"
    first.direction = "sendonly"
    await negotiate(one, two)
    assert [s.current_direction for s in two.sections] == ["recvonly", "recvonly"]
    assert one.state == two.state == "connected"


async def test_a_stopped_line_is_reused_with_a_new_mid(make_peer):
    one, two = make_peer(), make_peer()
    first = one.add_section(kind="video", codec="vp8", ssrc=1, track_id="a")
    second = one.add_section(kind="video", codec="vp8", ssrc=2, track_id="b")
    await negotiate(one, two)
    one.stop_section(second)
    offer = await one.create_offer()
    assert ports(offer) == [9, 0]
    assert f"a=group:BUNDLE {first.mid}\r\n" in offer
    await two.accept_offer(offer)
    await one.accept_answer(await two.create_answer())
    third = one.add_section(kind="audio", codec="opus", ssrc=3, track_id="c")
    await negotiate(one, two)
    assert third.mid != second.mid
    assert [s.track_id for s in two.sections] == ["a", "c"]
    assert [s.current_direction for s in two.sections] == ["recvonly", "recvonly"]


async def test_the_line_the_bundle_hangs_on_stays_when_it_is_stopped(make_peer):
    # With it Chromium ends the transport of all others: tests/interop/test_browser_room.py.
    one, two = make_peer(), make_peer()
    first = one.add_section(kind="video", codec="vp8", ssrc=1, track_id="a")
    second = one.add_section(kind="video", codec="vp8", ssrc=2, track_id="b")
    await negotiate(one, two)
    one.stop_section(first)
    offer = await one.create_offer()
    assert ports(offer) == [9, 9]
    assert f"a=group:BUNDLE {first.mid} {second.mid}\r\n" in offer
    await two.accept_offer(offer)
    await one.accept_answer(await two.create_answer())
    one.add_section(kind="video", codec="vp8", ssrc=3, track_id="c")
    await negotiate(one, two)
    assert [s.current_direction for s in two.sections] == ["inactive", "recvonly", "recvonly"]
    assert [s.track_id for s in two.sections[1:]] == ["b", "c"]
    assert two.sections[0].mid == first.mid


async def test_a_line_is_not_reused_before_the_peer_saw_it_stopped(make_peer):
    one, two = make_peer(), make_peer()
    one.add_section(kind="video", codec="vp8", ssrc=1, track_id="a")
    second = one.add_section(kind="video", codec="vp8", ssrc=2, track_id="b")
    await negotiate(one, two)
    one.stop_section(second)
    one.add_section(kind="video", codec="vp8", ssrc=3, track_id="c")
    await negotiate(one, two)
    assert ports(await one.create_offer()) == [9, 0, 9]
    assert [s.track_id for s in two.sections] == ["a", "c"]


async def test_many_rounds_do_not_grow_the_description(make_peer):
    one, two = make_peer(), make_peer()
    one.add_section(kind="audio", codec="opus", ssrc=1)
    for number in range(20):
        section = one.add_section(kind="video", codec="vp8", ssrc=number, track_id=str(number))
        await negotiate(one, two)
        one.stop_section(section)
        await negotiate(one, two)
    assert len(ports(await one.create_offer())) == 2


async def test_a_newer_offer_supersedes_an_unanswered_one(make_peer):
    one, two = make_peer(), make_peer()
    one.add_section(kind="audio", codec="opus", ssrc=1)
    stale = await one.create_offer()
    one.add_section(kind="video", codec="vp8", ssrc=2)
    other = make_peer()
    await other.accept_offer(stale)
    late_answer = await other.create_answer()
    await other.close()
    offer = await one.create_offer()
    with pytest.raises(NegotiationError, match="m-lines"):
        await one.accept_answer(late_answer)
    await two.accept_offer(offer)
    await one.accept_answer(await two.create_answer())
    await one.connected()


async def test_lines_without_a_common_codec_or_kind_are_rejected(loopback_peer, make_peer):
    stock, peer = loopback_peer(), make_peer()
    stock.addTrack(AudioStreamTrack())
    transceiver = stock.addTransceiver("video", direction="sendrecv")
    transceiver.setCodecPreferences(
        [c for c in RTCRtpSender.getCapabilities("video").codecs if c.mimeType == "video/H264"]
    )
    stock.createDataChannel("chat")
    await stock.setLocalDescription(await stock.createOffer())
    # Packetization mode 0 is another format (RFC 6184 section 8.1).
    offer = stock.localDescription.sdp.replace("packetization-mode=1", "packetization-mode=0")
    await peer.accept_offer(offer)
    answer = await peer.create_answer()
    assert ports(answer) == [9, 0, 0]
    assert mid_lines(answer) == ["0", "1", "2"]
    assert "a=group:BUNDLE 0\r\n" in answer
    answer = answer.replace("packetization-mode=0", "packetization-mode=1")
    await stock.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await peer.connected()
    assert [s.kind for s in peer.sections] == ["audio"]


async def test_of_several_offered_codecs_the_wanted_or_the_first_one_is_taken(
    loopback_peer, make_peer
):
    stock = loopback_peer()
    stock.addTrack(VideoStreamTrack())
    await stock.setLocalDescription(await stock.createOffer())
    offer = stock.localDescription.sdp
    for wanted, taken in (({}, "vp8"), ({"0": "h264"}, "h264"), ({"1": "h264"}, "vp8")):
        peer = make_peer()
        await peer.accept_offer(offer, wanted)
        (section,) = peer.sections
        assert section.codec == taken
        payload_types = parse_description(offer).sections[0].payload_types
        assert list(payload_types) == ["vp8", "h264"]
        assert section.payload_type == payload_types[taken]
        answer = parse_description(await peer.create_answer())
        assert answer.sections[0].payload_types == {taken: payload_types[taken]}


async def test_a_codec_that_is_not_offered_is_not_taken(make_peer):
    one, two = make_peer(), make_peer()
    one.add_section(kind="video", codec="av1", ssrc=1)
    offer = await one.create_offer()
    await two.accept_offer(offer, {"0": "vp9"})
    assert ports(await two.create_answer()) == [0]


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264", "av1"])
async def test_each_codec_is_offered_with_its_parameters_and_understood(make_peer, codec):
    one, two = make_peer(), make_peer()
    mine = one.add_section(kind="video", codec=codec, ssrc=1)
    await negotiate(one, two)
    (theirs,) = two.sections
    assert (theirs.codec, theirs.payload_type) == (codec, mine.payload_type)
    assert mine.current_direction == "sendonly"


async def test_a_line_the_peer_rejects_is_stopped(make_peer):
    one, two = make_peer(), make_peer()
    audio = one.add_section(kind="audio", codec="opus", ssrc=1)
    video = one.add_section(kind="video", codec="vp8", ssrc=2)
    await two.accept_offer(await one.create_offer())
    two.stop_section(two.section(video.mid))
    await one.accept_answer(await two.create_answer())
    assert video.stopped
    assert not audio.stopped
    assert video.current_direction == "inactive"


async def test_a_line_that_ends_while_its_offer_is_under_way_is_not_given_away_too_early(
    make_peer,
):
    one, two = make_peer(), make_peer()
    one.add_section(kind="audio", codec="opus", ssrc=1)
    video = one.add_section(kind="video", codec="vp8", ssrc=2)
    await two.accept_offer(await one.create_offer())
    answer = await two.create_answer()
    one.stop_section(video)
    await one.accept_answer(answer)
    one.add_section(kind="video", codec="vp8", ssrc=3)
    offer = await one.create_offer()
    assert ports(offer) == [9, 0, 9]
    await two.accept_offer(offer)
    await one.accept_answer(await two.create_answer())
    one.add_section(kind="video", codec="vp8", ssrc=4)
    assert ports(await one.create_offer()) == [9, 9, 9]


async def test_offered_extension_ids_are_kept(make_peer):
    one, two = make_peer(), make_peer()
    one.add_section(kind="video", codec="vp8", ssrc=1)
    offer = await one.create_offer()
    offer = offer.replace("extmap:1 ", "extmap:9/sendonly ").replace("extmap:3 ", "extmap:15 ")
    await two.accept_offer(offer)
    answer = await two.create_answer()
    assert "a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid" in answer
    assert two._packet_transport.extensions == {"mid": 9}
    await one.accept_answer(answer)
    assert one.extensions == {"mid": 9}


async def test_an_offer_that_wants_to_be_the_dtls_client_makes_us_server(make_peer):
    one, two = make_peer(), make_peer()
    one.add_section(kind="video", codec="vp8", ssrc=1)
    await two.accept_offer((await one.create_offer()).replace("setup:actpass", "setup:active"))
    answer = await two.create_answer()
    assert "a=setup:passive" in answer
    await one.accept_answer(answer)
    await one.connected()
    await two.connected()


async def test_a_trickled_candidate_connects(make_peer):
    one, two = make_peer(), make_peer()
    one.add_section(kind="video", codec="vp8", ssrc=1)

    def strip(sdp):
        return "".join(
            line
            for line in sdp.splitlines(keepends=True)
            if not line.startswith(("a=candidate", "a=end-of"))
        )

    offer = await one.create_offer()
    await two.accept_offer(strip(offer))
    await one.accept_answer(strip(await two.create_answer()))
    candidate = next(x for x in offer.splitlines() if x.startswith("a=candidate:"))
    await two.add_remote_candidate(candidate.removeprefix("a="))
    await two.add_remote_candidate("")
    await one.connected()


async def test_misuse_is_refused_and_changes_nothing(make_peer):
    one, two = make_peer(), make_peer()
    with pytest.raises(NegotiationError, match="no section"):
        await one.create_offer()
    with pytest.raises(NegotiationError, match="no offer"):
        await one.create_answer()
    with pytest.raises(NegotiationError, match="no offer"):
        await one.accept_answer("v=0")
    with pytest.raises(NegotiationError, match="not a codec"):
        one.add_section(kind="audio", codec="vp8", ssrc=1)
    with pytest.raises(NegotiationError, match="ssrc"):
        one.add_section(kind="audio", codec="opus")
    for bad in ("two words", "x" * 65, "", "line\r\nbreak"):
        with pytest.raises(NegotiationError, match="token"):
            one.add_section(kind="audio", codec="opus", ssrc=1, track_id=bad)
    assert one.sections == []
    one.add_section(kind="audio", codec="opus", ssrc=1)
    two.add_section(kind="audio", codec="opus", ssrc=1)
    await one.create_offer()
    with pytest.raises(NegotiationError, match="crossed"):
        await one.accept_offer(await two.create_offer())


async def test_a_changed_certificate_is_refused_with_an_ice_restart_and_without(make_peer):
    one, two, other = make_peer(), make_peer(), make_peer()
    one.add_section(kind="audio", codec="opus", ssrc=1)
    other.add_section(kind="audio", codec="opus", ssrc=1)
    await negotiate(one, two)
    foreign = await other.create_offer()
    with pytest.raises(NegotiationError, match="fingerprint changed"):
        await two.accept_offer(foreign)
    offer = await one.create_offer()
    fingerprint = next(x for x in offer.splitlines() if "fingerprint" in x)
    forged = next(x for x in foreign.splitlines() if "fingerprint" in x)
    with pytest.raises(NegotiationError, match="fingerprint changed"):
        await two.accept_offer(offer.replace(fingerprint, forged))
    await two.accept_offer(offer)


def mutate(sdp, kind):
    lines = sdp.splitlines(keepends=True)
    media = next(i for i, line in enumerate(lines) if line.startswith("m="))
    return {
        "no m-line": "".join(lines[:media]),
        "garbage": "garbage",
        "empty": "",
        "long": sdp + "a=x\r\n" * 300_000,
        "many attributes": sdp + "a=x\r\n" * 600,
        "many m-lines": sdp + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" * MAX_SECTIONS,
        "many candidates": sdp
        + "a=candidate:1 1 udp 1 10.0.0.1 1 typ host\r\n" * (MAX_CANDIDATES + 1),
        "duplicate mid": sdp + "".join(lines[media:]),
        "no mid": re.sub(r"a=mid:.*\r\n", "", sdp),
        "long mid": re.sub(r"a=mid:.*\r\n", "a=mid:" + "x" * 17 + "\r\n", sdp),
        "no rtcp-mux": sdp.replace("a=rtcp-mux\r\n", ""),
        "no ufrag": re.sub(r"a=ice-ufrag:.*\r\n", "", sdp),
        "no fingerprint": re.sub(r"a=fingerprint:.*\r\n", "", sdp),
        "bad payload type": re.sub(r"RTP/SAVPF \d+", "RTP/SAVPF x", sdp),
        "bad port": sdp.replace("m=audio 9", "m=audio -9"),
        "bad rtpmap": re.sub(r"a=rtpmap:.*\r\n", "a=rtpmap:1\r\n", sdp),
        "bad candidate": sdp + "a=candidate:1 1 udp\r\n",
        "bad setup": sdp.replace("setup:actpass", "setup:holdconn"),
        "bad ssrc": re.sub(r"a=ssrc:.*\r\n", "a=ssrc:x\r\n", sdp),
        "fmtp of nothing": sdp + "a=fmtp:99 x=1\r\n",
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "no m-line", "garbage", "empty", "long", "many attributes", "many m-lines",
        "many candidates", "duplicate mid", "no mid", "long mid", "no rtcp-mux", "no ufrag",
        "no fingerprint", "bad payload type", "bad port", "bad rtpmap", "bad candidate",
        "bad setup", "bad ssrc", "fmtp of nothing",
    ],
)  # fmt: skip
async def test_a_malformed_offer_is_one_kind_of_error_and_changes_nothing(make_peer, kind):
    one, two = make_peer(), make_peer()
    one.add_section(kind="audio", codec="opus", ssrc=1)
    offer = await one.create_offer()
    with pytest.raises(NegotiationError):
        await two.accept_offer(mutate(offer, kind))
    assert two.sections == []
    assert two.signaling_state == "stable"
    await two.accept_offer(offer)


def test_a_browser_offer_with_bundle_only_lines_is_understood():
    lines = [
        "v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1",
        "a=extmap-allow-mixed", "a=msid-semantic: WMS *",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63", "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0",
        "a=ice-ufrag:abcd", "a=ice-pwd:" + "x" * 24, "a=ice-options:trickle",
        "a=fingerprint:sha-256 " + ":".join(["AA"] * 32), "a=setup:actpass", "a=mid:0",
        "a=sendrecv", "a=msid:stream audio", "a=rtcp-mux", "a=rtcp-rsize",
        "a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:63 red/48000/2", "a=fmtp:63 111/111",
        "m=video 0 UDP/TLS/RTP/SAVPF 98 96", "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0",
        "a=ice-ufrag:abcd", "a=ice-pwd:" + "x" * 24,
        "a=fingerprint:sha-256 " + ":".join(["AA"] * 32), "a=setup:actpass", "a=mid:1",
        "a=bundle-only", "a=recvonly", "a=rtcp-mux", "a=rtpmap:98 VP9/90000",
        "a=fmtp:98 profile-id=0", "a=rtpmap:96 VP8/90000", "a=rtcp-fb:96 nack pli",
    ]  # fmt: skip
    audio, video = parse_description("\r\n".join(lines) + "\r\n").sections
    assert (audio.payload_types["opus"], audio.direction, audio.track_id) == (
        111,
        "sendrecv",
        "audio",
    )
    assert (video.rejected, video.direction) == (False, "recvonly")
    assert list(video.payload_types.items()) == [("vp9", 98), ("vp8", 96)]


async def test_payload_types_that_read_as_rtcp_are_not_taken(make_peer):
    one = make_peer()
    one.add_section(kind="video", codec="vp8", ssrc=1)
    offer = await one.create_offer()
    (number,) = parse_description(offer).sections[0].payload_types.values()
    for taken in (0, 63, 64, 95, 96, 127):
        changed = offer.replace(f"SAVPF {number}", f"SAVPF {taken}").replace(
            f":{number} ", f":{taken} "
        )
        payload_types = parse_description(changed).sections[0].payload_types
        assert payload_types == ({} if taken in {64, 95} else {"vp8": taken})


async def test_data_channels_share_the_transport_of_the_media_and_need_one_m_line(make_peer):
    one, other = make_peer(), make_peer()
    one.add_section(kind="video", codec="vp8", ssrc=1)
    one.use_data_channels(max_message_size=1234)
    channels = other.use_data_channels()
    await negotiate(one, other)
    assert (one.data_mid, other.data_mid) == ("1", "1")
    assert [section.kind for section in other.sections] == ["video"]
    arrived = []
    channels.on_channel = lambda channel: setattr(channel, "on_message", arrived.append)
    one.use_data_channels().open("label").send(b"before the answer is in")
    async with asyncio.timeout(10):
        while not arrived:
            await asyncio.sleep(0.01)
    one.add_section(kind="audio", codec="opus", ssrc=2)
    offer = await one.create_offer()
    assert offer.count("m=application 9 UDP/DTLS/SCTP webrtc-datachannel") == 1
    assert "a=max-message-size:1234" in offer
    assert "a=sctp-port:5000" in offer
    await other.accept_offer(offer)
    await one.accept_answer(await other.create_answer())
    assert arrived == [b"before the answer is in"]


async def test_an_answer_without_data_channels_closes_those_of_the_offerer(make_peer):
    one, other = make_peer(), make_peer()
    one.add_section(kind="video", codec="vp8", ssrc=1)
    channel = one.use_data_channels().open("label")
    await negotiate(one, other)
    assert channel.is_closed
    with pytest.raises(TransportError):
        channel.send(b"")
    with pytest.raises(TransportError):
        one.use_data_channels().open("another")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a=sctp-port:5000", "a=sctp-port:0"),
        ("a=sctp-port:5000", "a=sctp-port:65536"),
        ("a=sctp-port:5000", "a=sctp-port:many"),
        ("a=max-message-size:65536", "a=max-message-size:-1"),
    ],
)
async def test_malformed_attributes_of_data_channels_are_refused(make_peer, old, new):
    one, other = make_peer(), make_peer()
    one.use_data_channels()
    offer = await one.create_offer()
    assert old in offer
    other.use_data_channels()
    with pytest.raises(NegotiationError):
        await other.accept_offer(offer.replace(old, new))
