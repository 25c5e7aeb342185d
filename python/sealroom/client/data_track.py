"""A data track on its way out: messages in order, sealed, with back pressure."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sealroom.client.arguments import bytes_of
from sealroom.client.data_recovery import DataRecovery
from sealroom.client.errors import (
    DataTrackClosedError,
    DataTrackInterruptedError,
    StreamStateError,
)
from sealroom.client.models import TrackStatistics
from sealroom.crypto.data_message import DataSender, DataTrackId
from sealroom.crypto.epoch import EpochKeys
from sealroom.errors import InvalidArgumentError
from sealroom.media.data_channels import DataChannel, DataChannels
from sealroom.media.errors import TransportError
from sealroom.media.negotiation import MediaPeer
from sealroom.protocol import DATA_MESSAGE_OVERHEAD, MAX_DATA_MESSAGE_BYTES, AnnouncedTrack

if TYPE_CHECKING:
    from sealroom.client.publishing_api import PublishingApi

SEND_WINDOW = 64 << 10
"""Bytes that may wait to be sent; `send` waits beyond it.

Small, because a message is sealed when it enters: one that waits across a rotation for longer than
the epoch before is accepted is lost to its readers.
"""

MAX_SEALED_BYTES = MAX_DATA_MESSAGE_BYTES + DATA_MESSAGE_OVERHEAD


INTERRUPTION_TIMEOUT = 30.0
"""Seconds for which `send` waits for a connection that broke to come back."""


@dataclass(frozen=True, slots=True)
class OutgoingDataStatistics:
    """Counters since the track was first published."""

    messages_sent: int
    bytes_sent: int
    """Of data, before encryption."""
    buffered_amount: int


class OutgoingDataTrack:
    """One published data track, over one channel after another. Event-loop thread only.

    Its numbers go on when its stream is published again under a fresh nonce, and so fresh keys.
    """

    def __init__(self) -> None:
        self._channel: DataChannel | None = None
        self._sender: DataSender | None = None
        self._end_reason: str | None = None
        self._changed = asyncio.Event()
        self._lock = asyncio.Lock()
        self._bytes_sent = 0

    @property
    def next_sequence(self) -> int:
        return 0 if self._sender is None else self._sender.next_sequence

    @property
    def statistics(self) -> OutgoingDataStatistics:
        waiting = 0 if self._channel is None else self._channel.buffered_amount
        return OutgoingDataStatistics(self.next_sequence, self._bytes_sent, waiting)

    async def send(self, data: bytes) -> int:
        """Sends a message and returns its sequence number; see `DataTrackHandle.send`."""
        data = bytes_of("data", data)
        if len(data) > MAX_DATA_MESSAGE_BYTES:
            raise InvalidArgumentError(
                f"data: at most {MAX_DATA_MESSAGE_BYTES} bytes in a message; send it in parts"
            )
        async with self._lock:  # fair, so that waiting senders stay in order
            while True:
                channel = await self._usable()
                try:
                    await channel.drained(SEND_WINDOW)
                except TransportError:
                    self._forget(channel)
                    continue
                # Nothing waits from here on: a number is spent on what goes out, and once.
                if channel is not self._channel or self._sender is None or not channel.can_send:
                    self._forget(channel)
                    continue
                sequence = self._sender.next_sequence
                try:
                    channel.send(self._sender.seal(data))
                except TransportError as error:
                    raise DataTrackClosedError(f"the data track is closed: {error}") from None
                self._bytes_sent += len(data)
                return sequence

    def begin(self, sender: DataSender, channel: DataChannel | None) -> None:
        """The track is published: under its keys, and on this channel once there is one."""
        self._sender, self._channel, self._end_reason = sender, channel, None
        self._changed.set()

    def carry_on(self, channel: DataChannel) -> None:
        """The next messages take another channel."""
        if self._end_reason is None:
            self._channel = channel
            self._changed.set()

    def interrupt(self) -> None:
        """The channel is gone, and another one may come."""
        self._channel = None

    def rotate(self, keys: EpochKeys) -> None:
        """Seals from the next message on under a newer epoch."""
        if self._sender is not None:
            self._sender.rotate(keys)

    def end(self, reason: str) -> None:
        """Closes the channel after what waits to be sent; nothing more is taken."""
        self._end_reason = reason
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        self._changed.set()

    async def _usable(self) -> DataChannel:
        try:
            async with asyncio.timeout(INTERRUPTION_TIMEOUT):
                while self._end_reason is None:
                    if self._channel is not None:
                        return self._channel
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise DataTrackInterruptedError(
                "the connection of the data track has not come back in time; send again later"
            ) from None
        raise DataTrackClosedError(f"the data track is closed: {self._end_reason}")

    def _forget(self, channel: DataChannel) -> None:
        if self._channel is channel:
            self._channel = None


@dataclass(slots=True, kw_only=True)
class StagedDataTrack:
    """A data track that was added to a stream."""

    track_id: str
    name: str
    kind: Literal["data"] = "data"
    source: None = None
    is_enabled: bool = True
    is_published: bool = False
    outgoing: OutgoingDataTrack | None = None
    first_sequence: int = 0

    @property
    def announced(self) -> AnnouncedTrack:
        return AnnouncedTrack(
            track_id=self.track_id,
            kind="data",
            codec="message",
            first_sequence=self.first_sequence,
        )

    def number_from_here(self) -> None:
        """The next publication, under a fresh nonce, goes on counting where this one stops."""
        if self.outgoing is not None:
            self.outgoing.interrupt()
            self.first_sequence = self.outgoing.next_sequence

    def end(self, reason: str) -> None:
        """Nothing can be sent any more, unless it is published again; idempotent."""
        if self.outgoing is not None:
            self.outgoing.end(reason)


@dataclass(frozen=True, slots=True)
class DataTrackHandle:
    """A data track of one's own stream, from `StreamApi.add_data_track`."""

    _api: PublishingApi = field(repr=False)
    _staged: StagedDataTrack = field(repr=False)
    stream_id: str
    track_id: str
    name: str
    kind: Literal["data"] = "data"

    async def send(self, data: bytes) -> int:
        """Sends a message to the subscribers and returns its sequence number.

        Messages arrive in the order of the calls, each once. Waits while 64 KiB wait to be sent,
        as while the Bridge slows the publisher down. When it returns the message is sealed and
        queued, not yet received.

        While its connection is being replaced, or the Bridge is away, it waits for 30 s at most. Of
        the messages queued before, some may be missing then: their readers are told so, by number.

        Args:
            data: up to 16 KiB (`MAX_DATA_MESSAGE_BYTES`).

        Raises:
            InvalidArgumentError: the data is beyond its limit; nothing was sent.
            StreamStateError: the stream is not published, or the track not with it yet.
            DataTrackClosedError: the track has ended.
            DataTrackInterruptedError: its connection has not come back in time; nothing was sent.
        """
        if self._staged.outgoing is None:
            raise StreamStateError("the data track is not published: publish or update its stream")
        return await self._staged.outgoing.send(data)

    @property
    def statistics(self) -> OutgoingDataStatistics | None:
        """Counters; None before the track is published."""
        outgoing = self._staged.outgoing
        return None if outgoing is None else outgoing.statistics

    async def remove(self) -> None:
        """See `StreamApi.remove_track`."""
        await self._api.remove_track(self)


