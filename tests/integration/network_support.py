"""Two network namespaces and the link between them, which this process carries packet by packet.

The link loses and delays packets and translates UDP ports as a NAT does, as the test says. It needs
root, /dev/net/tun and the program `ip`; `missing` tells what is not there.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_MTU = 1500
_MEMBER = Path(__file__).with_name("network_member.py")
_START_SECONDS = 60
_ANSWER_SECONDS = 30
_READ_AT_ONCE = 64
_MAX_HELD = 2000
"""Packets on the way; more are lost, as in a queue that is full."""

TRACKS = ("camera", "sound")
RECOVERY_SECONDS = 45.0
"""Until all media flows again in both directions, at the latest."""

HOME = {4: "10.98.0.1", 6: "fd98::1"}
AWAY = {4: ("10.98.1.2", "10.98.2.2"), 6: ("fd98:1::2", "fd98:2::2")}
"""Addresses by IP version; those of the other end before and after its network has changed."""


def missing() -> str | None:
    """What there is not, of what namespaces need; None if all is there."""
    if sys.platform != "linux":
        return "Linux"
    if os.geteuid() != 0:
        return "root"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun"
    if shutil.which("ip") is None:
        return "the program ip (iproute2)"
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
        return "the right to make network namespaces"
    return None


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=10)


class Namespace:
    """A network namespace of this test's own."""

    def __init__(self, name: str) -> None:
        self.name = f"sealroom-{os.getpid()}-{name}"
        self._devices = 0
        _ip("netns", "add", self.name)
        _ip("-n", self.name, "link", "set", "lo", "up")

    def add_device(self, addresses: Sequence[str]) -> int:
        """A TUN device with these addresses that everything leaves by; returns its descriptor.

        The device goes when the descriptor is closed.
        """
        self._devices += 1
        device = f"sr{os.getpid() % 100_000}{self.name[-1]}{self._devices}"
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        try:
            fcntl.ioctl(
                descriptor,
                _TUNSETIFF,
                struct.pack("16sH", device.encode(), _IFF_TUN | _IFF_NO_PI),
            )
            _ip("link", "set", device, "netns", self.name)
            for address in addresses:
                # Without duplicate address detection, which has nobody to ask.
                extra = ["nodad"] if ":" in address else []
                _ip("-n", self.name, "addr", "add", address, "dev", device, *extra)
            _ip("-n", self.name, "link", "set", device, "up", "mtu", str(_MTU))
            _ip("-n", self.name, "route", "add", "default", "dev", device)
            _ip("-n", self.name, "-6", "route", "add", "default", "dev", device)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def remove(self) -> None:
        _ip("netns", "del", self.name)


class PortTranslation:
    """A NAT for UDP over IPv4: other ports outside, until it forgets and takes new ones."""

    def __init__(self) -> None:
        self._outside: dict[int, int] = {}
        self._next = 40_000

    def rebind(self) -> None:
        """Forgets all ports: packets to them are lost, and what leaves gets others."""
        self._outside.clear()

    def outward(self, packet: bytes) -> bytes:
        at = _udp_offset(packet)
        if at is None:
            return packet
        port = int.from_bytes(packet[at : at + 2], "big")
        if port not in self._outside:
            self._next += 1
            self._outside[port] = self._next
        return _with_port(packet, at, at, self._outside[port])

    def inward(self, packet: bytes) -> bytes | None:
        """The packet for the inside, None if no port is open for it."""
        at = _udp_offset(packet)
        if at is None:
            return packet
        outside = int.from_bytes(packet[at + 2 : at + 4], "big")
        inside = next((one for one, other in self._outside.items() if other == outside), None)
        return None if inside is None else _with_port(packet, at, at + 2, inside)


def _udp_offset(packet: bytes) -> int | None:
    is_udp = len(packet) >= 28 and packet[0] >> 4 == 4 and packet[9] == 17
    return (packet[0] & 15) * 4 if is_udp else None


def _with_port(packet: bytes, at: int, where: int, port: int) -> bytes:
    changed = bytearray(packet)
    changed[where : where + 2] = port.to_bytes(2, "big")
    changed[at + 6 : at + 8] = bytes(2)  # no checksum, which IPv4 allows
    return bytes(changed)


