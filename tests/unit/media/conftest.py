import asyncio

import aioice.ice
import pytest
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection
from fake_packet_transport import FakePacketTransport

from sealroom.media.negotiation import MediaPeer
from sealroom.media.tracks import IncomingTrack


@pytest.fixture
async def loopback_peer(monkeypatch):
    """Makes unmodified aiortc peers that gather 127.0.0.1, and closes them."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda **_: ["127.0.0.1"])
    peers = []

    def make(policy=RTCBundlePolicy.MAX_BUNDLE):
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=policy))
        peers.append(peer)
        return peer

    yield make
    await asyncio.gather(*(peer.close() for peer in peers))


@pytest.fixture
async def peers():
    """Two sides without sockets; the first has something to send."""
    one, two = (MediaPeer(FakePacketTransport(), host_addresses=["127.0.0.1"]) for _ in range(2))
    one.add_section(kind="audio", codec="opus", ssrc=1)
    yield one, two
    for peer in (one, two):
        async with asyncio.timeout(10):
            await peer.close()


@pytest.fixture
async def incoming():
    """Makes tracks of a `FakeSession`, and stops them."""
    tracks = []

    def make(session, kind="video", **options):
        codec = "vp8" if kind == "video" else "opus"
        tracks.append(IncomingTrack(session, 1, kind, codec, **options))
        return tracks[-1]

    yield make
    for track in tracks:
        track.stop()
