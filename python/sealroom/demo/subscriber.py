"""bob: receives decoded frames as numpy arrays, records the encoded ones, measures."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from av import VideoFrame

from sealroom.client import RemoteTrack, StreamApi, StreamSubscription
from sealroom.client.models import RoomStatistics, TrackStatistics
from sealroom.demo.likeness import RECOGNISABLE, likeness, thumbnail
from sealroom.demo.observer import SfuObserver, View
from sealroom.demo.sent_log import SentFrame, SentLog
from sealroom.media.frames import DecodedFrame, EncodedFrame
from sealroom.recording import MatroskaWriter, RecordingError

COMPARE_EVERY: Final = 10
"""Every so many received pictures one is compared with the one sent."""


@dataclass(slots=True)
class Sample:
    """A received picture for the contact sheet, and what the SFU had of it."""

    rtp_timestamp: int
    seconds: float
    picture: npt.NDArray[np.uint8]
    view: View | None = None


class DemoSubscriber:
    """Joins a room where alice publishes, and receives all of her stream."""

    def __init__(
        self,
        api: StreamApi,
        room_id: str,
        *,
        sent: dict[str, SentLog],
        observer: SfuObserver,
        recording: Path,
        sample_times: list[float],
    ) -> None:
        """`sample_times`: seconds after the first picture to keep one for the contact sheet."""
        self.latencies: list[float] = []
        self.samples: list[Sample] = []
        self.first_timestamps: dict[str, int] = {}
        self.first_picture_at: float | None = None
        self.joined_at: float | None = None
        self.private_meta = b""
        self.decoded = {"video": 0, "audio": 0}
        self.pictures_compared = 0
        self.pictures_recognised = 0
        self.loudest_sample = 0
        self._api = api
        self._room_id = room_id
        self._sent = sent
        self._observer = observer
        self._writer = MatroskaWriter(recording)
        self._recording_error: RecordingError | None = None
        self._sample_times = sample_times
        self._tasks: list[asyncio.Task[None]] = []
        self._has_picture = asyncio.Event()

    async def join(self) -> None:
        """Joins and subscribes to the stream that is there."""
        self.joined_at = time.monotonic()
        await self._api.join_stream_room(self._room_id)
        room = await self._api.get_stream_room(self._room_id)
        self.private_meta = room.private_meta
        self._tasks.append(asyncio.create_task(self._take_tracks()))
        streams = await self._api.list_streams(self._room_id)
        await self._api.subscribe_to_remote_streams(
            self._room_id, [StreamSubscription(one.stream_id) for one in streams]
        )

    async def first_picture(self, timeout: float) -> bool:
        """Waits for the first decoded picture; False if none comes within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._has_picture.wait()
        except TimeoutError:
            return False
        return True

    @property
    def join_to_first_picture(self) -> float | None:
        """Seconds, None before the first picture."""
        if self.joined_at is None or self.first_picture_at is None:
            return None
        return self.first_picture_at - self.joined_at

    def statistics(self, kind: str) -> TrackStatistics | None:
        """Counters of a track, None before it is received."""
        received = self._api.statistics(self._room_id).received
        return next((one for one in received if one.kind == kind), None)

    def room_statistics(self) -> RoomStatistics:
        """Counters of the whole room."""
        return self._api.statistics(self._room_id)

    def match_samples(self) -> None:
        """Looks up what the SFU had of the samples; call it now and then."""
        for sample in self.samples:
            if sample.view is None:
                sample.view = self._observer.view(sample.rtp_timestamp)

    async def finish(self) -> None:
        """Stops receiving and finishes the recording; raises RecordingError."""
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
        self._writer.close()
        if self._recording_error is not None:
            raise self._recording_error

    async def _take_tracks(self) -> None:
        async for remote in self._api.remote_tracks(self._room_id):
            remote.set_encoded_frame_handler(self._record)
            take = self._take_video if remote.kind == "video" else self._take_audio
            self._tasks.append(asyncio.create_task(take(remote)))

    def _record(self, frame: EncodedFrame) -> EncodedFrame:
        self.first_timestamps.setdefault(frame.kind, frame.rtp_timestamp)
        try:
            self._writer.write(frame)
        except RecordingError as error:  # told at the end; the call goes on
            self._recording_error = error
        return frame

    async def _take_video(self, remote: RemoteTrack) -> None:
        async for frame in remote.frames():
            now = time.monotonic()
            if self.first_picture_at is None:
                self.first_picture_at = now
                self._has_picture.set()
            sent = self._sent["video"].find(frame.rtp_timestamp)
            if sent is not None:
                self.latencies.append(now - sent.handed_at)
            if self.decoded["video"] % COMPARE_EVERY == 0 and sent is not None:
                await asyncio.to_thread(self._compare, frame, sent)
            self.decoded["video"] += 1
            self._sample(frame, now - self.first_picture_at)

    async def _take_audio(self, remote: RemoteTrack) -> None:
        async for frame in remote.frames():
            samples: npt.NDArray[np.int16] = frame.to_ndarray()
            self.loudest_sample = max(self.loudest_sample, int(np.abs(samples).max(initial=0)))
            self.decoded["audio"] += not frame.is_concealed

    def _compare(self, frame: DecodedFrame, sent: SentFrame) -> None:
        picture: Any = frame.frame
        if sent.raw is None:
            return
        theirs = thumbnail(sent.raw)
        if theirs.std() < 1.0:
            return  # a flat plane shows nothing to recognise
        self.pictures_compared += 1
        self.pictures_recognised += likeness(theirs, thumbnail(picture)) >= RECOGNISABLE

    def _sample(self, frame: DecodedFrame, seconds: float) -> None:
        if len(self.samples) >= len(self._sample_times):
            return
        if seconds < self._sample_times[len(self.samples)]:
            return
        assert isinstance(frame.frame, VideoFrame)
        array = frame.to_ndarray()
        self.samples.append(Sample(frame.rtp_timestamp, seconds, array))
