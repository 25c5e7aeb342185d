"""Participants leave, rooms empty, close and open: what every way out of a room has in common."""

import asyncio
from collections.abc import Iterable

from sealroom.protocol import (
    EventType,
    LeaveReason,
    ParticipantGone,
    RoomClosed,
    RoomEpochReady,
)

from .actor import BRIDGE
from .audit import AuditLog
from .background import Background
from .bus import EventBus, Session
from .homes import Homes
from .live import LiveParticipant, LiveRoom, RoomRegistry
from .media_calls import MediaCalls
from .recordings import RecordingService
from .room_store import RoomStore
from .streams import StreamService
from .subscriptions import SubscriptionService


class RoomLife:
    """For one event loop; state changes between two awaits are atomic."""

    def __init__(
        self,
        *,
        rooms: RoomStore,
        registry: RoomRegistry,
        bus: EventBus,
        streams: StreamService,
        subscriptions: SubscriptionService,
        recordings: RecordingService,
        media: MediaCalls,
        background: Background,
        homes: Homes,
        audit: AuditLog,
    ) -> None:
        self._rooms = rooms
        self._registry = registry
        self._bus = bus
        self._streams = streams
        self._subscriptions = subscriptions
        self._recordings = recordings
        self._media = media
        self._background = background
        self._homes = homes
        self._audit = audit
        self._removals: dict[str, set[asyncio.Task[None]]] = {}  # from the media server, by room
        self._closing: dict[str, asyncio.TimerHandle] = {}  # empty rooms, by id

    async def start(self, grace: float = 0.0) -> None:
        """Take up rooms that were open when the last process ended: all are empty now.

        Each stays open for `grace` seconds at least, for who was in it to return. Where other
        Bridges use the database, `Upkeep` closes what is due.
        """
        if self._homes.is_shared:
            return
        for room_id, ttl in (await self._rooms.open_rooms()).items():
            self.close_later(room_id, ttl, after=max(ttl, grace))

    def stop(self) -> None:
        """Drop the timers of empty rooms; `start` takes them up again."""
        for timer in self._closing.values():
            timer.cancel()
        self._closing.clear()

    async def end_session(self, session: Session) -> None:
        """A session is over: leave every room it joined, once."""
        if session.has_left:
            return
        session.ended = session.has_left = True
        joined = list(session.joined.values())
        left = [(one, self._announce_leave(one, "disconnected")) for one in joined]
        self._bus.remove(session)
        for participant, affected in left:
            await self._media.remove(participant)
            self._subscriptions.refresh(affected)

    async def part(self, participant: LiveParticipant) -> None:
        """A participant leaves of its own will."""
        affected = self._announce_leave(participant, "left")
        await self._media.remove(participant)
        self._subscriptions.refresh(affected)

    def expel(self, participants: Iterable[LiveParticipant], reason: LeaveReason) -> None:
        """Take participants out at once; the media server ends their transports right after."""
        affected: dict[LiveParticipant, None] = {}
        gone = list(participants)
        for one in gone:
            affected |= dict.fromkeys(self._announce_leave(one, reason))
        self._subscriptions.refresh(affected)
        for one in gone:
            self._remove_media(one)

    def empty(self, room: LiveRoom) -> None:
        """Take everybody out without further events: the room is closed or gone."""
        self._registry.live.pop(room.access.room_id, None)
        for one in list(room.participants.values()):
            self.detach(one)
            self._remove_media(one)

    async def media_removed(self, room_id: str) -> None:
        """Wait until those who were taken out of a room have no media any more.

        At most as long as one call of the media server may take, for each is one of its own.
        """
        if removals := self._removals.get(room_id):
            await asyncio.wait(removals)

    def _remove_media(self, participant: LiveParticipant) -> None:
        room_id = participant.room.access.room_id
        task = self._background.spawn(self._media.remove(participant))
        self._removals.setdefault(room_id, set()).add(task)
        task.add_done_callback(lambda _: self._removal_done(room_id, task))

    def _removal_done(self, room_id: str, task: asyncio.Task[None]) -> None:
        removals = self._removals[room_id]
        removals.discard(task)
        if not removals:
            del self._removals[room_id]

    def epoch_ready(self, room: LiveRoom) -> None:
        """Tell everybody once all participants can decrypt the newest epoch."""
        epoch = room.access.epoch
        if room.announced_epoch >= epoch or not room.participants:
            return
        if all(one.ready_epoch >= epoch for one in room.participants.values()):
            room.announced_epoch = epoch
            sessions = [one.session for one in room.participants.values()]
            data = RoomEpochReady(epoch=epoch)
            self._bus.send(sessions, EventType.ROOM_EPOCH_READY, room.access, data)

    def detach(self, participant: LiveParticipant) -> None:
        """Take a participant out without a word."""
        room_id = participant.room.access.room_id
        participant.gone = True
        participant.room.participants.pop(participant.participant_id, None)
        participant.session.joined.pop(room_id, None)
        self._bus.unfollow_room(participant.session, room_id)

    def close_later(self, room_id: str, ttl: float, *, after: float | None = None) -> None:
        """Close an empty room after its time to live, or `after` seconds, unless somebody joins."""
        self.keep_open(room_id)
        loop = asyncio.get_running_loop()
        self._closing[room_id] = loop.call_later(
            ttl if after is None else after,
            lambda: self._background.spawn(self.close_if_empty(room_id, ttl)),
        )

    def emptied(self, room_id: str, ttl: float) -> None:
        """Nobody is in the room any more: give it up, and close it after its time to live."""
        self.close_later(room_id, ttl)
        if self._homes.is_shared:
            self._background.spawn(self._release(room_id))

    def keep_open(self, room_id: str) -> None:
        """Stop the timer of an empty room."""
        if (timer := self._closing.pop(room_id, None)) is not None:
            timer.cancel()

    def _announce_leave(
        self, participant: LiveParticipant, reason: LeaveReason
    ) -> list[LiveParticipant]:
        """Take a participant out, tell the others, and return who watched its streams."""
        room, session = participant.room, participant.session
        affected: list[LiveParticipant] = []
        self._recordings.end(participant, cause=session)
        for stream in [one for one in room.streams.values() if one.publisher is participant]:
            affected += self._streams.drop(stream, cause=session)
        self.detach(participant)
        data = ParticipantGone(
            participant_id=participant.participant_id, user_id=session.user_id, reason=reason
        )
        self._bus.publish(EventType.PARTICIPANT_LEFT, room.access, data, cause=session)
        room_id = room.access.room_id
        if not room.participants:
            if self._registry.live.get(room_id) is room:
                del self._registry.live[room_id]
            self.emptied(room_id, room.empty_room_ttl)
        else:
            self.epoch_ready(room)
        return affected

    async def _release(self, room_id: str) -> None:
        async with self._registry.lock(room_id):
            if room_id not in self._registry.live:
                await self._homes.release(room_id)

    async def close_if_empty(self, room_id: str, ttl: float) -> None:
        """Close a room if it was empty for its time to live, at any Bridge."""
        async with self._registry.lock(room_id):
            if room_id in self._registry.live or not await self._homes.close_unused(room_id):
                return  # joined, deleted or closed meanwhile
            self.keep_open(room_id)
            if (access := await self._registry.access(room_id)) is not None:
                self._audit.note(
                    BRIDGE, "room.closed", ("room", room_id), context_id=access.context_id
                )
                data = RoomClosed(reason="empty", user_id=None, empty_room_ttl=ttl)
                self._bus.publish(EventType.ROOM_CLOSED, access, data)
