"""What a Bridge does with the events that others relay to it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from sealroom.bridge.exchange import MAX_OVERTAKEN_EVENTS, Exchange
from sealroom.bridge.relay import RelayedEvent
from sealroom.protocol import EventType


class Heard:
    """Stands in for the bus: what it published, and to whom."""

    def __init__(self) -> None:
        self.events: list[tuple[EventType, str, set[str]]] = []

    def publish(self, event: EventType, access: Any, data: Any, **_: Any) -> None:
        self.events.append((event, access.room_id, set(access.members)))

    def drop_room(self, room_id: str) -> None:
        pass

    def users(self) -> list[tuple[str, str]]:
        return []


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def exchange(heard: Heard) -> Exchange:
    """Of a Bridge whose database has no room any more."""

    async def access(room_id: str) -> None:
        return None

    registry = SimpleNamespace(access=access, live={}, forget=lambda room_id: None)
    nothing = cast(Any, None)
    return Exchange(nothing, "here", cast(Any, heard), cast(Any, registry), nothing, nothing)


BODIES: dict[EventType, dict[str, Any]] = {
    EventType.ROOM_CLOSED: {"reason": "closed", "user_id": "alice", "empty_room_ttl": 5.0},
    EventType.ROOM_REOPENED: {"user_id": "alice"},
    EventType.ROOM_DELETED: {"user_id": "alice"},
}


def event(kind: EventType, room_id: str = "room", context_id: str = "context") -> RelayedEvent:
    return RelayedEvent(
        origin="there",
        context_id=context_id,
        room_id=room_id,
        type=kind,
        data=msgspec.Raw(msgspec.json.encode(BODIES[kind])),
        audience={"bob": bytes(32)} if kind is EventType.ROOM_DELETED else None,
    )


async def test_events_that_the_deletion_of_their_room_overtook_come_before_it(
    exchange: Exchange, heard: Heard
) -> None:
    for kind in (EventType.ROOM_CLOSED, EventType.ROOM_REOPENED):
        await exchange.receive(event(kind))
    await exchange.receive(event(EventType.ROOM_REOPENED, context_id="another"))
    assert heard.events == []  # nobody knows who may hear of it
    await exchange.receive(event(EventType.ROOM_DELETED))
    assert heard.events == [
        (EventType.ROOM_CLOSED, "room", {"bob"}),
        (EventType.ROOM_REOPENED, "room", {"bob"}),
        (EventType.ROOM_DELETED, "room", {"bob"}),
    ]
    await exchange.receive(event(EventType.ROOM_DELETED))
    assert len(heard.events) == 4  # once


async def test_they_come_also_where_the_room_lives_whose_upkeep_tells_of_the_deletion(
    exchange: Exchange, heard: Heard
) -> None:
    checked: list[str] = []

    async def check_room(room_id: str) -> None:
        checked.append(room_id)

    await exchange.receive(event(EventType.ROOM_REOPENED))
    exchange._registry.live["room"] = cast(Any, None)
    exchange._upkeep = cast(Any, SimpleNamespace(check_room=check_room))
    await exchange.receive(event(EventType.ROOM_DELETED))
    assert heard.events == [(EventType.ROOM_REOPENED, "room", {"bob"})]
    assert checked == ["room"]


async def test_events_of_rooms_that_there_are_not_are_bounded_and_forgotten_after_a_gap(
    exchange: Exchange, heard: Heard
) -> None:
    await exchange.receive(event(EventType.ROOM_CLOSED))
    for number in range(MAX_OVERTAKEN_EVENTS):
        await exchange.receive(event(EventType.ROOM_CLOSED, f"room {number}"))
    await exchange.receive(event(EventType.ROOM_DELETED))
    assert len(heard.events) == 1
    exchange.gap()
    await exchange.receive(event(EventType.ROOM_DELETED, "room 9"))
    assert len(heard.events) == 2
