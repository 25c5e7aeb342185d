"""Calls over a wire that breaks: nothing is noticed but by who asks, or everything comes back."""

from __future__ import annotations

import asyncio

import pytest
from call_support import StripeTrack, eventually, publish, shows_stripes, take
from reconnect_support import subscribe_to, wired

from sealroom.client import Connection, RemoteTrack
from sealroom.client.errors import ConnectionClosedError, RequestRefusedError
from sealroom.client.event_subscriptions import build_subscription_query
from sealroom.client.events import (
    ConnectionClosed,
    ConnectionStateChanged,
    CustomEvent,
    ParticipantJoined,
    ParticipantLeft,
    RoomCreated,
    RoomLost,
    StreamPublished,
    StreamUnpublished,
)
from sealroom.errors import InvalidArgumentError
from sealroom.protocol import MAX_LOGGED_EVENTS, ErrorCode


async def test_a_cut_wire_is_resumed_without_a_frame_or_an_event_lost() -> None:
    async with wired(30.0) as (call, wire, alice_log, bob_log):
        alice, bob = call.apis["alice"], call.apis["bob"]
        stream = await publish(alice, call.room_id)
        await subscribe_to(bob, call.room_id, stream.stream_id)
        [remote] = bob._session(call.room_id).receiving.remote_tracks()
        await take(remote, 3)
        for number in range(3):
            wire.cut(stay_down=True)
            await eventually(lambda n=number: bob_log.states().count("reconnecting") == n + 1)
            sent = [f"{number}.{one}".encode() for one in range(5)]
            for one in sent:
                await alice.send_custom_event(call.room_id, one)
            assert len(await take(remote, 5)) == 5  # media flows on
            wire.mend()
            await eventually(lambda n=number: bob_log.states().count("resumed") == n + 1)
            await eventually(lambda n=number: len(bob_log.of(CustomEvent)) == 5 * (n + 1))
            got = [one.data for one in bob_log.of(CustomEvent)][-5:]
            assert got == sent
        assert bob_log.states() == ["reconnecting", "resumed"] * 3
        assert alice_log.of(ParticipantLeft, ParticipantJoined, StreamUnpublished) == []
        [received] = bob.statistics(call.room_id).received
        native = received.native
        assert (native.packets_lost, native.frames_dropped, sum(native.rejected.values())) == (
            0,
            0,
            0,
        )
        assert received.python.frames_skipped == 0
        assert bob._session(call.room_id).receiving.remote_tracks() == [remote]
        assert shows_stripes((await take(remote, 3))[-1])


async def test_requests_made_meanwhile_wait_and_reads_under_way_are_repeated() -> None:
    async with wired(30.0) as (call, wire, _, bob_log):
        bob = call.apis["bob"]
        wire.cut(stay_down=True)
        await bob_log.reaches("reconnecting")
        reading = asyncio.create_task(bob.get_stream_room(call.room_id))
        await asyncio.sleep(0.1)
        assert not reading.done()
        wire.mend()
        assert (await reading).room_id == call.room_id


async def test_who_missed_too_much_reads_again_and_is_told_what_differs() -> None:
    async with wired(30.0) as (call, wire, _, bob_log):
        alice, bob = call.apis["alice"], call.apis["bob"]
        old = await publish(alice, call.room_id)
        await subscribe_to(bob, call.room_id, old.stream_id)
        wire.cut(stay_down=True)
        await bob_log.reaches("reconnecting")
        await old.unpublish()
        new = await publish(alice, call.room_id)
        await alice.update_stream_room(call.room_id, force_generate_new_key=True)
        for _ in range(MAX_LOGGED_EVENTS):
            await alice.send_custom_event(call.room_id, b"noise")
        wire.mend()
        await bob_log.reaches("resynced")
        assert bob_log.of(CustomEvent) == []
        assert [one.stream_id for one in bob_log.of(StreamUnpublished)] == [old.stream_id]
        published = [one.stream.stream_id for one in bob_log.of(StreamPublished)]
        assert published == [old.stream_id, new.stream_id]
        await subscribe_to(bob, call.room_id, new.stream_id)
        [remote] = bob._session(call.room_id).receiving.remote_tracks()
        assert shows_stripes((await take(remote, 5))[-1])  # under the new epoch's key


