"""The data tracks that this participant receives in a room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from sealroom.client.data_recovery import DataRecovery
from sealroom.client.data_track import MAX_SEALED_BYTES
from sealroom.client.errors import DataTrackCutError, DataTrackLostError
from sealroom.client.events import BoundedStream, DataRejected, DataTrackCut
from sealroom.client.models import StreamSubscription, StreamTrackInfo, TrackStatistics
from sealroom.client.remote_data_track import RemoteDataTrack
from sealroom.client.room_link import RoomLink
from sealroom.client.track_outlets import TrackOutlets
from sealroom.crypto.announcement import VerifiedStream
from sealroom.crypto.data_message import DataReceiver, DataTrackId
from sealroom.crypto.epoch import EpochKeys
from sealroom.media.data_channels import DataChannel
from sealroom.media.negotiation import MediaPeer

logger = logging.getLogger(__name__)

MAX_UNREAD_DATA_TRACKS = 256

CHANNEL_TIMEOUT = 35.0
"""Seconds until a subscribed track must have its channel: ICE and DTLS may take 30."""

EXPLANATION_TIMEOUT = 5.0
"""Seconds until the Bridge must have said why a channel was closed."""

MAX_INTERRUPTED_TRACKS = 256
"""Tracks that ended without being unsubscribed from, and of which it is remembered how far they
came; the longest gone are forgotten first."""

DataTrackListener = Callable[[RemoteDataTrack], object]
TrackKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Interrupted:
    """How far a track came; `expected` is None if no message had come."""

    fingerprint: bytes
    nonce: bytes
    expected: int | None


class DataReceiving:
    """Hands the data tracks of a joined room to the application. Event-loop thread only.

    Numbers that came once are refused for as long as the stream lives, also after a track was cut
    or subscribed to again.

    A track outlives its channel: if the data association or the media connection dies, it goes on
    over the next one, and what did not come meanwhile is a gap. If the session is over, or the
    publisher had to publish its stream again, another track comes, and the same is told there.

    The media server's offers alone end no track, since it could so drop messages between two of
    them: a track ends because the application unsubscribed, because of what its publisher signed,
    or with word to the application. If an offer brings it back, what is missing is a gap.
    """

    def __init__(self, link: RoomLink) -> None:
        self._link = link
        self._recovery = DataRecovery(link.room_id, "subscriber", link.emit)
        self._interrupted: dict[TrackKey, _Interrupted] = {}
        self._tracks: dict[TrackKey, RemoteDataTrack] = {}
        self._sources: dict[TrackKey, VerifiedStream] = {}
        self._channels: dict[TrackKey, DataChannel] = {}
        self._timers: dict[TrackKey, asyncio.TimerHandle] = {}
        self._receivers: dict[tuple[str, str, bytes], DataReceiver] = {}
        self._outlets: TrackOutlets[RemoteDataTrack] = TrackOutlets(
            "data tracks", MAX_UNREAD_DATA_TRACKS
        )

    @property
    def tracks(self) -> list[RemoteDataTrack]:
        return list(self._tracks.values())

    def attach(self, peer: MediaPeer) -> None:
        """Takes the channels that come over a connection, those of tracks assigned here."""
        channels = peer.use_data_channels(max_message_size=MAX_SEALED_BYTES)
        channels.on_channel = self._channel_came
        self._recovery.adopt(channels, self)

    def assign(self, wanted: Mapping[TrackKey, VerifiedStream]) -> None:
        """Receives these tracks and no others; before the answer to the offer that brings them.

        One that is missing was removed, its stream has ended, or this side was cut: that is on its
        way to here. If nothing of it comes, the media server is at fault, and the track is cut.
        """
        for key in self.without(wanted):
            self._drop_channel(key)
            self._expect(key, EXPLANATION_TIMEOUT, "the media server offers the track no more")
        for key, stream in wanted.items():
            if key not in self._tracks:
                self._add(key, stream)
            elif key not in self._channels:
                self._expect(key, CHANNEL_TIMEOUT, "the media server opened no channel")
        self._recovery.wake()

    def without(self, offered: Collection[TrackKey]) -> list[TrackKey]:
        """The tracks there are that are not among those offered."""
        return [one for one in self._tracks if one not in offered]

    def unsubscribe(
        self, removed: Iterable[StreamSubscription], wants: Callable[[str, str], bool]
    ) -> None:
        """Ends tracks that the application wants no more; `wants` tells what it wants now."""
        selected = {(one.stream_id, one.track_id) for one in removed}
        for key in list(self._tracks):
            if {key, (key[0], None)} & selected and not wants(*key):
                self._end(key)

    def add_epoch(self, keys: EpochKeys) -> None:
        for one in self._tracks.values():
            one.add_epoch(keys)

    def drop_epochs_before(self, epoch: int) -> None:
        for one in self._tracks.values():
            one.drop_epochs_before(epoch)

    def update_stream(self, stream: VerifiedStream) -> None:
        """Ends the tracks that a newer announcement has no more, and takes its word on others."""
        for key in [key for key in self._tracks if key[0] == stream.stream_id]:
            if stream.has_track(key[1]):
                self._tracks[key].info = StreamTrackInfo.of(stream, stream.track(key[1]))
            else:
                self._end(key)

    def end_stream(self, stream_id: str) -> None:
        """Ends the tracks of a stream that is gone."""
        for key in [key for key in self._tracks if key[0] == stream_id]:
            self._interrupt(key)
            self._end(key)
        self._receivers = {k: one for k, one in self._receivers.items() if k[0] != stream_id}

    def end_all(self, failure: DataTrackCutError | None = None) -> None:
        """Ends every track."""
        for key in list(self._tracks):
            if isinstance(failure, DataTrackLostError):
                self._interrupt(key)
            self._end(key, failure)

    def data_lost(self) -> None:
        """The channels are gone; the tracks wait for others."""
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            channel.on_message = channel.on_closed = None
        for key in self._tracks:
            self._expect(key, CHANNEL_TIMEOUT, "the connection of the data has not come back")

    def data_restored(self) -> None:
        """The media server opens channels for what is subscribed to."""

    def data_failed(self, reason: str) -> None:
        for key in list(self._tracks):
            self.cut(*key, reason)

    def cut(self, stream_id: str, track_id: str, reason: str) -> None:
        """The media server has ended a subscription, says the Bridge."""
        track = self._tracks.get((stream_id, track_id))
        if track is None:
            return
        self._end((stream_id, track_id), DataTrackCutError(reason))
        self._link.emit(DataTrackCut(self._link.room_id, stream_id, track_id, reason))

    def add_listener(
        self, listener: DataTrackListener, stream_id: str | None
    ) -> Callable[[], None]:
        """Calls `listener` with the tracks of a stream, or of all; returns what ends it."""
        return self._outlets.add_listener(listener, stream_id, self.tracks)

    def open_track_stream(self) -> BoundedStream[RemoteDataTrack]:
        return self._outlets.open_stream(self.tracks)

    def statistics(self) -> list[TrackStatistics]:
        return [
            TrackStatistics(
                stream_id=one.stream_id,
                track_id=one.track_id,
                kind="data",
                python=one.statistics,
                native=None,
            )
            for one in self._tracks.values()
        ]

    def adopt(self, other: DataReceiving) -> None:
        """Goes on for another session's: its listeners, iterators, and the numbers that came."""
        self._outlets = other._outlets
        self._receivers = other._receivers
        self._interrupted = other._interrupted

    async def end(self, failure: DataTrackCutError | None) -> None:
        """Ends every track, and the attempts to make an association."""
        await self._recovery.close()
        self.end_all(failure)

    def close(self) -> None:
        """Ends the iterators over tracks."""
        self._outlets.close()

    def _add(self, key: TrackKey, stream: VerifiedStream) -> None:
        info = StreamTrackInfo.of(stream, stream.track(key[1]))
        receiver, missed = self._receiver(key, stream)
        track = RemoteDataTrack(stream, info, receiver, self._refused)
        self._tracks[key], self._sources[key] = track, stream
        if missed:
            track.missed(*missed)
        self._expect(key, CHANNEL_TIMEOUT, "the media server opened no channel")
        self._outlets.put(track)

    def _receiver(
        self, key: TrackKey, stream: VerifiedStream
    ) -> tuple[DataReceiver, tuple[int, int] | None]:
        """Returns what opens the messages, and the first and the count of those known missing."""
        nonce, missed = stream.announcement.nonce, None
        before = self._interrupted.pop(key, None)
        receiver = self._receivers.get((*key, nonce))
        if receiver is None:
            track = DataTrackId(stream.fingerprint, nonce, *key)
            receiver = self._receivers[(*key, nonce)] = DataReceiver(track)
            if before is not None and before.fingerprint == stream.fingerprint:
                first = stream.track(key[1]).first_sequence
                expected = first if before.expected is None else before.expected
                if first > expected:
                    missed = expected, first - expected
                receiver.expect(max(first, expected))
        elif before is None or before.nonce != nonce:
            receiver.resume()  # subscribed to again: what came meanwhile was not asked for
        epochs = self._link.keys.accepted
        for keys in epochs:
            receiver.add_epoch(keys)
        receiver.drop_epochs_before(min(keys.id.epoch for keys in epochs))
        return receiver, missed

    def _interrupt(self, key: TrackKey) -> None:
        """Remembers how far a track came, for when it comes again."""
        stream = self._sources[key]
        receiver = self._receivers.get((*key, stream.announcement.nonce))
        if receiver is None:
            return
        self._interrupted.pop(key, None)
        self._interrupted[key] = _Interrupted(
            stream.fingerprint, stream.announcement.nonce, receiver.next_sequence
        )
        while len(self._interrupted) > MAX_INTERRUPTED_TRACKS:
            del self._interrupted[next(iter(self._interrupted))]

    def _channel_came(self, channel: DataChannel) -> None:
        stream_id, _, track_id = channel.label.partition(" ")
        key = (stream_id, track_id)
        track = self._tracks.get(key)
        if track is None or key in self._channels:
            logger.info("the media server opens a data channel of no subscribed track")
            channel.close()
            return
        self._stop_timer(key)
        self._channels[key] = channel
        channel.on_message = track.receive
        channel.on_closed = lambda: self._channel_closed(key, channel)

    def _channel_closed(self, key: TrackKey, channel: DataChannel) -> None:
        # Because the track ended, or this side was cut: the Bridge will say. Or another one comes.
        if self._channels.get(key) is channel:
            self._drop_channel(key)
            self._expect(key, EXPLANATION_TIMEOUT, "the media server closed the channel")

    def _expect(self, key: TrackKey, seconds: float, reason: str) -> None:
        self._stop_timer(key)
        loop = asyncio.get_running_loop()
        self._timers[key] = loop.call_later(seconds, self._give_up, key, reason)

    def _give_up(self, key: TrackKey, reason: str) -> None:
        # Nobody has ended it: if it comes again, what is missing until then is told there as well.
        self._interrupt(key)
        self.cut(*key, reason)

    def _stop_timer(self, key: TrackKey) -> None:
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()

    def _end(self, key: TrackKey, failure: DataTrackCutError | None = None) -> None:
        self._stop_timer(key)
        del self._sources[key]
        self._tracks.pop(key).end(failure)
        self._drop_channel(key)

    def _drop_channel(self, key: TrackKey) -> None:
        channel = self._channels.pop(key, None)
        if channel is not None:
            channel.on_message = channel.on_closed = None
            channel.close()

    def _refused(self, track: RemoteDataTrack, reason: str, count: int) -> None:
        rejected = DataRejected(self._link.room_id, track.stream_id, track.track_id, reason, count)
        self._link.emit(rejected)
