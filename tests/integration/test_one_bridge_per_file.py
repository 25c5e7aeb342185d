"""An SQLite file is one Bridge's: a second one is told so, and a killed one leaves it free."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from pathlib import Path

import pytest
from bridge_support import FakeMedia
from crash_support import bridge_to_kill

from sealroom.bridge import MEMORY_DATABASE, BridgeConfig, DatabaseInUseError, sqlite_url
from sealroom.bridge.database import open_database
from sealroom.bridge.server import embedded


async def start(database: Path) -> asyncio.subprocess.Process:
    """`sealroom bridge` in a process of its own."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "sealroom", "bridge", "--port", "0", "--database", str(database)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def said(process: asyncio.subprocess.Process) -> str:
    async with asyncio.timeout(120):
        _, errors = await process.communicate()
    return errors.decode()


async def test_a_second_process_is_told_the_file_and_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "bridge.db"
    async with embedded(BridgeConfig(database=sqlite_url(str(file))), FakeMedia()) as bridge:
        second = await start(file)
        text = await said(second)
        assert second.returncode == 1
        last = text.strip().splitlines()[-1]
        assert last.startswith(f"Error: The database {file} is in use by another Bridge. Remedy: ")
        assert "PostgreSQL" in last
        await bridge.admin.context_create("it goes on")
    async with open_database(sqlite_url(str(file))):
        pass


async def test_a_killed_bridge_leaves_its_file_to_the_next_one(tmp_path: Path) -> None:
    url = sqlite_url(str(tmp_path / "bridge.db"))
    async with bridge_to_kill(url):
        with pytest.raises(DatabaseInUseError):
            async with open_database(url):
                pass
    async with open_database(url):
        pass


async def test_a_bridge_that_is_told_to_end_leaves_its_file_to_the_next_one(
    tmp_path: Path,
) -> None:
    file = tmp_path / "bridge.db"
    process = await start(file)
    assert process.stderr is not None
    async with asyncio.timeout(120):
        while b"listens on" not in await process.stderr.readline():
            assert process.returncode is None
    os.kill(process.pid, signal.SIGTERM)
    await said(process)
    assert process.returncode == 0
    async with open_database(sqlite_url(str(file))):
        pass


async def test_other_names_of_a_file_are_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "bridge.db")
    async with open_database(sqlite_url(str(tmp_path / "bridge.db"))):
        with pytest.raises(DatabaseInUseError, match=r"bridge\.db is in use"):
            async with open_database(sqlite_url(str(tmp_path / "link.db"))):
                pass
        async with open_database(sqlite_url(str(tmp_path / "other.db"))):
            pass


async def test_databases_in_memory_are_as_many_as_one_likes(tmp_path: Path) -> None:
    async with open_database(MEMORY_DATABASE), open_database(MEMORY_DATABASE):
        pass


async def test_the_lock_is_private_and_says_when_it_cannot_be_made(tmp_path: Path) -> None:
    async with open_database(sqlite_url(str(tmp_path / "bridge.db"))):
        assert stat.S_IMODE((tmp_path / "bridge.db-lock").stat().st_mode) == 0o600
    (tmp_path / "bad.db-lock").mkdir()
    with pytest.raises(Exception, match=r"bad\.db cannot be used") as refused:
        async with open_database(sqlite_url(str(tmp_path / "bad.db"))):
            pass
    assert refused.type.__name__ == "BridgeError"
