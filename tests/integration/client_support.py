"""Clients of a Bridge without media: `StreamApi`s with peers that only go through the motions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from bridge_support import FakeMedia, World, open_world

from sealroom.client import Connection, StreamApi
from sealroom.client.handles import StreamHandle
from sealroom.client.media_recovery import MediaRecovery
from sealroom.client.room_link import RoomLink
from sealroom.identity import TrustOnFirstUse
from sealroom.media.sections import MediaSection


class FakePeer:
    """A peer whose offers suit the Bridge, and that reads those of `FakeMedia`."""

    def __init__(self, media: FakeMedia, role: str) -> None:
        self.role = role
        self.state = "new"
        self.on_state_change: Any = None
        self.transport = SimpleNamespace(srtp_profile=None, failure=None)
        self.sections: list[MediaSection] = []
        self.connecting: Exception | None = None
        self._media = media

    def add_section(self, **fields: Any) -> MediaSection:
        ssrc = fields.pop("ssrc")
        mid = str(len(self.sections))
        section = MediaSection(mid=mid, payload_type=96, local_ssrc=ssrc, **fields)
        self.sections.append(section)
        return section

    def use_data_channels(self, **_: Any) -> SimpleNamespace:
        return SimpleNamespace(on_channel=None, is_down=False, is_closed=False)

    def stop_section(self, section: MediaSection) -> None:
        section.stopped = True

    async def create_offer(self) -> str:
        lines = ["v=0"]
        for one in self.sections:
            if not one.stopped:
                lines += [f"m={one.kind} 9 UDP/TLS/RTP/SAVPF 96", f"a=mid:{one.mid}"]
                lines += [f"a=msid:{one.stream_id} {one.track_id}"]
        return "\r\n".join(lines) + "\r\n"

    def continues(self, offer: str) -> bool:
        return offer.startswith("offer of ")

    async def accept_answer(self, answer: str) -> None:
        assert answer.startswith("answer to")

    async def accept_offer(self, offer: str, codecs: Any = None) -> None:
        """`FakeMedia` numbers the wanted tracks; what they are is in its books."""
        count = int(offer.removeprefix("offer of "))
        refs = next(one for one in self._media.subscriptions.values() if len(one) == count)
        self.sections = []
        for mid, ref in enumerate(refs):
            _, tracks = self._media.streams[ref.stream_id]
            track = next(one for one in tracks if one.track_id == ref.track_id)
            self.sections.append(
                MediaSection(
                    mid=str(mid),
                    kind=track.kind,
                    codec=track.codec,
                    payload_type=96,
                    direction="recvonly",
                    remote_ssrc=mid + 1,
                )
            )

    async def create_answer(self) -> str:
        return "answer"

    async def connected(self) -> None:
        if self.connecting is not None:
            self.state = "failed"
            raise self.connecting
        self.state = "connected"

    def fail(self, reason: str) -> None:
        self.state, self.transport.failure = "failed", reason
        self.on_state_change("failed")

    async def close(self) -> None:
        self.state = "closed"
        if self.on_state_change is not None:
            self.on_state_change("closed")


class ClientWorld:
    """A Bridge, and `StreamApi`s of its users."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.context_id = world.context_id
        self.peers: list[FakePeer] = []
        self._apis: list[tuple[Connection, StreamApi]] = []
        self.connecting: Exception | None = None
        outer = self

        def make_peer(link: RoomLink, session: Any, recovery: MediaRecovery) -> FakePeer:
            peer = FakePeer(world.media, recovery.role)
            peer.connecting = outer.connecting
            recovery.adopt(peer)  # type: ignore[arg-type]
            outer.peers.append(peer)
            return peer

        monkeypatch.setattr(RoomLink, "make_peer", make_peer)

    async def connect(self, user_id: str, trust: Any = None) -> Connection:
        connection = await Connection.connect(
            self.world.bridge.url,
            identity=self.world.identities[user_id],
            user_id=user_id,
            context_id=self.context_id,
            trust=trust or TrustOnFirstUse(),
        )
        self._apis.append((connection, StreamApi(connection)))
        return connection

    async def api(self, user_id: str, trust: Any = None) -> StreamApi:
        await self.connect(user_id, trust)
        return self._apis[-1][1]

    def adopt(self, connection: Connection, api: StreamApi) -> None:
        """Close these at the end, too."""
        self._apis.append((connection, api))

    def connection_of(self, api: StreamApi) -> Connection:
        return next(connection for connection, one in self._apis if one is api)

    async def room(self, api: StreamApi, users: tuple[str, ...] = ("bob",), **options: Any) -> str:
        return await api.create_stream_room(self.context_id, list(users), **options)

    async def close(self) -> None:
        for connection, api in self._apis:
            await asyncio.wait_for(api.close(), 5)
            await asyncio.wait_for(connection.close(), 5)


@asynccontextmanager
async def open_client_world(
    monkeypatch: pytest.MonkeyPatch, **config: Any
) -> AsyncIterator[ClientWorld]:
    async with open_world(**config) as world:
        clients = ClientWorld(world, monkeypatch)
        try:
            yield clients
        finally:
            await clients.close()


async def publish(api: StreamApi, room_id: str, *, audio: bool = True) -> StreamHandle:
    """Publish a stream of silence and green pictures."""
    stream = await api.create_stream(room_id)
    await stream.add_track(VideoStreamTrack(), name="camera")
    if audio:
        await stream.add_track(AudioStreamTrack(), name="microphone")
    await stream.publish()
    return stream


class EventLog:
    """Events of an api, to be waited for."""

    def __init__(self, api: StreamApi) -> None:
        self.seen: list[Any] = []
        self._iterator = api.events()

    async def next(self, kind: type | None = None) -> Any:
        """The next event of this kind, skipping others."""
        async with asyncio.timeout(10):
            while True:
                event = await anext(self._iterator)
                self.seen.append(event)
                if kind is None or isinstance(event, kind):
                    return event
