"""Frames with nothing in them: FFmpeg would take each for the end of its stream."""

import asyncio
import io
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack
from fake_session import FakeSession
from track_support import Packets, encoded_video, receive_video, until

from sealroom.media.audio_codecs import OpusDecoder, OpusEncoder
from sealroom.media.codecs import DecodeError
from sealroom.media.encoded_input import EncodedInput
from sealroom.media.tracks import IncomingTrack, OutgoingTrack
from sealroom.media.video_codecs import VideoDecoder, VideoEncoder


def sound(count):
    encoder, packets = OpusEncoder(), []
    for _ in range(count):
        frame = av.AudioFrame.from_ndarray(
            (np.sin(np.arange(1920) / 20) * 9000).astype(np.int16)[None], layout="stereo"
        )
        frame.sample_rate = 48000
        packets += [one.data for one in encoder.encode(frame)]
    return packets


def ogg(packets):
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=48000, layout="stereo")
        for number, data in enumerate(packets):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, 48000)
            packet.pts = packet.dts = 960 * number
            container.mux(packet)
    file.seek(0)
    return file


@pytest.fixture
async def stopping():
    tracks = []

    def keep(track):
        tracks.append(track)
        return track

    yield keep
    for track in tracks:
        stopped = track.stop()
        if stopped is not None:
            await stopped


@pytest.mark.parametrize("codec", ["opus", "vp8", "vp9", "h264", "av1"])
@pytest.mark.parametrize("empty", [b"", np.zeros(0, np.uint8)], ids=["bytes", "array"])
def test_a_decoder_refuses_one_and_goes_on(codec, empty):
    if codec == "opus":
        decoder, packets = OpusDecoder(), sound(6)
    else:
        decoder, encoder = VideoDecoder(codec), VideoEncoder(codec)
        pictures = [av.VideoFrame(64, 64, "yuv420p") for _ in range(4)]
        packets = [
            one.data
            for number, picture in enumerate(pictures)
            for one in encoder.encode(picture, force_key_frame=number == 2)
        ]
    for data in packets[:2]:
        assert decoder.decode(data)
    with pytest.raises(DecodeError, match="empty"):
        decoder.decode(empty)
    for data in packets[2:]:
        assert decoder.decode(data)


async def test_one_that_holds_its_loudness_only_does_not_silence_a_receiver(stopping):
    session = FakeSession()
    track = stopping(IncomingTrack(session, 1, "audio", "opus", has_audio_level=True))
    _reading = track.frames()
    for number, data in enumerate(sound(12)[:10]):
        session.receive(((b"" if number == 3 else data) + b"\x20", 960 * number))
    await until(lambda: track.statistics.frames_decoded == 9)
    assert track.statistics.decode_errors == 1


async def test_what_a_handler_empties_costs_one_picture_and_a_key_frame(stopping):
    session = FakeSession()

    def handler(frame):
        if frame.rtp_timestamp == 3000:
            frame.data = b""
        return frame

    track = stopping(IncomingTrack(session, 1, "video", "vp8", encoded_frame_handler=handler))
    _reading = track.frames()
    datas = encoded_video(6, key_frames=(3,))
    receive_video(session, datas[:3])
    await until(lambda: track.statistics.decode_errors == 1)
    receive_video(session, datas[3:], first=3)
    await until(lambda: track.statistics.frames_decoded == 4)
    assert session.key_frame_requests == 1


def test_an_empty_packet_has_no_frames_whatever_follows_it():
    source, packets = EncodedInput("opus"), sound(6)
    for _ in range(2):
        with av.open(ogg(packets)) as container:
            read = [(one.size, len(source.read(one))) for one in container.demux(audio=0)]
        assert read == [(len(data), 1) for data in packets] + [(0, 0)]


async def test_a_file_that_is_played_over_and_over_is_sent_without_the_empty_packet_at_its_end(
    stopping,
):
    packets = sound(6)

    class Loop(MediaStreamTrack):
        kind = "audio"

        def __init__(self):
            super().__init__()
            self.packets = self.demux()

        def demux(self):
            while True:
                with av.open(ogg(packets)) as container:
                    yield from container.demux(audio=0)

        async def recv(self):
            await asyncio.sleep(0.001)
            return next(self.packets)

    session = FakeSession()
    track = OutgoingTrack(session, 1, Loop(), "opus", append_audio_level=True)
    stopping(track).start()
    await until(lambda: len(session.sent) >= 2 * len(packets))
    sent = session.sent[: 2 * len(packets)]
    assert [data[:-1] for data, _ in sent] == packets * 2
    assert 127 not in {data[-1] & 0x7F for data, _ in sent}  # the meter goes on as well


async def test_what_the_handler_of_a_publisher_empties_is_not_sent(stopping):
    session = FakeSession()
    datas = encoded_video(6, key_frames=(4,))
    source = Packets(datas)

    def handler(frame):
        if bytes(frame.data) == datas[2]:
            frame.data = bytearray()
        return frame

    track = OutgoingTrack(session, 1, source, "vp8", encoded_frame_handler=handler)
    stopping(track).start()
    await until(lambda: not track.is_running)
    assert [data for data, _ in session.sent] == [*datas[:2], *datas[4:]]
    assert track.statistics.frames_dropped == 2
    assert source.asked == 1
