"""A call through coturn with the Bridge's credentials, and nothing but relayed candidates."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from call_support import Call, publish, shows_stripes, take

from sealroom.bridge import Bridge, BridgeConfig, TurnServer
from sealroom.client import StreamApi
from sealroom.client.errors import RequestRefusedError
from sealroom.errors import SealroomError

TURNSERVER = shutil.which("turnserver")
SECRET = "a secret that coturn and the Bridge share"

pytestmark = pytest.mark.skipif(
    TURNSERVER is None, reason="coturn is not installed: apt-get install coturn"
)


@dataclass
class Coturn:
    """A TURN server of this test's own."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path


@pytest.fixture
def coturn(tmp_path: Path) -> Iterator[Coturn]:
    """coturn on a free port of 127.0.0.1, with its own configuration and no database."""
    assert TURNSERVER is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config, log = tmp_path / "turnserver.conf", tmp_path / "turnserver.log"
    config.write_text(
        f"""listening-ip=127.0.0.1
relay-ip=127.0.0.1
listening-port={port}
min-port=49160
max-port=59200
realm=sealroom
use-auth-secret
static-auth-secret={SECRET}
allow-loopback-peers
no-tls
no-dtls
no-cli
no-stdout-log
log-file={log}
simple-log
verbose
pidfile={tmp_path / "turnserver.pid"}
userdb={tmp_path / "turndb"}
"""
    )
    process = subprocess.Popen(
        [TURNSERVER, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until_it_answers(port, process, log)
        yield Coturn(port, process, log)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def wait_until_it_answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Send STUN binding requests until one is answered."""
    request = bytes.fromhex("000100002112a442") + bytes(12)
    deadline = time.monotonic() + 20
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.2)
        probe.connect(("127.0.0.1", port))
        while time.monotonic() < deadline:
            assert process.poll() is None, log.read_text() if log.exists() else "it ended"
            try:
                probe.send(request)
                if probe.recv(2048)[:2] == b"\x01\x01":
                    return
            except OSError:
                time.sleep(0.05)
    raise AssertionError("coturn does not answer")


@asynccontextmanager
async def open_relayed(coturn: Coturn, secret: str) -> AsyncIterator[Call]:
    """Alice and bob in a room; neither has an address of its own to offer."""
    relay = TurnServer(urls=[f"turn:127.0.0.1:{coturn.port}"], secret=secret)
    async with Bridge.embedded(BridgeConfig(turn_servers=[relay], turn_ttl=60.0)) as bridge:
        context = await bridge.admin.context_create("relayed")
        call = Call(bridge, context.context_id)
        try:
            for user_id in ("alice", "bob"):
                await call.add(user_id)
                connection = call.connections[user_id]
                call.apis[user_id] = StreamApi(connection, host_addresses=[])
            call.room_id = await call.apis["alice"].create_stream_room(call.context_id, ["bob"])
            for api in call.apis.values():
                await api.join_stream_room(call.room_id)
            yield call
        finally:
            await call.close()


async def test_a_call_is_relayed_with_credentials_of_the_bridge(coturn: Coturn) -> None:
    async with open_relayed(coturn, SECRET) as call:
        stream = await publish(call.apis["alice"], call.room_id)
        tracks = await call.subscribe("bob", stream)
        assert all(shows_stripes(frame) for frame in await take(tracks["camera"], 20, seconds=30))
        for user_id, half in (("alice", "publishing"), ("bob", "receiving")):
            session = call.apis[user_id]._session(call.room_id)
            one = getattr(session, half)
            peer = (
                (one.publisher or one.subscriber).peer
                if half == "publishing"
                else (one.subscriber.peer)
            )
            connection = peer.transport._path.connection
            assert {one.type for one in connection.local_candidates} == {"relay"}
            assert connection.selected_pair.local_candidate.type == "relay"
        log = coturn.log.read_text()
        assert log.count("CHANNEL_BIND processed, success") >= 2
        assert SECRET not in log


async def test_a_wrong_secret_relays_nothing(coturn: Coturn) -> None:
    async with open_relayed(coturn, SECRET + "?") as call:
        with pytest.raises((SealroomError, RequestRefusedError)):
            async with asyncio.timeout(60):
                await publish(call.apis["alice"], call.room_id)
        assert SECRET not in coturn.log.read_text()
