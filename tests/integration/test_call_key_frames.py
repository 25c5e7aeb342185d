"""Key frames for who has no picture yet, through publisher, media server and receiver."""

from __future__ import annotations

import asyncio
from typing import Any

from call_support import eventually, open_call, publish

from sealroom.media.frames import EncodedFrame

INTERVAL = 0.3
"""Seconds between key frames for who asks on and on."""


async def test_who_comes_right_after_somebody_else_does_not_wait_for_the_interval() -> None:
    async with open_call("alice", "bob") as call:
        stream = await publish(call.apis["alice"], call.room_id)
        remote = (await call.subscribe("bob", stream))["camera"]
        loop = asyncio.get_running_loop()
        came: list[float] = []

        def look(frame: EncodedFrame) -> EncodedFrame:
            if frame.is_key_frame:
                came.append(loop.time())
            return frame

        media: Any = call.bridge.media
        (participant,) = [p for p in media._participants.values() if p.consumers]
        (consumer,) = participant.consumers.values()
        await eventually(lambda: consumer.id is not None)
        remote.set_encoded_frame_handler(look)

        async def start_again() -> None:
            # To the router it is one who comes anew, without the time that signalling takes.
            before = len(came)
            media.router.set_consumer_paused(consumer.id, True)
            media.router.set_consumer_paused(consumer.id, False)
            await eventually(lambda: len(came) > before, seconds=20)

        # An idle machine needs one round; the quickest of several does not depend on its load.
        for _ in range(10):
            del came[:]
            for _ in range(3):
                await start_again()
            if min(came[1] - came[0], came[2] - came[1]) < INTERVAL / 2:
                break
            await asyncio.sleep(1)
        else:
            raise AssertionError("no two key frames were ever closer than the interval")
