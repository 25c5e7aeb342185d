"""Gathering that is broken off, that fails, or that its connection does not wait for."""

import asyncio
from pathlib import Path

import pytest
from cancel_support import cancel_after, steps_until_done
from fake_packet_transport import FakePacketTransport

from sealroom.media.errors import TransportError
from sealroom.media.negotiation import MediaPeer


def make_peer(host_addresses=("127.0.0.1", "127.0.0.2")):
    peer = MediaPeer(FakePacketTransport(), host_addresses=host_addresses)
    peer.add_section(kind="audio", codec="opus", ssrc=1)
    return peer


def sockets():
    return sum(str(one.readlink()).startswith("socket:") for one in _descriptors())


def _descriptors():
    return [one for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]


async def test_an_offer_that_was_cancelled_at_any_step_can_be_made_again():
    for steps in steps_until_done():
        peer = make_peer()
        was_cancelled = await cancel_after(steps, peer.create_offer())
        offer = await peer.create_offer()
        assert offer.count("a=candidate:") == 2
        await peer.close()
        if not was_cancelled:
            return


async def test_an_offer_whose_answer_was_cancelled_at_any_step_can_be_answered_again():
    offering = make_peer()
    offer = await offering.create_offer()
    for steps in steps_until_done():
        peer = MediaPeer(FakePacketTransport(), host_addresses=["127.0.0.1"])
        await peer.accept_offer(offer)
        was_cancelled = await cancel_after(steps, peer.create_answer())
        await peer.accept_offer(offer)
        assert "a=candidate:" in await peer.create_answer()
        await peer.close()
        if not was_cancelled:
            break
    await offering.close()


async def test_a_peer_that_had_no_address_offers_once_it_has_one():
    addresses = []
    peer = make_peer(lambda: addresses)
    for _ in range(2):
        with pytest.raises(TransportError, match="no local candidate"):
            await peer.create_offer()
    addresses.append("127.0.0.1")
    assert "a=candidate:" in await peer.create_offer()
    await peer.close()


async def test_a_peer_whose_addresses_could_not_be_told_offers_once_they_can():
    answers = [OSError("no network"), ["127.0.0.1"]]

    def addresses():
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    peer = make_peer(addresses)
    with pytest.raises(OSError, match="no network"):
        await peer.create_offer()
    assert "a=candidate:" in await peer.create_offer()
    await peer.close()


async def test_a_connection_closed_while_it_gathers_leaves_no_socket_open():
    before = sockets()
    for steps in range(1, 12):
        peer = make_peer()
        offering = asyncio.create_task(peer.create_offer())
        for _ in range(steps):
            await asyncio.sleep(0)
        offering.cancel()
        await asyncio.gather(offering, return_exceptions=True)
        await peer.close()
    async with asyncio.timeout(10):
        while sockets() > before:
            await asyncio.sleep(0.01)


async def test_a_closed_connection_opens_no_socket():
    peer = make_peer()
    await peer.close()
    before = sockets()
    with pytest.raises(TransportError, match="closed"):
        await peer.create_offer()
    assert sockets() == before
