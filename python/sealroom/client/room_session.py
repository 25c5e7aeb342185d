"""One joined room: who is there, what is published, keys, and this participant's two connections.

Longer than most files: events, publishing, subscribing and epochs change the same few fields, and
their order against each other is what has to be read in one place.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from sealroom._core import crypto as native_crypto
from sealroom._core.session import MediaSession
from sealroom.client.connection import Connection
from sealroom.client.errors import ConnectionClosedError, NotJoinedError, RequestRefusedError
from sealroom.client.events import (
    BoundedStream,
    CustomEvent,
    CustomEventRefused,
    Event,
    FrameRejected,
    KeyRotated,
    MediaFailed,
    ParticipantJoined,
    ParticipantLeft,
    RoomRefused,
    RoomUpdated,
    StreamPublished,
    StreamRefused,
    StreamUnpublished,
)
from sealroom.client.models import (
    ParticipantInfo,
    RoomStatistics,
    StreamInfo,
    StreamSubscription,
)
from sealroom.client.publisher import Publisher, StagedTrack
from sealroom.client.rooms import OpenRoom, RoomDirectory
from sealroom.client.rotation import KeySchedule
from sealroom.client.subscriber import RemoteTrack, Subscriber
from sealroom.client.wanted_tracks import WantedTracks
from sealroom.crypto.announcement import VerifiedStream, make_announcement
from sealroom.crypto.custom_event import make_custom_event
from sealroom.crypto.epoch import EpochKeys
from sealroom.crypto.errors import EventReplayError, StreamReplayError
from sealroom.crypto.signed_object import read_unverified
from sealroom.crypto.track_keys import STREAM_NONCE_BYTES
from sealroom.errors import InvalidArgumentError, SealroomError
from sealroom.media.negotiation import MediaPeer
from sealroom.protocol import (
    AnswerParams,
    AnswerResult,
    Empty,
    JoinResult,
    MediaOffer,
    Participant,
    ParticipantGone,
    PublishParams,
    PublishResult,
    RoomReadyParams,
    RoomSendEventParams,
    SignedObject,
    StreamAnnouncement,
    StreamView,
    SubscriptionParams,
    SubscriptionResult,
    TrackAssignment,
    TrackSelector,
    TransportRole,
    UnpublishParams,
)
from sealroom.protocol import (
    StreamUnpublished as StreamUnpublishedData,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger(__name__)

MAX_UNREAD_TRACKS = 256
MAX_ENDED_STREAMS = 10_000
MAX_SEEN_EVENTS = 10_000

TrackListener = Callable[[RemoteTrack], None]


class RoomSession:
    """What `StreamApi` keeps for a joined room. Event-loop thread only."""

    def __init__(
        self,
        connection: Connection,
        directory: RoomDirectory,
        room: OpenRoom,
        joined: JoinResult,
        *,
        host_addresses: Sequence[str] | None,
        switch_within: float,
        grace: float,
        emit: Callable[[Event], None],
    ) -> None:
        self.room_id = room.room.room_id
        self.participant_id = joined.participant_id
        self.participants = {one.participant_id: one for one in joined.participants}
        self.streams: dict[str, VerifiedStream] = {}
        self.track_streams: list[BoundedStream[RemoteTrack]] = []
        self.track_listeners: list[tuple[str | None, TrackListener]] = []
        self._connection = connection
        self._directory = directory
        self._room = room
        self._keys = KeySchedule(
            room.keys,
            switch_within=switch_within,
            grace=grace,
            on_switch=self._switch_senders,
            on_retire=self._retire_epochs,
        )
        self._host_addresses = host_addresses
        self._ice_servers = [
            {"urls": one.urls, "username": one.username, "credential": one.credential}
            for one in joined.media.ice_servers
        ]
        self._emit = emit
        self._ended_nonces: dict[bytes, None] = {}
        self._seen_events: dict[str, None] = {}
        self._wanted = WantedTracks()
        self._publisher: Publisher | None = None
        self._subscriber: Subscriber | None = None
        self._drops_broken_frames = True
        self._subscription_lock = asyncio.Lock()
        self._update_lock = asyncio.Lock()
        self._is_closed = False

    async def start(self, streams: Sequence[StreamView], version: int) -> None:
        """Takes the streams that were there before; `version` is the room's when it was joined."""
        if version > self._room.record.version:
            await self.room_updated()
        for view in streams:
            await self.stream_published(view)

    # What happens in the room.

    def participant_joined(self, participant: Participant) -> None:
        if self.participants.setdefault(participant.participant_id, participant) is participant:
            self._emit(ParticipantJoined(self.room_id, ParticipantInfo.of(participant)))

    def participant_left(self, gone: ParticipantGone) -> None:
        participant = self.participants.pop(gone.participant_id, None)
        if participant is not None:
            info = ParticipantInfo.of(participant)
            self._emit(ParticipantLeft(self.room_id, info, gone.reason))

    async def room_updated(self) -> None:
        """Verifies what changed, accepts new epochs and tells the Bridge so."""
        async with self._update_lock:
            await self._take_update()

    async def _take_update(self) -> None:
        if self._is_closed:
            return
        before = self._room
        try:
            room = await self._directory.refresh(before)
        except ConnectionClosedError:
            return
        except SealroomError as error:
            self._emit(RoomRefused(self.room_id, error))
            return
        if self._is_closed or room is before:
            return
        self._room = room
        self._accept_epochs(room)
        record = room.record
        self._emit(RoomUpdated(self.room_id, record.version, record.epoch, record.author))
        if record.epoch > before.record.epoch:
            params = RoomReadyParams(room_id=self.room_id, epoch=record.epoch)
            with contextlib.suppress(RequestRefusedError):  # out meanwhile
                await self._connection.call("room.ready", params, Empty)

    async def send_event(self, data: bytes, channel: str, user_ids: Sequence[str] | None) -> None:
        """Sends a custom event under the newest epoch; see `StreamApi.send_custom_event`."""
        event = make_custom_event(
            self._connection.identity,
            self._connection.user_id,
            keys=self._keys.newest,
            data=data,
            channel=channel,
            user_ids=user_ids,
            sent_at=time.time_ns() // 1_000_000,
        )
        params = RoomSendEventParams(room_id=self.room_id, event=event)
        await self._connection.call("room.send_event", params, Empty)

    async def custom_event(self, signed: SignedObject) -> None:
        """Believes an event of a member's, once."""
        try:
            opened = await self._directory.open_event(
                signed, self._room.record, self._keys.accepted
            )
            if opened.event_id in self._seen_events:
                raise EventReplayError("a custom event comes again")
        except SealroomError as error:
            self._emit(CustomEventRefused(self.room_id, signed.author, error))
            return
        while len(self._seen_events) >= MAX_SEEN_EVENTS:
            del self._seen_events[next(iter(self._seen_events))]
        self._seen_events[opened.event_id] = None
        self._emit(
            CustomEvent(self.room_id, opened.user_id, opened.channel, opened.sent_at, opened.data)
        )

    def epoch_ready(self, epoch: int) -> None:
        """Everybody can decrypt an epoch, says the Bridge."""
        self._keys.all_ready(epoch)

    def _accept_epochs(self, room: OpenRoom) -> None:
        for epoch in sorted(room.secrets):
            if epoch > self._keys.newest.id.epoch:
                keys = room.keys_of(epoch)
                if self._subscriber is not None:
                    self._subscriber.add_epoch(keys)
                self._keys.add(keys)

    def _switch_senders(self, keys: EpochKeys) -> None:
        if self._publisher is not None:
            self._publisher.rotate(keys)
        self._emit(KeyRotated(self.room_id, keys.id.epoch))

    def _retire_epochs(self, epoch: int) -> None:
        if self._subscriber is not None:
            self._subscriber.drop_epochs_before(epoch)

    async def stream_published(self, view: StreamView) -> None:
        """Believes the stream if its announcement verifies; a second showing changes nothing."""
        if view.stream_id in self.streams:
            return
        try:
            stream = await self._directory.verify_stream(view, self._room.record)
            if stream.announcement.nonce in self._ended_nonces:
                raise StreamReplayError("the announcement of a stream that has ended comes back")
        except SealroomError as error:
            self._emit(StreamRefused(self.room_id, view.stream_id, view.user_id, error))
            return
        self.streams[view.stream_id] = stream
        self._emit(StreamPublished(self.room_id, StreamInfo.of(stream)))

    async def stream_unpublished(self, data: StreamUnpublishedData) -> None:
        """Ends a stream; one of this participant's own, if somebody else unpublished it, too."""
        stream = self._forget_stream(data.stream_id)
        if stream is None:
            return
        if self._publisher is not None:
            await self._publisher.unpublish(data.stream_id)
        if self._subscriber is not None:
            self._subscriber.end_stream(data.stream_id)
        self._emit(StreamUnpublished(self.room_id, stream.stream_id, stream.user_id))

    def _forget_stream(self, stream_id: str) -> VerifiedStream | None:
        self._wanted.forget([stream_id])
        stream = self.streams.pop(stream_id, None)
        if stream is not None:
            while len(self._ended_nonces) >= MAX_ENDED_STREAMS:
                del self._ended_nonces[next(iter(self._ended_nonces))]
            self._ended_nonces[stream.announcement.nonce] = None
        return stream

    async def media_offered(self, data: MediaOffer) -> None:
        async with self._subscription_lock:
            await self._answer(data.offer_id, data.offer, data.tracks)

    # Out.

    async def publish(self, stream_id: str, tracks: list[StagedTrack]) -> None:
        """Announces, negotiates and starts a stream; see `StreamApi.publish_stream`."""
        self._check_open()
        if self._publisher is None:
            self._publisher = Publisher(self._make_publisher_peer, self._keys.sending)
        publisher = self._publisher
        nonce = secrets.token_bytes(STREAM_NONCE_BYTES)
        announcement = make_announcement(
            self._connection.identity,
            self._connection.user_id,
            keys=self._keys.sending,
            stream_id=stream_id,
            tracks=[one.announced for one in tracks],
            nonce=nonce,
        )

        async def signal(offer: str) -> str:
            return await self._signal_publish(announcement, offer)

        try:
            await publisher.publish(
                stream_id,
                tracks,
                fingerprint=self._connection.identity.public.fingerprint,
                nonce=nonce,
                signal=signal,
            )
        except RequestRefusedError:
            raise  # the Bridge knows no such stream, and the other streams go on
        except BaseException:
            await self._abandon(publisher, stream_id)
            raise
        self.streams[stream_id] = VerifiedStream(
            stream_id=stream_id,
            participant_id=self.participant_id,
            user_id=self._connection.user_id,
            fingerprint=self._connection.identity.public.fingerprint,
            announcement=read_unverified(announcement, StreamAnnouncement),  # our own
        )

    async def unpublish(self, stream_id: str) -> None:
        if self._publisher is not None:
            await self._publisher.unpublish(stream_id)
        if self._forget_stream(stream_id) is None:
            return  # somebody with the right to has unpublished it before
        params = UnpublishParams(room_id=self.room_id, stream_id=stream_id)
        await self._connection.call("stream.unpublish", params, Empty)

    async def _abandon(self, publisher: Publisher, stream_id: str) -> None:
        # The Bridge may know the stream although it carries nothing.
        if publisher.is_dead:
            if self._publisher is publisher:
                self._publisher = None
            await publisher.close()
        params = UnpublishParams(room_id=self.room_id, stream_id=stream_id)
        with contextlib.suppress(SealroomError):
            await self._connection.call("stream.unpublish", params, Empty)

    # In.

    async def subscribe(
        self, add: Sequence[StreamSubscription], remove: Sequence[StreamSubscription]
    ) -> None:
        """Changes what this participant receives and answers the media server's offer."""
        for one in add:
            stream = self.streams.get(one.stream_id)
            if stream is None:
                raise InvalidArgumentError(
                    f"stream_id: there is no verified stream {one.stream_id!r} in the room"
                )
            if one.track_id is not None:
                stream.track(one.track_id)
        async with self._subscription_lock:
            before = self._wanted.copy()
            for one in remove:
                self._wanted.remove(one, self.streams.get(one.stream_id))
            for one in add:
                self._wanted.add(one)
            params = SubscriptionParams(
                room_id=self.room_id, add=_selectors(add), remove=_selectors(remove)
            )
            try:
                result = await self._connection.call(
                    "subscription.update", params, SubscriptionResult
                )
            except BaseException:
                self._wanted = before
                raise
            if result.offer is not None:
                await self._answer(result.offer_id, result.offer, result.tracks)

    def set_drop_broken_frames(self, drop: bool) -> None:
        self._drops_broken_frames = drop
        if self._subscriber is not None:
            self._subscriber.set_drop_broken_frames(drop)

    def add_track_listener(
        self, listener: TrackListener, stream_id: str | None
    ) -> Callable[[], None]:
        """Calls `listener` with the tracks of a stream, or of all; returns what ends it."""
        entry = (stream_id, listener)
        self.track_listeners.append(entry)
        for remote in self.remote_tracks():
            self._notify(listener, stream_id, remote)
        return lambda: self.track_listeners.remove(entry)

    def open_track_stream(self) -> BoundedStream[RemoteTrack]:
        tracks: BoundedStream[RemoteTrack] = BoundedStream(MAX_UNREAD_TRACKS)
        for remote in self.remote_tracks():
            tracks.put(remote)
        self.track_streams.append(tracks)
        return tracks

    def remote_tracks(self) -> list[RemoteTrack]:
        return [] if self._subscriber is None else self._subscriber.tracks

    def statistics(self) -> RoomStatistics:
        publisher, subscriber = self._publisher, self._subscriber
        return RoomStatistics(
            sent=publisher.statistics() if publisher else [],
            received=subscriber.statistics() if subscriber else [],
            publisher_srtp_profile=publisher.peer.transport.srtp_profile if publisher else None,
            subscriber_srtp_profile=subscriber.peer.transport.srtp_profile if subscriber else None,
            datagrams_replayed=(
                subscriber.session.statistics().datagrams_replayed if subscriber else 0
            ),
            crypto_backend=native_crypto.default_backend(),
        )

    async def close(self) -> None:
        """Ends both connections and all tracks; the Bridge is told by the caller."""
        self._is_closed = True
        self._keys.close()
        publisher, self._publisher = self._publisher, None
        subscriber, self._subscriber = self._subscriber, None
        if publisher is not None:
            await publisher.close()
        if subscriber is not None:
            await subscriber.close()
        for tracks in self.track_streams:
            tracks.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise NotJoinedError(f"room {self.room_id} was left meanwhile")

    def _make_publisher_peer(self, session: MediaSession) -> MediaPeer:
        return self._make_peer(session, "publisher")

    def _make_subscriber_peer(self, session: MediaSession) -> MediaPeer:
        return self._make_peer(session, "subscriber")

    def _make_peer(self, session: MediaSession, role: TransportRole) -> MediaPeer:
        peer = MediaPeer(
            session, host_addresses=self._host_addresses, ice_servers=self._ice_servers
        )
        peer.on_state_change = lambda state: self._media_state_changed(peer, role, state)
        return peer

    def _media_state_changed(self, peer: MediaPeer, role: TransportRole, state: str) -> None:
        if self._is_closed or state not in ("failed", "closed"):
            return
        reason = peer.transport.failure or f"the transport is {state}"
        if role == "subscriber" and self._subscriber is not None:
            self._subscriber.end_all()
        self._emit(MediaFailed(self.room_id, role, reason))

    async def _signal_publish(self, announcement: SignedObject, offer: str) -> str:
        params = PublishParams(room_id=self.room_id, announcement=announcement, offer=offer)
        return (await self._connection.call("stream.publish", params, PublishResult)).answer

    async def _answer(self, offer_id: int, offer: str, tracks: list[TrackAssignment]) -> None:
        self._check_open()
        if self._subscriber is None:
            self._subscriber = Subscriber(
                self._make_subscriber_peer,
                on_track=self._track_added,
                on_rejected=self._frame_rejected,
                epochs=self._keys.accepted,
            )
            self._subscriber.set_drop_broken_frames(self._drops_broken_frames)
        answer = await self._subscriber.accept(offer, tracks, wanted=self._wanted_stream)
        params = AnswerParams(room_id=self.room_id, offer_id=offer_id, sdp=answer)
        await self._connection.call("media.answer", params, AnswerResult)

    def _wanted_stream(self, stream_id: str, track_id: str) -> VerifiedStream | None:
        return self.streams.get(stream_id) if self._wanted.wants(stream_id, track_id) else None

    def _track_added(self, remote: RemoteTrack) -> None:
        for tracks in self.track_streams:
            tracks.put(remote)
        for stream_id, listener in list(self.track_listeners):
            self._notify(listener, stream_id, remote)

    def _notify(self, listener: TrackListener, stream_id: str | None, remote: RemoteTrack) -> None:
        if stream_id is not None and stream_id != remote.stream_id:
            return
        try:
            listener(remote)
        except Exception:
            logger.exception("a remote stream listener failed")

    def _frame_rejected(self, remote: RemoteTrack, reason: str, count: int) -> None:
        self._emit(FrameRejected(self.room_id, remote.stream_id, remote.track_id, reason, count))


def new_id() -> str:
    """A random id for a stream or track."""
    return uuid.uuid4().hex


def _selectors(subscriptions: Sequence[StreamSubscription]) -> list[TrackSelector]:
    return [TrackSelector(stream_id=one.stream_id, track_id=one.track_id) for one in subscriptions]
