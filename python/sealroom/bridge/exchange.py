"""Joins a relay to the bus: what happens here goes out, what happens elsewhere is carried out."""

from collections import deque
from collections.abc import Collection, Mapping

import msgspec

from sealroom.access import Policy, Right
from sealroom.protocol import EVENTS, EventType, Message, SessionResync

from .bus import EventBus
from .forwarding import Forwarding
from .live import RoomRegistry
from .logs import get_logger
from .records import Member, RoomAccess
from .relay import (
    Broadcast,
    Direct,
    Relay,
    RelayedCheck,
    RelayedEvent,
    RelayedExclusion,
    RelayedGap,
)
from .upkeep import Upkeep

# What concerns one session only, its Bridge sends: nobody else may put it in its mouth.
_RELAYED = frozenset(
    {
        EventType.ROOM_CREATED,
        EventType.ROOM_UPDATED,
        EventType.ROOM_DELETED,
        EventType.ROOM_CLOSED,
        EventType.ROOM_REOPENED,
        EventType.ROOM_CUSTOM,
        EventType.PARTICIPANT_JOINED,
        EventType.PARTICIPANT_LEFT,
        EventType.STREAM_PUBLISHED,
        EventType.STREAM_UPDATED,
        EventType.STREAM_UNPUBLISHED,
        EventType.RECORDING_STARTED,
        EventType.RECORDING_STOPPED,
    }
)
# What upkeep does at a room's home, events included.
_OF_UPKEEP = {EventType.ROOM_UPDATED, EventType.ROOM_CLOSED, EventType.ROOM_DELETED}

MAX_OVERTAKEN_EVENTS = 256
"""Events that wait for the deletion of their room, which the database told of before it came."""


class Exchange:
    """For one event loop. Messages are handled one after another, in the order of each Bridge."""

    def __init__(
        self,
        relay: Relay,
        origin: str,
        bus: EventBus,
        registry: RoomRegistry,
        upkeep: Upkeep,
        forwarding: Forwarding,
    ) -> None:
        self._relay = relay
        self._origin = origin
        self._bus = bus
        self._registry = registry
        self._upkeep = upkeep
        self._forwarding = forwarding
        self._overtaken: deque[RelayedEvent] = deque(maxlen=MAX_OVERTAKEN_EVENTS)

    async def start(self) -> None:
        """Begin to tell others, and to listen."""
        if self._relay.state != "none":
            self._bus.exchange = self
            await self._relay.start(self)

    def event(
        self,
        event: EventType,
        access: RoomAccess,
        data: Message,
        only: Collection[str] | None,
    ) -> None:
        """Tell other Bridges of an event."""
        self._relay.send(
            RelayedEvent(
                origin=self._origin,
                context_id=access.context_id,
                room_id=access.room_id,
                type=event,
                data=msgspec.Raw(msgspec.json.encode(data)),
                only=None if only is None else list(only),
                audience=_audience(access) if event is EventType.ROOM_DELETED else None,
            )
        )

    def excluded(self, access: RoomAccess, user_ids: Collection[str], data: Message) -> None:
        """Tell users' sessions at other Bridges that they lost a room."""
        raw = msgspec.Raw(msgspec.json.encode(data))
        self._relay.send(
            RelayedExclusion(
                origin=self._origin, room_id=access.room_id, user_ids=list(user_ids), data=raw
            )
        )

    def users_changed(self) -> None:
        """Have other Bridges look up the users of their sessions."""
        self._relay.send(RelayedCheck(origin=self._origin))

    def take(self, message: Direct) -> None:
        """Another Bridge calls this one, or answers."""
        self._forwarding.take(message)

    async def receive(self, message: Broadcast) -> None:
        """Carry out what another Bridge told all."""
        if isinstance(message, RelayedGap):
            self.gap()
        elif isinstance(message, RelayedCheck):
            await self._upkeep.check_users()
        elif isinstance(message, RelayedExclusion):
            access = await self._registry.access(message.room_id)
            if access is not None and message.room_id not in self._registry.live:
                data = msgspec.json.decode(message.data, type=EVENTS[EventType.ROOM_EXCLUDED])
                self._bus.tell_excluded(access, message.user_ids, data, relayed=True)
        else:
            await self._receive_event(message)

    async def _receive_event(self, message: RelayedEvent) -> None:
        if message.type not in _RELAYED:
            get_logger().error("relay: no Bridge relays this event", type=message.type)
            return
        if message.audience is not None:
            self._tell_overtaken(message, message.audience)
        if message.type in _OF_UPKEEP and message.room_id in self._registry.live:
            await self._upkeep.check_room(message.room_id)
            return
        access = await self._registry.access(message.room_id)
        if access is None and message.audience is None:
            self._overtaken.append(message)  # who may hear of it, the deletion says
            return
        if access is None and message.audience is not None:
            access = _gone(message.room_id, message.context_id, message.audience)
        if access is None or access.context_id != message.context_id:
            return
        self._publish(message, access)
        if message.type is EventType.ROOM_DELETED:
            self._registry.forget(message.room_id)
            self._bus.drop_room(message.room_id)

    def _publish(self, message: RelayedEvent, access: RoomAccess) -> None:
        data = msgspec.json.decode(message.data, type=EVENTS[message.type])
        self._bus.publish(message.type, access, data, only=message.only, relayed=True)

    def _tell_overtaken(self, deletion: RelayedEvent, audience: Mapping[str, bytes]) -> None:
        access = _gone(deletion.room_id, deletion.context_id, audience)
        for one in list(self._overtaken):
            if (one.room_id, one.context_id) == (access.room_id, access.context_id):
                self._overtaken.remove(one)
                self._publish(one, access)

    def gap(self) -> None:
        """Events of other Bridges are lost: every session is told to read again."""
        self._overtaken.clear()
        raw = msgspec.Raw(msgspec.json.encode(SessionResync(missed=None)))
        for user in self._bus.users():
            for session in self._bus.sessions_of(*user):
                session.deliver(EventType.SESSION_RESYNC, "", raw)


def _audience(access: RoomAccess) -> dict[str, bytes]:
    return {
        user_id: one.fingerprint
        for user_id, one in access.members.items()
        if access.allows(Right.GET, user_id, one.fingerprint)
    }


def _gone(room_id: str, context_id: str, audience: Mapping[str, bytes]) -> RoomAccess:
    """Rules of a room that is deleted: these users may still hear so."""
    members = {user_id: Member(fingerprint, "user") for user_id, fingerprint in audience.items()}
    return RoomAccess(room_id, context_id, "", 1, Policy.from_record({}), members)
