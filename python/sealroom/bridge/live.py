"""What lives in memory: who is in a room now and what is published there."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4
from weakref import WeakValueDictionary

import msgspec

from sealroom.access import Right
from sealroom.protocol import (
    Participant,
    RoomRecord,
    SignedObject,
    StreamAnnouncement,
    StreamView,
    TrackAssignment,
)

from .errors import access_denied
from .media_server import TrackRef
from .records import RoomAccess
from .room_store import RoomStore
from .session import Session
from .store import now_ms

_MAX_CACHED_ACCESS: Final = 1024


@dataclass(eq=False, slots=True)
class LiveStream:
    """A published stream."""

    publisher: "LiveParticipant"
    signed: SignedObject
    announcement: StreamAnnouncement
    removed: set[str] = field(default_factory=set)  # ids of tracks it has had
    reserved_bytes: int = 0  # by which a newer announcement under way is larger
    reserved_tracks: int = 0

    @property
    def stream_id(self) -> str:
        """Id of the stream, unique in its room."""
        return self.announcement.stream_id

    def view(self) -> StreamView:
        """Return the stream as members see it."""
        return StreamView(
            stream_id=self.stream_id,
            participant_id=self.publisher.participant_id,
            user_id=self.publisher.session.user_id,
            announcement=self.signed,
        )

    def tracks(self) -> list[TrackRef]:
        """Return all tracks."""
        owner, tracks = self.publisher.participant_id, self.announcement.tracks
        return [TrackRef(owner, self.stream_id, track.track_id) for track in tracks]


@dataclass(eq=False, slots=True)
class LiveParticipant:
    """One session in one room."""

    session: Session
    room: "LiveRoom"
    participant_id: str = field(default_factory=lambda: uuid4().hex)
    # Held around calls of the media server: one at a time for one participant.
    media_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted: dict[TrackRef, None] = field(default_factory=dict)  # in order of subscribing
    whole: set[str] = field(default_factory=set)  # streams wanted with all they may add
    stale: bool = False  # the media server still has tracks that are not wanted any more
    tracks: list[TrackAssignment] = field(default_factory=list)
    offer_id: int = 0
    offer: str = ""  # the one of `offer_id`
    answered: bool = True
    answer_hash: bytes = b""  # of the answer to it, should it come again
    gone: bool = False
    ready_epoch: int = 0  # it says it can decrypt this one
    joined_at: int = field(default_factory=now_ms)
    is_recording: bool = False  # so it says

    def view(self) -> Participant:
        """Return the participant as members see it."""
        return Participant(
            participant_id=self.participant_id,
            user_id=self.session.user_id,
            joined_at=self.joined_at,
            recording=self.is_recording,
            stream_ids=[key for key, one in self.room.streams.items() if one.publisher is self],
        )


@dataclass(frozen=True, slots=True)
class PendingStream:
    """One the media server is being asked for."""

    publisher: LiveParticipant
    size: int  # of its announcement
    tracks: int


@dataclass(eq=False, slots=True)
class LiveRoom:
    """A room with at least one participant."""

    access: RoomAccess
    empty_room_ttl: float
    announced_epoch: int = 0  # all were told that all are ready for it
    participants: dict[str, LiveParticipant] = field(default_factory=dict)
    streams: dict[str, LiveStream] = field(default_factory=dict)
    pending: dict[str, PendingStream] = field(default_factory=dict)  # by stream id


class RoomRegistry:
    """Live rooms, and the access rules of rooms in use."""

    def __init__(self, store: RoomStore) -> None:
        self._store = store
        self._access: OrderedDict[str, RoomAccess] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.live: dict[str, LiveRoom] = {}

    def lock(self, room_id: str) -> asyncio.Lock:
        """Return the lock held around changes of the room's state: join, close, delete."""
        return self._locks.setdefault(room_id, asyncio.Lock())

    async def settled(self, room_id: str) -> None:
        """Return once the change of the room's state that is under way, if any, is done."""
        lock = self.lock(room_id)
        await lock.acquire()
        lock.release()

    def remember(self, access: RoomAccess) -> None:
        """Keep the access rules of a room at hand."""
        self._access[access.room_id] = access
        self._access.move_to_end(access.room_id)
        if len(self._access) > _MAX_CACHED_ACCESS:
            self._access.popitem(last=False)

    def forget(self, room_id: str) -> None:
        """The room is gone."""
        self._access.pop(room_id, None)
        self.live.pop(room_id, None)

    async def access(self, room_id: str) -> RoomAccess | None:
        """Return the access rules of a room, None if it does not exist.

        Where other Bridges use the database too, it is asked whether the rules at hand still hold.
        """
        known = self._access.get(room_id)
        if known is not None and await self._holds(known):
            known = self._access.get(room_id, known)  # newer ones, after an update meanwhile
            self.remember(known)
            return known
        newest = await self._store.newest(room_id)
        if newest is None:
            self._access.pop(room_id, None)
            return None
        payload, signature = newest
        access = RoomAccess.from_record(msgspec.json.decode(payload, type=RoomRecord), signature)
        # An update may have put newer rules there meanwhile: these must not replace them.
        newer = self._access.get(room_id)
        if newer is not None and newer is not known and newer.version >= access.version:
            return newer
        self.remember(access)
        return access

    async def _holds(self, known: RoomAccess) -> bool:
        if not self._store.is_shared:
            return True
        return await self._store.signature(known.room_id) == known.signature

    async def allows(self, session: Session, room_id: str, right: Right) -> bool:
        """Tell whether there is such a room, and the session's user has this right in it."""
        access = await self.access(room_id)
        return (
            access is not None
            and access.context_id == session.context_id
            and session.may(right, access)
        )

    async def require(self, session: Session, room_id: str, right: Right) -> RoomAccess:
        """Return the access rules of a room in which the session's user has this right.

        Raises:
            RequestError: ACCESS_DENIED: no right, not a member, or no such room.
        """
        access = await self.access(room_id)
        if (
            access is None
            or access.context_id != session.context_id
            or not session.may(right, access)
        ):
            raise access_denied()
        return access
