"""`StreamApi`: rooms, streams and tracks, with everything end-to-end encrypted underneath."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from aiortc import MediaStreamTrack

from sealroom.client.connection import Connection
from sealroom.client.errors import (
    AlreadyJoinedError,
    ConnectionClosedError,
    NotJoinedError,
    RequestRefusedError,
    StreamStateError,
)
from sealroom.client.events import MAX_UNREAD_EVENTS, BoundedStream, Event, EventsDropped
from sealroom.client.handles import StreamHandle, TrackHandle
from sealroom.client.inbox import Inbox
from sealroom.client.models import (
    ParticipantInfo,
    RoomStatistics,
    StreamInfo,
    StreamSubscription,
)
from sealroom.client.publisher import StagedTrack
from sealroom.client.room_api import RoomApi
from sealroom.client.room_session import RoomSession, new_id
from sealroom.client.rotation import DEFAULT_GRACE, DEFAULT_SWITCH_WITHIN
from sealroom.client.subscriber import RemoteTrack
from sealroom.errors import InvalidArgumentError
from sealroom.media.frames import EncodedFrameHandler
from sealroom.media.sections import MediaKind
from sealroom.protocol import (
    MAX_CHANNEL_LENGTH,
    MAX_CUSTOM_EVENT_BYTES,
    MAX_NAME_LENGTH,
    MAX_ROOM_MEMBERS,
    MAX_STREAM_TRACKS,
    Empty,
    EventSubscribeParams,
    EventSubscription,
    EventType,
    JoinResult,
    RoomKickParams,
    RoomParams,
)

logger = logging.getLogger(__name__)

ROOM_EVENTS = (
    EventType.ROOM_CREATED,
    EventType.ROOM_UPDATED,
    EventType.ROOM_DELETED,
    EventType.ROOM_CLOSED,
    EventType.ROOM_REOPENED,
    EventType.ROOM_EXCLUDED,
)
"""What `subscribe_for_events` asks for unless told otherwise."""


class StreamApi(RoomApi):
    """Stream Rooms over one connection. Event-loop thread only.

    Every method that asks the Bridge may raise `RequestRefusedError`, `RequestTimeoutError` or
    `ConnectionClosedError`; every method that takes something from it may raise a
    `VerificationError` (`sealroom.crypto.errors`) that names the lie.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        host_addresses: Sequence[str] | None = None,
        switch_within: float = DEFAULT_SWITCH_WITHIN,
        grace: float = DEFAULT_GRACE,
    ) -> None:
        """Makes an API for one connection.

        Args:
            connection: logged in; stays its owner's to close.
            host_addresses: local IP addresses for media, None for all but loopback.
            switch_within: seconds after which this side's senders use a new epoch's key even if
                not everybody has said to have it; 0 to switch at once, at the price of frames that
                others cannot decrypt yet.
            grace: seconds for which frames of the epoch before are still accepted at the most.

        Raises:
            InvalidArgumentError: a time is negative or above a minute.
        """
        if not (0 <= switch_within <= 60 and 0 <= grace <= 60):
            raise InvalidArgumentError("switch_within, grace: from 0 to 60 seconds")
        super().__init__(connection)
        self._host_addresses = host_addresses
        self._switch_within = switch_within
        self._grace = grace
        self._streams: dict[str, tuple[str, list[StagedTrack], bool]] = {}
        self._listeners: list[Callable[[Event], None]] = []
        self._event_streams: list[BoundedStream[Event]] = []
        self._inbox = Inbox(connection, self._joined, self._directory, self._emit)

    # Taking part.

    async def join_stream_room(self, room_id: str) -> None:
        """Joins a room: its events begin, streams can be published and subscribed to.

        Raises AlreadyJoinedError.
        """
        if room_id in self._joined:
            raise AlreadyJoinedError(f"room {room_id} is joined already")
        # Events of the room wait until it is set up, so none is lost or comes too early.
        async with self._inbox.paused():
            opened = await self._directory.get(room_id)
            joined = await self._connection.call(
                "room.join", RoomParams(room_id=room_id), JoinResult
            )
            session = RoomSession(
                self._connection,
                self._directory,
                opened,
                joined,
                host_addresses=self._host_addresses,
                switch_within=self._switch_within,
                grace=self._grace,
                emit=self._emit,
            )
            self._joined[room_id] = session
            await session.start(joined.streams, joined.version)

    async def leave_stream_room(self, room_id: str) -> None:
        """Leaves a room; its tracks end and its stream handles are dead. Raises NotJoinedError."""
        self._session(room_id)
        await self._forget(room_id).close()
        if not self._connection.is_closed:
            await self._connection.call("room.leave", RoomParams(room_id=room_id), Empty)

    async def kick_participant(self, room_id: str, participant_id: str) -> None:
        """Throws a participant out of a room; who stays a member can join again.

        To keep somebody out, remove the member: `update_stream_room`.
        """
        params = RoomKickParams(room_id=room_id, participant_id=participant_id)
        await self._connection.call("room.kick", params, Empty)

    async def send_custom_event(
        self,
        room_id: str,
        data: bytes,
        *,
        channel: str = "",
        user_ids: Sequence[str] | None = None,
    ) -> None:
        """Sends an event of the application's to participants of a joined room, as `CustomEvent`.

        Args:
            room_id: of a joined room.
            data: up to 16 KiB, encrypted for the members of the room and signed.
            channel: up to 64 characters to tell kinds of events apart; the Bridge can read it.
            user_ids: the members it is for; None for all. Other members could decrypt it if the
                Bridge gave it to them; their clients then refuse it.

        Raises:
            InvalidArgumentError: an argument is beyond its limit.
        """
        if len(data) > MAX_CUSTOM_EVENT_BYTES:
            raise InvalidArgumentError(f"data: at most {MAX_CUSTOM_EVENT_BYTES} bytes")
        if len(channel) > MAX_CHANNEL_LENGTH:
            raise InvalidArgumentError(f"channel: at most {MAX_CHANNEL_LENGTH} characters")
        if user_ids is not None and not 1 <= len(user_ids) <= MAX_ROOM_MEMBERS:
            raise InvalidArgumentError(f"user_ids: 1 to {MAX_ROOM_MEMBERS}")
        await self._session(room_id).send_event(bytes(data), channel, user_ids)

    def list_participants(self, room_id: str) -> list[ParticipantInfo]:
        """Live participants of a joined room, the caller included."""
        return [ParticipantInfo.of(one) for one in self._session(room_id).participants.values()]

    # Publishing.

    async def create_stream(self, room_id: str) -> StreamHandle:
        """Makes an empty stream in a joined room; nothing is sent before `publish_stream`."""
        self._session(room_id)
        stream_id = new_id()
        self._streams[stream_id] = (room_id, [], False)
        return StreamHandle(self, room_id, stream_id)

    async def add_track(
        self,
        stream: StreamHandle,
        track: MediaStreamTrack,
        *,
        name: str = "",
        encoded_frame_handler: EncodedFrameHandler | None = None,
        bitrate: int | None = None,
    ) -> TrackHandle:
        """Adds a track to a stream that is not published yet.

        Args:
            stream: from `create_stream`.
            track: any aiortc track of decoded frames, or of `av.Packet`s already VP8 or Opus.
            name: shown to the members of the room; the announcement is not encrypted.
            encoded_frame_handler: sees each encoded frame before it is encrypted.
            bitrate: target in bits per second.
        """
        tracks = self._unpublished(stream)
        if track.kind not in ("audio", "video"):
            raise InvalidArgumentError(f"track: kind {track.kind!r} is neither audio nor video")
        if len(name) > MAX_NAME_LENGTH:
            raise InvalidArgumentError(f"name: at most {MAX_NAME_LENGTH} characters")
        if len(tracks) >= MAX_STREAM_TRACKS:
            raise InvalidArgumentError(f"stream: at most {MAX_STREAM_TRACKS} tracks")
        kind: MediaKind = "video" if track.kind == "video" else "audio"
        staged = StagedTrack(new_id(), name, kind, track, encoded_frame_handler, bitrate)
        tracks.append(staged)
        return TrackHandle(stream.stream_id, staged.track_id, staged.kind, name)

    async def publish_stream(self, stream: StreamHandle) -> None:
        """Announces the stream, connects and begins to send.

        Raises StreamStateError if it has no track or is published already.
        """
        tracks = self._unpublished(stream)
        if not tracks:
            raise StreamStateError("the stream has no track: add one before publishing")
        self._streams[stream.stream_id] = (stream.room_id, tracks, True)
        try:
            await self._session(stream.room_id).publish(stream.stream_id, tracks)
        except BaseException:
            if stream.stream_id in self._streams:
                self._streams[stream.stream_id] = (stream.room_id, tracks, False)
            raise

    async def unpublish_stream(self, stream: StreamHandle) -> None:
        """Stops sending; the handle is dead afterwards. The sources stay the caller's to stop."""
        room_id, _, is_published = self._stream(stream)
        if not is_published:
            raise StreamStateError("the stream is not published")
        del self._streams[stream.stream_id]
        await self._session(room_id).unpublish(stream.stream_id)

    # Receiving.

    async def list_streams(self, room_id: str) -> list[StreamInfo]:
        """The verified streams of a joined room, the caller's own included."""
        return [StreamInfo.of(one) for one in self._session(room_id).streams.values()]

    async def subscribe_to_remote_streams(
        self, room_id: str, subscriptions: Sequence[StreamSubscription]
    ) -> None:
        """Begins to receive these streams or tracks, besides what is received already."""
        if not subscriptions:
            raise InvalidArgumentError("subscriptions: at least one")
        await self._session(room_id).receiving.subscribe(subscriptions, ())

    async def unsubscribe_from_remote_streams(
        self, room_id: str, subscriptions: Sequence[StreamSubscription]
    ) -> None:
        """Stops receiving these streams or tracks; what is not received is no error."""
        if not subscriptions:
            raise InvalidArgumentError("subscriptions: at least one")
        await self._session(room_id).receiving.subscribe((), subscriptions)

    def add_remote_stream_listener(
        self,
        room_id: str,
        on_track: Callable[[RemoteTrack], None],
        *,
        stream_id: str | None = None,
    ) -> Callable[[], None]:
        """Calls `on_track` with each track received, those already there first.

        Returns a function that ends it.
        """
        return self._session(room_id).receiving.add_track_listener(on_track, stream_id)

    def remote_tracks(self, room_id: str) -> AsyncIterator[RemoteTrack]:
        """Iterates over the tracks received, those already there first, until the room is left."""
        return aiter(self._session(room_id).receiving.open_track_stream())

    def drop_broken_frames(self, room_id: str, drop: bool) -> None:
        """Whether frames that fail decryption are dropped (the default) or shown to handlers.

        Shown ones carry the reason in `EncodedFrame.rejected`. No decoder ever sees them.
        """
        self._session(room_id).receiving.set_drop_broken_frames(drop)

    # Events.

    async def subscribe_for_events(
        self, types: Iterable[EventType] = ROOM_EVENTS, *, room_id: str | None = None
    ) -> str:
        """Asks the Bridge for events of one room, or of all the caller's rooms, joined or not.

        Those of a joined room come without asking. Returns an id for `unsubscribe_from_events`.
        """
        params = EventSubscribeParams(
            types=list(types),
            scope="context" if room_id is None else "room",
            scope_id=self._connection.context_id if room_id is None else room_id,
        )
        result = await self._connection.call("events.subscribe", params, EventSubscription)
        return result.subscription_id

    async def unsubscribe_from_events(self, subscription_id: str) -> None:
        """Ends what `subscribe_for_events` began."""
        params = EventSubscription(subscription_id=subscription_id)
        await self._connection.call("events.unsubscribe", params, Empty)

    def add_event_listener(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Calls `listener` with every event; returns a function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def events(self) -> AsyncIterator[Event]:
        """Iterates over events from this call on, until the connection is closed; bounded."""
        stream: BoundedStream[Event] = BoundedStream(MAX_UNREAD_EVENTS)
        self._event_streams.append(stream)
        if self._connection.is_closed:
            stream.close()
        return self._iterate(stream)

    async def _iterate(self, stream: BoundedStream[Event]) -> AsyncIterator[Event]:
        try:
            async for event in stream:
                if dropped := stream.take_dropped():
                    yield EventsDropped(dropped)
                yield event
        finally:
            self._event_streams.remove(stream)

    def statistics(self, room_id: str) -> RoomStatistics:
        """Counters of a joined room's tracks and connections."""
        return self._session(room_id).statistics()

    async def close(self) -> None:
        """Leaves all rooms; the connection stays its owner's to close. Idempotent."""
        for room_id in list(self._joined):
            with contextlib.suppress(RequestRefusedError, ConnectionClosedError):
                await self.leave_stream_room(room_id)
        await self._inbox.close()
        for stream in self._event_streams:
            stream.close()

    def _emit(self, event: Event) -> None:
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception:
                logger.exception("an event listener failed")
        for stream in self._event_streams:
            stream.put(event)
        if self._connection.is_closed:
            for stream in self._event_streams:
                stream.close()

    def _forget(self, room_id: str) -> RoomSession:
        self._streams = {key: one for key, one in self._streams.items() if one[0] != room_id}
        return self._joined.pop(room_id)

    def _session(self, room_id: str) -> RoomSession:
        session = self._joined.get(room_id)
        if session is None:
            raise NotJoinedError(f"room {room_id} is not joined: call join_stream_room first")
        return session

    def _stream(self, stream: StreamHandle) -> tuple[str, list[StagedTrack], bool]:
        found = self._streams.get(stream.stream_id)
        if found is None:
            raise StreamStateError("this stream handle is dead: create a new stream")
        return found

    def _unpublished(self, stream: StreamHandle) -> list[StagedTrack]:
        _, tracks, is_published = self._stream(stream)
        if is_published:
            raise StreamStateError("the stream is published already")
        return tracks
