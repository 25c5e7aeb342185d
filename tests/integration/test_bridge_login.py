"""Log-in by signature, and the administrator's key."""

import asyncio

import msgspec
import pytest
from bridge_support import Client, Refused, World, open_world

from sealroom.identity import Identity
from sealroom.protocol import (
    CLOSE_BUSY,
    CLOSE_FAILED_LOGINS,
    CLOSE_LOGIN_TIMEOUT,
    CLOSE_USER_REMOVED,
    LOGIN_TYPE,
    MAX_FAILED_LOGINS,
    ErrorCode,
    LoginPayload,
)


async def challenge(world: World, client: Client, user_id: str = "alice") -> LoginPayload:
    result = await client.call("auth.challenge", context_id=world.context_id, user_id=user_id)
    return LoginPayload(
        bridge_id=result.bridge_id,
        nonce=result.nonce,
        context_id=world.context_id,
        user_id=user_id,
    )


async def refused_login(client: Client, payload: LoginPayload, identity: Identity) -> None:
    with pytest.raises(Refused) as refusal:
        await client.login_with(payload, identity)
    assert refusal.value.code is ErrorCode.LOGIN_FAILED


async def test_login_returns_the_registered_user(world: World) -> None:
    client = await world.connect()
    result = await client.login("alice", world.identities["alice"])
    assert result.user.user_id == "alice"
    assert result.user.identity == world.identities["alice"].public.encode()


async def test_methods_need_a_login(world: World) -> None:
    client = await world.connect()
    for method in ("room.list", "context.users"):
        with pytest.raises(Refused) as refusal:
            await client.call(method, context_id=world.context_id)
        assert refusal.value.code is ErrorCode.NOT_LOGGED_IN


async def test_another_identity_is_refused(world: World) -> None:
    client = await world.connect()
    await refused_login(client, await challenge(world, client), world.identities["bob"])


async def test_a_payload_that_is_no_text_is_refused_like_a_wrong_one(world: World) -> None:
    client = await world.connect()
    good = msgspec.json.encode(await challenge(world, client))
    raw = good.replace(b'"alice"', b'"\xff"')
    assert raw != good
    with pytest.raises(Refused) as refusal:
        await client.call("auth.login", payload=raw, signature=bytes(64))
    assert refusal.value.code is ErrorCode.LOGIN_FAILED


async def test_a_signature_of_another_type_is_refused(world: World) -> None:
    client = await world.connect()
    raw = msgspec.json.encode(await challenge(world, client))
    signature = world.identities["alice"].sign("room-record", raw)
    with pytest.raises(Refused) as refusal:
        await client.call("auth.login", {"payload": raw, "signature": signature})
    assert refusal.value.code is ErrorCode.LOGIN_FAILED


async def test_unknown_users_get_a_challenge_and_the_same_refusal(world: World) -> None:
    client = await world.connect()
    texts = []
    for user_id, identity in (("nobody", Identity.generate()), ("alice", Identity.generate())):
        payload = await challenge(world, client, user_id)
        with pytest.raises(Refused) as refusal:
            await client.login_with(payload, identity)
        texts.append((refusal.value.code, refusal.value.message, refusal.value.remedy))
    assert texts[0] == texts[1]


async def test_a_login_cannot_be_replayed_on_another_connection(world: World) -> None:
    first, second = await world.connect(), await world.connect()
    payload = await challenge(world, first)
    raw = msgspec.json.encode(payload)
    captured = {"payload": raw, "signature": world.identities["alice"].sign(LOGIN_TYPE, raw)}
    await first.call("auth.login", captured)
    await challenge(world, second)
    with pytest.raises(Refused) as refusal:
        await second.call("auth.login", captured)
    assert refusal.value.code is ErrorCode.LOGIN_FAILED


async def test_a_nonce_is_good_once_even_after_a_refusal(world: World) -> None:
    client = await world.connect()
    payload = await challenge(world, client)
    await refused_login(client, payload, world.identities["bob"])
    await refused_login(client, payload, world.identities["alice"])


async def test_a_newer_challenge_voids_the_older(world: World) -> None:
    client = await world.connect()
    older = await challenge(world, client)
    newer = await challenge(world, client)
    assert older.nonce != newer.nonce
    await refused_login(client, older, world.identities["alice"])


async def test_the_challenge_of_one_user_does_not_log_in_another(world: World) -> None:
    client = await world.connect()
    payload = msgspec.structs.replace(await challenge(world, client, "bob"), user_id="alice")
    await refused_login(client, payload, world.identities["alice"])


async def test_a_payload_for_another_bridge_is_refused(world: World) -> None:
    client = await world.connect()
    payload = msgspec.structs.replace(await challenge(world, client), bridge_id="another")
    await refused_login(client, payload, world.identities["alice"])


async def test_a_challenge_expires() -> None:
    async with open_world(challenge_lifetime=0.05) as world:
        client = await world.connect()
        payload = await challenge(world, client)
        await asyncio.sleep(0.1)
        await refused_login(client, payload, world.identities["alice"])


