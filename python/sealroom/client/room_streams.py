"""What is published in a joined room: announcements that verified, and none that was before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from sealroom.access import Right, member_may
from sealroom.client.events import (
    StreamPublished,
    StreamRefused,
    StreamUnpublished,
    StreamUpdated,
)
from sealroom.client.models import StreamInfo
from sealroom.client.room_link import RoomLink
from sealroom.client.room_memory import RoomMemory
from sealroom.client.room_publishing import RoomPublishing
from sealroom.client.room_receiving import RoomReceiving
from sealroom.client.rooms import OpenRoom, RoomDirectory
from sealroom.crypto.announcement import VerifiedStream, verify_update
from sealroom.crypto.errors import StreamMismatchError, StreamReplayError
from sealroom.errors import SealroomError
from sealroom.protocol import RoomParams, StreamAnnouncement, StreamListResult, StreamView
from sealroom.protocol.decoding import decode_json


class RoomStreams:
    """Keeps `RoomLink.streams`: the newest announcement of each stream that was believed."""

    def __init__(
        self,
        link: RoomLink,
        directory: RoomDirectory,
        room: Callable[[], OpenRoom],
        publishing: RoomPublishing,
        memory: RoomMemory,
    ) -> None:
        """`room` returns the newest that was verified, `memory` holds what ended before."""
        self._link = link
        self._directory = directory
        self._room = room
        self._publishing = publishing
        self.receiving = RoomReceiving(link, self.fetch)
        self._ended = memory.ended_streams
        self._before: dict[str, VerifiedStream] = {}  # of the session before, not seen again yet

    def take_over(self, other: RoomStreams) -> None:
        """Goes on for a session before, whose streams `take_all` will see again or end."""
        self.receiving.adopt(other.receiving)
        other.end_own()
        for stream in other._link.streams.values():
            if stream.participant_id != other._link.participant_id:
                self._before[stream.stream_id] = stream

    def end_own(self) -> None:
        """This participant's streams end with its session: the same are not believed again."""
        for stream in self._link.streams.values():
            if stream.participant_id == self._link.participant_id:
                self._remember_ended(stream)

    async def take_all(self, views: Sequence[StreamView]) -> None:
        """Takes all streams there are, and subscribes again to those that were wanted."""
        for view in views:
            await self._take(view)
        before, self._before = self._before, {}
        for stream in before.values():
            self._end_before(stream)
        await self.receiving.subscribe_to_returned(list(self._link.streams.values()))

    async def read_again(self, views: Sequence[StreamView]) -> None:
        """Takes all streams there are and tells what differs, since events were lost."""
        await self._follow(views, list(self._link.streams.values()))
        await self.take_all(views)

    async def published(self, view: StreamView) -> None:
        """Believes the stream if its announcement verifies; a second showing changes nothing.

        If it was wanted before it ended, it is subscribed to again.
        """
        stream = await self._take(view)
        if stream is not None:
            await self.receiving.subscribe_to_returned([stream])

    async def updated(self, view: StreamView) -> None:
        """Believes a newer announcement; one that is known already changes nothing.

        A refused one leaves the stream as it was.
        """
        streams = self._link.streams
        before = streams.get(view.stream_id)
        if before is None or view.participant_id == self._link.participant_id:
            return
        try:
            newer = await self._directory.verify_stream(view, self._room())
            before = streams.get(view.stream_id)
            if before is None or newer.announcement == before.announcement:
                return  # ended or taken meanwhile
            stream, changes = verify_update(before, newer)
        except SealroomError as error:
            self._tell_refused(view, error)
            return
        streams[view.stream_id] = stream
        self.receiving.stream_updated(stream, {one.track_id for one in changes.removed})
        self._tell_updated(before, stream)

    async def ended(self, stream_id: str) -> None:
        """Ends a stream; one of this participant's own, if somebody else unpublished it, too."""
        stream = self.forget(stream_id)
        if stream is None:
            return
        await self._publishing.stop(stream_id)
        self.receiving.end_stream(stream_id)
        self._tell_ended(stream)

    async def end_forbidden(self) -> None:
        """The Bridge ends them as well, but what the signed record says needs no word of it.

        A stream is its publisher's by the key: one under a key that was replaced is nobody's now.
        """
        record = self._room().record
        keys = {one.user_id: one.identity_fingerprint for one in record.members}
        for stream in list(self._link.streams.values()):
            is_members = keys.get(stream.user_id) == stream.fingerprint
            if not is_members or not member_may(record, Right.PUBLISH, stream.user_id):
                await self.ended(stream.stream_id)

    async def fetch(self) -> None:
        """Takes what the events on their way will say: an offer may be ahead of them."""
        own = self._link.participant_id  # of these, this side knows before the Bridge
        others = [one for one in self._link.streams.values() if one.participant_id != own]
        params = RoomParams(room_id=self._link.room_id)
        result = await self._link.connection.call("stream.list", params, StreamListResult)
        await self._follow(result.streams, others)

    async def _follow(self, views: Sequence[StreamView], before: Iterable[VerifiedStream]) -> None:
        """Takes newer announcements, and ends what was there before and is not among `views`."""
        announced = {one.stream_id: one.announcement.payload for one in views}
        for stream in before:
            payload = announced.get(stream.stream_id)
            is_there = payload is not None and _is_of(payload, stream)
            now = self._link.streams.get(stream.stream_id)
            if not is_there and now is not None and _nonce(now) == _nonce(stream):
                await self.ended(stream.stream_id)
        for view in views:
            await self.updated(view)

    def forget(self, stream_id: str) -> VerifiedStream | None:
        """Takes a stream out, and returns it if it was there."""
        stream = self._link.streams.pop(stream_id, None)
        if stream is not None:
            self.receiving.stream_ended(stream)
            self._remember_ended(stream)
        return stream

    async def _take(self, view: StreamView) -> VerifiedStream | None:
        if view.stream_id in self._link.streams:
            return None
        try:
            stream = await self._directory.verify_stream(view, self._room())
            if _nonce(stream) in self._ended:
                raise StreamReplayError("the announcement of a stream that has ended comes back")
            before = self._before.get(view.stream_id)
            if before is not None and _nonce(before) == _nonce(stream):
                return self._take_known(before, stream)
        except SealroomError as error:
            self._tell_refused(view, error)
            return None
        if before is not None:  # published again: who counts by id must hear of its end first
            del self._before[view.stream_id]
            self._end_before(before)
        self._link.streams[view.stream_id] = stream
        self._link.emit(StreamPublished(self._link.room_id, StreamInfo.of(stream)))
        return stream

    def _end_before(self, stream: VerifiedStream) -> None:
        self._remember_ended(stream)
        self.receiving.end_stream(stream.stream_id)
        self._tell_ended(stream)

    def _take_known(self, before: VerifiedStream, stream: VerifiedStream) -> VerifiedStream:
        """It has been there all the time; it may have gone on, and it does not go back.

        Raises StreamMismatchError, StreamUpdateError.
        """
        if stream.participant_id != before.participant_id:
            raise StreamMismatchError("the stream is shown as another participant's than before")
        is_same = stream.announcement == before.announcement
        taken = before if is_same else verify_update(before, stream)[0]
        del self._before[stream.stream_id]
        self._link.streams[stream.stream_id] = taken
        if not is_same:
            self._tell_updated(before, taken)
        return taken

    def _remember_ended(self, stream: VerifiedStream) -> None:
        self._ended.put(_nonce(stream))

    def _tell_refused(self, view: StreamView, error: SealroomError) -> None:
        self._link.emit(StreamRefused(self._link.room_id, view.stream_id, view.user_id, error))

    def _tell_updated(self, before: VerifiedStream, after: VerifiedStream) -> None:
        change = StreamUpdated.of(self._link.room_id, StreamInfo.of(before), StreamInfo.of(after))
        self._link.emit(change)

    def _tell_ended(self, stream: VerifiedStream) -> None:
        self._link.emit(StreamUnpublished(self._link.room_id, stream.stream_id, stream.user_id))


def _is_of(payload: bytes, stream: VerifiedStream) -> bool:
    """Whether an announcement, verified or not, is of a stream as it was believed."""
    try:
        announced = decode_json(payload, StreamAnnouncement)
    except msgspec.DecodeError:
        return False
    return announced.nonce == _nonce(stream)


def _nonce(stream: VerifiedStream) -> bytes:
    return stream.announcement.nonce
