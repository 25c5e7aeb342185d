"""A member of a room whose media is a browser's.

The identity, what is signed and the derivation of keys stay in Python, with a `StreamApi` that does
no media of its own; the page gets session descriptions and the keys of single tracks.
"""

from __future__ import annotations

import asyncio
import base64
import uuid
from typing import Any

from browser_support import BrowserPeer, Page, key_of

from sealroom.client import StreamApi
from sealroom.crypto.announcement import make_announcement
from sealroom.crypto.epoch import EpochKeys
from sealroom.crypto.labels import expand
from sealroom.crypto.signed_object import read_unverified
from sealroom.crypto.track_keys import derive_track_key
from sealroom.media.session_description import parse_description
from sealroom.protocol import (
    AnnouncedTrack,
    AnswerParams,
    AnswerResult,
    MediaOffer,
    PublishParams,
    PublishResult,
    RestartParams,
    RestartResult,
    StreamAnnouncement,
    SubscriptionParams,
    SubscriptionResult,
    TrackAssignment,
    TrackSelector,
)

MIME_TYPES = {"vp8": "video/VP8", "vp9": "video/VP9", "h264": "video/H264", "av1": "video/AV1"}


def data_key(keys: EpochKeys, fingerprint: bytes, nonce: bytes, track_id: str) -> dict[str, Any]:
    """Key and salt of a data track, as docs/wire.md derives them, for the page."""
    stream = expand(keys.data, "data stream", fingerprint, nonce)
    key = expand(stream, "data track key", track_id)
    salt = expand(stream, "data track salt", track_id, length=12)
    return {
        "epoch": keys.id.epoch,
        "key": base64.b64encode(key).decode(),
        "salt": base64.b64encode(salt).decode(),
    }


