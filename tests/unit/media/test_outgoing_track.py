import asyncio
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack
from fake_session import FakeSession, KeyFrameRequested
from track_support import Packets, Pictures, encoded_video, until

from sealroom.errors import LimitExceededError
from sealroom.media import key_frame_budget
from sealroom.media.packet_transport import EventDispatcher
from sealroom.media.tracks import OutgoingTrack
from sealroom.media.video_codecs import is_key_frame


@pytest.fixture
async def outgoing():
    tracks = []

    def make(session, source, codec="vp8", **options):
        tracks.append(OutgoingTrack(session, 1, source, codec, **options))
        tracks[-1].start()
        return tracks[-1]

    yield make
    for track in tracks:
        await track.stop()


async def test_pictures_leave_encoded_with_a_90_khz_clock_and_a_random_start(outgoing):
    starts = set()
    for _ in range(2):
        session = FakeSession()
        ended = asyncio.Event()
        track = outgoing(session, Pictures(5), on_ended=lambda error, ended=ended: ended.set())
        await asyncio.wait_for(ended.wait(), 5)
        stamps = [fields["rtp_timestamp"] for _, fields in session.sent]
        steps = {(b - a) & 0xFFFFFFFF for a, b in pairwise(stamps)}
        assert steps == {3000}
        assert [is_key_frame("vp8", d) for d, _ in session.sent] == [True] + [False] * 4
        assert track.statistics.frames_sent == 5
        starts.add(stamps[0])
    assert len(starts) == 2


async def test_requests_make_a_few_key_frames_at_once_and_no_more_than_allowed(
    outgoing, monkeypatch
):
    monkeypatch.setattr(key_frame_budget, "INTERVAL", 3600.0)
    session = FakeSession()
    track = outgoing(session, Pictures())
    await until(lambda: session.sent)
    for asked in range(1, 20):
        key_frames = track.statistics.key_frames_sent
        session.emit(KeyFrameRequested(1))
        if asked <= key_frame_budget.BURST:  # each asks after the one before has left
            await until(lambda before=key_frames: track.statistics.key_frames_sent > before)
    count = len(session.sent)
    await until(lambda: len(session.sent) > count + 10)
    assert track.statistics.key_frames_requested == 19
    assert track.statistics.key_frames_sent == 1 + key_frame_budget.BURST


async def test_who_asks_while_a_key_frame_is_being_made_gets_that_one(outgoing):
    session = FakeSession()

    async def handler(frame):
        if frame.is_key_frame and not session.sent:
            for _ in range(10):
                session.emit(KeyFrameRequested(1))
            await asyncio.sleep(0)
        return frame

    track = outgoing(session, Pictures(), encoded_frame_handler=handler)
    await until(lambda: len(session.sent) > 20)
    assert track.statistics.key_frames_requested == 10
    assert track.statistics.key_frames_sent == 1


def test_a_budget_of_key_frames_holds_over_any_time():
    budget = key_frame_budget.KeyFrameBudget()
    taken = [tick / 100 for tick in range(1000, 3001) if budget.take(tick / 100)]
    burst, interval = key_frame_budget.BURST, key_frame_budget.INTERVAL
    assert taken[:burst] == [10.0] + [10.01 + n / 100 for n in range(burst - 1)]
    for first, start in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + (taken[last] - start) / interval + 1e-9
    assert len(taken) == burst + int(20 / interval)


async def test_the_handler_sees_and_replaces_each_frame_and_may_be_async(outgoing):
    session = FakeSession()
    seen = []

    async def handler(frame):
        seen.append((frame.kind, frame.codec, frame.track_id, frame.is_key_frame))
        frame.data = b"changed" + bytes(frame.data)[:1]
        return frame

    outgoing(session, Pictures(3), encoded_frame_handler=handler, track_id="camera")
    await until(lambda: len(session.sent) == 3)
    assert seen[0] == ("video", "vp8", "camera", True)
    assert all(data.startswith(b"changed") for data, _ in session.sent)


async def test_after_a_dropped_frame_nothing_leaves_before_a_key_frame(outgoing, monkeypatch):
    monkeypatch.setattr(key_frame_budget, "INTERVAL", 0.05)
    session = FakeSession()
    count = 0

    def handler(frame):
        nonlocal count
        count += 1
        return None if count == 3 else frame

    track = outgoing(session, Pictures(40), encoded_frame_handler=handler)
    await until(lambda: track.statistics.key_frames_sent == 2)
    assert is_key_frame("vp8", session.sent[2][0])
    assert track.statistics.frames_dropped >= 1


