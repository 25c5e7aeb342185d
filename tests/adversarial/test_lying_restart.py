"""A Bridge that comes back and lies: what it shows then is held against what was seen before.

The Bridge is a real one whose session of bob is over; the lies are told between his connection and
the rest of his client, where a Bridge of somebody else's would tell them.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from call_support import Call, eventually, publish
from data_support import publish_data, read, subscribe_data
from outage_support import Wire
from reconnect_support import Log, subscribe_to, wired

from sealroom.client import login
from sealroom.client.errors import ConnectionClosedError, SessionMismatchError
from sealroom.client.events import (
    ConnectionClosed,
    CustomEvent,
    CustomEventRefused,
    KeyRotated,
    ParticipantLeft,
    RoomLost,
    StreamPublished,
    StreamRefused,
    StreamUnpublished,
    StreamUpdated,
)
from sealroom.client.handles import StreamHandle
from sealroom.client.login import Credentials
from sealroom.client.staged_stream import StagedStream
from sealroom.crypto.errors import (
    EventReplayError,
    PublisherMismatchError,
    RecordForkError,
    RecordRollbackError,
    SealedSecretEpochError,
    SealedSecretOpenError,
    StreamMismatchError,
    StreamReplayError,
    StreamRollbackError,
)
from sealroom.crypto.room_record import make_next_record
from sealroom.protocol import (
    MAX_LOGGED_EVENTS,
    EventEnvelope,
    EventType,
    JoinResult,
    LoginResult,
    RoomResult,
    StreamListResult,
    StreamView,
)

replace = msgspec.structs.replace
Lie = Callable[[Any], Any]


class Liar:
    """Stands between bob's connection and his client."""

    def __init__(self, call: Call) -> None:
        self.connection = call.connections["bob"]
        self.seen: dict[str, list[Any]] = {}
        self.lies: dict[str, Lie] = {}
        self.events: list[EventEnvelope] = []
        self._honest = self.connection.call
        self.connection.call = self._call  # type: ignore[method-assign]
        self.connection.on_event(self.events.append)

    async def _call(self, method: str, params: Any, result: Any) -> Any:
        answer = await self._honest(method, params, result)
        self.seen.setdefault(method, []).append(answer)
        return self.lies.get(method, lambda one: one)(answer)

    async def sees(self, kind: EventType, count: int = 1) -> EventEnvelope:
        """Wait for an event, so that it can be shown again."""
        found: list[EventEnvelope] = []

        def has_come() -> bool:
            found[:] = [one for one in self.events if one.type is kind]
            return len(found) >= count

        await eventually(has_come)
        return found[count - 1]

    def show(self, envelope: EventEnvelope) -> None:
        """An event, behind the count of sequence numbers, which a liar keeps right."""
        self.connection._pass_on(envelope)


async def away(wire: Wire, alice_log: Log, log: Log, meanwhile: Awaitable[object] | None) -> None:
    """Bob's session ends; then he comes back."""
    gone = len(alice_log.of(ParticipantLeft)) + 1
    wire.cut(stay_down=True)
    await eventually(lambda: len(alice_log.of(ParticipantLeft)) == gone)
    if meanwhile is not None:
        await meanwhile
    wire.mend()
    await eventually(lambda: log.states()[-1] in ("restored", "closed"), seconds=20)


async def at_version(call: Call, version: int) -> None:
    session = call.apis["bob"]._session(call.room_id)
    await eventually(lambda: session._room.record.version == version)


def lost(log: Log) -> Exception:
    """Why bob did not get back into his room."""
    [one] = log.of(RoomLost)
    assert isinstance(one, RoomLost)
    return one.error


async def mute(call: Call, stream: StreamHandle) -> None:
    """Have alice mute her camera, which is a new version of the announcement."""
    staged = call.apis["alice"]._streams[stream.stream_id]
    [track] = staged.tracks.values()
    await (
        call.apis["alice"]
        ._session(call.room_id)
        .publishing.set_enabled(
            stream.stream_id,
            track,
            False,  # type: ignore[arg-type]
        )
    )


def refused(log: Log) -> list[Exception]:
    return [one.error for one in log.of(StreamRefused)]


# The room


async def test_an_older_record_is_a_rollback() -> None:
    async with wired(0.2) as (call, wire, alice_log, log):
        liar = Liar(call)
        await call.apis["bob"].get_stream_room(call.room_id)
        old = liar.seen["room.get"][-1]
        await call.apis["alice"].update_stream_room(call.room_id, force_generate_new_key=True)
        await at_version(call, 3)
        liar.lies["room.get"] = lambda _: old
        await away(wire, alice_log, log, None)
        assert isinstance(lost(log), RecordRollbackError)
        assert call.room_id not in call.apis["bob"]._joined
        pin = await liar.connection.room_pins.load(call.context_id, call.room_id)
        assert pin is not None
        assert (pin.version, pin.epoch) == (3, 2)


