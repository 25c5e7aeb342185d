"""Sends a source into a room until it ends or the user has enough."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.live import Live
from rich.text import Text

from sealroom.cli.errors import CommandError, describe
from sealroom.cli.output import explain, remarks
from sealroom.cli.room_ends import room_end
from sealroom.cli.session import Login, Session, log_in
from sealroom.client.events import Event, StreamLost, StreamUnpublished, TrackEnded
from sealroom.client.handles import StreamHandle, TrackHandle
from sealroom.errors import SealroomError
from sealroom.media.sections import CodecName
from sealroom.sources import MediaSource, open_source

TICK = 0.25


class Sending:
    """What events tell of a stream of one's own."""

    def __init__(self, stream: StreamHandle, tracks: Iterable[TrackHandle]) -> None:
        self.failure: str | None = None
        """Why the stream cannot be sent to its end."""
        self._room_id = stream.room_id
        self._stream_id = stream.stream_id
        self._left = {track.track_id: track.kind for track in tracks}

    @property
    def is_complete(self) -> bool:
        """Whether all sources are at their end."""
        return not self._left

    def note(self, event: Event) -> None:
        match event:
            case TrackEnded(track_id=track_id, error=error) if track_id in self._left:
                kind = self._left.pop(track_id)
                if error is not None:
                    self._fail(f"the {kind} cannot be sent on: {describe(error)}")
            case StreamUnpublished(room_id=self._room_id, stream_id=self._stream_id):
                self._fail("a manager ended the stream, or took the right to publish away")
            case StreamLost(room_id=self._room_id, stream_id=self._stream_id, error=error):
                self._fail(f"the stream could not be published again: {describe(error)}")
            case _:
                if (end := room_end(event, self._room_id, "publisher")) is not None:
                    self._fail(end.reason)

    def _fail(self, reason: str) -> None:
        self.failure = self.failure or reason


async def publish_source(
    login: Login, source_name: str, room_id: str, seconds: float | None, video_codec: CodecName
) -> None:
    """Publishes until the end of the source, `seconds` or an interrupt.

    Raises:
        CommandError: it could not be sent so far.
    """
    source = open_source(source_name)
    try:
        # Why a track ends is what the command says itself.
        with unlogged("sealroom.media.outgoing_track"):
            async with log_in(login) as session:
                await publish(session, source, room_id, seconds, video_codec)
    finally:
        source.stop()


async def publish(
    session: Session,
    source: MediaSource,
    room_id: str,
    seconds: float | None,
    video_codec: CodecName,
) -> None:
    """The same with a session and a source that are open; they stay their owner's to close."""
    api = session.api
    await api.join_stream_room(room_id)
    stream = await api.create_stream(room_id)
    tracks = []
    for track in source.tracks:
        if track.kind == "video":
            tracks.append(await stream.add_track(track, name="camera", codec=video_codec))
        else:
            tracks.append(await stream.add_track(track, name="microphone"))
    sending = Sending(stream, tracks)
    api.add_event_listener(sending.note)
    try:
        await stream.publish()
    except SealroomError:
        if sending.failure is not None:  # why a connection is closed it does not say itself
            raise CommandError(sending.failure) from None
        raise
    kinds = " and ".join(track.kind for track in tracks)
    explain(f"Publishing {kinds} as stream {stream.stream_id}. Ctrl-C ends it.")
    begin = time.monotonic()
    with interrupts() as interrupted, Live(console=remarks(), transient=True) as live:
        while not interrupted.is_set() and not session.connection.is_closed:
            elapsed = time.monotonic() - begin
            if sending.is_complete or sending.failure is not None:
                break
            if seconds is not None and elapsed >= seconds:
                break
            live.update(Text(f"{elapsed:6.1f} s   {_sent(session, room_id)}"))
            await asyncio.sleep(TICK)
    session.check_open()
    if sending.failure is not None:
        raise CommandError(sending.failure)
    sent = _sent(session, room_id)
    await stream.unpublish()
    explain(f"Done: {sent} in {time.monotonic() - begin:.1f} s.")


@contextmanager
def interrupts() -> Iterator[asyncio.Event]:
    """Turns SIGINT and SIGTERM into an event, so that streams end and files are finished."""
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, interrupted.set)
    try:
        yield interrupted
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@contextmanager
def unlogged(name: str) -> Iterator[None]:
    """Keeps a logger silent for a while."""
    logger = logging.getLogger(name)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _sent(session: Session, room_id: str) -> str:
    tracks = session.api.statistics(room_id).sent
    return ", ".join(f"{one.python.frames_sent} {one.kind} frames sent" for one in tracks)
