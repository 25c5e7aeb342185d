"""What stays in doubt after a call was cancelled, or not answered, is settled by the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
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

from sealroom.client import StreamSubscription
from sealroom.client.errors import RequestTimeoutError
from sealroom.client.events import Event, StreamUpdated
from sealroom.client.room_receiving import RoomReceiving
from sealroom.media import transport
from sealroom.media.media_path import MediaPath

pytestmark = pytest.mark.timeout(300)


async def test_a_cancelled_subscription_can_be_repeated_after_another_offer(call: Call) -> None:
    """The Bridge may have taken it: what it then offers must not be answered away for good."""
    alice, bob = call.apis["alice"], call.apis["bob"]
    for steps in steps_until_done():
        room_id = await fresh_room(call)
        stream, other = await publish(alice, room_id), await publish(alice, room_id)
        await call.subscribe("bob", other)
        await call.sees("bob", stream)
        wanted = [StreamSubscription(stream_id=stream.stream_id)]
        was_cancelled = await cancel_after(steps, bob.subscribe_to_remote_streams(room_id, wanted))
        receiving = bob._session(room_id).receiving
        before = receiving._newest_offer
        await other.unpublish()
        await eventually(lambda half=receiving, last=before: half._newest_offer > last)
        await bob.subscribe_to_remote_streams(room_id, wanted)

        def is_alone(half: RoomReceiving = receiving, key: str = stream.stream_id) -> bool:
            return [one.stream_id for one in half.remote_tracks()] == [key]

        await eventually(is_alone)
        assert len(await take(receiving.remote_tracks()[0], 1)) == 1
        await leave(call)
        if not was_cancelled:
            return


@pytest.mark.parametrize("enabled", [False, True])
async def test_a_cancelled_mute_or_unmute_can_be_repeated(call: Call, enabled: bool) -> None:
    alice, bob = call.apis["alice"], call.apis["bob"]
    stream = await bob.create_stream(call.room_id)
    track = await stream.add_track(StripeTrack(), name="camera")
    await stream.publish()
    await call.sees("alice", stream)
    [sent] = sent_by(bob, call.room_id)

    async def is_told(is_enabled: bool) -> bool:
        [seen] = await alice.list_streams(call.room_id)
        return seen.tracks[0].enabled is is_enabled

    for steps in steps_until_done():
        await track.set_enabled(not enabled)
        await eventually(lambda: is_told(not enabled))
        was_cancelled = await cancel_after(steps, track.set_enabled(enabled))
        if was_cancelled:
            assert not sent.is_enabled  # muted at once, or not unmuted
        await track.set_enabled(enabled)
        assert sent.is_enabled is enabled
        await eventually(lambda: is_told(enabled))
        if not was_cancelled:
            return


async def test_a_mute_that_waits_its_turn_when_it_is_cancelled_can_be_repeated(call: Call) -> None:
    alice, bob = call.apis["alice"], call.apis["bob"]
    stream = await bob.create_stream(call.room_id)
    track = await stream.add_track(StripeTrack(), name="camera")
    await stream.publish()
    await call.sees("alice", stream)
    published = bob._session(call.room_id).publishing._published[stream.stream_id]
    for enabled in (False, True):
        async with published.lock:  # as an update holds it
            assert await cancel_after(20, track.set_enabled(enabled))
        await track.set_enabled(enabled)

        async def is_told(enabled: bool = enabled) -> bool:
            [seen] = await alice.list_streams(call.room_id)
            return seen.tracks[0].enabled is enabled

        await eventually(is_told)
        assert sent_by(bob, call.room_id)[0].is_enabled is enabled


async def test_a_title_whose_update_got_lost_can_be_taken_back(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = call.apis["alice"], call.apis["bob"]
    stream = await publish(bob, call.room_id)
    seen: list[Event] = []
    alice.add_event_listener(seen.append)
    connection = call.connections["bob"]
    honest: Callable[..., Awaitable[object]] = connection.call

    async def unanswered(asked: str, *arguments: object) -> object:
        answer = await honest(asked, *arguments)
        if asked == "stream.update":
            raise RequestTimeoutError(f"{asked}: no response")
        return answer

    await stream.set_details(title="new")
    with monkeypatch.context() as broken:
        broken.setattr(connection, "call", unanswered)
        with pytest.raises(RequestTimeoutError):
            await stream.update()
    await stream.set_details(title="")
    await stream.update()

    async def has_no_title() -> bool:
        titles = [one.title for one in await alice.list_streams(call.room_id)]
        return titles == [""] and sum(isinstance(one, StreamUpdated) for one in seen) == 2

    await eventually(has_no_title)


async def test_a_stream_whose_connection_died_after_a_cancelled_publish_can_be_published(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The media server may hold its end of that connection still."""
    bob = call.apis["bob"]
    stream = await bob.create_stream(call.room_id)
    await stream.add_track(StripeTrack(), name="camera")

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    with monkeypatch.context() as broken:
        broken.setattr(transport, "CONNECT_SILENCE", 0.5)
        broken.setattr(MediaPath, "connect", hang)
        publishing = asyncio.create_task(stream.publish())
        session = bob._session(call.room_id)

        def state() -> str | None:
            publisher = session.publishing.publisher
            return None if publisher is None else publisher.peer.state

        await eventually(lambda: state() == "connecting")
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        await eventually(lambda: state() == "failed")
    await stream.publish()
    await call.sees("alice", stream)
    [sent] = sent_by(bob, call.room_id)
    await eventually(lambda: sent.statistics.frames_sent > 0)
