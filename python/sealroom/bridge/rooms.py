"""Rooms: create, get, list, delete, join, leave, and their life from `created` to `closed`."""

import asyncio
from collections.abc import Iterable

import msgspec

from sealroom.protocol import (
    MAX_JOINED_ROOMS,
    MAX_ROOM_PARTICIPANTS,
    Empty,
    ErrorCode,
    EventType,
    IceServer,
    JoinResult,
    MediaConfiguration,
    ParticipantsResult,
    RoomClosed,
    RoomCreated,
    RoomCreateParams,
    RoomDeleted,
    RoomListParams,
    RoomListResult,
    RoomParams,
    RoomResult,
)

from .access import Right
from .background import Background
from .bus import EventBus, Session
from .errors import RequestError, access_denied, limit_exceeded
from .live import LiveParticipant, LiveRoom, RoomRegistry
from .media_calls import MediaCalls
from .records import check_members_exist, check_new_room
from .room_store import RoomStore
from .store import Store
from .streams import StreamService
from .subscriptions import SubscriptionService


class RoomService:
    """The `room.*` methods. For one event loop; state changes between two awaits are atomic."""

    def __init__(
        self,
        *,
        store: Store,
        rooms: RoomStore,
        registry: RoomRegistry,
        bus: EventBus,
        streams: StreamService,
        subscriptions: SubscriptionService,
        media: MediaCalls,
        background: Background,
        default_ttl: float,
        ice_servers: Iterable[IceServer],
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._registry = registry
        self._bus = bus
        self._streams = streams
        self._subscriptions = subscriptions
        self._media = media
        self._background = background
        self._default_ttl = default_ttl
        self._configuration = MediaConfiguration(ice_servers=list(ice_servers))
        self._closing: dict[str, asyncio.TimerHandle] = {}  # empty rooms, by id

    async def start(self) -> None:
        """Take up rooms that were open when the last process ended: all are empty now."""
        for room_id, ttl in (await self._rooms.open_rooms()).items():
            self._close_later(room_id, ttl)

    def stop(self) -> None:
        """Drop the timers of empty rooms; `start` takes them up again."""
        for timer in self._closing.values():
            timer.cancel()
        self._closing.clear()

    async def create(self, session: Session, params: RoomCreateParams) -> RoomResult:
        """Store a room whose record this user signed as a manager."""
        if params.context_id != session.context_id:
            raise access_denied()
        record, access = check_new_room(params, session.user_id, session.identity)
        known = await self._store.fingerprints(session.context_id, list(access.members))
        check_members_exist(record, known)
        ttl = self._default_ttl if params.empty_room_ttl is None else params.empty_room_ttl
        room = await self._rooms.create(
            room_id=params.room_id,
            context_id=params.context_id,
            record=params.record,
            members=access.stored_members(),
            secrets=params.sealed_secrets,
            empty_room_ttl=ttl,
        )
        self._registry.remember(access)
        data = RoomCreated(author=access.owner, created_at=room.created_at)
        self._bus.publish(EventType.ROOM_CREATED, access, data, cause=session)
        own = [one for one in params.sealed_secrets if one.user_id == session.user_id]
        return RoomResult(room=msgspec.structs.replace(room, sealed_secrets=own))

    async def get(self, session: Session, params: RoomParams) -> RoomResult:
        """Return a room with the caller's own sealed secrets."""
        await self._registry.require(session, params.room_id, Right.GET)
        room = await self._rooms.get(params.room_id, session.user_id)
        if room is None:
            raise access_denied()
        return RoomResult(room=room)

    async def list_rooms(self, session: Session, params: RoomListParams) -> RoomListResult:
        """Return one page of the rooms the caller may see."""
        if params.context_id != session.context_id:
            raise access_denied()
        total, rooms = await self._rooms.page(
            params.context_id,
            session.user_id,
            session.identity.fingerprint,
            skip=params.skip,
            limit=params.limit,
            order=params.sort_order,
        )
        return RoomListResult(total=total, rooms=rooms)

    async def delete(self, session: Session, params: RoomParams) -> Empty:
        """Delete a room and cut off everyone in it."""
        access = await self._registry.require(session, params.room_id, Right.DELETE)
        async with self._registry.lock(params.room_id):
            if await self._rooms.lifecycle(params.room_id) is None:
                raise access_denied()
            await self._rooms.delete(params.room_id)
            self._cancel_closing(params.room_id)
            live = self._registry.live.get(params.room_id)
            self._registry.forget(params.room_id)
            self._bus.publish(
                EventType.ROOM_DELETED, access, RoomDeleted(user_id=session.user_id), cause=session
            )
            participants = list(live.participants.values()) if live is not None else []
            for participant in participants:
                self._detach(participant)
            self._bus.drop_room(params.room_id)
        for participant in participants:
            await self._media.remove(participant)
        return Empty()

    async def join(self, session: Session, params: RoomParams) -> JoinResult:
        """Make the session a participant; opens a room that was never joined."""
        room_id = params.room_id
        access = await self._registry.require(session, room_id, Right.GET)
        async with self._registry.lock(room_id):
            lifecycle = await self._rooms.lifecycle(room_id)
            if lifecycle is None:
                raise access_denied()
            state, ttl = lifecycle
            live = self._registry.live.get(room_id)
            self._check_join(session, room_id, live, closed=state == "closed")
            if state == "created":
                await self._rooms.set_state(room_id, "open")
            if session.ended:  # its connection broke off meanwhile
                if live is None:
                    self._close_later(room_id, ttl)
                raise RequestError(ErrorCode.NOT_LOGGED_IN)
            if live is None:
                live = self._registry.live[room_id] = LiveRoom(access, ttl)
            self._cancel_closing(room_id)
            participant = LiveParticipant(session, live)
            live.participants[participant.participant_id] = participant
            session.joined[room_id] = participant
            self._bus.follow_room(session, room_id)
            self._bus.publish(
                EventType.PARTICIPANT_JOINED, access, participant.view(), cause=session
            )
        return JoinResult(
            participant_id=participant.participant_id,
            participants=[one.view() for one in live.participants.values()],
            streams=[stream.view() for stream in live.streams.values()],
            media=self._configuration,
        )

    @staticmethod
    def _check_join(session: Session, room_id: str, live: LiveRoom | None, closed: bool) -> None:
        if closed:
            raise RequestError(
                ErrorCode.ROOM_CLOSED, field="room_id", remedy="create a new room with its members"
            )
        if room_id in session.joined:
            raise RequestError(
                ErrorCode.ALREADY_JOINED, field="room_id", remedy="leave first, or go on"
            )
        if len(session.joined) >= MAX_JOINED_ROOMS:
            raise limit_exceeded("joined rooms", MAX_JOINED_ROOMS)
        if live is not None and len(live.participants) >= MAX_ROOM_PARTICIPANTS:
            raise limit_exceeded("participants in a room", MAX_ROOM_PARTICIPANTS)

    async def leave(self, session: Session, params: RoomParams) -> Empty:
        """End the session's part in a room."""
        await self._registry.require(session, params.room_id, Right.GET)
        participant = session.joined.get(params.room_id)
        if participant is None:
            raise RequestError(ErrorCode.NOT_JOINED, field="room_id", remedy="join the room first")
        await self._part(participant)
        return Empty()

    async def participants(self, session: Session, params: RoomParams) -> ParticipantsResult:
        """Return who is in a room; joining is not needed."""
        await self._registry.require(session, params.room_id, Right.GET)
        live = self._registry.live.get(params.room_id)
        return ParticipantsResult(
            participants=[one.view() for one in live.participants.values()] if live else []
        )

    async def end_session(self, session: Session) -> None:
        """A connection is gone: leave every room it joined, once."""
        session.ended = True
        joined = list(session.joined.values())
        left = [(participant, self._announce_leave(participant)) for participant in joined]
        self._bus.remove(session)
        for participant, affected in left:
            await self._media.remove(participant)
            self._subscriptions.refresh(affected)

    async def _part(self, participant: LiveParticipant) -> None:
        affected = self._announce_leave(participant)
        await self._media.remove(participant)
        self._subscriptions.refresh(affected)

    def _announce_leave(self, participant: LiveParticipant) -> list[LiveParticipant]:
        """Take a participant out, tell the others, and return who watched its streams."""
        room, session = participant.room, participant.session
        affected: list[LiveParticipant] = []
        for stream in [one for one in room.streams.values() if one.publisher is participant]:
            affected += self._streams.drop(stream, cause=session)
        self._detach(participant)
        self._bus.publish(
            EventType.PARTICIPANT_LEFT, room.access, participant.view(), cause=session
        )
        room_id = room.access.room_id
        if not room.participants:
            self._registry.live.pop(room_id, None)
            self._close_later(room_id, room.empty_room_ttl)
        return affected

    def _detach(self, participant: LiveParticipant) -> None:
        room_id = participant.room.access.room_id
        participant.gone = True
        participant.room.participants.pop(participant.participant_id, None)
        participant.session.joined.pop(room_id, None)
        self._bus.unfollow_room(participant.session, room_id)

    def _close_later(self, room_id: str, ttl: float) -> None:
        self._cancel_closing(room_id)
        loop = asyncio.get_running_loop()
        self._closing[room_id] = loop.call_later(
            ttl, lambda: self._background.spawn(self._close_if_empty(room_id, ttl))
        )

    def _cancel_closing(self, room_id: str) -> None:
        if (timer := self._closing.pop(room_id, None)) is not None:
            timer.cancel()

    async def _close_if_empty(self, room_id: str, ttl: float) -> None:
        async with self._registry.lock(room_id):
            lifecycle = await self._rooms.lifecycle(room_id)
            if room_id in self._registry.live or lifecycle is None or lifecycle[0] != "open":
                return  # joined, deleted or closed meanwhile
            await self._rooms.set_state(room_id, "closed")
            self._cancel_closing(room_id)
            if (access := await self._registry.access(room_id)) is not None:
                data = RoomClosed(empty_room_ttl=ttl)
                self._bus.publish(EventType.ROOM_CLOSED, access, data)
