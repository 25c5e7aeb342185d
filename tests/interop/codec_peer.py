"""Our end of a call of one video track in any codec: what an encoder made, and what arrives."""

from __future__ import annotations

import asyncio
import functools
import secrets
from fractions import Fraction
from typing import Any

import av
import numpy as np
from media_support import HEIGHT, WIDTH
from payload_support import DECODERS, ENCODERS

from sealroom._core.session import FrameReceived, MediaSession
from sealroom.media.negotiation import MediaPeer
from sealroom.media.packet_transport import EventDispatcher
from sealroom.media.sections import CodecName

FRAME_RATE = 20


@functools.cache
def encoded_bars(codec: str, **options: str) -> list[bytes]:
    """A second of a picture, left half red and right half blue, noise at the bottom, so that frames
    take several packets; the first is its key frame. `options` replace the encoder's usual ones.
    """
    name, preset = ENCODERS[codec]
    noise = np.random.default_rng(1)
    encoder: Any = av.CodecContext.create(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.options = Fraction(1, FRAME_RATE), options or preset
    packets = []
    for number in range(FRAME_RATE):
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        picture[:, : WIDTH // 2, 0] = 220
        picture[:, WIDTH // 2 :, 2] = 220
        picture[3 * HEIGHT // 4 :] = noise.integers(0, 255, (HEIGHT // 4, WIDTH, 1), np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    assert len(packets) == FRAME_RATE
    return [bytes(packet) for packet in packets]


def decode(codec: str, frames: list[bytes]) -> list[np.ndarray]:
    """The pictures, as rgb24."""
    decoder: Any = av.CodecContext.create(DECODERS[codec], "r")
    decoder.thread_count = 1
    pictures = [one for frame in frames for one in decoder.decode(av.Packet(frame))]
    return [one.to_ndarray(format="rgb24") for one in pictures]


class CodecPeer:
    """Sends the bars over and over, and keeps the frames that arrive."""

    def __init__(self, codec: CodecName, key: bytes, frames: list[bytes] | None = None) -> None:
        self.codec = codec
        self.session = MediaSession()
        self.peer = MediaPeer(self.session, host_addresses=["127.0.0.1"])
        self.received: list[bytes] = []
        self.sent = frames or encoded_bars(codec)
        self.receiver = -1
        self._key = key
        self._ssrc = secrets.randbits(32)
        self._section = self.peer.add_section(
            kind="video",
            codec=codec,
            direction="sendrecv",
            ssrc=self._ssrc,
            stream_id="ours",
            track_id="video",
        )
        self._task: asyncio.Task[None] | None = None

    async def accept(self, answer: str) -> None:
        """Connects, and begins to send and receive."""
        await self.peer.accept_answer(answer)
        section = self._section
        assert section.current_direction == "sendrecv"
        self.receiver = self.session.add_receiver(
            mid=section.mid,
            ssrc=section.remote_ssrc,
            payload_type=section.payload_type,
            codec=self.codec,
        )
        self.session.add_receiver_key(self.receiver, suite=5, key_id=1, base_key=self._key)
        EventDispatcher.of(self.session).register_receiver(self.receiver, self._take)
        await self.peer.connected()
        sender = self.session.add_sender(
            ssrc=self._ssrc, payload_type=section.payload_type, codec=self.codec, mid=section.mid
        )
        self.session.set_sender_key(sender, suite=5, key_id=1, base_key=self._key)
        self._task = asyncio.create_task(self._send(sender))

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.peer.close()
        self.session.close()

    def _take(self, event: Any) -> None:
        if isinstance(event, FrameReceived):
            self.received.append(bytes(event.data))

    async def _send(self, sender: int) -> None:
        number = 0
        while True:
            frame = self.sent[number % len(self.sent)]
            timestamp = number * 90_000 // FRAME_RATE
            self.session.send_frame(sender, frame, rtp_timestamp=timestamp)
            number += 1
            await asyncio.sleep(1 / FRAME_RATE)
