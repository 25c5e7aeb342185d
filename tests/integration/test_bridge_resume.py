"""Sessions that outlive their socket: resumption, replay, time-out, take-over, and who may."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio
from bridge_support import Client, Refused, World, eventually, open_world

from sealroom.protocol import (
    CLOSE_FAILED_LOGINS,
    CLOSE_TAKEN_OVER,
    CLOSE_USER_REMOVED,
    LOGIN_TYPE,
    MAX_FAILED_LOGINS,
    MAX_PARKED_SESSIONS,
    ErrorCode,
    EventType,
    LoginPayload,
)


@pytest_asyncio.fixture
async def patient() -> AsyncIterator[World]:
    """A Bridge that keeps sessions for longer than a test takes."""
    async with open_world(session_timeout=60.0) as world:
        yield world


async def pair(world: World) -> tuple[str, Client, Client]:
    alice, bob = await world.user("alice"), await world.user("bob")
    room = await world.create_room(alice, ["bob"])
    await alice.join(room.room_id)
    await bob.join(room.room_id)
    await alice.event(EventType.PARTICIPANT_JOINED)
    return room.room_id, alice, bob


def gauge(world: World, name: str) -> int:
    lines = world.bridge.bridge.metrics.render().decode().splitlines()
    return int(float(next(one for one in lines if one.startswith(f"sealroom_{name} ")).split()[1]))


def parked(world: World) -> int:
    return gauge(world, "parked_sessions")


async def drop(world: World, client: Client) -> None:
    """Cut the client's connection and wait until the Bridge has noticed."""
    before = parked(world)
    client.socket.transport.abort()
    await eventually(lambda: parked(world) == before + 1)


async def resume(world: World, old: Client, last_sequence: int, *joined: str) -> Client:
    client = await world.connect()
    identity = world.identities[old.user_id]
    await client.resume(old.user_id, identity, old.session_id, last_sequence, *joined)
    return client


async def refused(code: ErrorCode, awaitable) -> None:
    with pytest.raises(Refused) as refusal:
        await awaitable
    assert refusal.value.code is code


async def test_a_login_tells_how_long_the_session_lives_without_a_socket(patient: World) -> None:
    client = await patient.connect()
    result = await client.login("alice", patient.identities["alice"])
    assert result.session_timeout == 60.0


async def test_a_dropped_socket_is_not_noticed_by_the_others(patient: World) -> None:
    room_id, alice, bob = await pair(patient)
    stream_id = await bob.publish(room_id)
    await alice.event(EventType.STREAM_PUBLISHED)
    await drop(patient, bob)
    await alice.no_event()
    listed = await alice.call("stream.list", room_id=room_id)
    assert [one.stream_id for one in listed.streams] == [stream_id]
    assert patient.media.count("remove_participant") == 0
    again = await resume(patient, bob, 0, room_id)
    await again.call("stream.unpublish", room_id=room_id, stream_id=stream_id)
    await alice.event(EventType.STREAM_UNPUBLISHED)
    await alice.no_event()


async def test_what_was_missed_comes_once_in_order_before_the_answer(patient: World) -> None:
    room_id, alice, bob = await pair(patient)
    first = await bob.publish(room_id)
    envelope, _ = await alice.event(EventType.STREAM_PUBLISHED)
    await drop(patient, alice)
    second = await bob.publish(room_id)
    await bob.call("stream.unpublish", room_id=room_id, stream_id=first)
    await bob.call("room.leave", room_id=room_id)
    again = await patient.connect()
    result = await again.resume(
        "alice", patient.identities["alice"], alice.session_id, envelope.sequence, room_id
    )
    assert (result.replayed, result.resync) == (4, False)
    seen = [again.events.get_nowait() for _ in range(4)]
    assert [one.sequence for one in seen] == [envelope.sequence + one for one in range(1, 5)]
    assert [one.type for one in seen] == [
        EventType.STREAM_PUBLISHED,
        EventType.STREAM_UNPUBLISHED,
        EventType.STREAM_UNPUBLISHED,
        EventType.PARTICIPANT_LEFT,
    ]
    assert second.encode() in bytes(memoryview(seen[2].data))
    await again.no_event()