class BrowserMember:
    """Publishes and subscribes in a room that `api` has joined."""

    def __init__(self, api: StreamApi, room_id: str, page: Page) -> None:
        self._session: Any = api._session(room_id)
        self._link = self._session._link
        self._connection = self._link.connection
        self._room_id = room_id
        self._page = page
        self._subscriber: BrowserPeer | None = None
        self._publisher: BrowserPeer | None = None
        self._received: list[TrackAssignment] = []
        self._announcement: StreamAnnouncement | None = None
        self._sent: dict[str, str] = {}  # track ids by mid
        self._data_track = ""  # id of the one that is sent
        self._tasks: set[asyncio.Task[None]] = set()
        # What the session would have its own media do.
        self._session.receiving.media_offered = self._media_offered
        self._session.receiving.add_epoch = lambda keys: self._soon(self._receive_under(keys))
        self._session.publishing.rotate = lambda keys: self._soon(self._send_under(keys))

    @property
    def subscriber(self) -> BrowserPeer:
        assert self._subscriber is not None
        return self._subscriber

    @property
    def publisher(self) -> BrowserPeer:
        assert self._publisher is not None
        return self._publisher

    def knows(self, stream_id: str) -> bool:
        """Whether the stream was announced, and its publisher verified."""
        return stream_id in self._link.streams

    def mid_of(self, stream_id: str, kind: str) -> str:
        """The m-line that brings the stream's track of a kind."""
        stream = self._link.streams[stream_id]
        return next(
            one.mid
            for one in self._received
            if one.stream_id == stream_id and stream.track(one.track_id).kind == kind
        )

    async def subscribe(self, *stream_ids: str) -> None:
        add = [TrackSelector(stream_id=one) for one in stream_ids]
        params = SubscriptionParams(room_id=self._room_id, add=add)
        result = await self._connection.call("subscription.update", params, SubscriptionResult)
        assert result.offer is not None
        await self._answer(result.offer_id, result.offer, result.tracks)

    async def publish(self, codec: str = "vp8") -> str:
        """Publishes bars and a tone; the browser chooses the ids. Returns that of the stream."""
        self._publisher = await self._page.open_peer({})
        offer = await self._publisher.call("offer", ["audio/opus", MIME_TYPES[codec]], "sendonly")
        sections = parse_description(offer).sections
        self._sent = {one.mid: one.track_id for one in sections}
        codecs = {"audio": "opus", "video": codec}
        tracks = [
            AnnouncedTrack(track_id=one.track_id, kind=one.kind, codec=codecs[one.kind])
            for one in sections
        ]
        return await self._announce(sections[0].stream_id, tracks, offer)

    async def publish_data(self) -> str:
        """Publishes a data track. Returns its label: the ids of stream and track."""
        stream_id, self._data_track = uuid.uuid4().hex, uuid.uuid4().hex
        self._publisher = await self._page.open_peer({})
        await self._publisher.call("openData", stream_id, self._data_track)
        offer = await self._publisher.call("offer", [], "sendonly")
        track = AnnouncedTrack(track_id=self._data_track, kind="data", codec="message")
        await self._announce(stream_id, [track], offer)
        return f"{stream_id} {self._data_track}"

    async def _announce(self, stream_id: str, tracks: list[AnnouncedTrack], offer: str) -> str:
        keys = self._link.keys.sending
        signed = make_announcement(
            self._connection.identity,
            self._connection.user_id,
            keys=keys,
            stream_id=stream_id,
            tracks=tracks,
        )
        self._announcement = read_unverified(signed, StreamAnnouncement)
        await self._send_under(keys)
        params = PublishParams(room_id=self._room_id, announcement=signed, offer=offer)
        result = await self._connection.call("stream.publish", params, PublishResult)
        await self.publisher.call("finish", result.answer)
        return result.stream_id

    async def restart(self) -> None:
        """Moves both connections to other paths."""
        offer = await self.publisher.call("offerRestart")
        params = RestartParams(room_id=self._room_id, transport="publisher", offer=offer)
        result = await self._connection.call("media.restart", params, RestartResult)
        await self.publisher.call("finish", result.answer)
        params = RestartParams(room_id=self._room_id, transport="subscriber")
        result = await self._connection.call("media.restart", params, RestartResult)
        await self._answer(result.offer_id, result.offer, result.tracks)

    async def _media_offered(self, data: MediaOffer) -> None:
        await self._answer(data.offer_id, data.offer, data.tracks)

    async def _answer(self, offer_id: int, offer: str, tracks: list[TrackAssignment]) -> None:
        self._received = tracks
        if self._subscriber is None:
            self._subscriber = await self._page.open_peer({})
        for keys in self._link.keys.accepted:
            await self._receive_under(keys)
        answer = await self._subscriber.call("answer", offer)
        params = AnswerParams(room_id=self._room_id, offer_id=offer_id, sdp=answer)
        await self._connection.call("media.answer", params, AnswerResult)

    async def _receive_under(self, keys: EpochKeys) -> None:
        if self._subscriber is None:
            return
        by_mid, by_label = {}, {}
        for one in self._received:
            stream = self._link.streams[one.stream_id]
            track = stream.track(one.track_id)
            if track.kind == "data":
                nonce = stream.announcement.nonce
                key = data_key(keys, stream.fingerprint, nonce, one.track_id)
                by_label[f"{one.stream_id} {one.track_id}"] = key
                continue
            base_key = stream.track_key(keys, one.track_id)
            by_mid[one.mid] = key_of(base_key, keys.id.epoch, track.suite)
            by_mid[one.mid]["hasLevel"] = track.audio_level
        await self._subscriber.call("addKeys", by_mid)
        await self._subscriber.call("addDataKeys", by_label)

    async def _send_under(self, keys: EpochKeys) -> None:
        if self._publisher is None or self._announcement is None:
            return
        own = self._connection.identity.public.fingerprint
        nonce = self._announcement.nonce
        by_mid = {
            mid: key_of(derive_track_key(keys, own, nonce, track_id), keys.id.epoch)
            for mid, track_id in self._sent.items()
        }
        await self._publisher.call("addKeys", by_mid)
        if self._data_track:
            label = f"{self._announcement.stream_id} {self._data_track}"
            key = data_key(keys, own, nonce, self._data_track)
            await self._publisher.call("addDataKeys", {label: key})

    async def keys_given(self) -> None:
        """Returns once the page has the keys of the newest epoch."""
        await asyncio.gather(*self._tasks)

    def _soon(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
