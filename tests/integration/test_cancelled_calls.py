"""Calls that are cancelled at any step of the event loop, as by a time limit, and then repeated."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from aiortc.mediastreams import AudioStreamTrack
from call_support import (
    Call,
    StripeTrack,
    eventually,
    fresh_room,
    leave,
    publish,
    sent_by,
    take,
)
from cancel_support import cancel_after, steps_until_done

from sealroom.client import StreamApi, StreamSubscription
from sealroom.client.errors import NotJoinedError, RequestTimeoutError, StreamStateError

pytestmark = pytest.mark.timeout(300)


async def sees_nobodys_stream(api: StreamApi, room_id: str) -> bool:
    return await api.list_streams(room_id) == []


async def test_a_cancelled_leave_sends_no_more_and_the_room_can_be_joined_again(call: Call) -> None:
    alice, bob = call.apis["alice"], call.apis["bob"]
    for steps in steps_until_done():
        room_id = await fresh_room(call)
        await publish(bob, room_id, audio=True)
        tracks = sent_by(bob, room_id)
        assert len(tracks) == 2
        was_cancelled = await cancel_after(steps, bob.leave_stream_room(room_id))
        await asyncio.sleep(0)
        assert not any(one.is_running for one in tracks)
        await bob.join_stream_room(room_id)
        await eventually(lambda room_id=room_id: sees_nobodys_stream(alice, room_id))
        await leave(call)
        if not was_cancelled:
            return


async def test_a_cancelled_unpublish_sends_no_more_and_goes_on_to_its_end(call: Call) -> None:
    alice, bob = call.apis["alice"], call.apis["bob"]
    for steps in steps_until_done():
        room_id = await fresh_room(call)
        stream = await publish(bob, room_id, audio=True)
        tracks = sent_by(bob, room_id)
        await call.sees("alice", stream)
        was_cancelled = await cancel_after(steps, stream.unpublish())
        await asyncio.sleep(0)
        assert not any(one.is_running for one in tracks)
        with contextlib.suppress(StreamStateError):  # its handle is dead, if it is done by now
            await stream.unpublish()
        assert await bob.list_streams(room_id) == []
        assert sent_by(bob, room_id) == []
        await eventually(lambda room_id=room_id: sees_nobodys_stream(alice, room_id))
        await leave(call)
        if not was_cancelled:
            return


async def test_a_cancelled_publish_leaves_nothing_and_can_be_repeated(call: Call) -> None:
    alice, bob = call.apis["alice"], call.apis["bob"]
    for steps in steps_until_done():
        room_id = await fresh_room(call)
        stream = await bob.create_stream(room_id)
        await stream.add_track(StripeTrack(), name="camera")
        was_cancelled = await cancel_after(steps, stream.publish())
        if was_cancelled:
            assert await bob.list_streams(room_id) == []
            await stream.publish()
        await call.sees("alice", stream)
        assert [one.stream_id for one in await alice.list_streams(room_id)] == [stream.stream_id]
        [track] = sent_by(bob, room_id)
        await eventually(lambda track=track: track.statistics.frames_sent > 0)
        await leave(call)
        if not was_cancelled:
            return


async def test_a_cancelled_subscription_can_be_repeated(call: Call) -> None:
    alice, bob = call.apis["alice"], call.apis["bob"]
    for steps in steps_until_done():
        room_id = await fresh_room(call)
        stream = await publish(alice, room_id)
        await call.sees("bob", stream)
        found = bob.remote_tracks(room_id)
        wanted = [StreamSubscription(stream_id=stream.stream_id)]
        was_cancelled = await cancel_after(steps, bob.subscribe_to_remote_streams(room_id, wanted))
        if was_cancelled:
            await bob.subscribe_to_remote_streams(room_id, wanted)
        async with asyncio.timeout(10):
            remote = await anext(found)
        assert len(await take(remote, 1)) == 1
        await leave(call)
        if not was_cancelled:
            return


async def test_a_cancelled_update_is_done_or_ends_the_stream_which_begins_anew(call: Call) -> None:
    alice, bob = call.apis["alice"], call.apis["bob"]
    for steps in steps_until_done():
        room_id = await fresh_room(call)
        stream = await publish(bob, room_id)
        await stream.add_track(AudioStreamTrack(), name="microphone")
        was_cancelled = await cancel_after(steps, stream.update())
        try:
            await stream.update()
        except StreamStateError:
            assert await bob.list_streams(room_id) == []
            await stream.publish()
        assert len(sent_by(bob, room_id)) == 2

        async def sees_both(room_id: str = room_id) -> bool:
            return [len(one.tracks) for one in await alice.list_streams(room_id)] == [2]

        await eventually(sees_both)
        await leave(call)
        if not was_cancelled:
            return


async def test_an_unpublish_sends_no_more_while_another_stream_is_on_its_way_out(
    call: Call,
) -> None:
    bob = call.apis["bob"]
    stream = await publish(bob, call.room_id)
    [track] = sent_by(bob, call.room_id)
    publisher = bob._session(call.room_id).publishing.publisher
    assert publisher is not None
    async with publisher._lock:  # as `Publisher.change` holds it for as long as the Bridge takes
        unpublishing = asyncio.create_task(stream.unpublish())
        for _ in range(3):
            await asyncio.sleep(0)
        assert not track.is_running
    await unpublishing


@pytest.mark.parametrize("how", ["close_stream_room", "delete_stream_room", "delete_stream_rooms"])
async def test_a_room_whose_end_is_cancelled_by_who_ends_it_ends_for_him_too(
    call: Call, how: str
) -> None:
    """The Bridge tells everybody but the one who did it."""
    alice = call.apis["alice"]
    for steps in steps_until_done():
        room_id = await alice.create_stream_room(call.context_id, [])
        await alice.join_stream_room(room_id)
        end = getattr(alice, how)([room_id] if how.endswith("s") else room_id)
        was_cancelled = await cancel_after(steps, end)
        await eventually(lambda key=room_id: key not in alice._joined)
        with pytest.raises(NotJoinedError):
            alice.list_participants(room_id)
        if not was_cancelled:
            return


async def test_a_cancelled_close_of_the_api_sends_no_more_and_goes_on_to_its_end(
    call: Call,
) -> None:
    alice, bob = call.apis["alice"], call.apis["bob"]
    await publish(bob, call.room_id, audio=True)
    tracks = sent_by(bob, call.room_id)
    assert await cancel_after(1, bob.close())
    await asyncio.sleep(0)
    assert not any(one.is_running for one in tracks)
    await eventually(lambda: len(alice.list_participants(call.room_id)) == 1)
    await bob.close()


def lose(call: Call, user_id: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests of this method get lost on their way."""
    connection = call.connections[user_id]
    honest: Callable[..., Awaitable[object]] = connection.call

    async def send(asked: str, *arguments: object) -> object:
        if asked == method:
            raise RequestTimeoutError(f"{asked}: no response")
        return await honest(asked, *arguments)

    monkeypatch.setattr(connection, "call", send)


