"""A Bridge that shows what was before to a client that left a room and joined it again.

And what it goes on showing of a member whose key is another one now, or shows that is no text.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from call_support import Call, eventually, open_call, publish
from reconnect_support import Log

from sealroom.client import UserIdentity
from sealroom.client.events import (
    CustomEvent,
    CustomEventRefused,
    RoomExcluded,
    RoomLost,
    StreamPublished,
    StreamRefused,
    StreamUnpublished,
)
from sealroom.crypto.errors import EventReplayError, StreamReplayError
from sealroom.identity import CallbackVerifier, Identity
from sealroom.protocol import (
    Empty,
    EventEnvelope,
    EventType,
    ParticipantsResult,
    RoomParams,
    SignedObject,
    StreamListResult,
    StreamView,
)

replace = msgspec.structs.replace


@pytest_asyncio.fixture
async def call() -> AsyncIterator[Call]:
    async with open_call("alice", "bob") as one:
        yield one


class Liar:
    """Stands between a connection and the rest of its client, in place of two of its methods."""

    def __init__(self, call: Call, user_id: str) -> None:
        self.connection = call.connections[user_id]
        self.events: list[EventEnvelope] = []
        self.lies: dict[str, Callable[[Any], Any]] = {}
        self.is_silent_about: set[EventType] = set()
        self._honest_call, self._pass_on = self.connection.call, self.connection._pass_on
        self.connection.call = self._call  # type: ignore[method-assign]
        self.connection._pass_on = self._filter  # type: ignore[method-assign]

    async def _call(self, method: str, params: Any, result: Any) -> Any:
        answer = await self._honest_call(method, params, result)
        return self.lies.get(method, lambda one: one)(answer)

    def _filter(self, envelope: EventEnvelope) -> None:
        self.events.append(envelope)
        if envelope.type not in self.is_silent_about:
            self._pass_on(envelope)

    async def sees(self, kind: EventType) -> EventEnvelope:
        found: list[EventEnvelope] = []

        def has_come() -> bool:
            found[:] = [one for one in self.events if one.type is kind]
            return found != []

        await eventually(has_come)
        return found[-1]

    def show(self, envelope: EventEnvelope) -> None:
        self._pass_on(envelope)


async def leave(call: Call, log: Log, liar: Liar) -> None:
    await call.apis["bob"].leave_stream_room(call.room_id)


async def be_thrown_out(call: Call, log: Log, liar: Liar) -> None:
    participant_id = call.apis["bob"]._session(call.room_id).participant_id
    await call.apis["alice"].kick_participant(call.room_id, participant_id)
    await eventually(lambda: log.of(RoomExcluded) != [])


async def lose_it(call: Call, log: Log, liar: Liar) -> None:
    """The Bridge says that events were lost, and that bob is out of the room."""
    liar.lies["room.participants"] = lambda _: ParticipantsResult(participants=[])
    await call.apis["bob"]._inbox._read_again(liar.connection)
    del liar.lies["room.participants"]
    assert log.of(RoomLost) != []
    await liar.connection.call("room.leave", RoomParams(room_id=call.room_id), Empty)


@pytest.mark.parametrize("way_out", [leave, be_thrown_out, lose_it])
async def test_what_came_before_bob_left_is_refused_when_he_is_back(
    call: Call, way_out: Callable[[Call, Log, Liar], Awaitable[None]]
) -> None:
    api, log, liar = call.apis["bob"], Log(call.apis["bob"]), Liar(call, "bob")
    stream = await publish(call.apis["alice"], call.room_id)
    published = await liar.sees(EventType.STREAM_PUBLISHED)
    await stream.unpublish()
    await eventually(lambda: log.of(StreamUnpublished) != [])
    await call.apis["alice"].send_custom_event(call.room_id, b"once")
    custom = await liar.sees(EventType.ROOM_CUSTOM)
    await eventually(lambda: len(log.of(CustomEvent)) == 1)
    await way_out(call, log, liar)
    view = msgspec.json.decode(published.data, type=StreamView)
    liar.lies["room.join"] = lambda joined: replace(joined, streams=[*joined.streams, view])
    await api.join_stream_room(call.room_id)
    liar.show(custom)
    await eventually(lambda: log.of(CustomEventRefused) != [])
    assert [type(one.error) for one in log.of(CustomEventRefused)] == [EventReplayError]
    assert [type(one.error) for one in log.of(StreamRefused)] == [StreamReplayError]
    assert len(log.of(StreamPublished)) == len(log.of(CustomEvent)) == 1
    assert await api.list_streams(call.room_id) == []


async def test_what_bob_published_himself_is_not_shown_to_him_again(call: Call) -> None:
    api, log, liar = call.apis["bob"], Log(call.apis["bob"]), Liar(call, "bob")
    others = Liar(call, "alice")
    await publish(api, call.room_id)
    published = await others.sees(EventType.STREAM_PUBLISHED)
    await api.leave_stream_room(call.room_id)
    view = msgspec.json.decode(published.data, type=StreamView)
    liar.lies["room.join"] = lambda joined: replace(joined, streams=[view])
    await api.join_stream_room(call.room_id)
    assert [type(one.error) for one in log.of(StreamRefused)] == [StreamReplayError]
    assert await api.list_streams(call.room_id) == []


async def test_who_comes_back_sees_what_is_still_there(call: Call) -> None:
    """And what was published while he was away."""
    api, log = call.apis["bob"], Log(call.apis["bob"])
    stream = await publish(call.apis["alice"], call.room_id)
    await call.sees("bob", stream)
    for _ in range(3):
        await api.leave_stream_room(call.room_id)
        await api.join_stream_room(call.room_id)
        assert [one.stream_id for one in await api.list_streams(call.room_id)] == [stream.stream_id]
    await api.leave_stream_room(call.room_id)
    await stream.unpublish()
    other = await publish(call.apis["alice"], call.room_id)
    await api.join_stream_room(call.room_id)
    assert [one.stream_id for one in await api.list_streams(call.room_id)] == [other.stream_id]
    assert log.of(StreamRefused) == []


async def test_a_stream_under_a_key_that_its_publisher_has_no_more_ends() -> None:
    """Bob has another key by now; whoever has the old one is no member."""
    async with open_call("alice", "bob", "carol") as call:
        for connection in call.connections.values():
            connection.trust = CallbackVerifier(lambda _, __: True)
        log, liar = Log(call.apis["carol"]), Liar(call, "carol")
        liar.is_silent_about.add(EventType.STREAM_UNPUBLISHED)
        stream = await publish(call.apis["bob"], call.room_id)
        await call.sees("carol", stream)
        other = await publish(call.apis["alice"], call.room_id)
        await call.sees("carol", other)
        anew = Identity.generate()
        await call.bridge.admin.user_set_identity(call.context_id, "bob", anew.public)
        await liar.sees(EventType.STREAM_UNPUBLISHED)
        assert len(await call.apis["carol"].list_streams(call.room_id)) == 2
        await call.apis["alice"].update_stream_room(
            call.room_id, users=[UserIdentity("bob", anew.public), "carol"]
        )
        await eventually(lambda: log.of(StreamUnpublished) != [])
        assert [one.stream_id for one in log.of(StreamUnpublished)] == [stream.stream_id]
        left = await call.apis["carol"].list_streams(call.room_id)
        assert [one.stream_id for one in left] == [other.stream_id]


async def test_an_announcement_that_is_no_text_is_refused_and_the_rest_goes_on(call: Call) -> None:
    """A member signed it; the Bridge lists it where events were lost, and where bob joins."""
    api, log, liar = call.apis["bob"], Log(call.apis["bob"]), Liar(call, "bob")
    stream = await publish(call.apis["alice"], call.room_id)
    await call.sees("bob", stream)
    alice, payload = call.identities["alice"], b'{"context_id":"\xff"}'
    bad = SignedObject(
        type="stream-announcement",
        payload=payload,
        signature=alice.sign("stream-announcement", payload),
        author="alice",
    )

    def spoil(listed: StreamListResult) -> StreamListResult:
        [view] = listed.streams
        odd = replace(view, stream_id="odd", announcement=bad)
        return replace(listed, streams=[odd, replace(view, announcement=bad)])

    liar.lies["stream.list"] = spoil
    await api._inbox._read_again(liar.connection)
    assert [one.stream_id for one in log.of(StreamUnpublished)] == [stream.stream_id]
    assert {one.stream_id for one in log.of(StreamRefused)} == {"odd", stream.stream_id}
    await api.leave_stream_room(call.room_id)
    liar.lies["room.join"] = spoil
    await api.join_stream_room(call.room_id)
    assert await api.list_streams(call.room_id) == []
