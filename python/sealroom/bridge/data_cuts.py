"""Subscribers that the media server cut from a data track."""

from sealroom.protocol import DataCut, EventType

from .bus import EventBus
from .live import LiveParticipant, RoomRegistry
from .media_server import MediaServer, TrackRef


class DataCuts:
    """Keeps what a participant is subscribed to in line with the media server; sends `data.cut`."""

    def __init__(self, registry: RoomRegistry, bus: EventBus, server: MediaServer) -> None:
        self._registry = registry
        self._bus = bus
        server.on_data_cut = self.cut
        server.room_of = self._room_of

    def cut(self, participant_id: str, ref: TrackRef) -> None:
        """End a subscription. One to a whole stream then is one to the other tracks it has now."""
        participant = self._find(participant_id)
        if participant is None:
            return
        participant.wanted.pop(ref, None)
        participant.whole.discard(ref.stream_id)
        data = DataCut(stream_id=ref.stream_id, track_id=ref.track_id)
        self._bus.send([participant.session], EventType.DATA_CUT, participant.room.access, data)

    def _room_of(self, participant_id: str) -> str:
        participant = self._find(participant_id)
        return "" if participant is None else participant.room.access.room_id

    def _find(self, participant_id: str) -> LiveParticipant | None:
        for room in self._registry.live.values():
            if (participant := room.participants.get(participant_id)) is not None:
                return participant
        return None
