"""Who gets credentials for TURN servers, and that neither secret nor credential is logged."""

import logging

import pytest
from bridge_support import Refused, open_world

from sealroom.bridge import TurnServer
from sealroom.protocol import ErrorCode

SECRET = "a secret of the TURN server"
RELAY = TurnServer(urls=["turn:127.0.0.1:3478"], secret=SECRET)


async def test_participants_get_credentials_and_nobody_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_world(turn_servers=[RELAY], turn_ttl=600.0) as world:
        alice, bob, mallory = [await world.user(one) for one in ("alice", "bob", "mallory")]
        room = await world.create_room(alice, ["bob"])
        joined = await alice.join(room.room_id)
        (server,) = joined.media.ice_servers
        assert (server.urls, joined.media.expires_in) == (["turn:127.0.0.1:3478"], 600.0)
        renewed = await alice.call("turn.credentials", room_id=room.room_id)
        assert renewed.ice_servers[0].username != server.username
        for client, code in (
            (bob, ErrorCode.NOT_JOINED),
            (mallory, ErrorCode.ACCESS_DENIED),
        ):
            with pytest.raises(Refused) as refused:
                await client.call("turn.credentials", room_id=room.room_id)
            assert refused.value.code is code
        await alice.call("room.leave", room_id=room.room_id)
        with pytest.raises(Refused) as refused:
            await alice.call("turn.credentials", room_id=room.room_id)
        assert refused.value.code is ErrorCode.NOT_JOINED
        bridge_lines = [one for one in caplog.records if one.name.startswith("sealroom")]
        assert bridge_lines
        for secret in (SECRET, server.credential, renewed.ice_servers[0].credential):
            assert secret not in "".join(one.getMessage() for one in bridge_lines)


async def test_without_turn_servers_there_are_no_credentials() -> None:
    async with open_world() as world:
        alice = await world.user("alice")
        room = await world.create_room(alice)
        assert (await alice.join(room.room_id)).media.expires_in is None
        got = await alice.call("turn.credentials", room_id=room.room_id)
        assert (got.ice_servers, got.expires_in) == ([], None)