class Link:
    """Carries packets between two devices. Event-loop thread only.

    `loss` in percent, `delay` and `jitter` in seconds, each way; jitter reorders.
    """

    def __init__(self, home: int, away: int) -> None:
        self.loss = self.delay = self.jitter = 0.0
        self.nat: PortTranslation | None = None
        self.carried = self.lost = 0
        self._home, self._away = home, away
        self._random = random.Random(1)
        self._held: set[asyncio.TimerHandle] = set()
        self._loop = asyncio.get_running_loop()
        for descriptor in (home, away):
            self._loop.add_reader(descriptor, self._read, descriptor)

    def move_away(self, add_device: Callable[[], int]) -> None:
        """Has the device at the far end go, and takes the one that is added then."""
        self._drop(self._away)
        self._away = add_device()
        self._loop.add_reader(self._away, self._read, self._away)

    def close(self) -> None:
        for handle in self._held:
            handle.cancel()
        self._drop(self._home)
        self._drop(self._away)

    def _drop(self, device: int) -> None:
        self._loop.remove_reader(device)
        os.close(device)

    def _read(self, device: int) -> None:
        for _ in range(_READ_AT_ONCE):
            try:
                packet = os.read(device, 2048)
            except OSError:
                return
            self._take(packet, is_outward=device == self._away)

    def _take(self, packet: bytes, *, is_outward: bool) -> None:
        translated: bytes | None = packet
        if self.nat is not None:
            translated = self.nat.outward(packet) if is_outward else self.nat.inward(packet)
        is_lost = self._random.random() * 100 < self.loss or len(self._held) >= _MAX_HELD
        if translated is None or is_lost:
            self.lost += 1
            return
        pause = max(0.0, self.delay + self._random.uniform(-1, 1) * self.jitter)
        if pause == 0:
            self._give(translated, is_outward)
            return

        def arrive() -> None:
            self._held.discard(handle)
            self._give(translated, is_outward)

        handle = self._loop.call_later(pause, arrive)
        self._held.add(handle)

    def _give(self, packet: bytes, is_outward: bool) -> None:
        self.carried += 1
        with contextlib.suppress(OSError):
            os.write(self._home if is_outward else self._away, packet)


class MemberProcess:
    """`network_member.py` in a namespace."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.started: dict[str, Any] = {}

    @classmethod
    async def start(cls, namespace: Namespace, *arguments: str) -> MemberProcess:
        process = await asyncio.create_subprocess_exec(
            *("ip", "netns", "exec", namespace.name, sys.executable, str(_MEMBER), *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 24,
        )
        member = cls(process)
        try:
            member.started = await member._answer(_START_SECONDS)
        except BaseException:
            await member.end()
            raise
        return member

    async def report(self) -> dict[str, Any]:
        """What it has seen so far."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"report\n")
        await self._process.stdin.drain()
        return await self._answer(_ANSWER_SECONDS)

    async def end(self) -> None:
        """Asks it to end; after ten seconds it is killed."""
        if self._process.returncode is not None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _answer(self, seconds: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(seconds):
            line = await self._process.stdout.readline()
        assert line, "a member has ended"
        answer: dict[str, Any] = json.loads(line)
        return answer


class Networks:
    """A Bridge with one member at home, and one member behind the link."""

    def __init__(self, ip: int, link: Link, away_namespace: Namespace) -> None:
        self.ip = ip
        self.link = link
        self._away_namespace = away_namespace
        self.home: MemberProcess
        self.away: MemberProcess

    def change_address(self) -> None:
        """The interface of the member away goes, and another comes with another address."""
        self.link.move_away(lambda: self._away_namespace.add_device([AWAY[self.ip][1]]))


@asynccontextmanager
async def open_networks(ip: int, nat: PortTranslation | None = None) -> AsyncIterator[Networks]:
    """A call over IPv4 or IPv6; all that was made is gone afterwards."""
    async with AsyncExitStack() as stack:
        home = Namespace("a")
        stack.callback(home.remove)
        away = Namespace("b")
        stack.callback(away.remove)
        link = Link(home.add_device([HOME[ip]]), away.add_device([AWAY[ip][0]]))
        link.nat = nat
        stack.callback(link.close)
        networks = Networks(ip, link, away)
        networks.home = await MemberProcess.start(home, "home", HOME[ip])
        stack.push_async_callback(networks.home.end)
        started = networks.home.started
        networks.away = await MemberProcess.start(
            away, "away", started["url"], started["context_id"], started["room_id"]
        )
        stack.push_async_callback(networks.away.end)
        yield networks


async def reports(networks: Networks) -> dict[str, dict[str, Any]]:
    home, away = await asyncio.gather(networks.home.report(), networks.away.report())
    return {"home": home, "away": away}


def first_after(report: dict[str, Any], track: str, moment: float) -> float | None:
    """When the tenth frame after a moment had arrived; None if it has not."""
    later = [at for _, at in report["seen"].get(track, []) if at >= moment]
    return later[9] if len(later) >= 10 else None


async def flowing(
    networks: Networks, since: float, seconds: float = RECOVERY_SECONDS
) -> dict[str, float]:
    """Wait until each track of each end has brought ten frames; seconds that each took."""
    deadline = time.monotonic() + seconds
    while True:
        found = {
            f"{track} to {end}": first_after(report, track, since)
            for end, report in (await reports(networks)).items()
            for track in TRACKS
        }
        if None not in found.values():
            return {name: at - since for name, at in found.items() if at is not None}
        assert time.monotonic() < deadline, f"no media: {found}"
        await asyncio.sleep(0.25)
