"""API keys: what they may do, for how long, and that revoking one is felt at once."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from bridge_support import Client, FakeMedia, Refused, World, open_world

from sealroom.bridge import RequestError
from sealroom.bridge.key_store import KeyStore
from sealroom.bridge.store import now_ms
from sealroom.protocol import MAX_API_KEYS, SCOPES, ErrorCode, KeyCreated


async def administrator(world: World, key: str) -> Client:
    client = await world.connect()
    await client.call("auth.admin", api_key=key)
    return client


async def make(client: Client, *scopes: str, **more: object) -> KeyCreated:
    made: KeyCreated = await client.call("admin.key_create", title="t", scopes=scopes, **more)
    return made


async def refusal(call: object) -> tuple[ErrorCode, str | None]:
    with pytest.raises(Refused) as refused:
        await call  # type: ignore[misc]
    return refused.value.code, refused.value.field


@pytest.fixture
async def root(world: World) -> Client:
    return await administrator(world, await world.bridge.admin.create_api_key("root"))


async def test_a_key_does_what_its_scopes_say_and_nothing_else(world: World, root: Client) -> None:
    client = await administrator(world, (await make(root, "contexts:read", "keys:read")).api_key)
    assert (await client.call("admin.context_list")).total == 1
    with pytest.raises(Refused, match="contexts:write") as refused:
        await client.call("admin.context_create", title="more")
    assert refused.value.code is ErrorCode.SCOPE_REQUIRED
    assert (await root.call("admin.context_list")).total == 1
    assert (await refusal(client.call("admin.user_list", context_id=world.context_id)))[0] is (
        ErrorCode.SCOPE_REQUIRED
    )


async def test_a_key_makes_keys_within_its_own_scopes_and_time_only(
    world: World, root: Client
) -> None:
    end = now_ms() + 3_600_000
    own = await make(root, "keys:write", "rooms:read", expires_at=end)
    client = await administrator(world, own.api_key)
    assert own.key.created_by
    for scopes, expires_at, field in (
        (["users:write"], end, "scopes"),
        (["rooms:read", "*"], end, "scopes"),
        (["rooms:read"], None, "expires_at"),
        (["rooms:read"], end + 1, "expires_at"),
    ):
        call = make(client, *scopes, expires_at=expires_at)
        assert await refusal(call) == (ErrorCode.SCOPE_REQUIRED, field)
    made = await make(client, "rooms:read", expires_at=end)
    assert made.key.created_by == own.key.key_id
    await administrator(world, made.api_key)


async def test_a_weak_key_cannot_revoke_a_stronger_one(world: World, root: Client) -> None:
    weak = await administrator(world, (await make(root, "keys:write", "keys:read")).api_key)
    strong = await make(root, "*")
    call = weak.call("admin.key_revoke", key_id=strong.key.key_id)
    assert await refusal(call) == (ErrorCode.SCOPE_REQUIRED, "key_id")
    await administrator(world, strong.api_key)


async def test_a_revoked_key_ends_what_it_opened(world: World, root: Client) -> None:
    made = await make(root, "*")
    client = await administrator(world, made.api_key)
    assert (await client.call("admin.context_list")).total == 1
    await root.call("admin.key_revoke", key_id=made.key.key_id)
    assert (await refusal(client.call("admin.context_list")))[0] is ErrorCode.ADMIN_REQUIRED
    again = await world.connect()
    assert await refusal(again.call("auth.admin", api_key=made.api_key)) == (
        ErrorCode.LOGIN_FAILED,
        "api_key",
    )
    await root.call("admin.key_revoke", key_id=made.key.key_id)  # no error
    unknown = root.call("admin.key_revoke", key_id="unknown")
    assert await refusal(unknown) == (ErrorCode.KEY_NOT_FOUND, "key_id")


async def test_an_expired_key_is_of_no_use(
    world: World, root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await make(root, "*", expires_at=now_ms() + 60_000)
    client = await administrator(world, made.api_key)
    await client.call("admin.context_list")
    monkeypatch.setattr("sealroom.bridge.key_store.now_ms", lambda: now_ms() + 60_001)
    assert (await refusal(client.call("admin.context_list")))[0] is ErrorCode.ADMIN_REQUIRED
    again = await world.connect()
    assert (await refusal(again.call("auth.admin", api_key=made.api_key)))[0] is (
        ErrorCode.LOGIN_FAILED
    )
    past = make(root, "*", expires_at=now_ms() - 1)
    assert await refusal(past) == (ErrorCode.INVALID_PARAMS, "expires_at")


async def test_the_last_key_that_can_do_everything_stays(world: World, root: Client) -> None:
    first = (await root.call("admin.key_list")).keys[0]
    ending = await make(root, "*", expires_at=now_ms() + 60_000)
    await make(root, "keys:write")
    call = root.call("admin.key_revoke", key_id=first.key_id)
    assert await refusal(call) == (ErrorCode.LAST_KEY, "key_id")
    await root.call("admin.key_revoke", key_id=ending.key.key_id)
    await make(root, "*", "rooms:read")  # the same as "*"
    await root.call("admin.key_revoke", key_id=first.key_id)


async def test_keys_are_listed_without_their_secret_and_with_their_last_use(
    world: World, root: Client, tmp_path: Path
) -> None:
    made = await make(root, "rooms:read", "contexts:read")
    listed = await root.call("admin.key_list", skip=1, limit=1)
    assert listed.total == 2
    (view,) = listed.keys
    assert (view.scopes, view.last_used_at, view.revoked_at) == (
        ["contexts:read", "rooms:read"],
        None,
        None,
    )
    assert made.api_key not in str(msgspec.json.encode(listed))
    client = await administrator(world, made.api_key)
    await client.call("admin.context_list")
    used = (await root.call("admin.key_list", skip=1, limit=1)).keys[0].last_used_at
    assert abs(used - now_ms()) < 60_000


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"title": "t", "scopes": []}, "scopes"),
        ({"title": "t", "scopes": ["everything"]}, "scopes[0]"),
        ({"title": "t", "scopes": ["*"] * (len(SCOPES) + 1)}, "scopes"),
        ({"title": "t" * 257, "scopes": ["*"]}, "title"),
        ({"title": "t", "scopes": ["*"], "expires_at": -1}, "expires_at"),
    ],
)
async def test_a_malformed_key_is_refused_with_its_field(
    world: World, root: Client, params: dict[str, object], field: str
) -> None:
    call = root.call("admin.key_create", params)
    assert await refusal(call) == (ErrorCode.INVALID_PARAMS, field)
    with pytest.raises(RequestError) as refused:
        await world.bridge.admin.key_create(**params)  # type: ignore[arg-type]
    assert refused.value.field == field
    assert (await root.call("admin.key_list")).total == 1


async def test_only_so_many_keys_are_kept_and_useless_ones_make_room(
    world: World, root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_API_KEYS == 1000
    monkeypatch.setattr("sealroom.bridge.key_store.MAX_API_KEYS", 3)
    made = [await make(root, "keys:read") for _ in range(2)]
    assert (await refusal(make(root, "keys:read")))[0] is ErrorCode.LIMIT_EXCEEDED
    await root.call("admin.key_revoke", key_id=made[0].key.key_id)
    newest = await make(root, "keys:read")
    kept = [one.key_id for one in (await root.call("admin.key_list")).keys]
    assert kept[1:] == [made[1].key.key_id, newest.key.key_id]


async def test_a_new_first_key_is_made_only_where_none_can_be_used(tmp_path: Path) -> None:
    database = f"sqlite+aiosqlite:///{tmp_path / 'bridge.db'}"
    async with open_world(FakeMedia(), database=database) as world:
        first = await world.bridge.bridge.first_api_key()
        assert first is not None
        assert await world.bridge.bridge.first_api_key() is None
    async with open_world(FakeMedia(), database=database) as world:
        assert await world.bridge.bridge.first_api_key() is None
        await administrator(world, first)


async def test_a_stored_hash_does_not_unlock_anything(world: World, root: Client) -> None:
    keys: KeyStore = world.bridge.bridge._running().keys
    for guess in ("", "sealroom-key-", "x" * 256):
        assert await keys.check(guess) is None
    found = await asyncio.gather(*(keys.check("sealroom-key-x") for _ in range(8)))
    assert set(found) == {None}
