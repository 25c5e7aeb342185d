"""Small objects that stand for a stream or track of one's own and carry its methods."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiortc import MediaStreamTrack

from sealroom.media.frames import EncodedFrameHandler
from sealroom.media.sections import MediaKind

if TYPE_CHECKING:
    from sealroom.client.publishing_api import PublishingApi


@dataclass(frozen=True, slots=True)
class TrackHandle:
    """A track of one's own stream."""

    stream_id: str
    track_id: str
    kind: MediaKind
    name: str


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
        encoded_frame_handler: EncodedFrameHandler | None = None,
        bitrate: int | None = None,
    ) -> TrackHandle:
        """See `StreamApi.add_track`."""
        return await self._api.add_track(
            self,
            track,
            name=name,
            encoded_frame_handler=encoded_frame_handler,
            bitrate=bitrate,
        )

    async def publish(self) -> None:
        """See `StreamApi.publish_stream`."""
        await self._api.publish_stream(self)

    async def unpublish(self) -> None:
        """See `StreamApi.unpublish_stream`."""
        await self._api.unpublish_stream(self)
