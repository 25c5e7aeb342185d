"""Real calls: a Bridge with its native media server, and clients that publish and receive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest_asyncio
from aiortc import VideoStreamTrack
from aiortc.mediastreams import AudioStreamTrack
from av import VideoFrame

from sealroom.bridge import Bridge, BridgeConfig
from sealroom.bridge.server import RunningBridge
from sealroom.client import Connection, Reconnect, RemoteTrack, StreamApi, StreamSubscription
from sealroom.client.handles import StreamHandle
from sealroom.identity import Identity
from sealroom.media.frames import DecodedFrame
from sealroom.media.ice import HostAddresses
from sealroom.media.outgoing_track import OutgoingTrack

LOOPBACK = ["127.0.0.1"]


class StripeTrack(VideoStreamTrack):
    """A small picture, half black and half of one grey, with a bar that moves."""

    def __init__(self, grey: int = 200) -> None:
        super().__init__()
        self._grey = grey
        self._count = 0

    async def recv(self) -> VideoFrame:
        pts, time_base = await self.next_timestamp()
        picture = np.zeros((96, 128, 3), np.uint8)
        picture[:, 64:] = self._grey
        picture[(self._count * 2) % 96] = 255
        self._count += 1
        frame = VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


def shows_stripes(frame: DecodedFrame, grey: int = 200) -> bool:
    """Whether a decoded picture is that of a `StripeTrack`."""
    picture = frame.to_ndarray()
    assert picture.shape == (96, 128, 3)
    left, right = np.median(picture[:, :56]), np.median(picture[:, 72:])
    return bool(left < 30 and abs(right - grey) < 20)


class Call:
    """A Bridge with a context of some users, a room, and their `StreamApi`s."""

    def __init__(
        self, bridge: RunningBridge, context_id: str, host_addresses: HostAddresses = LOOPBACK
    ) -> None:
        self.host_addresses = host_addresses
        self.bridge = bridge
        self.context_id = context_id
        self.identities: dict[str, Identity] = {}
        self.connections: dict[str, Connection] = {}
        self.apis: dict[str, StreamApi] = {}
        self.room_id = ""
        self.reconnect: Reconnect | None = Reconnect()

    async def add(self, user_id: str) -> StreamApi:
        """Register a user and log in."""
        identity = self.identities[user_id] = Identity.generate()
        await self.bridge.admin.user_add(self.context_id, user_id, identity.public)
        connection = self.connections[user_id] = await Connection.connect(
            self.bridge.url,
            identity=identity,
            user_id=user_id,
            context_id=self.context_id,
            reconnect=self.reconnect,
        )
        api = self.apis[user_id] = StreamApi(connection, host_addresses=self.host_addresses)
        return api

    async def subscribe(self, user_id: str, stream: StreamHandle) -> dict[str, RemoteTrack]:
        """Subscribe to all of a stream and return its tracks by name."""
        api = self.apis[user_id]
        await self.sees(user_id, stream)
        await api.subscribe_to_remote_streams(
            self.room_id, [StreamSubscription(stream_id=stream.stream_id)]
        )
        receiving = api._session(self.room_id).receiving

        def has_it() -> bool:  # not at once if its id was used before, and that end is on its way
            return stream.stream_id in {one.stream_id for one in receiving.remote_tracks()}

        await eventually(has_it)
        return {
            one.name: one
            for one in api._session(self.room_id).receiving.remote_tracks()
            if one.stream_id == stream.stream_id
        }

    async def sees(self, user_id: str, stream: StreamHandle) -> None:
        """Wait until the stream's event has reached a user."""

        async def has_it() -> bool:
            streams = await self.apis[user_id].list_streams(self.room_id)
            return stream.stream_id in {one.stream_id for one in streams}

        await eventually(has_it)

    async def close(self) -> None:
        async with asyncio.timeout(20):
            for api in self.apis.values():
                await api.close()
            for connection in self.connections.values():
                await connection.close()


@asynccontextmanager
async def open_call(
    *users: str,
    session_timeout: float = 0.0,
    reconnect: Reconnect | None = None,
    host_addresses: HostAddresses = LOOPBACK,
    **config: Any,
) -> AsyncIterator[Call]:
    """A room of these users, all joined; the first one made it.

    Sessions end with their socket unless `session_timeout` is given, and connections do not come
    back unless `reconnect` says when.
    """
    async with Bridge.embedded(BridgeConfig(session_timeout=session_timeout, **config)) as bridge:
        context = await bridge.admin.context_create("call")
        call = Call(bridge, context.context_id, host_addresses)
        call.reconnect = reconnect
        try:
            for user_id in users:
                await call.add(user_id)
            first = call.apis[users[0]]
            call.room_id = await first.create_stream_room(
                call.context_id, list(users[1:]), private_meta=b"private"
            )
            for user_id in users:
                await call.apis[user_id].join_stream_room(call.room_id)
            yield call
        finally:
            await call.close()


async def publish(
    api: StreamApi, room_id: str, *, grey: int = 200, audio: bool = False, **options: Any
) -> StreamHandle:
    """Publish stripes as "camera" and, if wanted, silence as "microphone"."""
    stream = await api.create_stream(room_id)
    await stream.add_track(StripeTrack(grey), name="camera", **options)
    if audio:
        await stream.add_track(AudioStreamTrack(), name="microphone")
    await stream.publish()
    return stream


@pytest_asyncio.fixture
async def call() -> AsyncIterator[Call]:
    """A call of alice and bob, who have joined its room."""
    async with open_call("alice", "bob") as one:
        yield one


async def take(remote: RemoteTrack, count: int, seconds: float = 15) -> list[DecodedFrame]:
    """The next decoded frames of a track."""
    frames: list[DecodedFrame] = []
    async with asyncio.timeout(seconds):
        async for frame in remote.frames():
            frames.append(frame)
            if len(frames) == count:
                break
    return frames


async def eventually(condition: Callable[[], bool | Awaitable[bool]], seconds: float = 10) -> None:
    """Wait for a condition."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        answer = condition()
        if answer if isinstance(answer, bool) else await answer:
            return
        assert asyncio.get_running_loop().time() < deadline, "it never came true"
        await asyncio.sleep(0.02)


def received(call: Call, user_id: str, name: str = "camera") -> Any:
    """Statistics of a track a user receives."""
    api = call.apis[user_id]
    remotes = {one.track_id: one for one in api._session(call.room_id).receiving.remote_tracks()}
    return next(
        one for one in api.statistics(call.room_id).received if remotes[one.track_id].name == name
    )


async def fresh_room(call: Call) -> str:
    """Have alice and bob in another room, which is the call's from now on."""
    alice, bob = call.apis["alice"], call.apis["bob"]
    room_id = await alice.create_stream_room(call.context_id, ["bob"])
    for api in (alice, bob):
        await api.join_stream_room(room_id)
    call.room_id = room_id
    return room_id


async def leave(call: Call) -> None:
    """Have all leave the call's room."""
    for api in call.apis.values():
        await api.leave_stream_room(call.room_id)


def sent_by(api: StreamApi, room_id: str) -> list[OutgoingTrack]:
    """The tracks that somebody sends in a room."""
    publisher = api._session(room_id).publishing.publisher
    assert publisher is not None
    return [track for _, track in publisher.outgoing_tracks()]
