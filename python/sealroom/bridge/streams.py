"""Streams: publish, update, unpublish."""

from sealroom.access import Right, StreamChangeError, TrackChanges, find_track_changes
from sealroom.protocol import (
    Empty,
    ErrorCode,
    EventType,
    PublishParams,
    PublishResult,
    StreamAnnouncement,
    StreamUnpublished,
    StreamUpdateParams,
    StreamUpdateResult,
    UnpublishParams,
)

from .announcements import check_announcement
from .bus import EventBus, Session
from .errors import RequestError, access_denied
from .live import LiveParticipant, LiveStream, PendingStream, RoomRegistry
from .media_calls import MediaCalls, require_present
from .sdp_tracks import match_tracks
from .stream_space import StreamSpace, TrackLimits
from .subscriptions import SubscriptionService


class StreamService:
    """The `stream.*` methods that change something.

    For one event loop; state changes between two awaits are atomic.
    """

    def __init__(
        self,
        registry: RoomRegistry,
        bus: EventBus,
        media: MediaCalls,
        subscriptions: SubscriptionService,
        track_limits: TrackLimits,
    ) -> None:
        self._registry = registry
        self._space = StreamSpace(bus, track_limits)
        self._bus = bus
        self._media = media
        self._subscriptions = subscriptions

    async def publish(self, session: Session, params: PublishParams) -> PublishResult:
        """Publish a stream the participant announces, once the media server took its offer."""
        participant = await self._subscriptions.participant(session, params.room_id, Right.PUBLISH)
        room, signed = participant.room, params.announcement
        announcement = check_announcement(signed, session.user_id, session.identity, room.access)
        stream_id = announcement.stream_id
        if announcement.version != 1:
            raise _invalid("version", "a stream begins at version 1")
        tracks = match_tracks(params.offer, stream_id, announcement.tracks)
        size, count = len(signed.payload), len(announcement.tracks)
        self._space.check_new(participant, stream_id, size=size, tracks=count)
        room.pending[stream_id] = PendingStream(participant, size, count)
        try:
            async with participant.media_lock:
                require_present(participant)
                answer = await self._media.run(
                    self._media.server.publish(
                        participant.participant_id, stream_id, params.offer, tracks
                    )
                )
            require_present(participant)
            if not session.may(Right.PUBLISH, room.access):  # lost meanwhile
                await self._media.unpublish(participant, stream_id)
                raise access_denied()
        finally:
            del room.pending[stream_id]
        stream = room.streams[stream_id] = LiveStream(participant, signed, announcement)
        self._bus.publish(EventType.STREAM_PUBLISHED, room.access, stream.view(), cause=session)
        return PublishResult(stream_id=stream_id, answer=answer)

    async def update(self, session: Session, params: StreamUpdateParams) -> StreamUpdateResult:
        """Take a newer announcement of a stream, with the offer that brings its new tracks."""
        participant = await self._subscriptions.participant(session, params.room_id, Right.PUBLISH)
        room, signed = participant.room, params.announcement
        announcement = check_announcement(signed, session.user_id, session.identity, room.access)
        async with participant.media_lock:  # so updates of a stream come one by one
            stream = _require_own(participant, announcement.stream_id)
            changes = _check_change(stream, announcement)
            answer = None
            growth = len(signed.payload) - len(stream.signed.payload)
            more = len(announcement.tracks) - len(stream.announcement.tracks)
            self._space.check_growth(participant, size=growth, tracks=more)
            stream.reserved_bytes, stream.reserved_tracks = max(0, growth), max(0, more)
            try:
                if changes.added or changes.removed or params.offer is not None:
                    answer = await self._change_tracks(stream, announcement, changes, params.offer)
            finally:
                stream.reserved_bytes = stream.reserved_tracks = 0
            if _require_own(participant, announcement.stream_id) is not stream:
                raise _stream_not_found()
            stream.signed, stream.announcement = signed, announcement
            stream.removed |= {track.track_id for track in changes.removed}
        self._bus.publish(EventType.STREAM_UPDATED, room.access, stream.view(), cause=session)
        if changes.added or changes.removed:
            self._subscriptions.refresh(self._subscriptions.change_tracks(stream))
        return StreamUpdateResult(stream_id=stream.stream_id, answer=answer)

    async def _change_tracks(
        self,
        stream: LiveStream,
        announcement: StreamAnnouncement,
        changes: TrackChanges,
        offer: str | None,
    ) -> str | None:
        added = []
        if offer is not None:
            ended = stream.removed | {track.track_id for track in changes.removed}
            tracks = match_tracks(offer, stream.stream_id, announcement.tracks, ended)
            new = {track.track_id for track in changes.added}
            added = [track for track in tracks if track.track_id in new]
        elif changes.added:
            raise RequestError(
                ErrorCode.OFFER_INVALID, field="offer", remedy="offer the m-lines of added tracks"
            )
        return await self._media.run(
            self._media.server.update_stream(
                stream.publisher.participant_id,
                stream.stream_id,
                offer,
                added,
                [track.track_id for track in changes.removed],
            )
        )

    async def unpublish(self, session: Session, params: UnpublishParams) -> Empty:
        """End a stream of the caller's user, or of another with the right to."""
        access = await self._registry.require(session, params.room_id, Right.GET)
        participant = await self._subscriptions.participant(session, params.room_id)
        stream = participant.room.streams.get(params.stream_id)
        if stream is None:
            raise _stream_not_found()
        own = stream.publisher.session.user_id == session.user_id
        if not own and not session.may(Right.UNPUBLISH_OTHERS, access):
            raise access_denied()
        affected = self.drop(stream, cause=session)
        await self._media.unpublish(stream.publisher, stream.stream_id)
        self._subscriptions.refresh(affected)
        return Empty()

    def drop_all(self, participant: LiveParticipant, *, cause: Session | None) -> None:
        """Take a participant's streams out of its room; the media server has ended them."""
        streams = participant.room.streams.values()
        for stream in [one for one in streams if one.publisher is participant]:
            self._subscriptions.refresh(self.drop(stream, cause=cause))

    async def end_all(self, participant: LiveParticipant) -> None:
        """End the streams of a participant who may not publish any more; it is told."""
        streams = participant.room.streams.values()
        for stream in [one for one in streams if one.publisher is participant]:
            affected = self.drop(stream, cause=None)
            await self._media.unpublish(participant, stream.stream_id)
            self._subscriptions.refresh(affected)

    def drop(self, stream: LiveStream, *, cause: Session | None) -> list[LiveParticipant]:
        """Take a stream out of its room, tell the others, and return who was subscribed."""
        room = stream.publisher.room
        del room.streams[stream.stream_id]
        data = StreamUnpublished(
            stream_id=stream.stream_id,
            participant_id=stream.publisher.participant_id,
            user_id=stream.publisher.session.user_id,
        )
        self._bus.publish(EventType.STREAM_UNPUBLISHED, room.access, data, cause=cause)
        return self._subscriptions.forget_stream(stream)


def _require_own(participant: LiveParticipant, stream_id: str) -> LiveStream:
    require_present(participant)
    stream = participant.room.streams.get(stream_id)
    if stream is None or stream.publisher is not participant:
        raise _stream_not_found()
    return stream


def _check_change(stream: LiveStream, announcement: StreamAnnouncement) -> TrackChanges:
    try:
        return find_track_changes(stream.announcement, announcement, stream.removed)
    except StreamChangeError as error:
        raise _invalid(error.field, str(error)) from None


def _stream_not_found() -> RequestError:
    return RequestError(ErrorCode.STREAM_NOT_FOUND, field="stream_id", remedy="see stream.list")


def _invalid(field: str, remedy: str) -> RequestError:
    return RequestError(
        ErrorCode.ANNOUNCEMENT_INVALID, field=f"announcement.payload.{field}", remedy=remedy
    )
