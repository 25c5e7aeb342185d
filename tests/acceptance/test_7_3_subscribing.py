"""Acceptance 7.3: subscribing (docs/acceptance.md)."""

from __future__ import annotations

import pytest
from client_support import ClientWorld, EventLog, publish

from sealroom.client import StreamApi, StreamSubscription
from sealroom.client.errors import NotJoinedError
from sealroom.client.events import StreamUnpublished
from sealroom.client.handles import StreamHandle
from sealroom.crypto.errors import TrackMismatchError
from sealroom.errors import InvalidArgumentError


async def watched(clients: ClientWorld) -> tuple[str, StreamApi, StreamHandle]:
    """A room where alice publishes and bob has joined."""
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice)
    await alice.join_stream_room(room_id)
    stream = await publish(alice, room_id)
    await bob.join_stream_room(room_id)
    return room_id, bob, stream


def received(bob: StreamApi, room_id: str) -> set[str]:
    tracks = bob._session(room_id).receiving.remote_tracks()
    return {one.name for one in tracks}


async def test_item_16_what_cannot_be_subscribed_is_refused(clients: ClientWorld) -> None:
    room_id, bob, stream = await watched(clients)
    with pytest.raises(InvalidArgumentError, match="at least one"):
        await bob.subscribe_to_remote_streams(room_id, [])
    with pytest.raises(NotJoinedError):
        await bob.subscribe_to_remote_streams("r", [StreamSubscription(stream_id="s")])
    good = StreamSubscription(stream_id=stream.stream_id)
    for wrong, error, named in (
        (StreamSubscription(stream_id="unknown"), InvalidArgumentError, "stream_id.*unknown"),
        (
            StreamSubscription(stream_id=stream.stream_id, track_id="unknown"),
            TrackMismatchError,
            "track 'unknown'",
        ),
    ):
        with pytest.raises(error, match=named):
            await bob.subscribe_to_remote_streams(room_id, [good, wrong])
        assert received(bob, room_id) == set()  # nothing of a refused list is done


async def test_item_18_after_the_publisher_unpublished_there_is_nothing(
    clients: ClientWorld,
) -> None:
    room_id, bob, stream = await watched(clients)
    log = EventLog(bob)
    everything = [StreamSubscription(stream_id=stream.stream_id)]
    await bob.subscribe_to_remote_streams(room_id, everything)
    assert received(bob, room_id) == {"camera", "microphone"}
    await bob.unsubscribe_from_remote_streams(room_id, everything)
    assert received(bob, room_id) == set()
    await bob.subscribe_to_remote_streams(room_id, everything)
    assert received(bob, room_id) == {"camera", "microphone"}
    await stream.unpublish()
    await log.next(StreamUnpublished)
    with pytest.raises(InvalidArgumentError):
        await bob.subscribe_to_remote_streams(room_id, everything)
    with pytest.raises(InvalidArgumentError):
        await bob.modify_remote_streams_subscriptions(room_id, remove=everything)
    await bob.unsubscribe_from_remote_streams(room_id, everything)  # it is gone: no error
