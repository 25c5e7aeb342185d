"""A peer cannot make this side check, or remember, addresses without end."""

import asyncio

from aioice import stun

from sealroom.media.session_description import MAX_CANDIDATES

MOST_LEARNED = 256


def candidate(number):
    return f"candidate:{number} 1 udp 1 127.1.{number // 250}.{1 + number % 250} 9 typ host"


def check(peer, other):
    """A binding request of the other side, as it authenticates it."""
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    mine, theirs = peer.transport.local_ice, other.transport.local_ice
    request.attributes["USERNAME"] = f"{mine.usernameFragment}:{theirs.usernameFragment}"
    request.attributes["PRIORITY"] = 1
    request.attributes["ICE-CONTROLLING"] = 1
    request.add_message_integrity(mine.password.encode())
    return request


async def test_trickled_candidates_and_those_of_the_offer_are_limited_together(peers):
    one, two = peers
    offer = await one.create_offer()
    told = "".join(f"a={candidate(number)}\r\n" for number in range(MAX_CANDIDATES - 2))
    await two.accept_offer(offer.replace("a=end-of-candidates\r\n", told))
    answer = await two.create_answer()
    for number in range(300):
        await two.add_remote_candidate(candidate(number))
    connection = two.transport._path.connection
    assert len(connection.remote_candidates) == MAX_CANDIDATES
    assert len(connection._check_list) <= MAX_CANDIDATES
    await one.accept_answer(answer)
    await asyncio.gather(one.connected(), two.connected())


async def test_an_offer_that_repeats_its_candidates_leaves_room_for_others(peers):
    one, two = peers
    offer = await one.create_offer()
    told = "".join(f"a={candidate(number)}\r\n" for number in range(40))
    offer = offer.replace("a=end-of-candidates\r\n", told)
    for _ in range(3):
        await two.accept_offer(offer)
        await two.create_answer()
    await two.add_remote_candidate(candidate(50))
    assert len(two.transport._path.connection.remote_candidates) == 42


async def test_checks_from_ever_more_addresses_are_not_followed(peers):
    one, two = peers
    await two.accept_offer(await one.create_offer())
    await two.create_answer()
    connection = two.transport._path.connection
    async with asyncio.timeout(10):
        while not connection._early_checks_done:
            await asyncio.sleep(0)
    for port in range(2000, 2600):
        connection.request_received(check(two, one), ("127.0.0.1", port), connection._protocols[0])
    assert len(connection.remote_candidates) == MOST_LEARNED
    assert len(connection._check_list) <= MOST_LEARNED