async def test_a_handler_that_raises_lets_nothing_out(outgoing):
    session = FakeSession()

    def handler(frame):
        raise ValueError("bug")

    track = outgoing(session, Pictures(5), encoded_frame_handler=handler)
    await until(lambda: track.statistics.handler_errors == 5)
    assert session.sent == []


async def test_frames_before_the_key_are_dropped_and_then_a_key_frame_comes(outgoing, monkeypatch):
    monkeypatch.setattr(key_frame_budget, "INTERVAL", 0.05)
    session = FakeSession()
    session.is_ready = False
    track = outgoing(session, Pictures())
    await until(lambda: track.statistics.frames_dropped > 3)
    session.is_ready = True
    await until(lambda: session.sent)
    assert is_key_frame("vp8", session.sent[0][0])


@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_a_frame_that_is_too_large_is_dropped_and_told_once(outgoing, caplog, kind):
    class Narrow(FakeSession):
        def send_frame(self, sender, data, **fields):
            if len(data) > 5000:
                raise LimitExceededError("data: a frame of so many bytes")
            super().send_frame(sender, data, **fields)

    session, ended = Narrow(), []
    datas = encoded_video(9, key_frames=(4,))
    source = Packets([one + bytes(5000) if n in (2, 6) else one for n, one in enumerate(datas)])
    source.kind = kind
    codec = "vp8" if kind == "video" else "opus"
    track = outgoing(session, source, codec, on_ended=ended.append)
    await until(lambda: ended)
    assert ended == [None]
    kept = (0, 1, 4, 5) if kind == "video" else (0, 1, 3, 4, 5, 7, 8)
    assert [data for data, _ in session.sent] == [datas[number] for number in kept]
    assert track.statistics.frames_dropped == 9 - len(kept)
    assert [one.levelname for one in caplog.records if "was not sent" in one.message] == ["WARNING"]


async def test_packets_pass_unencoded_and_key_frames_are_asked_of_the_source(outgoing):
    session = FakeSession()
    datas = encoded_video(10)
    source = Packets(datas)
    outgoing(session, source)
    session.emit(KeyFrameRequested(1))
    await until(lambda: len(session.sent) == 10)
    assert [data for data, _ in session.sent] == datas
    assert source.asked == 1


async def test_a_peer_cannot_flood_the_source_with_requests(outgoing, monkeypatch):
    monkeypatch.setattr(key_frame_budget, "INTERVAL", 3600.0)
    session = FakeSession()
    source = Packets(encoded_video(1) * 30)
    track = outgoing(session, source)
    for _ in range(100):
        session.emit(KeyFrameRequested(1))
    await until(lambda: len(session.sent) == 30)
    assert track.statistics.key_frames_requested == 100
    assert source.asked == key_frame_budget.BURST


async def test_a_request_too_many_reaches_the_source_when_the_budget_allows_it(
    outgoing, monkeypatch
):
    monkeypatch.setattr(key_frame_budget, "INTERVAL", 0.05)
    session = FakeSession()
    first, *deltas = encoded_video(100)
    source = Packets([first, *deltas])
    outgoing(session, source)
    await until(lambda: session.sent)
    for _ in range(key_frame_budget.BURST + 3):
        session.emit(KeyFrameRequested(1))
    assert source.asked == key_frame_budget.BURST
    await until(lambda: source.asked == key_frame_budget.BURST + 1)
    await until(lambda: len(session.sent) == 100)
    assert source.asked == key_frame_budget.BURST + 1  # one for all that had to wait


async def test_audio_levels_stay_private_unless_wanted(outgoing):
    class Tone(MediaStreamTrack):
        kind = "audio"
        pts = 0

        async def recv(self):
            await asyncio.sleep(0.005)
            frame = av.AudioFrame.from_ndarray(np.full((1, 960), 8000, np.int16), layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, self.pts, Fraction(1, 48000)
            self.pts += 960
            return frame

    for wanted in (False, True):
        session = FakeSession()
        outgoing(session, Tone(), "opus", send_audio_level=wanted)
        await until(lambda: len(session.sent) >= 3)  # noqa: B023
        levels = {fields["audio_level"] for _, fields in session.sent}
        assert all(10 < level < 20 for level in levels) if wanted else levels == {None}


async def test_it_ends_with_its_transport(outgoing):
    session = FakeSession()
    track = outgoing(session, Pictures())
    await until(lambda: session.sent)
    EventDispatcher.of(session).close()
    await until(lambda: not track.is_running)
