"""A Bridge, a room and its members in one program: what the other examples play on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from sealroom.bridge import Bridge
from sealroom.client import Connection, StreamApi
from sealroom.client.handles import StreamHandle
from sealroom.identity import Identity, MemoryRoomPins, TrustOnFirstUse
from sealroom.sources import MediaSource


@asynccontextmanager
async def stage(*names: str) -> AsyncIterator[tuple[str, dict[str, StreamApi]]]:
    """A room that these users have joined; the first one is its manager, the last one too."""
    async with Bridge.embedded() as bridge, AsyncExitStack() as stack:
        team = (await bridge.admin.context_create("examples")).context_id
        apis: dict[str, StreamApi] = {}
        for name in names:
            identity = Identity.generate()
            await bridge.admin.user_add(team, name, identity.public)
            connection = await Connection.connect(
                bridge.url,
                identity=identity,
                user_id=name,
                context_id=team,
                trust=TrustOnFirstUse(),  # in memory: these people live for one run
                room_pins=MemoryRoomPins(),
            )
            await stack.enter_async_context(connection)
            api = StreamApi(connection, host_addresses=["127.0.0.1"])
            apis[name] = await stack.enter_async_context(api)
        manager = apis[names[0]]
        room_id = await manager.create_stream_room(team, users=names[1:-1], managers=[names[-1]])
        for api in apis.values():
            await api.join_stream_room(room_id)
        yield room_id, apis


async def publish(api: StreamApi, room_id: str, source: MediaSource) -> StreamHandle:
    """Publishes all tracks of a source as one stream."""
    stream = await api.create_stream(room_id)
    for track in source.tracks:
        await stream.add_track(track)
    await stream.publish()
    return stream
