"""Runs `sealroom` in this process against a Bridge in a thread of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from sealroom.bridge import Bridge
from sealroom.cli import main
from sealroom.cli.session import Login, Session, log_in
from sealroom.sources import open_source

T = TypeVar("T")


@dataclass
class Ran:
    code: int
    out: str
    err: str


Command = Callable[..., Ran]


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs `sealroom ARGUMENTS...` in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["sealroom", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        code = ended.value.code
        assert "Traceback" not in captured.err
        return Ran(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run


@pytest.fixture
def bridge(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Bridge in a thread of its own; the environment names it and its API key."""
    with living(_bridge()) as (url, key):
        monkeypatch.setenv("SEALROOM_URL", url)
        monkeypatch.setenv("SEALROOM_ADMIN_KEY", key)
        yield url


@asynccontextmanager
async def _bridge() -> AsyncIterator[tuple[str, str]]:
    async with Bridge.embedded() as running:
        yield running.url, await running.admin.create_api_key()


@pytest.fixture
def context(run: Command, bridge: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A context with alice, bob and mallory, each with an identity file; the caller is alice."""
    context_id = run("context", "create", "Team").out.strip()
    for user in ("alice", "bob", "mallory"):
        assert run("identity", "new", f"{user}.id").code == 0
        assert run("context", "add-user", context_id, user, f"{user}.id").code == 0
    monkeypatch.setenv("SEALROOM_CONTEXT", context_id)
    monkeypatch.setenv("SEALROOM_USER", "alice")
    monkeypatch.setenv("SEALROOM_IDENTITY", "alice.id")
    return context_id


def as_user(user: str) -> list[str]:
    return ["--user", user, "--identity", f"{user}.id"]


@contextmanager
def living(opening: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """What an asynchronous context manager opens, in an event loop in a thread of its own."""
    ready = threading.Event()
    stop: list[Callable[[], object]] = []
    opened: list[T] = []
    failed: list[BaseException] = []

    async def live() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(ended.set))
        async with opening as one:
            opened.append(one)
            ready.set()
            await ended.wait()

    def run() -> None:
        try:
            asyncio.run(live())
        except BaseException as error:
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(60)
    try:
        if failed:
            raise failed[0]
        yield opened[0]
    finally:
        if not failed:
            stop[0]()
        thread.join(60)
        assert not thread.is_alive()


@asynccontextmanager
async def publishing(url: str, context: str, user: str, room: str) -> AsyncIterator[Session]:
    """A user in a room who publishes a picture."""
    login = Login(url, Path(f"{user}.id"), user, context)
    source = open_source("test")
    try:
        async with log_in(login) as session:
            await session.api.join_stream_room(room)
            stream = await session.api.create_stream(room)
            assert source.video is not None
            await stream.add_track(source.video, name="camera")
            await stream.set_details(title="Front row")
            await stream.publish()
            yield session
    finally:
        source.stop()


class Running:
    """`sealroom ARGUMENTS...` in a process of its own, with this one's environment."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.out = ""
        self._process = process

    def wait_for(self, text: str) -> None:
        """Returns once it has said this; the test's time-out is the limit."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if text in line:
                return
        raise AssertionError(f"it ended without {text}")

    def finish(self) -> int:
        """Waits for its end and returns the exit code."""
        self.out, _ = self._process.communicate(timeout=120)
        return self._process.returncode


@contextmanager
def command(*arguments: str) -> Iterator[Running]:
    process = subprocess.Popen(
        [sys.executable, "-m", "sealroom", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Running(process)
    finally:
        process.kill()
        process.communicate()
