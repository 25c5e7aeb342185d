"""Who may read a track, and that nothing is decoded for those who are gone."""

import asyncio

import pytest
from fake_session import FakeSession
from track_support import encoded_video, receive_video, until

from sealroom.media import incoming_track
from sealroom.media.errors import AlreadyReadError


async def turns():
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("read", ["frames", "encoded_frames"])
async def test_a_slow_reader_is_the_only_one_too(incoming, read):
    session = FakeSession()
    track = incoming(session)
    first = getattr(track, read)()
    receive_video(session, encoded_video(3))
    await asyncio.wait_for(anext(first), 5)
    await turns()
    with pytest.raises(AlreadyReadError, match=r"aclose.*MediaRelay"):
        getattr(track, read)()
    if read == "frames":
        with pytest.raises(AlreadyReadError):
            await track.recv()
    stamps = [(await asyncio.wait_for(anext(first), 5)).rtp_timestamp for _ in range(2)]
    assert stamps == [3000, 6000]  # what was refused has taken nothing


@pytest.mark.parametrize("read", ["frames", "encoded_frames"])
async def test_who_has_closed_let_go_or_been_cancelled_keeps_nobody_out(incoming, read):
    track = incoming(FakeSession())
    closed = getattr(track, read)()
    await closed.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(closed)
    getattr(track, read)()  # held by nobody

    async def loop():
        async for _ in getattr(track, read)():
            pass

    reading = asyncio.create_task(loop())
    await turns()
    with pytest.raises(AlreadyReadError):
        getattr(track, read)()
    reading.cancel()
    await asyncio.wait([reading])  # which keeps the traceback
    getattr(track, read)()


async def test_a_reader_that_ran_out_of_time_goes_on(incoming):
    session = FakeSession()
    frames = incoming(session).frames()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(frames), 0.01)
    receive_video(session, encoded_video(1))
    assert (await asyncio.wait_for(anext(frames), 5)).rtp_timestamp == 0


async def test_who_reads_on_soon_needs_no_key_frame(incoming):
    session = FakeSession()
    track = incoming(session)
    datas = encoded_video(4)
    for number, data in enumerate(datas):
        receive_video(session, [data], first=number)
        async for frame in track.frames():
            assert frame.rtp_timestamp == number * 3000
            break
    assert session.key_frame_requests == 0


async def test_nothing_is_decoded_once_its_reader_is_gone(incoming, monkeypatch):
    monkeypatch.setattr(incoming_track, "READER_GRACE", 0.0)
    session = FakeSession()
    track = incoming(session)
    datas = encoded_video(12, key_frames=(8,))

    receive_video(session, datas[:1])
    async for frame in track.frames():
        assert frame.rtp_timestamp == 0
        break
    receive_video(session, datas[1:6], first=1)
    await until(lambda: not track._unread)
    await turns()
    assert track.statistics.frames_decoded == 1
    # The next begins with a picture of its time: the next key frame, which is asked for.
    frames = track.frames()
    receive_video(session, datas[6:8], first=6)
    await until(lambda: session.key_frame_requests == 1)
    receive_video(session, datas[8:], first=8)
    assert (await asyncio.wait_for(anext(frames), 5)).rtp_timestamp == 8 * 3000


async def test_for_recv_frames_are_decoded_until_the_track_ends(incoming):
    session = FakeSession()
    track = incoming(session)
    datas = encoded_video(4)
    receive_video(session, datas[:1])
    await track.recv()
    receive_video(session, datas[1:], first=1)
    await until(lambda: track.statistics.frames_decoded == 4)
