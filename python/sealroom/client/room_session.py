"""One joined room: who is there, what is published, its keys, and the ways out and in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from sealroom._core import crypto as native_crypto
from sealroom.client.connection import Connection
from sealroom.client.errors import (
    ConnectionClosedError,
    DataTrackLostError,
    NotJoinedError,
    RequestRefusedError,
)
from sealroom.client.events import (
    Event,
    KeyRotated,
    RoomRefused,
    RoomUpdated,
)
from sealroom.client.ice_servers import IceServers
from sealroom.client.models import (
    RoomStatistics,
)
from sealroom.client.room_custom_events import RoomCustomEvents
from sealroom.client.room_levels import RoomLevels
from sealroom.client.room_link import RoomLink
from sealroom.client.room_memory import RoomMemory
from sealroom.client.room_people import RoomPeople
from sealroom.client.room_publishing import RoomPublishing
from sealroom.client.room_streams import RoomStreams
from sealroom.client.rooms import OpenRoom, RoomDirectory
from sealroom.client.rotation import KeySchedule
from sealroom.crypto.epoch import EpochKeys
from sealroom.crypto.errors import (
    RecordRollbackError,
)
from sealroom.errors import SealroomError
from sealroom.media.ice import HostAddresses
from sealroom.protocol import (
    Empty,
    ErrorCode,
    JoinResult,
    ParticipantsResult,
    RoomParams,
    RoomReadyParams,
    StreamListResult,
    StreamView,
    TransportRole,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger(__name__)


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
        memory: RoomMemory,
    ) -> None:
        self.room_id = room.room.room_id
        self.participant_id = joined.participant_id
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
        self.people = RoomPeople(self._link, joined.participants)
        self.publishing = RoomPublishing(self._link)
        self.announced = RoomStreams(self._link, directory, self._current, self.publishing, memory)
        self.receiving = self.announced.receiving
        self.custom_events = RoomCustomEvents(self._link, directory, self._current, memory)
        self.levels = RoomLevels(self._link, self.publishing, self.receiving)
        self._link.on_tracks_changed = self.levels.wake
        self.session_id = connection.session_id  # of the connection, in which it was joined
        self.is_set_up = False
        self._update_lock = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None

    async def start(self, streams: Sequence[StreamView], version: int) -> None:
        """Takes the streams that were there before; `version` is the room's when it was joined.

        Raises:
            SessionMismatchError: the Bridge says that this participant is somebody else's.
            RecordRollbackError: it let this side in by an older record than it showed before.
        """
        self.people.check_own()
        if version < self._room.record.version:
            raise RecordRollbackError(
                f"joined at version {version} of a room that was at {self._room.record.version}"
            )
        if version > self._room.record.version:
            await self.room_updated()
        await self.announced.take_all(streams)
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
        """Goes on for the room's session before, which is retired, and tells what is gone since."""
        self.levels.adopt(other.levels)
        self.people.take_over(other.people)
        self.announced.take_over(other.announced)

    @property
    def connection(self) -> Connection:
        """The connection to the room's home."""
        return self._connection

    @property
    def is_over(self) -> bool:
        """Whether it was closed, or retired for another to take over."""
        return self._link.is_closed

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
        if self.participant_id not in {one.participant_id for one in found.participants}:
            raise NotJoinedError(f"room {self.room_id}: this participant is out of it")
        await self.room_updated()
        self.people.read_again(found.participants)
        await self.announced.read_again(listed.streams)
        await self.receiving.read_again()

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
        await self.announced.end_forbidden()
        if record.epoch > before.record.epoch:
            params = RoomReadyParams(room_id=self.room_id, epoch=record.epoch)
            with contextlib.suppress(RequestRefusedError):  # out meanwhile
                await self._connection.call("room.ready", params, Empty)

    def epoch_ready(self, epoch: int) -> None:
        """Everybody can decrypt an epoch, says the Bridge."""
        self._keys.all_ready(epoch)

    def _current(self) -> OpenRoom:
        return self._room

    def _accept_epochs(self, room: OpenRoom) -> None:
        for epoch in sorted(room.secrets):
            if self._keys.newest.id.epoch < epoch <= room.record.epoch:
                keys = room.keys_of(epoch)
                self.receiving.add_epoch(keys)
                self._keys.add(keys)

    def _switch_senders(self, keys: EpochKeys) -> None:
        self.publishing.rotate(keys)
        self._emit(KeyRotated(self.room_id, keys.id.epoch))

    def _retire_epochs(self, epoch: int) -> None:
        self.receiving.drop_epochs_before(epoch)

    async def unpublish(self, stream_id: str) -> None:
        """Ends a stream of this participant's own; what fails or is cancelled can be repeated."""
        await self.publishing.stop(stream_id)
        if stream_id not in self.streams:
            return  # somebody with the right to has unpublished it before
        try:
            await self.publishing.tell_unpublished(stream_id)
        except RequestRefusedError as error:
            if error.error_code != ErrorCode.STREAM_NOT_FOUND:  # as above, and not heard of yet
                raise
        self.announced.forget(stream_id)

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
        """Ends both connections and all tracks; the Bridge is told by the caller.

        Nothing is sent any more as soon as it is called, and it is done to its end also if the
        caller is cancelled.
        """
        if self._closing is None:
            self._link.is_closed = True
            self.announced.end_own()
            self._keys.close()
            self.levels.close()
            self.publishing.halt_all()
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await self._ice_servers.close()
        await self.publishing.close()
        await self.receiving.close()


def new_id() -> str:
    """A random id for a stream or track."""
    return uuid.uuid4().hex
