"""`StreamApi`: rooms, streams and tracks, with everything end-to-end encrypted underneath."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from sealroom.client.arguments import bytes_of, check_host_addresses, check_room_id, check_type
from sealroom.client.connection import Connection
from sealroom.client.errors import (
    AlreadyJoinedError,
    RequestRefusedError,
)
from sealroom.client.events_api import EventsApi
from sealroom.client.home_restoring import HomeRestoring
from sealroom.client.homes import Homes
from sealroom.client.inbox import Inbox
from sealroom.client.models import (
    ParticipantInfo,
    RoomStatistics,
)
from sealroom.client.publishing_api import PublishingApi
from sealroom.client.receiving_api import ReceivingApi
from sealroom.client.restoring import Restoring
from sealroom.client.room_memory import RoomMemories
from sealroom.client.room_session import RoomSession
from sealroom.client.rotation import DEFAULT_GRACE, DEFAULT_SWITCH_WITHIN
from sealroom.client.unbroken import UnbrokenWork
from sealroom.errors import InvalidArgumentError, SealroomError
from sealroom.media.ice import HostAddresses
from sealroom.protocol import (
    MAX_CHANNEL_LENGTH,
    MAX_CUSTOM_EVENT_BYTES,
    MAX_ROOM_MEMBERS,
    Empty,
    ErrorCode,
    JoinResult,
    RoomKickParams,
    RoomParams,
)

logger = logging.getLogger(__name__)


class StreamApi(EventsApi, PublishingApi, ReceivingApi):
    """Stream Rooms over one connection, to be closed or used with `async with`.

    Event-loop thread only.

    Every method that asks the Bridge may raise `RequestRefusedError`, `RequestTimeoutError` or
    `ConnectionClosedError`; every method that takes something from it may raise a
    `VerificationError` (`sealroom.crypto.errors`) that names the lie.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        host_addresses: HostAddresses = None,
        switch_within: float = DEFAULT_SWITCH_WITHIN,
        grace: float = DEFAULT_GRACE,
    ) -> None:
        """Makes an API for one connection.

        Args:
            connection: logged in; stays its owner's to close.
            host_addresses: local IP addresses for media, or a function that tells those of now;
                None for all but loopback. Of a function and of None, the addresses are looked at
                every 3 s, and media moves away from one that is gone. An empty list hides them
                all, and media goes by a TURN server of the Bridge's or not at all.
            switch_within: seconds after which this side's senders use a new epoch's key even if
                not everybody has said to have it; 0 to switch at once, at the price of frames that
                others cannot decrypt yet.
            grace: seconds for which frames of the epoch before are still accepted at the most.

        Raises:
            InvalidArgumentError: a time is negative or above a minute.
        """
        check_type("connection", connection, Connection)
        check_type("switch_within", switch_within, int, float)
        check_type("grace", grace, int, float)
        check_host_addresses(host_addresses)
        if not (0 <= switch_within <= 60 and 0 <= grace <= 60):
            raise InvalidArgumentError("switch_within, grace: from 0 to 60 seconds")
        super().__init__(connection)
        self._host_addresses = host_addresses
        self._switch_within = switch_within
        self._grace = grace
        self._joining: set[str] = set()
        self._maybe_in: set[str] = set()  # rooms in which the Bridge may have this side, or not
        self._leaving = UnbrokenWork()
        self._closing: asyncio.Task[None] | None = None
        self._memories = RoomMemories(self._joined)
        self._inbox = Inbox(connection, self._joined, self._directory, self._emit)
        self._homes = Homes(connection, self._joined, self._make_home)
        self._inbox.on_room_ended = self._homes.sweep
        self._restoring = Restoring(
            connection,
            self._inbox,
            self._joined,
            self._subscriptions,
            enter=self._enter,
            lose=self._forget,
            publish=self._publish_again,
            stream_lost=self._stream_lost,
            emit=self._emit,
        )
        connection.on_close(self._connection_closed)

    def _make_home(self, home: Connection) -> HomeRestoring:
        """Takes the events of a home, and keeps its rooms."""
        return HomeRestoring(
            home,
            self._inbox,
            self._joined,
            None,
            enter=lambda room_id, before: self._enter(room_id, before, home),
            lose=self._forget,
            publish=self._publish_again,
            stream_lost=self._stream_lost,
            emit=self._emit,
            home=home.url,
            primary=self._connection,
            enter_anew=self._enter,
            stop_events=self._inbox.listen(home),
            idle=self._homes.sweep,
        )

    def _connection_closed(self, _: str) -> None:
        self._closing_homes = asyncio.ensure_future(self._homes.close())

    # Taking part.

    async def join_stream_room(self, room_id: str) -> None:
        """Joins a room: its events begin, streams can be published and subscribed to.

        If it lives at another Bridge, this side goes there by itself (`Connection.connect`).

        Raises:
            AlreadyJoinedError: it is joined already, or another call is joining it.
            RoomElsewhereError: it lives at a Bridge that cannot be reached. If that one is gone for
                good, the room is free after a while (15 s unless the Bridges say otherwise).
            HomeRefusedError: it lives where this side does not go.
            ApiClosedError: after `close`.
        """
        check_room_id(room_id)
        self._check_open()
        if room_id in self._joining:
            raise AlreadyJoinedError(f"another call is joining room {room_id}: await that one")
        self._joining.add(room_id)
        try:
            await self._leaving.done(room_id)
            await self._settled()
            if room_id in self._joined:
                raise AlreadyJoinedError(f"room {room_id} is joined already")
            # Events of the room wait until it is set up, so none is lost or comes too early.
            async with self._inbox.paused():
                self._check_open()
                await self._enter_or_leave_off(room_id)
            if self._is_closed:  # it was closed meanwhile, and knew nothing of this room yet
                await self._leaving.do(room_id, lambda: self._drop_out(room_id))
                self._check_open()
        finally:
            self._joining.discard(room_id)

    async def _enter_or_leave_off(self, room_id: str) -> None:
        try:
            await self._enter(room_id, None)
        except BaseException:
            if room_id in self._joined:
                self._maybe_in.add(room_id)
                await self._forget(room_id).close()
            raise

    async def _drop_out(self, room_id: str) -> None:
        session = self._joined.get(room_id)
        if session is None:
            return
        await self._forget(room_id).close()
        if session.connection.state in ("connected", "resumed"):
            with contextlib.suppress(SealroomError):
                await session.connection.call("room.leave", RoomParams(room_id=room_id), Empty)

    async def _enter(
        self, room_id: str, before: RoomSession | None, first: Connection | None = None
    ) -> None:
        """Joins a room; `before` is its session of a connection before, to go on for.

        `first` is where the room should live, the application's own connection if not given.
        """
        first = first or self._connection
        opened = await self._directory.over(first).get(room_id)
        home, joined = await self._join(first, room_id)
        session = RoomSession(
            home,
            self._directory.over(home),
            opened,
            joined,
            host_addresses=self._host_addresses,
            switch_within=self._switch_within,
            grace=self._grace,
            emit=self._emit,
            memory=self._memories.of(room_id),
        )
        self._joined[room_id] = session
        if before is not None:
            session.take_over(before)
        await session.start(joined.streams, joined.version)

    async def _join(self, first: Connection, room_id: str) -> tuple[Connection, JoinResult]:
        """Joins at the room's Bridge, leaving first if a join or leave before went unanswered.

        Without that, who was timed out could neither join, being in, nor leave, not knowing it.
        """
        params = RoomParams(room_id=room_id)
        if room_id in self._maybe_in:
            with contextlib.suppress(RequestRefusedError):  # it was not
                await self._homes.call(first, "room.leave", params, Empty)
            self._maybe_in.discard(room_id)
        try:
            return await self._homes.call(first, "room.join", params, JoinResult)
        except RequestRefusedError:
            raise
        except BaseException:  # whether the Bridge acted is not known; cancelled as well
            self._maybe_in.add(room_id)
            raise

    async def _settled(self, room_id: str | None = None) -> None:
        session = None if room_id is None else self._joined.get(room_id)
        restoring = None if session is None else self._homes.restoring(session.connection)
        await (restoring or self._restoring).settled()

    async def leave_stream_room(self, room_id: str) -> None:
        """Leaves a room; its tracks end and its stream handles are dead. Raises NotJoinedError.

        Nothing is sent any more as soon as it is called. Cancelled, it goes on to its end all the
        same, and another call waits for that. If the Bridge does not answer the room is left, and
        can be joined again; if the connection does not come back in time, call it again.
        """
        if room_id not in self._leaving:
            self._session(room_id).publishing.halt_all()
        await self._leaving.do(room_id, lambda: self._leave(room_id))

    async def _leave(self, room_id: str) -> None:
        await self._settled(room_id)
        if room_id not in self._joined:
            return  # it was lost meanwhile
        session = self._forget(room_id)
        try:
            await session.close()
            if not session.connection.is_closed:
                await session.connection.call("room.leave", RoomParams(room_id=room_id), Empty)
        except RequestRefusedError as error:
            if error.error_code != ErrorCode.NOT_JOINED:  # that is as well as left
                raise
        except BaseException:
            self._maybe_in.add(room_id)
            raise
        finally:
            self._homes.sweep()

    async def kick_participant(self, room_id: str, participant_id: str) -> None:
        """Throws a participant out of a room; who stays a member can join again.

        To keep somebody out, remove the member: `update_stream_room`.
        """
        params = RoomKickParams(room_id=room_id, participant_id=participant_id)
        await self._homes.call(self._way(room_id), "room.kick", params, Empty)

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
        data = bytes_of("data", data)
        check_type("channel", channel, str)
        if isinstance(user_ids, str):
            raise InvalidArgumentError(f"user_ids: a list, [{user_ids!r}], not str")
        if len(data) > MAX_CUSTOM_EVENT_BYTES:
            raise InvalidArgumentError(f"data: at most {MAX_CUSTOM_EVENT_BYTES} bytes")
        if len(channel) > MAX_CHANNEL_LENGTH:
            raise InvalidArgumentError(f"channel: at most {MAX_CHANNEL_LENGTH} characters")
        if user_ids is not None and not 1 <= len(user_ids) <= MAX_ROOM_MEMBERS:
            raise InvalidArgumentError(f"user_ids: 1 to {MAX_ROOM_MEMBERS}")
        await self._settled(room_id)
        await self._session(room_id).custom_events.send(data, channel, user_ids)

    def list_participants(self, room_id: str) -> list[ParticipantInfo]:
        """Live participants of a joined room with what they publish, the caller included.

        A user who is in the room with several sessions is there several times.
        """
        return self._session(room_id).people.infos()

    async def start_recording_notice(self, room_id: str) -> None:
        """Tells everybody in a joined room that this participant records from now on.

        Call it before a recording begins (`sealroom.recording`): the members record, the servers
        cannot. It ends with `stop_recording_notice`, with the participant, or with the right. In a
        new session, as after a restart of the Bridge, it is given again; if that is refused, this
        side gets `RecordingStopped` of itself.

        Raises:
            AccessDeniedError: without the right `record`, which managers have unless the room's
                policy says otherwise.
            RequestRefusedError: RECORDING_ALREADY.
        """
        await self._settled(room_id)
        session = self._session(room_id)
        await session.connection.call("recording.start", RoomParams(room_id=room_id), Empty)
        session.people.recording_changed(session.participant_id, True)

    async def stop_recording_notice(self, room_id: str) -> None:
        """Tells everybody that this participant does not record any more.

        Raises RequestRefusedError: NOT_RECORDING.
        """
        await self._settled(room_id)
        session = self._session(room_id)
        await session.connection.call("recording.stop", RoomParams(room_id=room_id), Empty)
        session.people.recording_changed(session.participant_id, False)

    async def restart_media(self, room_id: str) -> None:
        """Moves a joined room's media to new paths (ICE restart), with the host addresses of now.

        Media goes on over the old paths until the new ones work. Happens by itself where the other
        end stops answering or an address is gone; `MediaRecovering` and `MediaRecovered` tell.

        Raises:
            NotJoinedError: the room is not joined.
            TransportError: no new path works, and a new connection did not help.
        """
        await self._session(room_id).restart_media()

    def statistics(self, room_id: str) -> RoomStatistics:
        """Counters of a joined room's tracks and connections."""
        return self._session(room_id).statistics()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Leaves all rooms and ends the iterators; the connection stays its owner's to close.

        Nothing can be joined or subscribed to afterwards (`ApiClosedError`); what needs no
        participant goes on working over the connection. Idempotent. Cancelled, it goes on to its
        end all the same, as `leave_stream_room` does.
        """
        self._is_closed = True
        for session in self._joined.values():
            session.publishing.halt_all()
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await self._restoring.close()
        await self._homes.stop()
        for room_id in list(self._joined):
            await self._drop_out(room_id)
        await self._leaving.all_done()
        await self._ending.all_done()
        await self._homes.close()
        await self._inbox.close()
        self._end_events()
