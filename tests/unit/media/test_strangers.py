"""Who only knows an address of a connection cannot disturb it: anybody may send datagrams there."""

import asyncio
import logging
import socket
import struct

import pytest
from aioice import stun
from aioice.ice import CandidatePair

from sealroom.media.dtls import MAX_QUEUED_DTLS

COOKIE = 0x2112A442
FATAL_ALERT = b"\x15\xfe\xff" + bytes(8) + struct.pack("!HBB", 2, 2, 40)  # handshake_failure
RTP = b"\x80\x60" + bytes(10)
SHORT_PRIORITY = struct.pack("!HHI12s", 1, 8, COOKIE, bytes(12)) + b"\0\x24\0\2" + bytes(4)


class Stranger:
    """A socket that knows the ports of the answering peer, and nothing else."""

    def __init__(self, answerer):
        self.connection = answerer.transport.path.connection
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)

    @property
    def address(self):
        return self.socket.getsockname()

    async def send(self, *datagrams):
        """Returns once all that was sent before has been read from the answerer's sockets."""
        for candidate in self.connection.local_candidates:
            target = candidate.host, candidate.port
            for datagram in datagrams:
                self.socket.sendto(datagram, target)
            await self._ask(target)

    async def _ask(self, target):
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        self.socket.sendto(bytes(request), target)  # unauthenticated: answered with an error
        async with asyncio.timeout(10):
            while True:
                answer = await asyncio.get_running_loop().sock_recv(self.socket, 2048)
                if stun.parse_message(answer).transaction_id == request.transaction_id:
                    return


@pytest.fixture
async def stranger(peers):
    """The second peer has answered the first, which does not have the answer yet."""
    one, two = peers
    await two.accept_offer(await one.create_offer())
    one.answer = await two.create_answer()
    stranger = Stranger(two)
    yield stranger
    stranger.socket.close()


async def connect(peers):
    one, two = peers
    await one.accept_answer(one.answer)
    async with asyncio.timeout(20):
        await asyncio.gather(one.connected(), two.connected())


async def test_an_alert_of_a_stranger_does_not_end_a_handshake_to_come(peers, stranger):
    await stranger.send(FATAL_ALERT)
    await connect(peers)


async def test_datagrams_of_strangers_take_no_place_in_any_queue(peers, stranger):
    transport = peers[1].transport
    for _ in range(MAX_QUEUED_DTLS // 16):
        await stranger.send(*[FATAL_ALERT] * 16, *[RTP] * 16)
    assert transport._carrier._received.qsize() == 0
    assert len(transport._dtls._early_media) == 0
    assert stranger.connection._queue.empty()
    await connect(peers)
    assert peers[1]._packet_transport.received == []


async def test_media_of_a_stranger_is_for_the_keys_to_judge_once_there_are_any(peers, stranger):
    await connect(peers)
    await stranger.send(RTP)
    assert peers[1]._packet_transport.received == [RTP]


async def test_the_peer_is_heard_before_this_side_knows_that_the_pair_works(peers, stranger):
    one, two = peers
    mine, theirs = two.transport.local_ice, one.transport.local_ice
    check = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    check.attributes["USERNAME"] = f"{mine.usernameFragment}:{theirs.usernameFragment}"
    check.attributes["PRIORITY"] = 1
    check.attributes["ICE-CONTROLLING"] = 1
    check.add_message_integrity(mine.password.encode())
    async with asyncio.timeout(10):
        while not stranger.connection._early_checks_done:
            await asyncio.sleep(0)
    taken = []
    stranger.connection.on_media = taken.append
    await stranger.send(RTP)
    assert taken == []
    await stranger.send(bytes(check), RTP)  # the peer, behind a NAT
    assert taken[0] == RTP
    assert stranger.connection.selected_pair is None


async def test_what_is_not_authentic_does_not_pass_for_a_sign_of_life(peers, stranger):
    connection, heard = stranger.connection, []
    async with asyncio.timeout(10):
        while not any(p.state == CandidatePair.State.SUCCEEDED for p in connection._check_list):
            await asyncio.sleep(0.01)
    connection.on_heard = lambda: heard.append(True)
    await stranger.send(FATAL_ALERT, SHORT_PRIORITY, RTP)
    assert heard == []


async def test_malformed_stun_of_a_stranger_is_counted_and_fills_no_log(peers, stranger, caplog):
    caplog.set_level(logging.INFO)
    await stranger.send(*[SHORT_PRIORITY] * 50)
    assert len([one for one in caplog.records if "STUN" in one.getMessage()]) == 1
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []
    assert stranger.connection.stun_messages_failed == 50
    await connect(peers)


@pytest.mark.parametrize("attribute", [0x24, 0x802A, 0x8028, 0x0C, 0x09, 0x20])
async def test_no_length_of_an_attribute_is_an_error_of_the_event_loop(stranger, caplog, attribute):
    for size in range(13):
        body = struct.pack("!HH", attribute, size) + bytes(size + -size % 4)
        await stranger.send(struct.pack("!HHI12s", 1, len(body), COOKIE, bytes(12)) + body)
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []
