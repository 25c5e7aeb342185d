"""A data track on its way out: messages in order, sealed, with back pressure."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sealroom.client.errors import DataTrackClosedError, StreamStateError
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


@dataclass(frozen=True, slots=True)
class OutgoingDataStatistics:
    """Counters since the track was published."""

    messages_sent: int
    bytes_sent: int
    """Of data, before encryption."""
    buffered_amount: int


class OutgoingDataTrack:
    """One published data track. Event-loop thread only."""

    def __init__(self, channel: DataChannel, sender: DataSender) -> None:
        self._channel = channel
        self._sender = sender
        self._lock = asyncio.Lock()
        self._bytes_sent = 0

    @property
    def statistics(self) -> OutgoingDataStatistics:
        return OutgoingDataStatistics(
            self._sender.next_sequence, self._bytes_sent, self._channel.buffered_amount
        )

    async def send(self, data: bytes) -> int:
        """Sends a message and returns its sequence number; see `DataTrackHandle.send`."""
        if len(data) > MAX_DATA_MESSAGE_BYTES:
            raise InvalidArgumentError(
                f"data: at most {MAX_DATA_MESSAGE_BYTES} bytes in a message; send it in parts"
            )
        async with self._lock:  # fair, so that waiting senders stay in order
            try:
                await self._channel.drained(SEND_WINDOW)
                sequence = self._sender.next_sequence
                self._channel.send(self._sender.seal(bytes(data)))
            except TransportError as error:
                raise DataTrackClosedError(f"the data track is closed: {error}") from None
            self._bytes_sent += len(data)
            return sequence

    def rotate(self, keys: EpochKeys) -> None:
        """Seals from the next message on under a newer epoch."""
        self._sender.rotate(keys)

    def stop(self) -> None:
        """Closes the channel after what waits to be sent."""
        self._channel.close()


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

    @property
    def announced(self) -> AnnouncedTrack:
        return AnnouncedTrack(track_id=self.track_id, kind="data", codec="message")


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

        Messages arrive in the order of the calls, each once. Waits while 64 KiB wait to be sent.
        When it returns the message is sealed and queued, not yet received.

        Args:
            data: up to 16 KiB (`MAX_DATA_MESSAGE_BYTES`).

        Raises:
            InvalidArgumentError: the data is beyond its limit; nothing was sent.
            StreamStateError: the stream is not published, or the track not with it yet.
            DataTrackClosedError: the track or its connection has ended.
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

    def __init__(self, peer: MediaPeer, keys: EpochKeys) -> None:
        self._peer = peer
        self._keys = keys
        self._channels: DataChannels | None = None
        self._tracks: dict[tuple[str, str], OutgoingDataTrack] = {}

    def prepare(self) -> None:
        """Has the next offer hold data channels."""
        self._channels = self._peer.use_data_channels(max_message_size=MAX_SEALED_BYTES)

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
                channel = self._channels.open(f"{stream_id} {staged.track_id}")
            except TransportError as error:
                raise DataTrackClosedError(f"the media server takes no data: {error}") from None
            staged.outgoing = OutgoingDataTrack(channel, DataSender(self._keys, track))
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
                self._tracks.pop(key).stop()

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
