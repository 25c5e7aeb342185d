"""The programs of examples/ as a user would run them, and that docs/guide.md quotes them."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from call_support import eventually, open_call, publish, take

from sealroom.client import Connection, StreamApi, StreamSubscription
from sealroom.client.events import Event, RoomClosed, RoomExcluded
from sealroom.identity import Identity
from sealroom.recording import examine_recording

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
GUIDE = ROOT / "docs" / "guide.md"


def run(name: str, *arguments: str) -> str:
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    assert "never" not in result.stderr  # awaited, retrieved
    return result.stdout


def test_the_recorder_files_each_stream_with_picture_and_sound(tmp_path: Path) -> None:
    assert len(run("recorder.py", str(tmp_path)).splitlines()) == 3
    names = {"alice-1.mkv", "bob-2.mkv", "carol-3.mkv"}
    assert {path.name for path in tmp_path.iterdir()} == names
    for name in names:
        found = examine_recording(tmp_path / name)
        assert found.video_frames > 5
        assert found.audio_frames > 5
        assert found.seconds > 0.3


def test_the_voice_bot_answers_minds_the_mute_and_leaves() -> None:
    lines = run("voice_bot.py").splitlines()
    assert re.fullmatch(r"the bot answers with [01]\.\d s of sound", lines[0])
    assert lines[1:] == ["muted: {'alice'}, and the bot is silent: True", "the bot left"]


@pytest.mark.parametrize("end", ["close_stream_room", "delete_stream_room"])
async def test_the_voice_bot_ends_with_the_room(monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    voice_bot: Any = importlib.import_module("voice_bot")
    async with open_call("alice", "bot") as call:
        bot = voice_bot.VoiceBot(call.apis["bot"], call.room_id, voice_bot.backwards)
        running = asyncio.create_task(bot.run())
        await eventually(lambda: has_streams(call.apis["alice"], call.room_id))
        await getattr(call.apis["alice"], end)(call.room_id)
        await asyncio.wait_for(running, 20)


def test_the_vision_pipeline_sees_four_cameras_and_shows_a_wall() -> None:
    decoded, pushed = run("vision.py").splitlines()
    assert len(re.findall(r"'\w{32}': \([1-9]\d*, \d+\)", decoded)) == 4
    assert re.search(r"pushed [1-9]\d+$", pushed)


def test_encoded_frames_are_marked_checked_and_filed_unopened(tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    first = run("encoded_frames.py", str(path)).splitlines()[0]
    assert first == "0 decoded, 0 unmarked"
    found = examine_recording(path)
    assert found.video_frames > 5
    assert (found.width, found.height) == (640, 480)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def service(log: Path) -> Iterator[int]:
    """The support service in a process of its own; its port. It ends without a traceback."""
    port = free_port()
    command = "-m uvicorn --app-dir examples support_service:app --ws websockets-sansio --port"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *command.split(), str(port)],
            cwd=ROOT,
            env={**os.environ, "SUPPORT_URL": f"ws://127.0.0.1:{port}/calls"},
            stderr=output,
        )
        try:
            yield port
        finally:
            process.terminate()
            process.wait(30)
    assert "Application shutdown complete" in log.read_text()
    assert "Traceback" not in log.read_text()


def send(port: int, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def is_up(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/calls/readyz", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


async def test_the_support_service_runs_tickets_as_calls(tmp_path: Path) -> None:
    """Users added, a room per ticket, an agent removed in mid-call, the ticket closed."""
    with service(tmp_path / "log") as port:
        await eventually(lambda: asyncio.to_thread(is_up, port), 60)

        async def ask(method: str, path: str, body: Any = None) -> tuple[int, Any]:
            return await asyncio.to_thread(send, port, method, path, body)

        apis: dict[str, StreamApi] = {}
        for name in ("customer", "agent"):
            identity = Identity.generate()
            body = {"user": name, "identity": identity.public.encode()}
            status, made = await ask("POST", "/users", body)
            assert status == 201
            connection = await Connection.connect(
                f"ws://127.0.0.1:{port}/calls",
                identity=identity,
                user_id=name,
                context_id=made["context"],
            )
            apis[name] = StreamApi(connection, host_addresses=["127.0.0.1"])
        status, refused = await ask("POST", "/tickets", {"users": ["nobody"], "title": "Printer"})
        assert (status, "nobody" in refused["error"]) == (400, True)
        people = {"users": ["customer", "agent"], "title": "Printer"}
        status, ticket = await ask("POST", "/tickets", people)
        assert status == 201
        room_id = ticket["room"]
        told: dict[str, list[Event]] = {name: [] for name in apis}
        for name, api in apis.items():
            api.add_event_listener(told[name].append)
            await api.join_stream_room(room_id)
        assert (await apis["agent"].get_stream_room(room_id)).private_meta == b"Printer"

        stream = await publish(apis["customer"], room_id)
        await eventually(lambda: has_streams(apis["agent"], room_id))
        await apis["agent"].subscribe_to_remote_streams(
            room_id, [StreamSubscription(stream.stream_id)]
        )
        remote = await anext(apis["agent"].remote_tracks(room_id))
        assert (await take(remote, 1))[0].to_ndarray().dtype == np.uint8

        status, room = await ask("DELETE", f"/tickets/{room_id}/users/agent")
        assert (status, room) == (200, {"users": ["customer"], "epoch": 2})
        await eventually(lambda: any(isinstance(one, RoomExcluded) for one in told["agent"]))
        async with asyncio.timeout(10):
            assert all([one.kind == "video" async for one in remote.frames()])  # they end

        assert await ask("DELETE", f"/tickets/{room_id}") == (200, {})
        await eventually(lambda: any(isinstance(one, RoomClosed) for one in told["customer"]))
        for api in apis.values():
            await api.close()
            await api.connection.close()


async def has_streams(api: StreamApi, room_id: str) -> bool:
    return bool(await api.list_streams(room_id))


def blocks() -> list[tuple[str, str]]:
    """The Python of the guide, each with the example it is said to be from."""
    text = GUIDE.read_text()
    found = re.findall(r"^```python\n# (examples/\w+\.py)\n(.*?)^```", text, re.DOTALL | re.M)
    assert len(found) == text.count("```python")
    return found


def test_the_guide_quotes_every_example() -> None:
    assert {name for name, _ in blocks()} == {
        f"examples/{path.name}" for path in EXAMPLES.glob("*.py") if path.name != "stage.py"
    }


@pytest.mark.parametrize(("name", "quoted"), blocks(), ids=lambda one: one[:40])
def test_what_the_guide_quotes_is_in_the_example(name: str, quoted: str) -> None:
    """Word for word; `...` on a line of its own stands for lines left out."""
    source = (ROOT / name).read_text()
    at = 0
    for part in re.split(r"^ *\.\.\.\n", quoted, flags=re.MULTILINE):
        found = source.find(part.strip("\n"), at)
        assert found >= 0, f"{name} does not hold, after what comes before it:\n{part}"
        at = found + len(part.strip("\n"))
