"""A Bridge that is killed and started again: calls go on, and no key is used twice."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from call_support import LOOPBACK, StripeTrack, eventually, publish, shows_stripes, take
from outage_support import BridgeProcess

from sealroom.client import Connection, RemoteTrack, StreamApi, StreamSubscription, published_stream
from sealroom.client.events import (
    ConnectionStateChanged,
    Event,
    KeyRotated,
    RoomCreated,
    RoomLost,
    StreamLost,
    SubscriptionLost,
)
from sealroom.crypto.signed_object import read_unverified
from sealroom.identity import Identity, MemoryRoomPins, TrustOnFirstUse
from sealroom.protocol import EventType, StreamAnnouncement

logger = logging.getLogger(__name__)

KILLS = 5


class Member:
    """One user in the call, with all that it hears of."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.api = StreamApi(connection, host_addresses=LOOPBACK)
        self.events: list[Event] = []
        self.tracks: list[RemoteTrack] = []
        self.api.add_event_listener(self.events.append)

    @classmethod
    async def log_in(cls, url: str, user_id: str, identity: Identity, context_id: str) -> Member:
        return cls(
            await Connection.connect(
                url,
                identity=identity,
                user_id=user_id,
                context_id=context_id,
                trust=TrustOnFirstUse(),
                room_pins=MemoryRoomPins(),
            )
        )

    def states(self) -> list[str]:
        return [one.state for one in self.events if isinstance(one, ConnectionStateChanged)]

    def losses(self) -> list[Event]:
        return [
            one for one in self.events if isinstance(one, RoomLost | StreamLost | SubscriptionLost)
        ]

    async def close(self) -> None:
        await self.api.close()
        await self.connection.close()


async def test_calls_outlive_a_bridge_that_is_killed_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced: list[StreamAnnouncement] = []
    honest = published_stream.make_announcement

    def note(*arguments: Any, **options: Any) -> Any:
        signed = honest(*arguments, **options)
        announced.append(read_unverified(signed, StreamAnnouncement))
        return signed

    monkeypatch.setattr(published_stream, "make_announcement", note)
    bridge = BridgeProcess(tmp_path)
    identities = {"alice": Identity.generate(), "bob": Identity.generate()}
    members: list[Member] = []
    await bridge.start()
    try:
        await bridge.answers()
        context_id = await bridge.register(**identities)
        for user_id, identity in identities.items():
            members.append(await Member.log_in(bridge.url, user_id, identity, context_id))
        alice, bob = members
        room_id = await alice.api.create_stream_room(context_id, ["bob"], empty_room_ttl=0.1)
        for one in members:
            await one.api.join_stream_room(room_id)
            one.api.add_remote_stream_listener(room_id, one.tracks.append)
        streams = [await publish(one.api, room_id, grey=200) for one in members]
        for one, stream in zip(members, streams[::-1], strict=True):
            await eventually(lambda one=one, stream=stream: _sees(one, room_id, stream.stream_id))
            await one.api.subscribe_to_remote_streams(
                room_id, [StreamSubscription(stream.stream_id)]
            )
        subscription = await bob.api.subscribe_for_events([EventType.ROOM_CREATED])
        for one in members:
            assert shows_stripes((await take(one.tracks[-1], 5))[-1])
        back_after: list[float] = []
        for number in range(1, KILLS + 1):
            await bridge.kill()
            for one in members:
                await eventually(lambda one=one: one.states()[-1:] == ["reconnecting"])
            await bridge.start()
            await bridge.answers()
            started = time.monotonic()
            for one in members:
                await eventually(
                    lambda one=one, n=number: one.states().count("restored") == n, seconds=30
                )
                await eventually(lambda one=one, n=number: len(one.tracks) == 1 + n, seconds=30)
                assert shows_stripes((await take(one.tracks[-1], 3, 30))[-1])
            back_after.append(time.monotonic() - started)
        logger.info("seconds from an answering Bridge to decoded video: %s", back_after)
        for one in members:
            assert one.losses() == []
            assert one.states() == ["reconnecting", "connected", "restored"] * KILLS
        # Streams kept their ids, every publication had a nonce and so keys of its own.
        assert {one.stream_id for one in announced} == {one.stream_id for one in streams}
        assert len(announced) == 2 * (1 + KILLS)
        assert len({one.nonce for one in announced}) == len(announced)
        # Subscriptions go on under their ids, rooms are open, and keys rotate.
        await alice.api.create_stream_room(context_id, ["bob"])
        await eventually(lambda: any(isinstance(one, RoomCreated) for one in bob.events))
        await bob.api.unsubscribe_from_events(subscription)
        await alice.api.update_stream_room(room_id, force_generate_new_key=True)
        for one in members:
            await eventually(lambda one=one: any(isinstance(e, KeyRotated) for e in one.events))
            assert shows_stripes((await take(one.tracks[-1], 10))[-1])
        # And handles are what they were.
        await streams[0].unpublish()
        again = await alice.api.create_stream(room_id)
        await again.add_track(StripeTrack(), name="camera")
        await again.publish()
    finally:
        for one in members:
            await asyncio.wait_for(one.close(), 30)
        await bridge.kill()


async def _sees(member: Member, room_id: str, stream_id: str) -> bool:
    return stream_id in {one.stream_id for one in await member.api.list_streams(room_id)}