async def test_to_be_let_in_by_an_older_record_is_a_rollback() -> None:
    async with wired(0.2) as (call, wire, alice_log, log):
        liar = Liar(call)
        liar.lies["room.join"] = lambda joined: replace(joined, version=1)
        await away(wire, alice_log, log, None)
        assert isinstance(lost(log), RecordRollbackError)


async def test_another_record_of_the_version_seen_is_a_fork() -> None:
    async with wired(0.2) as (call, wire, alice_log, log):
        liar = Liar(call)
        before = call.apis["bob"]._session(call.room_id)._room
        await call.apis["alice"].update_stream_room(call.room_id, public_meta=b"shown to bob")
        await at_version(call, before.record.version + 1)
        made = make_next_record(
            call.identities["alice"],
            "alice",
            before.verified,
            members=before.record.members,
            identities={name: one.public for name, one in call.identities.items()},
            policy=before.record.policy,
            public_meta=b"shown to others",
            private_meta=b"",
            secrets=dict(before.secrets),
            next_secret=None,
            created_at=2,
        )

        def fork(result: RoomResult) -> RoomResult:
            return RoomResult(room=replace(result.room, record=made.record))

        liar.lies["room.get"] = fork
        await away(wire, alice_log, log, None)
        assert isinstance(lost(log), RecordForkError)


@pytest.mark.parametrize(
    ("relabelled", "expected"), [(False, SealedSecretEpochError), (True, SealedSecretOpenError)]
)
async def test_the_secret_of_an_old_epoch_does_not_serve_a_new_one(
    relabelled: bool, expected: type[Exception]
) -> None:
    async with wired(0.2) as (call, wire, alice_log, log):
        liar = Liar(call)
        await call.apis["bob"].get_stream_room(call.room_id)
        [old] = liar.seen["room.get"][-1].room.sealed_secrets

        def lie(result: RoomResult) -> RoomResult:
            epoch = result.room.sealed_secrets[0].epoch if relabelled else old.epoch
            secret = replace(old, epoch=epoch)
            return RoomResult(room=replace(result.room, sealed_secrets=[secret]))

        liar.lies["room.get"] = lie
        rotate = call.apis["alice"].update_stream_room(call.room_id, force_generate_new_key=True)
        await away(wire, alice_log, log, rotate)
        assert isinstance(lost(log), expected)


async def test_word_of_an_old_epoch_takes_nobody_back_to_it() -> None:
    async with wired(0.2) as (call, wire, alice_log, log):
        liar = Liar(call)
        for _ in range(2):
            rotated = len(log.of(KeyRotated)) + 1
            await call.apis["alice"].update_stream_room(call.room_id, force_generate_new_key=True)
            await eventually(lambda n=rotated: len(log.of(KeyRotated)) == n)
        old = await liar.sees(EventType.ROOM_EPOCH_READY)
        updated = await liar.sees(EventType.ROOM_UPDATED)
        await away(wire, alice_log, log, None)
        session = call.apis["bob"]._session(call.room_id)
        for one in (old, updated):
            liar.show(one)
        await call.apis["alice"].send_custom_event(call.room_id, b"behind them")
        await eventually(lambda: log.of(CustomEvent) != [])
        assert session._keys.sending.id.epoch == session._keys.newest.id.epoch == 3
        assert session._room.record.epoch == 3


# Streams


async def test_an_older_announcement_of_a_stream_is_a_rollback() -> None:
    """The Bridge shows a camera as on that alice has muted since."""
    async with wired(0.2) as (call, wire, alice_log, log):
        liar = Liar(call)
        stream = await publish(call.apis["alice"], call.room_id)
        await subscribe_to(call.apis["bob"], call.room_id, stream.stream_id)
        await call.apis["bob"].list_streams(call.room_id)
        published = await liar.sees(EventType.STREAM_PUBLISHED)
        old = msgspec.json.decode(published.data)["announcement"]
        await mute(call, stream)
        await eventually(lambda: log.of(StreamUpdated) != [])

        def lie(joined: JoinResult) -> JoinResult:
            signed = type(joined.streams[0].announcement)
            return replace(
                joined,
                streams=[
                    replace(one, announcement=msgspec.convert(old, signed))
                    for one in joined.streams
                ],
            )

        liar.lies["room.join"] = lie
        await away(wire, alice_log, log, None)
        [error] = refused(log)
        assert isinstance(error, StreamRollbackError)
        assert len(log.of(StreamUnpublished)) == 1  # nothing of it is left
        assert call.apis["bob"]._session(call.room_id).streams == {}
        assert call.apis["bob"]._session(call.room_id).receiving.remote_tracks() == []


