"""Who is in a room: several sessions of a user, what each publishes, and who says to record."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from client_support import ClientWorld, EventLog, open_client_world, publish

from sealroom.client.errors import AccessDeniedError, NotJoinedError, RequestRefusedError
from sealroom.client.events import (
    ParticipantJoined,
    ParticipantLeft,
    RecordingStarted,
    RecordingStopped,
    StreamPublished,
    StreamUnpublished,
)
from sealroom.client.models import StreamSubscription
from sealroom.errors import InvalidArgumentError
from sealroom.protocol import ErrorCode


@pytest_asyncio.fixture
async def clients(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ClientWorld]:
    async with open_client_world(monkeypatch) as world:
        yield world


async def test_a_user_with_two_sessions_is_two_participants(clients: ClientWorld) -> None:
    alice = await clients.api("alice")
    phone, laptop = await clients.api("bob"), await clients.api("bob")
    room_id = await clients.room(alice)
    events = EventLog(alice)
    for api in (alice, phone, laptop):
        await api.join_stream_room(room_id)
    stream = await publish(laptop, room_id)
    await events.next(StreamPublished)
    for seen in (
        alice.list_participants(room_id),
        await alice.list_stream_room_participants(room_id),
        laptop.list_participants(room_id),
    ):
        assert [one.user_id for one in seen] == ["alice", "bob", "bob"]
        assert len({one.participant_id for one in seen}) == 3
        assert [one.stream_ids for one in seen] == [[], [], [stream.stream_id]]
        assert all(one.joined_at > 1_600_000_000_000 for one in seen)
    await phone.leave_stream_room(room_id)
    left = await events.next(ParticipantLeft)
    assert left.participant.stream_ids == []
    assert [one.user_id for one in alice.list_participants(room_id)] == ["alice", "bob"]
    await laptop.unpublish_stream(stream)
    await events.next(StreamUnpublished)
    assert alice.list_participants(room_id)[1].stream_ids == []


async def test_who_is_there_can_be_asked_without_joining(clients: ClientWorld) -> None:
    alice, bob, mallory = [await clients.api(one) for one in ("alice", "bob", "mallory")]
    room_id = await clients.room(alice)
    assert await bob.list_stream_room_participants(room_id) == []
    await alice.join_stream_room(room_id)
    stream = await publish(alice, room_id)
    (one,) = await bob.list_stream_room_participants(room_id)
    assert (one.user_id, one.stream_ids, one.is_recording) == ("alice", [stream.stream_id], False)
    with pytest.raises(NotJoinedError):
        bob.list_participants(room_id)
    with pytest.raises(AccessDeniedError):
        await mallory.list_stream_room_participants(room_id)


async def test_everybody_is_told_who_records(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice)
    with pytest.raises(NotJoinedError):
        await alice.start_recording_notice(room_id)
    for api in (alice, bob):
        await api.join_stream_room(room_id)
    own, others = EventLog(alice), EventLog(bob)
    await alice.start_recording_notice(room_id)
    for log in (own, others):
        started = await log.next(RecordingStarted)
        assert (started.participant.user_id, started.participant.is_recording) == ("alice", True)
    for api in (alice, bob):
        assert [one.is_recording for one in api.list_participants(room_id)] == [True, False]
    late = await clients.api("bob")
    await late.join_stream_room(room_id)
    assert [one.is_recording for one in late.list_participants(room_id)] == [True, False, False]
    with pytest.raises(RequestRefusedError) as refused:
        await alice.start_recording_notice(room_id)
    assert refused.value.error_code == ErrorCode.RECORDING_ALREADY
    await alice.stop_recording_notice(room_id)
    for log in (own, others):
        stopped = await log.next(RecordingStopped)
        assert (stopped.participant.user_id, stopped.participant.is_recording) == ("alice", False)
    with pytest.raises(RequestRefusedError) as refused:
        await alice.stop_recording_notice(room_id)
    assert refused.value.error_code == ErrorCode.NOT_RECORDING


async def test_recording_needs_the_right_and_ends_with_it(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice)
    for api in (alice, bob):
        await api.join_stream_room(room_id)
    with pytest.raises(AccessDeniedError):
        await bob.start_recording_notice(room_id)
    await alice.update_stream_room(room_id, policy={"record": "user"})
    await bob.start_recording_notice(room_id)
    events, own = EventLog(alice), EventLog(bob)
    await alice.update_stream_room(room_id, policy={"record": "manager"})
    for log in (events, own):
        assert (await log.next(RecordingStopped)).participant.user_id == "bob"


async def test_a_recording_ends_with_its_participant(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice, policy={"record": "user"})
    for api in (alice, bob):
        await api.join_stream_room(room_id)
    events = EventLog(alice)
    await bob.start_recording_notice(room_id)
    await bob.leave_stream_room(room_id)
    await events.next(RecordingStarted)
    assert [type(await events.next()) for _ in range(2)] == [RecordingStopped, ParticipantLeft]
    await bob.join_stream_room(room_id)
    assert not (await events.next(ParticipantJoined)).participant.is_recording
    assert not any(one.is_recording for one in alice.list_participants(room_id))


# Several subscriptions at once


async def test_subscriptions_are_added_and_removed_at_once(clients: ClientWorld) -> None:
    alice, bob = await clients.api("alice"), await clients.api("bob")
    room_id = await clients.room(alice)
    with pytest.raises(NotJoinedError):
        await bob.modify_remote_streams_subscriptions(room_id, [StreamSubscription("s")])
    for api in (alice, bob):
        await api.join_stream_room(room_id)
    events = EventLog(bob)
    first, second = await publish(alice, room_id), await publish(alice, room_id)
    one, other = [StreamSubscription(stream.stream_id) for stream in (first, second)]
    for _ in range(2):
        await events.next(StreamPublished)

    def received() -> set[str]:
        return {remote.stream_id for remote in bob._session(room_id).receiving.remote_tracks()}

    await bob.modify_remote_streams_subscriptions(room_id, [one])
    assert received() == {first.stream_id}
    await bob.modify_remote_streams_subscriptions(room_id, [other], [one])
    assert received() == {second.stream_id}
    await bob.modify_remote_streams_subscriptions(room_id, [other], [other])
    assert received() == {second.stream_id}
    await bob.modify_remote_streams_subscriptions(room_id, remove=[one])  # not received: no error

    unknown = StreamSubscription("unknown")
    no_track = StreamSubscription(first.stream_id, "unknown")
    for add, remove, match in (
        ([], [], "at least one"),
        ([unknown], [], r"add\[0\].stream_id"),
        ([one, no_track], [], r"add\[1\].track_id"),
        ([], [unknown], r"remove\[0\].stream_id"),
        ([], [no_track], r"remove\[0\].track_id"),
        ([unknown], [other], r"add\[0\]"),
        ([one], [unknown], r"remove\[0\]"),
    ):
        with pytest.raises(InvalidArgumentError, match=match):
            await bob.modify_remote_streams_subscriptions(room_id, add, remove)
        assert received() == {second.stream_id}
    for method in (bob.subscribe_to_remote_streams, bob.unsubscribe_from_remote_streams):
        with pytest.raises(InvalidArgumentError, match="at least one"):
            await method(room_id, [])

    await bob.modify_remote_streams_subscriptions(room_id, remove=[one, other])
    assert received() == set()
    await bob.modify_remote_streams_subscriptions(room_id, [one, other])
    assert received() == {first.stream_id, second.stream_id}
    await alice.unpublish_stream(second)
    await events.next(StreamUnpublished)
    for add, remove in (([other], []), ([], [other])):
        with pytest.raises(InvalidArgumentError, match="no verified stream"):
            await bob.modify_remote_streams_subscriptions(room_id, add, remove)
