"""Calls with data tracks."""

from __future__ import annotations

import asyncio
from typing import Any

from call_support import Call, StripeTrack, eventually

from sealroom.client import DataMessage, DataTrackHandle, RemoteDataTrack, StreamSubscription
from sealroom.client.handles import StreamHandle


async def publish_data(
    call: Call, user_id: str, *, video: bool = False
) -> tuple[StreamHandle, DataTrackHandle]:
    """Publish a data track "data", and stripes as "camera" beside it if wanted."""
    stream = await call.apis[user_id].create_stream(call.room_id)
    data = await stream.add_data_track(name="data")
    if video:
        await stream.add_track(StripeTrack(), name="camera")
    await stream.publish()
    return stream, data


async def subscribe_data(call: Call, user_id: str, stream: StreamHandle) -> RemoteDataTrack:
    """Subscribe to all of a stream and return its data track."""
    await call.sees(user_id, stream)
    await call.apis[user_id].subscribe_to_remote_streams(
        call.room_id, [StreamSubscription(stream_id=stream.stream_id)]
    )
    return data_track(call, user_id, stream)


def data_track(call: Call, user_id: str, stream: StreamHandle) -> RemoteDataTrack:
    """The data track that a user receives of a stream."""
    receiving = call.apis[user_id]._session(call.room_id).receiving
    return next(one for one in receiving.data.tracks if one.stream_id == stream.stream_id)


async def read(remote: RemoteDataTrack, count: int, seconds: float = 30) -> list[DataMessage]:
    """The next messages of a track."""
    messages: list[DataMessage] = []
    async with asyncio.timeout(seconds):
        async for message in remote.messages():
            messages.append(message)
            if len(messages) == count:
                break
    return messages


def record(call: Call, user_id: str, *kinds: type) -> list[Any]:
    """Events of these kinds that a user gets from now on."""
    events: list[Any] = []
    call.apis[user_id].add_event_listener(
        lambda event: events.append(event) if isinstance(event, kinds) else None
    )
    return events


async def received(remote: RemoteDataTrack, count: int) -> None:
    """Wait until so many messages have come, read or not."""
    await eventually(lambda: remote.statistics.messages_received >= count, seconds=30)
