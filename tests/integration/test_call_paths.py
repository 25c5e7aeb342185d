"""Calls whose media paths change or die, while the Bridge's socket lives."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, TypeVar

import aioice.ice
import aioice.stun
import pytest
import pytest_asyncio
from call_support import (
    Call,
    StripeTrack,
    eventually,
    open_call,
    publish,
    received,
    shows_stripes,
    take,
)
from path_support import blackhole, cut

from sealroom.client import RemoteTrack, StreamSubscription
from sealroom.client.errors import NotJoinedError
from sealroom.client.events import (
    Event,
    FrameRejected,
    MediaFailed,
    MediaRecovered,
    MediaRecovering,
    TrackRefused,
)
from sealroom.media.errors import TransportError
from sealroom.media.frames import EncodedFrame
from sealroom.media.transport import MediaTransport

MARK = re.compile(rb"<(\d+)>$")


class Addresses:
    """The host's addresses as the test says they are."""

    def __init__(self) -> None:
        self.now = ["127.0.0.1"]

    def __call__(self) -> list[str]:
        return self.now


@pytest.fixture
def addresses() -> Addresses:
    return Addresses()


@pytest_asyncio.fixture
async def call(addresses: Addresses) -> AsyncIterator[Call]:
    async with open_call("alice", "bob", host_addresses=addresses) as one:
        yield one


@pytest.fixture
def quick_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead path is noticed within about a second."""
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.3)
    monkeypatch.setattr(aioice.stun, "RETRY_RTO", 0.1)


@pytest.fixture(params=[True, False], ids=["takeover", "asyncio"])
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both ways to carry media."""
    monkeypatch.setattr("sealroom.media.socket_takeover.SUPPORTED", request.param)
    return bool(request.param)


def numbered() -> Callable[[EncodedFrame], EncodedFrame]:
    """Writes the number of each frame behind it, before it is encrypted."""
    count = 0

    def mark(frame: EncodedFrame) -> EncodedFrame:
        nonlocal count
        count += 1
        return replace(frame, data=bytes(frame.data) + b"<%d>" % count)

    return mark


class Numbers:
    """The numbers that arrive on a track."""

    def __init__(self, remote: RemoteTrack) -> None:
        self.seen: list[int] = []
        remote.set_encoded_frame_handler(self._look)

    def _look(self, frame: EncodedFrame) -> EncodedFrame:
        match = MARK.search(bytes(frame.data))
        assert match is not None
        self.seen.append(int(match[1]))
        return replace(frame, data=bytes(frame.data)[: match.start()])

    async def more(self, count: int) -> None:
        goal = len(self.seen) + count
        await eventually(lambda: len(self.seen) >= goal, seconds=20)

    @property
    def lost(self) -> int:
        return self.seen[-1] - self.seen[0] + 1 - len(self.seen)

    @property
    def is_monotone(self) -> bool:
        return self.seen == sorted(set(self.seen))


EventT = TypeVar("EventT")


class Log:
    """All events of a participant."""

    def __init__(self, call: Call, user_id: str) -> None:
        self.events: list[Event] = []
        call.apis[user_id].add_event_listener(self.events.append)

    def of(self, *kinds: type[EventT]) -> list[EventT]:
        return [one for one in self.events if isinstance(one, kinds)]

    async def recovered(self) -> MediaRecovered:
        await eventually(lambda: bool(self.of(MediaRecovered, MediaFailed)), seconds=40)
        assert not self.of(MediaFailed)
        return self.of(MediaRecovered)[-1]


def transport_of(call: Call, user_id: str, role: str) -> MediaTransport:
    session = call.apis[user_id]._session(call.room_id)
    half = session.publishing.publisher if role == "publisher" else session.receiving.subscriber
    assert half is not None
    return half.peer.transport


def server_transport(call: Call, user_id: str, role: str) -> MediaTransport:
    participant_id = call.apis[user_id]._session(call.room_id).participant_id
    media: Any = call.bridge.media
    found: MediaTransport = getattr(media._participants[participant_id], role).peer.transport
    return found


def local_address(transport: MediaTransport) -> str | None:
    return transport.path.local_address


async def publish_numbered(call: Call) -> tuple[dict[str, RemoteTrack], dict[str, Numbers]]:
    """Alice publishes numbered pictures and sound, bob looks at the numbers."""
    from aiortc.mediastreams import AudioStreamTrack

    stream = await call.apis["alice"].create_stream(call.room_id)
    await stream.add_track(StripeTrack(), name="camera", encoded_frame_handler=numbered())
    await stream.add_track(AudioStreamTrack(), name="microphone", encoded_frame_handler=numbered())
    await stream.publish()
    tracks = await call.subscribe("bob", stream)
    numbers = {name: Numbers(track) for name, track in tracks.items()}
    for one in numbers.values():
        await one.more(10)
    return tracks, numbers


