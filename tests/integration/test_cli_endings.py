"""`sealroom publish` and `watch` end when there is nothing more to send or receive, and say why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame
from call_support import Call, StripeTrack, eventually, open_call
from call_support import publish as publish_stripes

from sealroom.cli.errors import CommandError
from sealroom.cli.publishing import Sending, publish
from sealroom.cli.room_ends import RoomEnd, room_end
from sealroom.cli.session import Session
from sealroom.cli.watching import Watcher
from sealroom.client.events import (
    Event,
    MediaFailed,
    RoomClosed,
    RoomDeleted,
    RoomExcluded,
    RoomLost,
    StreamLost,
    StreamUnpublished,
    TrackEnded,
)
from sealroom.client.handles import StreamHandle
from sealroom.media.errors import TransportError
from sealroom.media.sections import CodecName
from sealroom.recording import examine_recording
from sealroom.sources import MediaSource, SourceError


class Film(MediaStreamTrack):
    """Pictures in real time, and at their end an error if there is one."""

    kind = "video"

    def __init__(self, count: int, error: Exception | None = None) -> None:
        super().__init__()
        self._pictures = StripeTrack()
        self._left = count
        self._error = error

    async def recv(self) -> VideoFrame:
        if not self._left:
            raise self._error or MediaStreamError
        self._left -= 1
        return await self._pictures.recv()


class Tiny(Film):
    """Pictures that AV1 is not encoded of."""

    async def recv(self) -> VideoFrame:
        return (await super().recv()).reformat(width=64, height=48)


async def publish_film(call: Call, film: Film, codec: CodecName = "vp8") -> None:
    await call.apis["bob"].leave_stream_room(call.room_id)
    session = Session(call.connections["bob"], call.apis["bob"])
    async with asyncio.timeout(60):
        await publish(session, MediaSource(film, None), call.room_id, None, codec)


async def test_publishing_ends_with_the_source(capsys: pytest.CaptureFixture[str]) -> None:
    async with open_call("alice", "bob") as call:
        await publish_film(call, Film(5))
    assert "Done: 5 video frames sent" in capsys.readouterr().err


async def test_publishing_ends_when_the_source_cannot_be_read_on() -> None:
    error = SourceError("film.mp4 cannot be read to its end: it is broken")
    async with open_call("alice", "bob") as call:
        with pytest.raises(CommandError, match=r"the video cannot be sent on: film\.mp4 .*broken"):
            await publish_film(call, Film(5, error))


async def test_publishing_ends_when_the_encoder_takes_no_such_pictures() -> None:
    async with open_call("alice", "bob") as call:
        with pytest.raises(CommandError, match=r"the video cannot be sent on: .*av1"):
            await publish_film(call, Tiny(1 << 30), "av1")


async def close(call: Call) -> None:
    await call.apis["alice"].close_stream_room(call.room_id)


async def delete(call: Call) -> None:
    await call.apis["alice"].delete_stream_room(call.room_id)


async def kick(call: Call) -> None:
    people = await call.apis["alice"].list_stream_room_participants(call.room_id)
    (bob,) = (one for one in people if one.user_id == "bob")
    await call.apis["alice"].kick_participant(call.room_id, bob.participant_id)


async def forbid(call: Call) -> None:
    await call.apis["alice"].update_stream_room(
        call.room_id, version=1, policy={"publish": "manager"}
    )


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (close, "alice closed the room"),
        (kick, "alice threw you out of the room"),
        (forbid, "a manager ended the stream"),
    ],
)
async def test_publishing_ends_when_nothing_may_be_sent_any_more(
    end: Callable[[Call], Awaitable[None]], told: str
) -> None:
    async with open_call("alice", "bob") as call:
        publishing = asyncio.create_task(publish_film(call, Film(1 << 30)))

        def is_sent() -> bool:
            if call.room_id not in call.apis["bob"]._joined:
                return False
            sent = call.apis["bob"].statistics(call.room_id).sent
            return any(one.python.frames_sent for one in sent)

        await eventually(is_sent)
        await end(call)
        with pytest.raises(CommandError, match=told):
            await publishing


async def test_who_is_put_out_while_a_stream_begins_is_told_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_call("alice", "bob") as call:
        told = call.apis["bob"].events()

        async def interrupted(stream: StreamHandle) -> None:
            await kick(call)
            async for event in told:
                if isinstance(event, RoomExcluded):
                    raise TransportError("the transport is closed")

        monkeypatch.setattr(StreamHandle, "publish", interrupted)
        with pytest.raises(CommandError, match="alice threw you out of the room"):
            await publish_film(call, Film(5))


@asynccontextmanager
async def watching(call: Call, path: Path | None) -> AsyncIterator[asyncio.Task[None]]:
    """bob watches, as the command does."""
    await call.apis["bob"].leave_stream_room(call.room_id)
    session = Session(call.connections["bob"], call.apis["bob"])
    watcher = Watcher(session, call.room_id, path)

    async def watch() -> None:
        try:
            await watcher.run(None)
        finally:
            await watcher.finish()
        watcher.conclude()

    running = asyncio.create_task(watch())
    try:
        await eventually(lambda: call.room_id in call.apis["bob"]._joined)
        yield running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (close, "alice closed the room"),
        (delete, "alice deleted the room"),
        (kick, "alice threw you out of the room"),
    ],
)
async def test_watching_a_room_that_ends_before_anything_came_says_so(
    end: Callable[[Call], Awaitable[None]], told: str
) -> None:
    async with open_call("alice", "bob") as call, watching(call, None) as running:
        await end(call)
        with pytest.raises(CommandError, match=f"nothing arrived before it ended: {told}"):
            await asyncio.wait_for(running, 30)


@pytest.mark.parametrize(("end", "error"), [(close, None), (kick, "alice threw you out")])
async def test_a_room_that_ends_leaves_a_whole_recording(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    end: Callable[[Call], Awaitable[None]],
    error: str | None,
) -> None:
    path = tmp_path / "out.mkv"
    async with open_call("alice", "bob", "carol") as call:
        await call.apis["alice"].update_stream_room(
            call.room_id, version=1, managers=["alice", "bob"], users=["carol"]
        )
        await call.apis["carol"].leave_stream_room(call.room_id)
        async with watching(call, path) as running:
            await publish_stripes(call.apis["alice"], call.room_id)
            await eventually(path.exists)
            await end(call)
            if error is None:
                await asyncio.wait_for(running, 30)
                assert "alice closed the room." in capsys.readouterr().err
            else:
                with pytest.raises(CommandError, match=error):
                    await asyncio.wait_for(running, 30)
    assert examine_recording(path).video_frames > 0
    assert str(path) in capsys.readouterr().out or error is None


@pytest.mark.parametrize(
    ("event", "end"),
    [
        (RoomClosed("r", "eve"), RoomEnd("eve closed the room", False)),
        (RoomClosed("r"), RoomEnd("an administrator closed the room", False)),
        (RoomDeleted("r", "eve"), RoomEnd("eve deleted the room", False)),
        (
            RoomExcluded("r", "removed", None, "bye"),
            RoomEnd("an administrator removed you from the room: bye", True),
        ),
        (RoomExcluded("r", "kicked", "eve"), RoomEnd("eve threw you out of the room", True)),
        (RoomLost("r", ValueError("no\nway")), RoomEnd("the room did not come back: no", True)),
        (MediaFailed("r", "publisher", "x"), RoomEnd("the media connection broke: x", True)),
        (MediaFailed("r", "subscriber", "x"), None),
        (RoomClosed("other", "eve"), None),
        (TrackEnded("r", "s", "t"), None),
    ],
)
def test_what_ends_a_room_is_said_in_words(event: Event, end: RoomEnd | None) -> None:
    assert room_end(event, "r", "publisher") == end


def test_a_stream_that_is_lost_is_not_sent_on() -> None:
    stream: Any = SimpleNamespace(room_id="r", stream_id="s")
    track: Any = SimpleNamespace(track_id="t", kind="video")
    sending = Sending(stream, [track])
    for event in (
        StreamLost("r", "other", ValueError("no")),
        StreamUnpublished("r", "other", "eve"),
        TrackEnded("r", "s", "other", ValueError("no")),
    ):
        sending.note(event)
    assert sending.failure is None
    sending.note(StreamLost("r", "s", ValueError("no")))
    assert sending.failure == "the stream could not be published again: no"
    assert not sending.is_complete
