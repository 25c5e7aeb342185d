"""One joined room: who is there, what is published, its keys, and the ways out and in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from sealroom._core import crypto as native_crypto
from sealroom.access import Right, member_may
from sealroom.client.connection import Connection
from sealroom.client.errors import (
    ConnectionClosedError,
    DataTrackLostError,
    NotJoinedError,
    RequestRefusedError,
    SessionMismatchError,
)
from sealroom.client.events import (
    CustomEvent,
    CustomEventRefused,
    Event,
    KeyRotated,
    ParticipantJoined,
    ParticipantLeft,
    RecordingStarted,
    RecordingStopped,
    RoomRefused,
    RoomUpdated,
    StreamPublished,
    StreamRefused,
    StreamUnpublished,
    StreamUpdated,
)
from sealroom.client.ice_servers import IceServers
from sealroom.client.models import (
    ParticipantInfo,
    RoomStatistics,
    StreamInfo,
)
from sealroom.client.room_levels import RoomLevels
from sealroom.client.room_link import RoomLink
from sealroom.client.room_publishing import RoomPublishing
from sealroom.client.room_receiving import RoomReceiving
from sealroom.client.rooms import OpenRoom, RoomDirectory
from sealroom.client.rotation import KeySchedule
from sealroom.crypto.announcement import VerifiedStream, verify_update
from sealroom.crypto.custom_event import make_custom_event
from sealroom.crypto.epoch import EpochKeys
from sealroom.crypto.errors import (
    EventReplayError,
    RecordRollbackError,
    StreamMismatchError,
    StreamReplayError,
)
from sealroom.errors import SealroomError
from sealroom.media.ice import HostAddresses
from sealroom.protocol import (
    Empty,
    ErrorCode,
    JoinResult,
    Participant,
    ParticipantGone,
    ParticipantsResult,
    RoomParams,
    RoomReadyParams,
    RoomSendEventParams,
    SignedObject,
    StreamAnnouncement,
    StreamListResult,
    StreamView,
    TransportRole,
)
from sealroom.protocol import (
    StreamUnpublished as StreamUnpublishedData,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger(__name__)

MAX_ENDED_STREAMS = 10_000
MAX_SEEN_EVENTS = 10_000


class RoomSession:
    """What `StreamApi` keeps for a joined room. Event-loop thread only."""

    def __init__(
        self,
        connection: Connection,
        directory: RoomDirectory,
        room: OpenRoom,
        joined: JoinResult,
        *,
        host_addresses: HostAddresses,
        switch_within: float,
        grace: float,
        emit: Callable[[Event], None],
    ) -> None:
        self.room_id = room.room.room_id
        self.participant_id = joined.participant_id
        self.participants = {one.participant_id: one for one in joined.participants}
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
        self._emit = emit
        self._link = RoomLink(
            room_id=self.room_id,
            participant_id=joined.participant_id,
            connection=connection,
            keys=self._keys,
            host_addresses=host_addresses,
            ice_servers=(),
            emit=emit,
        )
        self._ice_servers = IceServers(
            connection, self.room_id, joined.media, self._link.set_ice_servers
        )
        self._link.set_ice_servers(self._ice_servers.current)
        self._link.fetch_ice_servers = self._ice_servers.fetch
        self.streams = self._link.streams
        self.publishing = RoomPublishing(self._link)
        self.receiving = RoomReceiving(self._link, self._fetch_streams)
        self.levels = RoomLevels(self._link, self.publishing, self.receiving)
        self._link.on_tracks_changed = self.levels.wake
        self._ended_nonces: dict[bytes, None] = {}
        self._seen_events: dict[str, None] = {}
        self.session_id = connection.session_id  # of the connection, in which it was joined
        self.is_set_up = False
        self.gives_recording_notice = False  # also in the sessions that take this one's place
        self._before: dict[str, VerifiedStream] = {}  # of the session before, not seen again yet
        self._update_lock = asyncio.Lock()

    async def start(self, streams: Sequence[StreamView], version: int) -> None:
        """Takes the streams that were there before; `version` is the room's when it was joined.

        Raises:
            SessionMismatchError: the Bridge says that this participant is somebody else's.
            RecordRollbackError: it let this side in by an older record than it showed before.
        """
        own = self.own
        if own is None or own.user_id != self._connection.user_id:
            raise SessionMismatchError("the Bridge joins this side as somebody else's participant")
        if version < self._room.record.version:
            raise RecordRollbackError(
                f"joined at version {version} of a room that was at {self._room.record.version}"
            )
        if version > self._room.record.version:
            await self.room_updated()
        await self._take_streams(streams)
        self.is_set_up = True

    async def retire(self) -> list[str]:
        """Ends the media of a session that is over; another takes the rest over.

        Returns the ids of what was published.
        """
        self._link.is_closed = True
        self._keys.close()
        self.levels.close()
        await self._ice_servers.close()
        published = self.publishing.published
        await self.publishing.close(is_for_good=False)
        await self.receiving.end(DataTrackLostError("the session is over"))
        return published

    def take_over(self, other: RoomSession) -> None:
        """Goes on for the room's session before, which is retired, and tells what is gone since.

        Streams that ended, and custom events that came, stay known: they are not believed again.
        """
        self._ended_nonces, self._seen_events = other._ended_nonces, other._seen_events
        self.gives_recording_notice = other.gives_recording_notice
        self.receiving.adopt(other.receiving)
        self.levels.adopt(other.levels)
        for one in other.participants.values():
            if one.participant_id not in self.participants and one != other.own:
                self._emit(ParticipantLeft(self.room_id, ParticipantInfo.of(one), "unknown"))
        for one in self.participants.values():
            if one.participant_id not in other.participants and one != self.own:
                self._emit(ParticipantJoined(self.room_id, ParticipantInfo.of(one)))
        for stream in other.streams.values():
            if stream.participant_id == other.participant_id:
                self._remember_ended(stream)  # published again under another nonce
            else:
                self._before[stream.stream_id] = stream

    @property
    def connection(self) -> Connection:
        """The connection to the room's home."""
        return self._connection

    @property
    def is_over(self) -> bool:
        """Whether it was closed, or retired for another to take over."""
        return self._link.is_closed

    @property
    def own(self) -> Participant | None:
        """This participant."""
        return self.participants.get(self.participant_id)

    async def read_again(self) -> None:
        """Reads everything again, since events were lost, and tells what differs.

        Raises:
            NotJoinedError: this participant is in the room no longer.
            SealroomError: the Bridge does not answer or refuses.
        """
        params = RoomParams(room_id=self.room_id)
        connection = self._connection
        found = await connection.call("room.participants", params, ParticipantsResult)
        listed = await connection.call("stream.list", params, StreamListResult)
        there = {one.participant_id: one for one in found.participants}
        if self.participant_id not in there:
            raise NotJoinedError(f"room {self.room_id}: this participant is out of it")
        await self.room_updated()
        for one in list(self.participants.values()):
            if one.participant_id not in there:
                del self.participants[one.participant_id]
                self._emit(ParticipantLeft(self.room_id, ParticipantInfo.of(one), "unknown"))
        for one in there.values():
            self.participant_joined(one)
            self.recording_changed(one.participant_id, one.recording)
        announced = {one.stream_id: one.announcement.payload for one in listed.streams}
        for stream in list(self.streams.values()):
            payload = announced.get(stream.stream_id)
            if payload is None or not _is_of(payload, stream):
                await self._stream_ended(stream.stream_id)
        for view in listed.streams:
            await self.stream_updated(view)
        await self._take_streams(listed.streams)
        await self.receiving.read_again()

    async def _take_streams(self, views: Sequence[StreamView]) -> None:
        for view in views:
            await self._take_stream(view)
        before, self._before = self._before, {}
        for stream in before.values():
            self._end_before(stream)
        await self.receiving.subscribe_to_returned(list(self.streams.values()))

    # What happens in the room.

    def participant_joined(self, participant: Participant) -> None:
        if self.participants.setdefault(participant.participant_id, participant) is participant:
            self._emit(ParticipantJoined(self.room_id, self._info(participant)))

    def participant_left(self, gone: ParticipantGone) -> None:
        participant = self.participants.pop(gone.participant_id, None)
        if participant is not None:
            info = self._info(participant)
            self._emit(ParticipantLeft(self.room_id, info, gone.reason))

    def recording_changed(self, participant_id: str, is_recording: bool) -> None:
        """A participant, perhaps this one, begins or ends to record, as it says."""
        if participant_id == self.participant_id:
            self.gives_recording_notice = is_recording
        participant = self.participants.get(participant_id)
        if participant is None or participant.recording is is_recording:
            return
        changed = msgspec.structs.replace(participant, recording=is_recording)
        self.participants[participant_id] = changed
        made = RecordingStarted if is_recording else RecordingStopped
        self._emit(made(self.room_id, self._info(changed)))

    async def give_recording_notice(self) -> None:
        """Says that this participant records; no error if the Bridge knows.

        Raises RequestRefusedError.
        """
        try:
            params = RoomParams(room_id=self.room_id)
            await self._connection.call("recording.start", params, Empty)
        except RequestRefusedError as error:
            if error.error_code != ErrorCode.RECORDING_ALREADY:
                raise
        self.recording_changed(self.participant_id, True)

    def recording_notice_lost(self) -> None:
        """The notice of the session before is not taken any more: the application is told."""
        self.gives_recording_notice = False
        if (own := self.own) is not None:
            self._emit(RecordingStopped(self.room_id, self._info(own)))

    def participant_infos(self) -> list[ParticipantInfo]:
        """Who is there, this participant included."""
        return [self._info(one) for one in self.participants.values()]

    def _info(self, participant: Participant) -> ParticipantInfo:
        key = participant.participant_id
        published = [one.stream_id for one in self.streams.values() if one.participant_id == key]
        return ParticipantInfo.of(participant, published)

    async def room_updated(self) -> None:
        """Verifies what changed, accepts new epochs and tells the Bridge so."""
        async with self._update_lock:
            await self._take_update()

    async def _take_update(self) -> None:
        if self._link.is_closed:
            return
        before = self._room
        try:
            room = await self._directory.refresh(before)
        except ConnectionClosedError:
            return
        except SealroomError as error:
            self._emit(RoomRefused(self.room_id, error))
            return
        if self._link.is_closed or room is before:
            return
        self._room = room
        self._accept_epochs(room)
        record = room.record
        self._emit(RoomUpdated(self.room_id, record.version, record.epoch, record.author))
        await self._end_forbidden_streams()
        if record.epoch > before.record.epoch:
            params = RoomReadyParams(room_id=self.room_id, epoch=record.epoch)
            with contextlib.suppress(RequestRefusedError):  # out meanwhile
                await self._connection.call("room.ready", params, Empty)

    async def _end_forbidden_streams(self) -> None:
        """The Bridge ends them as well, but what the signed record says needs no word of it."""
        for stream in list(self.streams.values()):
            if not member_may(self._room.record, Right.PUBLISH, stream.user_id):
                await self.stream_unpublished(
                    StreamUnpublishedData(
                        stream_id=stream.stream_id,
                        participant_id=stream.participant_id,
                        user_id=stream.user_id,
                    )
                )

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
                self.receiving.add_epoch(keys)
                self._keys.add(keys)

    def _switch_senders(self, keys: EpochKeys) -> None:
        self.publishing.rotate(keys)
        self._emit(KeyRotated(self.room_id, keys.id.epoch))

    def _retire_epochs(self, epoch: int) -> None:
        self.receiving.drop_epochs_before(epoch)

    async def stream_published(self, view: StreamView) -> None:
        """Believes the stream if its announcement verifies; a second showing changes nothing.

        If it was wanted before it ended, it is subscribed to again.
        """
        stream = await self._take_stream(view)
        if stream is not None:
            await self.receiving.subscribe_to_returned([stream])

    async def _take_stream(self, view: StreamView) -> VerifiedStream | None:
        if view.stream_id in self.streams:
            return None
        try:
            stream = await self._directory.verify_stream(view, self._room)
            if stream.announcement.nonce in self._ended_nonces:
                raise StreamReplayError("the announcement of a stream that has ended comes back")
            before = self._before.get(view.stream_id)
            if before is not None and before.announcement.nonce == stream.announcement.nonce:
                return self._take_known(before, stream)
        except SealroomError as error:
            self._emit(StreamRefused(self.room_id, view.stream_id, view.user_id, error))
            return None
        if before is not None:  # published again: who counts by id must hear of its end first
            del self._before[view.stream_id]
            self._end_before(before)
        self.streams[view.stream_id] = stream
        self._emit(StreamPublished(self.room_id, StreamInfo.of(stream)))
        return stream

    def _end_before(self, stream: VerifiedStream) -> None:
        self._remember_ended(stream)
        self.receiving.end_stream(stream.stream_id)
        self._emit(StreamUnpublished(self.room_id, stream.stream_id, stream.user_id))

    def _take_known(self, before: VerifiedStream, stream: VerifiedStream) -> VerifiedStream:
        """It has been there all the time; it may have gone on, and it does not go back.

        Raises StreamMismatchError, StreamUpdateError.
        """
        if stream.participant_id != before.participant_id:
            raise StreamMismatchError("the stream is shown as another participant's than before")
        is_same = stream.announcement == before.announcement
        taken = before if is_same else verify_update(before, stream)[0]
        del self._before[stream.stream_id]
        self.streams[stream.stream_id] = taken
        if not is_same:
            self._emit(StreamUpdated.of(self.room_id, StreamInfo.of(before), StreamInfo.of(taken)))
        return taken

    async def stream_updated(self, view: StreamView) -> None:
        """Believes a newer announcement; one that is known already changes nothing.

        A refused one leaves the stream as it was.
        """
        before = self.streams.get(view.stream_id)
        if before is None or view.participant_id == self.participant_id:
            return
        try:
            newer = await self._directory.verify_stream(view, self._room)
            before = self.streams.get(view.stream_id)
            if before is None or newer.announcement == before.announcement:
                return  # ended or taken meanwhile
            stream, changes = verify_update(before, newer)
        except SealroomError as error:
            self._emit(StreamRefused(self.room_id, view.stream_id, view.user_id, error))
            return
        self.streams[view.stream_id] = stream
        self.receiving.stream_updated(stream, {one.track_id for one in changes.removed})
        self._emit(StreamUpdated.of(self.room_id, StreamInfo.of(before), StreamInfo.of(stream)))

    async def _fetch_streams(self) -> None:
        """Takes what the events on their way will say: an offer may be ahead of them."""
        params = RoomParams(room_id=self.room_id)
        result = await self._connection.call("stream.list", params, StreamListResult)
        for view in result.streams:
            await self.stream_updated(view)

    async def stream_unpublished(self, data: StreamUnpublishedData) -> None:
        """Ends a stream; one of this participant's own, if somebody else unpublished it, too."""
        await self._stream_ended(data.stream_id)

    async def _stream_ended(self, stream_id: str) -> None:
        stream = self._forget_stream(stream_id)
        if stream is None:
            return
        await self.publishing.stop(stream_id)
        self.receiving.end_stream(stream_id)
        self._emit(StreamUnpublished(self.room_id, stream.stream_id, stream.user_id))

    def _forget_stream(self, stream_id: str) -> VerifiedStream | None:
        stream = self.streams.pop(stream_id, None)
        if stream is not None:
            self.receiving.stream_ended(stream)
            self._remember_ended(stream)
        return stream

    def _remember_ended(self, stream: VerifiedStream) -> None:
        while len(self._ended_nonces) >= MAX_ENDED_STREAMS:
            del self._ended_nonces[next(iter(self._ended_nonces))]
        self._ended_nonces[stream.announcement.nonce] = None

    async def unpublish(self, stream_id: str) -> None:
        """Ends a stream of this participant's own."""
        await self.publishing.stop(stream_id)
        if self._forget_stream(stream_id) is None:
            return  # somebody with the right to has unpublished it before
        await self.publishing.tell_unpublished(stream_id)

    async def restart_media(self) -> None:
        """Moves the media connections there are to new paths; see `StreamApi.restart_media`."""
        halves = (self.publishing, self.receiving)
        await asyncio.gather(*(half.recovery.restart() for half in halves if half.is_in_use))

    def media_failed(self, transport: TransportRole) -> None:
        """The media server says that a transport is dead at its end."""
        half = self.publishing if transport == "publisher" else self.receiving
        half.recovery.lost_at_the_server()

    def statistics(self) -> RoomStatistics:
        publisher, subscriber = self.publishing.publisher, self.receiving.subscriber
        return RoomStatistics(
            sent=publisher.statistics() if publisher else [],
            received=subscriber.statistics() if subscriber else [],
            data_sent=publisher.data.statistics() if publisher else [],
            data_received=self.receiving.data.statistics(),
            publisher_srtp_profile=publisher.peer.transport.srtp_profile if publisher else None,
            subscriber_srtp_profile=subscriber.peer.transport.srtp_profile if subscriber else None,
            datagrams_replayed=(
                subscriber.session.statistics().datagrams_replayed if subscriber else 0
            ),
            crypto_backend=native_crypto.default_backend(),
        )

    async def close(self) -> None:
        """Ends both connections and all tracks; the Bridge is told by the caller."""
        self._link.is_closed = True
        self._keys.close()
        self.levels.close()
        await self._ice_servers.close()
        await self.publishing.close()
        await self.receiving.close()


def _is_of(payload: bytes, stream: VerifiedStream) -> bool:
    """Whether an announcement, verified or not, is of a stream as it was believed."""
    try:
        announced = msgspec.json.decode(payload, type=StreamAnnouncement)
    except msgspec.DecodeError:
        return False
    return announced.nonce == stream.announcement.nonce


def new_id() -> str:
    """A random id for a stream or track."""
    return uuid.uuid4().hex
