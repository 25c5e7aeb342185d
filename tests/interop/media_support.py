"""Sources, and our end of a call over the native core, for tests against unmodified aiortc."""

from __future__ import annotations

import asyncio
import secrets
from fractions import Fraction

import av
import numpy as np
from aiortc import MediaStreamTrack

from sealroom._core.session import MediaSession
from sealroom.media.negotiation import MediaPeer
from sealroom.media.sections import receives, sends
from sealroom.media.tracks import IncomingTrack, OutgoingTrack

WIDTH, HEIGHT = 160, 120


async def until(condition, timeout=10.0):
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.01)


class Bars(MediaStreamTrack):
    """A picture whose left half is red and right half blue, 30 times a second."""

    kind = "video"

    def __init__(self):
        super().__init__()
        self.number = 0
        self.begin = None

    async def recv(self):
        loop = asyncio.get_running_loop()
        self.begin = self.begin or loop.time()
        await asyncio.sleep(max(0, self.begin + self.number / 30 - loop.time()))
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        picture[:, : WIDTH // 2, 0] = 220
        picture[:, WIDTH // 2 :, 2] = 220
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = self.number, Fraction(1, 30)
        self.number += 1
        return frame


class Tone(MediaStreamTrack):
    """A sine of 1 kHz."""

    kind = "audio"

    def __init__(self):
        super().__init__()
        self.samples = 0
        self.begin = None

    async def recv(self):
        loop = asyncio.get_running_loop()
        self.begin = self.begin or loop.time()
        await asyncio.sleep(max(0, self.begin + self.samples / 48000 - loop.time()))
        phase = 2 * np.pi * 1000 * (self.samples + np.arange(960)) / 48000
        tone = (np.sin(phase) * 12000).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, self.samples, Fraction(1, 48000)
        self.samples += 960
        return frame


def assert_bars(picture):
    """`picture` as an rgb24 array."""
    assert picture.shape == (HEIGHT, WIDTH, 3)
    left, right = picture[60, 40].astype(int), picture[60, 120].astype(int)
    assert left[0] > 180, left
    assert left[2] < 60, left
    assert right[2] > 180, right
    assert right[0] < 60, right


def assert_tone(samples):
    """`samples` of one channel at 48 kHz, half a second or more."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert abs(spectrum.argmax() * 48000 / len(samples) - 1000) < 10


class NativePeer:
    """A `MediaPeer` on the native core that sends bars and a tone and keeps what it receives."""

    def __init__(self, *, takeover=None, protection=False, host="127.0.0.1"):
        self.session = MediaSession()
        self.peer = MediaPeer(self.session, host_addresses=[host], takeover=takeover)
        self.protection = protection
        self.outgoing: dict[str, OutgoingTrack] = {}
        self.incoming: dict[str, IncomingTrack] = {}
        self.senders: dict[str, int] = {}
        self.receivers: dict[str, int] = {}

    def add_sections(self, direction="sendrecv", kinds=("audio", "video")):
        for kind in kinds:
            self.peer.add_section(
                kind=kind,
                codec="opus" if kind == "audio" else "vp8",
                direction=direction,
                ssrc=secrets.randbits(32),
                stream_id="ours",
                track_id=f"our-{kind}",
            )

    def add_receivers(self, key=None):
        """For each section that receives and has no receiver yet; before media can come."""
        for section in self.peer.sections:
            if section.mid in self.incoming or not receives(section.direction):
                continue
            receiver = self.session.add_receiver(
                mid=section.mid,
                ssrc=section.remote_ssrc,
                payload_type=section.payload_type,
                codec=section.codec,
                protection=self.protection,
            )
            if key is not None:
                self.session.add_receiver_key(receiver, suite=5, key_id=1, base_key=key)
            self.receivers[section.mid] = receiver
            self.incoming[section.mid] = IncomingTrack(
                self.session, receiver, section.kind, section.codec, track_id=section.track_id
            )

    def start_senders(self, key=None, **options):
        """For each section that sends, once connected."""
        for section in self.peer.sections:
            if section.mid in self.outgoing or not sends(section.current_direction):
                continue
            sender = self.session.add_sender(
                ssrc=section.local_ssrc,
                payload_type=section.payload_type,
                codec=section.codec,
                mid=section.mid,
                protection=self.protection,
            )
            if key is not None:
                self.session.set_sender_key(sender, suite=5, key_id=1, base_key=key)
            source = Bars() if section.kind == "video" else Tone()
            self.senders[section.mid] = sender
            self.outgoing[section.mid] = OutgoingTrack(
                self.session, sender, source, section.codec, **options
            )
            self.outgoing[section.mid].start()

    def of_kind(self, kind):
        """The incoming track of a kind."""
        return next(t for t in self.incoming.values() if t.kind == kind)

    async def assert_receives(self, kinds=("audio", "video")):
        if "video" in kinds:
            frames = self.of_kind("video").frames()
            for _ in range(10):
                frame = await asyncio.wait_for(anext(frames), 10)
            assert_bars(frame.to_ndarray())
        if "audio" in kinds:
            frames = self.of_kind("audio").frames()
            heard = [await asyncio.wait_for(anext(frames), 10) for _ in range(40)]
            assert_tone(np.concatenate([f.to_ndarray()[:, 0] for f in heard[10:]]))

    async def close(self):
        for track in self.outgoing.values():
            await track.stop()
        for track in self.incoming.values():
            track.stop()
        await self.peer.close()
        self.session.close()


async def assert_stock_receives(tracks):
    """Bars and a tone arrive at aiortc's remote tracks."""
    for track in tracks:
        if track.kind == "video":
            for _ in range(10):
                frame = await asyncio.wait_for(track.recv(), 10)
            assert_bars(frame.to_ndarray(format="rgb24"))
        else:
            heard = [await asyncio.wait_for(track.recv(), 10) for _ in range(40)]
            assert_tone(np.concatenate([f.to_ndarray().reshape(-1, 2)[:, 0] for f in heard[10:]]))
