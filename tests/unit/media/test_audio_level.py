"""The loudness at the end of a frame, and muting, on a stand-in for the core."""

import asyncio
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack
from fake_session import FakeSession, FrameReceived
from track_support import Packets, Pictures, encoded_video, until

from sealroom.media.audio_codecs import OpusEncoder
from sealroom.media.audio_level import FrameLevel, LevelMeter
from sealroom.media.incoming_track import IncomingTrack
from sealroom.media.outgoing_track import OutgoingTrack
from sealroom.media.video_codecs import is_key_frame


class Tone(MediaStreamTrack):
    kind = "audio"

    def __init__(self, amplitude=8192, encoded=False):
        super().__init__()
        self.amplitude, self.number = amplitude, 0
        self.encoder = OpusEncoder() if encoded else None

    async def recv(self):
        await asyncio.sleep(0.002)
        wave = np.sin(np.arange(960) * 0.1) * self.amplitude
        frame = av.AudioFrame.from_ndarray(
            np.repeat(wave.astype(np.int16), 2).reshape(1, -1), format="s16", layout="stereo"
        )
        frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
        frame.pts = self.number * 960
        self.number += 1
        if self.encoder is None:
            return frame
        packets = self.encoder.encode(frame)
        if not packets:
            return await self.recv()
        packet = av.Packet(packets[0].data)
        packet.pts, packet.time_base = frame.pts, frame.time_base
        return packet


@pytest.mark.parametrize(("level", "has_voice"), [(0, True), (59, True), (60, False), (127, False)])
def test_a_level_is_the_byte_of_rfc_6464(level, has_voice):
    frame = FrameLevel.measured(level)
    assert frame.to_byte() == bytes([level + 128 * has_voice])
    assert FrameLevel.from_byte(frame.to_byte()[0]) == frame == FrameLevel(level, has_voice)


def test_a_meter_shows_the_loudest_since_the_last_look():
    meter = LevelMeter()
    assert meter.take() is None
    for level in (50, 20, 90):
        meter.note(FrameLevel.measured(level))
    assert meter.take() == FrameLevel(20, True)
    assert meter.take() is None


@pytest.mark.parametrize("is_encoded", [False, True], ids=["samples", "packets"])
async def test_each_frame_ends_with_its_level_and_no_server_is_told(is_encoded):
    session = FakeSession()
    seen = []

    def handler(frame):
        seen.append(bytes(frame.data))
        return frame

    track = OutgoingTrack(
        session, 1, Tone(encoded=is_encoded), "opus",
        encoded_frame_handler=handler, append_audio_level=True,
    )  # fmt: skip
    track.start()
    await until(lambda: len(session.sent) >= 20)
    await track.stop()
    expected = -round(20 * np.log10(8192 / 32768 / 2**0.5))
    for (data, fields), shown in zip(session.sent, seen, strict=False):
        assert data[:-1] == shown  # handlers do not see the level
        assert fields["audio_level"] is None
        assert not fields["voice_activity"]
    levels = [FrameLevel.from_byte(data[-1]) for data, _ in session.sent[5:]]
    assert all(abs(one.level - expected) <= 2 and one.has_voice for one in levels)
    assert track.level_meter.take().has_voice


async def test_an_authentic_frame_without_its_level_is_dropped():
    session = FakeSession()
    seen = []
    track = IncomingTrack(
        session, 1, "audio", "opus",
        encoded_frame_handler=lambda frame: seen.append(frame.data), has_audio_level=True,
    )  # fmt: skip
    session.receive((b"", 0), (b"opus\x94", 960))
    session.emit(FrameReceived(1, np.frombuffer(b"bad!", np.uint8), 1920, rejected="replayed"))
    await until(lambda: len(seen) == 2)
    assert [bytes(one) for one in seen] == [b"opus", b"bad!"]
    assert track.statistics.decode_errors == 1
    assert track.level_meter.take() == FrameLevel(20, True)  # only what is authentic counts
    track.stop()


async def test_a_view_is_handed_on_and_no_copy():
    session = FakeSession()
    seen = []
    track = IncomingTrack(
        session, 1, "audio", "opus",
        encoded_frame_handler=lambda frame: seen.append(frame.data), has_audio_level=True,
    )  # fmt: skip
    array = np.frombuffer(b"opus\x14", np.uint8)
    session.emit(FrameReceived(1, array, 0))
    await until(lambda: seen)
    assert np.shares_memory(seen[0], array)
    track.stop()


# Muting


async def test_nothing_leaves_once_a_track_is_muted_and_video_goes_on_with_a_key_frame():
    session = FakeSession()
    track = OutgoingTrack(session, 1, Pictures(), "vp8")
    track.start()
    await until(lambda: len(session.sent) >= 5)
    track.set_enabled(False)
    count = len(session.sent)
    before = track.source.number
    await until(lambda: track.source.number > before + 20)  # the source is not held up
    assert len(session.sent) == count
    track.set_enabled(True)
    await until(lambda: len(session.sent) > count + 5)
    assert session.sent[count][1]["is_key_frame"]
    assert is_key_frame("vp8", session.sent[count][0])
    assert track.statistics.frames_dropped == 0 or session.sent[count][1]["is_key_frame"]
    await track.stop()


async def test_a_muted_source_of_packets_goes_on_with_its_next_key_frame():
    session = FakeSession()
    source = Packets(encoded_video(60, key_frames=(0, 40)))
    track = OutgoingTrack(session, 1, source, "vp8")
    track.start()
    await until(lambda: len(session.sent) >= 3)
    track.set_enabled(False)
    count = len(session.sent)
    await until(lambda: source.number >= 20)
    track.set_enabled(True)
    assert source.asked >= 1
    await until(lambda: len(session.sent) > count)
    assert session.sent[count][1]["is_key_frame"]
    await track.stop()


async def test_a_frame_in_a_handler_does_not_leave_after_muting():
    session = FakeSession()
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(frame):
        entered.set()
        await go_on.wait()
        return frame

    track = OutgoingTrack(session, 1, Tone(), "opus", encoded_frame_handler=slow)
    track.start()
    await asyncio.wait_for(entered.wait(), 5)
    track.set_enabled(False)
    go_on.set()
    before = track.source.number
    await until(lambda: track.source.number > before + 5)
    assert session.sent == []
    await track.stop()
