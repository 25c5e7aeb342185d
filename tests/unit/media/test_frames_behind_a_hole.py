"""Consumers of encoded video that fall behind: they go on with a key frame, which is asked for."""

import asyncio

import av
import numpy as np
import pytest
from fake_session import FakeSession, FrameReceived, FrameRejected
from track_support import encoded_video, receive_video, until

from sealroom.media import incoming_track
from sealroom.media.frame_queue import FrameQueue
from sealroom.recording import MatroskaWriter

SOME = 5


class Publisher(FakeSession):
    """Sends a video whose frames tell their number, and makes key frames as it is asked to."""

    def __init__(self):
        super().__init__()
        self.number = 0
        self.answered = 0

    def send(self, count, keys=()):
        for _ in range(count):
            is_key = self.number == 0 or self.number in keys
            if self.answered < self.key_frame_requests:
                self.answered, is_key = self.key_frame_requests, True
            self.emit(
                FrameReceived(
                    1, np.full(100, self.number % 256, np.uint8), self.number, is_key_frame=is_key
                )
            )
            self.number += 1


@pytest.fixture(autouse=True)
def a_short_queue(monkeypatch):
    monkeypatch.setattr(incoming_track, "MAX_UNREAD_FRAMES", SOME)


async def turns():
    """As many of the event loop as a worker needs."""
    for _ in range(20):
        await asyncio.sleep(0)


async def read(frames, count=1):
    taken = [await asyncio.wait_for(anext(frames), 5) for _ in range(count)]
    return [(one.rtp_timestamp, one.is_key_frame) for one in taken]


async def send_slowly(session, count, keys=()):
    for _ in range(count):
        session.send(1, keys)
        await turns()


async def test_a_reader_that_falls_behind_goes_on_with_the_key_frame_it_asks_for(incoming):
    session = Publisher()
    track = incoming(session)
    frames = track.encoded_frames()
    await send_slowly(session, 1)
    assert await read(frames) == [(0, True)]
    await send_slowly(session, 20)  # the reader does something else
    assert session.key_frame_requests == 0
    reading = asyncio.create_task(read(frames, 3))
    await turns()
    assert session.key_frame_requests == 1
    await send_slowly(session, 3)
    assert await reading == [(21, True), (22, False), (23, False)]
    assert session.key_frame_requests == 1
    assert track.statistics.frames_dropped == 20


async def test_a_reader_that_falls_behind_goes_on_with_the_key_frame_that_is_there(incoming):
    session = Publisher()
    frames = incoming(session).encoded_frames()
    await send_slowly(session, 12, keys=(9,))
    assert await read(frames, 3) == [(9, True), (10, False), (11, False)]
    assert session.key_frame_requests == 0


async def test_a_reader_that_never_comes_back_has_no_key_frames_made(incoming):
    session = Publisher()
    frames = incoming(session).encoded_frames()
    await send_slowly(session, 100)
    await frames.aclose()
    assert session.key_frame_requests == 0


async def test_a_key_frame_that_does_not_come_is_asked_for_again(incoming, monkeypatch):
    monkeypatch.setattr(incoming_track, "KEY_FRAME_PATIENCE", 0.05)
    session = FakeSession()
    frames = incoming(session).encoded_frames()
    for number in range(20):
        session.receive((b"delta", number), is_key_frame=number == 0)
        await turns()
    reading = asyncio.create_task(read(frames))
    await turns()
    for _ in range(5):
        session.receive((b"delta", 30), is_key_frame=False)
        await turns()
    assert session.key_frame_requests == 1
    await asyncio.sleep(0.06)
    session.receive((b"delta", 31), is_key_frame=False)
    await turns()
    assert session.key_frame_requests == 2
    session.receive((b"key", 32), is_key_frame=True)
    assert await reading == [(32, True)]


async def test_a_handler_that_falls_behind_sees_no_frame_behind_a_hole(incoming):
    session = Publisher()
    seen = []
    go_on = asyncio.Event()

    async def handler(frame):
        seen.append((frame.rtp_timestamp, frame.is_key_frame))
        await go_on.wait()

    track = incoming(session, encoded_frame_handler=handler)
    await send_slowly(session, 20)
    go_on.set()
    await turns()
    assert session.key_frame_requests == 1
    await send_slowly(session, 3)
    assert seen == [(0, True), (20, True), (21, False), (22, False)]
    assert track.statistics.frames_dropped == 19


async def test_what_the_core_dropped_is_a_hole_too(incoming):
    session = Publisher()
    rejections = []
    track = incoming(session, on_rejected=lambda *of: rejections.append(of))
    frames = track.encoded_frames()
    await send_slowly(session, 2)
    session.emit(FrameRejected(1, "queue_overflow", 7))
    assert session.key_frame_requests == 0  # the core has one, or asks by itself
    assert await read(frames, 2) == [(0, True), (1, False)]
    await send_slowly(session, 1)
    reading = asyncio.create_task(read(frames, 2))
    await send_slowly(session, 2)
    assert await reading == [(3, True), (4, False)]
    assert session.key_frame_requests == 1
    assert rejections == [("queue_overflow", 7)]
    assert (track.statistics.frames_dropped, track.statistics.frames_rejected) == (8, 0)


