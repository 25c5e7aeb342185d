"""Participants: who is in the rooms of this Bridge now, and out with them."""

from sealroom.bridge.actor import PROGRAM, Actor
from sealroom.bridge.live import LiveParticipant
from sealroom.protocol import (
    AdminParticipant,
    Empty,
    ParticipantKickParams,
    ParticipantListResult,
)

from .audit import audited
from .base import AdminPart, checked


class ParticipantAdmin(AdminPart):
    """`admin.participant_*`."""

    async def participant_list(
        self,
        context_id: str,
        room_id: str | None = None,
        skip: int = 0,
        limit: int = 100,
        *,
        actor: Actor = PROGRAM,
    ) -> ParticipantListResult:
        """Return one page of who is in the rooms of a context, or in one of them, oldest first.

        Raises:
            RequestError: CONTEXT_NOT_FOUND.
        """
        await self._parts.store.require_context(context_id)
        found = [
            participant
            for room in self._parts.registry.live.values()
            if room.access.context_id == context_id and room_id in (None, room.access.room_id)
            for participant in room.participants.values()
        ]
        found.sort(key=lambda one: (one.joined_at, one.participant_id))
        page = [self._view(one) for one in found[skip : skip + limit]]
        return ParticipantListResult(total=len(found), participants=page)

    @audited
    async def participant_kick(
        self, room_id: str, participant_id: str, note: str | None = None, *, actor: Actor = PROGRAM
    ) -> Empty:
        """Throw a participant out; it is told, with the note, and so are the others.

        Raises:
            RequestError: INVALID_PARAMS, ROOM_NOT_FOUND, PARTICIPANT_NOT_FOUND.
        """
        checked(ParticipantKickParams(room_id=room_id, participant_id=participant_id, note=note))
        self._parts.control.kick(await self._room(room_id), participant_id, actor, note)
        return Empty()

    def _view(self, participant: LiveParticipant) -> AdminParticipant:
        usage = self._parts.media.usage(participant.participant_id)
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
        )