async def test_event_subscriptions_go_on(patient: World) -> None:
    alice, bob = await patient.user("alice"), await patient.user("bob")
    await bob.call(
        "events.subscribe", types=["room.created"], scope="context", scope_id=patient.context_id
    )
    await drop(patient, bob)
    again = await resume(patient, bob, 0)
    await patient.create_room(alice, ["bob"])
    await again.event(EventType.ROOM_CREATED)


@pytest.mark.parametrize(
    "config",
    [{"max_logged_events": 3}, {"max_logged_bytes": 1500}, {"max_logged_seconds": 0.0}],
)
async def test_who_missed_more_than_is_kept_is_told_to_read_again(config: dict) -> None:
    async with open_world(session_timeout=60.0, **config) as world:
        room_id, alice, bob = await pair(world)
        await drop(world, alice)
        for _ in range(3):
            await bob.call("room.leave", room_id=room_id)
            await bob.join(room_id)
        again = await world.connect()
        identity = world.identities["alice"]
        result = await again.resume("alice", identity, alice.session_id, 1, room_id)
        assert (result.replayed, result.resync) == (0, True)
        envelope, lost = await again.event(EventType.SESSION_RESYNC)
        assert (envelope.room_id, envelope.sequence, lost.missed) == ("", 8, 6)
        await again.no_event()
        await bob.call("room.leave", room_id=room_id)
        envelope, _ = await again.event(EventType.PARTICIPANT_LEFT)
        assert envelope.sequence == 9


async def test_after_its_time_the_session_ends_once_and_cannot_be_resumed() -> None:
    async with open_world(session_timeout=0.3) as world:
        room_id, alice, bob = await pair(world)
        bob.socket.transport.abort()
        await alice.no_event()
        _, left = await alice.event(EventType.PARTICIPANT_LEFT)
        assert left.reason == "disconnected"
        client = await world.connect()
        await refused(
            ErrorCode.SESSION_NOT_FOUND,
            client.resume("bob", world.identities["bob"], bob.session_id, 0, room_id),
        )
        await client.login("bob", world.identities["bob"])
        await client.join(room_id)
        await alice.event(EventType.PARTICIPANT_JOINED)
        await alice.no_event()
        assert world.media.count("remove_participant") == 1


async def test_a_resumed_session_does_not_end_at_its_old_time() -> None:
    async with open_world(session_timeout=0.4) as world:
        room_id, alice, bob = await pair(world)
        await drop(world, bob)
        again = await resume(world, bob, 0, room_id)
        await asyncio.sleep(0.6)
        await alice.no_event()
        assert len((await again.call("room.participants", room_id=room_id)).participants) == 2


async def test_a_clean_close_ends_the_session_at_once(patient: World) -> None:
    room_id, alice, bob = await pair(patient)
    await bob.socket.close()
    _, left = await alice.event(EventType.PARTICIPANT_LEFT)
    assert left.reason == "disconnected"
    assert parked(patient) == 0
    client = await patient.connect()
    await refused(
        ErrorCode.SESSION_NOT_FOUND,
        client.resume("bob", patient.identities["bob"], bob.session_id, 0, room_id),
    )


async def test_a_second_socket_takes_over_from_one_that_looks_alive(patient: World) -> None:
    room_id, alice, bob = await pair(patient)
    again = await resume(patient, bob, 0, room_id)
    await asyncio.wait_for(bob.socket.wait_closed(), 10)
    assert bob.socket.close_code == CLOSE_TAKEN_OVER
    stream_id = await again.publish(room_id)
    _, published = await alice.event(EventType.STREAM_PUBLISHED)
    assert published.stream_id == stream_id
    third = await resume(patient, again, 0, room_id)
    await third.call("stream.unpublish", room_id=room_id, stream_id=stream_id)
    await alice.event(EventType.STREAM_UNPUBLISHED)
    await alice.no_event()
    assert parked(patient) == 0


async def test_two_sockets_that_resume_at_once_leave_one(patient: World) -> None:
    room_id, alice, bob = await pair(patient)
    await drop(patient, bob)
    first, second = await asyncio.gather(*(resume(patient, bob, 0, room_id) for _ in range(2)))
    both = (first, second)
    await eventually(lambda: sum(one.socket.close_code is not None for one in both) == 1)
    over, going = both if first.socket.close_code is not None else both[::-1]
    assert over.socket.close_code == CLOSE_TAKEN_OVER
    await going.call("room.leave", room_id=room_id)
    await alice.event(EventType.PARTICIPANT_LEFT)
    await alice.no_event()


