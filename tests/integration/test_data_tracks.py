"""Data tracks in real calls: in order, complete, through the SFU and a rotation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from call_support import Call, StripeTrack, eventually, open_call, shows_stripes, take
from data_support import data_track, publish_data, read, received, record, subscribe_data

from sealroom.client import StreamSubscription
from sealroom.client.errors import (
    DataTrackClosedError,
    DataTrackExistsError,
    StreamStateError,
)
from sealroom.client.events import DataRejected
from sealroom.client.remote_data_track import MAX_UNREAD_MESSAGES
from sealroom.crypto.data_errors import DataOverflowError
from sealroom.errors import InvalidArgumentError
from sealroom.protocol import MAX_DATA_MESSAGE_BYTES


async def test_the_first_message_has_number_zero_and_all_come_in_order() -> None:
    async with open_call("alice", "bob") as call:
        stream, data = await publish_data(call, "alice")
        await call.sees("bob", stream)
        info = (await call.apis["bob"].list_streams(call.room_id))[0]
        assert [(one.kind, one.codec, one.name) for one in info.tracks] == [
            ("data", "message", "data")
        ]
        remote = await subscribe_data(call, "bob", stream)
        assert (remote.kind, remote.name, remote.user_id) == ("data", "data", "alice")
        assert await data.send(b"first") == 0
        assert await data.send(b"") == 1
        messages = await read(remote, 2)
        assert [(one.sequence, one.data, one.epoch) for one in messages] == [
            (0, b"first", 1),
            (1, b"", 1),
        ]
        await stream.unpublish()
        async with asyncio.timeout(10):
            assert [one async for one in remote.messages()] == []
        with pytest.raises(DataTrackClosedError):
            await data.send(b"late")


async def test_three_users_each_count_from_zero() -> None:
    users = ("alice", "bob", "carol")
    async with open_call(*users) as call:
        published = {one: await publish_data(call, one) for one in users}
        remotes = {
            (reader, sender): await subscribe_data(call, reader, published[sender][0])
            for reader in users
            for sender in users
            if reader != sender
        }
        for sender in users:
            for number in range(2):
                await published[sender][1].send(f"{sender} {number}".encode())
        for (_, sender), remote in remotes.items():
            assert [(one.sequence, one.data.decode()) for one in await read(remote, 2)] == [
                (0, f"{sender} 0"),
                (1, f"{sender} 1"),
            ]


async def test_a_thousand_messages_come_in_order_while_video_flows() -> None:
    async with open_call("alice", "bob") as call:
        stream, data = await publish_data(call, "alice", video=True)
        remote = await subscribe_data(call, "bob", stream)
        receiving = call.apis["bob"]._session(call.room_id).receiving
        (camera,) = receiving.remote_tracks()
        await take(camera, 3)

        async def send() -> None:
            for number in range(1000):
                await data.send(number.to_bytes(2, "big") * (1 + number % 700))

        sending = asyncio.create_task(send())
        messages = await read(remote, 1000, seconds=60)
        await sending
        assert [one.sequence for one in messages] == list(range(1000))
        assert all(
            one.data == one.sequence.to_bytes(2, "big") * (1 + one.sequence % 700)
            for one in messages
        )
        assert shows_stripes((await take(camera, 10))[-1])
        statistics = call.apis["bob"].statistics(call.room_id)
        assert statistics.data_received[0].python.refused == {}
        assert statistics.data_received[0].python.messages_received == 1000
        sent = call.apis["alice"].statistics(call.room_id).data_sent[0].python
        assert (sent.messages_sent, sent.buffered_amount) == (1000, 0)
        # No datagram of the burst was lost between the native core and asyncio, at any hop.
        participants = call.bridge.media._participants.values()
        server = [p.publisher or p.subscriber for p in participants]
        publisher = call.apis["alice"]._session(call.room_id).publishing.publisher
        clients = [publisher.session, receiving.subscriber.session]
        for transport in [one.transport for one in server] + clients:
            assert transport.transport_statistics().control_dropped == 0


async def test_the_biggest_message_arrives_and_a_bigger_one_is_refused() -> None:
    async with open_call("alice", "bob") as call:
        stream, data = await publish_data(call, "alice")
        remote = await subscribe_data(call, "bob", stream)
        with pytest.raises(InvalidArgumentError, match="data: at most 16384 bytes"):
            await data.send(bytes(MAX_DATA_MESSAGE_BYTES + 1))
        biggest = bytes(range(256)) * (MAX_DATA_MESSAGE_BYTES // 256)
        assert await data.send(biggest) == 0
        assert (await read(remote, 1))[0].data == biggest


async def test_a_late_subscriber_gets_what_is_sent_from_its_subscription_on() -> None:
    async with open_call("alice", "bob", "carol") as call:
        stream, data = await publish_data(call, "alice")
        early = await subscribe_data(call, "bob", stream)
        for _ in range(3):
            await data.send(b"before")
        await received(early, 3)
        late = await subscribe_data(call, "carol", stream)
        await data.send(b"after")
        assert [one.sequence for one in await read(late, 1)] == [3]
        assert [one.sequence for one in await read(early, 4)] == [0, 1, 2, 3]
        assert late.statistics.refused == {}


async def test_who_subscribes_again_gets_no_number_twice() -> None:
    async with open_call("alice", "bob") as call:
        stream, data = await publish_data(call, "alice")
        events = record(call, "bob", DataRejected)
        remote = await subscribe_data(call, "bob", stream)
        await data.send(b"0")
        await read(remote, 1)
        selection = [StreamSubscription(stream_id=stream.stream_id)]
        await call.apis["bob"].unsubscribe_from_remote_streams(call.room_id, selection)
        assert [one async for one in remote.messages()] == []
        await data.send(b"1")
        await eventually(lambda: forwarding(call).messages_received == 2)
        again = await subscribe_data(call, "bob", stream)
        await data.send(b"2")
        assert [one.sequence for one in await read(again, 1)] == [2]
        assert events == []


def forwarding(call: Call) -> Any:
    return call.bridge.media._data


def open_channels(call: Call) -> int:
    """How many subscribers of data tracks have answered, and get what is sent from then on."""
    producers = forwarding(call)._producers.values()
    return sum(c.channel is not None for one in producers for c in one.consumers.values())


async def test_a_data_track_joins_and_leaves_a_published_stream() -> None:
    async with open_call("alice", "bob") as call:
        stream = await call.apis["alice"].create_stream(call.room_id)
        await stream.add_track(StripeTrack(), name="camera")
        await stream.publish()
        remotes = await call.subscribe("bob", stream)
        await take(remotes["camera"], 2)
        data = await stream.add_data_track()
        with pytest.raises(StreamStateError):
            await data.send(b"too early")
        await stream.update()
        tracks = call.apis["bob"]._session(call.room_id).receiving.data
        await eventually(lambda: len(tracks.tracks) == 1)
        remote = data_track(call, "bob", stream)
        await eventually(lambda: open_channels(call) == 1)
        await data.send(b"now")
        assert [one.data for one in await read(remote, 1)][-1] == b"now"
        await data.remove()
        await stream.update()
        async with asyncio.timeout(10):
            assert [one async for one in remote.messages()] == []
        with pytest.raises(DataTrackClosedError):
            await data.send(b"gone")
        assert shows_stripes((await take(remotes["camera"], 3))[-1])


async def test_a_second_data_track_of_a_stream_is_refused() -> None:
    async with open_call("alice") as call:
        stream = await call.apis["alice"].create_stream(call.room_id)
        first = await stream.add_data_track()
        with pytest.raises(DataTrackExistsError):
            await stream.add_data_track()
        await first.remove()
        await stream.add_data_track()


async def test_a_reader_that_is_too_slow_is_told_what_it_missed() -> None:
    async with open_call("alice", "bob") as call:
        stream, data = await publish_data(call, "alice")
        events = record(call, "bob", DataRejected)
        remote = await subscribe_data(call, "bob", stream)
        total = MAX_UNREAD_MESSAGES + 100
        for number in range(total):
            await data.send(str(number).encode())
        await received(remote, total)
        assert remote.statistics.refused == {"data_overflow": 100}
        messages = await read(remote, MAX_UNREAD_MESSAGES)
        with pytest.raises(DataOverflowError) as overflow:
            await read(remote, 1)
        assert (overflow.value.first, overflow.value.count) == (MAX_UNREAD_MESSAGES, 100)
        assert [one.sequence for one in messages] == list(range(MAX_UNREAD_MESSAGES))
        await data.send(b"and on")
        assert [one.sequence for one in await read(remote, 1)] == [total]
        await eventually(lambda: sum(one.count for one in events) == 100)
        assert {one.reason for one in events} == {"data_overflow"}


async def test_remote_data_tracks_come_to_listeners_and_iterators() -> None:
    async with open_call("alice", "bob") as call:
        bob = call.apis["bob"]
        heard: list[str] = []
        stop = bob.add_remote_data_track_listener(
            call.room_id, lambda track: heard.append(track.stream_id)
        )
        iterator = bob.remote_data_tracks(call.room_id)
        stream, _ = await publish_data(call, "alice")
        remote = await subscribe_data(call, "bob", stream)
        assert await asyncio.wait_for(anext(iterator), 5) is remote
        assert heard == [stream.stream_id]
        stop()


async def test_messages_go_through_a_rotation_each_once_and_in_order() -> None:
    async with open_call("alice", "bob", "carol") as call:
        stream, data = await publish_data(call, "alice")
        remotes = [await subscribe_data(call, one, stream) for one in ("bob", "carol")]
        is_over = asyncio.Event()

        async def send() -> int:
            number = 0
            while not is_over.is_set():
                number = await data.send(b"x" * 100)
                await asyncio.sleep(0.002)
            return number

        sending = asyncio.create_task(send())
        await received(remotes[0], 20)
        await call.apis["alice"].update_stream_room(call.room_id, users=["bob"])
        session = call.apis["alice"]._session(call.room_id)
        await eventually(lambda: session._keys.sending.id.epoch == 2)
        switched = remotes[0].statistics.messages_received
        await received(remotes[0], switched + 50)
        is_over.set()
        last = await sending
        messages = await read(remotes[0], last + 1)
        assert [one.sequence for one in messages] == list(range(last + 1))
        epochs = [one.epoch for one in messages]
        assert epochs == sorted(epochs)
        assert set(epochs) == {1, 2}
        assert remotes[0].statistics.refused == {}
        # Whoever was removed has nothing of the new epoch.
        assert {one.epoch async for one in remotes[1].messages()} == {1}
