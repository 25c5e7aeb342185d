"""A call over separate processes: a Bridge, one that publishes, one that watches."""

from __future__ import annotations

import asyncio
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealroom.cli.admin_client import administer
from sealroom.cli.session import Login, log_in
from sealroom.identity import Identity
from sealroom.protocol import Context, ContextCreateParams, User, UserIdentityParams
from sealroom.recording import examine_recording


class Shell:
    """Runs `sealroom` as processes in one folder with one environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Relative entries would mean something else in that folder.
        paths = [
            str(Path(one).resolve()) for one in os.environ.get("PYTHONPATH", "").split(os.pathsep)
        ]
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths if "PYTHONPATH" in os.environ else []),
            "XDG_DATA_HOME": str(folder / "data"),
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "sealroom", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def run(self, *arguments: str) -> str:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        return out.strip()

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()


def wait_for(process: subprocess.Popen[str], pattern: str, timeout: float = 30) -> str:
    """Reads standard error until a line matches; returns all that was read."""
    assert process.stderr is not None
    read = b""
    deadline = time.monotonic() + timeout
    while not re.search(pattern, read.decode()):
        ready, _, _ = select.select([process.stderr], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"no {pattern!r} in {read.decode()!r}"
        chunk = os.read(process.stderr.fileno(), 4096)
        assert chunk, f"ended without {pattern!r}: {read.decode()!r}"
        read += chunk
    return read.decode()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    shell.close()


def start_bridge(shell: Shell) -> subprocess.Popen[str]:
    bridge = shell.start("bridge", "--port", "0", "--admin-key-file", "key")
    told = wait_for(bridge, r"context create")
    url = re.search(r"ws://127\.0\.0\.1:\d+", told)
    assert url is not None
    shell.environment |= {"SEALROOM_URL": url[0], "SEALROOM_ADMIN_KEY_FILE": "key"}
    return bridge


def set_up_room(shell: Shell) -> str:
    context = shell.run("context", "create", "Team")
    shell.environment["SEALROOM_CONTEXT"] = context
    for user in ("alice", "bob"):
        shell.run("identity", "new", f"{user}.id")
        shell.run("context", "add-user", context, user, f"{user}.id")
    return shell.run(
        "room", "create", "--member", "bob", "--policy", "record=user", *as_user("alice")
    )


def prepare_room(shell: Shell) -> str:
    """The same in this process, where commands are not what is tested."""
    url = shell.environment["SEALROOM_URL"]
    identities = {user: Identity.generate() for user in ("alice", "bob")}
    for user, identity in identities.items():
        identity.save(shell.folder / f"{user}.id")

    async def work() -> str:
        async with administer(url, None, shell.folder / "key") as admin:
            title = ContextCreateParams(title="Team")
            context = await admin.call("admin.context_create", title, Context)
            for user, identity in identities.items():
                added = UserIdentityParams(
                    context_id=context.context_id, user_id=user, identity=identity.public.encode()
                )
                await admin.call("admin.user_add", added, User)
        shell.environment["SEALROOM_CONTEXT"] = context.context_id
        login = Login(
            url, shell.folder / "alice.id", "alice", context.context_id, shell.folder / "k"
        )
        async with log_in(login) as session:
            return await session.api.create_stream_room(
                context.context_id, users=["bob"], policy={"record": "user"}
            )

    return asyncio.run(work())


def as_user(user: str) -> list[str]:
    return ["--user", user, "--identity", f"{user}.id"]


def test_two_terminals_make_a_call(shell: Shell) -> None:
    bridge = start_bridge(shell)
    assert (shell.folder / "key").stat().st_mode & 0o777 == 0o600
    room = set_up_room(shell)

    watch = shell.start("watch", room, "--save", "out.mkv", *as_user("bob"))
    wait_for(watch, "Nobody publishes yet")
    publish = shell.start(
        "publish", "test", room, "--seconds", "4", "--codec", "h264", *as_user("alice")
    )
    _, published = publish.communicate(timeout=60)
    assert publish.returncode == 0, published
    out, watched = watch.communicate(timeout=60)
    assert watch.returncode == 0, watched
    assert out.strip() == "out.mkv"

    sent = re.search(r"Done: (\d+) video frames sent, (\d+) audio frames sent", published)
    assert sent is not None, published
    recording = examine_recording(shell.folder / "out.mkv")
    assert recording.video_frames > 0.6 * int(sent[1]) > 40
    assert recording.audio_frames > 0.6 * int(sent[2]) > 80
    assert (recording.width, recording.height) == (640, 480)

    bridge.send_signal(signal.SIGINT)
    bridge.communicate(timeout=20)
    assert bridge.returncode == 0


def test_interrupted_watching_leaves_a_playable_file_and_a_dead_bridge_is_reported(
    shell: Shell,
) -> None:
    bridge = start_bridge(shell)
    room = prepare_room(shell)
    publish = shell.start("publish", "test", room, *as_user("alice"))
    wait_for(publish, "Publishing")
    watch = shell.start("watch", room, "--save", "out.mkv", *as_user("bob"))
    wait_for(watch, "alice publishes")
    time.sleep(2.5)
    watch.send_signal(signal.SIGINT)
    _, watched = watch.communicate(timeout=20)
    assert watch.returncode == 0, watched
    recording = examine_recording(shell.folder / "out.mkv")
    assert recording.video_frames > 10
    assert recording.audio_frames > 10

    bridge.terminate()
    bridge.communicate(timeout=20)
    _, published = publish.communicate(timeout=60)  # it tries to come back for 15 s
    assert publish.returncode == 1
    assert "Error: the Bridge closed the connection" in published
    assert "Traceback" not in published


def test_the_second_start_keeps_rooms_and_shows_no_key(shell: Shell) -> None:
    bridge = start_bridge(shell)
    room = prepare_room(shell)
    bridge.terminate()
    bridge.communicate(timeout=20)
    port = shell.environment["SEALROOM_URL"].rpartition(":")[2]
    again = shell.start("bridge", "--port", port)
    told = wait_for(again, "listens on")
    assert "API key" not in told
    assert room in shell.run("room", "list", *as_user("bob"))


def test_a_taken_port_is_one_clear_line(shell: Shell) -> None:
    start_bridge(shell)
    port = shell.environment["SEALROOM_URL"].rpartition(":")[2]
    second = shell.start("bridge", "--port", port, "--database", "other.sqlite3")
    out, err = second.communicate(timeout=30)
    assert second.returncode == 1
    assert f"port {port}" in err
    assert "Traceback" not in err
    assert out == ""