async def test_a_room_whose_leave_got_lost_is_left_and_can_be_joined_again(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = call.apis["bob"]
    with monkeypatch.context() as broken:
        lose(call, "bob", "room.leave", broken)
        with pytest.raises(RequestTimeoutError):
            await bob.leave_stream_room(call.room_id)
    with pytest.raises(NotJoinedError):
        await bob.leave_stream_room(call.room_id)
    await bob.join_stream_room(call.room_id)


async def test_an_unpublish_that_got_lost_can_be_repeated(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = call.apis["alice"], call.apis["bob"]
    stream = await publish(bob, call.room_id)
    await call.sees("alice", stream)
    with monkeypatch.context() as broken:
        lose(call, "bob", "stream.unpublish", broken)
        with pytest.raises(RequestTimeoutError):
            await stream.unpublish()
    assert len(await alice.list_streams(call.room_id)) == 1
    await stream.unpublish()
    await eventually(lambda: sees_nobodys_stream(alice, call.room_id))
    with pytest.raises(StreamStateError, match="dead"):
        await stream.unpublish()


async def test_an_api_closes_all_its_rooms_though_the_bridge_does_not_answer(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob, tracks = call.apis["bob"], []
    for room_id in (call.room_id, await fresh_room(call)):
        await publish(bob, room_id)
        tracks += sent_by(bob, room_id)
    lose(call, "bob", "room.leave", monkeypatch)
    await bob.close()
    assert not any(one.is_running for one in tracks)
