"""Whoever begins in the middle of a video is given a key frame to begin with."""

import asyncio

import pytest
from fake_session import FakeSession
from track_support import encoded_video, receive_video

from sealroom.media import incoming_track
from sealroom.media.errors import AlreadyReadError
from sealroom.media.tracks import IncomingTrack


@pytest.fixture
async def incoming():
    tracks = []

    def make(session, kind="video"):
        tracks.append(IncomingTrack(session, 1, kind, "vp8" if kind == "video" else "opus"))
        return tracks[-1]

    yield make
    for track in tracks:
        track.stop()


async def watched(incoming, session, kind="video"):
    """A track that somebody looks at, with three frames shown."""
    track = incoming(session, kind)
    frames = track.frames()
    receive_video(session, encoded_video(3))
    for _ in range(3):
        await asyncio.wait_for(anext(frames), 5)
    return track


async def test_a_handler_set_while_video_is_under_way_has_a_key_frame_made(incoming):
    session = FakeSession()
    track = await watched(incoming, session)
    assert session.key_frame_requests == 0
    seen = []
    track.encoded_frame_handler = lambda frame: seen.append(frame) or frame
    assert session.key_frame_requests == 1
    track.encoded_frame_handler = None
    assert session.key_frame_requests == 1


async def test_a_handler_set_before_the_first_frame_asks_for_none(incoming):
    session = FakeSession()
    track = incoming(session)
    track.encoded_frame_handler = lambda frame: frame
    assert session.key_frame_requests == 0


async def test_key_frames_are_asked_for_once_until_one_came(incoming, monkeypatch):
    session = FakeSession()
    track = incoming(session)
    seen = []
    track.encoded_frame_handler = lambda frame: seen.append(frame.is_key_frame) or frame
    for _ in range(3):
        track.request_key_frame()
    assert session.key_frame_requests == 1
    receive_video(session, encoded_video(1))
    async with asyncio.timeout(5):
        while not seen:
            await asyncio.sleep(0.005)
    track.request_key_frame()
    assert session.key_frame_requests == 2
    monkeypatch.setattr(incoming_track, "KEY_FRAME_PATIENCE", 0.0)
    track.request_key_frame()
    assert session.key_frame_requests == 3
    track.stop()
    track.request_key_frame()
    assert session.key_frame_requests == 3


async def test_sound_has_no_key_frames(incoming):
    session = FakeSession()
    track = incoming(session, "audio")
    track.encoded_frame_handler = lambda frame: frame
    track.encoded_frame_handler = lambda frame: frame
    track.request_key_frame()
    assert session.key_frame_requests == 0


async def test_a_second_reader_is_refused_and_the_first_goes_on(incoming):
    session = FakeSession()
    track = incoming(session)
    for read in (lambda: anext(track.frames()), track.recv, lambda: anext(track.encoded_frames())):
        first = asyncio.ensure_future(read())
        await asyncio.sleep(0)
        with pytest.raises(AlreadyReadError):
            await asyncio.wait_for(read(), 1)
        receive_video(session, encoded_video(1))
        await asyncio.wait_for(first, 5)


async def test_decoded_and_encoded_frames_are_both_whole(incoming):
    session = FakeSession()
    track = incoming(session)
    readers = track.frames(), track.encoded_frames()
    receive_video(session, encoded_video(5))
    for reader in readers:
        stamps = [(await asyncio.wait_for(anext(reader), 5)).rtp_timestamp for _ in range(5)]
        assert stamps == [0, 3000, 6000, 9000, 12000]