async def test_a_request_under_way_is_carried_out_before_another_socket_takes_over(
    patient: World,
) -> None:
    room_id, _, bob = await pair(patient)
    patient.media.gate = asyncio.Event()
    patient.media.entered.clear()
    publishing = asyncio.create_task(bob.publish(room_id, "s"))
    await patient.media.entered.wait()
    resuming = asyncio.create_task(resume(patient, bob, 0, room_id))
    await asyncio.sleep(0.1)
    assert not resuming.done()
    patient.media.gate.set()
    again = await resuming
    await asyncio.wait_for(bob.socket.wait_closed(), 10)
    assert bob.socket.close_code == CLOSE_TAKEN_OVER
    listed = await again.call("stream.list", room_id=room_id)
    assert [one.stream_id for one in listed.streams] == ["s"]
    publishing.cancel()


async def test_a_join_whose_answer_was_lost_is_taken_back(patient: World) -> None:
    room_id, alice, bob = await pair(patient)
    await drop(patient, bob)
    again = await resume(patient, bob, 0)  # it does not know of the room
    await alice.event(EventType.PARTICIPANT_LEFT)
    await again.join(room_id)
    await alice.event(EventType.PARTICIPANT_JOINED)
    await alice.no_event()


async def test_another_user_cannot_resume_a_session(patient: World) -> None:
    room_id, alice, bob = await pair(patient)
    await drop(patient, bob)
    mallory = patient.identities["mallory"]
    client = await patient.connect()
    await refused(
        ErrorCode.SESSION_NOT_FOUND,
        client.resume("mallory", mallory, bob.session_id, 0, room_id),
    )
    await refused(ErrorCode.LOGIN_FAILED, client.resume("bob", mallory, bob.session_id, 0, room_id))
    await refused(
        ErrorCode.LOGIN_FAILED,
        client.resume("mallory", mallory, bob.session_id, 0, room_id, claimed="bob"),
    )
    await resume(patient, bob, 0, room_id)
    await alice.no_event()


async def test_signing_for_a_login_does_not_resume_and_the_other_way_round(patient: World) -> None:
    bob = await patient.user("bob")
    await drop(patient, bob)
    client, identity = await patient.connect(), patient.identities["bob"]
    challenge = await client.call("auth.challenge", context_id=patient.context_id, user_id="bob")
    fields = {
        "bridge_id": challenge.bridge_id,
        "nonce": challenge.nonce,
        "context_id": patient.context_id,
        "user_id": "bob",
    }
    raw = msgspec.json.encode({**fields, "session_id": bob.session_id, "last_sequence": 0})
    signature = identity.sign(LOGIN_TYPE, raw)
    params = {"payload": raw, "signature": signature, "joined": []}
    await refused(ErrorCode.LOGIN_FAILED, client.call("auth.resume", params))
    await refused(
        ErrorCode.LOGIN_FAILED, client.call("auth.resume", params)
    )  # and the nonce is spent
    challenge = await client.call("auth.challenge", context_id=patient.context_id, user_id="bob")
    raw = msgspec.json.encode(LoginPayload(**{**fields, "nonce": challenge.nonce}))
    params = {"payload": raw, "signature": identity.sign("resume", raw)}
    await refused(ErrorCode.LOGIN_FAILED, client.call("auth.login", params))


async def test_guessing_ends_the_connection_as_it_does_for_logins(patient: World) -> None:
    client, mallory = await patient.connect(), patient.identities["mallory"]
    for _ in range(MAX_FAILED_LOGINS - 1):
        await refused(ErrorCode.LOGIN_FAILED, client.resume("bob", mallory, "guess", 0))
    last = asyncio.create_task(client.resume("bob", mallory, "guess", 0))
    await asyncio.wait_for(client.socket.wait_closed(), 10)
    assert client.socket.close_code == CLOSE_FAILED_LOGINS
    last.cancel()


async def test_an_event_that_never_was_cannot_be_the_last(patient: World) -> None:
    bob = await patient.user("bob")
    await drop(patient, bob)
    client = await patient.connect()
    await refused(
        ErrorCode.SESSION_NOT_FOUND,
        client.resume("bob", patient.identities["bob"], bob.session_id, 1),
    )
    await resume(patient, bob, 0)


