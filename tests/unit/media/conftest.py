import asyncio

import aioice.ice
import pytest
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection


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
