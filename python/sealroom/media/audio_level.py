"""Loudness of Opus frames: one byte at the end of each frame's plaintext, where no server reads it.

The byte is that of RFC 6464: the highest bit says that there is voice, the other seven the level in
-dBov, 0 (loudest) to 127 (silence). It is added after the encoded-frame handler of the sender and
taken off before that of the receiver, if the track's announcement says `audio_level`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SILENCE: Final = 127
VOICE_BELOW: Final = 60
"""-dBov; what is louder counts as voice. A threshold, no recognition of speech."""


@dataclass(frozen=True, slots=True)
class FrameLevel:
    """Loudness of a frame; `level` in -dBov."""

    level: int
    has_voice: bool

    def to_byte(self) -> bytes:
        return bytes([self.level | 0x80 * self.has_voice])

    @classmethod
    def measured(cls, level: int) -> FrameLevel:
        return cls(level, level < VOICE_BELOW)

    @classmethod
    def from_byte(cls, value: int) -> FrameLevel:
        return cls(value & 0x7F, value >= 0x80)


class LevelMeter:
    """The loudest frame since somebody looked."""

    def __init__(self) -> None:
        self._loudest: FrameLevel | None = None

    def note(self, level: FrameLevel) -> None:
        if self._loudest is None or level.level < self._loudest.level:
            self._loudest = level

    def take(self) -> FrameLevel | None:
        """Return the loudest frame since the last call, None if there was none."""
        level, self._loudest = self._loudest, None
        return level
