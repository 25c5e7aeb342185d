"""Chromium as a peer that is not ours: a page from 127.0.0.1 with JavaScript of its own."""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures
import functools
import http.server
import shutil
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from media_support import HEIGHT, WIDTH

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
SUITE = 5  # AES_256_GCM_SHA512_128
FLAGS = (
    "--no-sandbox",  # root needs it
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",  # else candidates need multicast DNS
    "--autoplay-policy=no-user-gesture-required",
)


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None: ...


@contextmanager
def _serving() -> Iterator[str]:
    handler = functools.partial(_Files, directory=Path(__file__).with_name("browser"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Browser:
    """Chromium, for many tests: on an event loop in a thread, as each test has another loop."""

    def __init__(self) -> None:
        """Skips where there is none."""
        reason = "playwright is not installed: pip install playwright"
        self._api = pytest.importorskip("playwright.async_api", reason=reason)
        if CHROMIUM is None:
            pytest.skip("Chromium is not installed: apt-get install chromium-headless-shell")
        self._stack = ExitStack()
        self._url = self._stack.enter_context(_serving())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._driver, self._browser = self.run(self._launch()).result(60)

    def run(self, work: Coroutine[Any, Any, Any]) -> concurrent.futures.Future[Any]:
        """Has the browser's loop do something."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def open_page(self) -> Page:
        """A new page."""
        page: Page = await asyncio.wrap_future(self.run(self._open_page()))
        return page

    def close(self) -> None:
        try:
            self.run(self._browser.close()).result(30)
            self.run(self._driver.stop()).result(30)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._stack.close()

    async def _open_page(self) -> Page:
        page = Page(self, await self._browser.new_page())
        await page.load(self._url)
        return page

    async def _launch(self) -> tuple[Any, Any]:
        driver = await self._api.async_playwright().start()
        options = {"executable_path": CHROMIUM, "args": list(FLAGS)}
        return driver, await driver.chromium.launch(**options)


def key_of(base_key: bytes, key_id: int = 1, suite: int = SUITE) -> dict[str, Any]:
    """An SFrame key as the page takes it."""
    return {"suite": suite, "keyId": key_id, "baseKey": base64.b64encode(base_key).decode()}


class Page:
    """The functions of `browser/page.js`."""

    def __init__(self, browser: Browser, page: Any) -> None:
        self._browser = browser
        self._page = page
        self.errors: list[str] = []
        """What the page complained of."""
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text))

    async def load(self, url: str) -> None:
        """On the browser's loop."""
        await self._page.goto(url)

    async def close(self) -> None:
        await asyncio.wrap_future(self._browser.run(self._page.close()))

    async def protect(
        self, codec: str, key: dict[str, Any], frames: Sequence[bytes]
    ) -> list[bytes]:
        """What the browser makes of encoded frames."""
        sealed = await self._forms("protectFrames", codec, key, frames)
        return [base64.b64decode(frame) for frame in sealed]

    async def unprotect(
        self, codec: str, key: dict[str, Any], frames: Sequence[bytes]
    ) -> list[bytes | str]:
        """What it reads in protected frames; for one that it refuses, why."""
        opened = await self._forms("unprotectFrames", codec, key, frames)
        return [
            one["refused"] if isinstance(one, dict) else base64.b64decode(one) for one in opened
        ]

    async def _forms(
        self, function: str, codec: str, key: dict[str, Any], frames: Sequence[bytes]
    ) -> list[Any]:
        sent = [base64.b64encode(frame).decode() for frame in frames]
        call = f"([codec, key, frames]) => {function}(codec, key, frames)"
        result: list[Any] = await self.evaluate(call, [codec, key, sent])
        return result

    async def open_peer(
        self, keys: dict[str, dict[str, Any]], *, is_careful: bool = True
    ) -> BrowserPeer:
        """A peer connection in the page, with the SFrame key of each mid.

        `is_careful`: with the flag that holds frames back until they are encrypted.
        """
        call = "([keys, isCareful]) => peers.push(new Peer(keys, isCareful)) - 1"
        number = await self.evaluate(call, [keys, is_careful])
        return BrowserPeer(self, number)

    async def lose(self, percent: float) -> None:
        """Has the browser lose so many of the packets that it sends and receives."""
        conditions = {
            "offline": False,
            "latency": 1,  # ms; without any, none is lost
            "downloadThroughput": -1,
            "uploadThroughput": -1,
            "packetLoss": percent,
        }
        await asyncio.wrap_future(self._browser.run(self._emulate(conditions)))

    async def _emulate(self, conditions: dict[str, Any]) -> None:
        session = await self._page.context.new_cdp_session(self._page)
        await session.send("Network.enable")
        await session.send("Network.emulateNetworkConditions", conditions)

    async def evaluate(self, script: str, argument: Any) -> Any:
        """Has the page do something."""
        return await asyncio.wrap_future(self._browser.run(self._page.evaluate(script, argument)))


class BrowserPeer:
    """A peer connection in the page."""

    def __init__(self, page: Page, number: int) -> None:
        self._page = page
        self._number = number

    async def call(self, method: str, *arguments: Any) -> Any:
        """Calls a method of `Peer` in `browser/page.js`."""
        call = "([number, method, sent]) => peers[number][method](...sent)"
        return await self._page.evaluate(call, [self._number, method, list(arguments)])

    async def inbound(self, kind: str, mid: str | None = None) -> dict[str, Any]:
        """The W3C statistics of an "inbound-rtp" of that kind, or none yet."""
        return await self._statistics("inbound-rtp", kind, mid)

    async def outbound(self, kind: str) -> dict[str, Any]:
        """Those of an "outbound-rtp"."""
        return await self._statistics("outbound-rtp", kind, None)

    async def path(self) -> str:
        """The pair of candidates in use, or nothing yet."""
        found: list[dict[str, Any]] = await self.call("statistics")
        transport = next(one for one in found if one["type"] == "transport")
        return str(transport.get("selectedCandidatePairId") or "")

    async def _statistics(self, stats_type: str, kind: str, mid: str | None) -> dict[str, Any]:
        found: list[dict[str, Any]] = await self.call("statistics")
        for one in found:
            is_wanted = (one["type"], one.get("kind")) == (stats_type, kind)
            if is_wanted and mid in (None, one["mid"]):
                return one
        return {}

    async def assert_sent(self, digests: set[str], *mids: str) -> None:
        """Each is the SHA-256 of a frame that left on one of these m-lines, before encryption."""
        async with asyncio.timeout(10):
            while digests:  # what the transform tells may reach the page after the frame reached us
                for mid in mids:
                    digests -= set((await self.call("record", f"send {mid}"))["digests"])

    async def assert_sees_bars(self, mid: str) -> None:
        """The picture on a canvas: left half red, right half blue."""
        picture = await self._look(mid)
        assert (picture["width"], picture["height"]) == (WIDTH, HEIGHT)
        left, right = picture["left"], picture["right"]
        assert left[0] > 180 > 60 > left[2], picture
        assert right[2] > 180 > 60 > right[0], picture

    async def assert_hears_tone(self, mid: str) -> None:
        """The loudest frequency, as WebAudio measures it: 1 kHz."""
        async with asyncio.timeout(10):
            while (sound := await self._look(mid))["level"] < -45:
                await asyncio.sleep(0.1)
        assert abs(sound["hertz"] - 1000) < 10, sound

    async def _look(self, mid: str) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while not (seen := await self.call("look", mid)):
                await asyncio.sleep(0.1)
        result: dict[str, Any] = seen
        return result
