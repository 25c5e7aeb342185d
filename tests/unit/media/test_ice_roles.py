"""The answerer's connectivity checks may arrive before its answer does."""

from __future__ import annotations

import asyncio

import pytest

from sealroom._core.session import MediaSession
from sealroom.media.negotiation import MediaPeer

HOST = ["127.0.0.1"]


@pytest.mark.parametrize("offerer_wins_conflicts", [True, False])
@pytest.mark.parametrize("delay", [0.0, 0.01, 0.05, 0.2])
async def test_a_late_answer_still_connects(delay: float, offerer_wins_conflicts: bool) -> None:
    sessions = MediaSession(), MediaSession()
    offerer, answerer = (MediaPeer(session, host_addresses=HOST) for session in sessions)
    low, high = 0, 2**64 - 1
    tie_breakers = (high, low) if offerer_wins_conflicts else (low, high)
    (
        offerer.transport.path.connection._tie_breaker,
        answerer.transport.path.connection._tie_breaker,
    ) = tie_breakers
    offerer.add_section(kind="video", codec="vp8", direction="sendonly", ssrc=1)
    await answerer.accept_offer(await offerer.create_offer())
    answer = await answerer.create_answer()
    await asyncio.sleep(delay)  # its checks are under way
    await offerer.accept_answer(answer)
    async with asyncio.timeout(5):
        await asyncio.gather(offerer.connected(), answerer.connected())
    await offerer.close()
    await answerer.close()
    for session in sessions:
        session.close()
