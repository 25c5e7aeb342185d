"""Receives the streams of a room and records them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rich.live import Live
from rich.text import Text

from sealroom.cli.errors import CommandError
from sealroom.cli.output import explain, print_result, remarks
from sealroom.cli.publishing import TICK, interrupts
from sealroom.cli.room_ends import RoomEnd, room_end
from sealroom.cli.session import Login, Session, log_in
from sealroom.client import RemoteTrack, StreamInfo, StreamSubscription
from sealroom.client.errors import AccessDeniedError
from sealroom.client.events import (
    Event,
    FrameRejected,
    StreamPublished,
    StreamRefused,
    StreamUnpublished,
    StreamUpdated,
)
from sealroom.errors import SealroomError
from sealroom.media.sections import MediaKind
from sealroom.recording import MatroskaWriter
from sealroom.sources import TEST_SOURCE


@dataclass
class WatchedStream:
    """A stream that is received, and its recording."""

    info: StreamInfo
    writer: MatroskaWriter | None
    is_published: bool = True
    received: Counter[str] = field(default_factory=Counter)
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)  # by track id
    recorded: dict[str, str] = field(default_factory=dict)  # the track of each kind in the file

    @property
    def has_ended(self) -> bool:
        ended = {key for key, one in self.tasks.items() if one.done()}
        announced = {one.track_id for one in self.info.tracks}
        # Without tracks it goes on: its publisher may add some.
        is_over = bool(announced) and announced <= ended
        return len(ended) == len(self.tasks) and (is_over or not self.is_published)

    def records(self, remote: RemoteTrack) -> bool:
        """Whether a track is the one of its kind that goes into the file: the first that came."""
        return self.recorded.setdefault(remote.kind, remote.track_id) == remote.track_id


async def watch_room(login: Login, room_id: str, save: Path | None, seconds: float | None) -> None:
    """Watches until all streams or the room ended, `seconds` or an interrupt.

    Raises:
        CommandError: nothing arrived, something did not decrypt, or the user is out of the room.
    """
    check_recording_path(save)
    async with log_in(login) as session:
        watcher = Watcher(session, room_id, save)
        try:
            await watcher.run(seconds)
        finally:
            await watcher.finish()
        watcher.conclude()


def check_recording_path(save: Path | None) -> None:
    """Refuses what cannot become a recording, before there is something to record."""
    if save is None:
        return
    if save.suffix.lower() != ".mkv":
        raise CommandError(f"{save} is no Matroska file. Remedy: give it the ending .mkv.")
    if not save.parent.is_dir():
        raise CommandError(f"there is no folder {save.parent}. Remedy: mkdir -p {save.parent}.")


def numbered(path: Path, number: int) -> Path:
    """Returns the file for the nth stream: out.mkv, out-2.mkv, ..."""
    return path if number == 1 else path.with_stem(f"{path.stem}-{number}")


class Watcher:
    """Subscribes to all streams of a joined room and takes their encoded frames."""

    def __init__(self, session: Session, room_id: str, save: Path | None) -> None:
        self._session = session
        self._room_id = room_id
        self._save = save
        self._streams: dict[str, WatchedStream] = {}
        self._rejected: Counter[str] = Counter()
        self._missed = 0
        self._end: RoomEnd | None = None
        self._news: asyncio.Queue[StreamInfo] = asyncio.Queue()
        self._background: list[asyncio.Task[None]] = []
        self._stop_listening = session.api.add_event_listener(self._note)

    async def run(self, seconds: float | None) -> None:
        """Watches; returns when it is over."""
        api = self._session.api
        await api.join_stream_room(self._room_id)
        if self._save is not None:
            await self._announce_recording()
        self._background.append(asyncio.create_task(self._take_tracks()))
        for stream in await api.list_streams(self._room_id):
            self._news.put_nowait(stream)
        if self._news.empty():
            explain("Nobody publishes yet: waiting. Ctrl-C ends it.")
        begin = time.monotonic()
        with interrupts() as interrupted, Live(console=remarks(), transient=True) as live:
            while not interrupted.is_set() and not self._session.connection.is_closed:
                elapsed = time.monotonic() - begin
                if seconds is not None and elapsed >= seconds:
                    break
                if self._end is not None:
                    explain(f"{self._end.reason}.")
                    break
                streams = self._streams.values()
                if seconds is None and streams and all(one.has_ended for one in streams):
                    break
                self._raise_failures()
                live.update(Text(f"{elapsed:6.1f} s   {self._figures()}"))
                await self._subscribe_to_news()
        self._session.check_open()
        self._raise_failures()

    async def finish(self) -> None:
        """Ends everything and closes the recordings."""
        self._stop_listening()
        tasks = [
            *self._background,
            *(t for one in self._streams.values() for t in one.tasks.values()),
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for stream in self._streams.values():
            if stream.writer is not None:
                stream.writer.close()

    def conclude(self) -> None:
        """Tells what was received.

        Raises:
            CommandError: nothing was, something did not decrypt, or it ended before its end.
        """
        if not any(stream.received for stream in self._streams.values()):
            if self._end is not None:
                raise CommandError(f"nothing arrived before it ended: {self._end.reason}")
            raise CommandError(
                "nothing arrived. Remedy: see that somebody publishes in this room:"
                f" sealroom publish {TEST_SOURCE} {self._room_id}"
            )
        explain(f"Done: {self._figures()}.")
        for stream in self._streams.values():
            if stream.writer is not None and stream.writer.frames_written:
                print_result(str(stream.writer.path))
        if self._missed:
            explain(f"{self._missed} frames are missing: they came faster than they were taken.")
        if self._rejected:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self._rejected.items())
            raise CommandError(
                f"frames were refused and left out ({reasons}): somebody tampers with this call,"
                " or uses another key"
            )
        if self._end is not None and self._end.is_failure:
            raise CommandError(self._end.reason)

    def _note(self, event: Event) -> None:
        self._end = self._end or room_end(event, self._room_id, "subscriber")
        match event:
            case StreamPublished(room_id=self._room_id, stream=info):
                self._news.put_nowait(info)
            case StreamUpdated(room_id=self._room_id, stream=info):
                if (stream := self._streams.get(info.stream_id)) is not None:
                    stream.info = info
            case StreamUnpublished(room_id=self._room_id, stream_id=stream_id):
                if (stream := self._streams.get(stream_id)) is not None:
                    stream.is_published = False
            case StreamRefused(room_id=self._room_id):
                explain(f"A stream of {event.user_id} does not verify and is left out.")
            case FrameRejected(room_id=self._room_id, reason="queue_overflow", count=count):
                self._missed += count
            case FrameRejected(room_id=self._room_id, reason=reason, count=count):
                self._rejected[reason] += count

    async def _announce_recording(self) -> None:
        try:
            await self._session.api.start_recording_notice(self._room_id)
        except AccessDeniedError:
            raise CommandError(
                "you may not record this room. Remedy: watch without --save, or have a manager"
                " give the right: the policy of a room says record=user"
            ) from None
        explain("Everybody in the room is told that you record.")

    async def _subscribe_to_news(self) -> None:
        """Takes at most `TICK` seconds if there is no news."""
        try:
            info = await asyncio.wait_for(self._news.get(), TICK)
        except TimeoutError:
            return
        if info.stream_id in self._streams:
            return
        kinds: list[MediaKind] = [one.kind for one in info.tracks if one.kind != "data"]
        explain(f"{info.user_id} publishes {' and '.join(one.kind for one in info.tracks)}.")
        writer = None
        if self._save is not None and kinds:
            writer = MatroskaWriter(numbered(self._save, len(self._streams) + 1), kinds)
        self._streams[info.stream_id] = WatchedStream(info, writer)
        try:
            await self._session.api.subscribe_to_remote_streams(
                self._room_id, [StreamSubscription(info.stream_id)]
            )
        except SealroomError:
            if self._end is not None:
                return
            streams = await self._session.api.list_streams(self._room_id)
            if info.stream_id in {one.stream_id for one in streams}:
                raise
            del self._streams[info.stream_id]  # it ended before it was subscribed to

    async def _take_tracks(self) -> None:
        async for remote in self._session.api.remote_tracks(self._room_id):
            stream = self._streams.get(remote.stream_id)
            if stream is not None:
                stream.tasks[remote.track_id] = asyncio.create_task(self._take(stream, remote))

    async def _take(self, stream: WatchedStream, remote: RemoteTrack) -> None:
        is_recorded = stream.writer is not None and stream.records(remote)
        if stream.writer is not None and not is_recorded:
            name = f" {remote.name!r}" if remote.name else ""
            explain(
                f"The {remote.kind} track{name} of {remote.user_id} is not recorded:"
                " a file holds one of each kind."
            )
        async for frame in remote.encoded_frames():
            if frame.rejected is not None:
                continue
            stream.received[remote.kind] += 1
            if stream.writer is not None and is_recorded:
                stream.writer.write(frame)

    def _raise_failures(self) -> None:
        for stream in self._streams.values():
            for task in stream.tasks.values():
                if task.done() and not task.cancelled() and task.exception() is not None:
                    error = task.exception()
                    assert error is not None
                    raise error

    def _figures(self) -> str:
        if not self._streams:
            return "no stream"
        parts = []
        for stream in self._streams.values():
            counts = ", ".join(f"{n} {kind} frames" for kind, n in sorted(stream.received.items()))
            parts.append(f"{stream.info.user_id}: {counts or 'no frames'}")
        return "; ".join(parts)