async def test_after_lost_events_an_older_announcement_is_refused_and_a_newer_one_taken() -> None:
    async with wired(30.0) as (call, wire, _, log):
        liar = Liar(call)
        alice, bob = call.apis["alice"], call.apis["bob"]
        stream = await publish(alice, call.room_id)
        await subscribe_to(bob, call.room_id, stream.stream_id)
        session = bob._session(call.room_id)
        old: list[StreamListResult] = []
        for number in range(1, 3):
            wire.cut(stay_down=True)
            await eventually(lambda n=number: log.states().count("reconnecting") == n)
            if number == 1:
                await mute(call, stream)
            for _ in range(MAX_LOGGED_EVENTS + 1):
                await alice.send_custom_event(call.room_id, b"noise")
            wire.mend()
            await eventually(lambda n=number: log.states().count("resynced") == n, seconds=30)
            if number == 1:
                assert session.streams[stream.stream_id].announcement.version == 2
                [updated] = log.of(StreamUpdated)
                assert len(updated.tracks_modified) == 1
                first = await liar.sees(EventType.STREAM_PUBLISHED)
                view = msgspec.json.decode(first.data, type=StreamView)
                old.append(StreamListResult(streams=[view]))
                liar.lies["stream.list"] = lambda _: old[0]
        assert session.streams[stream.stream_id].announcement.version == 2
        assert [type(one) for one in refused(log)] == [StreamRollbackError]


async def test_swapped_streams_are_refused() -> None:
    async with wired(0.2) as (call, wire, alice_log, log):
        liar = Liar(call)
        for _ in range(2):
            await publish(call.apis["alice"], call.room_id)
        await eventually(lambda: len(log.of(StreamPublished)) == 2)

        def lie(joined: JoinResult) -> JoinResult:
            one, other = joined.streams
            swapped = [
                replace(one, stream_id=other.stream_id),
                replace(other, stream_id=one.stream_id),
            ]
            return replace(joined, streams=swapped)

        liar.lies["room.join"] = lie
        await away(wire, alice_log, log, None)
        assert [type(one) for one in refused(log)] == [StreamMismatchError] * 2
        assert call.apis["bob"]._session(call.room_id).streams == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"user_id": "bob"}, PublisherMismatchError),
        ({"participant_id": "another"}, StreamMismatchError),
    ],
)
async def test_a_stream_shown_as_somebody_elses_is_refused(
    changes: dict[str, str], expected: type[Exception]
) -> None:
    async with wired(0.2) as (call, wire, alice_log, log):
        liar = Liar(call)
        await publish(call.apis["alice"], call.room_id)
        await eventually(lambda: log.of(StreamPublished) != [])
        liar.lies["room.join"] = lambda joined: replace(
            joined, streams=[replace(one, **changes) for one in joined.streams]
        )
        await away(wire, alice_log, log, None)
        assert [type(one) for one in refused(log)] == [expected]


async def test_a_stream_of_somebody_else_under_a_known_id_is_not_subscribed_to() -> None:
    """What bob subscribed to was alice's; carol may publish, but not in her stead."""
    async with wired(0.2) as (call, wire, alice_log, log):
        alice, bob = call.apis["alice"], call.apis["bob"]
        carol = await call.add("carol")
        await alice.update_stream_room(call.room_id, users=["bob", "carol"])
        await carol.join_stream_room(call.room_id)
        stream = await publish(alice, call.room_id)
        await subscribe_to(bob, call.room_id, stream.stream_id)

        async def impersonate() -> None:
            await stream.unpublish()
            other = await carol.create_stream(call.room_id)
            staged = carol._streams.pop(other.stream_id)
            carol._streams[stream.stream_id] = StagedStream(staged.room_id, stream.stream_id)
            handle = type(other)(carol, call.room_id, stream.stream_id)
            await handle.add_data_track(name="mine")
            await handle.publish()

        await away(wire, alice_log, log, impersonate())
        session = bob._session(call.room_id)
        assert session.streams[stream.stream_id].user_id == "carol"
        assert session.receiving._wanted.subscriptions() == []
        assert session.receiving.data.tracks == []


# What was before comes again


