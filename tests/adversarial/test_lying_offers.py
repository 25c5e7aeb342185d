"""A media server whose offers leave data tracks out, which nobody unsubscribed from.

The Bridge is a real one; it takes a subscription back, or holds its events back, and offers anew.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from call_support import Call, eventually, open_call
from data_support import data_track, publish_data, received, record, subscribe_data

from sealroom.client import DataTrackHandle, RemoteDataTrack, StreamSubscription
from sealroom.client import data_receiving as receiving_module
from sealroom.client.errors import DataTrackCutError
from sealroom.client.events import (
    DataRejected,
    DataTrackCut,
    StreamRefused,
    StreamUnpublished,
)
from sealroom.client.handles import StreamHandle
from sealroom.crypto.data_errors import DataGapError

SOON = 0.5


@pytest_asyncio.fixture
async def call() -> AsyncIterator[Call]:
    async with open_call("alice", "bob") as one:
        yield one


class Offers:
    """What the media server offers to bob, who does not ask for it."""

    def __init__(self, call: Call) -> None:
        self.call = call
        core: Any = call.bridge.bridge._core
        # The bound method tells the service, which nothing else names from outside.
        self._subscriptions = core.dispatcher._methods.user["subscription.update"].__self__
        [room] = self._subscriptions._registry.live.values()
        [self.participant] = [
            one for one in room.participants.values() if one.session.user_id == "bob"
        ]
        self._taken: dict[Any, None] = {}

    async def leave_out_everything(self) -> None:
        self._taken = dict(self.participant.wanted)
        await self._offer({})

    async def offer_again(self) -> None:
        await self._offer(self._taken)

    async def _offer(self, wanted: dict[Any, None]) -> None:
        before = self.participant.offer_id
        self.participant.whole.clear()
        self.participant.wanted = wanted
        self.participant.stale = True
        self._subscriptions.refresh([self.participant])
        await eventually(lambda: self.participant.offer_id > before and self.participant.answered)


class Reader:
    """Reads all data tracks that bob gets."""

    def __init__(self, call: Call) -> None:
        self.items: list[int | Exception | str] = []
        api = call.apis["bob"]
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = api.add_remote_data_track_listener(call.room_id, self._begin)

    def _begin(self, track: RemoteDataTrack) -> None:
        self._tasks.add(asyncio.create_task(self._read(track)))

    async def _read(self, track: RemoteDataTrack) -> None:
        while True:
            try:
                async for message in track.messages():
                    self.items.append(message.sequence)
            except DataGapError as gap:
                self.items.append(gap)
            except DataTrackCutError as error:
                self.items.append(error)
                return
            else:
                self.items.append("ended")
                return

    def of(self, kind: type) -> list[Any]:
        return [one for one in self.items if isinstance(one, kind)]

    @property
    def gaps(self) -> list[tuple[int, int]]:
        return [(one.first, one.count) for one in self.of(DataGapError)]

    async def close(self) -> None:
        self._stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest_asyncio.fixture
async def reader(call: Call) -> AsyncIterator[Reader]:
    one = Reader(call)
    yield one
    await one.close()


async def begin(call: Call) -> tuple[StreamHandle, DataTrackHandle, Offers]:
    """Bob receives a data track, of which message 0 has come."""
    stream, data = await publish_data(call, "alice")
    remote = await subscribe_data(call, "bob", stream)
    await data.send(b"0")
    await received(remote, 1)
    return stream, data, Offers(call)


async def send_unseen(call: Call, data: DataTrackHandle, count: int) -> None:
    """Messages that the media server forwards to nobody."""
    forwarding: Any = call.bridge.media._data
    before = forwarding.messages_received
    for _ in range(count):
        await data.send(b"unseen")
    await eventually(lambda: forwarding.messages_received == before + count)


async def test_messages_withheld_between_two_offers_are_a_gap(call: Call, reader: Reader) -> None:
    _, data, offers = await begin(call)
    events = record(call, "bob", DataRejected)
    await offers.leave_out_everything()
    await send_unseen(call, data, 2)
    await offers.offer_again()
    await data.send(b"3")
    await eventually(lambda: 3 in reader.items)
    assert reader.gaps == [(1, 2)]
    assert [one for one in reader.items if isinstance(one, int)] == [0, 3]
    assert [(one.reason, one.count) for one in events] == [("data_gap", 2)]
    assert reader.of(DataTrackCutError) == []


async def test_a_track_that_is_offered_no_more_is_cut_and_what_is_missing_told_when_it_returns(
    call: Call, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving_module, "EXPLANATION_TIMEOUT", SOON)
    stream, data, offers = await begin(call)
    cuts = record(call, "bob", DataTrackCut)
    await offers.leave_out_everything()
    await send_unseen(call, data, 2)
    await eventually(lambda: reader.of(DataTrackCutError) != [])
    assert [(one.stream_id, one.reason) for one in cuts] == [
        (stream.stream_id, "the media server offers the track no more")
    ]
    await offers.offer_again()
    await data.send(b"3")
    await eventually(lambda: 3 in reader.items)
    assert reader.gaps == [(1, 2)]
    assert len(cuts) == 1


async def test_an_older_offer_that_comes_late_takes_no_track_away(
    call: Call, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An honest media server's, made before bob subscribed, and slower than the reply to that."""
    monkeypatch.setattr(receiving_module, "EXPLANATION_TIMEOUT", SOON)
    stream, data, _ = await begin(call)
    api, room_id = call.apis["bob"], call.room_id
    session = api._session(room_id)
    selection = [StreamSubscription(stream.stream_id)]
    offers: list[Any] = []
    honest = session.receiving.media_offered

    async def keep(offer: Any) -> None:
        offers.append(offer)

    monkeypatch.setattr(session.receiving, "media_offered", keep)
    one = Offers(call)
    one.participant.whole.clear()
    one.participant.wanted, one.participant.stale = {}, True
    one._subscriptions.refresh([one.participant])
    await eventually(lambda: offers != [])
    await api.subscribe_to_remote_streams(room_id, selection)
    await eventually(lambda: one.participant.answered)
    await honest(offers[0])
    await data.send(b"1")
    await eventually(lambda: 1 in reader.items)
    await asyncio.sleep(2 * SOON)
    assert reader.items == [0, 1]


