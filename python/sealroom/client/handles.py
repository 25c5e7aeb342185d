"""Small objects that stand for a stream or track of one's own and carry its methods."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiortc import MediaStreamTrack

from sealroom.client.data_track import DataTrackHandle
from sealroom.media.frames import EncodedFrameHandler
from sealroom.media.sections import CodecName, MediaKind
from sealroom.protocol import Source

if TYPE_CHECKING:
    from sealroom.client.publishing_api import PublishingApi


@dataclass(frozen=True, slots=True)
class TrackHandle:
    """A track of one's own stream, from `StreamApi.add_track`."""

    _api: PublishingApi = field(repr=False)
    stream_id: str
    track_id: str
    kind: MediaKind
    name: str

    async def set_enabled(self, enabled: bool) -> None:
        """See `StreamApi.set_track_enabled`."""
        await self._api.set_track_enabled(self, enabled)

    async def remove(self) -> None:
        """See `StreamApi.remove_track`."""
        await self._api.remove_track(self)


@dataclass(frozen=True, slots=True)
class StreamHandle:
    """A stream of one's own, from `StreamApi.create_stream`."""

    _api: PublishingApi = field(repr=False)
    room_id: str
    stream_id: str

    async def add_track(
        self,
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
        """See `StreamApi.add_track`."""
        return await self._api.add_track(
            self,
            track,
            name=name,
            source=source,
            enabled=enabled,
            encoded_frame_handler=encoded_frame_handler,
            codec=codec,
            bitrate=bitrate,
            audio_level=audio_level,
        )

    async def add_data_track(self, *, name: str = "") -> DataTrackHandle:
        """See `StreamApi.add_data_track`."""
        return await self._api.add_data_track(self, name=name)

    async def set_details(self, *, title: str | None = None, metadata: bytes | None = None) -> None:
        """See `StreamApi.set_stream_details`."""
        await self._api.set_stream_details(self, title=title, metadata=metadata)

    async def publish(self) -> None:
        """See `StreamApi.publish_stream`."""
        await self._api.publish_stream(self)

    async def update(self) -> None:
        """See `StreamApi.update_stream`."""
        await self._api.update_stream(self)

    async def unpublish(self) -> None:
        """See `StreamApi.unpublish_stream`."""
        await self._api.unpublish_stream(self)
