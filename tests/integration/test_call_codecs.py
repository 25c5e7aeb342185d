"""Calls in each video codec: negotiated, encrypted, forwarded, decoded, recorded."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from call_support import Call, eventually, publish, received, shows_stripes, take

from sealroom.client import RemoteTrack
from sealroom.errors import InvalidArgumentError
from sealroom.media.codecs import DecodeError
from sealroom.media.sections import CodecName
from sealroom.media.video_codecs import VideoDecoder
from sealroom.recording import MatroskaWriter, examine_recording

VIDEO_CODECS: tuple[CodecName, ...] = ("vp8", "vp9", "h264", "av1")


async def camera(call: Call, codec: CodecName) -> RemoteTrack:
    stream = await publish(call.apis["alice"], call.room_id, codec=codec)
    return (await call.subscribe("bob", stream))["camera"]


@pytest.mark.parametrize("codec", VIDEO_CODECS)
async def test_pictures_of_each_codec_arrive_and_all_of_them_decrypt(
    call: Call, codec: CodecName
) -> None:
    track = await camera(call, codec)
    assert track.info.codec == codec
    assert all(shows_stripes(frame) for frame in await take(track, 30))
    statistics = received(call, "bob", "camera")
    assert not any(statistics.native.rejected.values())
    assert statistics.python.decode_errors == statistics.python.frames_rejected == 0


@pytest.mark.parametrize("codec", VIDEO_CODECS)
async def test_a_late_subscriber_gets_a_key_frame_of_each_codec(
    call: Call, codec: CodecName
) -> None:
    stream = await publish(call.apis["alice"], call.room_id, codec=codec)
    first = (await call.subscribe("bob", stream))["camera"]
    await take(first, 10)
    await call.add("carol")
    room = await call.apis["alice"].get_stream_room(call.room_id)
    await call.apis["alice"].update_stream_room(
        call.room_id, users=[*room.users, "carol"], version=room.version
    )
    await call.apis["carol"].join_stream_room(call.room_id)
    late = (await call.subscribe("carol", stream))["camera"]
    assert shows_stripes((await take(late, 1, seconds=5))[0])


@pytest.mark.parametrize("codec", VIDEO_CODECS)
async def test_the_media_server_cannot_decode_any_codec(call: Call, codec: CodecName) -> None:
    stream = await publish(call.apis["alice"], call.room_id, codec=codec)
    track = (await call.subscribe("bob", stream))["camera"]
    tap = call.bridge.media.tap(stream.stream_id, track.track_id)  # type: ignore[attr-defined]
    await take(track, 15)
    tapped = tap.take_frames()
    tap.close()
    assert sum(frame.is_key_frame for frame in tapped) >= 1
    decoder, likenesses = VideoDecoder(codec), 0
    for frame in tapped:
        try:
            shown = [one.to_ndarray(format="rgb24") for one in decoder.decode(bytes(frame.data))]
        except DecodeError:
            continue
        likenesses += sum(
            np.median(one[:, :56]) < 30 and abs(np.median(one[:, 72:]) - 200) < 20
            for one in shown
            if one.shape == (96, 128, 3)
        )
    assert likenesses == 0


@pytest.mark.parametrize("codec", VIDEO_CODECS)
async def test_what_is_recorded_of_each_codec_plays(
    call: Call, codec: CodecName, tmp_path: Path
) -> None:
    track = await camera(call, codec)
    path = tmp_path / "call.mkv"
    with MatroskaWriter(path, ["video"]) as writer:
        async for frame in track.encoded_frames():
            writer.write(frame)
            if writer.frames_written >= 25:
                break
    summary = examine_recording(path)
    assert summary.video_frames == writer.frames_written
    assert (summary.width, summary.height) == (128, 96)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == codec


async def test_streams_of_several_codecs_meet_in_one_room(call: Call) -> None:
    streams = [
        await publish(call.apis["alice"], call.room_id, grey=grey, codec=codec)
        for codec, grey in zip(VIDEO_CODECS, (80, 120, 160, 220), strict=True)
    ]
    tracks = [(await call.subscribe("bob", stream))["camera"] for stream in streams]
    last = [frames[-1] for frames in await asyncio.gather(*(take(one, 10) for one in tracks))]
    for frame, grey in zip(last, (80, 120, 160, 220), strict=True):
        assert shows_stripes(frame, grey)


async def test_a_codec_of_another_kind_is_refused_and_changes_nothing(call: Call) -> None:
    api = call.apis["alice"]
    stream = await api.create_stream(call.room_id)
    for codec in ("opus", "h265", ""):
        with pytest.raises(InvalidArgumentError, match=r"codec: .* vp8, vp9, h264, av1"):
            await stream.add_track(_Film(Path()), codec=codec)  # type: ignore[arg-type]
    assert not api._stream(stream.stream_id).tracks


class _Film(MediaStreamTrack):
    """The packets of a file as they are, at the pace of their time, over and over."""

    kind = "video"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._packets = self._read()
        self._begin: float | None = None

    def _read(self):  # type: ignore[no-untyped-def]
        while True:
            with av.open(str(self._path)) as container:
                yield from (one for one in container.demux(video=0) if one.size)

    async def recv(self) -> av.Packet:  # type: ignore[override]
        packet = next(self._packets, None)
        if packet is None:
            raise MediaStreamError
        await asyncio.sleep(float(packet.duration * packet.time_base))
        return packet


def film(path: Path, encoder: str, **options: str) -> Path:
    """A second of a grey picture at 30 frames a second, a key frame each half second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.gop_size = 15
        picture = np.full((96, 128, 3), 200, np.uint8)
        picture[:, :64] = 0
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("codec", "name", "encoder", "options"),
    [
        ("h264", "film.mp4", "libx264", {"bf": "0"}),
        ("h264", "film.ts", "libx264", {"bf": "0"}),
        ("vp9", "film.webm", "libvpx-vp9", {"lag-in-frames": "0", "deadline": "realtime"}),
    ],
)
async def test_packets_of_a_file_are_sent_as_they_are(
    call: Call, tmp_path: Path, codec: CodecName, name: str, encoder: str, options: dict[str, str]
) -> None:
    path = film(tmp_path / name, encoder, **options)
    api = call.apis["alice"]
    stream = await api.create_stream(call.room_id)
    await stream.add_track(_Film(path), name="film", codec=codec)
    await stream.publish()
    track = (await call.subscribe("bob", stream))["film"]
    assert all(shows_stripes(frame) for frame in await take(track, 20))


async def test_a_track_of_packets_of_another_codec_ends_and_says_why(
    call: Call, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = film(tmp_path / "film.mp4", "libx264", bf="0")
    stream = await call.apis["alice"].create_stream(call.room_id)
    await stream.add_track(_Film(path), name="film", codec="vp8")
    await stream.publish()
    await eventually(lambda: "a packet of h264 on a track of vp8" in caplog.text)
