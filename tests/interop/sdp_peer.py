"""One m-line of video in any codec of the core, with a session description of the test's own."""

from __future__ import annotations

import asyncio
import functools
import secrets
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import sdp
from media_support import HEIGHT, WIDTH
from payload_support import DECODERS, ENCODERS

from sealroom._core.session import FrameReceived, MediaSession
from sealroom.media.packet_transport import EventDispatcher
from sealroom.media.transport import MediaTransport

PAYLOAD_TYPE = 100
FRAME_RATE = 20
FORMATS = {
    "vp8": ("VP8/90000", "max-fs=12288"),
    "h264": (
        "H264/90000",
        "profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1",
    ),
    "vp9": ("VP9/90000", "profile-id=0"),
    "av1": ("AV1/90000", "profile=0"),
}


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


class SdpPeer:
    """Sends the bars over and over, and keeps the frames that arrive."""

    def __init__(self, codec: str, key: bytes, frames: list[bytes] | None = None) -> None:
        self.codec = codec
        self.session = MediaSession(extensions={"mid": 1})
        self.transport = MediaTransport(self.session, host_addresses=["127.0.0.1"])
        self.received: list[bytes] = []
        self.sent = frames or encoded_bars(codec)
        self._key = key
        self._ssrc = secrets.randbits(32)
        self._task: asyncio.Task[None] | None = None

    async def offer(self) -> str:
        self.transport.set_ice_role(controlling=True)
        await self.transport.gather()
        name, parameters = FORMATS[self.codec]
        ice = self.transport.local_ice
        (fingerprint,) = self.transport.local_fingerprints
        candidates = map(sdp.candidate_to_sdp, self.transport.local_candidates)
        lines = [
            "v=0",
            "o=- 1 1 IN IP4 127.0.0.1",
            "s=-",
            "t=0 0",
            "a=group:BUNDLE 0",
            f"m=video 9 UDP/TLS/RTP/SAVPF {PAYLOAD_TYPE}",
            "c=IN IP4 0.0.0.0",
            "a=mid:0",
            "a=sendrecv",
            "a=rtcp-mux",
            "a=msid:ours video",
            "a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid",
            f"a=rtpmap:{PAYLOAD_TYPE} {name}",
            f"a=fmtp:{PAYLOAD_TYPE} {parameters}",
            f"a=rtcp-fb:{PAYLOAD_TYPE} nack",
            f"a=rtcp-fb:{PAYLOAD_TYPE} nack pli",
            f"a=ssrc:{self._ssrc} cname:ours",
            f"a=ice-ufrag:{ice.usernameFragment}",
            f"a=ice-pwd:{ice.password}",
            f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value}",
            "a=setup:actpass",
            *(f"a=candidate:{candidate}" for candidate in candidates),
            "a=end-of-candidates",
        ]
        return "\r\n".join(lines) + "\r\n"

    async def accept(self, answer: str) -> None:
        """Connects, and begins to send and receive."""
        (media,) = sdp.SessionDescription.parse(answer).media
        codecs = [one.name.lower() for one in media.rtp.codecs]
        assert (codecs, media.direction) == ([self.codec], "sendrecv")
        self.receiver = receiver = self.session.add_receiver(
            mid="0", ssrc=media.ssrc[0].ssrc, payload_type=PAYLOAD_TYPE, codec=self.codec
        )
        self.session.add_receiver_key(receiver, suite=5, key_id=1, base_key=self._key)
        EventDispatcher.of(self.session).register_receiver(receiver, self._take)
        self.transport.set_roles(ice_controlling=True, dtls_client=media.dtls.role == "server")
        for candidate in media.ice_candidates:
            if candidate.protocol == "udp":
                await self.transport.add_remote_candidate(candidate)
        await self.transport.add_remote_candidate(None)
        self.transport.start(media.ice, media.dtls)
        await self.transport.connected()
        sender = self.session.add_sender(
            ssrc=self._ssrc, payload_type=PAYLOAD_TYPE, codec=self.codec, mid="0"
        )
        self.session.set_sender_key(sender, suite=5, key_id=1, base_key=self._key)
        self._task = asyncio.create_task(self._send(sender))

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.transport.close()
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
