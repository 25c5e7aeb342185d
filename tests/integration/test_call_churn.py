"""Streams that come and go while others subscribe: offers cross, and the end is still right."""

from __future__ import annotations

import asyncio
import random

from call_support import Call, eventually, open_call, publish, shows_stripes, take

from sealroom.client import StreamSubscription
from sealroom.client.errors import RequestRefusedError
from sealroom.client.events import StreamPublished
from sealroom.errors import InvalidArgumentError


async def publish_and_unpublish(call: Call, user_id: str, rounds: int, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(rounds):
        stream = await publish(call.apis[user_id], call.room_id)
        await asyncio.sleep(rng.uniform(0, 0.3))
        await stream.unpublish()


async def subscribe_to_all(call: Call, user_id: str) -> None:
    api = call.apis[user_id]
    async for event in api.events():
        if isinstance(event, StreamPublished):
            wanted = [StreamSubscription(event.stream.stream_id)]
            try:
                await api.subscribe_to_remote_streams(call.room_id, wanted)
            except (RequestRefusedError, InvalidArgumentError):
                continue  # it was gone before the request came through


async def test_streams_that_come_and_go_leave_every_subscriber_in_a_good_state() -> None:
    async with open_call("alice", "bob", "carol") as call:
        watchers = [asyncio.create_task(subscribe_to_all(call, name)) for name in ("bob", "carol")]
        await asyncio.sleep(0)
        await asyncio.gather(
            publish_and_unpublish(call, "alice", 6, seed=1),
            publish_and_unpublish(call, "bob", 6, seed=2),
        )
        for name in ("bob", "carol"):
            session = call.apis[name]._session(call.room_id)
            await eventually(lambda session=session: not session.receiving.remote_tracks())
        for watcher in watchers:
            assert not watcher.done(), watcher
            watcher.cancel()
        stream = await publish(call.apis["alice"], call.room_id)
        for name in ("bob", "carol"):
            tracks = await call.subscribe(name, stream)
            assert shows_stripes((await take(tracks["camera"], 5))[-1])


async def test_two_requests_to_subscribe_at_once_are_both_served() -> None:
    async with open_call("alice", "bob") as call:
        streams = [await publish(call.apis["alice"], call.room_id, grey=g) for g in (120, 220)]
        first, second = await asyncio.gather(*(call.subscribe("bob", one) for one in streams))
        one, other = await asyncio.gather(take(first["camera"], 5), take(second["camera"], 5))
        assert shows_stripes(one[-1], 120)
        assert shows_stripes(other[-1], 220)
