"""A client that speaks the bare protocol, and a media server that only keeps books."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from sealroom.bridge import BridgeConfig
from sealroom.bridge.media_server import (
    MediaError,
    MediaServerStatistics,
    MediaUsage,
    PublishedTrack,
    SubscribedTrack,
    SubscriptionOffer,
    TrackRef,
    TransportGoneError,
)
from sealroom.bridge.server import RunningBridge, embedded
from sealroom.identity import Identity
from sealroom.protocol import (
    EVENTS,
    LOGIN_TYPE,
    MAX_MESSAGE_BYTES,
    METHODS,
    RESUME_TYPE,
    ROOM_RECORD_TYPE,
    STREAM_ANNOUNCEMENT_TYPE,
    AnnouncedTrack,
    ErrorCode,
    ErrorObject,
    EventEnvelope,
    EventType,
    Incoming,
    JoinResult,
    LoginPayload,
    Message,
    ResumePayload,
    RoomCreateParams,
    RoomMember,
    RoomRecord,
    RoomView,
    SealedSecret,
    SignedObject,
    StreamAnnouncement,
)


class Refused(Exception):
    """The Bridge answered with an error."""

    def __init__(self, error: ErrorObject) -> None:
        super().__init__(f"{error.message} {error.data}")
        self.code = ErrorCode(error.code)
        assert error.data is not None
        assert error.data.name == self.code.name
        self.field = error.data.field
        self.remedy = error.data.remedy
        self.url = error.data.url
        self.message = error.message


class FakeMedia:
    """Media server without media: keeps participants, streams and subscriptions."""

    def __init__(self) -> None:
        self.published: dict[tuple[str, str], list[PublishedTrack]] = {}  # by participant, stream
        self.subscriptions: dict[str, list[TrackRef]] = {}
        self.calls: list[tuple[str, ...]] = []
        self.on_data_cut: Callable[[str, TrackRef], None] | None = None
        self.room_of: Callable[[str], str] = lambda participant_id: ""
        self.fail_next: Exception | None = None
        self.gate: asyncio.Event | None = None  # calls wait for it while it is set up
        self.entered = asyncio.Event()
        self.closed = 0
        self.on_transport_failed: Any = None
        self.gone_transports: set[tuple[str, str]] = set()

    @property
    def streams(self) -> dict[str, tuple[str, list[PublishedTrack]]]:
        """Participant and tracks by stream, for tests with one stream of an id."""
        return {stream_id: (owner, one) for (owner, stream_id), one in self.published.items()}

    async def _enter(self, *call: str) -> None:
        self.calls.append(call)
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.fail_next is not None:
            error, self.fail_next = self.fail_next, None
            raise error

    async def publish(
        self, participant_id: str, stream_id: str, offer: str, tracks: Sequence[PublishedTrack]
    ) -> str:
        await self._enter("publish", participant_id, stream_id)
        self.published[participant_id, stream_id] = list(tracks)
        return f"answer to {stream_id}"

    async def update_stream(
        self,
        participant_id: str,
        stream_id: str,
        offer: str | None,
        added: Sequence[PublishedTrack],
        removed: Sequence[str],
    ) -> str | None:
        await self._enter("update_stream", participant_id, stream_id)
        tracks = self.published[participant_id, stream_id]
        tracks[:] = [one for one in tracks if one.track_id not in removed] + list(added)
        return None if offer is None else f"answer to {stream_id}"

    async def unpublish(self, participant_id: str, stream_id: str) -> None:
        await self._enter("unpublish", participant_id, stream_id)
        self.published.pop((participant_id, stream_id), None)

    async def update_subscriptions(
        self, participant_id: str, wanted: Sequence[TrackRef]
    ) -> SubscriptionOffer | None:
        await self._enter("update_subscriptions", participant_id)
        for ref in wanted:
            if (ref.participant_id, ref.stream_id) not in self.published:
                raise MediaError("no such stream")
        if self.subscriptions.get(participant_id, []) == list(wanted):
            return None
        self.subscriptions[participant_id] = list(wanted)
        tracks = [
            SubscribedTrack(str(mid), ref.stream_id, ref.track_id) for mid, ref in enumerate(wanted)
        ]
        return SubscriptionOffer(f"offer of {len(wanted)}", tracks)

    async def answer(self, participant_id: str, sdp: str) -> None:
        await self._enter("answer", participant_id, sdp)

    async def add_candidate(self, participant_id: str, transport: str, candidate: str) -> None:
        await self._enter("add_candidate", participant_id, transport, candidate)

    async def restart_publisher(self, participant_id: str, offer: str) -> str:
        await self._enter("restart_publisher", participant_id, offer)
        if (participant_id, "publisher") in self.gone_transports:
            raise TransportGoneError("there is no publisher transport")
        return f"answer to {offer}"

    async def restart_subscriber(self, participant_id: str) -> SubscriptionOffer:
        await self._enter("restart_subscriber", participant_id)
        if participant_id not in self.subscriptions:
            raise TransportGoneError("there is no subscriber transport")
        wanted = self.subscriptions[participant_id]
        tracks = [SubscribedTrack(str(i), r.stream_id, r.track_id) for i, r in enumerate(wanted)]
        return SubscriptionOffer(f"offer of {len(wanted)}", tracks)

    async def reset(self, participant_id: str, transport: str) -> None:
        await self._enter("reset", participant_id, transport)
        self.gone_transports.discard((participant_id, transport))
        if transport == "subscriber":
            self.subscriptions.pop(participant_id, None)
        else:
            self._forget(participant_id)

    async def remove_participant(self, participant_id: str) -> None:
        await self._enter("remove_participant", participant_id)
        self.subscriptions.pop(participant_id, None)
        self._forget(participant_id)

    def _forget(self, participant_id: str) -> None:
        published = self.published.items()
        self.published = {key: one for key, one in published if key[0] != participant_id}

    async def close(self) -> None:
        self.closed += 1

    def statistics(self) -> MediaServerStatistics:
        return MediaServerStatistics(
            producers=len(self.published), consumers=sum(map(len, self.subscriptions.values()))
        )

    def usage(self, participant_id: str) -> MediaUsage:
        return MediaUsage(received_bytes=11, sent_bytes=7)

    def count(self, name: str) -> int:
        return sum(call[0] == name for call in self.calls)


class Client:
    """One connection. Results and event data come decoded; an error raises `Refused`."""

    def __init__(self, socket: ClientConnection, context_id: str = "") -> None:
        self.socket = socket
        self.context_id = context_id
        self.user_id = ""
        self.session_id = ""
        self.identity: Identity | None = None
        self.events: asyncio.Queue[EventEnvelope] = asyncio.Queue()
        self._next_id = 0
        self._replies: dict[int | str | None, asyncio.Future[Incoming]] = {}
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self.socket:
            incoming = msgspec.json.decode(message, type=Incoming)
            if isinstance(incoming.method, str):
                assert incoming.method == "event"
                assert isinstance(incoming.params, msgspec.Raw)
                self.events.put_nowait(msgspec.json.decode(incoming.params, type=EventEnvelope))
            else:
                self._replies.pop(incoming.id).set_result(incoming)

    async def call(self, method: str, params: Message | dict[str, Any] | None = None, **kw: Any):
        """Call a method with a struct, a dict or keywords of plain values."""
        self._next_id += 1
        request = {
            "jsonrpc": "2.0",
            "id": self._next_id,
            "method": method,
            "params": kw if params is None else params,
        }
        return await self.send(msgspec.json.encode(request), self._next_id, method)

    async def send(self, message: bytes, request_id: int | None = None, method: str = ""):
        """Send any text and wait for the reply to `request_id`."""
        reply = self._replies[request_id] = asyncio.get_running_loop().create_future()
        await self.socket.send(message, text=True)
        incoming = await asyncio.wait_for(reply, 20)
        if isinstance(incoming.error, ErrorObject):
            raise Refused(incoming.error)
        return msgspec.json.decode(incoming.result, type=METHODS[method][1])

    async def login(self, user_id: str, identity: Identity, context_id: str | None = None):
        context_id = self.context_id if context_id is None else context_id
        challenge = await self.call("auth.challenge", context_id=context_id, user_id=user_id)
        payload = LoginPayload(
            bridge_id=challenge.bridge_id,
            nonce=challenge.nonce,
            context_id=context_id,
            user_id=user_id,
        )
        result = await self.login_with(payload, identity)
        self.user_id, self.identity, self.session_id = user_id, identity, result.session_id
        return result

    async def resume(
        self,
        user_id: str,
        identity: Identity,
        session_id: str,
        last_sequence: int,
        *joined: str,
        claimed: str | None = None,
    ):
        """Go on with a session; `claimed` names another user in the payload than the challenge."""
        challenge = await self.call("auth.challenge", context_id=self.context_id, user_id=user_id)
        payload = ResumePayload(
            bridge_id=challenge.bridge_id,
            nonce=challenge.nonce,
            context_id=self.context_id,
            user_id=claimed or user_id,
            session_id=session_id,
            last_sequence=last_sequence,
        )
        raw = msgspec.json.encode(payload)
        signature = identity.sign(RESUME_TYPE, raw)
        params = {"payload": raw, "signature": signature, "joined": list(joined)}
        result = await self.call("auth.resume", params)
        self.user_id, self.identity, self.session_id = user_id, identity, session_id
        return result

    async def login_with(self, payload: LoginPayload, identity: Identity):
        raw = msgspec.json.encode(payload)
        return await self.call(
            "auth.login", {"payload": raw, "signature": identity.sign(LOGIN_TYPE, raw)}
        )

    async def event(self, expected: EventType | None = None) -> tuple[EventEnvelope, Any]:
        """Wait for the next event."""
        envelope = await asyncio.wait_for(self.events.get(), 10)
        if expected is not None:
            assert envelope.type == expected, envelope
        return envelope, msgspec.json.decode(envelope.data, type=EVENTS[envelope.type])

    async def no_event(self) -> None:
        """Check that nothing came, once the Bridge has answered another request."""
        with_any = {"context_id": self.context_id, "user_id": "x"}
        await self.call("auth.challenge", with_any)
        assert self.events.empty(), self.events.get_nowait()

    async def publish(self, room_id: str, stream_id: str | None = None, **kw: Any) -> str:
        """Publish a stream with one video and one audio track and return its id."""
        announcement = announce(self.context_id, room_id, stream_id, **kw)
        result = await self.call(
            "stream.publish",
            room_id=room_id,
            announcement=self.sign(STREAM_ANNOUNCEMENT_TYPE, announcement),
            offer=offer_for(announcement),
        )
        assert result.stream_id == announcement.stream_id
        return announcement.stream_id

    def sign(self, object_type: str, payload: Message | bytes) -> SignedObject:
        assert self.identity is not None
        raw = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        signature = self.identity.sign(object_type, raw)
        return SignedObject(type=object_type, payload=raw, signature=signature, author=self.user_id)

    async def join(self, room_id: str) -> JoinResult:
        result: JoinResult = await self.call("room.join", room_id=room_id)
        return result

    async def close(self) -> None:
        await self.socket.close()
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)


class World:
    """A Bridge with a context, the users alice, bob, carol (no members: mallory), and clients."""

    def __init__(self, bridge: RunningBridge, media: FakeMedia, context_id: str) -> None:
        self.bridge = bridge
        self.media = media
        self.context_id = context_id
        self.identities: dict[str, Identity] = {}
        self._clients: list[Client] = []

    async def connect(self, **options: Any) -> Client:
        """Open a connection without log-in."""
        socket = await connect(
            self.bridge.rpc_url, max_size=MAX_MESSAGE_BYTES, proxy=None, **options
        )
        client = Client(socket, self.context_id)
        self._clients.append(client)
        return client

    async def add_user(self, user_id: str) -> Identity:
        identity = self.identities[user_id] = Identity.generate()
        await self.bridge.admin.user_add(self.context_id, user_id, identity.public)
        return identity

    async def user(self, user_id: str) -> Client:
        """Open a connection and log in, registering the user if need be."""
        if user_id not in self.identities:
            await self.add_user(user_id)
        client = await self.connect()
        await client.login(user_id, self.identities[user_id])
        return client

    def record(self, managers: Iterable[str], users: Iterable[str] = (), **changes: Any):
        """Return a record for a new room; the first manager is its author."""
        managers = list(managers)
        members = [(one, "manager") for one in managers] + [(one, "user") for one in users]
        record = RoomRecord(
            context_id=self.context_id,
            room_id=uuid4().hex,
            version=1,
            previous_hash=b"",
            author=managers[0],
            created_at=1,
            members=[
                RoomMember(
                    user_id=user_id,
                    identity_fingerprint=self.identities[user_id].public.fingerprint,
                    role=role,
                )
                for user_id, role in members
            ],
            policy={},
            public_meta=b"public",
            private_meta=b"private, encrypted",
            epoch=1,
            epoch_commitment=bytes(32),
        )
        return msgspec.structs.replace(record, **changes)

    def create_params(self, client: Client, record: RoomRecord, **changes: Any) -> RoomCreateParams:
        params = RoomCreateParams(
            context_id=record.context_id,
            room_id=record.room_id,
            record=client.sign(ROOM_RECORD_TYPE, record),
            sealed_secrets=[
                SealedSecret(
                    user_id=member.user_id, epoch=1, sealed=f"for {member.user_id}".encode()
                )
                for member in record.members
            ],
        )
        return msgspec.structs.replace(params, **changes)

    async def create_room(
        self, client: Client, users: Iterable[str] = (), ttl: float | None = None, **changes: Any
    ) -> RoomView:
        record = self.record([client.user_id], users, **changes)
        params = self.create_params(client, record, empty_room_ttl=ttl)
        room: RoomView = (await client.call("room.create", params)).room
        return room

    async def close(self) -> None:
        for client in self._clients:
            await client.close()


@asynccontextmanager
async def open_world(media: FakeMedia | None = None, **config: Any) -> AsyncIterator[World]:
    """Run a Bridge with a context and the users alice, bob and mallory.

    Sessions end with their socket unless `session_timeout` is given.
    """
    config.setdefault("session_timeout", 0.0)
    media = media or FakeMedia()
    async with embedded(BridgeConfig(**config), media) as bridge:
        context = await bridge.admin.context_create("test")
        world = World(bridge, media, context.context_id)
        for user_id in ("alice", "bob", "mallory"):
            await world.add_user(user_id)
        try:
            yield world
        finally:
            await world.close()


def announce(
    context_id: str, room_id: str, stream_id: str | None = None, **changes: Any
) -> StreamAnnouncement:
    """Return an announcement of a video and an audio track."""
    announcement = StreamAnnouncement(
        context_id=context_id,
        room_id=room_id,
        stream_id=stream_id or uuid4().hex,
        nonce=bytes(16),
        epoch=1,
        tracks=[
            AnnouncedTrack(track_id="v", kind="video", codec="vp8"),
            AnnouncedTrack(track_id="a", kind="audio", codec="opus"),
        ],
    )
    return msgspec.structs.replace(announcement, **changes)


def offer_for(announcement: StreamAnnouncement) -> str:
    """Return what matters of an SDP offer: m-lines with mid and msid."""
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    for mid, track in enumerate(announcement.tracks):
        lines += [
            f"m={track.kind} 9 UDP/TLS/RTP/SAVPF 96",
            f"a=mid:{mid}",
            f"a=msid:{announcement.stream_id} {track.track_id}",
        ]
    return "\r\n".join(lines) + "\r\n"


async def eventually(condition: Any) -> None:
    """Wait up to five seconds for a condition."""
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")
