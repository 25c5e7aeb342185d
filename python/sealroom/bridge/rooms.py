"""Rooms: create, get, list, history, delete, join and leave."""

from sealroom.access import Right
from sealroom.protocol import (
    MAX_JOINED_ROOMS,
    MAX_ROOM_PARTICIPANTS,
    Empty,
    ErrorCode,
    EventType,
    JoinResult,
    MediaConfiguration,
    RoomCreated,
    RoomCreateParams,
    RoomDeleteManyParams,
    RoomDeleteManyResult,
    RoomDeletion,
    RoomHistoryParams,
    RoomHistoryResult,
    RoomListParams,
    RoomListResult,
    RoomParams,
    RoomResult,
)

from .audit import AuditLog
from .bus import EventBus, Session
from .errors import RequestError, access_denied, limit_exceeded, lives_elsewhere
from .homes import Homes
from .live import LiveParticipant, LiveRoom, RoomRegistry
from .records import check_members_exist, check_new_room
from .room_control import RoomControl
from .room_life import RoomLife
from .room_lists import RoomLists
from .room_store import RoomStore
from .store import Store
from .turn import TurnIssuer


class RoomService:
    """The `room.*` methods. For one event loop; state changes between two awaits are atomic."""

    def __init__(
        self,
        *,
        store: Store,
        rooms: RoomStore,
        lists: RoomLists,
        registry: RoomRegistry,
        bus: EventBus,
        life: RoomLife,
        control: RoomControl,
        homes: Homes,
        default_ttl: float,
        turn: TurnIssuer,
        audit: AuditLog,
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._lists = lists
        self._registry = registry
        self._bus = bus
        self._life = life
        self._control = control
        self._homes = homes
        self._default_ttl = default_ttl
        self._turn = turn
        self._audit = audit

    async def create(self, session: Session, params: RoomCreateParams) -> RoomResult:
        """Store a room whose record this user signed."""
        if params.context_id != session.context_id:
            raise access_denied()
        policy = await self._store.context_policy(session.context_id)
        checked, access = check_new_room(params, session.user_id, session.identity, policy)
        known = await self._store.fingerprints(session.context_id, list(access.members))
        check_members_exist(checked.record, known)
        ttl = self._default_ttl if params.empty_room_ttl is None else params.empty_room_ttl
        created_at = await self._rooms.create(checked, ttl)
        self._audit.note(
            session.actor,
            "room.created",
            ("room", access.room_id),
            context_id=access.context_id,
            details={"version": access.version, "epoch": access.epoch},
        )
        self._registry.remember(access)
        data = RoomCreated(author=access.owner, created_at=created_at)
        self._bus.publish(EventType.ROOM_CREATED, access, data, cause=session)
        return await self._view(session, params.room_id)

    async def get(self, session: Session, params: RoomParams) -> RoomResult:
        """Return a room with the caller's own sealed secrets."""
        await self._registry.require(session, params.room_id, Right.GET)
        return await self._view(session, params.room_id)

    async def history(self, session: Session, params: RoomHistoryParams) -> RoomHistoryResult:
        """Return records of a room, with the caller's own sealed secrets."""
        await self._registry.require(session, params.room_id, Right.GET)
        return await self._lists.history(
            params.room_id, session.user_id, params.since, params.limit
        )

    async def list_rooms(self, session: Session, params: RoomListParams) -> RoomListResult:
        """Return one page of the rooms the caller may see."""
        if params.context_id != session.context_id:
            raise access_denied()
        total, rooms = await self._lists.page(session.user_id, session.identity.fingerprint, params)
        return RoomListResult(total=total, rooms=rooms)

    async def delete(self, session: Session, params: RoomParams) -> Empty:
        """Delete a room and cut off everyone in it."""
        access = await self._registry.require(session, params.room_id, Right.DELETE)
        await self._control.delete(access, session.actor, session)
        return Empty()

    async def delete_many(
        self, session: Session, params: RoomDeleteManyParams
    ) -> RoomDeleteManyResult:
        """Delete rooms one by one and tell what became of each."""
        results = []
        for room_id in params.room_ids:
            error: int | None = None
            one = RoomParams(room_id=room_id)
            try:
                session.acl.require("room.delete", one)  # not a way around its lines
                await self.delete(session, one)
            except RequestError as refused:
                error = int(refused.error)
            results.append(RoomDeletion(room_id=room_id, error=error))
        return RoomDeleteManyResult(rooms=results)

    async def join(self, session: Session, params: RoomParams) -> JoinResult:
        """Make the session a participant; opens a room that was never joined."""
        room_id = params.room_id
        access = await self._registry.require(session, room_id, Right.GET)
        async with self._registry.lock(room_id):
            live = self._registry.live.get(room_id)
            self._check_join(session, room_id, live)
            claim = await self._homes.claim(room_id)
            if claim is None:
                raise access_denied()
            if claim.state == "closed":
                raise RequestError(
                    ErrorCode.ROOM_CLOSED, field="room_id", remedy="a manager may reopen it"
                )
            if claim.elsewhere is not None:
                raise lives_elsewhere(claim.elsewhere)
            if (newest := await self._registry.access(room_id)) is None:
                raise access_denied()
            access = newest  # an update may have gone first
            ttl = claim.empty_room_ttl
            live = self._registry.live.get(room_id)  # it may have emptied meanwhile
            if session.ended:  # its connection broke off meanwhile
                if live is None:
                    self._life.emptied(room_id, ttl)
                raise RequestError(ErrorCode.NOT_LOGGED_IN)
            if live is None:
                live = self._registry.live[room_id] = LiveRoom(access, ttl, access.epoch)
            self._life.keep_open(room_id)
            if not session.may(Right.GET, live.access):  # removed meanwhile
                raise access_denied()
            participant = LiveParticipant(session, live, ready_epoch=live.access.epoch)
            live.participants[participant.participant_id] = participant
            session.joined[room_id] = participant
            self._bus.follow_room(session, room_id)
            self._bus.publish(
                EventType.PARTICIPANT_JOINED, live.access, participant.view(), cause=session
            )
        return JoinResult(
            participant_id=participant.participant_id,
            version=live.access.version,
            participants=[one.view() for one in live.participants.values()],
            streams=[stream.view() for stream in live.streams.values()],
            media=self._turn.configuration(),
        )

    @staticmethod
    def _check_join(session: Session, room_id: str, live: LiveRoom | None) -> None:
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
            raise _not_joined()
        await self._life.part(participant)
        return Empty()

    async def turn_credentials(self, session: Session, params: RoomParams) -> MediaConfiguration:
        """Return the servers for ICE with new credentials; for participants only."""
        await self._registry.require(session, params.room_id, Right.GET)
        if params.room_id not in session.joined:
            raise _not_joined()
        return self._turn.configuration()

    async def _view(self, session: Session, room_id: str) -> RoomResult:
        room = await self._lists.get(room_id, session.user_id)
        if room is None:
            raise access_denied()
        return RoomResult(room=room)


def _not_joined() -> RequestError:
    return RequestError(ErrorCode.NOT_JOINED, field="room_id", remedy="join the room first")
