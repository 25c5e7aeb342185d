"""Data tracks over connections that die: every message in order and once, or told to be missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from call_support import LOOPBACK, Call, eventually, open_call, shows_stripes, take
from data_support import publish_data, subscribe_data
from outage_support import BridgeProcess
from reconnect_support import wired

from sealroom.client import (
    Connection,
    DataTrackHandle,
    RemoteDataTrack,
    StreamApi,
    StreamSubscription,
    data_recovery,
    data_track,
)
from sealroom.client.errors import (
    DataTrackClosedError,
    DataTrackCutError,
    DataTrackInterruptedError,
    DataTrackLostError,
)
from sealroom.client.events import (
    ConnectionStateChanged,
    DataFailed,
    DataRecovered,
    DataRecovering,
    DataTrackCut,
    Event,
    MediaFailed,
    MediaRecovered,
    MediaRecovering,
)
from sealroom.client.handles import StreamHandle
from sealroom.crypto import data_message
from sealroom.crypto.data_errors import DataGapError
from sealroom.identity import Identity, MemoryRoomPins, TrustOnFirstUse
from sealroom.media import sctp as sctp_module
from sealroom.media.data_channels import DataChannels
from sealroom.media.sctp import BoundedSctpTransport


class Sender:
    """Sends one message after another until it is stopped, and keeps what each number carried."""

    def __init__(self, data: DataTrackHandle, pause: float = 0.005) -> None:
        self.sent: dict[int, bytes] = {}
        self._data = data
        self._pause = pause
        self._count = 0
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            await self.one()
            await asyncio.sleep(self._pause)

    async def one(self) -> int:
        payload = f"message {self._count}".encode() * (1 + self._count % 20)
        self._count += 1
        number = await self._data.send(payload)
        assert number not in self.sent
        self.sent[number] = payload
        return number

    async def more(self, count: int, seconds: float = 60) -> None:
        """Wait until so many more went out."""
        goal = len(self.sent) + count
        await eventually(lambda: len(self.sent) >= goal or self._task.done(), seconds)
        if self._task.done():
            self._task.result()

    async def stop(self) -> int:
        """End and return the last number."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return max(self.sent)


