import asyncio
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from fake_session import FakeSession, FrameReceived, FrameRejected, KeyFrameRequested, RemoteBye

from sealroom.media import incoming_track, outgoing_track
from sealroom.media.codecs import OpusEncoder, Vp8Encoder, is_vp8_key_frame
from sealroom.media.packet_transport import EventDispatcher
from sealroom.media.tracks import IncomingTrack, OutgoingTrack


async def until(condition, timeout=5.0):
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.005)


class Pictures(MediaStreamTrack):
    kind = "video"

    def __init__(self, count=1000, interval=0.005):
        super().__init__()
        self.count, self.interval, self.number = count, interval, 0

    async def recv(self):
        if self.number == self.count:
            raise MediaStreamError
        await asyncio.sleep(self.interval)
        frame = av.VideoFrame.from_ndarray(
            np.full((48, 64, 3), self.number % 256, np.uint8), format="rgb24"
        )
        frame.pts, frame.time_base = self.number, Fraction(1, 30)
        self.number += 1
        return frame


class Packets(MediaStreamTrack):
    kind = "video"

    def __init__(self, datas):
        super().__init__()
        self.datas, self.number, self.asked = datas, 0, 0

    def request_key_frame(self):
        self.asked += 1

    async def recv(self):
        await asyncio.sleep(0.001)
        if self.number == len(self.datas):
            raise MediaStreamError
        packet = av.Packet(self.datas[self.number])
        packet.pts, packet.time_base = self.number, Fraction(1, 30)
        self.number += 1
        return packet


def encoded_video(count, key_frames=()):
    encoder = Vp8Encoder()
    frames = []
    for number in range(count):
        picture = av.VideoFrame.from_ndarray(
            np.full((48, 64, 3), number * 3 % 256, np.uint8), format="rgb24"
        )
        frames += encoder.encode(picture, force_key_frame=number in key_frames)
    return [f.data for f in frames]


def receive_video(session, datas, first=0):
    for number, data in enumerate(datas, first):
        session.emit(
            FrameReceived(
                1, np.frombuffer(data, np.uint8), number * 3000, is_key_frame=is_vp8_key_frame(data)
            )
        )


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


@pytest.fixture
async def incoming():
    tracks = []

    def make(session, kind="video", **options):
        codec = "vp8" if kind == "video" else "opus"
        tracks.append(IncomingTrack(session, 1, kind, codec, **options))
        return tracks[-1]

    yield make
    for track in tracks:
        track.stop()


# --- outgoing


async def test_pictures_leave_encoded_with_a_90_khz_clock_and_a_random_start(outgoing):
    starts = set()
    for _ in range(2):
        session = FakeSession()
        ended = asyncio.Event()
        track = outgoing(session, Pictures(5), on_ended=ended.set)
        await asyncio.wait_for(ended.wait(), 5)
        stamps = [fields["rtp_timestamp"] for _, fields in session.sent]
        steps = {(b - a) & 0xFFFFFFFF for a, b in pairwise(stamps)}
        assert steps == {3000}
        assert [is_vp8_key_frame(d) for d, _ in session.sent] == [True] + [False] * 4
        assert track.statistics.frames_sent == 5
        starts.add(stamps[0])
    assert len(starts) == 2


async def test_a_request_makes_a_key_frame_but_not_more_often_than_allowed(outgoing, monkeypatch):
    monkeypatch.setattr(outgoing_track, "MIN_KEY_FRAME_INTERVAL", 0.2)
    session = FakeSession()
    track = outgoing(session, Pictures())
    await until(lambda: len(session.sent) > 5)
    for _ in range(20):
        session.emit(KeyFrameRequested(1))
        await asyncio.sleep(0.005)
    await until(lambda: track.statistics.key_frames_sent == 3)
    assert track.statistics.key_frames_requested == 20
    await asyncio.sleep(0.3)
    assert track.statistics.key_frames_sent == 3


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
    monkeypatch.setattr(outgoing_track, "MIN_KEY_FRAME_INTERVAL", 0.05)
    session = FakeSession()
    count = 0

    def handler(frame):
        nonlocal count
        count += 1
        return None if count == 3 else frame

    track = outgoing(session, Pictures(40), encoded_frame_handler=handler)
    await until(lambda: track.statistics.key_frames_sent == 2)
    assert is_vp8_key_frame(session.sent[2][0])
    assert track.statistics.frames_dropped >= 1


async def test_a_handler_that_raises_lets_nothing_out(outgoing):
    session = FakeSession()

    def handler(frame):
        raise ValueError("bug")

    track = outgoing(session, Pictures(5), encoded_frame_handler=handler)
    await until(lambda: track.statistics.handler_errors == 5)
    assert session.sent == []


