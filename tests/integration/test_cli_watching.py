"""`sealroom watch` on streams that change while they are watched and recorded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from call_support import StripeTrack, eventually, open_call

from sealroom.cli.errors import CommandError
from sealroom.cli.session import Session
from sealroom.cli.watching import Watcher
from sealroom.client.events import RecordingStarted
from sealroom.recording import examine_recording


async def test_one_track_of_a_kind_is_recorded_and_watching_ends_with_the_stream(
    tmp_path: Path,
) -> None:
    async with open_call("alice", "bob") as call:
        stream = await call.apis["bob"].create_stream(call.room_id)
        camera = await stream.add_track(StripeTrack(), name="camera")
        await stream.publish()
        await call.apis["alice"].leave_stream_room(call.room_id)
        told = call.apis["bob"].events()
        session = Session(call.connections["alice"], call.apis["alice"])
        watcher = Watcher(session, call.room_id, tmp_path / "out.mkv")
        watching = asyncio.create_task(watcher.run(None))
        try:
            async with asyncio.timeout(10):
                async for event in told:
                    if isinstance(event, RecordingStarted):
                        assert event.participant.user_id == "alice"
                        break
            watched = watcher._streams
            await eventually(
                lambda: bool(watched) and watched[stream.stream_id].received.total() > 5
            )
            await stream.add_track(StripeTrack(), name="screen")
            await stream.update()
            await eventually(lambda: len(watched[stream.stream_id].tasks) == 2)
            writer = watched[stream.stream_id].writer
            assert writer is not None
            await camera.remove()
            await stream.update()
            await eventually(lambda: len(watched[stream.stream_id].info.tracks) == 1)
            assert not watched[stream.stream_id].has_ended
            received = watched[stream.stream_id].received.total()
            written = writer.frames_written
            await eventually(lambda: watched[stream.stream_id].received.total() > received + 5)
            assert writer.frames_written <= written + 2  # nothing of the second picture
            await stream.unpublish()
            await asyncio.wait_for(watching, 15)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await watcher.finish()
        assert examine_recording(tmp_path / "out.mkv").video_frames == writer.frames_written > 5


async def test_who_may_not_record_watches_without_a_file(tmp_path: Path) -> None:
    async with open_call("alice", "bob") as call:
        await call.apis["bob"].leave_stream_room(call.room_id)
        session = Session(call.connections["bob"], call.apis["bob"])
        watcher = Watcher(session, call.room_id, tmp_path / "out.mkv")
        with pytest.raises(CommandError, match="may not record"):
            await watcher.run(1)
        await watcher.finish()
        assert not (tmp_path / "out.mkv").exists()
