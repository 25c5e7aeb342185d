"""What handlers of encoded frames return: a frame that cannot be carried is dropped, no more."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from fake_session import FakeSession
from track_support import Packets, encoded_video, receive_video, until

from sealroom.media.tracks import OutgoingTrack

BAD_DATA = {
    "nothing": None,
    "text": "text",
    "an integer": 5,
    "a list": [1, 2, 3],
    "with gaps": memoryview(bytes(20))[::2],
    "an array with gaps": np.zeros(20, np.uint8)[::2],
    "two-dimensional": np.zeros((4, 5), np.uint8),
    "uint16": np.zeros(20, np.uint16),
    "objects": np.array([None]),
    "dates": np.zeros(1, "datetime64[s]"),
    "too large": bytes((2 << 20) + 1),
}
BAD_FIELDS = {
    "a negative time": {"rtp_timestamp": -5},
    "a time of 33 bits": {"rtp_timestamp": 1 << 32},
    "a fraction": {"rtp_timestamp": 1.5},
    "no time": {"rtp_timestamp": None},
    "a word for a flag": {"is_key_frame": "yes"},
}
BAD = {
    **{name: lambda frame, data=data: replace(frame, data=data) for name, data in BAD_DATA.items()},
    **{name: lambda frame, new=new: replace(frame, **new) for name, new in BAD_FIELDS.items()},
    "bytes": lambda frame: bytes(frame.data),
    "True": lambda frame: True,
    "a look-alike": lambda frame: SimpleNamespace(data=b"data", rtp_timestamp=1),
}

every_result = pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
both_ways = pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])


def spoil(bad, number, is_async=False):
    """A handler whose `number`th result is bad."""
    seen = []

    def handler(frame):
        seen.append(frame)
        return bad(frame) if len(seen) == number else frame

    async def patient(frame):
        await asyncio.sleep(0)
        return handler(frame)

    return patient if is_async else handler


@every_result
@both_ways
async def test_a_publisher_goes_on_with_a_key_frame(bad, is_async, caplog):
    session = FakeSession()
    datas = encoded_video(6, key_frames=(4,))
    ended = []
    track = OutgoingTrack(
        session, 1, Packets(datas), "vp8",
        encoded_frame_handler=spoil(bad, 3, is_async), on_ended=ended.append,
    )  # fmt: skip
    track.start()
    await until(lambda: ended)
    assert ended == [None]
    assert [data for data, _ in session.sent] == [*datas[:2], *datas[4:]]
    assert track.statistics.handler_errors == 1
    assert "encoded_frame_handler: returned" in caplog.text


@every_result
@pytest.mark.parametrize("has_level", [False, True], ids=["alone", "with its loudness"])
async def test_a_publisher_of_sound_goes_on(bad, has_level):
    class Sound(Packets):
        kind = "audio"

    session = FakeSession()
    datas = [bytes([0xFC, number]) for number in range(6)]
    ended = []
    track = OutgoingTrack(
        session, 1, Sound(datas), "opus", append_audio_level=has_level,
        encoded_frame_handler=spoil(bad, 3), on_ended=ended.append,
    )  # fmt: skip
    track.start()
    await until(lambda: ended)
    assert ended == [None]
    assert [data[:2] for data, _ in session.sent] == [*datas[:2], *datas[3:]]
    assert track.statistics.handler_errors == 1


@every_result
@both_ways
async def test_a_receiver_goes_on_with_a_key_frame(incoming, bad, is_async):
    session = FakeSession()
    track = incoming(session, encoded_frame_handler=spoil(bad, 3, is_async))
    frames, encoded = track.frames(), track.encoded_frames()
    receive_video(session, encoded_video(6, key_frames=(4,)))
    for reader in (frames, encoded):
        stamps = [(await asyncio.wait_for(anext(reader), 5)).rtp_timestamp for _ in range(4)]
        assert stamps == [0, 3000, 12000, 15000]
    assert track.statistics.handler_errors == 1
    assert track.readyState == "live"


@every_result
async def test_a_receiver_of_sound_conceals_it(incoming, bad):
    session = FakeSession()
    track = incoming(session, "audio", encoded_frame_handler=spoil(bad, 3))
    frames = track.frames()
    session.receive(*[(b"\xfc\xff\xfe", 960 * number) for number in range(6)])
    heard = [await asyncio.wait_for(anext(frames), 5) for _ in range(6)]
    assert [one.is_concealed for one in heard] == [number == 2 for number in range(6)]
    assert track.statistics.handler_errors == 1


@pytest.mark.parametrize(
    "wrap", [bytes, bytearray, memoryview, lambda d: np.frombuffer(d, np.uint8)]
)
async def test_whatever_holds_bytes_is_carried(incoming, wrap):
    def handler(frame):
        return replace(frame, data=wrap(bytes(frame.data)), rtp_timestamp=np.uint32(7))

    sending, receiving = FakeSession(), FakeSession()
    datas = encoded_video(3)
    out = OutgoingTrack(sending, 1, Packets(datas), "vp8", encoded_frame_handler=handler)
    out.start()
    await until(lambda: not out.is_running)
    assert [data for data, _ in sending.sent] == datas
    track = incoming(receiving, encoded_frame_handler=handler)
    frames = track.frames()
    receive_video(receiving, datas)
    assert [(await asyncio.wait_for(anext(frames), 5)).time for _ in datas] == [0, 1 / 30, 2 / 30]


async def test_a_reader_may_change_what_is_decoded_for_another(incoming, monkeypatch):
    session = FakeSession()
    track = incoming(session)
    frames = track.frames()
    encoded = track.encoded_frames()

    async def spoil_all():
        async for frame in encoded:
            frame.data = None

    spoiling = asyncio.create_task(spoil_all())
    for number, data in enumerate(encoded_video(5)):
        receive_video(session, [data], first=number)
        assert (await asyncio.wait_for(anext(frames), 5)).rtp_timestamp == 3000 * number
    spoiling.cancel()


async def test_a_handler_whose_task_was_cancelled_drops_the_frame(incoming):
    waits = asyncio.get_running_loop().create_future()
    waits.cancel()
    seen = []

    async def handler(frame):
        seen.append(frame)
        if len(seen) == 2:
            await waits
        return frame

    session = FakeSession()
    ended = []
    datas = encoded_video(4, key_frames=(3,))
    track = OutgoingTrack(
        session, 1, Packets(datas), "vp8", encoded_frame_handler=handler, on_ended=ended.append
    )
    track.start()
    await until(lambda: ended)
    assert [data for data, _ in session.sent] == [datas[0], datas[3]]
    assert track.statistics.handler_errors == 1


async def test_a_track_that_is_stopped_in_its_handler_ends():
    entered = asyncio.Event()

    async def handler(frame):
        entered.set()
        await asyncio.Event().wait()

    track = OutgoingTrack(
        FakeSession(), 1, Packets(encoded_video(3)), "vp8", encoded_frame_handler=handler
    )
    track.start()
    await asyncio.wait_for(entered.wait(), 5)
    await asyncio.wait_for(track.stop(), 5)
    assert not track.is_running
