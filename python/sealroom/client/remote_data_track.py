"""A data track of somebody else: what came in order and is authentic, and word of the rest."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Literal

from sealroom.client.errors import DataTrackCutError
from sealroom.client.models import StreamTrackInfo
from sealroom.crypto.announcement import VerifiedStream
from sealroom.crypto.data_errors import (
    DataEpochError,
    DataGapError,
    DataMessageError,
    DataOverflowError,
)
from sealroom.crypto.data_message import DataReceiver, OpenedData
from sealroom.crypto.epoch import EpochKeys
from sealroom.media.errors import AlreadyReadError

MAX_UNREAD_MESSAGES = 1024
MAX_UNREAD_BYTES = 4 << 20

MAX_HELD_MESSAGES = 256
MAX_HELD_BYTES = 1 << 20
HOLD_SECONDS = 5.0
"""For messages that overtake the key of a new epoch; after that they are refused."""

EVENT_INTERVAL = 1.0
"""Seconds between two words on one reason of one track."""

RefusalHandler = Callable[["RemoteDataTrack", str, int], None]


@dataclass(frozen=True, slots=True)
class DataMessage:
    """One message; `sequence` counts those of the track from 0, `epoch` is the room's."""

    data: bytes = field(repr=False)
    sequence: int
    epoch: int


@dataclass(frozen=True, slots=True)
class IncomingDataStatistics:
    """Counters since the subscription."""

    messages_received: int
    """Authentic and in their turn, also if nobody read them in time."""
    bytes_received: int
    messages_unread: int
    refused: dict[str, int]
    """Messages that were refused, and under "data_gap" and "data_overflow" those missing or lost,
    by `DataMessageError.code`."""


