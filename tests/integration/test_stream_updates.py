"""Streams that change while they run: tracks come and go, are muted, and say what they are."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import msgspec
import pytest
from aiortc.mediastreams import AudioStreamTrack
from call_support import (
    Call,
    StripeTrack,
    eventually,
    open_call,
    publish,
    received,
    shows_stripes,
    take,
)

from sealroom.client import RemoteTrack, StreamSubscription
from sealroom.client.errors import RequestRefusedError, StreamStateError
from sealroom.client.events import StreamRefused, StreamUpdated
from sealroom.crypto.errors import StreamUpdateError
from sealroom.errors import InvalidArgumentError
from sealroom.protocol import (
    MAX_STREAM_METADATA_BYTES,
    MAX_TITLE_LENGTH,
    EventEnvelope,
    EventType,
    StreamUpdateResult,
)


class Events:
    """Events of a user, to be waited for."""

    def __init__(self, call: Call, user_id: str) -> None:
        self._events = call.apis[user_id].events()

    async def next(self, kind: type) -> Any:
        async with asyncio.timeout(10):
            async for event in self._events:
                if isinstance(event, kind):
                    return event
        raise AssertionError


def remote(call: Call, user_id: str, name: str) -> RemoteTrack | None:
    found = call.apis[user_id]._session(call.room_id).receiving.remote_tracks()
    return next((one for one in found if one.name == name), None)


async def has_track(call: Call, user_id: str, name: str) -> RemoteTrack:
    await eventually(lambda: remote(call, user_id, name) is not None)
    found = remote(call, user_id, name)
    assert found is not None
    return found


async def test_a_track_added_to_a_published_stream_arrives_decoded(call: Call) -> None:
    stream = await publish(call.apis["alice"], call.room_id, grey=120)
    tracks = await call.subscribe("bob", stream)
    await take(tracks["camera"], 5)
    events = Events(call, "bob")
    await stream.add_track(StripeTrack(220), name="screen", source="screen")
    await stream.add_track(AudioStreamTrack(), name="microphone")
    assert remote(call, "bob", "screen") is None
    await stream.update()
    updated = await events.next(StreamUpdated)
    assert {one.name for one in updated.tracks_added} == {"screen", "microphone"}
    assert (updated.tracks_removed, updated.tracks_modified) == ([], [])
    assert {one.source for one in updated.tracks_added} == {"screen", "other"}
    screen, microphone = [await has_track(call, "bob", one) for one in ("screen", "microphone")]
    one, other, sound = await asyncio.gather(
        take(tracks["camera"], 15), take(screen, 15), take(microphone, 15)
    )
    assert shows_stripes(one[-1], 120)
    assert shows_stripes(other[-1], 220)
    assert sound[-1].kind == "audio"
    for name in ("camera", "screen", "microphone"):
        assert not any(received(call, "bob", name).native.rejected.values())


async def test_who_subscribed_to_one_track_does_not_get_others_added_later(call: Call) -> None:
    stream = await publish(call.apis["alice"], call.room_id)
    await call.sees("bob", stream)
    bob = call.apis["bob"]
    (info,) = await bob.list_streams(call.room_id)
    only = StreamSubscription(stream.stream_id, info.tracks[0].track_id)
    await bob.subscribe_to_remote_streams(call.room_id, [only])
    events = Events(call, "bob")
    await stream.add_track(StripeTrack(), name="screen")
    await stream.update()
    added = (await events.next(StreamUpdated)).tracks_added[0]
    assert remote(call, "bob", "screen") is None
    await bob.subscribe_to_remote_streams(
        call.room_id, [StreamSubscription(stream.stream_id, added.track_id)]
    )
    await take(await has_track(call, "bob", "screen"), 5)


async def test_a_removed_track_ends_and_the_others_go_on(call: Call) -> None:
    stream = await publish(call.apis["alice"], call.room_id)
    screen = await stream.add_track(StripeTrack(220), name="screen")
    await stream.update()
    tracks = await call.subscribe("bob", stream)
    await take(tracks["screen"], 5)
    events = Events(call, "bob")
    await screen.remove()
    await stream.update()
    updated = await events.next(StreamUpdated)
    assert [one.name for one in updated.tracks_removed] == ["screen"]
    async with asyncio.timeout(10):
        async for _ in tracks["screen"].frames():
            pass
    assert len(await take(tracks["camera"], 15)) == 15
    assert remote(call, "bob", "screen") is None
    with pytest.raises(StreamStateError, match="dead"):
        await screen.remove()
    sent = call.apis["alice"].statistics(call.room_id).sent
    assert len(sent) == 1


async def test_all_tracks_can_go_and_new_ones_come(call: Call) -> None:
    stream = await call.apis["alice"].create_stream(call.room_id)
    first = await stream.add_track(StripeTrack(120), name="first")
    await stream.publish()
    await call.subscribe("bob", stream)
    await has_track(call, "bob", "first")
    await first.remove()
    await stream.update()
    await eventually(lambda: remote(call, "bob", "first") is None)
    (info,) = await call.apis["bob"].list_streams(call.room_id)
    assert info.tracks == []
    await stream.update()  # no change is no error
    await stream.add_track(StripeTrack(220), name="second")
    await stream.update()
    second = await has_track(call, "bob", "second")
    assert shows_stripes((await take(second, 10))[-1], 220)


async def test_a_track_staged_for_removal_stays_when_it_is_added_again(call: Call) -> None:
    source = StripeTrack()
    stream = await call.apis["alice"].create_stream(call.room_id)
    camera = await stream.add_track(source, name="camera")
    await stream.publish()
    tracks = await call.subscribe("bob", stream)
    await camera.remove()
    again = await stream.add_track(source, name="other name")
    assert again == camera
    await stream.update()
    assert len(await take(tracks["camera"], 10)) == 10
    (info,) = await call.apis["bob"].list_streams(call.room_id)
    assert info.version == 1
    await camera.remove()
    await stream.update()
    anew = await stream.add_track(source, name="camera")
    assert anew.track_id != camera.track_id  # its counter begins at zero: never the same key


async def test_what_cannot_be_updated_says_so(call: Call) -> None:
    alice = call.apis["alice"]
    stream = await alice.create_stream(call.room_id)
    with pytest.raises(StreamStateError, match="publish it first"):
        await stream.update()
    camera = await stream.add_track(StripeTrack(), name="camera")
    await camera.remove()
    with pytest.raises(StreamStateError, match="no track"):
        await stream.publish()
    with pytest.raises(StreamStateError, match="dead"):
        await camera.set_enabled(False)
    await stream.add_track(StripeTrack(), name="camera")
    await stream.publish()
    await stream.unpublish()
    for call_it in (stream.update, stream.publish):
        with pytest.raises(StreamStateError, match="dead"):
            await call_it()


async def test_an_update_the_bridge_refuses_changes_nothing(call: Call) -> None:
    stream = await publish(call.apis["alice"], call.room_id)
    tracks = await call.subscribe("bob", stream)
    connection = call.connections["alice"]
    honest = connection.call

    async def spoil(method: str, params: Any, result: Any) -> Any:
        if method == "stream.update":
            params = msgspec.structs.replace(params, offer="v=0")
        return await honest(method, params, result)

    connection.call = spoil  # type: ignore[method-assign]
    await stream.add_track(StripeTrack(), name="screen")
    with pytest.raises(RequestRefusedError):
        await stream.update()
    connection.call = honest  # type: ignore[method-assign]
    assert len(await take(tracks["camera"], 10)) == 10
    (info,) = await call.apis["bob"].list_streams(call.room_id)
    assert info.version == 1
    await stream.update()
    await take(await has_track(call, "bob", "screen"), 5)


async def test_a_muted_track_is_silent_and_everybody_is_told(call: Call) -> None:
    alice = call.apis["alice"]
    stream = await alice.create_stream(call.room_id)
    camera = await stream.add_track(StripeTrack(), name="camera")
    microphone = await stream.add_track(AudioStreamTrack(), name="microphone")
    await stream.publish()
    tracks = await call.subscribe("bob", stream)
    for one in tracks.values():
        await take(one, 5)
    events = Events(call, "bob")
    for handle in (camera, microphone):
        await handle.set_enabled(False)
        (change,) = (await events.next(StreamUpdated)).tracks_modified
        assert (change.before.enabled, change.after.enabled) == (True, False)
        assert change.after.track_id == handle.track_id
    before = [one.python.frames_sent for one in alice.statistics(call.room_id).sent]
    await asyncio.sleep(0.5)
    assert [one.python.frames_sent for one in alice.statistics(call.room_id).sent] == before
    (info,) = await call.apis["bob"].list_streams(call.room_id)
    assert [one.enabled for one in info.tracks] == [False, False]
    assert not tracks["camera"].is_enabled
    await asyncio.sleep(0.3)
    arrived = received(call, "bob").native.frames_received
    for handle in (camera, microphone):
        await handle.set_enabled(True)
    assert len(await take(tracks["camera"], 10)) == 10
    assert len(await take(tracks["microphone"], 10)) == 10
    assert received(call, "bob").native.frames_received > arrived
    assert tracks["camera"].is_enabled


async def test_a_track_can_begin_muted(call: Call) -> None:
    alice = call.apis["alice"]
    stream = await alice.create_stream(call.room_id)
    camera = await stream.add_track(StripeTrack(), name="camera", enabled=False)
    other = await stream.add_track(StripeTrack(), name="other")
    await other.set_enabled(False)  # before it is published, too
    await stream.publish()
    tracks = await call.subscribe("bob", stream)
    await asyncio.sleep(0.5)
    assert [one.python.frames_sent for one in alice.statistics(call.room_id).sent] == [0, 0]
    await camera.set_enabled(True)
    assert shows_stripes((await take(tracks["camera"], 5))[-1])
    sent = {one.track_id: one.python.frames_sent for one in alice.statistics(call.room_id).sent}
    assert sent[camera.track_id] > 0
    assert sent[other.track_id] == 0


async def test_members_read_title_metadata_and_names_and_the_bridge_does_not(call: Call) -> None:
    alice = call.apis["alice"]
    stream = await alice.create_stream(call.room_id, title="Lecture 7", metadata=b"slides.pdf")
    await stream.add_track(StripeTrack(), name="front camera")
    await stream.publish()
    await call.sees("bob", stream)
    (info,) = await call.apis["bob"].list_streams(call.room_id)
    assert (info.title, info.metadata, info.has_details) == ("Lecture 7", b"slides.pdf", True)
    assert info.tracks[0].name == "front camera"
    events = Events(call, "bob")
    await stream.set_details(title="Lecture 8")
    await stream.update()
    updated = await events.next(StreamUpdated)
    assert (updated.stream.title, updated.stream.metadata) == ("Lecture 8", b"slides.pdf")
    assert (updated.tracks_added, updated.tracks_removed, updated.tracks_modified) == ([], [], [])
    assert updated.stream.version == 2
    own = (await alice.list_streams(call.room_id))[0]
    assert own == updated.stream


async def test_details_beyond_a_limit_are_refused_and_change_nothing(call: Call) -> None:
    alice = call.apis["alice"]
    stream = await alice.create_stream(call.room_id, title="a")
    with pytest.raises(InvalidArgumentError, match="title"):
        await stream.set_details(title="x" * (MAX_TITLE_LENGTH + 1))
    with pytest.raises(InvalidArgumentError, match="metadata"):
        await stream.set_details(title="b", metadata=b"x" * (MAX_STREAM_METADATA_BYTES + 1))
    await stream.set_details(metadata=b"x" * MAX_STREAM_METADATA_BYTES)
    long = "\N{GRINNING FACE}" * 128
    for _ in range(7):
        await stream.add_track(StripeTrack(), name=long)
    with pytest.raises(InvalidArgumentError, match="together"):
        await stream.add_track(StripeTrack(), name=long)
    await stream.publish()
    (info,) = await alice.list_streams(call.room_id)
    assert info.title == "a"
    assert [one.name for one in info.tracks] == [long] * 7


async def test_who_is_added_with_a_new_epoch_can_read_what_was_announced_before() -> None:
    async with open_call("alice", "bob") as call:
        alice, bob = call.apis["alice"], call.apis["bob"]
        stream = await bob.create_stream(call.room_id, title="Lecture")
        await stream.add_track(StripeTrack(), name="camera")
        await stream.publish()
        await call.sees("alice", stream)
        carol = await call.add("carol")
        await alice.update_stream_room(
            call.room_id, users=["bob", "carol"], force_generate_new_key=True
        )
        await carol.join_stream_room(call.room_id)

        async def can_read() -> bool:
            streams = await carol.list_streams(call.room_id)
            return bool(streams) and streams[0].has_details

        await eventually(can_read)
        (info,) = await carol.list_streams(call.room_id)
        assert (info.title, info.tracks[0].name) == ("Lecture", "camera")
        assert info.version >= 2
        tracks = await call.subscribe("carol", stream)
        assert len(await take(tracks["camera"], 10)) == 10


async def test_a_stream_published_while_a_new_epoch_begins_is_announced_under_it(
    call: Call,
) -> None:
    alice, bob = call.apis["alice"], call.apis["bob"]
    connection = call.connections["bob"]
    honest = connection.call

    async def rotate_meanwhile(method: str, params: Any, result: Any) -> Any:
        answer = await honest(method, params, result)
        if method == "stream.publish":
            await alice.update_stream_room(call.room_id, force_generate_new_key=True)
            keys = bob._session(call.room_id)._keys
            await eventually(lambda: keys.sending.id.epoch == 2)
        return answer

    connection.call = rotate_meanwhile  # type: ignore[method-assign]
    stream = await bob.create_stream(call.room_id, title="Lecture")
    await stream.add_track(StripeTrack(), name="camera")
    await stream.publish()
    at_alice = alice._session(call.room_id).streams
    await eventually(lambda: at_alice[stream.stream_id].announcement.epoch == 2)
    (info,) = await alice.list_streams(call.room_id)
    assert (info.title, info.has_details) == ("Lecture", True)
    tracks = await call.subscribe("alice", stream)
    assert len(await take(tracks["camera"], 10)) == 10


# What the Bridge may not do


async def lie_about_updates(call: Call, change: Any) -> None:
    """Have bob's connection take `change(envelope)` in place of each update."""
    connection = call.connections["bob"]
    honest = connection._pass_on

    def lie(envelope: EventEnvelope) -> None:
        honest(change(envelope) if envelope.type is EventType.STREAM_UPDATED else envelope)

    connection._pass_on = lie  # type: ignore[method-assign]


