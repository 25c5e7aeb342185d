"""Who says to record a room: `recording.start`, `recording.stop`.

Recording itself is done by members, who can decrypt; this tells the others. It cannot find out who
records without saying so.
"""

from sealroom.access import Right
from sealroom.protocol import Empty, ErrorCode, EventType, RecordingNotice, RoomParams

from .bus import EventBus
from .errors import RequestError
from .live import LiveParticipant
from .session import Session
from .subscriptions import SubscriptionService


class RecordingService:
    """Marks participants and tells their rooms. For one event loop; nothing here waits long."""

    def __init__(self, bus: EventBus, subscriptions: SubscriptionService) -> None:
        self._bus = bus
        self._subscriptions = subscriptions

    async def start(self, session: Session, params: RoomParams) -> Empty:
        """Mark the caller's participant as recording."""
        participant = await self._subscriptions.participant(session, params.room_id, Right.RECORD)
        if participant.is_recording:
            raise RequestError(
                ErrorCode.RECORDING_ALREADY, field="room_id", remedy="it is what you want already"
            )
        participant.is_recording = True
        self._tell(EventType.RECORDING_STARTED, participant, session)
        return Empty()

    async def stop(self, session: Session, params: RoomParams) -> Empty:
        """Take the mark away; needs no right, as nobody should have to go on saying so."""
        participant = await self._subscriptions.participant(session, params.room_id)
        if not participant.is_recording:
            raise RequestError(
                ErrorCode.NOT_RECORDING, field="room_id", remedy="it is what you want already"
            )
        self.end(participant, cause=session)
        return Empty()

    def end(self, participant: LiveParticipant, *, cause: Session | None) -> None:
        """The participant leaves or may not record any more; no error if it does not record."""
        if participant.is_recording:
            participant.is_recording = False
            self._tell(EventType.RECORDING_STOPPED, participant, cause)

    def _tell(self, event: EventType, participant: LiveParticipant, cause: Session | None) -> None:
        data = RecordingNotice(
            participant_id=participant.participant_id, user_id=participant.session.user_id
        )
        self._bus.publish(event, participant.room.access, data, cause=cause)
