"""A stand-in for `_core.session.MediaSession` as the tracks see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sealroom.errors import NotReadyError
from sealroom.media.packet_transport import EventDispatcher


@dataclass
class FrameReceived:
    receiver: int
    data: Any
    rtp_timestamp: int
    is_key_frame: bool = True
    is_missing: bool = False
    rejected: str | None = None
    arrival: float = 0.0


@dataclass
class FrameRejected:
    receiver: int
    reason: str
    count: int


@dataclass
class KeyFrameRequested:
    sender: int


@dataclass
class RemoteBye:
    receiver: int


class FakeSession:
    def __init__(self) -> None:
        self.sent: list[tuple[bytes, dict[str, Any]]] = []
        self.key_frame_requests = 0
        self.is_ready = True

    def send_frame(self, sender: int, data: Any, **fields: Any) -> None:
        if not self.is_ready:
            raise NotReadyError("no key")
        self.sent.append((bytes(data), fields))

    def request_key_frame(self, receiver: int) -> None:
        self.key_frame_requests += 1

    def emit(self, *events: Any) -> None:
        EventDispatcher.of(self).dispatch(events)

    def receive(self, *frames: tuple[Any, int], keys: bool = True, **fields: Any) -> None:
        for data, timestamp in frames:
            array = np.frombuffer(data, np.uint8)
            self.emit(FrameReceived(1, array, timestamp & 0xFFFFFFFF, **fields))
