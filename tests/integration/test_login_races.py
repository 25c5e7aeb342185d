"""Who is removed, gets another key or is revoked while a log-in is under way is not let in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from bridge_support import Client, Refused, World

from sealroom.bridge.key_store import KeyStore
from sealroom.bridge.store import Store
from sealroom.identity import Identity
from sealroom.protocol import ErrorCode


class Held:
    """The first call of a method: it has its answer, and waits to go on with it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        self._original: Callable[..., Awaitable[Any]] = getattr(owner, name)
        self._has_answer = asyncio.Event()
        self._may_go_on = asyncio.Event()
        held = self

        async def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return await held._call(self, *args, **kwargs)

        monkeypatch.setattr(owner, name, method)

    async def _call(self, *args: Any, **kwargs: Any) -> Any:
        answer = await self._original(*args, **kwargs)
        if not self._has_answer.is_set():
            self._has_answer.set()
            await self._may_go_on.wait()
        return answer

    async def reached(self) -> None:
        await asyncio.wait_for(self._has_answer.wait(), 20)

    def go_on(self) -> None:
        self._may_go_on.set()


async def refusal(call: Awaitable[Any]) -> ErrorCode:
    with pytest.raises(Refused) as refused:
        await call
    return refused.value.code


async def begin_login(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> tuple[Client, Held, asyncio.Task[Any]]:
    """Log alice in up to where she was looked up, and no session is there yet."""
    client = await world.connect()
    held = Held(monkeypatch, Store, "user")
    login = asyncio.create_task(client.login("alice", world.identities["alice"]))
    await held.reached()
    assert world.bridge.bridge._running().admin._parts.bus.session_count() == 0
    return client, held, login


async def test_who_is_removed_during_the_log_in_gets_no_session(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, held, login = await begin_login(world, monkeypatch)
    await world.bridge.admin.user_remove(world.context_id, "alice")
    held.go_on()
    assert await refusal(login) is ErrorCode.LOGIN_FAILED
    assert (await world.bridge.admin.statistics()).sessions == 0
    listing = client.call("room.list", context_id=world.context_id)
    assert await refusal(listing) is ErrorCode.NOT_LOGGED_IN
    await client.login("bob", world.identities["bob"])  # the connection is good for another try


async def test_whose_key_is_replaced_during_the_log_in_gets_no_session(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, held, login = await begin_login(world, monkeypatch)
    new = Identity.generate()
    await world.bridge.admin.user_set_identity(world.context_id, "alice", new.public)
    held.go_on()
    assert await refusal(login) is ErrorCode.LOGIN_FAILED
    assert (await world.bridge.admin.statistics()).sessions == 0
    await client.login("alice", new)
    assert (await world.bridge.admin.statistics()).sessions == 1


async def test_access_lines_set_during_the_log_in_are_in_force(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, held, login = await begin_login(world, monkeypatch)
    await world.bridge.admin.user_set_acl(world.context_id, "alice", "deny all")
    held.go_on()
    await login
    listing = client.call("room.list", context_id=world.context_id)
    assert await refusal(listing) is ErrorCode.ACCESS_DENIED


async def test_who_is_removed_and_registered_again_during_the_log_in_is_let_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, held, login = await begin_login(world, monkeypatch)
    admin, identity = world.bridge.admin, world.identities["alice"].public
    await admin.user_remove(world.context_id, "alice")
    await admin.user_add(world.context_id, "alice", identity)
    held.go_on()
    await login
    await client.call("room.list", context_id=world.context_id)


async def test_a_session_does_not_go_on_with_a_key_that_was_replaced(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.bridge.bridge._running().dispatcher._methods._sessions.timeout = 30.0
    first = await world.user("alice")
    session_id, identity = first.session_id, world.identities["alice"]
    first.socket.transport.abort()
    again = await world.connect()
    held = Held(monkeypatch, Store, "user")
    resumed = asyncio.create_task(again.resume("alice", identity, session_id, 0))
    await held.reached()
    await world.bridge.admin.user_set_identity(
        world.context_id, "alice", Identity.generate().public
    )
    held.go_on()
    assert await refusal(resumed) is ErrorCode.SESSION_NOT_FOUND
    assert (await world.bridge.admin.statistics()).sessions == 0


async def made(world: World, *scopes: str) -> tuple[str, str]:
    """Make an API key: its id, and the key."""
    created = await world.bridge.admin.key_create("test", scopes or ("*",))  # type: ignore[arg-type]
    return created.key.key_id, created.api_key


async def administrator(world: World) -> tuple[Client, str]:
    key_id, key = await made(world)
    client = await world.connect()
    await client.call("auth.admin", api_key=key)
    return client, key_id


async def test_a_key_revoked_while_it_is_checked_unlocks_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made(world)
    key_id, key = await made(world)
    client = await world.connect()
    held = Held(monkeypatch, KeyStore, "check")
    unlocking = asyncio.create_task(client.call("auth.admin", api_key=key))
    await held.reached()
    await world.bridge.admin.key_revoke(key_id)
    held.go_on()
    assert await refusal(unlocking) is ErrorCode.LOGIN_FAILED
    assert await refusal(client.call("admin.context_list")) is ErrorCode.ADMIN_REQUIRED


async def test_a_revocation_is_answered_after_the_calls_under_way_with_the_key(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made(world)
    client, key_id = await administrator(world)
    held = Held(monkeypatch, Store, "create_context")
    call = asyncio.create_task(client.call("admin.context_create", title="late"))
    await held.reached()
    revoking = asyncio.create_task(world.bridge.admin.key_revoke(key_id))
    while not await is_revoked(world, key_id):
        await asyncio.sleep(0)
    await client_turn(world)
    assert not revoking.done()
    held.go_on()
    await asyncio.wait_for(revoking, 20)
    await call
    assert await refusal(client.call("admin.context_list")) is ErrorCode.ADMIN_REQUIRED


async def is_revoked(world: World, key_id: str) -> bool:
    keys = (await world.bridge.admin.key_list()).keys
    return any(one.key_id == key_id and one.revoked_at is not None for one in keys)


async def client_turn(world: World) -> None:
    """Another client is served meanwhile."""
    other = await world.user("bob")
    await other.call("room.list", context_id=world.context_id)


async def test_keys_that_revoke_each_other_at_once_do_not_wait_for_each_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made(world)
    (one, one_id), (other, other_id) = await administrator(world), await administrator(world)
    both = asyncio.Barrier(2)
    original = KeyStore.revoke

    async def revoke(self: KeyStore, key_id: str) -> None:
        await both.wait()  # else one may be refused before it came this far
        await original(self, key_id)
        await both.wait()

    monkeypatch.setattr(KeyStore, "revoke", revoke)
    calls = (
        one.call("admin.key_revoke", key_id=other_id),
        other.call("admin.key_revoke", key_id=one_id),
    )
    await asyncio.wait_for(asyncio.gather(*calls), 20)
    for client in (one, other):
        assert await refusal(client.call("admin.context_list")) is ErrorCode.ADMIN_REQUIRED


async def test_a_key_revoked_at_another_bridge_makes_no_keys(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made(world)
    client, key_id = await administrator(world)
    held = Held(monkeypatch, KeyStore, "use")
    making = asyncio.create_task(client.call("admin.key_create", title="heir", scopes=["*"]))
    await held.reached()
    await world.bridge.bridge._running().keys.revoke(key_id)  # as another process does it
    held.go_on()
    assert await refusal(making) is ErrorCode.ADMIN_REQUIRED
    assert "heir" not in [one.title for one in (await world.bridge.admin.key_list()).keys]