async def test_an_announcement_played_back_is_refused_and_changes_nothing(call: Call) -> None:
    """A camera was removed; the Bridge shows the version in which it was there."""
    shown: list[EventEnvelope] = []
    call.connections["bob"].on_event(shown.append)
    stream = await call.apis["alice"].create_stream(call.room_id)
    camera = await stream.add_track(StripeTrack(), name="camera")
    await stream.add_track(AudioStreamTrack(), name="microphone")
    await stream.publish()
    await call.subscribe("bob", stream)
    events = Events(call, "bob")
    await camera.remove()
    await stream.update()
    await events.next(StreamUpdated)
    first = next(one for one in shown if one.type is EventType.STREAM_PUBLISHED)
    replayed = msgspec.structs.replace(first, type=EventType.STREAM_UPDATED)
    call.connections["bob"]._pass_on(replayed)
    refused = await events.next(StreamRefused)
    assert isinstance(refused.error, StreamUpdateError)
    (info,) = await call.apis["bob"].list_streams(call.room_id)
    assert [one.name for one in info.tracks] == ["microphone"]


async def test_an_update_with_a_forged_payload_is_refused(call: Call) -> None:
    def flip(envelope: EventEnvelope) -> EventEnvelope:
        data = msgspec.json.decode(envelope.data)
        payload = base64.b64decode(data["announcement"]["payload"])
        payload = payload.replace(b'"enabled":false', b'"enabled":true')
        data["announcement"]["payload"] = base64.b64encode(payload).decode()
        return msgspec.structs.replace(envelope, data=msgspec.Raw(msgspec.json.encode(data)))

    stream = await call.apis["alice"].create_stream(call.room_id)
    camera = await stream.add_track(StripeTrack(), name="camera")
    await stream.publish()
    await call.sees("bob", stream)
    await lie_about_updates(call, flip)
    events = Events(call, "bob")
    await camera.set_enabled(False)
    refused = await events.next(StreamRefused)
    assert refused.error.code == "forged_signature"
    (info,) = await call.apis["bob"].list_streams(call.room_id)
    assert (info.version, info.tracks[0].enabled) == (1, True)


