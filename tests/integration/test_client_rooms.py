"""Rooms through `StreamApi`: what members read, what a changed key or a lying Bridge does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from client_support import ClientWorld, EventLog, open_client_world

from sealroom.client import Connection, StreamApi, UserIdentity
from sealroom.client.errors import AccessDeniedError, RequestRefusedError
from sealroom.client.events import RoomClosed, RoomCreated, RoomDeleted
from sealroom.crypto.epoch import EpochId, seal_secret
from sealroom.crypto.errors import (
    CommitmentMismatchError,
    ForgedSignatureError,
    MemberKeyMismatchError,
    RoomMismatchError,
    SealedSecretOpenError,
    SealedSecretRecipientError,
    VerificationError,
)
from sealroom.errors import InvalidArgumentError, SealroomError
from sealroom.identity import (
    AllowList,
    CallbackVerifier,
    Identity,
    TrustOnFirstUse,
    default_pin_file,
)
from sealroom.protocol import MAX_METADATA_BYTES, ErrorCode, RoomResult, RoomView


@pytest_asyncio.fixture
async def clients(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ClientWorld]:
    async with open_client_world(monkeypatch) as one:
        yield one


def tamper(api: StreamApi, clients: ClientWorld, change: Callable[[RoomView], RoomView]) -> None:
    """Have the Bridge of this client lie in its answers to room.get."""
    connection = clients.connection_of(api)
    honest = connection.call

    async def lying(method: str, params: Any, result: Any) -> Any:
        answer = await honest(method, params, result)
        if method == "room.get":
            return RoomResult(room=change(answer.room))
        if method == "room.list":
            views = [change(msgspec.json.decode(one, type=RoomView)) for one in answer.rooms]
            rooms = [msgspec.Raw(msgspec.json.encode(one)) for one in views]
            return msgspec.structs.replace(answer, rooms=rooms)
        return answer

    connection.call = lying  # type: ignore[method-assign]


async def test_members_read_what_the_creator_wrote(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(
        alice, public_meta=b"public", private_meta=b"private", policy={"publish": "manager"}
    )
    for api in (alice, bob):
        room = await api.get_stream_room(room_id)
        assert (room.public_meta, room.private_meta) == (b"public", b"private")
        assert (room.creator, room.managers, room.users) == ("alice", ["alice"], ["bob"])
        assert (room.version, room.epoch, room.state) == (1, 1, "created")
        assert room.policy == {"publish": "manager"}


async def test_the_bridge_stores_no_private_word(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    stored: list[RoomView] = []
    tamper(alice, clients, lambda view: stored.append(view) or view)  # type: ignore[func-returns-value]
    room_id = await clients.room(alice, private_meta=b"very private words")
    await alice.get_stream_room(room_id)
    assert b"very private" not in msgspec.json.encode(stored[0])
    assert b"very private" not in stored[0].record.payload


async def test_a_stranger_learns_nothing(clients: ClientWorld) -> None:
    alice, mallory = await clients.api("alice"), await clients.api("mallory")
    room_id = await clients.room(alice)
    for attempt in (
        mallory.get_stream_room,
        mallory.join_stream_room,
        mallory.delete_stream_room,
    ):
        with pytest.raises(AccessDeniedError):
            await attempt(room_id)
    assert (await mallory.list_stream_rooms()).total == 0


async def test_rooms_are_listed_by_creation_page_by_page(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_ids = [await clients.room(alice, public_meta=bytes([i])) for i in range(3)]
    await clients.room(alice, ())
    listed = await bob.list_stream_rooms(sort_order="asc")
    assert [one.room_id for one in listed.rooms] == room_ids
    assert listed.total == 3
    page = await bob.list_stream_rooms(skip=1, limit=1)
    assert ([one.room_id for one in page.rooms], page.total) == ([room_ids[1]], 3)
    for arguments in ({"limit": 0}, {"limit": 101}, {"skip": -1}, {"sort_order": "up"}):
        with pytest.raises(InvalidArgumentError):
            await bob.list_stream_rooms(**arguments)  # type: ignore[arg-type]


async def test_a_deleted_room_is_gone(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice)
    with pytest.raises(AccessDeniedError):
        await bob.delete_stream_room(room_id)
    await alice.delete_stream_room(room_id)
    with pytest.raises(AccessDeniedError):
        await bob.get_stream_room(room_id)


async def test_events_of_rooms_come_to_who_asks(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    events = EventLog(bob)
    subscription = await bob.subscribe_for_events()
    room_id = await clients.room(alice)
    assert await events.next() == RoomCreated(room_id, "alice")
    await alice.delete_stream_room(room_id)
    assert await events.next() == RoomDeleted(room_id, "alice")
    await bob.unsubscribe_from_events(subscription)
    await clients.room(alice)
    second = await clients.room(alice, empty_room_ttl=0)
    await bob.subscribe_for_events(room_id=second)
    await alice.join_stream_room(second)
    await alice.leave_stream_room(second)
    assert await events.next() == RoomClosed(second)


@pytest.mark.parametrize("field", ["public_meta", "private_meta"])
async def test_metadata_beyond_its_limit_is_refused_here(clients: ClientWorld, field: str) -> None:
    alice = await clients.api("alice")
    room_id = await clients.room(alice, **{field: b"x" * MAX_METADATA_BYTES})
    assert len(getattr(await alice.get_stream_room(room_id), field)) == MAX_METADATA_BYTES
    with pytest.raises(InvalidArgumentError, match=field):
        await clients.room(alice, **{field: b"x" * (MAX_METADATA_BYTES + 1)})


async def test_a_room_needs_users_of_the_context_and_its_own_context(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    with pytest.raises(InvalidArgumentError, match="nobody"):
        await clients.room(alice, ("bob", "nobody"))
    with pytest.raises(InvalidArgumentError, match="context_id"):
        await alice.create_stream_room("elsewhere", ["bob"])


async def test_a_key_the_application_knows_wins_over_the_bridges(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    true_bob = clients.world.identities["bob"].public
    room_id = await alice.create_stream_room(clients.context_id, [UserIdentity("bob", true_bob)])
    assert (await alice.get_stream_room(room_id)).users == ["bob"]
    other = await clients.api("alice", AllowList({"bob": Identity.generate().public}))
    with pytest.raises(MemberKeyMismatchError):
        await clients.room(other)
    stranger = UserIdentity("bob", Identity.generate().public)
    third = await clients.api("alice")
    with pytest.raises(RequestRefusedError) as caught:
        await third.create_stream_room(clients.context_id, [stranger])
    assert caught.value.error_code == ErrorCode.RECORD_INVALID


# Trust


async def change_key(clients: ClientWorld, user_id: str) -> None:
    """The Bridge, or whoever administers it, gives a user another key."""
    admin = clients.world.bridge.admin
    await admin.user_remove(clients.context_id, user_id)
    clients.world.identities[user_id] = Identity.generate()
    public = clients.world.identities[user_id].public
    await admin.user_add(clients.context_id, user_id, public)


async def test_a_key_that_changes_is_refused_even_after_a_restart(
    clients: ClientWorld, tmp_path: Path
) -> None:
    pins = tmp_path / "pins.json"
    await clients.room(await clients.api("alice", TrustOnFirstUse(pins)))
    await change_key(clients, "bob")
    restarted = await clients.api("alice", TrustOnFirstUse(pins))
    with pytest.raises(MemberKeyMismatchError) as caught:
        await clients.room(restarted)
    assert caught.value.user_id == "bob"
    TrustOnFirstUse(pins).forget(clients.context_id, "bob")
    await clients.room(restarted)


async def test_a_room_of_a_user_who_is_not_trusted_does_not_open(clients: ClientWorld) -> None:
    room_id = await clients.room(await clients.api("alice"))
    bob = await clients.api("bob", CallbackVerifier(lambda context, user: False))
    with pytest.raises(MemberKeyMismatchError):
        await bob.get_stream_room(room_id)
    with pytest.raises(MemberKeyMismatchError):
        await bob.join_stream_room(room_id)
    listed = await bob.list_stream_rooms()
    assert (listed.total, listed.rooms) == (1, [])
    assert isinstance(listed.refused[0].error, MemberKeyMismatchError)


# A lying Bridge


async def test_the_record_of_another_room_is_caught(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    first, second = await clients.room(alice), await clients.room(alice)
    other: list[RoomView] = []
    tamper(bob, clients, lambda view: other.append(view) or view)  # type: ignore[func-returns-value]
    await bob.get_stream_room(first)
    tamper(
        bob,
        clients,
        lambda view: msgspec.structs.replace(
            view, record=other[0].record, sealed_secrets=other[0].sealed_secrets
        ),
    )
    with pytest.raises(RoomMismatchError):
        await bob.get_stream_room(second)


async def test_an_answer_about_another_room_is_caught(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice)
    tamper(bob, clients, lambda view: msgspec.structs.replace(view, room_id="another"))
    with pytest.raises(SealroomError, match="another room"):
        await bob.get_stream_room(room_id)


def with_payload(view: RoomView, old: bytes, new: bytes) -> RoomView:
    payload = view.record.payload.replace(old, new)
    assert payload != view.record.payload
    return msgspec.structs.replace(
        view, record=msgspec.structs.replace(view.record, payload=payload)
    )


def with_secret(view: RoomView, sealed: bytes) -> RoomView:
    own = msgspec.structs.replace(view.sealed_secrets[0], sealed=sealed)
    return msgspec.structs.replace(view, sealed_secrets=[own])


async def test_each_lie_about_a_room_is_caught_wherever_it_is_told(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    room_id = await clients.room(alice)
    bobs = clients.world.identities["bob"].public
    elsewhere = EpochId(clients.context_id, "elsewhere", 1)
    here = EpochId(clients.context_id, room_id, 1)
    lies: list[tuple[Callable[[RoomView], RoomView], type[VerificationError]]] = [
        (
            lambda view: with_payload(view, b'"role":"user"', b'"role":"manager"'),
            ForgedSignatureError,
        ),
        (lambda view: msgspec.structs.replace(view, sealed_secrets=[]), SealedSecretRecipientError),
        (
            lambda view: with_secret(view, seal_secret(bytes(32), here, "bob", bobs).sealed),
            CommitmentMismatchError,
        ),
        (
            lambda view: with_secret(view, seal_secret(bytes(32), elsewhere, "bob", bobs).sealed),
            SealedSecretOpenError,
        ),
    ]
    for lie, expected in lies:
        bob = await clients.api("bob")
        tamper(bob, clients, lie)
        with pytest.raises(expected):
            await bob.get_stream_room(room_id)
        with pytest.raises(expected):
            await bob.join_stream_room(room_id)
        listed = await bob.list_stream_rooms()
        assert [type(one.error) for one in listed.refused] == [expected]


async def test_without_a_verifier_keys_are_pinned_in_the_users_file(clients: ClientWorld) -> None:
    async def connect() -> StreamApi:
        connection = await Connection.connect(
            clients.world.bridge.url,
            identity=clients.world.identities["alice"],
            user_id="alice",
            context_id=clients.context_id,
        )
        api = StreamApi(connection)
        clients.adopt(connection, api)
        return api

    await clients.room(await connect())
    assert default_pin_file().is_file()
    await change_key(clients, "bob")
    with pytest.raises(MemberKeyMismatchError):
        await clients.room(await connect())
