"""Sends a source into a room until it ends or the user has enough."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av.frame import Frame
from av.packet import Packet
from rich.live import Live
from rich.text import Text

from sealroom.cli.output import explain, remarks
from sealroom.cli.session import Login, Session, log_in
from sealroom.media.sections import CodecName
from sealroom.sources import MediaSource, open_source

TICK = 0.25


class EndingTrack(MediaStreamTrack):
    """Another track that tells when its source is at its end."""

    def __init__(self, source: MediaStreamTrack) -> None:
        super().__init__()
        self.kind = source.kind
        self.ended = asyncio.Event()
        self._source = source

    async def recv(self) -> Frame | Packet[Any]:
        """Returns the next frame; raises MediaStreamError at the end."""
        try:
            return await self._source.recv()
        except MediaStreamError:
            self.ended.set()
            raise


async def publish_source(
    login: Login, source_name: str, room_id: str, seconds: float | None, video_codec: CodecName
) -> None:
    """Publishes until the end of the source, `seconds` or an interrupt."""
    source = open_source(source_name)
    try:
        async with log_in(login) as session:
            await _publish(session, source, room_id, seconds, video_codec)
    finally:
        source.stop()


async def _publish(
    session: Session,
    source: MediaSource,
    room_id: str,
    seconds: float | None,
    video_codec: CodecName,
) -> None:
    api = session.api
    await api.join_stream_room(room_id)
    stream = await api.create_stream(room_id)
    tracks = [EndingTrack(track) for track in source.tracks]
    for track in tracks:
        if track.kind == "video":
            await stream.add_track(track, name="camera", codec=video_codec)
        else:
            await stream.add_track(track, name="microphone")
    await stream.publish()
    kinds = " and ".join(track.kind for track in tracks)
    explain(f"Publishing {kinds} as stream {stream.stream_id}. Ctrl-C ends it.")
    begin = time.monotonic()
    with interrupts() as interrupted, Live(console=remarks(), transient=True) as live:
        while not interrupted.is_set() and not session.connection.is_closed:
            elapsed = time.monotonic() - begin
            if all(track.ended.is_set() for track in tracks):
                break
            if seconds is not None and elapsed >= seconds:
                break
            live.update(Text(f"{elapsed:6.1f} s   {_sent(session, room_id)}"))
            await asyncio.sleep(TICK)
    session.check_open()
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


def _sent(session: Session, room_id: str) -> str:
    tracks = session.api.statistics(room_id).sent
    return ", ".join(f"{one.python.frames_sent} {one.kind} frames sent" for one in tracks)