async def test_a_session_that_is_over_is_replaced_and_everything_comes_back() -> None:
    async with wired(0.2) as (call, wire, alice_log, bob_log):
        alice, bob = call.apis["alice"], call.apis["bob"]
        hers, his = await publish(alice, call.room_id), await publish(bob, call.room_id)
        seen: dict[str, list[RemoteTrack]] = {"alice": [], "bob": []}
        for user_id, stream in (("alice", his), ("bob", hers)):
            call.apis[user_id].add_remote_stream_listener(call.room_id, seen[user_id].append)
            await subscribe_to(call.apis[user_id], call.room_id, stream.stream_id)
        nonce = alice._session(call.room_id).streams[his.stream_id].announcement.nonce
        wire.cut(stay_down=True)
        await eventually(lambda: alice_log.of(ParticipantLeft) != [])
        wire.mend()
        await bob_log.reaches("restored")
        assert bob_log.states() == ["reconnecting", "connected", "restored"]
        for user_id in ("alice", "bob"):
            await eventually(lambda user_id=user_id: len(seen[user_id]) == 2)
            old, new = seen[user_id]
            assert old.stream_id == new.stream_id
            assert shows_stripes((await take(new, 5))[-1])
            async with asyncio.timeout(10):
                async for _ in old.frames():  # it has ended, and so does this
                    pass
        again = alice._session(call.room_id).streams[his.stream_id].announcement.nonce
        assert again != nonce
        assert len(alice_log.of(ParticipantLeft)) == 1
        assert len(alice_log.of(ParticipantJoined)) == 1
        # The handle is what it was.
        await his.unpublish()
        await eventually(lambda: len(alice_log.of(StreamUnpublished)) == 2)


async def test_a_stream_that_was_published_again_meanwhile_ends_before_it_comes_back() -> None:
    """Who keeps something by the id of a stream must not lose the new one at the old one's end."""
    async with wired(0.2) as (call, wire, alice_log, bob_log):
        hers = await publish(call.apis["alice"], call.room_id)
        await call.sees("bob", hers)
        wire.cut(stay_down=True)
        await eventually(lambda: alice_log.of(ParticipantLeft) != [])
        await call.apis["alice"]._session(call.room_id).publishing.publish_again()
        wire.mend()
        await bob_log.reaches("restored")
        told = bob_log.of(StreamPublished, StreamUnpublished)
        assert [type(one) for one in told] == [StreamPublished, StreamUnpublished, StreamPublished]


async def test_rooms_and_rights_that_are_lost_meanwhile_are_told() -> None:
    async with wired(0.2) as (call, wire, alice_log, bob_log):
        alice, bob = call.apis["alice"], call.apis["bob"]
        kept = await alice.create_stream_room(call.context_id, ["bob"])
        await bob.join_stream_room(kept)
        wire.cut(stay_down=True)
        await eventually(lambda: len(alice_log.of(ParticipantLeft)) == 1)
        await alice.delete_stream_room(call.room_id)
        wire.mend()
        await bob_log.reaches("restored")
        [lost] = bob_log.of(RoomLost)
        assert isinstance(lost, RoomLost)
        assert lost.room_id == call.room_id
        assert isinstance(lost.error, RequestRefusedError)
        assert list(bob._joined) == [kept]