async def test_what_came_before_the_restart_is_refused_after_it() -> None:
    async with wired(0.2) as (call, wire, alice_log, log):
        liar = Liar(call)
        stream = await publish(call.apis["alice"], call.room_id)
        published = await liar.sees(EventType.STREAM_PUBLISHED)
        await stream.unpublish()
        await liar.sees(EventType.STREAM_UNPUBLISHED)
        await call.apis["alice"].send_custom_event(call.room_id, b"once")
        custom = await liar.sees(EventType.ROOM_CUSTOM)
        await eventually(lambda: len(log.of(CustomEvent)) == 1)
        await away(wire, alice_log, log, None)
        for one in (published, custom):
            liar.show(one)
        await eventually(lambda: log.of(CustomEventRefused) != [])
        [event] = log.of(CustomEventRefused)
        assert isinstance(event.error, EventReplayError)
        assert [type(one) for one in refused(log)] == [StreamReplayError]
        assert len(log.of(CustomEvent)) == 1
        assert call.apis["bob"]._session(call.room_id).streams == {}


async def test_events_under_numbers_that_came_are_not_looked_at_after_a_resume() -> None:
    async with wired(30.0) as (call, wire, _, log):
        liar = Liar(call)
        await call.apis["alice"].send_custom_event(call.room_id, b"once")
        custom = await liar.sees(EventType.ROOM_CUSTOM)
        wire.cut()
        await log.reaches("resumed")
        liar.connection._handle_event(custom)
        await call.apis["alice"].send_custom_event(call.room_id, b"twice")
        await eventually(lambda: len(log.of(CustomEvent)) == 2)
        assert log.of(CustomEventRefused) == []
        assert len([one for one in liar.events if one.type is EventType.ROOM_CUSTOM]) == 2


async def test_data_messages_from_before_the_restart_are_refused_after_it() -> None:
    async with wired(0.2) as (call, wire, alice_log, log):
        bob = call.apis["bob"]
        stream, data = await publish_data(call, "alice")
        remote = await subscribe_data(call, "bob", stream)
        forwarding: Any = call.bridge.media._data
        kept: list[tuple[Any, Any, bytes]] = []
        honest = forwarding._forward

        def keep(ref: Any, producer: Any, message: bytes) -> None:
            kept.append((ref, producer, message))
            honest(ref, producer, message)

        forwarding._forward = keep
        for number in range(3):
            await data.send(str(number).encode())
        await read(remote, 3)
        await call.apis["alice"].update_stream_room(call.room_id, force_generate_new_key=True)
        session = call.apis["alice"]._session(call.room_id)
        await eventually(lambda: session._keys.sending.id.epoch == 2)
        await away(wire, alice_log, log, None)
        tracks = bob._session(call.room_id).receiving.data
        await eventually(lambda: len(tracks.tracks) == 1)
        [again] = tracks.tracks
        assert await data.send(b"3") == 3
        await read(again, 1)
        for one in list(kept[:3]):
            honest(*one)  # of the epoch before, and of numbers that came
        await eventually(lambda: sum(again.statistics.refused.values()) == 3)
        assert set(again.statistics.refused) <= {"data_replayed", "data_epoch"}
        assert again.statistics.messages_unread == 0


# Whose session, whose participant


async def test_a_new_session_under_an_old_id_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bob would take himself to be in his rooms still, and would not look at them again."""
    async with wired(0.2) as (call, wire, alice_log, log):
        connection = call.connections["bob"]
        before = connection.session_id
        honest = Credentials.log_in

        async def lie(self: Credentials, socket: Any) -> LoginResult:
            return replace(await honest(self, socket), session_id=before)

        monkeypatch.setattr(Credentials, "log_in", lie)
        await away(wire, alice_log, log, None)
        [closed] = log.of(ConnectionClosed)
        assert "session" in closed.reason
        with pytest.raises(ConnectionClosedError):
            await call.apis["bob"].get_stream_room(call.room_id)


async def test_a_session_of_somebody_elses_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with wired(0.2) as (_, wire, alice_log, log):
        honest = login.ask

        async def lie(socket: Any, method: str, params: Any, result: Any) -> Any:
            answer = await honest(socket, method, params, result)
            if method == "auth.login":
                answer = replace(answer, user=replace(answer.user, user_id="alice"))
            return answer

        monkeypatch.setattr(login, "ask", lie)
        await away(wire, alice_log, log, None)
        [closed] = log.of(ConnectionClosed)
        assert "another user" in closed.reason


async def test_somebody_elses_participant_is_refused() -> None:
    async with wired(0.2) as (call, wire, alice_log, log):
        liar = Liar(call)

        def lie(joined: JoinResult) -> JoinResult:
            other = next(one for one in joined.participants if one.user_id == "alice")
            return replace(joined, participant_id=other.participant_id)

        liar.lies["room.join"] = lie
        await away(wire, alice_log, log, None)
        assert isinstance(lost(log), SessionMismatchError)
