"""alice: publishes a source and remembers what she sent."""

from __future__ import annotations

import asyncio

from sealroom.client import StreamApi
from sealroom.client.handles import StreamHandle, TrackHandle
from sealroom.client.models import TrackStatistics
from sealroom.demo.sent_log import LoggedTrack, SentLog
from sealroom.sources import MediaSource


class DemoPublisher:
    """Publishes the video and audio of a source in a joined room."""

    def __init__(self, api: StreamApi, room_id: str, source: MediaSource) -> None:
        self.video = SentLog("video", "vp8")
        self.audio = SentLog("audio", "opus")
        self.stream: StreamHandle | None = None
        self.handles: dict[str, TrackHandle] = {}
        self._api = api
        self._room_id = room_id
        self._source = source
        self._tracks: list[LoggedTrack] = []

    @property
    def logs(self) -> dict[str, SentLog]:
        """What was sent, by kind."""
        return {"video": self.video, "audio": self.audio}

    async def publish(self) -> None:
        """Publishes; returns once frames flow to the SFU."""
        stream = await self._api.create_stream(self._room_id)
        for source in self._source.tracks:
            log = self.logs[source.kind]
            track = LoggedTrack(source, log)
            self._tracks.append(track)
            self.handles[source.kind] = await stream.add_track(
                track,
                name="camera" if source.kind == "video" else "microphone",
                encoded_frame_handler=log.note_encoded,
            )
        await stream.publish()
        self.stream = stream

    @property
    def has_ended(self) -> bool:
        """True once the source of a track is at its end."""
        return any(track.ended.is_set() for track in self._tracks)

    def statistics(self, kind: str) -> TrackStatistics | None:
        """Counters of a track, None before it is published."""
        sent = self._api.statistics(self._room_id).sent
        return next((one for one in sent if one.kind == kind), None)

    async def finish(self) -> None:
        """Ends the tracks at a frame boundary; what was encoded is still sent."""
        for track in self._tracks:
            track.finish()
        await asyncio.sleep(0.1)  # one frame interval and its encoding