async def test_event_subscriptions_go_on_under_their_ids_in_a_new_session() -> None:
    async with wired(0.2) as (call, wire, alice_log, bob_log):
        alice, bob = call.apis["alice"], call.apis["bob"]
        queries = [
            build_subscription_query("room.created", "context", call.context_id),
            build_subscription_query("participant.left", "room", call.room_id),
        ]
        created, _ = await bob.subscribe_for(queries)
        wire.cut(stay_down=True)
        await eventually(lambda: len(alice_log.of(ParticipantLeft)) == 1)
        wire.mend()
        await bob_log.reaches("restored")
        await alice.create_stream_room(call.context_id, ["bob"])
        await eventually(lambda: len(bob_log.of(RoomCreated)) == 1)
        await bob.unsubscribe_from_events(created)
        await alice.create_stream_room(call.context_id, ["bob"])
        await bob.get_stream_room(call.room_id)
        assert len(bob_log.of(RoomCreated)) == 1


async def test_a_refused_query_is_named_and_none_is_made() -> None:
    async with wired(30.0) as (call, _, _, bob_log):
        bob = call.apis["bob"]
        with pytest.raises(RequestRefusedError) as refusal:
            await bob.subscribe_for(
                [
                    build_subscription_query("room.created", "context", call.context_id),
                    build_subscription_query("stream.published", "stream", "nothing"),
                ]
            )
        assert refusal.value.error_code == ErrorCode.ACCESS_DENIED
        assert refusal.value.field == "queries[1].scope_id"
        await call.apis["alice"].create_stream_room(call.context_id, ["bob"])
        await bob.get_stream_room(call.room_id)
        assert bob_log.of(RoomCreated) == []
        with pytest.raises(InvalidArgumentError, match="event_type"):
            build_subscription_query("no.event", "context", "c")
        with pytest.raises(InvalidArgumentError, match="room_id"):
            build_subscription_query("room.closed", "room", "r", room_id="r")


async def test_a_clean_close_lingers_nowhere() -> None:
    async with wired(30.0) as (call, _, alice_log, bob_log):
        await call.connections["bob"].close()
        await eventually(lambda: len(alice_log.of(ParticipantLeft)) == 1)
        assert [type(one) for one in bob_log.events[-2:]] == [
            ConnectionClosed,
            ConnectionStateChanged,
        ] or [type(one) for one in bob_log.events[-2:]] == [
            ConnectionStateChanged,
            ConnectionClosed,
        ]


async def test_who_is_taken_over_or_removed_does_not_come_back() -> None:
    async with wired(30.0) as (call, _, _, bob_log):
        await call.bridge.admin.user_remove(call.context_id, "bob")
        await eventually(lambda: bob_log.of(ConnectionClosed) != [])
        assert bob_log.states() == ["closed"]
        with pytest.raises(ConnectionClosedError):
            await call.apis["bob"].get_stream_room(call.room_id)


async def test_closing_while_it_tries_to_come_back_ends_the_tries() -> None:
    async with wired(30.0) as (call, wire, _, bob_log):
        wire.cut(stay_down=True)
        await bob_log.reaches("reconnecting")
        connection: Connection = call.connections["bob"]
        async with asyncio.timeout(10):
            await call.apis["bob"].close()
            await connection.close()
        before = wire.connections
        wire.mend()
        await asyncio.sleep(0.5)
        assert wire.connections == before
        assert bob_log.states() == ["reconnecting"]  # the api was closed before


async def test_muting_while_away_holds_when_the_stream_comes_back() -> None:
    async with wired(0.2) as (call, wire, alice_log, bob_log):
        bob = call.apis["bob"]
        stream = await bob.create_stream(call.room_id)
        track = await stream.add_track(StripeTrack(), name="camera")
        await stream.publish()
        wire.cut(stay_down=True)
        await bob_log.reaches("reconnecting")
        muting = asyncio.create_task(bob.set_track_enabled(track, False))
        await eventually(lambda: alice_log.of(ParticipantLeft) != [])
        wire.mend()
        await bob_log.reaches("restored")
        await asyncio.gather(muting, return_exceptions=True)
        [sent] = bob.statistics(call.room_id).sent
        frames = sent.python.frames_sent
        await asyncio.sleep(0.3)
        [sent] = bob.statistics(call.room_id).sent
        assert sent.python.frames_sent == frames == 0
