"""ICE restarts: another path under the same DTLS association, and what happens when one breaks."""

import asyncio
import contextlib
import socket

import aioice.ice
import aioice.stun
import pytest
from cancel_support import cancel_after
from fake_packet_transport import FakePacketTransport
from path_support import blackhole, cut

from sealroom.media import dtls, path_lingering, path_restart, socket_takeover, transport
from sealroom.media.errors import NegotiationError, TransportError
from sealroom.media.negotiation import MediaPeer

RTP = bytes.fromhex("8060000100000000") + b"\0\0\0\7payload"


async def until(condition, timeout=10.0):
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.01)


async def negotiate(offerer, answerer, **options):
    await answerer.accept_offer(await offerer.create_offer(**options))
    await offerer.accept_answer(await answerer.create_answer())


async def restart(offerer, answerer):
    await negotiate(offerer, answerer, ice_restart=True)
    await asyncio.gather(offerer.restarted(), answerer.restarted())


class Pair:
    def __init__(self, takeover):
        self.addresses = ["127.0.0.1"]
        self.fakes = [FakePacketTransport(), FakePacketTransport()]
        self.peers = [
            MediaPeer(fake, host_addresses=lambda: self.addresses, takeover=takeover)
            for fake in self.fakes
        ]
        self.states = [[], []]
        for peer, states in zip(self.peers, self.states, strict=True):
            peer.on_state_change = states.append
        self.peers[0].add_section(kind="video", codec="vp8", direction="sendonly", ssrc=7)

    async def connect(self):
        await negotiate(*self.peers)
        await asyncio.gather(*(peer.connected() for peer in self.peers))
        return self

    def received(self, index):
        fake = self.fakes[index]
        return sorted(fake.received + fake.received_on_socket)

    async def exchange(self, mark):
        """A datagram each way arrives."""
        for index in (0, 1):
            self.fakes[index].send(RTP + mark)
            await until(lambda index=index: RTP + mark in self.received(1 - index))


@pytest.fixture
async def connect():
    pairs = []

    async def make(takeover=None):
        pairs.append(Pair(takeover))
        return await pairs[-1].connect()

    yield make
    await asyncio.gather(*(peer.close() for pair in pairs for peer in pair.peers))


@pytest.fixture
def quick(monkeypatch):
    """Consent checks 50 times as often, a tenth of the round trip before one is unanswered."""
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.1)
    monkeypatch.setattr(aioice.stun, "RETRY_RTO", 0.05)


def path_addresses(peer):
    pair = peer.transport.path.connection.selected_pair
    return pair.local_addr, pair.remote_addr


@pytest.mark.parametrize("takeover", [True, False])
@pytest.mark.parametrize("restarter", [0, 1])
async def test_a_restart_moves_both_ends_to_new_sockets_under_the_same_keys(
    connect, takeover, restarter
):
    pair = await connect(takeover)
    keys = [dict(fake.keys) for fake in pair.fakes]
    before = [path_addresses(peer) for peer in pair.peers]
    credentials = [peer.transport.local_ice for peer in pair.peers]
    await pair.exchange(b"before")
    pair.addresses = ["127.0.0.2"]
    await restart(pair.peers[restarter], pair.peers[1 - restarter])
    await pair.exchange(b"after")
    for index, peer in enumerate(pair.peers):
        assert peer.state == "connected"
        assert pair.states[index] == ["connecting", "connected"]
        assert pair.fakes[index].keys == keys[index]
        assert path_addresses(peer)[0][0] == path_addresses(peer)[1][0] == "127.0.0.2"
        assert path_addresses(peer)[0] != before[index][0]
        assert peer.transport.local_ice != credentials[index]
        assert peer.transport.is_taken_over is takeover
    assert path_addresses(pair.peers[0]) == path_addresses(pair.peers[1])[::-1]


@pytest.mark.parametrize("takeover", [True, False])
async def test_what_the_peer_still_sends_on_the_path_before_is_taken_while_it_lingers(
    connect, takeover, monkeypatch
):
    monkeypatch.setattr(path_lingering, "LINGER", 0.5)
    pair = await connect(takeover)
    old = [peer.transport.path for peer in pair.peers]
    await restart(*pair.peers)
    for number in range(5):
        old[0].send(RTP + bytes([number]))
    await until(lambda: pair.received(1) == [RTP + bytes([number]) for number in range(5)])
    await until(lambda: all(path.is_lost for path in old))
    await pair.exchange(b"after")


async def test_datagrams_waiting_in_the_socket_that_is_left_are_not_lost(connect):
    pair = await connect(True)
    fake = pair.fakes[1]
    asyncio.get_running_loop().remove_reader(fake.socket)  # nobody reads it any more
    for number in range(20):
        pair.fakes[0].send(RTP + bytes([number]))
    await restart(*pair.peers)
    await until(lambda: pair.received(1) == [RTP + bytes([number]) for number in range(20)])