async def test_a_connection_has_one_session(patient: World) -> None:
    alice, bob = await patient.user("alice"), await patient.user("bob")
    await drop(patient, bob)
    await refused(
        ErrorCode.ALREADY_LOGGED_IN,
        alice.resume("bob", patient.identities["bob"], bob.session_id, 0),
    )


async def test_a_removed_users_parked_session_ends_at_once(patient: World) -> None:
    room_id, alice, bob = await pair(patient)
    await drop(patient, bob)
    await patient.bridge.admin.user_remove(patient.context_id, "bob")
    await alice.event(EventType.PARTICIPANT_LEFT)
    await alice.no_event()
    client = await patient.connect()
    await refused(
        ErrorCode.LOGIN_FAILED,
        client.resume("bob", patient.identities["bob"], bob.session_id, 0, room_id),
    )
    await patient.bridge.admin.user_add(patient.context_id, "bob", patient.identities["bob"].public)
    await refused(
        ErrorCode.SESSION_NOT_FOUND,
        client.resume("bob", patient.identities["bob"], bob.session_id, 0, room_id),
    )


async def test_a_removed_user_is_cut_off_for_good(patient: World) -> None:
    bob = await patient.user("bob")
    await patient.bridge.admin.user_remove(patient.context_id, "bob")
    await asyncio.wait_for(bob.socket.wait_closed(), 10)
    assert bob.socket.close_code == CLOSE_USER_REMOVED
    await asyncio.sleep(0.05)
    assert parked(patient) == 0


async def test_a_member_removed_while_away_hears_of_it_when_it_resumes(patient: World) -> None:
    room_id, alice, bob = await pair(patient)
    participant = (await alice.call("room.participants", room_id=room_id)).participants[1]
    await drop(patient, bob)
    await alice.call("room.kick", room_id=room_id, participant_id=participant.participant_id)
    again = await resume(patient, bob, 0, room_id)
    _, out = await again.event(EventType.ROOM_EXCLUDED)
    assert out.reason == "kicked"
    await refused(ErrorCode.NOT_JOINED, again.call("room.leave", room_id=room_id))


async def test_of_too_many_parked_sessions_of_a_user_the_oldest_ends(patient: World) -> None:
    room_id, alice, bob = await pair(patient)
    mine = [await patient.user("mallory") for _ in range(MAX_PARKED_SESSIONS)]
    await drop(patient, bob)
    for one in mine:
        await drop(patient, one)
    assert parked(patient) == MAX_PARKED_SESSIONS + 1
    last = await patient.user("mallory")
    last.socket.transport.abort()
    client = await patient.connect()
    identity = patient.identities["mallory"]

    await eventually(lambda: gauge(patient, "sessions") == MAX_PARKED_SESSIONS + 2)
    await refused(
        ErrorCode.SESSION_NOT_FOUND,
        client.resume("mallory", identity, mine[0].session_id, 0),
    )
    await client.resume("mallory", identity, mine[1].session_id, 0)
    await resume(patient, bob, 0, room_id)
    await alice.no_event()


async def test_beyond_the_capacity_a_session_ends_with_its_socket() -> None:
    async with open_world(session_timeout=60.0, max_connections=3) as world:
        alice, bob = await world.user("alice"), await world.user("bob")
        mallory = await world.user("mallory")
        for one in (alice, bob, mallory):
            await drop(world, one)
        late = await world.user("alice")
        late.socket.transport.abort()
        client = await world.connect()
        await eventually(lambda: gauge(world, "sessions") == 3)
        await refused(
            ErrorCode.SESSION_NOT_FOUND,
            client.resume("alice", world.identities["alice"], late.session_id, 0),
        )
        await client.resume("alice", world.identities["alice"], alice.session_id, 0)


async def test_a_lost_answer_and_a_lost_offer_can_be_asked_for_again(patient: World) -> None:
    room_id, alice, bob = await pair(patient)
    stream_id = await bob.publish(room_id)
    wanted = {"room_id": room_id, "add": [{"stream_id": stream_id}]}
    lost = await alice.call("subscription.update", wanted)
    await drop(patient, alice)
    again = await resume(patient, alice, 2, room_id)
    found = await again.call("subscription.update", wanted)
    assert (found.offer_id, found.offer) == (lost.offer_id, lost.offer)
    answer = {"room_id": room_id, "offer_id": lost.offer_id, "sdp": "x"}
    for _ in range(2):
        assert (await again.call("media.answer", answer)).accepted
    assert patient.media.count("answer") == 1
