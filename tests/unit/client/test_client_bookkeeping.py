"""Small parts of the client: bounded streams, wanted tracks."""

from __future__ import annotations

import asyncio
import gc
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealroom.client.events import BoundedStream
from sealroom.client.models import StreamSubscription
from sealroom.client.track_outlets import TrackOutlets
from sealroom.client.wanted_tracks import MAX_AWAITED_STREAMS, AwaitedStreams, WantedTracks
from sealroom.crypto.announcement import VerifiedStream
from sealroom.protocol import AnnouncedTrack, StreamAnnouncement


async def read_all(stream: BoundedStream[int]) -> list[int]:
    return [item async for item in stream]


async def test_a_reader_gets_what_was_put_before_and_after() -> None:
    stream: BoundedStream[int] = BoundedStream(4)
    stream.put(1)
    reader = asyncio.create_task(read_all(stream))
    await asyncio.sleep(0)
    stream.put(2)
    stream.close()
    stream.put(3)
    assert await asyncio.wait_for(reader, 1) == [1, 2]


async def test_iterators_over_tracks_that_were_broken_off_are_let_go() -> None:
    def kept() -> int:
        gc.collect()
        return sum(isinstance(one, BoundedStream) for one in gc.get_objects())

    outlets: TrackOutlets[SimpleNamespace] = TrackOutlets("remote tracks")
    there = SimpleNamespace(stream_id="stream")
    before, read_on = kept(), outlets.open_stream([])
    for _ in range(20):
        async for _ in outlets.open_stream([there]):
            break
    for _ in range(5):  # the loop closes them in a task for each
        await asyncio.sleep(0)
    assert kept() == before + 1
    outlets.put(there)
    outlets.close()
    assert [one async for one in read_on] == [there]


async def test_a_slow_reader_loses_the_oldest_and_learns_how_many() -> None:
    stream: BoundedStream[int] = BoundedStream(3)
    for item in range(10):
        stream.put(item)
    stream.close()
    assert stream.take_dropped() == 7
    assert stream.take_dropped() == 0
    assert await read_all(stream) == [7, 8, 9]


async def test_closing_wakes_a_reader_that_waits() -> None:
    stream: BoundedStream[int] = BoundedStream(3)
    reader = asyncio.create_task(read_all(stream))
    await asyncio.sleep(0.01)
    stream.close()
    assert await asyncio.wait_for(reader, 1) == []


TRACKS = ("a", "b", "c")


def verified(stream_id: str) -> VerifiedStream:
    tracks = [AnnouncedTrack(track_id=one, kind="audio", codec="opus") for one in TRACKS]
    announcement = StreamAnnouncement(
        context_id="c", room_id="r", stream_id=stream_id, nonce=bytes(16), epoch=1, tracks=tracks
    )
    return VerifiedStream(stream_id, "p", "bob", bytes(32), announcement)


STREAMS = {stream_id: verified(stream_id) for stream_id in ("s", "t")}
steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove"]),
        st.sampled_from(sorted(STREAMS)),
        st.sampled_from([None, *TRACKS]),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(steps)
def test_what_is_wanted_is_what_was_added_and_not_removed(
    steps: list[tuple[str, str, str | None]],
) -> None:
    wanted, model = WantedTracks(), set[tuple[str, str]]()
    for verb, stream_id, track_id in steps:
        before, expected_before = wanted.copy(), set(model)
        named = {(stream_id, one) for one in TRACKS if track_id in (None, one)}
        subscription = StreamSubscription(stream_id, track_id)
        if verb == "add":
            wanted.add(subscription)
            model |= named
        else:
            wanted.remove(subscription, STREAMS[stream_id])
            model -= named
        for tracks, expected in ((wanted, model), (before, expected_before)):
            for pair in [(s, t) for s in STREAMS for t in TRACKS]:
                assert tracks.wants(*pair) == (pair in expected)


def test_an_unknown_track_of_a_whole_stream_is_wanted_only_if_announced_later() -> None:
    wanted = WantedTracks()
    wanted.add(StreamSubscription("s", "a"))
    assert not wanted.wants("s", "b")
    assert not wanted.wants("another", "a")


@pytest.mark.parametrize("track_id", [None, "a"])
def test_a_stream_that_ended_is_not_wanted_when_its_id_returns(track_id: str | None) -> None:
    wanted = WantedTracks()
    wanted.add(StreamSubscription("s", track_id))
    assert wanted.take("unknown") == []
    assert wanted.take("s") == [StreamSubscription("s", track_id)]
    assert not wanted.wants("s", "a")


def test_streams_that_are_waited_for_are_bounded_and_the_longest_gone_are_forgotten() -> None:
    awaited = AwaitedStreams()
    for number in range(MAX_AWAITED_STREAMS + 10):
        stream = verified(f"s{number}")
        awaited.put(stream, [StreamSubscription(stream.stream_id)])
        assert len(awaited) <= MAX_AWAITED_STREAMS == 256
    assert len(awaited) == MAX_AWAITED_STREAMS
    for number in range(10):
        assert awaited.take(verified(f"s{number}")) == []
    for number in (10, MAX_AWAITED_STREAMS + 9):
        assert awaited.take(verified(f"s{number}")) == [StreamSubscription(f"s{number}")]
    assert len(awaited) == MAX_AWAITED_STREAMS - 2


def test_a_stream_that_ends_again_is_among_the_newest_of_those_waited_for() -> None:
    awaited = AwaitedStreams()
    first = verified("first")
    awaited.put(first, [StreamSubscription("first")])
    awaited.put(verified("second"), [StreamSubscription("second")])
    awaited.put(first, awaited.take(first))
    for number in range(MAX_AWAITED_STREAMS - 1):
        awaited.put(verified(f"s{number}"), [StreamSubscription(f"s{number}")])
    assert awaited.take(verified("second")) == []
    assert awaited.take(first) == [StreamSubscription("first")]


def test_a_stream_put_again_without_being_taken_is_the_newest_too() -> None:
    awaited = AwaitedStreams()
    for stream_id in ("first", "second", "first"):
        awaited.put(verified(stream_id), [StreamSubscription(stream_id)])
    for number in range(MAX_AWAITED_STREAMS - 1):
        awaited.put(verified(f"s{number}"), [StreamSubscription(f"s{number}")])
    assert awaited.take(verified("second")) == []
    assert awaited.take(verified("first")) == [StreamSubscription("first")]


def test_another_users_stream_of_the_same_id_is_not_what_was_waited_for() -> None:
    awaited = AwaitedStreams()
    awaited.put(verified("s"), [StreamSubscription("s")])
    other = VerifiedStream("s", "p2", "mallory", bytes(32), verified("s").announcement)
    assert awaited.take(other) == []
    assert awaited.take(verified("s")) == [StreamSubscription("s")]
