"""Who speaks, from loudness alone. Pure: levels and times are arguments."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

THRESHOLD: Final = 6.0
"""dB above its noise floor at which somebody counts as speaking."""
HOLD: Final = 0.5
"""Seconds for which somebody goes on counting as speaking after falling below: between words."""
PRUNE: Final = 10.0
"""Seconds after which somebody of whom nothing comes is forgotten."""
MAX_SPEAKERS: Final = 1024
"""Beyond it, who was heard of longest ago is forgotten."""

_SMOOTHING: Final = 0.5  # weight of a new level
_LOWEST_FLOOR: Final = -70.0  # dBov: noise of a quiet room, where digital silence has none
_HIGHEST_FIRST_FLOOR: Final = -50.0  # who begins louder than this is taken for speaking
_FALL: Final = 0.5  # towards what is below the floor
_RISE: Final = 0.05  # towards what is above it, and below the threshold
_CREEP: Final = 1.0  # dB per second above the threshold: a noise that does not stop becomes floor


@dataclass(slots=True)
class _Speaker:
    level: float  # dBov, smoothed
    floor: float
    updated: float
    last_above: float | None = None


class ActiveSpeakerDetector(Generic[Key]):
    """Finds who is louder than his own background noise, and who of them is the loudest.

    Give levels some ten times a second; times are seconds of any clock that does not go back.
    """

    def __init__(
        self, *, threshold: float = THRESHOLD, hold: float = HOLD, prune: float = PRUNE
    ) -> None:
        """`threshold` in dB, `hold` and `prune` in seconds."""
        self._threshold = threshold
        self._hold = hold
        self._prune = prune
        self._speakers: dict[Key, _Speaker] = {}  # the longest not updated first
        self._dominant: Key | None = None

    def update(self, key: Key, level: float, now: float) -> None:
        """Takes a level in dBov, 0 (loudest) to -127."""
        one = self._speakers.pop(key, None)
        if one is None:
            floor = min(max(level, _LOWEST_FLOOR), _HIGHEST_FIRST_FLOOR)
            one = _Speaker(level, floor, now)
            while len(self._speakers) >= MAX_SPEAKERS:
                del self._speakers[next(iter(self._speakers))]
        self._speakers[key] = one
        one.level += _SMOOTHING * (level - one.level)
        above = one.level - one.floor
        if above > self._threshold:
            one.last_above = now
            one.floor += min(above, _CREEP * max(0.0, now - one.updated))
        else:
            one.floor += (_FALL if above < 0 else _RISE) * above
            one.floor = max(one.floor, _LOWEST_FLOOR)
        one.updated = now

    def active(self, now: float) -> list[Key]:
        """Returns who speaks, the dominant one first, the others by loudness.

        The dominant one stays it until it is silent or another is `threshold` dB louder.
        """
        while self._speakers:
            key, oldest = next(iter(self._speakers.items()))
            if now - oldest.updated <= self._prune:
                break
            del self._speakers[key]
        speaking = {
            key: one.level
            for key, one in self._speakers.items()
            if one.last_above is not None and now - one.last_above <= self._hold
        }
        result = sorted(speaking, key=lambda key: -speaking[key])
        dominant = self._dominant
        if dominant is not None and dominant in speaking:
            loudest = speaking[result[0]]
            if loudest < speaking[dominant] + self._threshold:
                result.sort(key=lambda key: key != dominant)  # stable
        self._dominant = result[0] if result else None
        return result

    def __len__(self) -> int:
        return len(self._speakers)
