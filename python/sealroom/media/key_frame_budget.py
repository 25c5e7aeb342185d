"""How often a publisher makes key frames because somebody asks."""

from __future__ import annotations

INTERVAL = 0.3
"""Seconds in which one more key frame is allowed. As the SFU's, which asks no more often."""

BURST = 4
"""Key frames allowed at once, for those who join one right after another."""


class KeyFrameBudget:
    """At most `BURST + t / INTERVAL` key frames in any `t` seconds."""

    def __init__(self) -> None:
        self._full_at = 0.0  # when BURST would be allowed again

    def take(self, now: float) -> bool:
        """Spends one key frame if one is allowed at `now`, in seconds of a monotonic clock."""
        if now < self._full_at - (BURST - 1) * INTERVAL:
            return False
        self._full_at = max(self._full_at, now) + INTERVAL
        return True
