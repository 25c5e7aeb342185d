"""Figures of a Bridge, of all Bridges, of a context, of a room."""

from sealroom.bridge.actor import PROGRAM, Actor
from sealroom.bridge.figures import ContextFigures, RoomFigures, total
from sealroom.bridge.forwarding import Caller
from sealroom.protocol import (
    BridgeListResult,
    BridgeStatistics,
    ContextParams,
    ContextStatistics,
    Empty,
    RoomParams,
    RoomStatisticsView,
)

from .base import AdminPart


class StatisticsAdmin(AdminPart):
    """`admin.*statistics` and `admin.bridge_list`."""

    async def statistics(self, *, actor: Actor = PROGRAM) -> BridgeStatistics:
        """Return the figures of this Bridge."""
        return self._parts.figures.of_bridge()

    async def bridge_list(self, *, actor: Actor = PROGRAM) -> BridgeListResult:
        """Return the figures of every Bridge on the database, this one first."""
        found = await self._parts.homes.ask_all(
            Caller.of(actor), "bridge.figures", Empty(), BridgeStatistics
        )
        return BridgeListResult(
            bridges=[answer for _, answer in found.results], silent=list(found.silent)
        )

    async def context_statistics(
        self, context_id: str, *, actor: Actor = PROGRAM
    ) -> ContextStatistics:
        """Return the figures of a context, at all Bridges.

        Raises:
            RequestError: CONTEXT_NOT_FOUND.
        """
        parts = self._parts
        await parts.store.require_context(context_id)
        stored = await parts.admin_store.context_figures(context_id)
        found = await parts.homes.ask_all(
            Caller.of(actor),
            "context.figures",
            ContextParams(context_id=context_id),
            ContextFigures,
        )
        figures = [answer for _, answer in found.results]
        return ContextStatistics(
            context_id=context_id,
            users=stored.users,
            rooms={
                "created": stored.rooms.get("created", 0),
                "open": stored.rooms.get("open", 0),
                "closed": stored.rooms.get("closed", 0),
            },
            sessions=sum(one.sessions for one in figures),
            live_rooms=sum(one.live_rooms for one in figures),
            live=total(one.live for one in figures),
            silent=list(found.silent),
        )

    async def room_statistics(self, room_id: str, *, actor: Actor = PROGRAM) -> RoomStatisticsView:
        """Return the figures of a room, wherever it lives.

        Raises:
            RequestError: ROOM_NOT_FOUND; ROOM_ELSEWHERE, HOME_SILENT: it lives at a Bridge that
                cannot be asked, or does not answer.
        """
        room = await self._parts.admin_store.room(room_id)
        access = await self._room(room_id)
        found = await self._parts.homes.ask_home(
            room_id, Caller.of(actor), "room.figures", RoomParams(room_id=room_id), RoomFigures
        )
        return RoomStatisticsView(
            room_id=room_id,
            state=room.state,
            members=len(access.members),
            live=found.live,
            bridge_id=found.bridge_id,
        )
