"""One member of a call, run in a network namespace by `network_support.py`.

    network_member.py home ADDRESS
    network_member.py away URL CONTEXT_ID ROOM_ID

"home" runs the Bridge too, and tells what its media server saw. Both publish numbered pictures and
sound and watch what the other publishes. Each line on stdin is answered by a line of JSON with all
that was seen; the end of stdin ends the program. Times are those of the machine's monotonic clock.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import re
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from aiortc.mediastreams import AudioStreamTrack
from call_support import StripeTrack

from sealroom.bridge import BridgeConfig
from sealroom.bridge.embedded import EmbeddedMediaServer, Tap
from sealroom.bridge.server import _served
from sealroom.client import Connection, Reconnect, RemoteTrack, StreamApi, StreamSubscription
from sealroom.client.events import Event, StreamPublished
from sealroom.identity import Identity, MemoryRoomPins, TrustOnFirstUse
from sealroom.media.frames import EncodedFrame
from sealroom.sframe import parse_header

SEEDS = {"alice": bytes([1]) * 32, "carol": bytes([2]) * 32}
MARK = re.compile(rb"<(\d+)>$")
MAX_SEEN = 50_000
TAP_SECONDS = 0.5  # a tap holds 256 frames
CLEAR_BYTES = {True: 10, False: 1}  # of VP8, before the SFrame header


def numbered() -> Callable[[EncodedFrame], EncodedFrame]:
    """Writes the number of each frame behind it, before it is encrypted."""
    count = 0

    def mark(frame: EncodedFrame) -> EncodedFrame:
        nonlocal count
        count += 1
        return dataclasses.replace(frame, data=bytes(frame.data) + b"<%d>" % count)

    return mark


class Member:
    """Publishes, and notes all that arrives."""

    def __init__(self, api: StreamApi, room_id: str) -> None:
        self._api = api
        self._room_id = room_id
        self._events: list[dict[str, Any]] = []
        self._seen: dict[str, list[tuple[int, float]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self) -> None:
        self._api.add_event_listener(self._note)
        await self._api.join_stream_room(self._room_id)
        self._api.add_remote_stream_listener(self._room_id, self._watch)
        stream = await self._api.create_stream(self._room_id)
        await stream.add_track(StripeTrack(), name="camera", encoded_frame_handler=numbered())
        await stream.add_track(AudioStreamTrack(), name="sound", encoded_frame_handler=numbered())
        await stream.publish()
        for one in await self._api.list_streams(self._room_id):
            if one.stream_id != stream.stream_id:
                await self._subscribe(one.stream_id)

    def report(self) -> dict[str, Any]:
        try:
            received = self._api.statistics(self._room_id).received
        except Exception as error:  # between two sessions there is none
            return {"seen": self._seen, "events": self._events, "rejected": str(error)}
        rejected: dict[str, int] = {}
        for one in received:
            for name, count in one.native.rejected.items():
                rejected[str(name)] = rejected.get(str(name), 0) + count
        return {"seen": self._seen, "events": self._events, "rejected": rejected}

    async def _subscribe(self, stream_id: str) -> None:
        wanted = [StreamSubscription(stream_id=stream_id)]
        await self._api.subscribe_to_remote_streams(self._room_id, wanted)

    def _note(self, event: Event) -> None:
        told = {"at": time.monotonic(), "event": type(event).__name__}
        for name in ("transport", "reason", "is_replaced"):
            if hasattr(event, name):
                told[name] = getattr(event, name)
        self._events.append(told)
        own = self._api._connection.user_id
        if isinstance(event, StreamPublished) and event.stream.user_id != own:
            task = asyncio.create_task(self._subscribe(event.stream.stream_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _watch(self, remote: RemoteTrack) -> None:
        seen = self._seen.setdefault(remote.name, [])

        def look(frame: EncodedFrame) -> EncodedFrame:
            match = MARK.search(bytes(frame.data))
            assert match is not None
            if len(seen) < MAX_SEEN:
                seen.append((int(match[1]), time.monotonic()))
            return dataclasses.replace(frame, data=bytes(frame.data)[: match.start()])

        remote.set_encoded_frame_handler(look)


class Nonces:
    """Key id and counter of every frame that the media server sees, by producer."""

    def __init__(self, media: Any) -> None:
        self._media: EmbeddedMediaServer = media
        self._taps: dict[int, tuple[Tap, str]] = {}
        self._seen: dict[int, set[tuple[int, int]]] = {}
        self.frames = self.repeated = 0

    async def run(self) -> None:
        while True:
            for ref, producer in list(self._media._state.tracks.items()):
                if producer.id not in self._taps:
                    tap = self._media.tap(ref.stream_id, ref.track_id)
                    self._taps[producer.id] = (tap, producer.track.kind)
                self._look(producer.id)
            await asyncio.sleep(TAP_SECONDS)

    def _look(self, producer_id: int) -> None:
        tap, kind = self._taps[producer_id]
        seen = self._seen.setdefault(producer_id, set())
        for frame in tap.take_frames():
            start = CLEAR_BYTES[frame.is_key_frame] if kind == "video" else 0
            key_id, counter, _ = parse_header(bytes(frame.data)[start:])
            self.frames += 1
            self.repeated += (key_id, counter) in seen
            seen.add((key_id, counter))


async def connect(stack: AsyncExitStack, url: str, context_id: str, user_id: str) -> StreamApi:
    connection = await Connection.connect(
        url,
        identity=Identity(SEEDS[user_id]),
        user_id=user_id,
        context_id=context_id,
        trust=TrustOnFirstUse(),
        room_pins=MemoryRoomPins(),
        reconnect=Reconnect(),
    )
    stack.push_async_callback(connection.close)
    api = StreamApi(connection)  # with the addresses of the namespace, whichever those are
    stack.push_async_callback(api.close)
    return api


async def serve_reports(started: dict[str, Any], report: Callable[[], dict[str, Any]]) -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    _tell(started)
    while await reader.readline():
        _tell(report())


def _tell(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def home(address: str) -> None:
    async with AsyncExitStack() as stack:
        config = BridgeConfig(host=address, port=0, host_addresses=[address])
        bridge = await stack.enter_async_context(_served(config, None))
        context = await bridge.admin.context_create("networks")
        for name, seed in SEEDS.items():
            await bridge.admin.user_add(context.context_id, name, Identity(seed).public)
        api = await connect(stack, bridge.url, context.context_id, "alice")
        room_id = await api.create_stream_room(context.context_id, ["carol"], private_meta=b"")
        member, nonces = Member(api, room_id), Nonces(bridge.media)
        await member.begin()
        looking = asyncio.create_task(nonces.run())
        stack.callback(looking.cancel)
        started = {"url": bridge.url, "context_id": context.context_id, "room_id": room_id}
        await serve_reports(
            started,
            lambda: member.report() | {"frames": nonces.frames, "repeated": nonces.repeated},
        )


async def away(url: str, context_id: str, room_id: str) -> None:
    async with AsyncExitStack() as stack:
        member = Member(await connect(stack, url, context_id, "carol"), room_id)
        await member.begin()
        await serve_reports({}, member.report)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    asyncio.run({"home": home, "away": away}[sys.argv[1]](*sys.argv[2:]))
