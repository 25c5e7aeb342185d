"""A joined room's way in: what this participant receives there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence

from sealroom._core.session import MediaSession
from sealroom.client.data_receiving import DataReceiving
from sealroom.client.errors import DataTrackCutError, ProtocolError, RequestTimeoutError
from sealroom.client.events import BoundedStream, FrameRejected, TrackRefused
from sealroom.client.models import StreamSubscription
from sealroom.client.room_link import RoomLink
from sealroom.client.subscriber import RemoteTrack, Subscriber
from sealroom.client.track_outlets import TrackOutlets
from sealroom.client.wanted_tracks import AwaitedStreams, WantedTracks
from sealroom.crypto.announcement import VerifiedStream
from sealroom.crypto.epoch import EpochKeys
from sealroom.errors import InvalidArgumentError, SealroomError
from sealroom.media.errors import TransportError
from sealroom.media.negotiation import MediaPeer
from sealroom.protocol import (
    AnswerParams,
    AnswerResult,
    DataCut,
    Empty,
    MediaOffer,
    ResetParams,
    RestartParams,
    RestartResult,
    SubscriptionParams,
    SubscriptionResult,
    TrackAssignment,
    TrackSelector,
)

logger = logging.getLogger(__name__)


class RoomReceiving:
    """Subscribes to tracks and hands them to the application. Event-loop thread only."""

    def __init__(self, link: RoomLink, fetch_streams: Callable[[], Awaitable[None]]) -> None:
        """`fetch_streams` brings `link.streams` up to date."""
        self._link = link
        self._fetch_streams = fetch_streams
        self.data = DataReceiving(link)
        self._wanted = WantedTracks()
        self._awaited = AwaitedStreams()
        self._subscriber: Subscriber | None = None
        self._drops_broken_frames = True
        self._lock = asyncio.Lock()
        self._newest_offer = 0
        self._outlets: TrackOutlets[RemoteTrack] = TrackOutlets("remote tracks")
        self.recovery = link.recovery(
            "subscriber",
            restart=self._restart,
            replace=self.subscribe_again,
            on_lost=self._media_lost,
        )

    @property
    def subscriber(self) -> Subscriber | None:
        """The media connection, None before the first subscription."""
        return self._subscriber

    @property
    def is_in_use(self) -> bool:
        """True while something is subscribed to, or there is a connection for it."""
        return self._subscriber is not None or bool(self._wanted.subscriptions())

    async def subscribe(
        self, add: Sequence[StreamSubscription], remove: Sequence[StreamSubscription]
    ) -> None:
        """Changes what this participant receives and answers the media server's offer."""
        link = self._link
        for one in add:
            stream = link.streams.get(one.stream_id)
            if stream is None:
                raise InvalidArgumentError(
                    f"stream_id: there is no verified stream {one.stream_id!r} in the room"
                )
            if one.track_id is not None:
                stream.track(one.track_id)
        async with self._lock:
            before = self._wanted.copy()
            for one in remove:
                self._awaited.remove(one)
                self._wanted.remove(one, link.streams.get(one.stream_id))
            for one in add:
                self._wanted.add(one)
            params = SubscriptionParams(
                room_id=link.room_id, add=_selectors(add), remove=_selectors(remove)
            )
            try:
                result = await link.connection.call(
                    "subscription.update", params, SubscriptionResult
                )
            except (asyncio.CancelledError, RequestTimeoutError):
                # The Bridge may have acted. Were it not wanted, the next offer would be answered
                # without it, and for the Bridge that settles it: nothing could bring it any more.
                raise
            except BaseException:
                self._wanted = before
                raise
            self.data.unsubscribe(remove, self._wanted.wants)
            if result.offer is not None:
                await self._answer(result.offer_id, result.offer, result.tracks)

    async def media_offered(self, data: MediaOffer) -> None:
        """Answers an offer the media server makes of its own accord."""
        async with self._lock:
            await self._answer(data.offer_id, data.offer, data.tracks)

    def data_cut(self, data: DataCut) -> None:
        """The media server has cut this participant from a data track."""
        self.data.cut(
            data.stream_id, data.track_id, "it was taken too slowly, or its connection died"
        )

    async def subscribe_again(self) -> None:
        """Subscribes to all that is wanted on a new connection; the tracks there are end.

        Raises whatever keeps the connection from working; call it again then.
        """
        link = self._link
        async with self._lock:
            link.check_open()
            subscriber, self._subscriber = self._subscriber, None
            if subscriber is not None:
                await subscriber.close()
            params = ResetParams(room_id=link.room_id, transport="subscriber")
            await link.connection.call("media.reset", params, Empty)
            wanted = self._wanted.subscriptions()
            if not wanted:
                return
            update = SubscriptionParams(room_id=link.room_id, add=_selectors(wanted))
            result = await link.connection.call("subscription.update", update, SubscriptionResult)
            if result.offer is not None:
                await self._answer(result.offer_id, result.offer, result.tracks)
        if self._subscriber is not None:
            await self._subscriber.peer.connected()

    def stream_ended(self, stream: VerifiedStream) -> None:
        """Asks for a stream no longer, but will if its publisher comes back with it."""
        self._awaited.put(stream, self._wanted.take(stream.stream_id))

    async def subscribe_to_returned(self, streams: Sequence[VerifiedStream]) -> None:
        """Subscribes to those of these streams that were wanted before they ended.

        What cannot be had now is waited for again.
        """
        returned = [(one, self._awaited.take(one)) for one in streams]
        add = [subscription for _, found in returned for subscription in found]
        if not add:
            return
        try:
            await self.subscribe(add, ())
        except SealroomError as error:
            logger.info("room %s: streams that came back: %s", self._link.room_id, error)
            for stream, found in returned:
                self._awaited.put(stream, found)

    async def read_again(self) -> None:
        """Asks for the media server's offer once more, should one have been lost."""
        if self._subscriber is not None:
            await self.subscribe((), ())

    def adopt(self, other: RoomReceiving) -> None:
        """Goes on for another session's half: its listeners, iterators, and what it wanted."""
        self._awaited = other._awaited
        for stream in other._link.streams.values():
            self._awaited.put(stream, other._wanted.take(stream.stream_id))
        self._drops_broken_frames = other._drops_broken_frames
        self._outlets = other._outlets
        self.data.adopt(other.data)

    def stream_updated(self, stream: VerifiedStream, removed: Collection[str]) -> None:
        """Follows a newer announcement; what was added comes with an offer if it is wanted."""
        self._wanted.forget_tracks(stream.stream_id, removed)
        if self._subscriber is not None:
            self._subscriber.update_stream(stream)

    def end_stream(self, stream_id: str) -> None:
        """Ends the tracks of a stream that is gone."""
        self.data.end_stream(stream_id)
        if self._subscriber is not None:
            self._subscriber.end_stream(stream_id)

    def add_epoch(self, keys: EpochKeys) -> None:
        """Accepts frames of a newer epoch as well."""
        if self._subscriber is not None:
            self._subscriber.add_epoch(keys)

    def drop_epochs_before(self, epoch: int) -> None:
        """Refuses frames of older epochs from now on."""
        if self._subscriber is not None:
            self._subscriber.drop_epochs_before(epoch)

    def set_drop_broken_frames(self, drop: bool) -> None:
        self._drops_broken_frames = drop
        if self._subscriber is not None:
            self._subscriber.set_drop_broken_frames(drop)

    def add_track_listener(
        self, listener: Callable[[RemoteTrack], object], stream_id: str | None
    ) -> Callable[[], None]:
        """Calls `listener` with the tracks of a stream, or of all; returns what ends it."""
        return self._outlets.add_listener(listener, stream_id, self.remote_tracks())

    def open_track_stream(self) -> BoundedStream[RemoteTrack]:
        return self._outlets.open_stream(self.remote_tracks())

    def remote_tracks(self) -> list[RemoteTrack]:
        return [] if self._subscriber is None else self._subscriber.tracks

    async def close(self) -> None:
        """Ends all tracks, and the iterators over them."""
        await self.end()
        self.data.close()
        self._outlets.close()

    async def end(self, failure: DataTrackCutError | None = None) -> None:
        """Ends all tracks; iterators and listeners wait for those of another session.

        `failure`: what readers of data tracks are told.
        """
        await self.recovery.close()
        subscriber, self._subscriber = self._subscriber, None
        if subscriber is not None:
            await subscriber.close()
        await self.data.end(failure)

    async def _answer(self, offer_id: int, offer: str, tracks: list[TrackAssignment]) -> None:
        link = self._link
        link.check_open()
        if offer_id < self._newest_offer:
            return  # an event of before the reply that brought a newer one
        self._newest_offer = offer_id
        known = link.streams
        is_ahead = any(
            one.stream_id in known and not known[one.stream_id].has_track(one.track_id)
            for one in tracks
        )
        if is_ahead or self.data.without({(one.stream_id, one.track_id) for one in tracks}):
            # The reply was faster than the event about a track that is new, or about one's end.
            await self._fetch_streams()
            link.check_open()
        if self._subscriber is not None and not self._subscriber.continues(offer):
            # The media server has lost its end and begun anew before this side could.
            lost, self._subscriber = self._subscriber, None
            await lost.close()
        if self._subscriber is None:
            self._subscriber = Subscriber(
                self._make_peer,
                on_track=self._track_added,
                on_rejected=self._frame_rejected,
                on_refused=self._track_refused,
                epochs=link.keys.accepted,
                data=self.data,
            )
            self._subscriber.set_drop_broken_frames(self._drops_broken_frames)
        answer = await self._subscriber.accept(offer, tracks, wanted=self._wanted_stream)
        params = AnswerParams(room_id=link.room_id, offer_id=offer_id, sdp=answer)
        await link.connection.call("media.answer", params, AnswerResult)

    def _make_peer(self, session: MediaSession) -> MediaPeer:
        return self._link.make_peer(session, self.recovery)

    async def _restart(self) -> None:
        link = self._link
        async with self._lock:
            subscriber = self._subscriber
            if subscriber is None:
                raise TransportError("there is no subscriber connection")
            await link.refresh_ice_servers(subscriber.peer)
            params = RestartParams(room_id=link.room_id, transport="subscriber")
            result = await link.connection.call("media.restart", params, RestartResult)
            if result.offer is None or result.offer_id is None:
                raise ProtocolError("media.restart: no offer")
            await self._answer(result.offer_id, result.offer, result.tracks)
        await subscriber.peer.restarted()

    def _media_lost(self) -> None:
        self.data.end_all(DataTrackCutError("the media connection is gone"))
        if self._subscriber is not None:
            self._subscriber.end_all()

    def _wanted_stream(self, stream_id: str, track_id: str) -> VerifiedStream | None:
        stream = self._link.streams.get(stream_id)
        if stream is None or not stream.has_track(track_id):
            return None
        return stream if self._wanted.wants(stream_id, track_id) else None

    def _track_added(self, remote: RemoteTrack) -> None:
        self._link.on_tracks_changed()
        self._outlets.put(remote)

    def _track_refused(self, stream: VerifiedStream, track_id: str, error: SealroomError) -> None:
        self._link.emit(
            TrackRefused(self._link.room_id, stream.stream_id, track_id, stream.user_id, error)
        )

    def _frame_rejected(self, remote: RemoteTrack, reason: str, count: int) -> None:
        rejected = FrameRejected(
            self._link.room_id, remote.stream_id, remote.track_id, reason, count
        )
        self._link.emit(rejected)


def _selectors(subscriptions: Sequence[StreamSubscription]) -> list[TrackSelector]:
    return [TrackSelector(stream_id=one.stream_id, track_id=one.track_id) for one in subscriptions]
