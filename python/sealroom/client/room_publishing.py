"""A joined room's way out: what this participant publishes there."""

from __future__ import annotations

import contextlib
import secrets

from sealroom._core.session import MediaSession
from sealroom.client.errors import RequestRefusedError
from sealroom.client.publisher import Publisher, StagedTrack
from sealroom.client.room_link import RoomLink
from sealroom.crypto.announcement import VerifiedStream, make_announcement
from sealroom.crypto.epoch import EpochKeys
from sealroom.crypto.signed_object import read_unverified
from sealroom.crypto.track_keys import STREAM_NONCE_BYTES
from sealroom.errors import SealroomError
from sealroom.media.negotiation import MediaPeer
from sealroom.protocol import (
    Empty,
    PublishParams,
    PublishResult,
    SignedObject,
    StreamAnnouncement,
    UnpublishParams,
)


class RoomPublishing:
    """Announces streams and sends them. Event-loop thread only."""

    def __init__(self, link: RoomLink) -> None:
        self._link = link
        self._publisher: Publisher | None = None

    @property
    def publisher(self) -> Publisher | None:
        """The media connection, None before the first stream."""
        return self._publisher

    async def publish(self, stream_id: str, tracks: list[StagedTrack]) -> VerifiedStream:
        """Announces, negotiates and starts a stream; see `StreamApi.publish_stream`."""
        link = self._link
        link.check_open()
        if self._publisher is None:
            self._publisher = Publisher(self._make_peer, link.keys.sending)
        publisher = self._publisher
        nonce = secrets.token_bytes(STREAM_NONCE_BYTES)
        identity, user_id = link.connection.identity, link.connection.user_id
        announcement = make_announcement(
            identity,
            user_id,
            keys=link.keys.sending,
            stream_id=stream_id,
            tracks=[one.announced for one in tracks],
            nonce=nonce,
        )

        async def signal(offer: str) -> str:
            return await self._signal(announcement, offer)

        try:
            await publisher.publish(
                stream_id,
                tracks,
                fingerprint=identity.public.fingerprint,
                nonce=nonce,
                signal=signal,
            )
        except RequestRefusedError:
            raise  # the Bridge knows no such stream, and the other streams go on
        except BaseException:
            await self._abandon(publisher, stream_id)
            raise
        return VerifiedStream(
            stream_id=stream_id,
            participant_id=link.participant_id,
            user_id=user_id,
            fingerprint=identity.public.fingerprint,
            announcement=read_unverified(announcement, StreamAnnouncement),  # our own
        )

    async def stop(self, stream_id: str) -> None:
        """Stops sending a stream, whoever ended it."""
        if self._publisher is not None:
            await self._publisher.unpublish(stream_id)

    async def tell_unpublished(self, stream_id: str) -> None:
        params = UnpublishParams(room_id=self._link.room_id, stream_id=stream_id)
        await self._link.connection.call("stream.unpublish", params, Empty)

    def rotate(self, keys: EpochKeys) -> None:
        """Encrypts under a newer epoch's keys from the next frame on."""
        if self._publisher is not None:
            self._publisher.rotate(keys)

    async def close(self) -> None:
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            await publisher.close()

    def _make_peer(self, session: MediaSession) -> MediaPeer:
        return self._link.make_peer(session, "publisher")

    async def _signal(self, announcement: SignedObject, offer: str) -> str:
        params = PublishParams(room_id=self._link.room_id, announcement=announcement, offer=offer)
        result = await self._link.connection.call("stream.publish", params, PublishResult)
        return result.answer

    async def _abandon(self, publisher: Publisher, stream_id: str) -> None:
        # The Bridge may know the stream although it carries nothing.
        if publisher.is_dead:
            if self._publisher is publisher:
                self._publisher = None
            await publisher.close()
        with contextlib.suppress(SealroomError):
            await self.tell_unpublished(stream_id)
