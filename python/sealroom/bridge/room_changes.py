"""Changes of rooms that exist: new records, closing and opening, and epochs in a live call."""

import msgspec

from sealroom.access import Right
from sealroom.protocol import (
    CUSTOM_EVENT_TYPE,
    CustomEventPayload,
    CustomEventView,
    Empty,
    ErrorCode,
    EventType,
    RoomExcluded,
    RoomParams,
    RoomReadyParams,
    RoomResult,
    RoomSendEventParams,
    RoomUpdated,
    RoomUpdateParams,
)
from sealroom.protocol.decoding import decode_json

from .audit import AuditLog, membership
from .bus import EventBus, Session
from .errors import RequestError, access_denied, malformed
from .live import LiveRoom, RoomRegistry
from .recordings import RecordingService
from .records import RoomAccess, check_members_exist, check_next_record, verify_signed
from .room_control import RoomControl
from .room_life import RoomLife
from .room_lists import RoomLists
from .room_store import RoomStore
from .store import Store
from .streams import StreamService
from .subscriptions import SubscriptionService


class RoomChanges:
    """The methods `room.update`, `close`, `reopen`, `send_event` and `ready`."""

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
        streams: StreamService,
        subscriptions: SubscriptionService,
        recordings: RecordingService,
        audit: AuditLog,
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._lists = lists
        self._registry = registry
        self._bus = bus
        self._life = life
        self._control = control
        self._streams = streams
        self._subscriptions = subscriptions
        self._recordings = recordings
        self._audit = audit

    async def update(self, session: Session, params: RoomUpdateParams) -> RoomResult:
        """Store the next record of a room and bring the call in line with it.

        Whoever is no member any more is out, with streams and media, before the answer leaves; at
        another Bridge too, if that answers in time (`HomeCalls.settle`).
        """
        room_id = params.room_id
        await self._registry.require(session, room_id, Right.UPDATE)
        async with self._registry.lock(room_id):
            before = await self._registry.require(session, room_id, Right.UPDATE)
            newest = await self._rooms.newest(room_id)
            if newest is None:
                raise access_denied()
            policy = await self._store.context_policy(session.context_id)
            checked, access = check_next_record(
                params, session.user_id, session.identity, newest[0], policy
            )
            known = await self._store.fingerprints(session.context_id, list(access.members))
            former = {(user_id, one.fingerprint) for user_id, one in before.members.items()}
            check_members_exist(checked.record, known, former)
            home = await self._rooms.update(checked, params.empty_room_ttl)
            self._note_update(session, before, access)
            self._registry.remember(access)
            live = self._registry.live.get(room_id)
            if live is not None and params.empty_room_ttl is not None:
                live.empty_room_ttl = params.empty_room_ttl
            await self.follow(before, access, session)
            room = await self._lists.get(room_id, session.user_id)
        if (before.members, before.policy) != (access.members, access.policy):
            await self._control.settle(access, home)
        if room is None:
            raise access_denied()
        return RoomResult(room=room)

    def _note_update(self, session: Session, before: RoomAccess, access: RoomAccess) -> None:
        target, context_id = ("room", access.room_id), access.context_id
        details = {"version": access.version, "epoch": access.epoch}
        self._audit.note(
            session.actor, "room.updated", target, context_id=context_id, details=details
        )
        added = access.members.keys() - before.members.keys()
        removed = before.members.keys() - access.members.keys()
        if added or removed:
            self._audit.note(
                session.actor,
                "room.members_changed",
                target,
                context_id=context_id,
                details=membership(added, removed),
            )

    async def follow(
        self,
        before: RoomAccess,
        access: RoomAccess,
        cause: Session | None,
        *,
        relayed: bool = False,
    ) -> None:
        """Bring the call in line with a room's new record, under the room's lock.

        Args:
            before: the access rules it was in line with.
            access: those of the new record, which is stored.
            cause: the session that sent it, if that is here.
            relayed: other Bridges know of the record.
        """
        live = self._registry.live.get(access.room_id)
        if live is not None:
            live.access = access
        data = RoomUpdated(version=access.version, epoch=access.epoch, author=access.author)
        self._bus.publish(EventType.ROOM_UPDATED, access, data, cause=cause, relayed=relayed)
        lost = [
            user_id
            for user_id, one in before.members.items()
            if not access.allows(Right.GET, user_id, one.fingerprint)
        ]
        told = RoomExcluded(reason="removed", user_id=access.author)
        self._bus.tell_excluded(access, lost, told, cause=cause, relayed=relayed)
        if live is not None:
            await self._enforce(live)
            self._life.epoch_ready(live)

    async def close(self, session: Session, params: RoomParams) -> Empty:
        """Close a room: everyone in it is out, and nobody joins until it is opened again."""
        access = await self._registry.require(session, params.room_id, Right.CLOSE)
        await self._control.close(access, session.actor, session)
        return Empty()

    async def reopen(self, session: Session, params: RoomParams) -> Empty:
        """Open a closed room; if nobody joins, it closes after its time to live."""
        access = await self._registry.require(session, params.room_id, Right.CLOSE)
        await self._control.reopen(access, session.actor, session)
        return Empty()

    async def send_event(self, session: Session, params: RoomSendEventParams) -> Empty:
        """Pass an event of the application's on to the members it is for."""
        access = await self._registry.require(session, params.room_id, Right.SEND_CUSTOM_EVENT)
        signed = params.event
        verify_signed(signed, CUSTOM_EVENT_TYPE, session.user_id, session.identity, "event")
        try:
            payload = decode_json(signed.payload, CustomEventPayload)
        except msgspec.DecodeError as error:
            raise malformed(ErrorCode.EVENT_INVALID, error, prefix="event.payload") from None
        for fits, field in (
            (payload.context_id == access.context_id, "context_id"),
            (payload.room_id == access.room_id, "room_id"),
            (payload.epoch <= access.epoch, "epoch"),
            (set(payload.user_ids or ()) <= access.members.keys(), "user_ids"),
        ):
            if not fits:
                raise RequestError(
                    ErrorCode.EVENT_INVALID,
                    field=f"event.payload.{field}",
                    remedy="name the room, an epoch it has had, and members of it",
                )
        only = None if payload.user_ids is None else set(payload.user_ids)
        data = CustomEventView(event=signed)
        self._bus.publish(EventType.ROOM_CUSTOM, access, data, cause=session, only=only)
        return Empty()

    async def ready(self, session: Session, params: RoomReadyParams) -> Empty:
        """Note that a participant can decrypt an epoch; the last one's word goes to all."""
        participant = await self._subscriptions.participant(session, params.room_id)
        room = participant.room
        if params.epoch > room.access.epoch:
            raise RequestError(
                ErrorCode.INVALID_PARAMS, field="epoch", remedy="name an epoch the room has had"
            )
        participant.ready_epoch = max(participant.ready_epoch, params.epoch)
        self._life.epoch_ready(room)
        return Empty()

    async def _enforce(self, live: LiveRoom) -> None:
        """End what the new record does not allow any more."""
        access: RoomAccess = live.access
        out = [one for one in live.participants.values() if not one.session.may(Right.GET, access)]
        self._life.expel(out, "removed")
        for participant in list(live.participants.values()):
            if not participant.session.may(Right.PUBLISH, access):
                await self._streams.end_all(participant)
            if not participant.session.may(Right.SUBSCRIBE, access):
                self._subscriptions.forget_all(participant)
            if not participant.session.may(Right.RECORD, access):
                self._recordings.end(participant, cause=None)
