"""Fan-out of one event to many sessions, for `rooms.py`.

The sessions are bare sockets of the protocol (`RpcSocket`: logged in, subscribed to one room's
events, no `StreamApi`, no pings), all of one member, in a process of their own, so that what they
take is not the Bridge's. An event is the closing or reopening of an empty room by a client in the
Bridge's process. Its time runs from that call, so the change in the database is in it, until the
last session has decoded it; the clock is the machine's, the same in both processes.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import secrets
import statistics
import time
from multiprocessing.connection import Connection as Pipe

from websockets.asyncio.client import connect

from sealroom.bridge.server import RunningBridge
from sealroom.client import StreamApi
from sealroom.client.login import Credentials
from sealroom.client.rpc_socket import RpcSocket
from sealroom.identity import Identity
from sealroom.protocol import MAX_MESSAGE_BYTES, EventEnvelope, EventSubscribeParams, EventType

AT_ONCE = 50  # sessions that log in
WAIT_SECONDS = 40  # for all to be logged in, and for one event


class _Receivers:
    """Counts events and tells when the last session has one."""

    def __init__(self, sessions: int, pipe: Pipe) -> None:
        self._sessions = sessions
        self._pipe = pipe
        self._count = 0

    def event(self, _envelope: EventEnvelope) -> None:
        self._count += 1
        if self._count == self._sessions:
            self._count = 0
            self._pipe.send(time.monotonic())


async def _log_in(
    url: str, credentials: Credentials, room_id: str, receivers: _Receivers, gate: asyncio.Semaphore
) -> RpcSocket:
    async with gate:
        raw = await connect(
            url, max_size=MAX_MESSAGE_BYTES, compression=None, ping_interval=None, proxy=None
        )
        socket = RpcSocket(
            raw, timeout=30, on_event=receivers.event, on_closed=lambda _socket, _closure: None
        )
        await credentials.log_in(socket)
        types = [EventType.ROOM_CLOSED, EventType.ROOM_REOPENED]
        params = EventSubscribeParams(types=types, scope="room", scope_id=room_id)
        await socket.request("events.subscribe", params)
        return socket


async def _receive_all(
    url: str, seed: bytes, user_id: str, context_id: str, room_id: str, sessions: int, pipe: Pipe
) -> None:
    credentials = Credentials(Identity.from_seed(seed), user_id, context_id)
    receivers, gate = _Receivers(sessions, pipe), asyncio.Semaphore(AT_ONCE)
    sockets = await asyncio.gather(
        *(_log_in(url, credentials, room_id, receivers, gate) for _ in range(sessions))
    )
    cpu = time.process_time()
    pipe.send(time.monotonic())
    await asyncio.to_thread(pipe.recv)  # the end
    pipe.send(time.process_time() - cpu)
    await asyncio.gather(*(one.close() for one in sockets))


def receive_all(
    url: str, seed: bytes, user_id: str, context_id: str, room_id: str, sessions: int, pipe: Pipe
) -> None:
    """The other process."""
    asyncio.run(_receive_all(url, seed, user_id, context_id, room_id, sessions, pipe))


def _next(pipe: Pipe) -> float:
    if not pipe.poll(WAIT_SECONDS):
        raise TimeoutError(f"the receivers said nothing for {WAIT_SECONDS} s")
    return float(pipe.recv())


async def measure_fan_out(
    bridge: RunningBridge, api: StreamApi, context_id: str, room_id: str, sessions: int, events: int
) -> list[tuple[str, str]]:
    """Close and reopen a room before `sessions` receivers, whose user it makes: "watcher".

    `api` is of a manager of the room, which nobody has joined.
    """
    seed = secrets.token_bytes(32)
    await bridge.admin.user_add(context_id, "watcher", Identity.from_seed(seed).public)
    users = (await api.get_stream_room(room_id)).users
    await api.update_stream_room(room_id, users=[*users, "watcher"])
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=receive_all,
        args=(bridge.rpc_url, seed, "watcher", context_id, room_id, sessions, theirs),
        daemon=True,
    )
    process.start()
    theirs.close()
    try:
        began = time.monotonic()
        logged_in = await asyncio.to_thread(_next, ours) - began
        took, cpus = [], []
        for number in range(events):
            change = api.reopen_stream_room if number % 2 else api.close_stream_room
            cpu, began = time.process_time(), time.monotonic()
            await change(room_id)
            took.append(await asyncio.to_thread(_next, ours) - began)
            cpus.append(time.process_time() - cpu)
        ours.send("end")
        receivers_cpu = await asyncio.to_thread(_next, ours) / events
        await asyncio.to_thread(process.join, 15)
    finally:
        if process.is_alive():
            process.kill()
            process.join()
    median = statistics.median(took)
    title = f"one event to {sessions} sessions"
    return [
        (f"{title}: to the last, ms (slowest)", f"{median * 1e3:.0f} ({max(took) * 1e3:.0f})"),
        (f"{title}: deliveries/s", f"{sessions / median:.0f}"),
        (
            f"{title}: CPU of Bridge, of receivers, ms",
            f"{statistics.median(cpus) * 1e3:.0f}, {receivers_cpu * 1e3:.0f}",
        ),
        (f"{sessions} sessions opened and subscribed, s", f"{logged_in:.1f}"),
    ]
