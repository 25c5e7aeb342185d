"""Wrong arguments are refused by name, as `InvalidArgumentError`, and change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from aiortc import VideoStreamTrack
from aiortc.mediastreams import AudioStreamTrack
from call_support import Call, StripeTrack, open_call

from sealroom.bridge import RequestError
from sealroom.client import Connection, StreamApi, StreamSubscription
from sealroom.errors import InvalidArgumentError
from sealroom.identity import Identity
from sealroom.sources import MediaSource


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def call() -> AsyncIterator[Call]:
    async with open_call("alice", "bob") as one:
        yield one


NO_TEXT = "film-\udcff.mp4"
"""As Python reads the name of a file that is not UTF-8."""

Step = Callable[[StreamApi, Call], Awaitable[Any]]


async def listener(event: Any) -> None:
    """Nobody would await this."""


ROOMS: dict[str, Step] = {
    "public_meta: bytes, not str; encode it": lambda api, c: api.create_stream_room(
        c.context_id, ["bob"], public_meta="x"
    ),
    "private_meta: bytes, not dict": lambda api, c: api.create_stream_room(
        c.context_id, ["bob"], private_meta={}
    ),
    "private_meta: at most": lambda api, c: api.create_stream_room(
        c.context_id, ["bob"], private_meta=b"x" * 70_000
    ),
    "users: a list of user ids or UserIdentity, not str": lambda api, c: api.create_stream_room(
        c.context_id, "bob"
    ),
    r"managers\[1\]: user ids or UserIdentity, not int": lambda api, c: api.create_stream_room(
        c.context_id, [], ["bob", 3]
    ),
    "not in the context: nobody": lambda api, c: api.create_stream_room(c.context_id, ["nobody"]),
    "policy: texts by entry": lambda api, c: api.create_stream_room(
        c.context_id, [], policy={"publish": True}
    ),
    "empty_room_ttl: int or float or None, not str": lambda api, c: api.create_stream_room(
        c.context_id, [], empty_room_ttl="5"
    ),
    "room_type: str, not int": lambda api, c: api.create_stream_room(c.context_id, [], room_type=5),
    "users: a list": lambda api, c: api.update_stream_room(c.room_id, users="bob"),
    "version: int or None, not str": lambda api, c: api.update_stream_room(c.room_id, version="1"),
    "public_meta: bytes, not str": lambda api, c: api.update_stream_room(
        c.room_id, public_meta="x"
    ),
    "room_id: str, not bytes": lambda api, c: api.join_stream_room(b"room"),
    "room_id: empty": lambda api, c: api.get_stream_room(""),
    "room_id: a lone surrogate": lambda api, c: api.join_stream_room(NO_TEXT),
    r"users\[0\]: a lone surrogate": lambda api, c: api.create_stream_room(c.context_id, [NO_TEXT]),
    "policy: a lone surrogate": lambda api, c: api.create_stream_room(
        c.context_id, [], policy={"publish": NO_TEXT}
    ),
    "room_type: a lone surrogate": lambda api, c: api.create_stream_room(
        c.context_id, [], room_type=NO_TEXT
    ),
    "room_ids: a list of ids": lambda api, c: api.delete_stream_rooms("room"),
    "limit: int, not str": lambda api, c: api.list_stream_rooms(limit="5"),
    "skip: int, not bool": lambda api, c: api.list_stream_rooms(skip=True),
}
CALLS: dict[str, Step] = {
    "title: str or None, not int": lambda api, c: api.create_stream(c.room_id, title=5),
    "title: a lone surrogate, as in the name of a file": lambda api, c: api.create_stream(
        c.room_id, title=NO_TEXT
    ),
    "channel: a lone surrogate": lambda api, c: api.send_custom_event(
        c.room_id, b"", channel=NO_TEXT
    ),
    "room.kick: a text among the arguments has a lone surrogate": lambda api, c: (
        api.kick_participant(c.room_id, NO_TEXT)
    ),
    "metadata: bytes, not str": lambda api, c: api.create_stream(c.room_id, metadata="x"),
    "data: bytes, not str": lambda api, c: api.send_custom_event(c.room_id, "x"),
    "channel: str, not int": lambda api, c: api.send_custom_event(c.room_id, b"", channel=1),
    r"user_ids: a list, \['bob'\]": lambda api, c: api.send_custom_event(
        c.room_id, b"", user_ids="bob"
    ),
    "subscriptions: a list of StreamSubscription": lambda api, c: api.subscribe_to_remote_streams(
        c.room_id, StreamSubscription("x")
    ),
    r"subscriptions\[0\]: StreamSubscription": lambda api, c: api.unsubscribe_from_remote_streams(
        c.room_id, ["x"]
    ),
    "add: a list": lambda api, c: api.modify_remote_streams_subscriptions(c.room_id, add="x"),
}
TRACKS: dict[str, tuple[Any, dict[str, Any]]] = {
    r"track: an aiortc MediaStreamTrack, not ndarray; push": (np.zeros((2, 2)), {}),
    r"track: an aiortc MediaStreamTrack, not MediaSource; add its \.video": (
        MediaSource(None, None),
        {},
    ),
    "name: str, not int": (None, {"name": 5}),
    "name: a lone surrogate": (None, {"name": NO_TEXT}),
    "source: one of 'camera', .*, not 'webcam'": (None, {"source": "webcam"}),
    "enabled: bool, not str": (None, {"enabled": "no"}),
    "encoded_frame_handler: a function": (None, {"encoded_frame_handler": 3}),
    "bitrate: int or None, not str": (None, {"bitrate": "1M"}),
    "bitrate: from 6000 to 100000000 bits per second of video": (None, {"bitrate": 0}),
    "bitrate: from 6000 to 510000 bits per second of audio": (
        AudioStreamTrack(),
        {"bitrate": 510_001},
    ),
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("text", ROOMS | CALLS)
async def test_a_wrong_argument_is_named_and_changes_nothing(call: Call, text: str) -> None:
    api = call.apis["alice"]
    before = await api.list_stream_rooms()
    with pytest.raises(InvalidArgumentError, match=f"^{text}"):
        await (ROOMS | CALLS)[text](api, call)
    assert await api.list_stream_rooms() == before
    assert await call.apis["bob"].list_streams(call.room_id) == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("text", TRACKS)
async def test_a_track_that_cannot_be_sent_is_refused_when_it_is_added(
    call: Call, text: str
) -> None:
    track, options = TRACKS[text]
    stream = await call.apis["alice"].create_stream(call.room_id)
    with pytest.raises(InvalidArgumentError, match=f"^{text}"):
        await stream.add_track(VideoStreamTrack() if track is None else track, **options)
    assert not call.apis["alice"]._streams[stream.stream_id].tracks


@pytest.mark.asyncio(loop_scope="module")
async def test_a_title_that_is_refused_leaves_its_stream_as_it_was(call: Call) -> None:
    stream = await call.apis["alice"].create_stream(call.room_id, title="film")
    with pytest.raises(InvalidArgumentError, match=r"^title: a lone surrogate"):
        await stream.set_details(title=NO_TEXT)
    await stream.add_data_track()
    assert call.apis["alice"]._streams[stream.stream_id].title == "film"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_request_that_cannot_be_encoded_is_not_waited_for(call: Call) -> None:
    with pytest.raises(InvalidArgumentError):
        await call.apis["alice"].kick_participant(call.room_id, NO_TEXT)
    socket = call.connections["alice"]._socket
    assert socket is not None
    assert socket.open_requests == 0


@pytest.mark.asyncio(loop_scope="module")
async def test_a_track_that_has_ended_is_refused(call: Call) -> None:
    stream = await call.apis["alice"].create_stream(call.room_id)
    track = StripeTrack()
    track.stop()
    with pytest.raises(InvalidArgumentError, match=r"^track: it has ended"):
        await stream.add_track(track)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_listener_that_nobody_would_await_is_refused(call: Call) -> None:
    api = call.apis["alice"]
    for add in (
        api.add_event_listener,
        lambda one: api.add_remote_stream_listener(call.room_id, one),
        lambda one: api.add_remote_data_track_listener(call.room_id, one),
        lambda one: api.add_audio_level_listener(call.room_id, one),
    ):
        with pytest.raises(InvalidArgumentError, match=r"^listener: a plain function, not a corou"):
            add(listener)
        with pytest.raises(InvalidArgumentError, match=r"^listener: a function, not None"):
            add(None)  # type: ignore[arg-type]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"url": "http://127.0.0.1:1"}, "url: ws://host:port or wss://host:port"),
        ({"identity": Identity.generate().public}, "identity: Identity, not PublicIdentity"),
        ({"user_id": 5}, "user_id: str, not int"),
        ({"context_id": None}, "context_id: str, not None"),
        ({"request_timeout": "5"}, "request_timeout: int or float, not str"),
        ({"request_timeout": 0}, "request_timeout: up to 3600 seconds"),
    ],
)
async def test_a_connection_refuses_wrong_arguments_before_it_connects(
    call: Call, change: dict[str, Any], text: str
) -> None:
    right = {
        "url": call.bridge.url,
        "identity": call.identities["alice"],
        "user_id": "alice",
        "context_id": call.context_id,
    }
    with pytest.raises(InvalidArgumentError, match=f"^{text}"):
        await Connection.connect(**(right | change))


@pytest.mark.asyncio(loop_scope="module")
async def test_administration_in_process_names_field_and_remedy(call: Call) -> None:
    """A private identity above all is not taken for a public one."""
    identity = Identity.generate()
    with pytest.raises(RequestError, match=r"\(identity\) Remedy: give identity\.public\."):
        await call.bridge.admin.user_add(call.context_id, "zoe", identity)  # type: ignore[arg-type]
    with pytest.raises(RequestError, match=r"\(user_id\) Remedy: "):
        await call.bridge.admin.user_add(call.context_id, "", identity.public)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("addresses", "text"),
    [
        ("127.0.0.1", r"host_addresses: a list, \['127.0.0.1'\]"),
        ([5], r"host_addresses\[0\]: IP addresses, not int"),
        (["127.0.0.1", "localhost"], r"host_addresses\[1\]: an IP address .* not 'localhost'"),
        (5, "host_addresses: a list of IP addresses, not int"),
    ],
)
async def test_addresses_that_are_none_are_refused(call: Call, addresses: Any, text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=text):
        StreamApi(call.apis["alice"]._connection, host_addresses=addresses)


async def test_a_listener_of_a_stream_is_given_its_id(call: Call) -> None:
    wrong: Any = 5
    with pytest.raises(InvalidArgumentError, match="stream_id: str or None, not int"):
        call.apis["alice"].add_remote_stream_listener(call.room_id, print, stream_id=wrong)


async def test_ending_a_listener_twice_is_fine(call: Call) -> None:
    end = call.apis["alice"].add_event_listener(lambda event: None)
    end()
    end()


@pytest.mark.asyncio(loop_scope="module")
async def test_an_api_closes_itself_at_the_end_of_its_block(call: Call) -> None:
    async with StreamApi(call.connections["bob"], host_addresses=["127.0.0.1"]) as api:
        room_id = await api.create_stream_room(call.context_id, [])
        await api.join_stream_room(room_id)
        events = api.events()
    async with asyncio.timeout(10):
        async for _ in events:  # they end
            pass
    assert await call.apis["bob"].list_stream_room_participants(room_id) == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("enabled", ["no", None, 0])
async def test_a_track_is_enabled_with_true_or_false(call: Call, enabled: Any) -> None:
    stream = await call.apis["alice"].create_stream(call.room_id)
    track = await stream.add_track(VideoStreamTrack())
    with pytest.raises(InvalidArgumentError, match=r"^enabled: bool, not"):
        await track.set_enabled(enabled)
