"""A peer that abuses SCTP: it gets its association ended, and nothing grows."""

from __future__ import annotations

from typing import Any

import pytest
from aiortc import RTCSctpTransport
from aiortc.rtcsctptransport import (
    SCTP_DATA_FIRST_FRAG,
    SCTP_DATA_LAST_FRAG,
    DataChunk,
    ForwardTsnChunk,
    SackChunk,
    serialize_packet,
)

from sealroom.media.sctp import (
    MAX_HELD_CHUNKS,
    MAX_INBOUND_STREAMS,
    MAX_MISORDERED,
    BoundedSctpTransport,
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
