"""How large pictures may be, and how much of them is kept."""

import asyncio

import av
import numpy as np
import pytest
from fake_session import FakeSession, FrameReceived
from track_support import until

from sealroom.media import frame_decoding, incoming_track, video_codecs
from sealroom.media.codecs import DecodeError
from sealroom.media.frame_decoding import FrameDecoder
from sealroom.media.tracks import IncomingTrack
from sealroom.media.video_codecs import VideoDecoder, VideoEncoder


def encoded(codec, *sizes):
    encoder = VideoEncoder(codec)
    return [
        one.data
        for width, height in sizes
        for one in encoder.encode(
            av.VideoFrame.from_ndarray(np.full((height, width, 3), 90, np.uint8), format="rgb24")
        )
    ]


@pytest.fixture
async def incoming():
    tracks = []

    def make(session, **options):
        tracks.append(IncomingTrack(session, 1, "video", "vp8", **options))
        return tracks[-1]

    yield make
    for track in tracks:
        track.stop()


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264", "av1"])
def test_a_picture_that_is_too_large_is_refused_and_the_next_ones_are_not(codec):
    small, large = (320, 240), (640, 480)
    decoder = VideoDecoder(codec, max_pixels=640 * 480 - 1)
    for data in encoded(codec, small):
        assert decoder.decode(data)
    for data in encoded(codec, large, large):
        with pytest.raises(DecodeError):
            decoder.decode(data)
    for data in encoded(codec, small, small):
        assert decoder.decode(data)
    exactly = VideoDecoder(codec, max_pixels=640 * 480)
    assert all(exactly.decode(data) for data in encoded(codec, large, large))


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264", "av1"])
def test_there_is_a_bound_unless_told_otherwise(codec, monkeypatch):
    assert VideoDecoder(codec)._decoder.options["max_pixels"] == str(8192 * 4320)
    assert video_codecs.MAX_PICTURE_PIXELS == 8192 * 4320


async def test_decoded_pictures_are_bounded_by_bytes_the_newest_always_kept(incoming, monkeypatch):
    picture = 320 * 240 * 3 // 2
    session = FakeSession()
    for limit, kept in ((2 * picture + picture // 2, 2), (1, 1)):
        monkeypatch.setattr(incoming_track, "MAX_DECODED_BYTES", limit)
        track = incoming(session)
        frames = track.frames()
        for number, data in enumerate(encoded("vp8", *[(320, 240)] * 6)):
            session.receive((data, number), is_key_frame=number == 0)
        await until(lambda one=track: one.statistics.frames_decoded == 6)
        assert track.statistics.frames_dropped == 6 - kept
        assert (await anext(frames)).rtp_timestamp == 6 - kept


async def test_a_visit_to_a_codec_thread_ends_with_what_it_may_hold(incoming, monkeypatch):
    visits = []
    decode = FrameDecoder.decode

    def counted(self, jobs):
        visit = decode(self, jobs)
        visits.append(len(visit.decoded))
        return visit

    monkeypatch.setattr(FrameDecoder, "decode", counted)
    monkeypatch.setattr(frame_decoding, "BATCH_BYTES", 320 * 240 * 3)
    session = FakeSession()
    frames = incoming(session).frames()
    for number, data in enumerate(encoded("vp8", *[(320, 240)] * 6)):
        session.receive((data, number), is_key_frame=number == 0)
    assert [(await anext(frames)).rtp_timestamp for _ in range(6)] == list(range(6))
    assert visits == [2, 2, 2]


async def test_key_frames_that_do_not_decode_are_not_asked_for_one_after_another(incoming):
    session = FakeSession()
    track = incoming(session)
    _reading = track.frames()
    for number in range(5):
        session.emit(FrameReceived(1, np.zeros(50, np.uint8), number, is_key_frame=True))
        await until(lambda errors=number + 1: track.statistics.decode_errors == errors)
        await asyncio.sleep(0)
    assert session.key_frame_requests == 1
