"""Deletes, closes and reopens rooms and throws participants out, whoever asks for it.

Members come here by their rights, administrators by their key; what happens is the same. Events
name the member who did it, None for an administrator.
"""

from sealroom.protocol import (
    ErrorCode,
    EventType,
    RoomClosed,
    RoomDeleted,
    RoomExcluded,
    RoomReopened,
)

from .actor import BRIDGE, Actor
from .audit import AuditLog
from .bus import EventBus, Session
from .errors import RequestError, access_denied
from .home_calls import HomeCalls
from .live import RoomRegistry
from .media_calls import MediaCalls
from .records import RoomAccess
from .room_life import RoomLife
from .room_store import RoomStore


class RoomControl:
    """For one event loop. Whether `actor` may is asked before; `cause` gets no such event."""

    def __init__(
        self,
        *,
        rooms: RoomStore,
        registry: RoomRegistry,
        bus: EventBus,
        life: RoomLife,
        media: MediaCalls,
        homes: HomeCalls,
        audit: AuditLog,
    ) -> None:
        self._rooms = rooms
        self._registry = registry
        self._bus = bus
        self._life = life
        self._media = media
        self._homes = homes
        self._audit = audit

    async def delete(self, access: RoomAccess, actor: Actor, cause: Session | None = None) -> None:
        """Delete a room and cut off everyone in it.

        Raises:
            RequestError: ACCESS_DENIED: it is gone already.
        """
        room_id = access.room_id
        async with self._registry.lock(room_id):
            await self._lifecycle(room_id)
            home = await self._rooms.delete(room_id)
            self._note(actor, "room.deleted", access)
            self._life.keep_open(room_id)
            live = self._registry.live.get(room_id)
            self._registry.forget(room_id)
            data = RoomDeleted(user_id=_user_id(actor))
            self._bus.publish(EventType.ROOM_DELETED, access, data, cause=cause)
            participants = list(live.participants.values()) if live is not None else []
            for participant in participants:
                self._life.detach(participant)
            self._bus.drop_room(room_id)
        for participant in participants:
            await self._media.remove(participant)
        await self.settle(access, home)

    async def close(self, access: RoomAccess, actor: Actor, cause: Session | None = None) -> None:
        """Close a room: everyone in it is out, and nobody joins until it is opened again.

        Raises:
            RequestError: ROOM_CLOSED; ACCESS_DENIED: it is gone.
        """
        room_id = access.room_id
        async with self._registry.lock(room_id):
            state, ttl = await self._lifecycle(room_id)
            if state == "closed":
                raise RequestError(
                    ErrorCode.ROOM_CLOSED, field="room_id", remedy="it is what you want already"
                )
            home = await self._rooms.set_state(room_id, "closed")
            self._note(actor, "room.closed", access)
            self._life.keep_open(room_id)
            data = RoomClosed(reason="closed", user_id=_user_id(actor), empty_room_ttl=ttl)
            self._bus.publish(EventType.ROOM_CLOSED, access, data, cause=cause)
            live = self._registry.live.get(room_id)
            if live is not None:
                self._life.empty(live)
        await self.settle(access, home)

    async def settle(self, access: RoomAccess, home: str | None) -> None:
        """Wait until those who are out of a room are out of the call, wherever it lives.

        Bounded (`HomeCalls.settle`); what is stored holds anyway. Not under the room's lock.
        """
        await self._life.media_removed(access.room_id)
        if not await self._homes.settle(access.room_id, home):
            self._audit.note(
                BRIDGE,
                "room.unconfirmed",
                ("room", access.room_id),
                context_id=access.context_id,
                outcome=ErrorCode.HOME_SILENT.name,
            )

    async def reopen(self, access: RoomAccess, actor: Actor, cause: Session | None = None) -> None:
        """Open a closed room; if nobody joins, it closes after its time to live.

        Raises:
            RequestError: NOT_CLOSED; ACCESS_DENIED: it is gone.
        """
        room_id = access.room_id
        async with self._registry.lock(room_id):
            state, ttl = await self._lifecycle(room_id)
            if state != "closed":
                raise RequestError(
                    ErrorCode.NOT_CLOSED, field="room_id", remedy="it is what you want already"
                )
            await self._rooms.set_state(room_id, "open")
            self._note(actor, "room.reopened", access)
            self._life.close_later(room_id, ttl)
            data = RoomReopened(user_id=_user_id(actor))
            self._bus.publish(EventType.ROOM_REOPENED, access, data, cause=cause)

    def kick(
        self, access: RoomAccess, participant_id: str, actor: Actor, note: str | None = None
    ) -> None:
        """Throw a participant out; it is told, and so are the others, the caller among them.

        Raises:
            RequestError: PARTICIPANT_NOT_FOUND.
        """
        live = self._registry.live.get(access.room_id)
        participant = live.participants.get(participant_id) if live is not None else None
        if participant is None:
            raise RequestError(
                ErrorCode.PARTICIPANT_NOT_FOUND,
                field="participant_id",
                remedy="see room.participants",
            )
        data = RoomExcluded(reason="kicked", user_id=_user_id(actor), note=note)
        self._bus.send([participant.session], EventType.ROOM_EXCLUDED, access, data)
        self._life.expel([participant], "kicked")
        self._audit.note(
            actor,
            "participant.kicked",
            ("participant", participant_id),
            context_id=access.context_id,
            details={"room_id": access.room_id, "user_id": participant.session.user_id},
        )

    async def forget(self, room_id: str) -> None:
        """Drop what is kept of a room that is deleted and whose sessions are ended."""
        async with self._registry.lock(room_id):
            self._life.keep_open(room_id)
            self._registry.forget(room_id)
            self._bus.drop_room(room_id)

    def _note(self, actor: Actor, action: str, access: RoomAccess) -> None:
        self._audit.note(actor, action, ("room", access.room_id), context_id=access.context_id)

    async def _lifecycle(self, room_id: str) -> tuple[str, float]:
        lifecycle = await self._rooms.lifecycle(room_id)
        if lifecycle is None:
            raise access_denied()
        return lifecycle


def _user_id(actor: Actor) -> str | None:
    return actor.actor_id if actor.kind == "user" else None
