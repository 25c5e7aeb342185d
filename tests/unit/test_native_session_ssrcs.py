"""Which SSRCs a native session sends and receives under, and what becomes of those that go."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest
from native_pair import KEY_SIZE, PROFILE

from sealroom import errors
from sealroom._core.session import MediaSession

USED = "was used in this session before.*take a new random one"


@pytest.fixture
def session() -> Iterator[MediaSession]:
    with contextlib.closing(MediaSession()) as session:
        session.start(
            profile=PROFILE, send_key=os.urandom(KEY_SIZE), receive_key=os.urandom(KEY_SIZE)
        )
        yield session


def add(session: MediaSession, ssrc: int, rtx: int | None = None) -> int:
    return session.add_sender(
        ssrc=ssrc,
        payload_type=96,
        codec="vp8",
        protection=False,
        rtx=None if rtx is None else (rtx, 97),
    )


def test_an_ssrc_is_never_sent_under_twice(session: MediaSession) -> None:
    sender = add(session, 7, rtx=8)
    session.send_frame(sender, bytes(50), rtp_timestamp=0)
    session.remove_sender(sender)
    for ssrc in (7, 8):
        with pytest.raises(errors.InvalidArgumentError, match=f"^ssrc: {USED}"):
            add(session, ssrc)
        with pytest.raises(errors.InvalidArgumentError, match=f"^rtx: its SSRC {USED}"):
            add(session, 9, rtx=ssrc)
    assert add(session, 9, rtx=10)


def test_media_and_rtx_of_one_sender_are_no_ssrcs_of_another(session: MediaSession) -> None:
    add(session, 7, rtx=8)
    for ssrc in (7, 8):
        with pytest.raises(errors.InvalidArgumentError, match=f"^ssrc: {USED}"):
            add(session, ssrc)
        with pytest.raises(errors.InvalidArgumentError, match=f"^rtx: its SSRC {USED}"):
            add(session, 9, rtx=ssrc)


def test_a_sender_that_sent_no_frame_has_spent_its_ssrc_on_reports(session: MediaSession) -> None:
    session.remove_sender(add(session, 7))
    with pytest.raises(errors.InvalidArgumentError, match=f"^ssrc: {USED}"):
        add(session, 7)


def test_before_there_are_keys_nothing_is_spent() -> None:
    with contextlib.closing(MediaSession()) as session:
        session.remove_sender(add(session, 7, rtx=8))
        sender = add(session, 8, rtx=7)
        session.start(
            profile=PROFILE, send_key=os.urandom(KEY_SIZE), receive_key=os.urandom(KEY_SIZE)
        )
        session.send_frame(sender, bytes(50), rtp_timestamp=0)
        session.remove_sender(sender)
        with pytest.raises(errors.InvalidArgumentError, match=f"^ssrc: {USED}"):
            add(session, 7)


def test_senders_that_come_and_go_do_not_use_the_session_up(session: MediaSession) -> None:
    for number in range(4200):
        sender = add(session, 100 + number)
        session.send_frame(sender, bytes(50), rtp_timestamp=0)
        session.remove_sender(sender)
    # A frame, and a goodbye under the same SSRC.
    assert len(session.take_outgoing()) == 2048
    assert add(session, 99)
