"""Whether a room, and the Bridge, have space for a stream or for what one adds."""

from collections.abc import Iterator
from dataclasses import dataclass

from sealroom.protocol import (
    MAX_PARTICIPANT_STREAMS,
    MAX_ROOM_ANNOUNCEMENT_BYTES,
    MAX_ROOM_STREAMS,
    MAX_ROOM_TRACKS,
    MAX_USER_TRACKS,
    ErrorCode,
)

from .bus import EventBus
from .errors import BridgeError, RequestError, limit_exceeded
from .live import LiveParticipant, LiveRoom


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackLimits:
    """Tracks that are live at a Bridge, whether anything comes of them or not.

    The media server carries 10,000 in all. With these no user, and no room, takes them from all
    others.

    Raises:
        BridgeError: a limit is below 1.
    """

    user: int = MAX_USER_TRACKS  # of all participants of a user, in all rooms
    room: int = MAX_ROOM_TRACKS

    def __post_init__(self) -> None:
        """Check the figures."""
        for name in self.__dataclass_fields__:
            if getattr(self, name) < 1:
                raise BridgeError(f"The track limit {name} is below 1.")


class StreamSpace:
    """Refuses what has no space: LIMIT_EXCEEDED with the limit."""

    def __init__(self, bus: EventBus, limits: TrackLimits) -> None:
        self._bus = bus
        self._limits = limits

    def check_new(
        self, participant: LiveParticipant, stream_id: str, *, size: int, tracks: int
    ) -> None:
        """Return if there is space for a stream with so many tracks, its announcement of `size`.

        Raises:
            RequestError: LIMIT_EXCEEDED, STREAM_EXISTS.
        """
        room = participant.room
        if stream_id in room.streams or stream_id in room.pending:
            raise RequestError(
                ErrorCode.STREAM_EXISTS,
                field="announcement.payload.stream_id",
                remedy="choose a new random stream id (uuid4)",
            )
        publishers = [one for one, _, _ in _streams(room)]
        if len(publishers) >= MAX_ROOM_STREAMS:
            raise limit_exceeded("streams in a room", MAX_ROOM_STREAMS)
        if publishers.count(participant) >= MAX_PARTICIPANT_STREAMS:
            raise limit_exceeded("streams of a participant", MAX_PARTICIPANT_STREAMS)
        self.check_growth(participant, size=size, tracks=tracks)

    def check_growth(self, participant: LiveParticipant, *, size: int, tracks: int) -> None:
        """Return if a participant's streams may have so many more bytes and tracks.

        Raises:
            RequestError: LIMIT_EXCEEDED.
        """
        there = list(_streams(participant.room))
        if size > 0 and sum(one for _, one, _ in there) + size > MAX_ROOM_ANNOUNCEMENT_BYTES:
            raise limit_exceeded("bytes of announcements in a room", MAX_ROOM_ANNOUNCEMENT_BYTES)
        if tracks <= 0:
            return
        field, limits = "announcement.payload.tracks", self._limits
        if sum(one for _, _, one in there) + tracks > limits.room:
            raise limit_exceeded("live tracks in a room", limits.room, field=field)
        if self._tracks_of_user(participant) + tracks > limits.user:
            raise limit_exceeded("live tracks of a user in all rooms", limits.user, field=field)

    def _tracks_of_user(self, participant: LiveParticipant) -> int:
        user = _user(participant)
        # Not all rooms there are: at a full Bridge looking them through takes 13 ms.
        rooms = {
            id(joined.room): joined.room
            for session in self._bus.sessions_of(*user)
            for joined in session.joined.values()
        }
        return sum(
            tracks
            for room in rooms.values()
            for publisher, _, tracks in _streams(room)
            if _user(publisher) == user
        )


def _user(participant: LiveParticipant) -> tuple[str, str]:
    return participant.session.context_id, participant.session.user_id


def _streams(room: LiveRoom) -> Iterator[tuple[LiveParticipant, int, int]]:
    """Yield publisher, bytes and tracks of each stream, with those that are being published."""
    for stream in room.streams.values():
        size, tracks = len(stream.signed.payload), len(stream.announcement.tracks)
        yield stream.publisher, size + stream.reserved_bytes, tracks + stream.reserved_tracks
    for pending in room.pending.values():
        yield pending.publisher, pending.size, pending.tracks
