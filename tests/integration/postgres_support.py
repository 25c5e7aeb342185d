"""A PostgreSQL server of the tests' own: Debian's, in a temporary folder, on a Unix socket only."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

NOBODY_ELSE = "postgres"  # whom the server runs as where the tests run as root, which it refuses


def find_server() -> Path | None:
    """Folder of the newest installed server's programs."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda one: int(one.parts[4])
    )
    if found:
        return found[-1].parent
    elsewhere = shutil.which("postgres")
    return Path(elsewhere).parent if elsewhere else None


class PostgresServer:
    """A server with an empty cluster. `fsync` as in operation, else off for speed."""

    def __init__(self, programs: Path, *, fsync: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sealroom-postgres-"))
        self._programs = programs
        self._fsync = fsync
        self.template = "template0"  # of new databases
        self._numbers = itertools.count()
        self._process: subprocess.Popen[bytes] | None = None
        self._prefix: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, NOBODY_ELSE, NOBODY_ELSE)
            ids = [f"--reuid={NOBODY_ELSE}", f"--regid={NOBODY_ELSE}", "--init-groups"]
            self._prefix = ["setpriv", *ids]
        arguments = ["-D", self._data, "-U", "sealroom", "-A", "trust", "--locale=C", "-E", "UTF8"]
        self._run(programs / "initdb", "--no-sync", *arguments)
        self.start()

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def url(self, database: str) -> str:
        """URL for `BridgeConfig`."""
        return f"postgresql://sealroom@/{database}?host={self.folder}"

    def create_database(self) -> str:
        """Make a copy of the template and return its name."""
        name = f"test{next(self._numbers)}"
        self._run(self._programs / "createdb", *self._login, "-T", self.template, name)
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever uses it still."""
        self._run(self._programs / "dropdb", *self._login, "--force", name)

    def start(self) -> None:
        """Start, after `kill` as well."""
        settings = [f"unix_socket_directories={self.folder}", "listen_addresses="]
        settings += ["max_connections=200", "shared_buffers=64MB"]
        if not self._fsync:
            settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        options = [word for one in settings for word in ("-c", one)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, self._programs / "postgres", "-D", self._data, *options],
                cwd="/",
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while subprocess.run(
            [self._programs / "pg_isready", "-q", *self._login], check=False
        ).returncode:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "PostgreSQL does not start"
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL to the server and its children: nothing is flushed or said."""
        assert self._process is not None
        children = f"/proc/{self._process.pid}/task/{self._process.pid}/children"
        pids = [int(one) for one in Path(children).read_text().split()]
        for pid in [self._process.pid, *pids]:
            os.kill(pid, signal.SIGKILL)
        self._process.wait()
        deadline = time.monotonic() + 20
        while any(_runs(pid) for pid in pids):
            assert time.monotonic() < deadline, "a server process outlives SIGKILL"
            time.sleep(0.02)
        (Path(self._data) / "postmaster.pid").unlink()

    def stop(self) -> None:
        """Stop at once and remove everything."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _login(self) -> list[str]:
        return ["-h", str(self.folder), "-U", "sealroom"]

    def _run(self, *command: str | Path) -> None:
        done = subprocess.run(
            [*self._prefix, *command], cwd="/", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
