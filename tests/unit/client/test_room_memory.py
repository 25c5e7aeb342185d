"""What stays known of rooms, and how much of it."""

from __future__ import annotations

from sealroom.client.room_memory import (
    MAX_ENDED_STREAMS,
    MAX_LEFT_ROOMS,
    MAX_SEEN_EVENTS,
    NewestItems,
    RoomMemories,
    RoomMemory,
)


def test_the_oldest_items_are_forgotten_first() -> None:
    items: NewestItems[str] = NewestItems(3)
    for one in ("a", "b", "c", "a", "d"):
        items.put(one)
    assert len(items) == 3
    assert [one for one in "abcd" if one in items] == ["a", "c", "d"]


def test_a_room_keeps_as_much_as_is_documented() -> None:
    memory = RoomMemory()
    for number in range(MAX_ENDED_STREAMS + 1):
        memory.ended_streams.put(number.to_bytes(16, "big"))
    for number in range(MAX_SEEN_EVENTS + 1):
        memory.seen_events.put(str(number))
    assert (MAX_ENDED_STREAMS, MAX_SEEN_EVENTS) == (10_000, 10_000)
    assert len(memory.ended_streams) == len(memory.seen_events) == 10_000
    assert bytes(16) not in memory.ended_streams
    assert "0" not in memory.seen_events
    assert "1" in memory.seen_events


def test_rooms_that_were_left_are_remembered_and_those_joined_longest_ago_forgotten() -> None:
    joined: set[str] = set()
    memories = RoomMemories(joined)
    first = memories.of("first")
    assert memories.of("first") is first
    for number in range(MAX_LEFT_ROOMS - 1):
        memories.of(str(number))
    assert memories.of("first") is first
    memories.of("one more")
    assert memories.of("first") is first
    memories.of("and one more")
    assert len(memories) == MAX_LEFT_ROOMS + 1  # with the one that is about to be joined
    kept = memories.of("2")
    zero = memories.of("0")
    assert memories.of("2") is kept
    assert not zero.seen_events


def test_a_room_that_is_joined_is_never_forgotten() -> None:
    joined = {"joined"}
    memories = RoomMemories(joined)
    memory = memories.of("joined")
    for number in range(3 * MAX_LEFT_ROOMS):
        memories.of(str(number))
    assert memories.of("joined") is memory
