"""Every method of a room for every role: the Bridge asks for the right that belongs to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from bridge_support import Client, Refused, World, announce, eventually, offer_for

from sealroom.access import Right, record_hash
from sealroom.protocol import (
    ROOM_RECORD_TYPE,
    STREAM_ANNOUNCEMENT_TYPE,
    ErrorCode,
    EventType,
    RoomRecord,
)

Call = Callable[[Client, str], Awaitable[Any]]


def plain(method: str, **params: Any) -> Call:
    return lambda client, room_id: client.call(method, room_id=room_id, **params)


async def publish(client: Client, room_id: str) -> None:
    announcement = announce(client.context_id, room_id)
    await client.call(
        "stream.publish",
        room_id=room_id,
        announcement=client.sign(STREAM_ANNOUNCEMENT_TYPE, announcement),
        offer=offer_for(announcement),
    )


async def update(client: Client, room_id: str) -> None:
    signed = client.sign(ROOM_RECORD_TYPE, b"{}")
    await client.call("room.update", room_id=room_id, record=signed, sealed_secrets=[])


async def send_event(client: Client, room_id: str) -> None:
    signed = client.sign("custom-event", b"{}")
    await client.call("room.send_event", room_id=room_id, event=signed)


async def update_stream(client: Client, room_id: str) -> None:
    announcement = announce(client.context_id, room_id, version=2)
    signed = client.sign(STREAM_ANNOUNCEMENT_TYPE, announcement)
    await client.call("stream.update", room_id=room_id, announcement=signed)


async def follow(client: Client, room_id: str) -> None:
    await client.call("events.subscribe", types=["room.closed"], scope="room", scope_id=room_id)


METHODS: dict[str, tuple[Right, Call]] = {
    "room.get": (Right.GET, plain("room.get")),
    "room.history": (Right.GET, plain("room.history")),
    "room.join": (Right.GET, plain("room.join")),
    "room.leave": (Right.GET, plain("room.leave")),
    "room.ready": (Right.GET, plain("room.ready", epoch=1)),
    "room.participants": (Right.GET, plain("room.participants")),
    "stream.list": (Right.GET, plain("stream.list")),
    "media.answer": (Right.GET, plain("media.answer", offer_id=1, sdp="x")),
    "media.trickle": (Right.GET, plain("media.trickle", transport="publisher", candidate="x")),
    "turn.credentials": (Right.GET, plain("turn.credentials")),
    "media.restart": (Right.GET, plain("media.restart", transport="subscriber")),
    "media.reset": (Right.GET, plain("media.reset", transport="subscriber")),
    "events.subscribe": (Right.GET, follow),
    "stream.publish": (Right.PUBLISH, publish),
    "stream.update": (Right.PUBLISH, update_stream),
    "stream.unpublish": (Right.UNPUBLISH_OTHERS, plain("stream.unpublish", stream_id="others")),
    "recording.start": (Right.RECORD, plain("recording.start")),
    "recording.stop": (Right.GET, plain("recording.stop")),
    "subscription.update": (
        Right.SUBSCRIBE,
        plain("subscription.update", add=[{"stream_id": "others"}]),
    ),
    "room.kick": (Right.KICK, plain("room.kick", participant_id="unknown")),
    "room.send_event": (Right.SEND_CUSTOM_EVENT, send_event),
    "room.update": (Right.UPDATE, update),
    "room.close": (Right.CLOSE, plain("room.close")),
    "room.reopen": (Right.CLOSE, plain("room.reopen")),
    "room.delete": (Right.DELETE, plain("room.delete")),
}
EXPRESSIONS = {  # who may: user, manager, owner (a manager); strangers never
    "user": {"bob", "carol", "alice"},
    "manager": {"carol", "alice"},
    "owner": {"alice"},
    "none": set(),
}


@pytest.mark.parametrize("method", METHODS)
async def test_a_method_needs_its_right(world: World, method: str) -> None:
    right, call = METHODS[method]
    await world.add_user("carol")
    clients = {name: await world.user(name) for name in ("alice", "bob", "carol", "mallory")}
    for expression, allowed in EXPRESSIONS.items():
        if right is Right.UPDATE and expression == "user":
            allowed = EXPRESSIONS["manager"]
        for name in ("mallory", "bob", "carol", "alice"):
            record = world.record(["alice", "carol"], ["bob"], policy={right: expression})
            room_id = record.room_id
            await clients["alice"].call(
                "room.create", world.create_params(clients["alice"], record)
            )
            owner_sees = right is not Right.GET or expression != "none"
            inside = []
            if owner_sees:
                await clients["alice"].join(room_id)
                inside.append("alice")
            if method not in ("room.join", "room.leave") and name not in ("mallory", "alice"):
                try:
                    await clients[name].join(room_id)
                    inside.append(name)
                except Refused:
                    assert right is Right.GET
            if method == "stream.unpublish":
                await clients["alice"].publish(room_id, "others")
                if name == "alice":  # her own needs no right; this is bob's
                    await clients["bob"].join(room_id)
                    await clients["alice"].call(
                        "stream.unpublish", room_id=room_id, stream_id="others"
                    )
                    await clients["bob"].publish(room_id, "others")
            assert await is_allowed(call, clients[name], room_id) is (name in allowed), (
                expression,
                name,
            )
            for one in inside:  # so that the next round has no other room's events
                with contextlib.suppress(Refused):
                    await clients[one].call("room.leave", room_id=room_id)


async def is_allowed(call: Call, client: Client, room_id: str) -> bool:
    """Whether anything but "you may not" comes of it."""
    try:
        await call(client, room_id)
    except Refused as refused:
        return refused.code is not ErrorCode.ACCESS_DENIED
    return True


async def test_ones_own_stream_needs_no_right_to_unpublish(world: World) -> None:
    """Who may publish may unpublish; whom the policy forbids it later, the Bridge has ended."""
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(alice, ["bob"], policy={"unpublish_others": "none"})
    await bob.join(room.room_id)
    stream_id = await bob.publish(room.room_id)
    lines = "allow all\ndeny stream.publish"  # from now on bob may not begin another
    await world.bridge.admin.user_set_acl(world.context_id, "bob", lines)
    with pytest.raises(Refused):
        await bob.publish(room.room_id)
    await bob.call("stream.unpublish", room_id=room.room_id, stream_id=stream_id)
    assert (await alice.call("stream.list", room_id=room.room_id)).streams == []


async def test_every_method_about_a_room_is_in_the_table() -> None:
    from sealroom.protocol import METHODS as ALL

    named = {
        name
        for name, (params, _) in ALL.items()
        if "room_id" in params.__struct_fields__ and not name.startswith("admin.")
    }
    assert named - {"room.create"} == set(METHODS)


async def test_a_kicked_participant_is_told_and_may_come_back(world: World) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    other = await world.user("bob")
    room = await world.create_room(alice, ["bob"])
    await alice.join(room.room_id)
    participant = (await bob.join(room.room_id)).participant_id
    await other.join(room.room_id)
    await alice.call("room.kick", room_id=room.room_id, participant_id=participant)
    while (told := await bob.event())[0].type == "participant.joined":
        pass
    assert (told[0].type, told[1].reason, told[1].user_id) == ("room.excluded", "kicked", "alice")
    while (left := await alice.event())[0].type == "participant.joined":
        pass
    envelope, left = left
    assert (envelope.type, left.participant_id, left.reason) == (
        "participant.left",
        participant,
        "kicked",
    )
    listed = await alice.call("room.participants", room_id=room.room_id)
    assert [one.user_id for one in listed.participants] == ["alice", "bob"]
    with pytest.raises(Refused) as refused:
        await alice.call("room.kick", room_id=room.room_id, participant_id=participant)
    assert refused.value.code is ErrorCode.PARTICIPANT_NOT_FOUND
    await bob.join(room.room_id)


async def allow_managers_to_subscribe(world: World, manager: Client, record: RoomRecord) -> None:
    """Store the next record: whoever is no manager loses the right."""
    changed = msgspec.structs.replace(
        record,
        version=2,
        creator=manager.user_id,
        previous_hash=record_hash(msgspec.json.encode(record)),
        policy={"subscribe": "manager"},
    )
    signed = manager.sign(ROOM_RECORD_TYPE, changed)
    await manager.call("room.update", room_id=record.room_id, record=signed, sealed_secrets=[])


@pytest.mark.parametrize("had_others", [False, True])
async def test_who_loses_the_right_while_it_subscribes_receives_nothing(
    world: World, had_others: bool
) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    record = world.record(["alice"], ["bob"])
    room_id = record.room_id
    await alice.call("room.create", world.create_params(alice, record))
    await alice.join(room_id)
    await bob.join(room_id)
    if had_others:
        subscribe = plain("subscription.update", add=[{"stream_id": await alice.publish(room_id)}])
        await subscribe(bob, room_id)
    stream_id = await alice.publish(room_id)
    world.media.gate = asyncio.Event()
    world.media.entered.clear()
    call = plain("subscription.update", add=[{"stream_id": stream_id}])
    subscribing = asyncio.create_task(call(bob, room_id))
    await world.media.entered.wait()
    waiting = asyncio.create_task(call(bob, room_id))  # for the first, in its turn
    await allow_managers_to_subscribe(world, alice, record)
    world.media.gate.set()
    for task in (subscribing, waiting):
        with pytest.raises(Refused) as caught:
            await task
        assert caught.value.code == ErrorCode.ACCESS_DENIED
    await eventually(lambda: not any(world.media.subscriptions.values()))
    while not bob.events.empty():
        envelope, data = await bob.event()
        if envelope.type == EventType.MEDIA_OFFER:
            assert data.tracks == []


async def test_who_loses_the_right_while_it_unsubscribes_receives_nothing(world: World) -> None:
    alice, bob = await world.user("alice"), await world.user("bob")
    record = world.record(["alice"], ["bob"])
    room_id = record.room_id
    await alice.call("room.create", world.create_params(alice, record))
    await alice.join(room_id)
    await bob.join(room_id)
    streams = [await alice.publish(room_id), await alice.publish(room_id)]
    add = [{"stream_id": one} for one in streams]
    await bob.call("subscription.update", room_id=room_id, add=add)
    world.media.gate = asyncio.Event()
    world.media.entered.clear()
    removing = asyncio.create_task(
        bob.call("subscription.update", room_id=room_id, remove=[{"stream_id": streams[0]}])
    )
    await world.media.entered.wait()
    await allow_managers_to_subscribe(world, alice, record)
    world.media.gate.set()
    await removing
    await eventually(lambda: not any(world.media.subscriptions.values()))
