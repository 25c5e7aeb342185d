"""A Redis server of the tests' own, on a Unix socket in a temporary folder."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path


class RedisServer:
    """A server that keeps nothing."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sealroom-redis-"))
        self._socket = self.folder / "socket"
        self.url = f"unix://{self._socket}"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start, after `kill` as well."""
        settings = ["--port", "0", "--save", "", "--appendonly", "no"]
        where = ["--unixsocket", str(self._socket), "--dir", str(self.folder)]
        self._process = subprocess.Popen(
            ["redis-server", *settings, *where], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while not self._answers():
            assert self._process.poll() is None, "Redis does not start"
            assert time.monotonic() < deadline, "Redis does not start"
            time.sleep(0.02)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._socket)) == 0

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Kill and remove everything."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