# What is no lie


@pytest.mark.parametrize("is_held_back", [False, True])
@pytest.mark.parametrize("what", ["track", "stream"])
async def test_what_its_publisher_ends_is_not_cut(
    call: Call,
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    is_held_back: bool,
) -> None:
    """Also if the offer is faster than the event about it."""
    monkeypatch.setattr(receiving_module, "EXPLANATION_TIMEOUT", SOON)
    stream, data, _ = await begin(call)
    other, _ = await publish_data(call, "alice")
    await call.sees("bob", other)
    api = call.apis["bob"]
    wrong = record(call, "bob", DataTrackCut, StreamRefused)
    ended = record(call, "bob", StreamUnpublished)

    async def end() -> None:
        if what == "stream":
            await stream.unpublish()
        else:
            await data.remove()
            await stream.update()

    if is_held_back:
        async with api._inbox.paused():
            await end()
            selection = [StreamSubscription(other.stream_id)]
            await api.subscribe_to_remote_streams(call.room_id, selection)
            await eventually(lambda: "ended" in reader.items)
            await asyncio.sleep(2 * SOON)
    else:
        await end()
        await eventually(lambda: "ended" in reader.items)
        await asyncio.sleep(2 * SOON)
    await asyncio.sleep(SOON)
    assert reader.items == [0, "ended"]
    assert wrong == []
    assert len(ended) == (what == "stream")
    if is_held_back:
        assert not data_track(call, "bob", other).has_ended


async def test_what_the_application_unsubscribes_from_is_not_cut_and_misses_nothing(
    call: Call, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving_module, "EXPLANATION_TIMEOUT", SOON)
    stream, data, offers = await begin(call)
    events = record(call, "bob", DataTrackCut, DataRejected)
    api, selection = call.apis["bob"], [StreamSubscription(stream.stream_id)]
    await api.unsubscribe_from_remote_streams(call.room_id, selection)
    await eventually(lambda: reader.items == [0, "ended"])
    await send_unseen(call, data, 2)
    again = await subscribe_data(call, "bob", stream)
    await data.send(b"3")
    await received(again, 1)
    # Nor where the media server had left it out before.
    await offers.leave_out_everything()
    await api.unsubscribe_from_remote_streams(call.room_id, selection)
    assert again.has_ended
    await asyncio.sleep(2 * SOON)
    assert reader.items == [0, "ended", 3, "ended"]
    assert events == []


async def test_who_removes_and_adds_at_once_goes_on(call: Call, reader: Reader) -> None:
    stream, data, _ = await begin(call)
    selection = [StreamSubscription(stream.stream_id)]
    await call.apis["bob"].modify_remote_streams_subscriptions(
        call.room_id, add=selection, remove=selection
    )
    await data.send(b"1")
    await eventually(lambda: reader.items == [0, 1])


async def test_a_track_the_bridge_says_was_cut_is_told_once(
    call: Call, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The offer is faster than the word of the cut."""
    monkeypatch.setattr(receiving_module, "EXPLANATION_TIMEOUT", SOON)
    stream, _, _ = await begin(call)
    other, _ = await publish_data(call, "alice")
    await call.sees("bob", other)
    api = call.apis["bob"]
    cuts = record(call, "bob", DataTrackCut)
    forwarding: Any = call.bridge.media._data
    async with api._inbox.paused():
        [ref] = [one for one in forwarding._producers if one.stream_id == stream.stream_id]
        [participant_id] = forwarding._producers[ref].consumers
        forwarding._cut(participant_id, ref)
        await api.subscribe_to_remote_streams(call.room_id, [StreamSubscription(other.stream_id)])
    await eventually(lambda: cuts != [])
    await asyncio.sleep(2 * SOON)
    assert len(cuts) == 1
    assert "too slowly" in cuts[0].reason
    assert len(reader.of(DataTrackCutError)) == 1