def assert_nothing_was_rejected(call: Call, user_id: str = "bob") -> None:
    for one in call.apis[user_id].statistics(call.room_id).received:
        assert not any(one.native.rejected.values())
        assert one.python.frames_rejected == 0


async def test_a_restart_of_healthy_paths_loses_no_frame(
    call: Call, addresses: Addresses, mode: bool
) -> None:
    _, numbers = await publish_numbered(call)
    log = Log(call, "alice")
    for round_, address in enumerate(["127.0.0.2", "127.0.0.1"]):
        addresses.now = [address]
        await asyncio.gather(*(call.apis[name].restart_media(call.room_id) for name in call.apis))
        for user_id, role in (("alice", "publisher"), ("bob", "subscriber")):
            assert local_address(transport_of(call, user_id, role)) == address
            assert transport_of(call, user_id, role).is_taken_over is mode
        for one in numbers.values():
            await one.more(20)
        assert len(log.of(MediaRecovered)) == round_ + 1
    assert {name: one.lost for name, one in numbers.items()} == {"camera": 0, "microphone": 0}
    assert all(one.is_monotone for one in numbers.values())
    assert_nothing_was_rejected(call)
    assert log.of(MediaRecovering)[0] == MediaRecovering(call.room_id, "publisher", "requested")


@pytest.mark.parametrize(("user_id", "role"), [("alice", "publisher"), ("bob", "subscriber")])
async def test_frames_come_back_after_the_sockets_in_use_were_lost(
    call: Call, addresses: Addresses, mode: bool, user_id: str, role: str
) -> None:
    tracks, numbers = await publish_numbered(call)
    log = Log(call, user_id)
    addresses.now = ["127.0.0.2"]
    session = call.apis[user_id]._session(call.room_id)
    half = session.publishing.publisher if role == "publisher" else session.receiving.subscriber
    assert half is not None
    cut(half.peer.transport, half.session)
    recovered = await log.recovered()
    assert recovered == MediaRecovered(call.room_id, role, "no_consent", False)  # type: ignore[arg-type]
    assert local_address(half.peer.transport) == "127.0.0.2"
    assert half.peer.transport.is_taken_over is mode
    for one in numbers.values():
        await one.more(30)
        assert one.is_monotone
    assert shows_stripes((await take(tracks["camera"], 10))[-1])
    assert_nothing_was_rejected(call)


@pytest.mark.parametrize(("user_id", "role"), [("alice", "publisher"), ("bob", "subscriber")])
async def test_frames_come_back_after_the_network_swallowed_them(
    call: Call, mode: bool, quick_consent: None, user_id: str, role: str
) -> None:
    tracks, numbers = await publish_numbered(call)
    log = Log(call, user_id)
    blackhole(transport_of(call, user_id, role))
    blackhole(server_transport(call, user_id, role))
    recovered = await log.recovered()
    assert (recovered.transport, recovered.is_replaced) == (role, False)
    for one in numbers.values():
        await one.more(30)
        assert one.is_monotone
    assert shows_stripes((await take(tracks["camera"], 10))[-1])
    assert_nothing_was_rejected(call)


