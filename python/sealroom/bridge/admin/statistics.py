"""Figures of a Bridge, a context, a room."""

import time
from collections.abc import Iterable

from sealroom.bridge.actor import PROGRAM, Actor
from sealroom.bridge.live import LiveRoom
from sealroom.bridge.media_server import MediaServer, MediaServerStatistics
from sealroom.protocol import (
    BridgeStatistics,
    ContextStatistics,
    LiveFigures,
    MediaFigures,
    RoomStatisticsView,
)

from .base import AdminPart


class StatisticsAdmin(AdminPart):
    """`admin.*statistics`. Sessions, participants and media are those of this process."""

    async def statistics(self, *, actor: Actor = PROGRAM) -> BridgeStatistics:
        """Return the figures of this Bridge."""
        parts = self._parts
        rooms = list(parts.registry.live.values())
        media = parts.media.statistics()
        names = MediaServerStatistics.__dataclass_fields__
        return BridgeStatistics(
            bridge_id=parts.bridge_id,
            started_at=parts.started_at,
            uptime=time.monotonic() - parts.started,
            sessions=parts.bus.session_count(),
            live_rooms=len(rooms),
            live=_live_figures(rooms, parts.media),
            media=MediaFigures(**{name: getattr(media, name) for name in names}),
        )

    async def context_statistics(
        self, context_id: str, *, actor: Actor = PROGRAM
    ) -> ContextStatistics:
        """Return the figures of a context.

        Raises:
            RequestError: CONTEXT_NOT_FOUND.
        """
        parts = self._parts
        await parts.store.require_context(context_id)
        stored = await parts.admin_store.context_figures(context_id)
        rooms = [one for one in parts.registry.live.values() if one.access.context_id == context_id]
        return ContextStatistics(
            context_id=context_id,
            users=stored.users,
            rooms={
                "created": stored.rooms.get("created", 0),
                "open": stored.rooms.get("open", 0),
                "closed": stored.rooms.get("closed", 0),
            },
            sessions=len(parts.bus.sessions_in(context_id)),
            live_rooms=len(rooms),
            live=_live_figures(rooms, parts.media),
        )

    async def room_statistics(self, room_id: str, *, actor: Actor = PROGRAM) -> RoomStatisticsView:
        """Return the figures of a room.

        Raises:
            RequestError: ROOM_NOT_FOUND.
        """
        room = await self._parts.admin_store.room(room_id)
        access = await self._room(room_id)
        live = self._parts.registry.live.get(room_id)
        return RoomStatisticsView(
            room_id=room_id,
            state=room.state,
            members=len(access.members),
            live=_live_figures([] if live is None else [live], self._parts.media),
        )


def _live_figures(rooms: Iterable[LiveRoom], media: MediaServer) -> LiveFigures:
    rooms = list(rooms)
    participants = [one for room in rooms for one in room.participants.values()]
    usages = [media.usage(one.participant_id) for one in participants]
    return LiveFigures(
        participants=len(participants),
        streams=sum(len(room.streams) for room in rooms),
        subscribed_tracks=sum(len(one.wanted) for one in participants),
        received_bytes=sum(one.received_bytes for one in usages),
        sent_bytes=sum(one.sent_bytes for one in usages),
    )
