"""A peer that abuses SCTP: it gets its association ended, and nothing grows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiortc import RTCSctpTransport
from aiortc.rtcsctptransport import (
    SCTP_DATA_FIRST_FRAG,
    SCTP_DATA_LAST_FRAG,
    AbortChunk,
    DataChunk,
    ForwardTsnChunk,
    HeartbeatChunk,
    InitChunk,
    SackChunk,
    serialize_packet,
)

from sealroom.media.sctp import (
    MAX_HELD_CHUNKS,
    MAX_INBOUND_STREAMS,
    MAX_MISORDERED,
    MAX_TIMEOUTS,
    RECEIVE_WINDOW,
    WINDOW_SLACK,
    BoundedSctpTransport,
    initiate_tag,
)


class Dtls:
    state = "connected"
    _role = "server"

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def _send_data(self, data: bytes) -> None:
        self.sent.append(data)

    def _register_data_receiver(self, receiver: Any) -> None:
        """As aiortc's."""


@pytest.fixture
async def sctp() -> BoundedSctpTransport:
    transport = BoundedSctpTransport(Dtls(), 1000)  # type: ignore[arg-type]
    transport._remote_port = 5000
    transport._last_received_tsn = 0
    transport._set_state(RTCSctpTransport.State.ESTABLISHED)
    return transport


def ended(sctp: BoundedSctpTransport) -> bool:
    return sctp._association_state is RTCSctpTransport.State.CLOSED


async def receive(sctp: BoundedSctpTransport, chunk: Any) -> None:
    tag = sctp._local_verification_tag
    await sctp._handle_data(serialize_packet(5000, 5000, tag, chunk))


def data(tsn: int, *, stream: int = 0, flags: int = 0, size: int = 1) -> DataChunk:
    chunk = DataChunk(flags=flags)
    chunk.tsn, chunk.stream_id, chunk.stream_seq, chunk.protocol = tsn, stream, 0, 53
    chunk.user_data = bytes(size)
    return chunk


def held(sctp: BoundedSctpTransport) -> int:
    return sum(len(one.reassembly) for one in sctp._inbound_streams.values())


async def test_a_message_that_never_ends_ends_the_association(sctp: BoundedSctpTransport) -> None:
    ends: list[bool] = []
    sctp.on_ended = lambda: ends.append(True)
    tsn = 0
    while not ended(sctp):
        tsn += 1
        assert tsn < 10 * MAX_HELD_CHUNKS
        await receive(sctp, data(tsn, flags=SCTP_DATA_FIRST_FRAG if tsn == 1 else 0))
    assert held(sctp) <= 2 * MAX_HELD_CHUNKS
    assert ends == [True]


async def test_a_big_message_that_never_ends_ends_the_association(
    sctp: BoundedSctpTransport,
) -> None:
    tsn = 0
    while not ended(sctp):
        tsn += 1
        assert tsn < 2000
        flags = SCTP_DATA_FIRST_FRAG if tsn == 1 else 0
        await receive(sctp, data(tsn, flags=flags, size=1100))
    assert sum(len(c.user_data) for c in sctp._inbound_streams[0].reassembly) <= 1 << 20


async def test_what_comes_before_its_turn_is_kept_up_to_a_bound(
    sctp: BoundedSctpTransport,
) -> None:
    for tsn in range(2, 2 + 2 * MAX_MISORDERED):
        await receive(sctp, data(tsn, flags=3))
    assert not ended(sctp)
    assert len(sctp._sack_misordered) == MAX_MISORDERED
    assert held(sctp) <= MAX_MISORDERED


async def test_streams_are_bounded(sctp: BoundedSctpTransport) -> None:
    tsn = 0
    while not ended(sctp):
        tsn += 1
        assert tsn <= MAX_INBOUND_STREAMS + 1
        await receive(sctp, data(tsn, stream=tsn, flags=3))
    assert len(sctp._inbound_streams) == MAX_INBOUND_STREAMS


async def test_a_message_above_the_limit_ends_the_association(sctp: BoundedSctpTransport) -> None:
    both = SCTP_DATA_FIRST_FRAG | SCTP_DATA_LAST_FRAG
    await receive(sctp, data(1, flags=both, size=1000))
    assert not ended(sctp)
    await receive(sctp, data(2, flags=both, size=1001))
    assert ended(sctp)


async def test_gaps_beyond_what_is_under_way_are_not_walked_through(
    sctp: BoundedSctpTransport,
) -> None:
    sack = SackChunk()
    sack.cumulative_tsn = sctp._last_sacked_tsn
    sack.gaps = [(1, 65535)] * 300
    before = sctp._last_sacked_tsn
    await receive(sctp, sack)
    assert sctp._last_sacked_tsn == before
    assert not ended(sctp)


async def test_partial_reliability_is_refused(sctp: BoundedSctpTransport) -> None:
    chunk = ForwardTsnChunk()
    chunk.cumulative_tsn = 5
    await receive(sctp, chunk)
    assert ended(sctp)


async def test_data_before_the_association_ends_it() -> None:
    transport = BoundedSctpTransport(Dtls(), 1000)  # type: ignore[arg-type]
    transport._remote_port = 5000
    transport._set_state(RTCSctpTransport.State.COOKIE_WAIT)
    await receive(transport, data(1, flags=3))
    assert ended(transport)


