import asyncio
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from fake_session import FakeSession, FrameReceived, FrameRejected, RemoteBye
from track_support import encoded_video, receive_video, until

from sealroom.media import incoming_track
from sealroom.media.audio_codecs import OpusEncoder
from sealroom.media.packet_transport import EventDispatcher
from sealroom.media.video_codecs import is_key_frame


def opus_packets(count, milliseconds):
    codec = av.CodecContext.create("libopus", "w")
    codec.format, codec.layout, codec.sample_rate = "s16", "mono", 48000
    codec.options = {"frame_duration": str(milliseconds)}
    time = np.arange(48 * milliseconds * (count + 2))
    tone = (np.sin(time / 20) * 9000).astype(np.int16).reshape(count + 2, 1, -1)
    packets = []
    for samples in tone:
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 48000
        packets += [bytes(one) for one in codec.encode(frame)]
    return packets[:count]


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
            (data, (1 << 32) - 4500 + 3000 * number), is_key_frame=is_key_frame("vp8", data)
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


@pytest.mark.parametrize("milliseconds", [10, 20, 60])
async def test_concealed_sound_lasts_as_long_as_what_was_lost(incoming, milliseconds):
    samples = 48 * milliseconds
    session = FakeSession()
    frames = incoming(session, "audio").frames()
    packets = opus_packets(8, milliseconds)
    for number, packet in enumerate(packets):
        data = np.empty(0, np.uint8) if number == 5 else np.frombuffer(packet, np.uint8)
        session.emit(FrameReceived(1, data, number * samples, is_missing=number == 5))
    heard = [await asyncio.wait_for(anext(frames), 5) for _ in packets]
    assert [one.is_concealed for one in heard].index(True) == 5
    assert [one.frame.samples for one in heard] == [samples] * 8
    concealed = heard[5].to_ndarray().astype(int)
    assert np.abs(concealed[: samples // 4]).max() > 4000  # it goes on,
    assert np.abs(concealed[-samples // 20 :]).max() < 1000  # and fades


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


async def test_after_a_decode_error_a_key_frame_that_is_there_is_taken(incoming):
    session = FakeSession()
    track = incoming(session)
    datas = encoded_video(8, key_frames=(4,))
    datas[1] = b"\x01broken"
    frames = track.frames()
    receive_video(session, datas)  # all in one visit to the codec thread
    stamps = [(await asyncio.wait_for(anext(frames), 5)).rtp_timestamp // 3000 for _ in range(5)]
    assert stamps == [0, 4, 5, 6, 7]
    assert session.key_frame_requests == 0
    assert track.statistics.decode_errors == 1
    assert track.statistics.frames_skipped == 2


async def test_after_a_decode_error_without_a_key_frame_the_rest_is_counted(incoming):
    session = FakeSession()
    track = incoming(session)
    datas = encoded_video(5)
    datas[1] = b"\x01broken"
    _reading = track.frames()
    receive_video(session, datas)
    await until(lambda: track.statistics.frames_skipped == 3)
    assert track.statistics.decode_errors == track.statistics.frames_decoded == 1
    assert session.key_frame_requests == 1


async def test_a_missing_key_frame_is_asked_for_again_after_a_while(incoming, monkeypatch):
    monkeypatch.setattr(incoming_track, "KEY_FRAME_PATIENCE", 0.05)
    session = FakeSession()
    track = incoming(session)
    _reading = track.frames()
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


async def test_it_ends_with_its_transport(incoming):
    session = FakeSession()
    track = incoming(session)
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0.01)
    EventDispatcher.of(session).close()
    with pytest.raises(MediaStreamError):
        await asyncio.wait_for(waiting, 5)


async def test_a_bye_for_an_unread_track_ends_it(incoming):
    session = FakeSession()
    track = incoming(session)
    session.emit(RemoteBye(1))
    assert track.readyState == "ended"
    assert [f async for f in track.encoded_frames()] == []
