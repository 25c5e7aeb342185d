"""A stream of one's own as the application put it together, published or not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from aiortc import MediaStreamTrack

from sealroom.client.data_track import StagedDataTrack
from sealroom.crypto.stream_details import StreamDetails
from sealroom.crypto.track_keys import DEFAULT_SUITE
from sealroom.media.frames import EncodedFrameHandler
from sealroom.media.sections import CodecName, MediaKind
from sealroom.protocol import AnnouncedTrack, Source

DEFAULT_CODECS: dict[MediaKind, CodecName] = {"video": "vp8", "audio": "opus"}


@dataclass(slots=True, kw_only=True)
class StagedTrack:
    """A track that was added to a stream."""

    track_id: str
    name: str
    kind: MediaKind
    codec: CodecName
    source: MediaStreamTrack
    source_type: Source = "other"
    handler: EncodedFrameHandler | None = None
    bitrate: int | None = None
    audio_level: bool = False
    is_enabled: bool = True
    is_published: bool = False

    @property
    def announced(self) -> AnnouncedTrack:
        return AnnouncedTrack(
            track_id=self.track_id,
            kind=self.kind,
            codec=self.codec,
            suite=DEFAULT_SUITE,
            source=self.source_type,
            enabled=self.is_enabled,
            audio_level=self.audio_level,
        )


AnyStagedTrack = StagedTrack | StagedDataTrack


@dataclass(slots=True)
class StagedStream:
    """Title, metadata and tracks to be published, or to be applied by the next update."""

    room_id: str
    stream_id: str
    title: str = ""
    metadata: bytes = b""
    tracks: dict[str, AnyStagedTrack] = field(default_factory=dict)
    to_remove: set[str] = field(default_factory=set)
    """Ids of published tracks that the next update ends."""
    is_published: bool = False

    def wanted_tracks(self) -> list[AnyStagedTrack]:
        """The tracks without those to be removed."""
        return [one for key, one in self.tracks.items() if key not in self.to_remove]

    def settle(self, tracks: Iterable[AnyStagedTrack]) -> None:
        """These tracks are published now. Those that were and are not any more never come back:

        under the same nonce their counters would begin again.
        """
        now = {one.track_id for one in tracks}
        ended = [key for key, one in self.tracks.items() if one.is_published and key not in now]
        for key in ended:
            del self.tracks[key]
        for key in now & self.tracks.keys():
            self.tracks[key].is_published = True
        self.to_remove &= self.tracks.keys()

    def end_data(self, reason: str) -> None:
        """Nothing can be sent on its data tracks, unless it is published again."""
        for one in self.tracks.values():
            if isinstance(one, StagedDataTrack):
                one.end(reason)

    def details(self, tracks: Iterable[AnyStagedTrack]) -> StreamDetails:
        """What is encrypted for the members, with the names of these tracks."""
        names = {one.track_id: one.name for one in tracks if one.name}
        return StreamDetails(title=self.title, metadata=self.metadata, names=names)
