"""The way out through the API: streams of one's own and their tracks."""

from __future__ import annotations

import logging
from typing import get_args

from aiortc import MediaStreamTrack

from sealroom.client.arguments import (
    bytes_of,
    check_choice,
    check_handler,
    check_track,
    check_type,
)
from sealroom.client.connection import Connection
from sealroom.client.data_track import DataTrackHandle, StagedDataTrack
from sealroom.client.errors import DataTrackExistsError, StreamStateError
from sealroom.client.handles import StreamHandle, TrackHandle
from sealroom.client.room_api import RoomApi
from sealroom.client.room_session import RoomSession, new_id
from sealroom.client.staged_stream import (
    DEFAULT_CODECS,
    AnyStagedTrack,
    StagedStream,
    StagedTrack,
)
from sealroom.client.unbroken import UnbrokenWork
from sealroom.crypto.stream_details import encode_details
from sealroom.errors import InvalidArgumentError
from sealroom.media.frames import EncodedFrameHandler
from sealroom.media.sections import KIND_OF_CODEC, CodecName, MediaKind
from sealroom.protocol import (
    MAX_NAME_LENGTH,
    MAX_STREAM_METADATA_BYTES,
    MAX_STREAM_TRACKS,
    MAX_TITLE_LENGTH,
    Source,
)

MIN_BITRATE = 6_000
"""Bits per second: the least that Opus has (RFC 6716 section 2.1.1)."""
MAX_BITRATE: dict[MediaKind, int] = {"video": 100_000_000, "audio": 510_000}
"""Of audio the most that Opus has (same section)."""


logger = logging.getLogger(__name__)


