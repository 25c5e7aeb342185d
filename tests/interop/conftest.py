import asyncio

import aioice.ice
import pytest
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes a minute or more")


@pytest.fixture
async def stock_peer(monkeypatch):
    """Makes unmodified aiortc peers that gather 127.0.0.1, and closes them."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda **_: ["127.0.0.1"])
    peers = []

    def make():
        peer = RTCPeerConnection(
            RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        peer.remote_tracks = []
        peer.on("track", peer.remote_tracks.append)
        peers.append(peer)
        return peer

    yield make
    await asyncio.gather(*(peer.close() for peer in peers))


@pytest.fixture
async def native_peer():
    """Makes our peers on the native core, and closes them."""
    from media_support import NativePeer

    peers = []

    def make(**options):
        peers.append(NativePeer(**options))
        return peers[-1]

    yield make
    await asyncio.gather(*(peer.close() for peer in peers))


@pytest.fixture(scope="session")
def chromium_browser():
    """Chromium, one for all tests."""
    from browser_support import Browser

    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
async def chromium(chromium_browser):
    """A page in Chromium, which may complain of nothing."""
    page = await chromium_browser.open_page()
    yield page
    await page.close()
    assert page.errors == []