class DataPublisher:
    """The data tracks on one media connection out. Event-loop thread only."""

    def __init__(self, peer: MediaPeer, keys: EpochKeys, recovery: DataRecovery) -> None:
        self._peer = peer
        self._keys = keys
        self._recovery = recovery
        self._channels: DataChannels | None = None
        self._tracks: dict[tuple[str, str], OutgoingDataTrack] = {}

    def prepare(self) -> None:
        """Has the next offer hold data channels."""
        self._channels = self._peer.use_data_channels(max_message_size=MAX_SEALED_BYTES)
        self._recovery.adopt(self._channels, self)

    def start(
        self, stream_id: str, tracks: Iterable[StagedDataTrack], fingerprint: bytes, nonce: bytes
    ) -> None:
        """Opens a channel for each track, once the Bridge knows them.

        Raises:
            DataTrackClosedError: the peer refused data channels.
        """
        for staged in tracks:
            assert self._channels is not None
            track = DataTrackId(fingerprint, nonce, stream_id, staged.track_id)
            try:
                channel = self._open(stream_id, staged.track_id)
            except TransportError as error:
                raise DataTrackClosedError(f"the media server takes no data: {error}") from None
            if staged.outgoing is None:
                staged.outgoing = OutgoingDataTrack()
            staged.outgoing.begin(DataSender(self._keys, track, staged.first_sequence), channel)
            self._tracks[stream_id, staged.track_id] = staged.outgoing

    def rotate(self, keys: EpochKeys) -> None:
        """Seals under a newer epoch, on tracks there are and on those to come."""
        self._keys = keys
        for one in self._tracks.values():
            one.rotate(keys)

    def end(self, stream_id: str, track_ids: Collection[str] | None = None) -> None:
        """Ends tracks of a stream, all by default."""
        for key in list(self._tracks):
            if key[0] == stream_id and (track_ids is None or key[1] in track_ids):
                self._tracks.pop(key).end("it was unpublished")

    def close(self) -> None:
        """The connection is over; another one may carry the tracks on."""
        self.data_lost()
        self._tracks.clear()

    def data_lost(self) -> None:
        for one in self._tracks.values():
            one.interrupt()

    def data_restored(self) -> None:
        for key, one in self._tracks.items():
            if (channel := self._open(*key)) is not None:
                one.carry_on(channel)

    def data_failed(self, reason: str) -> None:
        for one in self._tracks.values():
            one.end(reason)
        self._tracks.clear()

    def statistics(self) -> list[TrackStatistics]:
        return [
            TrackStatistics(
                stream_id=stream_id,
                track_id=track_id,
                kind="data",
                python=one.statistics,
                native=None,
            )
            for (stream_id, track_id), one in self._tracks.items()
        ]

    def _open(self, stream_id: str, track_id: str) -> DataChannel | None:
        """Returns None while the association is being made again. Raises TransportError."""
        assert self._channels is not None
        if self._channels.is_down and not self._channels.is_closed:
            self._recovery.wake()
            return None
        return self._channels.open(f"{stream_id} {track_id}")
