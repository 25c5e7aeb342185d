"""Opus packets that do not fit into the usual datagram: up to what RFC 6716 allows one frame."""

from __future__ import annotations

import contextlib
import os

import pytest
from native_pair import BASE_KEY, Pair

from sealroom._core.session import FrameReceived

MAX_OPUS_FRAME = 1 + 1275  # RFC 6716 sections 3.1 and 3.2.1
MAX_SIZE = 1300
USUAL, LARGE = 1200, 1400


def audio_pair(red: int, *, has_rtx: bool) -> Pair:
    """A track under the longest headers that there are, with `red` frames once more in each."""
    pair = Pair("opus")
    ids = {"mid": 100, "audio_level": 101, "abs_send_time": 102}
    for session in (pair.alice, pair.bob):
        session.set_extensions(ids)
    pair.sender = pair.alice.add_sender(
        ssrc=8, payload_type=97, codec="opus", mid="m" * 16,
        rtx=(9, 98) if has_rtx else None, red=(99, red) if red else None,
    )  # fmt: skip
    pair.receiver = pair.bob.add_receiver(
        payload_type=97, codec="opus", mid="m" * 16,
        rtx_payload_type=98 if has_rtx else None, red_payload_type=99 if red else None,
    )  # fmt: skip
    pair.set_key((1 << 64) - 1, BASE_KEY, BASE_KEY)
    return pair


@pytest.mark.parametrize("has_rtx", [False, True], ids=["alone", "rtx"])
@pytest.mark.parametrize("red", [0, 1, 8], ids=["plain", "red", "much red"])
def test_large_audio_frames_go_in_one_datagram_each(red: int, has_rtx: bool) -> None:
    sizes = [160, MAX_OPUS_FRAME, MAX_SIZE, 1000, 1150, 1100, 160, MAX_SIZE, 1]
    frames = [os.urandom(size) for size in sizes]
    with contextlib.closing(audio_pair(red, has_rtx=has_rtx)) as pair:
        for number, frame in enumerate(frames):
            pair.alice.send_frame(
                pair.sender, frame, rtp_timestamp=960 * number, audio_level=20, voice_activity=True
            )
            [datagram] = pair.alice.take_outgoing()
            assert len(datagram) <= (USUAL if len(frame) <= 1000 else LARGE)
            pair.bob.receive_datagram(datagram)
        events = [one for one in pair.bob.take_events() if isinstance(one, FrameReceived)]
        assert [bytes(one.data) for one in events] == frames
