"""Acceptance 7.4: media from end to end (docs/acceptance.md)."""

from __future__ import annotations

import pytest
from bridge_support import eventually
from call_support import open_call, publish, shows_stripes, take
from client_support import EventLog, open_client_world
from client_support import publish as publish_nothing

from sealroom.bridge import BridgeConfig
from sealroom.client import RemoteTrack
from sealroom.client.events import ParticipantLeft, StreamPublished, StreamUnpublished


async def test_item_19_listeners_of_single_streams_get_no_others() -> None:
    async with open_call("alice", "bob", "carol") as call:
        greys = {"alice": 90, "bob": 220}
        streams = {
            name: await publish(call.apis[name], call.room_id, grey=grey)
            for name, grey in greys.items()
        }
        heard: dict[str, list[RemoteTrack]] = {name: [] for name in greys}
        for name, stream in streams.items():
            call.apis["carol"].add_remote_stream_listener(
                call.room_id, heard[name].append, stream_id=stream.stream_id
            )
        for stream in streams.values():
            await call.subscribe("carol", stream)
        for name, grey in greys.items():
            (track,) = heard[name]
            assert (track.stream_id, track.user_id) == (streams[name].stream_id, name)
            assert shows_stripes((await take(track, 5))[-1], grey)


async def test_item_22_who_reloads_the_page_is_back_at_once_and_its_zombie_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_client_world(monkeypatch, session_timeout=0.5) as clients:
        alice = await clients.api("alice")
        page = await clients.world.user("bob")
        room_id = await clients.room(alice)
        await alice.join_stream_room(room_id)
        await page.join(room_id)
        log = EventLog(alice)
        zombie = await page.publish(room_id)
        await log.next(StreamPublished)
        page.socket.transport.abort()
        after = await clients.api("bob")  # a program that remembers nothing
        await after.join_stream_room(room_id)
        again = await publish_nothing(after, room_id)
        assert (await log.next(StreamPublished)).stream.stream_id == again.stream_id
        assert (await log.next(StreamUnpublished)).stream_id == zombie
        assert (await log.next(ParticipantLeft)).reason == "disconnected"
        assert [one.stream_id for one in await alice.list_streams(room_id)] == [again.stream_id]
        await eventually(lambda: zombie not in clients.world.media.streams)


def test_item_22_unless_told_otherwise_a_zombie_lives_thirty_seconds_at_most() -> None:
    assert BridgeConfig().session_timeout <= 30


async def test_item_23_who_only_listens_opens_no_way_out() -> None:
    async with open_call("alice", "bob") as call:
        stream = await publish(call.apis["alice"], call.room_id)
        remote = (await call.subscribe("bob", stream))["camera"]
        assert shows_stripes((await take(remote, 3))[-1])
        statistics = call.apis["bob"].statistics(call.room_id)
        assert statistics.sent == []
        assert statistics.publisher_srtp_profile is None  # there is no such transport
        assert statistics.subscriber_srtp_profile is not None