class PublishingApi(RoomApi):
    """The methods of `StreamApi` that publish. Event-loop thread only."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._streams: dict[str, StagedStream] = {}
        self._unpublishing = UnbrokenWork()

    async def create_stream(
        self, room_id: str, *, title: str = "", metadata: bytes = b""
    ) -> StreamHandle:
        """Makes an empty stream in a joined room; nothing is sent before `publish_stream`.

        Args:
            room_id: of a joined room.
            title, metadata: see `set_stream_details`.
        """
        self._session(room_id)
        staged = StagedStream(room_id, new_id())
        _set_details(staged, title, metadata)
        self._streams[staged.stream_id] = staged
        return StreamHandle(self, room_id, staged.stream_id)

    async def set_stream_details(
        self, stream: StreamHandle, *, title: str | None = None, metadata: bytes | None = None
    ) -> None:
        """Changes what the members read about a stream; of a published one by `update_stream`.

        Both are encrypted, as track names are: neither the Bridge nor who is no member reads them.

        Args:
            stream: from `create_stream`.
            title: up to 256 characters; None leaves it as it is.
            metadata: up to 4 KiB of the application's; None leaves it as it is.

        Raises:
            InvalidArgumentError: beyond a limit, or above 8 KiB together with the track names.
            StreamStateError: the handle is dead.
        """
        _set_details(self._stream(stream.stream_id), title, metadata)

    async def add_track(
        self,
        stream: StreamHandle,
        track: MediaStreamTrack,
        *,
        name: str = "",
        source: Source = "other",
        enabled: bool = True,
        encoded_frame_handler: EncodedFrameHandler | None = None,
        codec: CodecName | None = None,
        bitrate: int | None = None,
        audio_level: bool | None = None,
    ) -> TrackHandle:
        """Adds a track to a stream; to a published one it comes with `update_stream`.

        A track that `remove_track` has staged for removal stays, as it was, when it is added again.
        Tracks of one source share its frames, each gets some (the log warns): give each its own, as
        of aiortc's `MediaRelay`.

        Args:
            stream: from `create_stream`.
            track: any aiortc track of decoded frames, or of `av.Packet`s that are encoded already,
                by `codec` and without B-frames.
            name: shown to the members of the room, encrypted; up to 128 characters.
            source: what it shows: "camera", "microphone", "screen", "system_audio" or "other". The
                Bridge can read this.
            enabled: False to begin muted, see `set_track_enabled`.
            encoded_frame_handler: sees each encoded frame before it is encrypted.
            codec: "vp8", "vp9", "h264", "av1" or "opus"; None for VP8 and Opus. The Bridge and the
                media server can read it.
            bitrate: target in bits per second, from 6 000 to 100 000 000 of video and to 510 000 of
                audio; None for 1 500 000 and 96 000.
            audio_level: tell the receivers how loud each frame is, one more byte inside what is
                encrypted; None to do so for audio.

        Raises:
            InvalidArgumentError: an argument is beyond its limit, or a codec of another kind.
            StreamStateError: the handle is dead.
        """
        staged = self._stream(stream.stream_id)
        for one in staged.tracks.values():
            is_same = isinstance(one, StagedTrack) and one.source is track
            if isinstance(one, StagedTrack) and is_same and one.track_id in staged.to_remove:
                staged.to_remove.discard(one.track_id)
                return self._handle(staged, one)
        check_track(track)
        check_choice("source", source, get_args(Source))
        check_type("enabled", enabled, bool)
        check_handler("encoded_frame_handler", encoded_frame_handler)
        check_type("codec", codec, str, type(None))
        check_type("bitrate", bitrate, int, type(None))
        kind: MediaKind = "video" if track.kind == "video" else "audio"
        if bitrate is not None and not MIN_BITRATE <= bitrate <= MAX_BITRATE[kind]:
            raise InvalidArgumentError(
                f"bitrate: from {MIN_BITRATE} to {MAX_BITRATE[kind]} bits per second of {kind}"
            )
        _check_addition(staged, name)
        if audio_level and track.kind != "audio":
            raise InvalidArgumentError("audio_level: only audio has levels")
        codec = DEFAULT_CODECS[kind] if codec is None else codec
        if KIND_OF_CODEC.get(codec) != kind:
            known = ", ".join(one for one, its in KIND_OF_CODEC.items() if its == kind)
            raise InvalidArgumentError(f"codec: {codec!r} is not one for {kind}: {known}")
        added = StagedTrack(
            track_id=new_id(),
            name=name,
            kind=kind,
            codec=codec,
            source=track,
            source_type=source,
            handler=encoded_frame_handler,
            bitrate=bitrate,
            audio_level=kind == "audio" if audio_level is None else audio_level,
            is_enabled=enabled,
        )
        encode_details(staged.details([*staged.wanted_tracks(), added]))
        self._warn_of_shared(track)
        staged.tracks[added.track_id] = added
        return self._handle(staged, added)

    async def add_data_track(self, stream: StreamHandle, *, name: str = "") -> DataTrackHandle:
        """Adds a data track to a stream; to a published one it comes with `update_stream`.

        Its messages arrive in order and complete, encrypted under keys of their own.

        Args:
            stream: from `create_stream`.
            name: shown to the members of the room, encrypted; up to 128 characters.

        Raises:
            DataTrackExistsError: the stream has one already.
            InvalidArgumentError: an argument is beyond its limit.
            StreamStateError: the handle is dead.
        """
        staged = self._stream(stream.stream_id)
        _check_addition(staged, name)
        if any(isinstance(one, StagedDataTrack) for one in staged.wanted_tracks()):
            raise DataTrackExistsError("the stream has a data track: use that, or another stream")
        added = StagedDataTrack(track_id=new_id(), name=name)
        encode_details(staged.details([*staged.wanted_tracks(), added]))
        staged.tracks[added.track_id] = added
        return DataTrackHandle(self, added, staged.stream_id, added.track_id, name)

    async def remove_track(self, track: TrackHandle | DataTrackHandle) -> None:
        """Takes a track out of its stream; of a published one it ends with `update_stream`.

        The source stays the caller's to stop.

        Raises:
            StreamStateError: the stream's or the track's handle is dead.
        """
        staged = self._stream(track.stream_id)
        one = self._track(staged, track)
        if one.is_published:
            staged.to_remove.add(one.track_id)
        else:
            del staged.tracks[one.track_id]

    async def set_track_enabled(self, track: TrackHandle, enabled: bool) -> None:
        """Mutes or unmutes a track, and tells the others if it is published.

        A muted track sends nothing, not even silence; nothing leaves after the call has begun. An
        unmuted one sends once the Bridge has told the others, video from a key frame on. If that
        fails or is cancelled the track is muted, and another call tells the others so.

        Raises:
            InvalidArgumentError: `enabled` is not True or False.
            StreamStateError: the stream's or the track's handle is dead.
        """
        check_type("enabled", enabled, bool)
        staged = self._stream(track.stream_id)
        one = self._track(staged, track)
        if not isinstance(one, StagedTrack):
            return
        publishing = self._session(staged.room_id).publishing
        if one.is_published and staged.stream_id in publishing.published:
            await publishing.set_enabled(staged.stream_id, one, enabled)
        else:
            one.is_enabled = enabled

    async def publish_stream(self, stream: StreamHandle) -> None:
        """Announces the stream, connects and begins to send.

        If that fails or is cancelled the stream is not published, and can be with another call.

        Raises StreamStateError if it has no track or is published already.
        """
        await self._settled(self._stream(stream.stream_id).room_id)
        staged = self._stream(stream.stream_id)
        if staged.is_published:
            raise StreamStateError("the stream is published already")
        if not staged.tracks:
            raise StreamStateError("the stream has no track: add one before publishing")
        session = self._session(staged.room_id)
        staged.is_published = True
        try:
            await session.publishing.publish(staged)
        except BaseException:
            staged.is_published = False
            raise

    async def update_stream(self, stream: StreamHandle) -> None:
        """Applies what was added, removed and changed since, to a published stream, all at once.

        No change is no error. If the Bridge refuses, everything stays as it was. If the media
        connection breaks meanwhile, or the call is cancelled while it adds a track, the whole
        stream ends, since nobody knows what of it the others saw; `publish_stream` begins it anew.

        Raises:
            StreamStateError: it is not published, or not any more.
        """
        await self._settled(self._stream(stream.stream_id).room_id)
        staged = self._stream(stream.stream_id)
        if not staged.is_published:
            raise StreamStateError("the stream is not published: publish it first")
        await self._session(staged.room_id).publishing.update(staged)

    async def unpublish_stream(self, stream: StreamHandle) -> None:
        """Stops sending; the handle is dead afterwards. The sources stay the caller's to stop.

        Nothing is sent any more as soon as it is called. Cancelled, it goes on to its end all the
        same, and another call waits for that; if the Bridge does not answer, call it again.

        Raises StreamStateError if it is not published, or the handle is dead.
        """
        staged = self._stream(stream.stream_id)
        if staged.stream_id not in self._unpublishing:
            if not staged.is_published:
                raise StreamStateError("the stream is not published")
            self._session(staged.room_id).publishing.halt(staged.stream_id)
        await self._unpublishing.do(staged.stream_id, lambda: self._unpublish(staged))

    async def _unpublish(self, staged: StagedStream) -> None:
        await self._settled(staged.room_id)
        if staged.stream_id in self._streams:  # or its room was lost meanwhile
            await self._session(staged.room_id).unpublish(staged.stream_id)
            self._streams.pop(staged.stream_id, None)

    async def _publish_again(self, stream_id: str) -> None:
        """Publishes a stream of a session before in the one that took its place."""
        staged = self._streams.get(stream_id)
        if staged is None or stream_id in self._unpublishing:
            return  # it is not wanted any more
        staged.is_published = True
        await self._session(staged.room_id).publishing.publish(staged)

    def _stream_lost(self, stream_id: str) -> None:
        """A stream could not be published again."""
        if (staged := self._streams.get(stream_id)) is not None:
            staged.is_published = False
            staged.end_data("the stream could not be published again")

    def _forget(self, room_id: str) -> RoomSession:
        for staged in self._streams.values():
            if staged.room_id == room_id:
                staged.end_data("the room was left")
        self._streams = {key: one for key, one in self._streams.items() if one.room_id != room_id}
        return super()._forget(room_id)

    def _stream(self, stream_id: str) -> StagedStream:
        found = self._streams.get(stream_id)
        if found is None:
            raise StreamStateError("this stream handle is dead: create a new stream")
        return found

    def _track(self, staged: StagedStream, track: TrackHandle | DataTrackHandle) -> AnyStagedTrack:
        found = staged.tracks.get(track.track_id)
        if found is None:
            raise StreamStateError("this track handle is dead: add the track again")
        return found

    def _warn_of_shared(self, source: MediaStreamTrack) -> None:
        tracks = [one for staged in self._streams.values() for one in staged.wanted_tracks()]
        if any(isinstance(one, StagedTrack) and one.source is source for one in tracks):
            logger.warning(
                "%s is added a second time: the two share its frames, and each gets some of them;"
                " add MediaRelay().subscribe(track) of aiortc.contrib.media for each instead",
                type(source).__name__,
            )

    def _handle(self, staged: StagedStream, track: StagedTrack) -> TrackHandle:
        return TrackHandle(self, staged.stream_id, track.track_id, track.kind, track.name)


def _check_addition(staged: StagedStream, name: str) -> None:
    check_type("name", name, str)
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidArgumentError(f"name: at most {MAX_NAME_LENGTH} characters")
    if len(staged.wanted_tracks()) >= MAX_STREAM_TRACKS:
        raise InvalidArgumentError(f"stream: at most {MAX_STREAM_TRACKS} tracks")


def _set_details(staged: StagedStream, title: str | None, metadata: bytes | None) -> None:
    check_type("title", title, str, type(None))
    metadata = None if metadata is None else bytes_of("metadata", metadata)
    if title is not None and len(title) > MAX_TITLE_LENGTH:
        raise InvalidArgumentError(f"title: at most {MAX_TITLE_LENGTH} characters")
    if metadata is not None and len(metadata) > MAX_STREAM_METADATA_BYTES:
        raise InvalidArgumentError(f"metadata: at most {MAX_STREAM_METADATA_BYTES} bytes")
    before = staged.title, staged.metadata
    staged.title = staged.title if title is None else title
    staged.metadata = staged.metadata if metadata is None else metadata
    try:
        encode_details(staged.details(staged.wanted_tracks()))
    except InvalidArgumentError:
        staged.title, staged.metadata = before
        raise
