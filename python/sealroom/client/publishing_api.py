"""The way out through the API: streams of one's own and their tracks."""

from __future__ import annotations

from aiortc import MediaStreamTrack

from sealroom.client.connection import Connection
from sealroom.client.errors import StreamStateError
from sealroom.client.handles import StreamHandle, TrackHandle
from sealroom.client.publisher import StagedTrack
from sealroom.client.room_api import RoomApi
from sealroom.client.room_session import RoomSession, new_id
from sealroom.errors import InvalidArgumentError
from sealroom.media.frames import EncodedFrameHandler
from sealroom.media.sections import MediaKind
from sealroom.protocol import MAX_NAME_LENGTH, MAX_STREAM_TRACKS


class PublishingApi(RoomApi):
    """The methods of `StreamApi` that publish. Event-loop thread only."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._streams: dict[str, tuple[str, list[StagedTrack], bool]] = {}

    async def create_stream(self, room_id: str) -> StreamHandle:
        """Makes an empty stream in a joined room; nothing is sent before `publish_stream`."""
        self._session(room_id)
        stream_id = new_id()
        self._streams[stream_id] = (room_id, [], False)
        return StreamHandle(self, room_id, stream_id)

    async def add_track(
        self,
        stream: StreamHandle,
        track: MediaStreamTrack,
        *,
        name: str = "",
        encoded_frame_handler: EncodedFrameHandler | None = None,
        bitrate: int | None = None,
    ) -> TrackHandle:
        """Adds a track to a stream that is not published yet.

        Args:
            stream: from `create_stream`.
            track: any aiortc track of decoded frames, or of `av.Packet`s already VP8 or Opus.
            name: shown to the members of the room; the announcement is not encrypted.
            encoded_frame_handler: sees each encoded frame before it is encrypted.
            bitrate: target in bits per second.
        """
        tracks = self._unpublished(stream)
        if track.kind not in ("audio", "video"):
            raise InvalidArgumentError(f"track: kind {track.kind!r} is neither audio nor video")
        if len(name) > MAX_NAME_LENGTH:
            raise InvalidArgumentError(f"name: at most {MAX_NAME_LENGTH} characters")
        if len(tracks) >= MAX_STREAM_TRACKS:
            raise InvalidArgumentError(f"stream: at most {MAX_STREAM_TRACKS} tracks")
        kind: MediaKind = "video" if track.kind == "video" else "audio"
        staged = StagedTrack(new_id(), name, kind, track, encoded_frame_handler, bitrate)
        tracks.append(staged)
        return TrackHandle(stream.stream_id, staged.track_id, staged.kind, name)

    async def publish_stream(self, stream: StreamHandle) -> None:
        """Announces the stream, connects and begins to send.

        Raises StreamStateError if it has no track or is published already.
        """
        tracks = self._unpublished(stream)
        if not tracks:
            raise StreamStateError("the stream has no track: add one before publishing")
        self._streams[stream.stream_id] = (stream.room_id, tracks, True)
        try:
            await self._session(stream.room_id).publish(stream.stream_id, tracks)
        except BaseException:
            if stream.stream_id in self._streams:
                self._streams[stream.stream_id] = (stream.room_id, tracks, False)
            raise

    async def unpublish_stream(self, stream: StreamHandle) -> None:
        """Stops sending; the handle is dead afterwards. The sources stay the caller's to stop."""
        room_id, _, is_published = self._stream(stream)
        if not is_published:
            raise StreamStateError("the stream is not published")
        del self._streams[stream.stream_id]
        await self._session(room_id).unpublish(stream.stream_id)

    def _forget(self, room_id: str) -> RoomSession:
        self._streams = {key: one for key, one in self._streams.items() if one[0] != room_id}
        return super()._forget(room_id)

    def _stream(self, stream: StreamHandle) -> tuple[str, list[StagedTrack], bool]:
        found = self._streams.get(stream.stream_id)
        if found is None:
            raise StreamStateError("this stream handle is dead: create a new stream")
        return found

    def _unpublished(self, stream: StreamHandle) -> list[StagedTrack]:
        _, tracks, is_published = self._stream(stream)
        if is_published:
            raise StreamStateError("the stream is published already")
        return tracks
