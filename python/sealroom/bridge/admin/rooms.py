"""Rooms as administrators see them."""

import msgspec

from sealroom.bridge.actor import PROGRAM, Actor
from sealroom.protocol import AdminRoomListResult

from .base import AdminPart


class RoomAdmin(AdminPart):
    """`admin.room_*`."""

    async def room_list(
        self, context_id: str, skip: int = 0, limit: int = 100, *, actor: Actor = PROGRAM
    ) -> AdminRoomListResult:
        """Return one page of the rooms of a context, oldest first.

        Raises:
            RequestError: CONTEXT_NOT_FOUND.
        """
        await self._parts.store.require_context(context_id)
        total, rooms = await self._parts.lists.summaries(context_id, skip, limit)
        live = self._parts.registry.live
        return AdminRoomListResult(
            total=total,
            rooms=[
                msgspec.structs.replace(
                    room,
                    participants=len(live[room.room_id].participants)
                    if room.room_id in live
                    else 0,
                )
                for room in rooms
            ],
        )
