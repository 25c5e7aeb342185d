"""Calls across networks that change, break, lose, delay and rebind, between network namespaces."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from network_support import (
    TRACKS,
    Networks,
    PortTranslation,
    flowing,
    missing,
    open_networks,
    reports,
)

LACKING = missing()
pytestmark = [
    pytest.mark.skipif(LACKING is not None, reason=f"no network namespaces without {LACKING}"),
    pytest.mark.timeout(180),
]

NAT_SECONDS = 20.0
"""Until a new port is found by consent checks (every 4 to 6 s) and what was lost is asked for."""


@pytest_asyncio.fixture
async def networks(request: pytest.FixtureRequest) -> AsyncIterator[Networks]:
    async with open_networks(getattr(request, "param", 4)) as one:
        await flowing(one, time.monotonic())
        yield one


async def check(networks: Networks) -> None:
    """No frame came to a member twice, and no nonce to the media server."""
    all_reports = await reports(networks)
    for end, report in all_reports.items():
        for track, seen in report["seen"].items():
            numbers = [number for number, _ in seen]
            assert len(numbers) == len(set(numbers)), f"{track} to {end} was decrypted twice"
    home = all_reports["home"]
    assert home["frames"] > 100
    assert home["repeated"] == 0
    failed = [one for report in all_reports.values() for one in report["events"]]
    assert "MediaFailed" not in {one["event"] for one in failed}


async def test_a_member_whose_interface_goes_and_another_comes_is_heard_and_seen_again(
    networks: Networks,
) -> None:
    changed = time.monotonic()
    networks.change_address()
    await flowing(networks, changed + 1)
    await check(networks)


@pytest.mark.parametrize(
    ("networks", "seconds"), [(4, 3), (6, 15)], indirect=["networks"], ids=["ipv4", "ipv6"]
)
async def test_a_call_goes_on_after_its_link_was_black(networks: Networks, seconds: int) -> None:
    networks.link.loss = 100
    await asyncio.sleep(seconds)
    networks.link.loss = 0
    await flowing(networks, time.monotonic())
    await check(networks)


async def test_a_call_lives_with_loss_delay_and_jitter(networks: Networks) -> None:
    networks.link.loss, networks.link.delay, networks.link.jitter = 5, 0.03, 0.01
    before = await reports(networks)
    await asyncio.sleep(10)
    after = await reports(networks)
    for end in ("home", "away"):
        for track in TRACKS:
            came = len(after[end]["seen"][track]) - len(before[end]["seen"][track])
            assert came > 50, f"{track} to {end}"
    assert networks.link.lost > 20
    await flowing(networks, time.monotonic())
    await check(networks)


async def test_a_call_goes_on_when_a_nat_forgets_its_ports() -> None:
    nat = PortTranslation()
    async with open_networks(4, nat) as networks:
        await flowing(networks, time.monotonic())
        for _ in range(2):
            nat.rebind()
            networks.link.loss = 100  # so that what follows must be asked for, over the new port
            await asyncio.sleep(0.3)
            networks.link.loss = 0
            await flowing(networks, time.monotonic(), NAT_SECONDS)
        await check(networks)
