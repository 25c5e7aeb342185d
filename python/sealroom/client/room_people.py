"""Who is in a joined room, and who says to record it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sealroom.client.errors import RequestRefusedError, SessionMismatchError
from sealroom.client.events import (
    ParticipantJoined,
    ParticipantLeft,
    RecordingStarted,
    RecordingStopped,
)
from sealroom.client.models import ParticipantInfo
from sealroom.client.room_link import RoomLink
from sealroom.protocol import Empty, ErrorCode, Participant, ParticipantGone, RoomParams


class RoomPeople:
    """The participants, as the Bridge says, and this side's recording notice."""

    def __init__(self, link: RoomLink, participants: Iterable[Participant]) -> None:
        self._link = link
        self._there = {one.participant_id: one for one in participants}
        self.gives_recording_notice = False  # also in the sessions that take this one's place

    @property
    def own(self) -> Participant | None:
        """This participant."""
        return self._there.get(self._link.participant_id)

    def check_own(self) -> None:
        """Raises SessionMismatchError if the Bridge says that this side is somebody else."""
        own = self.own
        if own is None or own.user_id != self._link.connection.user_id:
            raise SessionMismatchError("the Bridge joins this side as somebody else's participant")

    def infos(self) -> list[ParticipantInfo]:
        """Who is there, this participant included."""
        return [self._info(one) for one in self._there.values()]

    def joined(self, participant: Participant) -> None:
        if self._there.setdefault(participant.participant_id, participant) is participant:
            self._link.emit(ParticipantJoined(self._link.room_id, self._info(participant)))

    def left(self, gone: ParticipantGone) -> None:
        participant = self._there.pop(gone.participant_id, None)
        if participant is not None:
            info = self._info(participant)
            self._link.emit(ParticipantLeft(self._link.room_id, info, gone.reason))

    def read_again(self, participants: Iterable[Participant]) -> None:
        """Takes who is there now and tells what differs, since events were lost."""
        there = {one.participant_id: one for one in participants}
        for one in list(self._there.values()):
            if one.participant_id not in there:
                del self._there[one.participant_id]
                self._tell_lost(one)
        for one in there.values():
            self.joined(one)
            self.recording_changed(one.participant_id, one.recording)

    def take_over(self, other: RoomPeople) -> None:
        """Goes on for a session before and tells who came and went since."""
        self.gives_recording_notice = other.gives_recording_notice
        for one in other._there.values():
            if one.participant_id not in self._there and one != other.own:
                self._tell_lost(one)
        for one in self._there.values():
            if one.participant_id not in other._there and one != self.own:
                info = ParticipantInfo.of(one)
                self._link.emit(ParticipantJoined(self._link.room_id, info))

    def recording_changed(self, participant_id: str, is_recording: bool) -> None:
        """A participant, perhaps this one, begins or ends to record, as it says."""
        if participant_id == self._link.participant_id:
            self.gives_recording_notice = is_recording
        participant = self._there.get(participant_id)
        if participant is None or participant.recording is is_recording:
            return
        changed = msgspec.structs.replace(participant, recording=is_recording)
        self._there[participant_id] = changed
        made = RecordingStarted if is_recording else RecordingStopped
        self._link.emit(made(self._link.room_id, self._info(changed)))

    async def give_recording_notice(self) -> None:
        """Says that this participant records; no error if the Bridge knows.

        Raises RequestRefusedError.
        """
        try:
            params = RoomParams(room_id=self._link.room_id)
            await self._link.connection.call("recording.start", params, Empty)
        except RequestRefusedError as error:
            if error.error_code != ErrorCode.RECORDING_ALREADY:
                raise
        self.recording_changed(self._link.participant_id, True)

    def recording_notice_lost(self) -> None:
        """The notice of the session before is not taken any more: the application is told."""
        self.gives_recording_notice = False
        if (own := self.own) is not None:
            self._link.emit(RecordingStopped(self._link.room_id, self._info(own)))

    def _tell_lost(self, participant: Participant) -> None:
        info = ParticipantInfo.of(participant)
        self._link.emit(ParticipantLeft(self._link.room_id, info, "unknown"))

    def _info(self, participant: Participant) -> ParticipantInfo:
        key = participant.participant_id
        streams = self._link.streams.values()
        published = [one.stream_id for one in streams if one.participant_id == key]
        return ParticipantInfo.of(participant, published)
