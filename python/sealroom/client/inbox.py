"""Takes the Bridge's events one after another to the joined rooms."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from sealroom.client.connection import Connection
from sealroom.client.errors import ConnectionClosedError
from sealroom.client.events import (
    ConnectionClosed,
    ConnectionStateChanged,
    Event,
    ParticipantJoined,
    ParticipantLeft,
    RecordingStarted,
    RecordingStopped,
    RoomClosed,
    RoomCreated,
    RoomDeleted,
    RoomExcluded,
    RoomLost,
    RoomReopened,
    RoomUpdated,
    StreamPublished,
    StreamRefused,
    StreamUnpublished,
    StreamUpdated,
)
from sealroom.client.models import ParticipantInfo, StreamInfo
from sealroom.client.room_session import RoomSession
from sealroom.client.rooms import RoomDirectory
from sealroom.errors import SealroomError
from sealroom.protocol import (
    CustomEventView,
    DataCut,
    EventEnvelope,
    EventType,
    MediaFailed,
    MediaOffer,
    Message,
    Participant,
    ParticipantGone,
    RecordingNotice,
    RoomEpochReady,
    StreamView,
    decode_event_data,
)
from sealroom.protocol import RoomClosed as RoomClosedData
from sealroom.protocol import RoomCreated as RoomCreatedData
from sealroom.protocol import RoomDeleted as RoomDeletedData
from sealroom.protocol import RoomExcluded as RoomExcludedData
from sealroom.protocol import RoomReopened as RoomReopenedData
from sealroom.protocol import RoomUpdated as RoomUpdatedData
from sealroom.protocol import StreamUnpublished as StreamUnpublishedData

logger = logging.getLogger(__name__)

MAX_WAITING_EVENTS = 4096
_ENDS = {EventType.ROOM_CLOSED, EventType.ROOM_DELETED, EventType.ROOM_EXCLUDED}


class Inbox:
    """One task that handles events in order, since verifying one may ask the Bridge something.

    If more than MAX_WAITING_EVENTS wait, the connection is closed: to skip one would leave this
    side with a wrong picture of the room.
    """

    def __init__(
        self,
        connection: Connection,
        rooms: dict[str, RoomSession],
        directory: RoomDirectory,
        emit: Callable[[Event], None],
    ) -> None:
        self._connection = connection
        self._rooms = rooms
        self._directory = directory
        self._emit = emit
        self._waiting: asyncio.Queue[tuple[Connection, EventEnvelope]] = asyncio.Queue(
            MAX_WAITING_EVENTS
        )
        self._turn = asyncio.Lock()
        self.on_room_ended: Callable[[], None] = lambda: None
        self._background: set[asyncio.Task[None]] = set()
        self._stop_listening = self.listen(connection)
        connection.on_close(self._connection_closed)
        self._task = asyncio.create_task(self._run())

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Handles no event inside the block."""
        async with self._turn:
            yield

    def listen(self, connection: Connection) -> Callable[[], None]:
        """Takes the events of a home as well; returns a function that ends it."""
        return connection.on_event(lambda envelope: self._put(connection, envelope))

    def discard(self, connection: Connection) -> None:
        """Drops events of a connection's session that is over."""
        for _ in range(self._waiting.qsize()):
            one = self._waiting.get_nowait()
            if one[0] is not connection:
                self._waiting.put_nowait(one)

    async def close(self) -> None:
        self._stop_listening()
        self._task.cancel()
        await asyncio.gather(self._task, *self._background, return_exceptions=True)

    def _put(self, connection: Connection, envelope: EventEnvelope) -> None:
        try:
            self._waiting.put_nowait((connection, envelope))
        except asyncio.QueueFull:
            logger.error("more than %d events wait: closing the connection", MAX_WAITING_EVENTS)
            self._spawn(self._connection.close())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _connection_closed(self, reason: str) -> None:
        rooms = list(self._rooms.values())
        self._rooms.clear()
        self._emit(ConnectionClosed(reason))
        for room in rooms:
            self._spawn(room.close())

    async def _run(self) -> None:
        while True:
            connection, envelope = await self._waiting.get()
            async with self._turn:
                try:
                    await self._handle(connection, envelope)
                except (SealroomError, msgspec.DecodeError) as error:
                    logger.warning("event %s: %s", envelope.type, error)
                except Exception:
                    logger.exception("event %s failed", envelope.type)

    def _is_wanted(self, connection: Connection, envelope: EventEnvelope) -> bool:
        """Whether an event has come by its way: those of a joined room come from its home.

        The application's own Bridge may send the same, if it was asked for them. But while the home
        is away, it is the one that knows how the room ended.
        """
        room = self._rooms.get(envelope.room_id)
        way = self._connection if room is None else room.connection
        if connection is way:
            return True
        is_home_away = way.state not in ("connected", "resumed")
        return connection is self._connection and is_home_away and envelope.type in _ENDS

    async def _handle(self, connection: Connection, envelope: EventEnvelope) -> None:
        data = decode_event_data(envelope)
        if envelope.type is EventType.SESSION_RESYNC:
            await self._read_again(connection)
            return
        if not self._is_wanted(connection, envelope):
            return
        match envelope.type:
            case EventType.ROOM_CREATED:
                assert isinstance(data, RoomCreatedData)
                self._emit(RoomCreated(envelope.room_id, data.author))
                return
            case EventType.ROOM_CLOSED:
                assert isinstance(data, RoomClosedData)
                await self._out(envelope.room_id, RoomClosed(envelope.room_id, data.user_id))
                return
            case EventType.ROOM_EXCLUDED:
                assert isinstance(data, RoomExcludedData)
                gone = RoomExcluded(envelope.room_id, data.reason, data.user_id, data.note)
                await self._out(envelope.room_id, gone)
                return
            case EventType.ROOM_REOPENED:
                assert isinstance(data, RoomReopenedData)
                self._emit(RoomReopened(envelope.room_id, data.user_id))
                return
            case EventType.ROOM_DELETED:
                assert isinstance(data, RoomDeletedData)
                await self._out(envelope.room_id, RoomDeleted(envelope.room_id, data.user_id))
                return
        room = self._rooms.get(envelope.room_id)
        if room is None:
            await self._handle_elsewhere(envelope.room_id, envelope.type, data)
            return
        match envelope.type, data:
            case EventType.PARTICIPANT_JOINED, Participant():
                room.people.joined(data)
            case EventType.PARTICIPANT_LEFT, ParticipantGone():
                room.people.left(data)
            case EventType.ROOM_UPDATED, RoomUpdatedData():
                await room.room_updated()
            case EventType.ROOM_CUSTOM, CustomEventView():
                await room.custom_events.received(data.event)
            case EventType.ROOM_EPOCH_READY, RoomEpochReady():
                room.epoch_ready(data.epoch)
            case EventType.STREAM_PUBLISHED, StreamView():
                await room.announced.published(data)
            case EventType.STREAM_UPDATED, StreamView():
                await room.announced.updated(data)
            case EventType.STREAM_UNPUBLISHED, StreamUnpublishedData():
                await room.announced.ended(data.stream_id)
            case EventType.RECORDING_STARTED, RecordingNotice():
                room.people.recording_changed(data.participant_id, True)
            case EventType.RECORDING_STOPPED, RecordingNotice():
                room.people.recording_changed(data.participant_id, False)
            case EventType.DATA_CUT, DataCut():
                room.receiving.data_cut(data)
            case EventType.MEDIA_OFFER, MediaOffer():
                await room.receiving.media_offered(data)
            case EventType.MEDIA_FAILED, MediaFailed():
                room.media_failed(data.transport)

    async def _handle_elsewhere(self, room_id: str, kind: EventType, data: Message) -> None:
        # Events of a room that is not joined, because the application subscribed to them.
        match kind, data:
            case EventType.PARTICIPANT_JOINED, Participant():
                self._emit(ParticipantJoined(room_id, ParticipantInfo.of(data)))
            case EventType.PARTICIPANT_LEFT, ParticipantGone():
                info = ParticipantInfo(data.participant_id, data.user_id)
                self._emit(ParticipantLeft(room_id, info, data.reason))
            case EventType.RECORDING_STARTED, RecordingNotice():
                info = ParticipantInfo(data.participant_id, data.user_id, is_recording=True)
                self._emit(RecordingStarted(room_id, info))
            case EventType.RECORDING_STOPPED, RecordingNotice():
                info = ParticipantInfo(data.participant_id, data.user_id)
                self._emit(RecordingStopped(room_id, info))
            case EventType.ROOM_UPDATED, RoomUpdatedData():
                self._emit(RoomUpdated(room_id, data.version, data.epoch, data.author))
            case EventType.STREAM_UNPUBLISHED, StreamUnpublishedData():
                self._emit(StreamUnpublished(room_id, data.stream_id, data.user_id))
            case ((EventType.STREAM_PUBLISHED | EventType.STREAM_UPDATED), StreamView()):
                try:
                    opened = await self._directory.get(room_id)
                    stream = await self._directory.verify_stream(data, opened)
                except SealroomError as error:
                    self._emit(StreamRefused(room_id, data.stream_id, data.user_id, error))
                else:
                    made = StreamUpdated if kind is EventType.STREAM_UPDATED else StreamPublished
                    self._emit(made(room_id, StreamInfo.of(stream)))

    async def _read_again(self, connection: Connection) -> None:
        """Events are lost: brings rooms up to date, and ends those this side is out of."""
        for room_id, room in list(self._rooms.items()):
            if room.connection is not connection:
                continue
            try:
                await room.read_again()
            except ConnectionClosedError:
                raise
            except SealroomError as error:
                await self._out(room_id, RoomLost(room_id, error))
        home = "" if connection is self._connection else connection.url
        self._emit(ConnectionStateChanged("resynced", "events were lost", home))

    async def _out(self, room_id: str, event: Event) -> None:
        room = self._rooms.pop(room_id, None)
        self._emit(event)
        if room is not None:
            await room.close()
            self.on_room_ended()
