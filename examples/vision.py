"""Takes the pictures of several cameras, draws on them, and publishes the result as one picture.

python examples/vision.py
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from sealroom.client import RemoteTrack, StreamApi
from sealroom.sources import PictureTrack

Picture = npt.NDArray[np.uint8]
TILE = (240, 320)


class Vision:
    """Shows what is received in a joined room as a wall of pictures, `rate` times a second."""

    def __init__(self, api: StreamApi, room_id: str, *, rate: int = 30) -> None:
        self.wall = PictureTrack()
        self.delays: list[float] = []
        """Seconds from the arrival of a picture's first packet to the end of its analysis."""
        self._api = api
        self._room_id = room_id
        self._rate = rate
        self._latest: dict[str, Picture] = {}

    async def run(self) -> None:
        """Publishes the wall and draws until it is cancelled."""
        stream = await self._api.create_stream(self._room_id, title="wall")
        await stream.add_track(self.wall, name="wall")
        await stream.publish()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._draw())
            async for remote in self._api.remote_tracks(self._room_id):
                if remote.kind == "video":
                    tasks.create_task(self._see(remote))

    async def _see(self, remote: RemoteTrack) -> None:
        async for frame in remote.frames():  # bounded: who is too slow misses the oldest
            # In a thread: numpy and OpenCV let the event loop go on meanwhile.
            shown = await asyncio.to_thread(analyse, frame.to_ndarray())
            self._latest[remote.track_id] = shown
            if frame.arrival is not None:
                self.delays.append(time.monotonic() - frame.arrival)
        self._latest.pop(remote.track_id, None)

    async def _draw(self) -> None:
        begin = time.monotonic()
        for number in range(1 << 62):
            await asyncio.sleep(max(0.0, begin + number / self._rate - time.monotonic()))
            self.wall.push(tiled(list(self._latest.values())))

    def received(self) -> dict[str, Any]:
        """Frames decoded and dropped, by track."""
        tracks = self._api.statistics(self._room_id).received
        return {
            one.track_id: (one.python.frames_decoded, one.python.frames_dropped) for one in tracks
        }


def analyse(picture: Picture) -> Picture:
    """Frames the brightest spot; in its place goes a detector."""
    small = np.ascontiguousarray(picture[:: picture.shape[0] // TILE[0] or 1])[: TILE[0]]
    small = small[:, :: picture.shape[1] // TILE[1] or 1][:, : TILE[1]].copy()
    y, x = np.unravel_index(np.argmax(small.sum(axis=2)), small.shape[:2])
    top, left = max(0, int(y) - 12), max(0, int(x) - 12)
    small[top : top + 24, left : left + 2] = small[top : top + 2, left : left + 24] = (255, 0, 0)
    return small


def tiled(pictures: list[Picture]) -> Picture:
    """Puts up to four pictures side by side."""
    height, width = TILE
    wall = np.zeros((2 * height, 2 * width, 3), np.uint8)
    for number, picture in enumerate(pictures[:4]):
        top, left = number // 2 * height, number % 2 * width
        wall[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return wall


async def main() -> None:
    from stage import publish, stage

    from sealroom.client import StreamSubscription
    from sealroom.sources import MediaSource, open_source

    cameras = ("north", "east", "south", "west")
    async with stage(*cameras, "vision") as (room_id, apis):
        for name in cameras:
            source = open_source("test")
            if source.audio is not None:
                source.audio.stop()
            await publish(apis[name], room_id, MediaSource(source.video, None))
        vision = Vision(apis["vision"], room_id)
        running = asyncio.create_task(vision.run())
        while len(await apis["vision"].list_streams(room_id)) < len(cameras) + 1:
            await asyncio.sleep(0.02)
        streams = await apis["vision"].list_streams(room_id)
        await apis["vision"].subscribe_to_remote_streams(
            room_id, [StreamSubscription(one.stream_id) for one in streams if one.title != "wall"]
        )
        while len(vision.delays) < 60:
            await asyncio.sleep(0.1)
        running.cancel()
        delay = np.percentile(np.array(vision.delays) * 1000, 50)
        print(f"frames decoded and dropped: {vision.received()}")
        print(f"median delay {delay:.0f} ms; pushed {vision.wall.frames_pushed}")


if __name__ == "__main__":
    asyncio.run(main())
