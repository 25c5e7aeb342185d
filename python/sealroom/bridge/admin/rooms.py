"""Rooms: what is public of them, closing, reopening, deleting."""

from collections.abc import Sequence

import msgspec

from sealroom.access import owner_of
from sealroom.bridge.actor import PROGRAM, Actor
from sealroom.bridge.errors import RequestError
from sealroom.bridge.figures import Counts, RoomFigures, RoomIds
from sealroom.bridge.forwarding import Caller
from sealroom.protocol import (
    AdminRoomListParams,
    AdminRoomListResult,
    AdminRoomMember,
    AdminRoomView,
    Empty,
    ErrorCode,
    LiveFigures,
    RoomDeleteManyParams,
    RoomDeleteManyResult,
    RoomDeletion,
    RoomParams,
    RoomRecord,
    RoomState,
)

from .audit import audited
from .base import AdminPart, check_ids, checked


class RoomAdmin(AdminPart):
    """`admin.room_*`. Members get the events they get when a member does it, without a user id."""

    async def room_get(self, room_id: str, *, actor: Actor = PROGRAM) -> AdminRoomView:
        """Return what is public of a room.

        Raises:
            RequestError: INVALID_PARAMS, ROOM_NOT_FOUND.
        """
        check_ids({"room_id": room_id})
        room = await self._parts.admin_store.room(room_id)
        record = msgspec.json.decode(room.record, type=RoomRecord)
        live = await self._live(room_id, actor)
        return AdminRoomView(
            room_id=room_id,
            context_id=room.context_id,
            creator=owner_of(record),
            author=record.author,
            state=room.state,
            version=record.version,
            epoch=record.epoch,
            room_type=record.room_type,
            policy=record.policy,
            public_meta=record.public_meta,
            members=[AdminRoomMember(user_id=one.user_id, role=one.role) for one in record.members],
            empty_room_ttl=room.empty_room_ttl,
            created_at=room.created_at,
            modified_at=room.modified_at,
            participants=None if live is None else live.participants,
            streams=None if live is None else live.streams,
        )

    async def _live(self, room_id: str, actor: Actor) -> LiveFigures | None:
        params = RoomParams(room_id=room_id)
        try:
            found = await self._parts.homes.ask_home(
                room_id, Caller.of(actor), "room.figures", params, RoomFigures
            )
        except RequestError:  # the home does not answer: what is stored can be told anyway
            return None
        return found.live

    async def room_list(
        self,
        context_id: str,
        state: RoomState | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        actor: Actor = PROGRAM,
    ) -> AdminRoomListResult:
        """Return one page of the rooms of a context, or of those in a state, oldest first.

        Raises:
            RequestError: CONTEXT_NOT_FOUND, INVALID_PARAMS.
        """
        checked(AdminRoomListParams(context_id=context_id, state=state, skip=skip, limit=limit))
        await self._parts.store.require_context(context_id)
        total, rooms = await self._parts.lists.summaries(context_id, state, skip, limit)
        asked = RoomIds([one.room_id for one in rooms])
        found = await self._parts.homes.ask_all(Caller.of(actor), "rooms.counts", asked, Counts)
        counts: dict[str, int] = {}
        for _, answer in found.results:
            counts |= answer.counts
        return AdminRoomListResult(
            total=total,
            rooms=[
                msgspec.structs.replace(
                    room,
                    participants=None
                    if found.silent and room.state == "open" and room.room_id not in counts
                    else counts.get(room.room_id, 0),
                )
                for room in rooms
            ],
        )

    @audited
    async def room_close(self, room_id: str, *, actor: Actor = PROGRAM) -> Empty:
        """Close a room: everyone in it is out, and nobody joins until it is opened again.

        Raises:
            RequestError: ROOM_NOT_FOUND, ROOM_CLOSED.
        """
        await self._parts.control.close(await self._room(room_id), actor)
        return Empty()

    @audited
    async def room_reopen(self, room_id: str, *, actor: Actor = PROGRAM) -> Empty:
        """Open a closed room; if nobody joins, it closes after its time to live.

        Raises:
            RequestError: ROOM_NOT_FOUND, NOT_CLOSED.
        """
        await self._parts.control.reopen(await self._room(room_id), actor)
        return Empty()

    @audited
    async def room_delete(self, room_id: str, *, actor: Actor = PROGRAM) -> Empty:
        """Delete a room and cut off everyone in it.

        Raises:
            RequestError: ROOM_NOT_FOUND.
        """
        await self._parts.control.delete(await self._room(room_id), actor)
        return Empty()

    async def room_delete_many(
        self, room_ids: Sequence[str], *, actor: Actor = PROGRAM
    ) -> RoomDeleteManyResult:
        """Delete rooms one by one and tell what became of each.

        Raises:
            RequestError: INVALID_PARAMS.
        """
        if isinstance(room_ids, str):
            raise RequestError(
                ErrorCode.INVALID_PARAMS,
                "A list, not str.",
                field="room_ids",
                remedy="give a list of ids, or call room_delete",
            )
        params = checked(RoomDeleteManyParams(room_ids=list(room_ids)))
        results = []
        for room_id in params.room_ids:
            error: int | None = None
            try:
                await self.room_delete(room_id, actor=actor)
            except RequestError as refused:
                error = int(refused.error)
            results.append(RoomDeletion(room_id=room_id, error=error))
        return RoomDeleteManyResult(rooms=results)