class Reader:
    """All that a member reads of the data tracks in a room, one track after another."""

    def __init__(self, api: StreamApi, room_id: str) -> None:
        self.items: list[tuple[str, int, Any]] = []
        self.tracks: list[RemoteDataTrack] = []
        self.failures: list[DataTrackCutError] = []
        self._queue: asyncio.Queue[RemoteDataTrack] = asyncio.Queue()
        api.add_remote_data_track_listener(room_id, self._came)
        self._task = asyncio.create_task(self._run())

    def _came(self, track: RemoteDataTrack) -> None:
        self.tracks.append(track)
        self._queue.put_nowait(track)

    async def _run(self) -> None:
        while True:
            track = await self._queue.get()
            while True:
                try:
                    async for message in track.messages():
                        self.items.append(("message", message.sequence, message.data))
                    break
                except DataGapError as gap:
                    self.items.append(("gap", gap.first, gap.count))
                except DataTrackCutError as failure:
                    self.failures.append(failure)
                    break

    def last(self) -> int:
        return max((one[1] for one in self.items if one[0] == "message"), default=-1)

    async def reaches(self, number: int, seconds: float = 60) -> None:
        await eventually(lambda: self.last() >= number, seconds)

    def check(self, sender: Sender) -> int:
        """Every number from the first on came once, in order, or was told; returns how many gaps
        there were.
        """
        expected = self.items[0][1]
        gaps = 0
        for kind, number, content in self.items:
            assert number == expected, f"{kind} {number} where {expected} was due"
            if kind == "gap":
                gaps += 1
                expected += content
            else:
                assert content == sender.sent[number]
                expected += 1
        return gaps

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.fixture(autouse=True)
def no_nonce_comes_twice(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every message of every test is sealed under a key and number of its own."""
    cipher = data_message._TrackCipher
    honest_init, honest_seal = cipher.__init__, cipher.seal
    used: set[tuple[Any, ...]] = set()
    names: dict[int, tuple[Any, ...]] = {}

    def init(self: Any, keys: Any, track: Any) -> None:
        honest_init(self, keys, track)
        names[id(self)] = (self, keys.id, track)

    def seal(self: Any, header: bytes, sequence: int, data: bytes) -> bytes:
        _, epoch, track = names[id(self)]
        spent = (epoch, track.fingerprint, track.nonce, track.track_id, sequence)
        assert spent not in used
        used.add(spent)
        return honest_seal(self, header, sequence, data)

    monkeypatch.setattr(cipher, "__init__", init)
    monkeypatch.setattr(cipher, "seal", seal)
    yield
    assert used


class Traffic:
    """A published track with video beside it, its sender, and its reader bob."""

    def __init__(self, call: Call, stream: StreamHandle, data: DataTrackHandle) -> None:
        self.call = call
        self.stream = stream
        self.data = data
        self.sender = Sender(data)
        self.reader = Reader(call.apis["bob"], call.room_id)
        self.events: dict[str, list[Event]] = {"alice": [], "bob": []}
        for user_id, events in self.events.items():
            call.apis[user_id].add_event_listener(events.append)

    def of(self, user_id: str, *kinds: type) -> list[Event]:
        return [one for one in self.events[user_id] if isinstance(one, kinds)]

    async def flows(self, seconds: float = 60) -> None:
        """Messages that are sent from now on arrive."""
        await self.sender.more(3, seconds)
        await self.reader.reaches(max(self.sender.sent), seconds)

    async def finish(self) -> int:
        """Send what is on its way to its end, and return how many gaps there were."""
        await self.flows()
        last = await self.sender.stop()
        await self.reader.reaches(last)
        await self.reader.stop()
        return self.reader.check(self.sender)


@asynccontextmanager
async def traffic(call: Call, *, video: bool = False) -> AsyncIterator[Traffic]:
    stream, data = await publish_data(call, "alice", video=video)
    await subscribe_data(call, "bob", stream)
    flow = Traffic(call, stream, data)
    try:
        await flow.flows()
        yield flow
    finally:
        await flow.sender.stop()
        await flow.reader.stop()


def channels(call: Call, side: str) -> DataChannels:
    """The data channels at one of the four ends."""
    user_id, direction = ("alice", "publisher") if "publisher" in side else ("bob", "subscriber")
    session = call.apis[user_id]._session(call.room_id)
    if side.startswith("server"):
        participant = call.bridge.media._participants[session.participant_id]
        return getattr(participant, direction).peer.use_data_channels()
    half = (
        session.publishing.publisher if direction == "publisher" else session.receiving.subscriber
    )
    return half.peer.use_data_channels()


async def die(data: DataChannels) -> None:
    """Have the whole media connection fail at this end, and the channels with it."""
    data._transport._fail("test")
    await eventually(lambda: data.is_closed)


# The connection of the media dies.


async def test_a_publishers_data_goes_on_over_the_connection_that_replaces_its_own(
    call: Call,
) -> None:
    async with traffic(call, video=True) as flow:
        for number in range(1, 3):
            channels(call, "server publisher")._transport._fail("test")
            await eventually(
                lambda n=number: len(flow.of("alice", MediaRecovered)) == n, seconds=30
            )
            await eventually(lambda n=number: len(flow.reader.tracks) == 1 + n, seconds=30)
            await flow.flows()
        # At most one each for what was under way, and one until the reader was there again.
        assert await flow.finish() <= 4
        assert flow.reader.failures == []  # each stream ended, and came back
        [statistics] = call.apis["alice"].statistics(call.room_id).data_sent
        assert statistics.python.messages_sent == len(flow.sender.sent)
        assert statistics.python.bytes_sent == sum(map(len, flow.sender.sent.values()))


async def test_what_a_dead_connection_kept_is_told_before_anything_else_comes(call: Call) -> None:
    async with traffic(call) as flow:
        await flow.sender.stop()
        await flow.reader.reaches(max(flow.sender.sent))

        # The media server takes messages no more; they are sealed and sent in vain.
        async def deaf(data: bytes) -> None:
            """As a server that hangs."""

        channels(call, "server publisher")._sctp._handle_data = deaf  # type: ignore[method-assign]
        lost = [await flow.sender.one() for _ in range(5)]
        channels(call, "server publisher")._transport._fail("test")
        await eventually(lambda: flow.reader.items[-1][0] == "gap", seconds=30)
        assert flow.reader.items[-1] == ("gap", lost[0], 5)
        await flow.sender.one()
        await flow.reader.reaches(lost[-1] + 1)
        assert flow.reader.check(flow.sender) == 1


async def test_a_subscribers_track_goes_on_over_the_connection_that_replaces_its_own(
    call: Call,
) -> None:
    async with traffic(call, video=True) as flow:
        for number in range(1, 3):
            channels(call, "server subscriber")._transport._fail("test")
            await eventually(lambda n=number: len(flow.of("bob", MediaRecovered)) == n, seconds=30)
            await flow.flows()
        assert 1 <= await flow.finish() <= 2
        assert len(flow.reader.tracks) == 1
        assert flow.of("bob", DataTrackCut, DataFailed, MediaFailed) == []


async def test_sending_waits_while_the_connection_is_replaced_and_keeps_its_order(
    call: Call,
) -> None:
    async with traffic(call) as flow:
        await flow.sender.stop()
        publishing = call.apis["alice"]._session(call.room_id).publishing
        async with publishing._replacing:
            await die(channels(call, "publisher"))
            sending = [asyncio.create_task(flow.sender.one()) for _ in range(20)]
            await asyncio.sleep(0.3)
            assert not any(one.done() for one in sending)
        numbers = [await asyncio.wait_for(one, 30) for one in sending]
        assert numbers == list(range(numbers[0], numbers[0] + 20))
        await flow.reader.reaches(numbers[-1])
        flow.reader.check(flow.sender)


async def test_sending_fails_by_name_if_the_connection_does_not_come_back_in_time(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_track, "INTERRUPTION_TIMEOUT", 0.3)
    async with traffic(call) as flow:
        await flow.sender.stop()
        before = max(flow.sender.sent)
        publishing = call.apis["alice"]._session(call.room_id).publishing
        async with publishing._replacing:
            await die(channels(call, "publisher"))
            with pytest.raises(DataTrackInterruptedError):
                await flow.sender.one()
        await eventually(lambda: flow.of("alice", MediaRecovered) != [], seconds=30)
        monkeypatch.setattr(data_track, "INTERRUPTION_TIMEOUT", 30.0)
        assert await flow.sender.one() == before + 1  # no number was spent
        await flow.reader.reaches(before + 1)


async def test_sending_ends_by_name_when_the_room_is_left_meanwhile(call: Call) -> None:
    async with traffic(call) as flow:
        await flow.sender.stop()
        publishing = call.apis["alice"]._session(call.room_id).publishing
        async with publishing._replacing:
            await die(channels(call, "publisher"))
            sending = asyncio.create_task(flow.sender.one())
            await asyncio.sleep(0.1)
            await asyncio.wait_for(call.apis["alice"].leave_stream_room(call.room_id), 20)
            with pytest.raises(DataTrackClosedError) as closed:
                await asyncio.wait_for(sending, 10)
            assert not isinstance(closed.value, DataTrackInterruptedError)


# The association of the data dies alone.

SIDES = ["publisher", "server publisher", "subscriber", "server subscriber"]


@pytest.mark.parametrize("side", SIDES)
async def test_an_aborted_association_is_made_again_and_media_does_not_notice(
    call: Call, side: str
) -> None:
    async with traffic(call, video=True) as flow:
        receiving = call.apis["bob"]._session(call.room_id).receiving
        [camera] = receiving.remote_tracks()
        user_id = "alice" if "publisher" in side else "bob"
        for number in range(1, 4):
            await channels(call, side)._sctp.give_up()
            await eventually(lambda n=number: len(flow.of(user_id, DataRecovered)) == n, seconds=30)
            await flow.flows()
        await flow.finish()
        assert len(flow.of(user_id, DataRecovering)) == 3
        assert len(flow.reader.tracks) == 1
        assert receiving.remote_tracks() == [camera]
        assert shows_stripes((await take(camera, 5))[-1])
        for one in ("alice", "bob"):
            assert flow.of(one, MediaRecovering, DataFailed, DataTrackCut) == []


@pytest.mark.parametrize("side", ["server publisher", "server subscriber"])
async def test_an_association_whose_end_nobody_was_told_of_is_missed_and_made_again(
    monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    monkeypatch.setattr(sctp_module, "HEARTBEAT_INTERVAL", 0.5)
    async with open_call("alice", "bob") as call, traffic(call) as flow:
        user_id = "alice" if "publisher" in side else "bob"
        channels(call, side)._sctp.fail()  # as if the ABORT were lost
        await eventually(lambda: flow.of(user_id, DataRecovered) != [], seconds=30)
        await flow.flows()
        await flow.finish()
        assert len(flow.reader.tracks) == 1


@pytest.mark.parametrize("side", ["server publisher", "server subscriber"])
async def test_a_peer_that_hangs_is_noticed_by_who_only_receives_too(
    monkeypatch: pytest.MonkeyPatch, side: str
) -> None:
    monkeypatch.setattr(sctp_module, "HEARTBEAT_INTERVAL", 0.5)
    async with open_call("alice", "bob") as call, traffic(call) as flow:
        await flow.sender.stop()
        user_id = "alice" if "publisher" in side else "bob"
        hang(channels(call, side)._sctp)
        await eventually(lambda: flow.of(user_id, DataRecovered) != [], seconds=30)
        await flow.reader.reaches(await flow.sender.one())
        flow.reader.check(flow.sender)


async def test_a_peer_that_answers_no_retransmission_is_given_up_and_replaced(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sctp_module, "MAX_TIMEOUTS", 2)
    async with traffic(call) as flow:
        hang(channels(call, "server publisher")._sctp)
        await eventually(lambda: flow.of("alice", DataRecovered) != [], seconds=60)
        await flow.flows()
        assert await flow.finish() == 1


def hang(association: BoundedSctpTransport) -> None:
    """Have an association take and say nothing, while its DTLS lives."""

    async def ignore(*_: object) -> None:
        """As a process that is suspended."""

    association._handle_data = ignore  # type: ignore[method-assign]
    association._send_chunk = ignore  # type: ignore[method-assign]


async def test_an_association_that_cannot_be_made_again_is_given_up_and_media_goes_on(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_recovery, "RESTART_DELAYS", (0.05, 0.05, 0.05))
    monkeypatch.setattr(data_recovery, "ATTEMPT_TIMEOUT", 0.3)
    async with traffic(call, video=True) as flow:
        await flow.sender.stop()
        servers = []
        for side in ("publisher", "subscriber"):
            server: Any = channels(call, f"server {side}")
            server._replace = lambda: False
            servers.append(server)
            await channels(call, side)._sctp.give_up()
        for user_id in ("alice", "bob"):
            await eventually(lambda one=user_id: flow.of(one, DataFailed) != [], seconds=30)
        with pytest.raises(DataTrackClosedError, match="association"):
            await flow.sender.one()
        await eventually(lambda: flow.reader.failures != [])
        assert len(flow.of("bob", DataTrackCut)) == 1
        [camera] = call.apis["bob"]._session(call.room_id).receiving.remote_tracks()
        assert shows_stripes((await take(camera, 5))[-1])
        # Who asks again gets other attempts.
        monkeypatch.setattr(data_recovery, "ATTEMPT_TIMEOUT", 10.0)
        for server in servers:
            del server._replace  # type: ignore[attr-defined]
        both = [StreamSubscription(flow.stream.stream_id)]
        await call.apis["bob"].unsubscribe_from_remote_streams(call.room_id, both)
        await call.apis["bob"].subscribe_to_remote_streams(call.room_id, both)
        await flow.data.remove()
        another = await flow.stream.add_data_track(name="another")
        await flow.stream.update()
        await another.send(b"there again")
        await eventually(lambda: len(flow.reader.tracks) == 3, seconds=30)
        await eventually(lambda: flow.reader.items[-1][2] == b"there again", seconds=30)


# The Bridge dies, or a session is over.


async def test_the_track_of_a_session_that_is_over_fails_by_name_and_the_next_tells_a_gap() -> None:
    async with wired(0.2) as (call, wire, _, log):
        stream, data = await publish_data(call, "alice")
        await subscribe_data(call, "bob", stream)
        reader = Reader(call.apis["bob"], call.room_id)
        sender = Sender(data)
        await sender.more(5)
        await reader.reaches(4)
        wire.cut(stay_down=True)
        await log.reaches("reconnecting")
        session = call.apis["bob"]._session(call.room_id)
        await eventually(lambda: len(call.apis["alice"].list_participants(call.room_id)) == 1)
        await sender.more(5)
        wire.mend()
        await log.reaches("restored")
        assert call.apis["bob"]._session(call.room_id) is not session
        await sender.more(5)
        last = await sender.stop()
        await reader.reaches(last)
        await reader.stop()
        assert [type(one) for one in reader.failures] == [DataTrackLostError]
        assert reader.check(sender) == 1
        assert len(reader.tracks) == 2


async def test_data_goes_on_after_a_bridge_that_is_killed_and_every_gap_is_told(
    tmp_path: Path,
) -> None:
    bridge = BridgeProcess(tmp_path)
    identities = {"alice": Identity.generate(), "bob": Identity.generate()}
    connections: list[Connection] = []
    apis: dict[str, StreamApi] = {}
    states: dict[str, list[str]] = {"alice": [], "bob": []}
    await bridge.start()
    try:
        await bridge.answers()
        context_id = await bridge.register(**identities)
        for user_id, identity in identities.items():
            connection = await Connection.connect(
                bridge.url,
                identity=identity,
                user_id=user_id,
                context_id=context_id,
                trust=TrustOnFirstUse(),
                room_pins=MemoryRoomPins(),
            )
            connections.append(connection)
            api = apis[user_id] = StreamApi(connection, host_addresses=LOOPBACK)
            api.add_event_listener(
                lambda event, log=states[user_id]: (
                    log.append(event.state) if isinstance(event, ConnectionStateChanged) else None
                )
            )
        room_id = await apis["alice"].create_stream_room(context_id, ["bob"])
        for api in apis.values():
            await api.join_stream_room(room_id)
        stream = await apis["alice"].create_stream(room_id)
        data = await stream.add_data_track(name="data")
        await stream.publish()
        reader = Reader(apis["bob"], room_id)

        async def sees() -> bool:
            return bool(await apis["bob"].list_streams(room_id))

        await eventually(sees)
        await apis["bob"].subscribe_to_remote_streams(
            room_id, [StreamSubscription(stream.stream_id)]
        )
        sender = Sender(data)
        await sender.more(20)
        await reader.reaches(10)
        kills = 3
        for number in range(1, kills + 1):
            await bridge.kill()
            await bridge.start()
            await bridge.answers()
            for log in states.values():
                await eventually(lambda log=log, n=number: log.count("restored") == n, seconds=60)
            await eventually(lambda n=number: len(reader.tracks) == 1 + n, seconds=60)
            await sender.more(10)
            await reader.reaches(max(sender.sent))
        last = await sender.stop()
        await reader.reaches(last)
        await reader.stop()
        # At most one for what the Bridge took with it, and one until the reader was there again.
        assert reader.check(sender) <= 2 * kills
        assert last + 1 == len(sender.sent)  # numbers go on, and each was spent once
        assert [type(one) for one in reader.failures] == [DataTrackLostError] * kills
    finally:
        for api in apis.values():
            await asyncio.wait_for(api.close(), 30)
        for connection in connections:
            await asyncio.wait_for(connection.close(), 30)
        await bridge.kill()