async def test_a_path_is_left_when_its_address_is_gone_from_the_host(
    call: Call, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealroom.client.media_recovery.ADDRESS_POLL", 0.1)
    async with open_call("alice", "bob", host_addresses=addresses) as call:
        _, numbers = await publish_numbered(call)
        log = Log(call, "alice")
        addresses.now = ["127.0.0.2"]
        assert (await log.recovered()).reason == "address_gone"
        assert local_address(transport_of(call, "alice", "publisher")) == "127.0.0.2"
        for one in numbers.values():
            await one.more(20)
            assert one.lost == 0


async def test_a_restart_while_the_room_changes_its_keys_rejects_nothing(
    call: Call, addresses: Addresses
) -> None:
    await call.add("carol")
    await call.apis["alice"].update_stream_room(call.room_id, users=["bob", "carol"])
    tracks, numbers = await publish_numbered(call)
    addresses.now = ["127.0.0.2"]
    await asyncio.gather(
        call.apis["alice"].update_stream_room(call.room_id, users=["bob"]),
        *(call.apis[name].restart_media(call.room_id) for name in ("alice", "bob")),
    )
    await eventually(
        lambda: call.apis["alice"]._session(call.room_id).publishing.publisher._keys.id.epoch == 2  # type: ignore[union-attr]
    )
    for one in numbers.values():
        await one.more(30)
        assert (one.lost, one.is_monotone) == (0, True)
    assert shows_stripes((await take(tracks["camera"], 10))[-1])
    assert_nothing_was_rejected(call)


async def test_a_publisher_transport_that_died_at_the_media_server_is_replaced(call: Call) -> None:
    stream = await publish(call.apis["alice"], call.room_id, audio=True)
    await call.sees("bob", stream)
    before = {one.stream_id: one for one in await call.apis["bob"].list_streams(call.room_id)}
    old = transport_of(call, "alice", "publisher")
    nonce = call.apis["bob"]._session(call.room_id).streams[stream.stream_id].announcement.nonce
    log = Log(call, "alice")
    server_transport(call, "alice", "publisher")._fail("test")
    recovered = await log.recovered()
    assert recovered == MediaRecovered(call.room_id, "publisher", "connection_lost", True)
    assert transport_of(call, "alice", "publisher") is not old
    assert old.state == "closed"

    async def is_new() -> bool:
        found = call.apis["bob"]._session(call.room_id).streams.get(stream.stream_id)
        return found is not None and found.announcement.nonce != nonce

    await eventually(is_new)
    after = {one.stream_id: one for one in await call.apis["bob"].list_streams(call.room_id)}
    assert after == before
    tracks = await call.subscribe("bob", stream)
    assert shows_stripes((await take(tracks["camera"], 10))[-1])
    assert_nothing_was_rejected(call)
    assert len(log.of(MediaRecovered)) == 1
    await stream.unpublish()


async def test_a_subscriber_transport_that_died_at_the_media_server_is_replaced(call: Call) -> None:
    stream = await publish(call.apis["alice"], call.room_id, audio=True)
    tracks = await call.subscribe("bob", stream)
    await take(tracks["camera"], 3)
    heard: list[RemoteTrack] = []
    call.apis["bob"].add_remote_stream_listener(call.room_id, heard.append)
    heard.clear()
    log = Log(call, "bob")
    server_transport(call, "bob", "subscriber")._fail("test")
    recovered = await log.recovered()
    assert recovered == MediaRecovered(call.room_id, "subscriber", "connection_lost", True)
    assert {one.name for one in heard} == {"camera", "microphone"}
    camera = next(one for one in heard if one.name == "camera")
    assert shows_stripes((await take(camera, 10))[-1])
    assert_nothing_was_rejected(call)
    # Subscriptions go on as if nothing had been.
    only_sound = [StreamSubscription(stream.stream_id, camera.track_id)]
    await call.apis["bob"].unsubscribe_from_remote_streams(call.room_id, only_sound)
    left = call.apis["bob"]._session(call.room_id).receiving.remote_tracks()
    assert [one.name for one in left] == ["microphone"]


async def test_an_offer_of_a_media_server_that_began_anew_is_taken_at_once(call: Call) -> None:
    first = await publish(call.apis["alice"], call.room_id, audio=True)
    await take((await call.subscribe("bob", first))["camera"], 3)
    second = await publish(call.apis["alice"], call.room_id, grey=120)
    await call.sees("bob", second)
    log = Log(call, "bob")
    # As after a failure that only the media server has noticed so far.
    server_transport(call, "bob", "subscriber")._fail("test")
    wanted = [StreamSubscription(second.stream_id)]
    await call.apis["bob"].subscribe_to_remote_streams(call.room_id, wanted)
    remotes = call.apis["bob"]._session(call.room_id).receiving.remote_tracks()
    assert {(one.stream_id, one.name) for one in remotes} == {
        (first.stream_id, "camera"),
        (first.stream_id, "microphone"),
        (second.stream_id, "camera"),
    }
    for one in remotes:
        frames = await take(one, 5)
        assert one.kind == "audio" or shows_stripes(
            frames[-1], 120 if one.stream_id == second.stream_id else 200
        )
    assert not log.of(MediaFailed)
    assert_nothing_was_rejected(call)


async def test_a_goodbye_of_the_media_server_is_answered_with_a_new_connection(call: Call) -> None:
    stream = await publish(call.apis["alice"], call.room_id)
    tracks = await call.subscribe("bob", stream)
    await take(tracks["camera"], 3)
    log = Log(call, "bob")
    await server_transport(call, "bob", "subscriber").close()
    recovered = await log.recovered()
    assert (recovered.transport, recovered.is_replaced) == ("subscriber", True)
    remote = call.apis["bob"]._session(call.room_id).receiving.remote_tracks()[0]
    assert shows_stripes((await take(remote, 10))[-1])


async def test_the_old_transports_are_released_at_both_ends(call: Call) -> None:
    stream = await publish(call.apis["alice"], call.room_id)
    await call.subscribe("bob", stream)
    log = Log(call, "alice")
    old = server_transport(call, "alice", "publisher")
    old._fail("test")
    await log.recovered()
    await eventually(lambda: old.state == "closed" and old.path.is_lost)
    statistics = call.bridge.media.statistics()
    assert (statistics.participants, statistics.producers) == (2, 1)


async def test_without_media_there_is_nothing_to_restart(call: Call) -> None:
    await call.apis["alice"].restart_media(call.room_id)
    with pytest.raises(NotJoinedError):
        await call.apis["alice"].restart_media("another")


async def test_a_restart_that_cannot_work_raises_and_the_media_goes_on(
    call: Call, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealroom.client.media_recovery.RESTART_DELAYS", (0, 0.1))
    _, numbers = await publish_numbered(call)
    log = Log(call, "alice")
    addresses.now = ["192.0.2.1"]  # nobody's
    with pytest.raises(TransportError, match="candidate"):
        await call.apis["alice"].restart_media(call.room_id)
    assert not log.of(MediaFailed)
    for one in numbers.values():
        await one.more(20)
        assert one.lost == 0
    addresses.now = ["127.0.0.2"]
    await call.apis["alice"].restart_media(call.room_id)


async def test_fresh_turn_credentials_are_fetched_before_a_restart(call: Call) -> None:
    await publish(call.apis["alice"], call.room_id)
    link = call.apis["alice"]._session(call.room_id)._link
    asked: list[int] = []

    async def fetch() -> list[dict[str, Any]]:
        asked.append(1)
        return [{"urls": ["stun:127.0.0.1:9"], "username": None, "credential": None}]

    link.fetch_ice_servers = fetch
    await call.apis["alice"].restart_media(call.room_id)
    assert asked == [1]
    connection = transport_of(call, "alice", "publisher").path.connection
    assert connection.stun_server == ("127.0.0.1", 9)


@pytest.mark.parametrize("lie", ["another codec", "no codec in common"])
async def test_a_track_offered_with_another_codec_is_refused_and_the_rest_goes_on(
    call: Call, lie: str
) -> None:
    bob = call.connections["bob"]
    honest = bob.call
    stream = await publish(call.apis["alice"], call.room_id, audio=True)
    info = next(one for one in await call.apis["alice"].list_streams(call.room_id))
    sound = next(one.track_id for one in info.tracks if one.kind == "audio")
    picture = next(one.track_id for one in info.tracks if one.kind == "video")

    async def lying(method: str, params: Any, result_type: Any) -> Any:
        result = await honest(method, params, result_type)
        if method != "subscription.update" or result.offer is None:
            return result
        mids = {one.track_id: one.mid for one in result.tracks}
        if lie == "another codec":  # the audio m-line is said to carry the picture
            tracks = [
                replace_mid(one, mids[sound if one.track_id == picture else picture])
                for one in result.tracks
                if one.track_id == picture
            ]
            return type(result)(offer_id=result.offer_id, offer=result.offer, tracks=tracks)
        offer = result.offer.replace("VP8/90000", "VP7/90000")
        return type(result)(offer_id=result.offer_id, offer=offer, tracks=result.tracks)

    def replace_mid(one: Any, mid: str) -> Any:
        return type(one)(mid=mid, stream_id=one.stream_id, track_id=one.track_id)

    log = Log(call, "bob")
    bob.call = lying  # type: ignore[method-assign]
    await call.sees("bob", stream)
    wanted = [StreamSubscription(stream_id=stream.stream_id)]
    await call.apis["bob"].subscribe_to_remote_streams(call.room_id, wanted)
    bob.call = honest  # type: ignore[method-assign]
    refused = log.of(TrackRefused)
    assert [(one.track_id, one.user_id) for one in refused] == [(picture, "alice")]
    second = await publish(call.apis["alice"], call.room_id, grey=120)
    more = await call.subscribe("bob", second)
    assert shows_stripes((await take(more["camera"], 10))[-1], 120)
    if lie == "no codec in common":
        remotes = call.apis["bob"]._session(call.room_id).receiving.remote_tracks()
        await take(next(one for one in remotes if one.kind == "audio"), 20)
    assert not log.of(FrameRejected, MediaFailed)
    assert received(call, "bob").native.frames_received > 0
