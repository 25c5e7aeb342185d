"""Two native sessions joined by the datagrams they hand out."""

from __future__ import annotations

import os
import struct

from sealroom._core import srtp
from sealroom._core.session import MediaSession
from sealroom.media.frames import FrameData
from sealroom.sframe import AES_256_GCM_SHA512_128

PROFILE = srtp.Profile.AEAD_AES_128_GCM
KEY_SIZE = sum(srtp.master_size(PROFILE))
SUITE = AES_256_GCM_SHA512_128
BASE_KEY = bytes(range(32))


def vp8_frame(size: int, *, key: bool = True) -> bytes:
    """What matters of a VP8 frame below the decoder: key-frame bit, start code, size."""
    frame = bytearray(os.urandom(size))
    frame[0] = frame[0] & 0xFE if key else frame[0] | 1
    if key:
        frame[3:6] = b"\x9d\x01\x2a"
    return bytes(frame)


class Pair:
    """A track from alice to bob, over a link of which the test is in charge."""

    def __init__(self, codec: str = "vp8", backend: str | None = None) -> None:
        self.alice = MediaSession(backend=backend, extensions={"mid": 1})
        self.bob = MediaSession(backend=backend, extensions={"mid": 1})
        one, other = os.urandom(KEY_SIZE), os.urandom(KEY_SIZE)
        self.alice.start(profile=PROFILE, send_key=one, receive_key=other)
        self.bob.start(profile=PROFILE, send_key=other, receive_key=one)
        self.sender = self.alice.add_sender(ssrc=7, payload_type=96, codec=codec, mid="m")
        self.receiver = self.bob.add_receiver(payload_type=96, codec=codec, mid="m")
        self.set_key(1, BASE_KEY, BASE_KEY)
        self._timestamp = 0

    def set_key(self, key_id: int, senders: bytes, receivers: bytes) -> None:
        self.alice.set_sender_key(self.sender, suite=SUITE, key_id=key_id, base_key=senders)
        self.bob.add_receiver_key(self.receiver, suite=SUITE, key_id=key_id, base_key=receivers)

    def send(self, frame: FrameData) -> None:
        self._timestamp += 3000
        self.alice.send_frame(self.sender, frame, rtp_timestamp=self._timestamp)
        self.carry()

    def carry(self) -> None:
        """Both ways, as much as there is."""
        for source, target in ((self.alice, self.bob), (self.bob, self.alice)):
            for datagram in source.take_outgoing():
                target.receive_datagram(datagram)

    def close(self) -> None:
        self.alice.close()
        self.bob.close()


def rtp_packet(
    sequence: int,
    timestamp: int,
    payload: bytes,
    *,
    ssrc: int,
    payload_type: int,
    mid: str = "",
    marker: bool = False,
    padding: int = 0,
) -> bytes:
    """As a peer of another kind would send it; `mid` is extension 1, `padding` its size."""
    flags = 0x80 | (0x20 if padding else 0) | (0x10 if mid else 0)
    kind = payload_type | (0x80 if marker else 0)
    packet = struct.pack("!BBHII", flags, kind, sequence & 0xFFFF, timestamp, ssrc)
    if mid:
        element = bytes([1 << 4 | len(mid) - 1]) + mid.encode()
        element += bytes(-len(element) % 4)
        packet += struct.pack("!HH", 0xBEDE, len(element) // 4) + element
    end = bytes(padding - 1) + bytes([padding]) if padding else b""
    return packet + payload + end
