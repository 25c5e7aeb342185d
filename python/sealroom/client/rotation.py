"""When a new epoch comes into use in a call: receivers first, then senders, then the old one ends.

A participant accepts a new epoch the moment it has verified it, and tells the Bridge. Its senders
move on as soon as everybody has said so, and after `switch_within` at the latest, whatever the
Bridge says or withholds: no frame is lost among those who are there, and a Bridge that stays
silent gains one second. The epoch before ends a short while after everybody has moved on, and after
`grace` at the latest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from sealroom.crypto.epoch import EpochKeys

DEFAULT_SWITCH_WITHIN: Final = 1.0
DEFAULT_GRACE: Final = 5.0
OVERLAP: Final = 1.0
"""Seconds that frames of the old epoch may still be under way after its last sender moved on."""


class KeySchedule:
    """The epochs of one joined room that are in use. Event-loop thread only."""

    def __init__(
        self,
        keys: EpochKeys,
        *,
        switch_within: float,
        grace: float,
        on_switch: Callable[[EpochKeys], None],
        on_retire: Callable[[int], None],
    ) -> None:
        """`on_switch` gets the keys senders use from now on, `on_retire` the oldest epoch left."""
        self._switch_within = switch_within
        self._grace = grace
        self._on_switch = on_switch
        self._on_retire = on_retire
        self._sending = keys
        self._accepted: dict[int, EpochKeys] = {keys.id.epoch: keys}
        self._switch: asyncio.TimerHandle | None = None
        self._retire: dict[int, asyncio.TimerHandle] = {}

    @property
    def sending(self) -> EpochKeys:
        """What senders use."""
        return self._sending

    @property
    def accepted(self) -> list[EpochKeys]:
        """What receivers accept, oldest first."""
        return [self._accepted[one] for one in sorted(self._accepted)]

    @property
    def newest(self) -> EpochKeys:
        """The newest epoch accepted."""
        return self._accepted[max(self._accepted)]

    def add(self, keys: EpochKeys) -> None:
        """Accept a newer epoch and move on to it soon."""
        epoch = keys.id.epoch
        self._accepted[epoch] = keys
        loop = asyncio.get_running_loop()
        if self._switch is None:
            self._switch = loop.call_later(self._switch_within, self._move_on)
        self._retire_before(epoch, self._switch_within + self._grace)

    def all_ready(self, epoch: int) -> None:
        """Everybody accepts an epoch: move on now, and end the ones before soon."""
        if epoch not in self._accepted or epoch < self._sending.id.epoch:
            return
        if epoch == self.newest.id.epoch:
            self._move_on()
        self._retire_before(epoch, min(OVERLAP, self._grace))

    def close(self) -> None:
        """Stop all timers."""
        if self._switch is not None:
            self._switch.cancel()
        for timer in self._retire.values():
            timer.cancel()
        self._retire.clear()

    def _move_on(self) -> None:
        if self._switch is not None:
            self._switch.cancel()
            self._switch = None
        if self.newest is not self._sending:
            self._sending = self.newest
            self._on_switch(self._sending)

    def _retire_before(self, epoch: int, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        if (timer := self._retire.get(epoch)) is not None:
            if timer.when() <= at:
                return
            timer.cancel()
        self._retire[epoch] = loop.call_later(seconds, self._end_before, epoch)

    def _end_before(self, epoch: int) -> None:
        del self._retire[epoch]
        for old in [one for one in self._accepted if one < epoch]:
            del self._accepted[old]
        self._on_retire(epoch)