@pytest.mark.parametrize("takeover", [True, False])
async def test_a_path_that_is_cut_is_noticed_at_once_and_a_restart_brings_the_media_back(
    connect, takeover
):
    pair = await connect(takeover)
    cut(pair.peers[0].transport, pair.fakes[0])
    await until(lambda: pair.peers[0].state == "disconnected")
    pair.addresses = ["127.0.0.2"]
    await restart(*pair.peers)
    assert pair.states[0] == ["connecting", "connected", "disconnected", "connected"]
    await pair.exchange(b"after")


@pytest.mark.parametrize("takeover", [True, False])
async def test_a_path_that_swallows_everything_is_noticed_by_both_ends(connect, quick, takeover):
    pair = await connect(takeover)
    await asyncio.sleep(1)
    assert pair.states == [["connecting", "connected"]] * 2
    for peer in pair.peers:
        blackhole(peer.transport)
    await until(lambda: [peer.state for peer in pair.peers] == ["disconnected"] * 2)
    await until(lambda: all(peer.transport.path.is_lost for peer in pair.peers))
    await until(lambda: not any(peer.transport.is_taken_over for peer in pair.peers))
    assert [fake.socket for fake in pair.fakes] == [None, None]
    pair.fakes[0].send(RTP)  # nowhere to send: dropped, and no harm done
    await restart(*pair.peers)
    await pair.exchange(b"after")
    await asyncio.sleep(1)
    assert pair.states == [["connecting", "connected", "disconnected", "connected"]] * 2


async def test_a_path_that_answers_again_needs_no_restart(connect, quick, monkeypatch):
    monkeypatch.setattr(aioice.ice, "CONSENT_FAILURES", 600)  # not given up before it is mended
    pair = await connect(True)
    undo = [blackhole(peer.transport) for peer in pair.peers]
    await until(lambda: pair.peers[0].state == "disconnected")
    for one in undo:
        one()
    await until(lambda: [peer.state for peer in pair.peers] == ["connected"] * 2)
    await pair.exchange(b"after")


async def test_a_transport_without_a_path_fails_for_good_after_its_time(
    connect, quick, monkeypatch
):
    monkeypatch.setattr(transport, "RECOVERY_TIME", 0.5)
    pair = await connect(True)
    for peer in pair.peers:
        blackhole(peer.transport)
    await until(lambda: [peer.state for peer in pair.peers] == ["failed"] * 2)
    assert pair.states[0] == ["connecting", "connected", "disconnected", "failed"]
    with pytest.raises(TransportError, match="consent"):
        await pair.peers[0].connected()
    with pytest.raises(TransportError, match="failed"):
        await pair.peers[0].create_offer(ice_restart=True)
    await until(lambda: all(peer.transport.path.is_lost for peer in pair.peers))


async def test_a_restart_that_finds_no_way_leaves_the_working_path_alone(connect, monkeypatch):
    monkeypatch.setattr(path_restart, "RESTART_TIMEOUT", 0.5)
    pair = await connect(True)
    before = path_addresses(pair.peers[0])
    offer = await pair.peers[0].create_offer(ice_restart=True)
    lines = [x for x in offer.splitlines() if not x.startswith("a=candidate")]
    await pair.peers[1].accept_offer("\r\n".join(lines) + "\r\n")
    answer = await pair.peers[1].create_answer()
    for path in (pair.peers[0].transport._restart.path, pair.peers[1].transport._restart.path):
        for protocol in path.connection._protocols:
            protocol.transport.sendto = lambda *_: None
    await pair.peers[0].accept_answer(answer)
    for peer in pair.peers:
        with pytest.raises(TransportError, match="restart"):
            await peer.restarted()
        assert peer.state == "connected"
    assert path_addresses(pair.peers[0]) == before
    await pair.exchange(b"between")
    # What the descriptions say stays what was agreed: an offer of something else is no restart.
    await negotiate(*pair.peers)
    assert path_addresses(pair.peers[0]) == before
    await restart(*pair.peers)
    assert path_addresses(pair.peers[0]) != before
    await pair.exchange(b"after")


async def test_without_a_local_candidate_a_restart_changes_nothing(connect):
    pair = await connect(True)
    pair.addresses = ["192.0.2.1"]
    with pytest.raises(TransportError, match="candidate"):
        await pair.peers[0].create_offer(ice_restart=True)
    pair.addresses = ["127.0.0.1"]
    offer = await pair.peers[0].create_offer(ice_restart=True)
    pair.addresses = ["192.0.2.1"]
    await pair.peers[1].accept_offer(offer)
    with pytest.raises(TransportError, match="candidate"):
        await pair.peers[1].create_answer()
    await pair.exchange(b"between")
    pair.addresses = ["127.0.0.1"]
    await restart(*pair.peers)
    await pair.exchange(b"after")


async def test_a_restart_that_was_not_answered_is_superseded_by_the_next(connect):
    pair = await connect(True)
    first = await pair.peers[0].create_offer(ice_restart=True)
    again = await pair.peers[0].create_offer()
    assert [line for line in first.splitlines() if "ice-ufrag" in line] == [
        line for line in again.splitlines() if "ice-ufrag" in line
    ]
    gone = pair.peers[0].transport._restart.path
    await restart(*pair.peers)
    assert gone.connection._protocols == []
    await pair.exchange(b"after")