async def test_a_forged_key_frame_does_not_mend_a_hole(incoming):
    session = Publisher()
    frames = incoming(session).encoded_frames()
    await send_slowly(session, 1)
    session.emit(FrameRejected(1, "queue_overflow", 1))
    session.receive((b"forged", 1), is_key_frame=True, rejected="authentication_failed")
    session.answered = session.key_frame_requests  # the request is lost
    await send_slowly(session, 4, keys=(3,))
    assert await read(frames, 3) == [(0, True), (3, True), (4, False)]


async def test_what_the_handler_drops_is_a_hole_for_readers(incoming):
    session = Publisher()
    track = incoming(session, encoded_frame_handler=lambda f: f if f.rtp_timestamp != 2 else None)
    frames = track.encoded_frames()
    await send_slowly(session, 5, keys=(4,))
    assert await read(frames, 3) == [(0, True), (1, False), (4, True)]


async def test_a_reader_that_comes_late_begins_with_a_key_frame(incoming):
    session = Publisher()
    track = incoming(session, encoded_frame_handler=lambda frame: frame)
    await send_slowly(session, 3)
    frames = track.encoded_frames()
    reading = asyncio.create_task(read(frames, 2))
    await turns()
    await send_slowly(session, 2)
    assert await reading == [(3, True), (4, False)]


async def test_a_reader_after_another_begins_with_the_key_frame_it_asks_for(incoming):
    session = Publisher()
    track = incoming(session)
    frames = track.encoded_frames()
    await send_slowly(session, 3)
    assert await read(frames, 2) == [(0, True), (1, False)]
    for first in (3, 5):
        await frames.aclose()
        frames = track.encoded_frames()
        reading = asyncio.create_task(read(frames, 2))
        await turns()
        await send_slowly(session, 2)
        assert await reading == [(first, True), (first + 1, False)]
    assert session.key_frame_requests == 2


async def test_a_reader_after_another_takes_the_key_frame_that_waits(incoming):
    session = Publisher()
    track = incoming(session)
    frames = track.encoded_frames()
    await send_slowly(session, 5, keys=(3,))
    assert await read(frames) == [(0, True)]
    del frames
    assert await read(track.encoded_frames(), 2) == [(3, True), (4, False)]
    assert session.key_frame_requests == 0


async def test_nothing_is_kept_for_a_reader_that_is_gone(incoming):
    session = Publisher()
    track = incoming(session)
    frames = track.encoded_frames()
    await send_slowly(session, 1)
    assert await read(frames) == [(0, True)]
    del frames
    await send_slowly(session, 4, keys=(2,))
    reading = asyncio.create_task(read(track.encoded_frames()))
    await turns()
    await send_slowly(session, 1)
    assert await reading == [(5, True)]


async def test_a_reader_after_the_end_gets_nothing_that_it_cannot_decode(incoming):
    session = Publisher()
    track = incoming(session)
    frames = track.encoded_frames()
    await send_slowly(session, 3)
    assert await read(frames) == [(0, True)]
    del frames
    track.stop()
    assert [one async for one in track.encoded_frames()] == []


async def test_sound_has_no_holes_that_matter(incoming):
    session = FakeSession()
    frames = incoming(session, "audio").encoded_frames()
    for number in range(20):
        session.receive((b"sound", number))
        await turns()
    session.emit(FrameRejected(1, "queue_overflow", 1))
    session.receive((b"sound", 20))
    await turns()
    assert [number for number, _ in await read(frames, SOME)] == [16, 17, 18, 19, 20]
    assert session.key_frame_requests == 0


async def test_encoded_frames_are_bounded_by_bytes_as_well(incoming, monkeypatch):
    monkeypatch.setattr(incoming_track, "MAX_UNREAD_BYTES", 250)
    session = Publisher()
    frames = incoming(session).encoded_frames()
    await send_slowly(session, 6, keys=(4,))
    assert await read(frames, 2) == [(4, True), (5, False)]


def test_a_queue_keeps_its_newest_item_however_large():
    queue = FrameQueue(3, 10, len)
    for item in ("a" * 4, "b" * 4, "c" * 4, "d" * 100):
        queue.put(item)
    assert queue.take(9) == ["d" * 100]
    assert queue.dropped == 3


async def test_a_recording_shows_the_right_pictures_after_a_stall(incoming, tmp_path):
    session = FakeSession()
    track = incoming(session)
    datas = encoded_video(60, key_frames=(40,))
    with MatroskaWriter(tmp_path / "call.mkv", ["video"]) as writer:
        frames = track.encoded_frames()

        async def record():
            async for frame in frames:
                frame.arrival = frame.rtp_timestamp / 90_000
                writer.write(frame)

        recording = asyncio.create_task(record())
        for number in range(3):
            receive_video(session, datas[number : number + 1], first=number)
            await until(lambda done=number: writer.frames_written == done + 1)
        receive_video(session, datas[3:40], first=3)  # the event loop was blocked
        await turns()
        for number in range(40, 60):
            receive_video(session, datas[number : number + 1], first=number)
            await turns()
        recording.cancel()
    with av.open(str(tmp_path / "call.mkv")) as container:
        for frame in container.decode(video=0):
            shown = int(frame.to_ndarray(format="rgb24")[24, 32, 0])
            assert abs(shown - 3 * round(frame.time * 30)) < 8
    assert writer.frames_written == 3 + 20
    assert session.key_frame_requests == 1
