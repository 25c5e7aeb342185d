"""Records a call: one Matroska file for each stream, as it was sent, without decoding.

python examples/recorder.py FOLDER
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import sys
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sealroom.client import RemoteTrack, StreamApi, StreamInfo, StreamSubscription
from sealroom.client.errors import NotJoinedError, RequestRefusedError
from sealroom.client.events import Event, StreamPublished
from sealroom.errors import InvalidArgumentError
from sealroom.recording import MatroskaWriter, RecordingError

logger = logging.getLogger(__name__)

MAX_NAME_LENGTH = 64


class Recorder:
    """Records every stream of a joined room into a folder, from `async with` to its end.

    A file that cannot be written is told by the log at once, and raised at the end; the others go
    on. What ends all recording cancels the body of the `async with` and is raised there.
    """

    def __init__(self, api: StreamApi, room_id: str, folder: Path) -> None:
        self.files: list[MatroskaWriter] = []
        self._api = api
        self._room_id = room_id
        self._folder = folder
        self._writers: dict[str, MatroskaWriter] = {}  # by stream
        self._recorded: dict[tuple[str, str], str] = {}  # by stream and kind
        self._failures: list[RecordingError] = []
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        # Everybody is told; who has not the right `record` is refused here.
        await self._api.start_recording_notice(self._room_id)
        events = self._api.events()  # from here on none is missed
        await self._group.__aenter__()
        self._run(self._take_tracks())
        self._run(self._subscribe(events))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        try:
            await self._group.__aexit__(kind, error, trace)
        finally:
            for writer in self.files:
                try:
                    writer.close()
                except RecordingError as failure:
                    self._note(failure)
            with contextlib.suppress(NotJoinedError):  # the room is over, and its notices with it
                await self._api.stop_recording_notice(self._room_id)
        if self._failures:
            raise self._failures[0]

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(self._group.create_task(work))

    def _note(self, failure: RecordingError) -> None:
        logger.error("%s", failure)
        self._failures.append(failure)

    async def _subscribe(self, events: AsyncIterator[Event]) -> None:
        for stream in await self._api.list_streams(self._room_id):
            await self._record_stream(stream)
        async for event in events:
            if isinstance(event, StreamPublished) and event.room_id == self._room_id:
                await self._record_stream(event.stream)

    async def _record_stream(self, stream: StreamInfo) -> None:
        kinds = [one.kind for one in stream.tracks if one.kind != "data"]
        if stream.stream_id in self._writers or not kinds:
            return
        name = file_name(stream.user_id, len(self.files) + 1)
        writer = self._writers[stream.stream_id] = MatroskaWriter(self._folder / name, kinds)
        self.files.append(writer)
        try:
            await self._api.subscribe_to_remote_streams(
                self._room_id, [StreamSubscription(stream.stream_id)]
            )
        except (InvalidArgumentError, NotJoinedError, RequestRefusedError):
            return  # it ended meanwhile, or the room did

    async def _take_tracks(self) -> None:
        async for remote in self._api.remote_tracks(self._room_id):
            writer = self._writers.get(remote.stream_id)
            key = remote.stream_id, remote.kind
            first = self._recorded.setdefault(key, remote.track_id)
            if writer is not None and first == remote.track_id:  # a file holds one of each kind
                self._run(self._record(remote, writer))

    async def _record(self, remote: RemoteTrack, writer: MatroskaWriter) -> None:
        try:
            async for frame in remote.encoded_frames():
                writer.write(frame)
        except RecordingError as error:  # the disk is full, for instance
            self._note(error)


def file_name(user_id: str, number: int) -> str:
    """A name inside the folder: ids of users may hold "/" and ".."; the number makes it unique."""
    safe = re.sub(r"^[.-]|[^\w.@-]", "_", user_id, flags=re.ASCII)
    return f"{safe[:MAX_NAME_LENGTH]}-{number}.mkv"


async def main(folder: Path) -> None:
    from stage import publish, stage

    from sealroom.recording import examine_recording
    from sealroom.sources import open_source

    async with (
        stage("alice", "bob", "carol", "recorder") as (room_id, apis),
        Recorder(apis["recorder"], room_id, folder) as recorder,
    ):
        for name in ("alice", "bob", "carol"):
            await publish(apis[name], room_id, open_source("test"))
        while len(recorder.files) < 3 or any(one.frames_written < 100 for one in recorder.files):
            await asyncio.sleep(0.1)
    zero = min(file.began for file in recorder.files if file.began is not None)
    for file in recorder.files:
        assert file.began is not None
        found = examine_recording(file.path)
        print(f"{file.path}: begins at {file.began - zero:.2f} s, {found}")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