class RemoteDataTrack:
    """A subscribed data track of somebody else. Event-loop thread only."""

    def __init__(
        self,
        stream: VerifiedStream,
        info: StreamTrackInfo,
        receiver: DataReceiver,
        on_refused: RefusalHandler,
    ) -> None:
        self.stream_id = stream.stream_id
        self.participant_id = stream.participant_id
        self.user_id = stream.user_id
        self.track_id = info.track_id
        self.kind: Literal["data"] = "data"
        self.info = info
        """The track as it was announced when it was subscribed to."""
        self._receiver = receiver
        self._on_refused = on_refused
        self._unread: deque[DataMessage | DataGapError] = deque()
        self._unread_bytes = 0
        self._changed = asyncio.Event()
        self._is_awaited = False
        self._has_ended = False
        self._failure: DataTrackCutError | None = None
        self._held: deque[tuple[float, bytes]] = deque()
        self._held_bytes = 0
        self._hold_timer: asyncio.TimerHandle | None = None
        self._received = self._bytes = 0
        self._refused: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        self._told_at: dict[str, float] = {}
        self._tell_timer: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def has_ended(self) -> bool:
        """True once no more messages come; what is unread can still be read."""
        return self._has_ended

    @property
    def statistics(self) -> IncomingDataStatistics:
        return IncomingDataStatistics(
            self._received,
            self._bytes,
            sum(isinstance(one, DataMessage) for one in self._unread),
            dict(self._refused),
        )

    async def messages(self) -> AsyncIterator[DataMessage]:
        """Yields messages in order until the track ends. One reader at a time.

        Up to 1024 messages and 4 MiB wait for the reader.

        Raises:
            AlreadyReadError: another reader waits for messages; each would get some of them.
            DataGapError: messages are missing here. Iterate again to read what follows.
            DataOverflowError: likewise, because this reader was too slow.
            DataTrackCutError: the media server ended the track. Subscribe again to go on.
            DataTrackLostError: the session is over, as after a restart of the Bridge. The track
                comes again by itself, as another `RemoteDataTrack`.
        """
        while True:
            while self._unread:
                item = self._unread.popleft()
                if isinstance(item, DataGapError):
                    raise item
                self._unread_bytes -= len(item.data)
                yield item
            if self._has_ended:
                if self._failure is not None:
                    raise self._failure
                return
            if self._is_awaited:
                raise AlreadyReadError(
                    "a message is awaited here by another reader: read once and hand on"
                )
            self._changed.clear()
            self._is_awaited = True
            try:
                await self._changed.wait()
            finally:
                self._is_awaited = False

    # What the subscription does with it.

    def missed(self, first: int, count: int) -> None:
        """Messages are missing, as the publisher's announcement shows."""
        self._lose(DataGapError(first, count))

    def receive(self, message: bytes) -> None:
        """Takes a message as it came from the media server."""
        if self._has_ended:
            return
        try:
            self._accept(self._receiver.open(message))
        except DataEpochError as error:
            if not self._receiver.may_come(error.epoch) or not self._hold(message):
                self._refuse(error.code)
        except DataMessageError as error:
            self._refuse(error.code)

    def add_epoch(self, keys: EpochKeys) -> None:
        """Accepts messages of a newer epoch, and those of it that came before their key."""
        self._receiver.add_epoch(keys)
        held, self._held, self._held_bytes = self._held, deque(), 0
        for deadline, message in held:
            try:
                self._accept(self._receiver.open(message))
            except DataEpochError as error:
                if self._receiver.may_come(error.epoch):
                    self._held.append((deadline, message))
                    self._held_bytes += len(message)
                else:
                    self._refuse(error.code)
            except DataMessageError as error:
                self._refuse(error.code)

    def drop_epochs_before(self, epoch: int) -> None:
        self._receiver.drop_epochs_before(epoch)

    def end(self, failure: DataTrackCutError | None = None) -> None:
        """No more messages come; idempotent."""
        if self._has_ended:
            return
        self._has_ended, self._failure = True, failure
        for timer in (self._hold_timer, self._tell_timer):
            if timer is not None:
                timer.cancel()
        while self._held:
            self._held.popleft()
            self._refuse(DataEpochError.code)
        self._tell()
        self._changed.set()

    def _accept(self, opened: OpenedData) -> None:
        if opened.missing:
            self._lose(DataGapError(opened.sequence - opened.missing, opened.missing))
        self._received += 1
        self._bytes += len(opened.data)
        is_full = (
            len(self._unread) >= MAX_UNREAD_MESSAGES
            or self._unread_bytes + len(opened.data) > MAX_UNREAD_BYTES
        )
        if is_full:
            self._lose(DataOverflowError(opened.sequence, 1))
            return
        self._unread.append(DataMessage(opened.data, opened.sequence, opened.epoch))
        self._unread_bytes += len(opened.data)
        self._changed.set()

    def _lose(self, gap: DataGapError) -> None:
        # Losses that follow each other are one: there is never more than one behind a message.
        code, count = gap.code, gap.count
        if self._unread and isinstance(before := self._unread[-1], DataGapError):
            self._unread.pop()
            kind = type(before) if isinstance(before, DataOverflowError) else type(gap)
            gap = kind(before.first, gap.first + gap.count - before.first)
        self._unread.append(gap)
        self._refuse(code, count)
        self._changed.set()

    def _hold(self, message: bytes) -> bool:
        if len(self._held) >= MAX_HELD_MESSAGES or self._held_bytes + len(message) > MAX_HELD_BYTES:
            return False
        loop = asyncio.get_running_loop()
        self._held.append((loop.time() + HOLD_SECONDS, message))
        self._held_bytes += len(message)
        if self._hold_timer is None:
            self._hold_timer = loop.call_later(HOLD_SECONDS, self._give_up_held)
        return True

    def _give_up_held(self) -> None:
        self._hold_timer = None
        loop = asyncio.get_running_loop()
        now = loop.time() + 0.001  # timers may fire a clock tick early
        while self._held and self._held[0][0] <= now:
            self._held_bytes -= len(self._held.popleft()[1])
            self._refuse(DataEpochError.code)
        if self._held:
            self._hold_timer = loop.call_at(self._held[0][0], self._give_up_held)

    def _refuse(self, code: str, count: int = 1) -> None:
        self._refused[code] += count
        self._untold[code] += count
        is_first = code not in self._told_at
        if (is_first or self._tell_timer is None) and not self._has_ended:
            self._tell()

    def _tell(self) -> None:
        # Each reason at once, and then at most once in an interval.
        if self._tell_timer is not None:
            self._tell_timer.cancel()
            self._tell_timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for code in list(self._untold):
            last = self._told_at.get(code)
            if last is None or now - last >= EVENT_INTERVAL or self._has_ended:
                self._told_at[code] = now
                self._on_refused(self, code, self._untold.pop(code))
        if self._untold and not self._has_ended:
            soonest = min(self._told_at[code] for code in self._untold) + EVENT_INTERVAL
            self._tell_timer = loop.call_at(soonest + 0.001, self._tell)

    def __repr__(self) -> str:
        return f"<RemoteDataTrack {self.name or self.track_id} of {self.user_id}>"
