"""Participants: who is in the rooms now, at all Bridges, and out with them."""

from sealroom.bridge.actor import PROGRAM, Actor
from sealroom.bridge.figures import Count, ParticipantCountParams
from sealroom.bridge.forwarding import Caller
from sealroom.protocol import (
    Empty,
    ParticipantKickParams,
    ParticipantListParams,
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
        """Return one page of who is in the rooms of a context, or in one of them.

        By Bridge, and of each the oldest first.

        Raises:
            RequestError: CONTEXT_NOT_FOUND, INVALID_PARAMS; HOME_SILENT: a Bridge answered, and
                then no more.
        """
        checked(
            ParticipantListParams(context_id=context_id, room_id=room_id, skip=skip, limit=limit)
        )
        homes, caller = self._parts.homes, Caller.of(actor)
        await self._parts.store.require_context(context_id)
        asked = ParticipantCountParams(context_id=context_id, room_id=room_id)
        counted = await homes.ask_all(caller, "participants.count", asked, Count)
        found, begin = [], 0
        for peer, answer in sorted(counted.results, key=lambda one: one[1].bridge_id):
            first = max(skip, begin)
            end = min(skip + limit, begin + answer.count)
            if first < end:
                params = ParticipantListParams(
                    context_id=context_id, room_id=room_id, skip=first - begin, limit=end - first
                )
                page = await homes.ask(
                    peer, caller, "participants.page", params, ParticipantListResult
                )
                found += page.participants
            begin += answer.count
        return ParticipantListResult(total=begin, participants=found, silent=list(counted.silent))

    @audited
    async def participant_kick(
        self, room_id: str, participant_id: str, note: str | None = None, *, actor: Actor = PROGRAM
    ) -> Empty:
        """Throw a participant out; it is told, with the note, and so are the others.

        Raises:
            RequestError: INVALID_PARAMS, ROOM_NOT_FOUND, PARTICIPANT_NOT_FOUND; ROOM_ELSEWHERE,
                HOME_SILENT: the room lives at a Bridge that cannot be asked, or does not answer.
        """
        checked(ParticipantKickParams(room_id=room_id, participant_id=participant_id, note=note))
        await self._room(room_id)
        return await self._parts.live.kick_for(actor, room_id, participant_id, note)
