"""Messages of data tracks between a browser and a member in Python, over two stacks of SCTP."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from pathlib import Path

from browser_member import BrowserMember

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from call_support import eventually, open_call
from data_support import publish_data, read

from sealroom.client import StreamSubscription

MESSAGES = [b"", b"a", os.urandom(1200), os.urandom(16384), *(bytes([n]) for n in range(50))]


async def rotate(call, browser):
    await call.apis["alice"].update_stream_room(call.room_id, force_generate_new_key=True)
    for one in ("alice", "bob"):
        keys = call.apis[one]._session(call.room_id)._keys
        await eventually(lambda k=keys: k.sending.id.epoch == 2)
    await browser.keys_given()


async def test_a_browser_reads_messages_in_order_and_through_a_new_key(chromium):
    async with open_call("alice", "bob") as call:
        stream, data = await publish_data(call, "alice")
        await call.sees("bob", stream)
        bob = BrowserMember(call.apis["bob"], call.room_id, chromium)
        await bob.subscribe(stream.stream_id)
        label = f"{stream.stream_id} {data.track_id}"
        await data.send(b"early")

        async def arrived(count):
            async with asyncio.timeout(20):
                while len(got := await bob.subscriber.call("receivedData", label)) < count:
                    await asyncio.sleep(0.05)
            return got

        await arrived(1)
        for message in MESSAGES:
            await data.send(message)
        await arrived(1 + len(MESSAGES))
        await rotate(call, bob)
        await data.send(b"under the next key")
        got = await arrived(2 + len(MESSAGES))
        sent = [b"early", *MESSAGES, b"under the next key"]
        assert [base64.b64decode(one["data"]) for one in got] == sent
        assert [one["sequence"] for one in got] == list(range(len(sent)))


async def test_messages_of_a_browser_are_read_in_order_and_through_a_new_key(chromium):
    async with open_call("alice", "bob") as call:
        bob = BrowserMember(call.apis["bob"], call.room_id, chromium)
        label = await bob.publish_data()
        stream_id, _ = label.split(" ")
        session = call.apis["alice"]._session(call.room_id)
        await eventually(lambda: stream_id in session.streams)
        await call.apis["alice"].subscribe_to_remote_streams(
            call.room_id, [StreamSubscription(stream_id=stream_id)]
        )
        remote = next(one for one in session.receiving.data.tracks if one.stream_id == stream_id)
        await session.receiving.subscriber.peer.connected()

        async def send(*messages):
            encoded = [base64.b64encode(one).decode() for one in messages]
            await bob.publisher.call("sendData", label, encoded)

        await send(*MESSAGES)
        got = await read(remote, len(MESSAGES))
        await rotate(call, bob)
        await send(b"under the next key")
        got += await read(remote, 1)
        sent = [*MESSAGES, b"under the next key"]
        assert [one.data for one in got] == sent
        assert [one.sequence for one in got] == list(range(len(sent)))
        assert [one.epoch for one in got] == [1] * len(MESSAGES) + [2]
