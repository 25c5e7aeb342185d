"""What the socket takes: malformed messages, limits, clients that flood or do not read."""

import asyncio
import logging
import socket
from contextlib import suppress

import msgspec
import pytest
from bridge_support import FakeMedia, Refused, World, announce, offer_for, open_world
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from sealroom.bridge.media_server import MediaError
from sealroom.protocol import (
    CLOSE_BINARY_MESSAGE,
    CLOSE_MESSAGE_TOO_BIG,
    CLOSE_SLOW_CONSUMER,
    MAX_ANNOUNCEMENT_BYTES,
    MAX_ID_LENGTH,
    MAX_MESSAGE_BYTES,
    MAX_RECORD_BYTES,
    MAX_ROOM_MEMBERS,
    MAX_SDP_LENGTH,
    MAX_SEALED_SECRET_BYTES,
    MAX_UNAUTHENTICATED_MESSAGE_BYTES,
    STREAM_ANNOUNCEMENT_TYPE,
    ErrorCode,
)


@pytest.mark.parametrize(
    ("message", "request_id", "code"),
    [
        (b"", None, ErrorCode.PARSE_ERROR),
        (b"{", None, ErrorCode.PARSE_ERROR),
        (b"[" * 50_000, None, ErrorCode.INVALID_REQUEST),
        (b"[]", None, ErrorCode.INVALID_REQUEST),
        (b'[{"jsonrpc":"2.0","id":1,"method":"room.get"}]', None, ErrorCode.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","method":"room.get"}', None, ErrorCode.INVALID_REQUEST),
        (b'{"jsonrpc":"1.0","id":1,"method":"room.get"}', 1, ErrorCode.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', 1, ErrorCode.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"room.get","x":1}', 1, ErrorCode.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"room.fly"}', 1, ErrorCode.METHOD_NOT_FOUND),
        (b'{"jsonrpc":"2.0","id":1,"method":"room.get","params":[]}', 1, ErrorCode.INVALID_PARAMS),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"room.get","params":' + b'{"room_id":' * 20_000,
            None,
            ErrorCode.PARSE_ERROR,
        ),
    ],
)
async def test_malformed_messages_get_an_error_and_the_connection_goes_on(
    world: World, message: bytes, request_id: int | None, code: ErrorCode
) -> None:
    client = await world.user("alice")
    with pytest.raises(Refused) as refusal:
        await client.send(message, request_id)
    assert refusal.value.code is code
    assert (await client.call("room.list", context_id=world.context_id)).total == 0


@pytest.mark.parametrize(
    ("method", "params", "field"),
    [
        ("room.get", {"room_id": ""}, "room_id"),
        ("room.get", {"room_id": "a" * (MAX_ID_LENGTH + 1)}, "room_id"),
        ("room.get", {"room_id": "a b"}, "room_id"),
        ("room.get", {"room_id": 5}, "room_id"),
        ("room.get", {}, "room_id"),
        ("room.get", {"room_id": "r", "extra": 1}, "extra"),
        ("room.list", {"context_id": "c", "limit": 0}, "limit"),
        ("room.list", {"context_id": "c", "limit": 101}, "limit"),
        ("room.list", {"context_id": "c", "skip": -1}, "skip"),
        ("room.list", {"context_id": "c", "sort_order": "up"}, "sort_order"),
        ("context.users", {"context_id": "c", "user_ids": ["u"] * 101}, "user_ids"),
        ("media.answer", {"room_id": "r", "offer_id": 0, "sdp": "x"}, "offer_id"),
        (
            "media.answer",
            {"room_id": "r", "offer_id": 1, "sdp": "x" * (MAX_SDP_LENGTH + 1)},
            "sdp",
        ),
        (
            "media.trickle",
            {"room_id": "r", "transport": "other", "candidate": "c"},
            "transport",
        ),
        (
            "media.trickle",
            {"room_id": "r", "transport": "publisher", "candidate": "c" * 1025},
            "candidate",
        ),
        ("events.subscribe", {"types": [], "scope": "room", "scope_id": "r"}, "types"),
        ("events.subscribe", {"types": ["x"], "scope": "room", "scope_id": "r"}, "types[0]"),
    ],
)
async def test_parameters_beyond_their_limits_are_named(
    world: World, method: str, params: dict, field: str
) -> None:
    client = await world.user("alice")
    with pytest.raises(Refused) as refusal:
        await client.call(method, params)
    assert (refusal.value.code, refusal.value.field) == (ErrorCode.INVALID_PARAMS, field)
    assert refusal.value.remedy


async def test_a_room_beyond_its_limits_is_refused(world: World) -> None:
    alice = await world.user("alice")
    good = msgspec.to_builtins(world.create_params(alice, world.record(["alice"])))
    secret = good["sealed_secrets"][0]
    long_secret = {**secret, "sealed": "A" * 4 * (MAX_SEALED_SECRET_BYTES // 3 + 1)}
    for changes, field in (
        ({"sealed_secrets": [long_secret]}, "sealed_secrets[0].sealed"),
        ({"sealed_secrets": [secret] * (MAX_ROOM_MEMBERS + 1)}, "sealed_secrets"),
        ({"empty_room_ttl": -1}, "empty_room_ttl"),
        ({"empty_room_ttl": 1e9}, "empty_room_ttl"),
        (
            {"record": {**good["record"], "payload": "A" * 4 * (MAX_RECORD_BYTES // 3 + 1)}},
            "record.payload",
        ),
    ):
        with pytest.raises(Refused) as refusal:
            await alice.call("room.create", {**good, **changes})
        assert (refusal.value.code, refusal.value.field) == (ErrorCode.INVALID_PARAMS, field)
    for changes, field in (
        ({"public_meta": bytes(65537)}, "record.payload.public_meta"),
        ({"private_meta": bytes(65536 + 257)}, "record.payload.private_meta"),
        ({"epoch_commitment": b""}, "record.payload.epoch_commitment"),
        ({"policy": {"get": "user," * 20}}, "record.payload.policy[...]"),
    ):
        record = world.record(["alice"], **changes)
        with pytest.raises(Refused) as refusal:
            await alice.call("room.create", world.create_params(alice, record))
        assert (refusal.value.code, refusal.value.field) == (ErrorCode.RECORD_INVALID, field)
    assert (await alice.call("room.list", context_id=world.context_id)).total == 0


async def test_rooms_and_users_of_a_context_are_limited(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealroom.bridge.room_store.MAX_CONTEXT_ROOMS", 1)
    monkeypatch.setattr("sealroom.bridge.store.MAX_CONTEXT_USERS", 3)
    alice = await world.user("alice")
    await world.create_room(alice)
    with pytest.raises(Refused) as refusal:
        await world.create_room(alice)
    assert refusal.value.code is ErrorCode.LIMIT_EXCEEDED
    with pytest.raises(Exception, match="At most 3 users"):
        await world.add_user("dave")


async def test_before_login_messages_are_small(world: World) -> None:
    client = await world.connect()
    await client.socket.send("x" * (MAX_UNAUTHENTICATED_MESSAGE_BYTES + 1))
    await asyncio.wait_for(client.socket.wait_closed(), 5)
    assert client.socket.close_code == CLOSE_MESSAGE_TOO_BIG


async def test_a_message_beyond_the_limit_ends_the_connection(world: World) -> None:
    client = await world.user("alice")
    with suppress(ConnectionClosed):
        await client.socket.send("x" * (MAX_MESSAGE_BYTES + 1))
    await asyncio.wait_for(client.socket.wait_closed(), 5)
    assert client.socket.close_code == CLOSE_MESSAGE_TOO_BIG


async def test_binary_messages_end_the_connection(world: World) -> None:
    client = await world.user("alice")
    await client.socket.send(b"\0\1\2")
    await asyncio.wait_for(client.socket.wait_closed(), 5)
    assert client.socket.close_code == CLOSE_BINARY_MESSAGE


async def test_a_client_that_does_not_read_is_cut_off_and_the_others_go_on() -> None:
    async with open_world(max_queued_messages=50, close_timeout=3.0) as world:
        alice = await world.user("alice")
        room = await world.create_room(alice, ["bob"])
        await alice.join(room.room_id)
        raw = socket.create_connection(world.bridge.url.removeprefix("ws://").split(":"))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        raw.setblocking(False)
        deaf = await world.connect(sock=raw)
        await deaf.login("bob", world.identities["bob"])
        await deaf.join(room.room_id)
        await alice.event("participant.joined")
        deaf.socket.transport.pause_reading()
        for _ in range(2000):
            announcement = announce(world.context_id, room.room_id)
            padded = msgspec.json.encode(announcement).ljust(MAX_ANNOUNCEMENT_BYTES)
            await alice.call(
                "stream.publish",
                room_id=room.room_id,
                announcement=alice.sign(STREAM_ANNOUNCEMENT_TYPE, padded),
                offer=offer_for(announcement),
            )
            stream_id = announcement.stream_id
            await alice.call("stream.unpublish", room_id=room.room_id, stream_id=stream_id)
            if not alice.events.empty():
                break
        await alice.event("participant.left")
        deaf.socket.transport.resume_reading()
        await asyncio.wait_for(deaf.socket.wait_closed(), 10)
        assert deaf.socket.close_code == CLOSE_SLOW_CONSUMER
        metrics = world.bridge.bridge.metrics.render().decode()
        assert 'sealroom_connections_closed_total{code="4001"} 1.0' in metrics


async def test_no_secret_reaches_a_log(caplog: pytest.LogCaptureFixture) -> None:
    """Everything is logged at the lowest level, with marks in all that is secret."""
    caplog.set_level(logging.DEBUG)
    for name in ("sealroom.bridge", "sqlalchemy", "alembic", "asyncio"):
        caplog.set_level(logging.DEBUG, name)
    logging.getLogger("websockets.client").setLevel(logging.WARNING)  # the test's own client
    media = FakeMedia()
    mark = "canary-5d1f"
    async with open_world(media) as world:
        key = await world.bridge.admin.create_api_key("test")
        await world.bridge.admin.context_create(mark)
        alice = await world.user("alice")
        await alice.call("auth.admin", api_key=key)
        with pytest.raises(Refused):
            await alice.call("auth.admin", api_key=f"{mark}-wrong-key")
        record = world.record(["alice"], private_meta=mark.encode(), public_meta=mark.encode())
        params = world.create_params(alice, record)
        sealed = [msgspec.structs.replace(params.sealed_secrets[0], sealed=mark.encode())]
        params = msgspec.structs.replace(params, sealed_secrets=sealed)
        room_id = (await alice.call("room.create", params)).room.room_id
        with pytest.raises(Refused):
            await alice.call("room.create", params)
        await alice.join(room_id)
        for error in (MediaError(mark), RuntimeError(mark)):
            media.fail_next = error
            with pytest.raises(Refused):
                await alice.publish(room_id)
        stream_id = await alice.publish(room_id)
        await alice.call("subscription.update", room_id=room_id, add=[{"stream_id": stream_id}])
        await alice.call("media.answer", room_id=room_id, offer_id=1, sdp=f"a=ice-pwd:{mark}")
        media.fail_next = RuntimeError(mark)  # while a stream is removed
        await alice.call("stream.unpublish", room_id=room_id, stream_id=stream_id)
        with pytest.raises(Refused):
            await alice.call("room.get", {"room_id": f"{mark} {mark}"})
        media.fail_next = RuntimeError(mark)
        await alice.call("room.leave", room_id=room_id)
    logged = "\n".join(f"{one.name} {one.getMessage()} {one.exc_text}" for one in caplog.records)
    assert "room.create" in logged
    assert "RuntimeError" in logged
    assert mark not in logged
    assert key not in logged
    assert key.rsplit("-", 1)[-1] not in logged


async def test_two_requests_sent_at_once_are_answered_in_order(world: World) -> None:
    client = await world.user("alice")
    async with connect(world.bridge.rpc_url, proxy=None) as raw:
        for number in range(20):
            await raw.send(f'{{"jsonrpc":"2.0","id":{number},"method":"room.get"}}')
        answers = [msgspec.json.decode(await raw.recv())["id"] for _ in range(20)]
    assert answers == list(range(20))
    assert client.events.empty()
