"""Packets of an application: taken as they are, made Annex B, or refused by name."""

from fractions import Fraction

import av
import numpy as np
import pytest

from sealroom.media.encoded_input import EncodedInput
from sealroom.media.errors import CodecError
from sealroom.media.video_codecs import VideoDecoder, VideoEncoder

BASE = Fraction(1, 30)


def film(path, encoder="libx264", **options):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(12):
            picture = np.full((48, 64, 3), number * 20, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def packets_of(container):
    return [packet for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.ts"])
def test_h264_of_any_container_becomes_annex_b_that_decodes(tmp_path, name):
    source, decoder = EncodedInput("h264"), VideoDecoder("h264")
    with av.open(str(film(tmp_path / name, bf="0"))) as container:
        packets = packets_of(container)
        before = [(bytes(one), one.pts) for one in packets]
        frames = [frame for one in packets for frame in source.read(one)]
        assert [(bytes(one), one.pts) for one in packets] == before
    assert len(frames) == 12
    assert all(frame.data.startswith(b"\0\0\0\1") for frame in frames)
    assert [frame.is_key_frame for frame in frames] == [True] + [False] * 11
    # Matroska rounds to milliseconds.
    assert all(abs(one.time - 3000 * number) <= 90 for number, one in enumerate(frames))
    assert sum(len(decoder.decode(frame.data)) for frame in frames) == 12


def test_pictures_out_of_order_are_refused(tmp_path):
    source = EncodedInput("h264")
    with av.open(str(film(tmp_path / "film.mp4", bf="2"))) as container:
        first, second, third, *_ = packets_of(container)
        source.read(first)
        source.read(second)
        with pytest.raises(CodecError, match="without B-frames"):
            source.read(third)


def test_a_film_that_starts_over_goes_on_in_time(tmp_path):
    source, times = EncodedInput("h264"), []
    for _ in range(2):
        with av.open(str(film(tmp_path / "film.mp4", bf="0"))) as container:
            times += [f.time for one in packets_of(container) for f in source.read(one)]
    assert times == [3000 * number for number in range(24)]


def test_a_packet_of_another_codec_is_refused(tmp_path):
    with (
        av.open(str(film(tmp_path / "film.mp4"))) as container,
        pytest.raises(CodecError, match="a packet of h264 on a track of vp9"),
    ):
        EncodedInput("vp9").read(packets_of(container)[0])


def test_h264_without_start_codes_or_stream_is_refused():
    with pytest.raises(CodecError, match="Annex B"):
        EncodedInput("h264").read(av.Packet(b"\0\0\0\5\x65abcd"))


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264", "av1"])
def test_packets_of_ones_own_encoder_pass_unchanged(codec):
    encoder, source = VideoEncoder(codec), EncodedInput(codec)
    for number in range(6):
        picture = av.VideoFrame.from_ndarray(
            np.full((64, 64, 3), number * 40, np.uint8), format="rgb24"
        )
        (encoded,) = encoder.encode(picture, force_key_frame=number == 4)
        packet = av.Packet(encoded.data)
        packet.pts, packet.time_base = number, BASE
        assert source.read(packet) == [encoded]
        assert encoded.is_key_frame == (number in (0, 4))
