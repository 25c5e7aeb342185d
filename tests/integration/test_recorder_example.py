"""The recorder of examples/ among users whose ids are no file names, and when files fail."""

from __future__ import annotations

import asyncio
import importlib
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from call_support import Call, eventually, open_call, publish

from sealroom.recording import RecordingError, examine_recording

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module("recorder")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "a" / "b" / "recordings"
    made.mkdir(parents=True)
    return made


def has_recorded(recording: Any, count: int) -> bool:
    return sum(one.frames_written > 5 for one in recording.files) == count


async def test_who_has_a_path_for_an_id_is_recorded_inside_the_folder(
    recorder: Any, folder: Path
) -> None:
    names = ("../../escaped", "acme/alice", "bob@example.com")
    async with (
        open_call("chief", *names) as call,
        recorder.Recorder(call.apis["chief"], call.room_id, folder) as recording,
    ):
        for number, name in enumerate(names, 1):
            await publish(call.apis[name], call.room_id)
            await eventually(partial(has_recorded, recording, number), 30)
    assert {one.path.resolve().parent for one in recording.files} == {folder.resolve()}
    assert sorted(one.name for one in folder.iterdir()) == [
        "_._.._escaped-1.mkv",
        "acme_alice-2.mkv",
        "bob@example.com-3.mkv",
    ]
    assert not [one for one in folder.parents[1].rglob("*.mkv") if one.parent != folder]


@pytest.mark.parametrize("user_id", ["..", "-y", "王" * 128, "x" * 128, "C:\\x", "a\u202eb"])
def test_of_any_id_a_file_name_is_made(recorder: Any, tmp_path: Path, user_id: str) -> None:
    name = recorder.file_name(user_id, 7)
    assert name.endswith("-7.mkv")
    assert name[0] not in ".-"
    assert name.isascii()
    (tmp_path / name).touch()
    assert [one.name for one in tmp_path.iterdir()] == [name]


async def test_a_file_that_cannot_be_written_is_told_at_once_and_the_others_go_on(
    recorder: Any, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "alice-1.mkv").mkdir()
    seen: list[str] = []

    async def record(call: Call) -> None:
        async with recorder.Recorder(call.apis["chief"], call.room_id, folder) as recording:
            await publish(call.apis["alice"], call.room_id)
            await eventually(lambda: "recorder" in {one.name for one in caplog.records}, 30)
            seen.append(caplog.text)
            await publish(call.apis["bob"], call.room_id)
            await eventually(lambda: has_recorded(recording, 1), 30)
            seen.append("bob")

    async with open_call("chief", "alice", "bob") as call:
        with pytest.raises(RecordingError, match=r"alice-1\.mkv"):
            await record(call)
        people = call.apis["bob"].list_participants
        await eventually(lambda: not any(one.is_recording for one in people(call.room_id)))
    assert re.search(r"cannot write .*alice-1\.mkv", seen[0])
    assert seen[1:] == ["bob"]


async def test_a_call_that_is_closed_leaves_whole_files(recorder: Any, folder: Path) -> None:
    async with open_call("chief", "alice") as call:
        async with recorder.Recorder(call.apis["chief"], call.room_id, folder) as recording:
            await publish(call.apis["alice"], call.room_id)
            await eventually(partial(has_recorded, recording, 1), 30)
            await call.apis["chief"].close_stream_room(call.room_id)
        assert examine_recording(folder / "alice-1.mkv").video_frames > 5


async def test_what_ends_all_recording_ends_the_body_at_once(recorder: Any, folder: Path) -> None:
    seen: list[str] = []

    async def record(call: Call) -> None:
        async with recorder.Recorder(call.apis["chief"], call.room_id, folder):
            folder.rmdir()
            await publish(call.apis["alice"], call.room_id)
            await asyncio.sleep(30)
            seen.append("nothing was told")

    async with open_call("chief", "alice") as call:
        with pytest.raises(ExceptionGroup) as ended:
            await record(call)
    assert isinstance(ended.value.exceptions[0], RecordingError)
    assert not seen
