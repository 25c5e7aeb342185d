"""What goes wrong between clients and a Bridge: a wire that breaks, a process that is killed."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bridge_support import Client
from websockets.asyncio.client import connect

from sealroom.identity import Identity
from sealroom.protocol import RPC_PATH


class Wire:
    """A TCP proxy in front of a Bridge that can be cut, and kept cut."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._host, self._port = parts.hostname, parts.port
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_open = True
        self.url = ""
        self.connections = 0

    def cut(self, *, stay_down: bool = False) -> None:
        """Break every connection; with `stay_down` refuse new ones until `mend`."""
        self._is_open = not stay_down
        for writer in list(self._writers):
            writer.transport.abort()

    def mend(self) -> None:
        """Take connections again."""
        self._is_open = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        if not self._is_open:
            writer.transport.abort()
            return
        self.connections += 1
        there, back = await asyncio.open_connection(self._host, self._port)
        self._writers |= {writer, back}
        try:
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        finally:
            self._writers -= {writer, back}
            back.transport.abort()
            writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except (OSError, RuntimeError):
        writer.transport.abort()


@asynccontextmanager
async def wire_to(target: str) -> AsyncIterator[Wire]:
    """A `Wire` to the Bridge at this URL."""
    wire = Wire(target)
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    wire.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield wire
    finally:
        server.close()
        wire.cut(stay_down=True)
        await server.wait_closed()


class BridgeProcess:
    """`sealroom bridge` in a process of its own, on one port and one SQLite file."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; it may take a moment until it answers."""
        with (self._folder / "bridge.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "sealroom", "bridge", "--host", "127.0.0.1"),
                *("--port", str(self.port), "--database", str(self._folder / "bridge.sqlite3")),
                *("--admin-key-file", str(self._folder / "admin.key")),
                stdout=log,
                stderr=log,
            )

    async def answers(self, seconds: float = 60) -> None:
        """Wait until it takes connections."""
        async with asyncio.timeout(seconds):
            while True:
                assert self._process is not None
                assert self._process.returncode is None, "the Bridge ended by itself"
                try:
                    async with connect(self.url + RPC_PATH, proxy=None):
                        return
                except OSError:
                    await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """End it with SIGKILL."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def register(self, **users: Identity) -> str:
        """Make a context with these users and return its id."""
        file = self._folder / "admin.key"
        async with asyncio.timeout(30):
            while not (file.exists() and (key := file.read_text().strip())):
                await asyncio.sleep(0.02)
        async with connect(self.url + RPC_PATH, proxy=None) as opened:
            admin = Client(opened)
            await admin.call("auth.admin", api_key=key)
            context = await admin.call("admin.context_create", title="outages")
            for user_id, identity in users.items():
                await admin.call(
                    "admin.user_add",
                    context_id=context.context_id,
                    user_id=user_id,
                    identity=identity.public.encode(),
                )
            await admin.close()
        return context.context_id
