"""Candidates whose address is an mDNS name, as browsers give to pages without a camera."""

import asyncio
import re

import aioice.ice
import pytest

from sealroom.media.session_description import MAX_CANDIDATES

NAME = "5d6b8e1a-6f3a-4d3b-9c0e-0d5a5c0b8f11.local"


class Resolver:
    """In place of aioice's: no query leaves this machine, and the test says what a name means."""

    def __init__(self):
        self.asked = []
        self.address = asyncio.get_running_loop().create_future()

    async def resolve(self, name):
        self.asked.append(name)
        return await asyncio.shield(self.address)

    async def was_asked(self, count):
        async with asyncio.timeout(10):
            while len(self.asked) < count:
                await asyncio.sleep(0.01)


@pytest.fixture
async def resolver(monkeypatch):
    one = Resolver()

    async def get(_):
        return one

    monkeypatch.setattr(aioice.ice, "get_or_create_mdns_protocol", get)
    return one


def hidden(description):
    """With a name in place of the candidates' address."""
    return re.sub(r"(a=candidate:\S+ \d udp \d+) 127\.0\.0\.1", rf"\1 {NAME}", description)


async def test_nobody_waits_for_a_name_where_the_peers_checks_tell_its_address(peers, resolver):
    one, two = peers
    offer = await one.create_offer()
    assert NAME in hidden(offer)
    await two.accept_offer(hidden(offer))
    await one.accept_answer(await two.create_answer())
    await asyncio.gather(one.connected(), two.connected())
    assert resolver.asked == [NAME]
    assert not resolver.address.done()


async def test_a_name_that_is_resolved_in_mid_connection_comes_in(peers, resolver):
    one, two = peers
    offer = await one.create_offer()
    await two.accept_offer(hidden(offer))
    await one.accept_answer(hidden(await two.create_answer()))
    await resolver.was_asked(2)
    assert {one.state, two.state} == {"connecting"}
    resolver.address.set_result("127.0.0.1")
    await asyncio.gather(one.connected(), two.connected())


async def test_no_more_names_are_looked_up_than_candidates_taken(peers, resolver):
    one, two = peers
    offer = await one.create_offer()
    await two.accept_offer(offer.replace("a=end-of-candidates\r\n", ""))
    await two.create_answer()
    for number in range(MAX_CANDIDATES + 10):
        name = f"{number:08x}-6f3a-4d3b-9c0e-0d5a5c0b8f11.local"
        await two.add_remote_candidate(f"candidate:1 1 udp 2113937151 {name} 9 typ host")
    await resolver.was_asked(MAX_CANDIDATES - 1)
    await asyncio.sleep(0)
    assert len(resolver.asked) == MAX_CANDIDATES - 1  # one came with the offer