async def test_a_connection_logs_in_once(world: World) -> None:
    client = await world.user("alice")
    with pytest.raises(Refused) as refusal:
        await client.login("bob", world.identities["bob"])
    assert refusal.value.code is ErrorCode.ALREADY_LOGGED_IN
    assert (await client.call("room.list", context_id=world.context_id)).total == 0


async def test_repeated_failures_close_the_connection(world: World) -> None:
    client = await world.connect()
    for _ in range(MAX_FAILED_LOGINS - 1):
        with pytest.raises(Refused):
            await client.call("auth.admin", api_key="guess")
    await client.socket.send(
        b'{"jsonrpc":"2.0","id":9,"method":"auth.admin","params":{"api_key":"guess"}}', text=True
    )
    await client.socket.wait_closed()
    assert client.socket.close_code == CLOSE_FAILED_LOGINS


async def test_a_connection_without_login_is_closed_in_time() -> None:
    async with open_world(login_timeout=0.3) as world:
        idle, busy = await world.connect(), await world.user("alice")
        await asyncio.wait_for(idle.socket.wait_closed(), 5)
        assert idle.socket.close_code == CLOSE_LOGIN_TIMEOUT
        assert (await busy.call("room.list", context_id=world.context_id)).total == 0


async def test_connections_beyond_the_limit_are_closed() -> None:
    async with open_world(max_connections=1) as world:
        first = await world.user("alice")
        second = await world.connect()
        await asyncio.wait_for(second.socket.wait_closed(), 5)
        assert second.socket.close_code == CLOSE_BUSY
        assert (await first.call("room.list", context_id=world.context_id)).total == 0


async def test_admin_methods_need_a_key(world: World) -> None:
    client = await world.user("alice")
    with pytest.raises(Refused) as refusal:
        await client.call("admin.context_list")
    assert refusal.value.code is ErrorCode.ADMIN_REQUIRED
    key = await world.bridge.admin.create_api_key()
    with pytest.raises(Refused) as refusal:
        await client.call("auth.admin", api_key=key[:-1] + ("a" if key[-1] != "a" else "b"))
    assert refusal.value.code is ErrorCode.LOGIN_FAILED
    with pytest.raises(Refused):
        await client.call("admin.context_list")
    await client.call("auth.admin", api_key=key)
    assert (await client.call("admin.context_list")).total == 1


async def test_an_administrator_makes_contexts_and_users(world: World) -> None:
    admin = await world.connect()
    await admin.call("auth.admin", api_key=await world.bridge.admin.create_api_key())
    context = await admin.call("admin.context_create", title="second")
    dave = Identity.generate()
    added = {"context_id": context.context_id, "user_id": "dave"}
    await admin.call("admin.user_add", {**added, "identity": dave.public.encode()})
    listed = await admin.call("admin.user_list", context_id=context.context_id)
    assert [user.user_id for user in listed.users] == ["dave"]
    client = await world.connect()
    await client.login("dave", dave, context.context_id)
    with pytest.raises(Refused) as refusal:
        await admin.call("admin.user_add", {**added, "identity": dave.public.encode()})
    assert refusal.value.code is ErrorCode.USER_EXISTS
    with pytest.raises(Refused) as refusal:
        await admin.call("admin.user_add", {**added, "identity": "sealroom:rubbish"})
    assert (refusal.value.code, refusal.value.field) == (ErrorCode.INVALID_PARAMS, "identity")
    for method in ("admin.user_list", "admin.room_list"):
        with pytest.raises(Refused) as refusal:
            await admin.call(method, context_id="unknown")
        assert refusal.value.code is ErrorCode.CONTEXT_NOT_FOUND
    with pytest.raises(Refused) as refusal:
        await admin.call("admin.user_remove", context_id=context.context_id, user_id="eve")
    assert refusal.value.code is ErrorCode.USER_NOT_FOUND


async def test_a_removed_user_is_cut_off_and_cannot_return(world: World) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(alice, ["bob"])
    await alice.join(room.room_id)
    participant = (await bob.join(room.room_id)).participant_id
    await alice.event()
    await world.bridge.admin.user_remove(world.context_id, "bob")
    _, left = await alice.event("participant.left")
    assert left.user_id == "bob"
    assert ("remove_participant", participant) in world.media.calls
    await asyncio.wait_for(bob.socket.wait_closed(), 5)
    assert bob.socket.close_code == CLOSE_USER_REMOVED
    with pytest.raises(Refused):
        await (await world.connect()).login("bob", world.identities["bob"])
    await alice.no_event()


async def test_who_gets_a_members_user_id_later_does_not_get_its_rooms(world: World) -> None:
    alice = await world.user("alice")
    room = await world.create_room(alice, ["bob"])
    await world.bridge.admin.user_remove(world.context_id, "bob")
    await world.add_user("bob")
    impostor = await world.user("bob")
    with pytest.raises(Refused) as refusal:
        await impostor.call("room.get", room_id=room.room_id)
    assert refusal.value.code is ErrorCode.ACCESS_DENIED
    assert (await impostor.call("room.list", context_id=world.context_id)).total == 0