async def test_a_peer_that_ignores_the_window_is_not_taken_from_and_not_acknowledged(
    sctp: BoundedSctpTransport,
) -> None:
    """As a publisher above its ration, that sends on."""
    size, taken = 1000, 0
    for tsn in range(1, 2 * RECEIVE_WINDOW // size):
        await receive(sctp, data(tsn, flags=3, size=size))
        if sctp._last_received_tsn == tsn:
            sctp.withhold(size)
            taken += 1
    assert taken * size <= RECEIVE_WINDOW + WINDOW_SLACK
    assert sctp._last_received_tsn == taken
    assert held(sctp) == 0
    assert not ended(sctp)
    assert sctp._told_window == 0


async def test_small_messages_that_wait_are_bounded_in_number(sctp: BoundedSctpTransport) -> None:
    taken = 0
    for tsn in range(1, 5000):
        await receive(sctp, data(tsn, flags=3, size=1))
        if sctp._last_received_tsn == tsn:
            sctp.withhold(1)
            taken += 1
    assert taken <= (RECEIVE_WINDOW + WINDOW_SLACK) // 256
    assert not ended(sctp)


async def test_a_window_that_opens_again_is_told(sctp: BoundedSctpTransport) -> None:
    sctp.withhold(RECEIVE_WINDOW)
    await receive(sctp, data(1, flags=3))
    assert sctp._told_window == 0
    before = len(sctp.transport.sent)
    sctp.tell_window()
    await asyncio.sleep(0.01)
    assert len(sctp.transport.sent) == before  # nothing has changed
    sctp.release(RECEIVE_WINDOW)
    sctp.tell_window()
    await asyncio.sleep(0.01)
    assert len(sctp.transport.sent) == before + 1
    assert sctp._told_window == RECEIVE_WINDOW


async def test_a_sender_keeps_to_the_window_and_asks_when_it_opens(
    sctp: BoundedSctpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def acknowledge(window: int) -> None:
        sack = SackChunk()
        sack.cumulative_tsn = (
            sctp._sent_queue[-1].tsn if sctp._sent_queue else sctp._last_sacked_tsn
        )
        sack.advertised_rwnd = window
        await receive(sctp, sack)

    sctp._ssthresh = RECEIVE_WINDOW
    sctp._rto = 0.05
    await sctp._send(1, 53, bytes(100_000))
    await acknowledge(0)
    sent = len(sctp.transport.sent)
    await asyncio.sleep(0)
    assert sctp._outbound_queue
    assert len(sctp.transport.sent) == sent  # nothing goes into a closed window
    async with asyncio.timeout(5):
        while len(sctp.transport.sent) == sent:
            await asyncio.sleep(0.01)
    assert len(sctp._sent_queue) == 1  # one datagram asks
    for _ in range(30):
        await acknowledge(0)
        await asyncio.sleep(0.06)
    assert not ended(sctp)  # a peer that says to be full is alive
    while sctp._outbound_queue or sctp._sent_queue:
        await acknowledge(RECEIVE_WINDOW)


async def test_a_peer_that_answers_nothing_ends_the_association_after_some_time_outs(
    sctp: BoundedSctpTransport,
) -> None:
    ends: list[bool] = []
    sctp.on_ended = lambda: ends.append(True)
    sctp._rto, sctp._ssthresh = 0.01, RECEIVE_WINDOW
    await sctp._send(1, 53, b"into the void")
    sent = len(sctp.transport.sent)
    async with asyncio.timeout(10):
        while not ends:
            await asyncio.sleep(0.01)
    assert len(sctp.transport.sent) == sent + MAX_TIMEOUTS + 1  # retransmissions, and the ABORT


async def test_time_outs_do_not_count_while_the_path_is_down(sctp: BoundedSctpTransport) -> None:
    sctp._rto, sctp._ssthresh = 0.01, RECEIVE_WINDOW
    sctp.is_path_up = lambda: False
    await sctp._send(1, 53, b"into the void")
    sent = len(sctp.transport.sent)
    async with asyncio.timeout(10):
        while len(sctp.transport.sent) < sent + 2 * MAX_TIMEOUTS:
            await asyncio.sleep(0.01)
    assert not ended(sctp)
    sctp.fail()


async def test_a_packet_of_an_association_that_is_over_is_answered_with_an_abort(
    sctp: BoundedSctpTransport,
) -> None:
    sctp.fail()
    before = len(sctp.transport.sent)
    await receive(sctp, AbortChunk())
    assert len(sctp.transport.sent) == before  # or two that are over would talk for ever
    await receive(sctp, data(1, flags=3))
    await receive(sctp, HeartbeatChunk())
    assert len(sctp.transport.sent) == before + 2
    sctp._local_verification_tag, wrong = 1, sctp._local_verification_tag
    await sctp._handle_data(serialize_packet(5000, 5000, wrong, data(2, flags=3)))
    assert len(sctp.transport.sent) == before + 2


def test_an_init_is_known_by_its_tag() -> None:
    init = InitChunk()
    init.initiate_tag, init.advertised_rwnd = 77, 1000
    init.outbound_streams = init.inbound_streams = 1
    init.initial_tsn = 5
    assert initiate_tag(serialize_packet(5000, 5000, 0, init)) == 77
    assert initiate_tag(serialize_packet(5000, 5000, 5, init)) is None
    assert initiate_tag(serialize_packet(5000, 5000, 0, AbortChunk())) is None
    for length in range(20):
        assert initiate_tag(serialize_packet(5000, 5000, 0, init)[:length]) is None