async def test_a_reply_that_is_faster_than_the_event_about_a_new_track_loses_no_track(
    call: Call,
) -> None:
    """Bob subscribes while the update is on its way to him."""
    stream = await publish(call.apis["alice"], call.room_id)
    await call.sees("bob", stream)
    await stream.add_track(StripeTrack(220), name="screen")
    api = call.apis["bob"]
    async with api._inbox.paused():
        await stream.update()
        assert len((await api.list_streams(call.room_id))[0].tracks) == 1
        await api.subscribe_to_remote_streams(call.room_id, [StreamSubscription(stream.stream_id)])
    screen = await has_track(call, "bob", "screen")
    assert shows_stripes((await take(screen, 10))[-1], 220)


async def test_a_lost_answer_to_an_update_does_not_stop_the_next(call: Call) -> None:
    stream = await call.apis["alice"].create_stream(call.room_id)
    camera = await stream.add_track(StripeTrack(), name="camera")
    await stream.publish()
    await call.sees("bob", stream)
    connection = call.connections["alice"]
    honest = connection.call

    async def lose(method: str, params: Any, result: Any) -> Any:
        answer = await honest(method, params, result)
        if result is StreamUpdateResult:
            raise TimeoutError
        return answer

    connection.call = lose  # type: ignore[method-assign]
    with pytest.raises(TimeoutError):
        await camera.set_enabled(False)
    connection.call = honest  # type: ignore[method-assign]
    events = Events(call, "bob")
    await camera.set_enabled(True)
    while (await events.next(StreamUpdated)).stream.version < 3:
        pass
    (info,) = await call.apis["bob"].list_streams(call.room_id)
    assert info.tracks[0].enabled
