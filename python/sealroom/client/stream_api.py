"""`StreamApi`: rooms, streams and tracks, with everything end-to-end encrypted underneath."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

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
    StreamRoom,
    StreamRoomList,
    StreamSubscription,
    UserIdentity,
)
from sealroom.client.publisher import StagedTrack
from sealroom.client.room_editor import RoomEditor
from sealroom.client.room_session import RoomSession, new_id
from sealroom.client.rooms import RoomDirectory
from sealroom.client.rotation import DEFAULT_GRACE, DEFAULT_SWITCH_WITHIN
from sealroom.client.subscriber import RemoteTrack
from sealroom.errors import InvalidArgumentError
from sealroom.identity import pair_safety_number, room_safety_number
from sealroom.media.frames import EncodedFrameHandler
from sealroom.media.sections import MediaKind
from sealroom.protocol import (
    MAX_DELETED_ROOMS,
    MAX_NAME_LENGTH,
    MAX_PAGE_ITEMS,
    MAX_STREAM_TRACKS,
    Empty,
    EventSubscribeParams,
    EventSubscription,
    EventType,
    JoinResult,
    PublicValue,
    RoomDeleteManyParams,
    RoomDeleteManyResult,
    RoomKickParams,
    RoomListParams,
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


class StreamApi:
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
        self._connection = connection
        self._host_addresses = host_addresses
        self._switch_within = switch_within
        self._grace = grace
        self._directory = RoomDirectory(connection)
        self._editor = RoomEditor(connection, self._directory)
        self._joined: dict[str, RoomSession] = {}
        self._streams: dict[str, tuple[str, list[StagedTrack], bool]] = {}
        self._listeners: list[Callable[[Event], None]] = []
        self._event_streams: list[BoundedStream[Event]] = []
        self._inbox = Inbox(connection, self._joined, self._directory, self._emit)

    # Rooms.

    async def create_stream_room(
        self,
        context_id: str,
        users: Sequence[str | UserIdentity],
        managers: Sequence[str | UserIdentity] = (),
        *,
        public_meta: bytes = b"",
        private_meta: bytes = b"",
        policy: Mapping[str, str] | None = None,
        empty_room_ttl: float | None = None,
        room_type: str = "",
    ) -> str:
        """Creates a room and returns its id.

        The caller is one of its managers; where the policy says `creator_has_to_be_manager` "no"
        and the caller is among `users` only, a user.

        Args:
            context_id: the connection's context.
            users, managers: members, by user id (the key is then the Bridge's word, checked by the
                connection's `UserVerifier`) or as `UserIdentity`.
            public_meta: up to 64 KiB that the Bridge can read; if it is a JSON object, lists can
                filter on its fields.
            private_meta: up to 64 KiB that only members can read.
            policy: expressions by right and flags, `{"publish": "manager", "share_history":
                "yes"}`; the context's entries, then the defaults for the rest (`sealroom.access`).
            empty_room_ttl: seconds after which an empty room closes; None for the Bridge's choice.
            room_type: up to 64 characters that lists can ask for; it never changes.

        Raises:
            InvalidArgumentError: an argument is beyond its limit, or a user not in the context.
            PolicyError: the policy names an unknown entry or a malformed value.
            MemberKeyMismatchError: the `UserVerifier` refuses a member's key.
        """
        if context_id != self._connection.context_id:
            raise InvalidArgumentError("context_id: not the context of this connection")
        opened = await self._editor.create(
            users,
            managers,
            public_meta=public_meta,
            private_meta=private_meta,
            policy=policy,
            empty_room_ttl=empty_room_ttl,
            room_type=room_type,
        )
        return opened.room.room_id

    async def update_stream_room(
        self,
        room_id: str,
        *,
        users: Sequence[str | UserIdentity] | None = None,
        managers: Sequence[str | UserIdentity] | None = None,
        public_meta: bytes | None = None,
        private_meta: bytes | None = None,
        policy: Mapping[str, str] | None = None,
        version: int | None = None,
        force: bool = False,
        force_generate_new_key: bool = False,
        empty_room_ttl: float | None = None,
    ) -> StreamRoom:
        """Changes a room; what is None stays as it is.

        A member who is in neither list any more is out at once, and a new epoch begins, whose
        secret only the others get. A new member gets the current epoch's secret, and older ones
        only if the policy says `share_history`.

        Two managers may change a room at once. Changes of different things (members, policy
        entries, public and private metadata count one by one) are both made; of the same thing,
        the second is refused.

        Args:
            room_id: of the room.
            users, managers: all members of that role from now on, see `create_stream_room`.
            public_meta, private_meta, policy, empty_room_ttl: see `create_stream_room`.
            version: refuse unless the room is at this version; None to take the newest.
            force: make this change whatever others changed meanwhile, `version` is not looked at.
            force_generate_new_key: begin a new epoch although nobody is removed.

        Raises:
            VersionConflictError: not at `version`, or somebody changed the same thing meanwhile.
            RecordRuleError: the policy or the rules of managers do not allow it.
            RoomMembersError: no manager would be left.
        """
        opened = await self._editor.update(
            room_id,
            users=users,
            managers=managers,
            public_meta=public_meta,
            private_meta=private_meta,
            policy=policy,
            version=version,
            force=force,
            force_generate_new_key=force_generate_new_key,
            empty_room_ttl=empty_room_ttl,
        )
        if (session := self._joined.get(room_id)) is not None:
            await session.room_updated()  # the Bridge tells everybody but the one who did it
        return opened.room

    async def get_stream_room(self, room_id: str) -> StreamRoom:
        """Fetches, verifies and decrypts a room.

        Raises:
            RecordRollbackError, RecordForkError: not the history this user has seen before.
            VerificationError: another of `sealroom.crypto.errors`, one for each lie.
        """
        return (await self._directory.get(room_id)).room

    async def list_stream_rooms(
        self,
        *,
        skip: int = 0,
        limit: int = 100,
        sort_order: str = "desc",
        sort_by: str = "created_at",
        last_id: str | None = None,
        filter: Mapping[str, PublicValue] | None = None,
        room_type: str | None = None,
    ) -> StreamRoomList:
        """Lists the caller's rooms; one that does not verify spoils no other.

        Args:
            skip: how many to leave out, after `last_id` if given.
            limit: 1 to 100; a page may be shorter when rooms are large.
            sort_order: "asc" or "desc".
            sort_by: "created_at" or "modified_at", by the Bridge's clock.
            last_id: the last room of the page before, to go on after it.
            filter: fields of the public metadata and the value each must have,
                `{"kind": "lecture"}`, at most 8; only rooms whose public metadata is a JSON object
                match, by its first 64 fields of up to 256 characters.
            room_type: only rooms of this type.
        """
        if sort_order not in ("asc", "desc"):
            raise InvalidArgumentError("sort_order: 'asc' or 'desc'")
        if sort_by not in ("created_at", "modified_at"):
            raise InvalidArgumentError("sort_by: 'created_at' or 'modified_at'")
        if not (skip >= 0 and 1 <= limit <= MAX_PAGE_ITEMS):
            raise InvalidArgumentError(f"skip: from 0; limit: 1 to {MAX_PAGE_ITEMS}")
        params = RoomListParams(
            context_id=self._connection.context_id,
            skip=skip,
            limit=limit,
            sort_order="asc" if sort_order == "asc" else "desc",
            sort_by="created_at" if sort_by == "created_at" else "modified_at",
            last_id=last_id,
            filter=dict(filter or {}),
            room_type=room_type,
        )
        return await self._directory.page(params)

    async def delete_stream_room(self, room_id: str) -> None:
        """Deletes a room; its participants are out at once."""
        await self._directory.delete(room_id)
        await self._end(room_id)  # the Bridge tells everybody but the one who did it

    async def delete_stream_rooms(self, room_ids: Sequence[str]) -> dict[str, int | None]:
        """Deletes up to 100 rooms and returns an error code for each that is still there.

        Raises:
            InvalidArgumentError: no room, or too many.
        """
        if not 1 <= len(room_ids) <= MAX_DELETED_ROOMS:
            raise InvalidArgumentError(f"room_ids: 1 to {MAX_DELETED_ROOMS}")
        params = RoomDeleteManyParams(room_ids=list(room_ids))
        result = await self._connection.call("room.delete_many", params, RoomDeleteManyResult)
        for one in result.rooms:
            if one.error is None:
                await self._end(one.room_id)
        return {one.room_id: one.error for one in result.rooms}

    async def close_stream_room(self, room_id: str) -> None:
        """Closes a room: everyone in it is out, nobody can join. It can be reopened."""
        await self._connection.call("room.close", RoomParams(room_id=room_id), Empty)
        await self._end(room_id)

    async def reopen_stream_room(self, room_id: str) -> None:
        """Opens a closed room; if nobody joins, it closes after its time to live."""
        await self._connection.call("room.reopen", RoomParams(room_id=room_id), Empty)

    async def safety_number(self, user_id: str) -> str:
        """The number to compare with another user of the context, who sees the same one.

        It stands for both keys as the `UserVerifier` believes them.

        Raises:
            InvalidArgumentError: no other user of the context.
            MemberKeyMismatchError: the key the Bridge shows now is not the believed one.
        """
        connection = self._connection
        if user_id == connection.user_id:
            raise InvalidArgumentError("user_id: of another user")
        identity = (await self._directory.identities([user_id], {}))[user_id]
        own = connection.identity.public.fingerprint
        users = {connection.user_id: own, user_id: identity.fingerprint}
        return pair_safety_number(connection.context_id, users)

    async def room_safety_number(self, room_id: str) -> str:
        """The number that all members of a room see alike; it changes with its members and keys."""
        record = (await self._directory.get(room_id)).record
        members = {one.user_id: one.identity_fingerprint for one in record.members}
        return room_safety_number(record.context_id, room_id, members)

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
        await self._session(room_id).subscribe(subscriptions, ())

    async def unsubscribe_from_remote_streams(
        self, room_id: str, subscriptions: Sequence[StreamSubscription]
    ) -> None:
        """Stops receiving these streams or tracks; what is not received is no error."""
        if not subscriptions:
            raise InvalidArgumentError("subscriptions: at least one")
        await self._session(room_id).subscribe((), subscriptions)

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
        return self._session(room_id).add_track_listener(on_track, stream_id)

    def remote_tracks(self, room_id: str) -> AsyncIterator[RemoteTrack]:
        """Iterates over the tracks received, those already there first, until the room is left."""
        return aiter(self._session(room_id).open_track_stream())

    def drop_broken_frames(self, room_id: str, drop: bool) -> None:
        """Whether frames that fail decryption are dropped (the default) or shown to handlers.

        Shown ones carry the reason in `EncodedFrame.rejected`. No decoder ever sees them.
        """
        self._session(room_id).set_drop_broken_frames(drop)

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

    async def _end(self, room_id: str) -> None:
        if room_id in self._joined:
            await self._forget(room_id).close()

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
