"""Sources and encoded frames for tests of tracks on a stand-in for the core."""

import asyncio
from fractions import Fraction

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from fake_session import FrameReceived

from sealroom.media.video_codecs import VideoEncoder, is_key_frame


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
    encoder = VideoEncoder("vp8")
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
                1,
                np.frombuffer(data, np.uint8),
                number * 3000,
                is_key_frame=is_key_frame("vp8", data),
            )
        )