async def test_frames_before_the_key_are_dropped_and_then_a_key_frame_comes(outgoing, monkeypatch):
    monkeypatch.setattr(outgoing_track, "MIN_KEY_FRAME_INTERVAL", 0.05)
    session = FakeSession()
    session.is_ready = False
    track = outgoing(session, Pictures())
    await until(lambda: track.statistics.frames_dropped > 3)
    session.is_ready = True
    await until(lambda: session.sent)
    assert is_vp8_key_frame(session.sent[0][0])


async def test_packets_pass_unencoded_and_key_frames_are_asked_of_the_source(outgoing):
    session = FakeSession()
    datas = encoded_video(10)
    source = Packets(datas)
    outgoing(session, source)
    session.emit(KeyFrameRequested(1))
    await until(lambda: len(session.sent) == 10)
    assert [data for data, _ in session.sent] == datas
    assert source.asked == 1


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


# --- incoming


async def test_frames_come_out_decoded_as_arrays(incoming):
    session = FakeSession()
    track = incoming(session)
    frames = track.frames()
    receive_video(session, encoded_video(6))
    shapes, times = [], []
    for _ in range(6):
        frame = await asyncio.wait_for(anext(frames), 5)
        array = frame.to_ndarray()
        shapes.append((array.shape, str(array.dtype)))
        times.append(frame.time)
        assert abs(int(array[24, 32, 0]) - 3 * (frame.rtp_timestamp // 3000)) < 8
    assert set(shapes) == {((48, 64, 3), "uint8")}
    assert times == pytest.approx([n / 30 for n in range(6)])


async def test_it_is_an_aiortc_track(incoming):
    session = FakeSession()
    track = incoming(session)
    assert isinstance(track, MediaStreamTrack)
    receive_video(session, encoded_video(2))
    first, second = await track.recv(), await track.recv()
    assert (first.pts, second.pts) == (0, 3000)
    assert second.time_base == Fraction(1, 90000)
    track.stop()
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_timestamps_wrap_without_a_jump(incoming):
    session = FakeSession()
    track = incoming(session)
    receive_video(session, encoded_video(4), first=0)
    session2 = FakeSession()
    track = incoming(session2)
    for number, data in enumerate(encoded_video(4)):
        session2.receive(
            (data, (1 << 32) - 4500 + 3000 * number), is_key_frame=is_vp8_key_frame(data)
        )
    assert [(await track.recv()).pts for _ in range(4)] == [0, 3000, 6000, 9000]


async def test_a_lost_audio_packet_is_concealed(incoming):
    session = FakeSession()
    track = incoming(session, "audio")
    encoder = OpusEncoder()
    tone = av.AudioFrame.from_ndarray(
        (np.sin(np.arange(960 * 8) / 20) * 9000).astype(np.int16)[None], layout="mono"
    )
    tone.sample_rate = 48000
    packets = encoder.encode(tone)
    frames = track.frames()
    for number, packet in enumerate(packets[:4]):
        if number == 2:
            session.emit(FrameReceived(1, np.empty(0, np.uint8), number * 960, is_missing=True))
        else:
            session.receive((packet.data, number * 960))
    heard = [await asyncio.wait_for(anext(frames), 5) for _ in range(4)]
    assert [f.is_concealed for f in heard] == [False, False, True, False]
    assert [f.frame.pts for f in heard] == [0, 960, 1920, 2880]
    assert heard[0].to_ndarray().shape == (960, 2)
    assert track.statistics.frames_concealed == 1


async def test_a_decode_error_asks_once_for_a_key_frame_and_resumes_there(incoming):
    session = FakeSession()
    track = incoming(session)
    datas = encoded_video(10, key_frames=(6,))
    datas[3] = b"\x01broken"
    frames = track.frames()
    receive_video(session, datas[:6])
    await until(lambda: track.statistics.decode_errors == 1)
    await until(lambda: track.statistics.frames_decoded == 3)
    receive_video(session, datas[6:], first=6)
    await until(lambda: track.statistics.frames_decoded == 7)
    stamps = [(await anext(frames)).rtp_timestamp // 3000 for _ in range(7)]
    assert stamps == [0, 1, 2, 6, 7, 8, 9]
    assert session.key_frame_requests == 1


async def test_a_missing_key_frame_is_asked_for_again_after_a_while(incoming, monkeypatch):
    monkeypatch.setattr(incoming_track, "KEY_FRAME_PATIENCE", 0.05)
    session = FakeSession()
    track = incoming(session)
    track.frames()
    deltas = encoded_video(5)[1:]
    receive_video(session, deltas)
    await until(lambda: track.statistics.frames_skipped == 4)
    assert session.key_frame_requests == 1
    await asyncio.sleep(0.06)
    receive_video(session, deltas)
    await until(lambda: track.statistics.frames_skipped == 8)
    assert session.key_frame_requests == 2


async def test_a_slow_reader_loses_the_oldest_frames_and_is_told_how_many(incoming):
    session = FakeSession()
    track = incoming(session, queue_size=3)
    frames = track.frames()
    receive_video(session, encoded_video(10))
    await until(lambda: track.statistics.frames_decoded == 10)
    assert track.statistics.frames_dropped == 7
    assert (await anext(frames)).rtp_timestamp == 7 * 3000


async def test_a_track_nobody_reads_is_not_decoded_and_stays_bounded(incoming):
    session = FakeSession()
    track = incoming(session)
    datas = encoded_video(100, key_frames=(70,))
    receive_video(session, datas)
    await asyncio.sleep(0.05)
    assert track.statistics.frames_decoded == 0
    assert len(track._unread) <= incoming_track.MAX_UNREAD_FRAMES
    assert (await track.recv()).pts == 0
    # The first 70 went when the queue ran over; reading begins at the key frame kept.
    assert track.statistics.frames_dropped == 70
    assert session.key_frame_requests == 0


async def test_unread_bytes_are_bounded_too(incoming, monkeypatch):
    monkeypatch.setattr(incoming_track, "MAX_UNREAD_BYTES", 1000)
    session = FakeSession()
    track = incoming(session, "audio")
    session.receive(*[(bytes(300), n) for n in range(10)])
    assert len(track._unread) == 3


async def test_rejected_frames_are_shown_but_never_decoded(incoming):
    session = FakeSession()
    seen = []
    rejections = []

    def handler(frame):
        seen.append(frame.rejected)
        frame.rejected = None  # a handler cannot talk a frame into the decoder
        return frame

    track = incoming(
        session,
        encoded_frame_handler=handler,
        on_rejected=lambda reason, count: rejections.append((reason, count)),
    )
    frames = track.frames()
    datas = encoded_video(3, key_frames=(1, 2))
    receive_video(session, datas[:1])
    session.receive((datas[1], 3000), rejected="authentication_failed")
    session.emit(FrameRejected(1, "authentication_failed", 1))
    receive_video(session, datas[2:], first=2)
    assert [(await anext(frames)).rtp_timestamp for _ in range(2)] == [0, 6000]
    assert seen == [None, "authentication_failed", None]
    assert rejections == [("authentication_failed", 1)]
    assert track.statistics.frames_rejected == 1
    assert track.statistics.frames_received == 2


async def test_encoded_frames_come_without_decoding(incoming):
    session = FakeSession()
    track = incoming(session)
    frames = track.encoded_frames()
    datas = encoded_video(3)
    receive_video(session, datas)
    got = [await asyncio.wait_for(anext(frames), 5) for _ in range(3)]
    assert [bytes(f.data) for f in got] == datas
    assert isinstance(got[0].data, np.ndarray)
    assert track.statistics.frames_decoded == 0


async def test_the_handler_may_replace_what_is_decoded(incoming):
    session = FakeSession()
    datas = encoded_video(1)

    def handler(frame):
        frame.data = datas[0]
        return frame

    track = incoming(session, encoded_frame_handler=handler)
    session.receive((b"scrambled", 0))
    assert (await track.recv()).width == 64


async def test_a_handler_set_later_sees_frames_without_a_reader(incoming):
    session = FakeSession()
    track = incoming(session)
    seen = []
    track.encoded_frame_handler = lambda frame: seen.append(bytes(frame.data))
    datas = encoded_video(3)
    receive_video(session, datas)
    await until(lambda: seen == datas)
    assert session.key_frame_requests == 0


async def test_what_the_handler_drops_is_not_decoded_and_breaks_the_chain(incoming):
    session = FakeSession()
    track = incoming(
        session, encoded_frame_handler=lambda f: None if f.rtp_timestamp == 3000 else f
    )
    frames = track.frames()
    receive_video(session, encoded_video(4, key_frames=(3,)))
    assert [(await anext(frames)).rtp_timestamp for _ in range(2)] == [0, 9000]
    assert session.key_frame_requests == 1


async def test_a_bye_ends_the_track_after_its_last_frame(incoming):
    session = FakeSession()
    track = incoming(session)
    frames = track.frames()
    receive_video(session, encoded_video(3))
    session.emit(RemoteBye(1))
    assert len([f async for f in frames]) == 3
    assert track.readyState == "ended"
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_tracks_end_with_their_transport(incoming, outgoing):
    session = FakeSession()
    coming, going = incoming(session), outgoing(session, Pictures())
    await until(lambda: session.sent)
    waiting = asyncio.create_task(coming.recv())
    await asyncio.sleep(0.01)
    EventDispatcher.of(session).close()
    with pytest.raises(MediaStreamError):
        await asyncio.wait_for(waiting, 5)
    await until(lambda: not going.is_running)


async def test_a_bye_for_an_unread_track_ends_it(incoming):
    session = FakeSession()
    track = incoming(session)
    session.emit(RemoteBye(1))
    assert track.readyState == "ended"
    assert [f async for f in track.encoded_frames()] == []
