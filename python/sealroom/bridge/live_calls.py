"""What is asked of live rooms, wherever they live: answered here, or by the room's home."""

from sealroom.access import Right
from sealroom.protocol import (
    Empty,
    Id,
    Message,
    Note,
    ParticipantsResult,
    RoomKickParams,
    RoomParams,
    StreamListResult,
)

from .actor import Actor
from .bus import Session
from .errors import access_denied
from .forwarding import Caller, Forwarding
from .home_calls import HomeCalls
from .live import LiveRoom, RoomRegistry
from .records import RoomAccess
from .room_control import RoomControl


class Kick(Message, frozen=True):
    """Whom to throw out, and why."""

    room_id: Id
    participant_id: Id
    note: Note | None = None


class StreamQuery(Message, frozen=True):
    """A stream in one of the rooms of the caller's context."""

    stream_id: Id


class StreamPlace(Message, frozen=True):
    """The room a stream is in, if the caller may see it."""

    room_id: Id | None


class LiveCalls:
    """The methods `room.participants`, `room.kick` and `stream.list`. For one event loop.

    Whether the caller may is asked at the Bridge that carries a call out.
    """

    def __init__(
        self,
        *,
        registry: RoomRegistry,
        homes: HomeCalls,
        forwarding: Forwarding,
        control: RoomControl,
    ) -> None:
        self._registry = registry
        self._homes = homes
        self._control = control
        forwarding.serve("room.participants", RoomParams, self._participants)
        forwarding.serve("stream.list", RoomParams, self._streams)
        forwarding.serve("room.kick", Kick, self._kick)
        forwarding.serve("stream.find", StreamQuery, self._find)

    async def participants(self, session: Session, params: RoomParams) -> ParticipantsResult:
        """Return who is in a room; joining is not needed."""
        return await self._homes.ask_home(
            params.room_id, _caller(session), "room.participants", params, ParticipantsResult
        )

    async def list_streams(self, session: Session, params: RoomParams) -> StreamListResult:
        """Return the live streams of a room; joining is not needed."""
        return await self._homes.ask_home(
            params.room_id, _caller(session), "stream.list", params, StreamListResult
        )

    async def kick(self, session: Session, params: RoomKickParams) -> Empty:
        """Throw a participant out; it is told, and so are the others, the caller among them."""
        kick = Kick(room_id=params.room_id, participant_id=params.participant_id)
        return await self._homes.ask_home(
            params.room_id, _caller(session), "room.kick", kick, Empty
        )

    async def kick_for(
        self, actor: Actor, room_id: str, participant_id: str, note: str | None
    ) -> Empty:
        """Throw a participant out for an administrator."""
        kick = Kick(room_id=room_id, participant_id=participant_id, note=note)
        return await self._homes.ask_home(room_id, Caller.of(actor), "room.kick", kick, Empty)

    async def shows_stream(self, session: Session, stream_id: str) -> bool:
        """Tell whether a stream is live, at any Bridge, in a room the session's user may see."""
        query = StreamQuery(stream_id=stream_id)
        found = await self._homes.ask_all(_caller(session), "stream.find", query, StreamPlace)
        return any(answer.room_id is not None for _, answer in found.results)

    async def _find(self, caller: Caller, query: StreamQuery) -> StreamPlace:
        for room_id, room in self._registry.live.items():
            if query.stream_id in room.streams and caller.may(Right.GET, room.access):
                return StreamPlace(room_id)
        return StreamPlace(None)

    async def _participants(self, caller: Caller, params: RoomParams) -> ParticipantsResult:
        _, live = await self._room(caller, params.room_id, Right.GET)
        return ParticipantsResult(
            participants=[one.view() for one in live.participants.values()] if live else []
        )

    async def _streams(self, caller: Caller, params: RoomParams) -> StreamListResult:
        _, live = await self._room(caller, params.room_id, Right.GET)
        return StreamListResult(
            streams=[one.view() for one in live.streams.values()] if live else []
        )

    async def _kick(self, caller: Caller, kick: Kick) -> Empty:
        access, _ = await self._room(caller, kick.room_id, Right.KICK)
        self._control.kick(access, kick.participant_id, caller.actor, kick.note)
        return Empty()

    async def _room(
        self, caller: Caller, room_id: str, right: Right
    ) -> tuple[RoomAccess, LiveRoom | None]:
        """Return a room in which the caller has a right, if it lives here or nowhere.

        Raises:
            RequestError: ACCESS_DENIED; ROOM_ELSEWHERE: it has moved.
        """
        access = await self._registry.access(room_id)
        if access is None or not caller.may(right, access):
            raise access_denied()
        if room_id not in self._registry.live:
            await self._homes.require_home(room_id)
        return access, self._registry.live.get(room_id)


def _caller(session: Session) -> Caller:
    fingerprint = session.identity.fingerprint
    return Caller("user", session.user_id, session.context_id, fingerprint)
