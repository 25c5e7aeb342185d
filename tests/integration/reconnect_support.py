"""Calls of two, one of them behind a wire that breaks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

from call_support import Call, eventually, open_call
from outage_support import Wire, wire_to

from sealroom.client import Reconnect, StreamApi, StreamSubscription
from sealroom.client.events import ConnectionStateChanged, Event

FAST = Reconnect(first_delay=0.02, max_delay=0.2)

EventT = TypeVar("EventT")


class Log:
    """Every event of an api."""

    def __init__(self, api: StreamApi) -> None:
        self.events: list[Event] = []
        api.add_event_listener(self.events.append)

    def of(self, *kinds: type[EventT]) -> list[EventT]:
        return [one for one in self.events if isinstance(one, kinds)]

    def states(self) -> list[str]:
        return [one.state for one in self.events if isinstance(one, ConnectionStateChanged)]

    async def reaches(self, state: str) -> None:
        await eventually(lambda: state in self.states(), seconds=20)


@asynccontextmanager
async def wired(session_timeout: float) -> AsyncIterator[tuple[Call, Wire, Log, Log]]:
    """A call of alice, and of bob who is behind a wire."""
    async with (
        open_call("alice", session_timeout=session_timeout) as call,
        wire_to(call.bridge.url) as wire,
    ):
        call.reconnect = FAST
        honest, call.bridge.url = call.bridge.url, wire.url
        bob = await call.add("bob")
        call.bridge.url = honest
        await call.apis["alice"].update_stream_room(call.room_id, users=["bob"])
        await bob.join_stream_room(call.room_id)
        await eventually(lambda: len(call.apis["alice"].list_participants(call.room_id)) == 2)
        yield call, wire, Log(call.apis["alice"]), Log(bob)


async def subscribe_to(api: StreamApi, room_id: str, stream_id: str) -> None:
    async def is_there() -> bool:
        return stream_id in {one.stream_id for one in await api.list_streams(room_id)}

    await eventually(is_there)
    await api.subscribe_to_remote_streams(room_id, [StreamSubscription(stream_id)])
