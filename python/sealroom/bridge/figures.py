"""Figures of this Bridge, which any Bridge on the database may ask for."""

import time
from collections.abc import Iterable, Mapping
from typing import Annotated

from msgspec import Meta

from sealroom.protocol import (
    MAX_PAGE_ITEMS,
    AdminParticipant,
    BridgeStatistics,
    ContextParams,
    Empty,
    Id,
    LiveFigures,
    MediaFigures,
    Message,
    ParticipantListParams,
    ParticipantListResult,
    RoomParams,
    UserParams,
)

from .bus import EventBus
from .errors import lives_elsewhere
from .forwarding import Caller, Forwarding
from .homes import Homes
from .live import LiveParticipant, LiveRoom, RoomRegistry
from .media_server import MediaServer, MediaServerStatistics
from .store import now_ms


class ContextFigures(Message, frozen=True):
    """What of a context is at one Bridge."""

    sessions: int
    live_rooms: int
    live: LiveFigures


class RoomFigures(Message, frozen=True):
    """What goes on in a room, and where."""

    bridge_id: Id
    live: LiveFigures


class RoomIds(Message, frozen=True):
    """Some rooms."""

    room_ids: Annotated[list[Id], Meta(max_length=MAX_PAGE_ITEMS)]


class Counts(Message, frozen=True):
    """Participants of those of the rooms that live at one Bridge, by room."""

    counts: dict[Id, int]


class Count(Message, frozen=True):
    """A number, and of which Bridge."""

    bridge_id: Id
    count: int


class ParticipantCountParams(Message, frozen=True):
    """Of a context, or of one of its rooms."""

    context_id: Id
    room_id: Id | None = None


class Figures:
    """Served to administrators of all Bridges, who are asked for scopes where they call."""

    def __init__(
        self,
        *,
        forwarding: Forwarding,
        homes: Homes,
        registry: RoomRegistry,
        bus: EventBus,
        media: MediaServer,
    ) -> None:
        self._homes = homes
        self._registry = registry
        self._bus = bus
        self._media = media
        self._started_at = now_ms()
        self._started = time.monotonic()
        forwarding.serve("bridge.figures", Empty, self._of_bridge)
        forwarding.serve("context.figures", ContextParams, self._of_context)
        forwarding.serve("room.figures", RoomParams, self._of_room)
        forwarding.serve("rooms.counts", RoomIds, self._counts)
        forwarding.serve("participants.count", ParticipantCountParams, self._count)
        forwarding.serve("participants.page", ParticipantListParams, self._page)
        forwarding.serve("user.sessions", UserParams, self._sessions)

    def of_bridge(self) -> BridgeStatistics:
        """Return the figures of this Bridge."""
        rooms = self._registry.live
        media = self._media.statistics()
        names = MediaServerStatistics.__dataclass_fields__
        return BridgeStatistics(
            bridge_id=self._homes.bridge_id,
            url=self._homes.public_url,
            started_at=self._started_at,
            uptime=time.monotonic() - self._started,
            sessions=self._bus.session_count(),
            live_rooms=len(rooms),
            live=self._live(rooms.values()),
            media=MediaFigures(**{name: getattr(media, name) for name in names}),
        )

    async def _of_bridge(self, _: Caller, params: Empty) -> BridgeStatistics:
        return self.of_bridge()

    async def _of_context(self, _: Caller, params: ContextParams) -> ContextFigures:
        rooms = self._rooms(params.context_id, None)
        sessions = len(self._bus.sessions_in(params.context_id))
        return ContextFigures(sessions, len(rooms), self._live(rooms))

    async def _of_room(self, _: Caller, params: RoomParams) -> RoomFigures:
        live = self._registry.live.get(params.room_id)
        if live is None and (peer := await self._homes.elsewhere(params.room_id)) is not None:
            raise lives_elsewhere(peer.url)
        return RoomFigures(self._homes.bridge_id, self._live([] if live is None else [live]))

    async def _counts(self, _: Caller, params: RoomIds) -> Counts:
        live = self._registry.live
        return Counts({one: len(live[one].participants) for one in params.room_ids if one in live})

    async def _count(self, _: Caller, params: ParticipantCountParams) -> Count:
        found = self._participants(params.context_id, params.room_id)
        return Count(self._homes.bridge_id, len(found))

    async def _page(self, _: Caller, params: ParticipantListParams) -> ParticipantListResult:
        found = self._participants(params.context_id, params.room_id)
        found.sort(key=lambda one: (one.joined_at, one.participant_id))
        page = [self._view(one) for one in found[params.skip : params.skip + params.limit]]
        return ParticipantListResult(total=len(found), participants=page, silent=[])

    async def _sessions(self, _: Caller, params: UserParams) -> Count:
        sessions = self._bus.sessions_of(params.context_id, params.user_id)
        return Count(self._homes.bridge_id, len(sessions))

    def _rooms(self, context_id: str, room_id: str | None) -> list[LiveRoom]:
        return [
            one
            for one in self._registry.live.values()
            if one.access.context_id == context_id and room_id in (None, one.access.room_id)
        ]

    def _participants(self, context_id: str, room_id: str | None) -> list[LiveParticipant]:
        rooms = self._rooms(context_id, room_id)
        return [participant for room in rooms for participant in room.participants.values()]

    def _view(self, participant: LiveParticipant) -> AdminParticipant:
        usage = self._media.usage(participant.participant_id)
        return AdminParticipant(
            participant_id=participant.participant_id,
            room_id=participant.room.access.room_id,
            user_id=participant.session.user_id,
            joined_at=participant.joined_at,
            streams=sum(
                stream.publisher is participant for stream in participant.room.streams.values()
            ),
            subscribed_tracks=len(participant.wanted),
            received_bytes=usage.received_bytes,
            sent_bytes=usage.sent_bytes,
            bridge_id=self._homes.bridge_id,
        )

    def _live(self, rooms: Iterable[LiveRoom]) -> LiveFigures:
        rooms = list(rooms)
        participants = [one for room in rooms for one in room.participants.values()]
        usages = [self._media.usage(one.participant_id) for one in participants]
        return LiveFigures(
            participants=len(participants),
            streams=sum(len(room.streams) for room in rooms),
            subscribed_tracks=sum(len(one.wanted) for one in participants),
            received_bytes=sum(one.received_bytes for one in usages),
            sent_bytes=sum(one.sent_bytes for one in usages),
        )


def total(figures: Iterable[LiveFigures]) -> LiveFigures:
    """Add up what goes on at several Bridges."""
    figures = list(figures)
    names = LiveFigures.__struct_fields__
    sums: Mapping[str, int] = {name: sum(getattr(one, name) for one in figures) for name in names}
    return LiveFigures(**sums)
