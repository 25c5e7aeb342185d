"""Who asks for too much is refused with a time to wait, and cut off if that does not help."""

import asyncio

import pytest
from bridge_support import Refused, World, eventually, open_world
from client_support import ClientWorld
from websockets.exceptions import ConnectionClosed

from sealroom.bridge import BridgeError, RateLimits
from sealroom.client.errors import RateLimitedError
from sealroom.identity import Identity
from sealroom.protocol import CLOSE_RATE_LIMITED, ErrorCode


async def test_a_flood_of_requests_is_refused_and_others_are_served() -> None:
    limits = RateLimits(requests=0.5, request_burst=20)
    async with open_world(rate_limits=limits) as world:
        alice, bob = await world.user("alice"), await world.user("bob")
        for _ in range(10):
            await alice.call("room.list", context_id=world.context_id)  # costs 2
        with pytest.raises(Refused, match="retry_after=") as refused:
            await alice.call("room.list", context_id=world.context_id)
        assert refused.value.code is ErrorCode.RATE_LIMITED
        assert "wait" in (refused.value.remedy or "")
        await bob.call("room.list", context_id=world.context_id)
        assert b'rate_limited_total{what="request"} 1.0' in world.bridge.bridge.metrics.render()


async def test_what_is_no_request_counts_too() -> None:
    limits = RateLimits(anonymous_requests=0.01, anonymous_burst=20, max_refused=5)
    async with open_world(rate_limits=limits) as world:
        client = await world.connect()
        for _ in range(20):
            with pytest.raises(Refused) as refused:
                await client.send(b"rubbish")
            assert refused.value.code is ErrorCode.PARSE_ERROR
        for _ in range(4):
            with pytest.raises(Refused) as refused:
                await client.send(b"rubbish")
            assert refused.value.code is ErrorCode.RATE_LIMITED
        await client.socket.send("rubbish")
        await asyncio.wait_for(client.socket.wait_closed(), 10)
        assert client.socket.close_code == CLOSE_RATE_LIMITED


async def test_challenges_before_the_log_in_are_few() -> None:
    limits = RateLimits(anonymous_requests=0.01, anonymous_burst=20)
    async with open_world(rate_limits=limits) as world:
        client = await world.connect()
        for _ in range(20):
            await client.call("auth.challenge", context_id="c", user_id="u")
        with pytest.raises(Refused) as refused:
            await client.call("auth.challenge", context_id="c", user_id="u")
        assert refused.value.code is ErrorCode.RATE_LIMITED
        await world.user("alice")


async def test_guessing_from_one_address_stops_before_the_guess_is_looked_at() -> None:
    limits = RateLimits(failed_logins=0.001, failed_login_burst=3)
    async with open_world(rate_limits=limits) as world:
        key = await world.bridge.admin.create_api_key()
        client = await world.connect()
        for _ in range(3):
            with pytest.raises(Refused) as refused:
                await client.call("auth.admin", api_key="guess")
            assert refused.value.code is ErrorCode.LOGIN_FAILED
        other = await world.connect()  # from the same address
        with pytest.raises(Refused) as refused:
            await other.call("auth.admin", api_key=key)
        assert refused.value.code is ErrorCode.RATE_LIMITED
        late = await world.connect()
        with pytest.raises(Refused) as refused:
            await late.login("alice", world.identities["alice"])
        assert refused.value.code is ErrorCode.RATE_LIMITED


async def test_log_ins_that_succeed_do_not_use_the_allowance_up() -> None:
    async with open_world(rate_limits=RateLimits(failed_login_burst=1)) as world:
        for _ in range(4):
            await world.user("alice")
        client = await world.connect()
        with pytest.raises(Refused) as refused:
            await client.login("alice", Identity.generate())
        assert refused.value.code is ErrorCode.LOGIN_FAILED


async def test_too_many_connections_from_one_address_are_closed_with_a_reason() -> None:
    limits = RateLimits(connections=0.001, connection_burst=2)
    async with open_world(rate_limits=limits) as world:
        first, _second = await world.connect(), await world.connect()
        third = await world.connect()
        await eventually(lambda: third.socket.close_code is not None)
        assert third.socket.close_code == CLOSE_RATE_LIMITED
        with pytest.raises(ConnectionClosed):
            await third.socket.recv()
        await first.call("auth.challenge", context_id="c", user_id="u")


async def test_the_client_says_how_long_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_world(rate_limits=RateLimits(requests=0.5, request_burst=20)) as world:
        clients = ClientWorld(world, monkeypatch)
        try:
            api = await clients.api("alice")
            for _ in range(10):
                await api.list_stream_rooms()
            with pytest.raises(RateLimitedError) as refused:
                await api.list_stream_rooms()
            assert 0 < refused.value.retry_after <= 4
        finally:
            await clients.close()


FORGED = {"X-Forwarded-For": "203.0.113.7"}


async def failed_sources(world: World) -> set[str]:
    """Where failed log-ins came from, as the audit log has it."""
    audit = world.bridge.bridge._running().audit
    audit._end_minute(now=True)
    found = await world.bridge.admin.audit_list(action="login.failed")
    return {one.object_id for one in found.entries}


async def test_a_forged_source_address_changes_nothing() -> None:
    limits = RateLimits(failed_logins=0.001, failed_login_burst=2)
    async with open_world(rate_limits=limits) as world:
        for number in range(2):
            forged = {"X-Forwarded-For": f"203.0.113.{number}"}
            client = await world.connect(additional_headers=forged)
            with pytest.raises(Refused):
                await client.call("auth.admin", api_key="wrong")
        client = await world.connect(additional_headers=FORGED)
        with pytest.raises(Refused) as refused:
            await client.call("auth.admin", api_key="wrong")
        assert refused.value.code is ErrorCode.RATE_LIMITED
        assert await failed_sources(world) == {"127.0.0.1"}


async def test_only_a_proxy_that_is_named_says_where_a_connection_comes_from() -> None:
    for proxies, source in ((["127.0.0.0/8"], "203.0.113.7"), (["10.0.0.1"], "127.0.0.1")):
        async with open_world(forwarded_allow_ips=proxies) as world:
            client = await world.connect(additional_headers=FORGED)
            with pytest.raises(Refused):
                await client.call("auth.admin", api_key="wrong")
            assert await failed_sources(world) == {source}


@pytest.mark.parametrize("wrong", ["*", "proxy.example", "", "10.0.0.1/8", "300.0.0.1"])
async def test_a_proxy_is_named_by_address_or_network(wrong: str) -> None:
    with pytest.raises(BridgeError, match="forwarded_allow_ips"):
        async with open_world(forwarded_allow_ips=[wrong]):
            pass


async def test_the_environment_does_not_decide_who_is_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    async with open_world() as world:
        client = await world.connect(additional_headers=FORGED)
        with pytest.raises(Refused):
            await client.call("auth.admin", api_key="wrong")
        assert await failed_sources(world) == {"127.0.0.1"}