async def test_many_restarts_keep_a_bounded_number_of_paths(connect):
    pair = await connect(True)
    for number in range(6):
        await restart(pair.peers[number % 2], pair.peers[1 - number % 2])
        await pair.exchange(b"%d" % number)
        await until(lambda: len(pair.peers[0].transport._lingering) <= path_lingering.MAX_LINGERING)
    assert pair.states == [["connecting", "connected"]] * 2


async def test_the_roles_of_ice_survive_a_restart_by_the_answerer(connect):
    pair = await connect(True)
    roles = [peer.transport.path.connection.ice_controlling for peer in pair.peers]
    assert sorted(roles) == [False, True]
    await restart(pair.peers[1], pair.peers[0])
    assert [peer.transport.path.connection.ice_controlling for peer in pair.peers] == roles


async def test_a_peer_that_does_not_take_part_leaves_the_path_as_it_was(connect):
    pair = await connect(True)
    before = path_addresses(pair.peers[0])
    await pair.peers[1].accept_offer(await pair.peers[0].create_offer())
    answer = await pair.peers[1].create_answer()
    await pair.peers[0].create_offer(ice_restart=True)
    with pytest.raises(NegotiationError, match="take part"):
        await pair.peers[0].accept_answer(answer)
    assert path_addresses(pair.peers[0]) == before
    await negotiate(*pair.peers)
    await pair.exchange(b"after")


async def test_an_answer_cannot_restart_by_itself(connect):
    pair = await connect(True)
    before = path_addresses(pair.peers[0])
    await pair.peers[1].accept_offer(await pair.peers[0].create_offer())
    answer = await pair.peers[1].create_answer()
    ufrag = pair.peers[1].transport.local_ice.usernameFragment
    with pytest.raises(NegotiationError, match="without being asked"):
        await pair.peers[0].accept_answer(answer.replace(f"ufrag:{ufrag}", "ufrag:abcd"))
    await pair.peers[0].accept_answer(answer)
    assert path_addresses(pair.peers[0]) == before


async def test_a_transport_that_never_connected_cannot_restart():
    peer = MediaPeer(FakePacketTransport(), host_addresses=["127.0.0.1"])
    peer.add_section(kind="audio", codec="opus", ssrc=1)
    with pytest.raises(TransportError, match="new"):
        await peer.create_offer(ice_restart=True)
    with pytest.raises(TransportError, match="no ICE restart"):
        await peer.restarted()
    await peer.close()


async def test_closing_in_the_middle_of_a_restart_releases_every_socket(connect):
    pair = await connect(True)
    await pair.peers[0].create_offer(ice_restart=True)
    path = pair.peers[0].transport._restart.path
    await pair.peers[0].close()
    assert path.connection._protocols == []
    await restart_refused(pair.peers[0])


async def restart_refused(peer):
    with contextlib.suppress(NegotiationError), pytest.raises(TransportError, match="closed"):
        await peer.create_offer(ice_restart=True)


async def test_a_goodbye_of_dtls_still_closes_after_a_restart(connect):
    pair = await connect(True)
    await restart(*pair.peers)
    await pair.peers[0].close()
    await until(lambda: pair.peers[1].state == "closed")


async def test_more_dtls_than_the_bound_is_dropped_until_somebody_reads(connect):
    pair = await connect(True)
    carrier = dtls.DtlsCarrier(pair.peers[0].transport.path)
    for _ in range(dtls.MAX_QUEUED_DTLS + 10):
        carrier.receive(b"\x17")
    assert carrier._received.qsize() == dtls.MAX_QUEUED_DTLS


def test_datagrams_that_the_kernel_coalesced_come_apart_again():
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reader,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as writer,
    ):
        reader.setsockopt(17, 104, 1)  # SOL_UDP, UDP_GRO
        reader.setblocking(False)
        reader.bind(("127.0.0.1", 0))
        writer.connect(reader.getsockname())
        sent = [bytes([number]) * 100 for number in range(5)]
        size = (100).to_bytes(2, "little")
        writer.sendmsg([b"".join(sent), b"end"], [(17, 103, size)])  # UDP_SEGMENT
        writer.send(b"alone")
        assert list(socket_takeover.read_all(reader)) == [*sent, b"end", b"alone"]


async def test_a_restart_whose_answer_was_cancelled_at_any_step_can_be_answered_again(connect):
    pair = await connect()
    offering, answering = pair.peers
    for steps in range(1, 100):
        offer = await offering.create_offer(ice_restart=True)
        await answering.accept_offer(offer)
        was_cancelled = await cancel_after(steps, answering.create_answer())
        await answering.accept_offer(offer)
        await offering.accept_answer(await answering.create_answer())
        await asyncio.gather(offering.restarted(), answering.restarted())
        if not was_cancelled:
            break
    await pair.exchange(b"again")
