"""A joined room's way out: what this participant publishes there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Collection, Sequence

from sealroom._core.session import MediaSession
from sealroom.client.data_recovery import DataRecovery
from sealroom.client.errors import ProtocolError, RequestRefusedError, StreamStateError
from sealroom.client.events import StreamUnpublished, TrackEnded
from sealroom.client.published_stream import PublishedStream, end_data, number_from_here
from sealroom.client.publisher import Publisher
from sealroom.client.room_link import RoomLink
from sealroom.client.staged_stream import AnyStagedTrack, StagedStream, StagedTrack
from sealroom.client.unbroken import UnbrokenWork
from sealroom.crypto.epoch import EpochKeys
from sealroom.crypto.stream_details import StreamDetails
from sealroom.crypto.track_keys import STREAM_NONCE_BYTES
from sealroom.errors import SealroomError
from sealroom.media.errors import TransportError
from sealroom.media.negotiation import MediaPeer
from sealroom.protocol import (
    Empty,
    PublishParams,
    PublishResult,
    ResetParams,
    RestartParams,
    RestartResult,
    SignedObject,
    StreamUpdateParams,
    StreamUpdateResult,
    UnpublishParams,
)

logger = logging.getLogger(__name__)


class RoomPublishing:
    """Announces streams and sends them. Event-loop thread only."""

    def __init__(self, link: RoomLink) -> None:
        self._link = link
        self._publisher: Publisher | None = None
        self._published: dict[str, PublishedStream] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._replacing = asyncio.Lock()
        self._is_reset_due = False
        self._unbroken = UnbrokenWork()
        self.recovery = link.recovery(
            "publisher",
            restart=self._restart,
            replace=self.publish_again,
            on_lost=self._media_lost,
        )
        self._data_recovery = DataRecovery(link.room_id, "publisher", link.emit)

    @property
    def published(self) -> list[str]:
        """Ids of what is published."""
        return list(self._published)

    @property
    def publisher(self) -> Publisher | None:
        """The media connection, None before the first stream."""
        return self._publisher

    @property
    def is_in_use(self) -> bool:
        """True while there are streams, or a connection for them."""
        return self._publisher is not None or bool(self._published)

    async def publish(self, staged: StagedStream) -> None:
        """Announces, negotiates and starts a stream; see `StreamApi.publish_stream`.

        Each call begins with a fresh nonce at version 1, also under an id that was used before.
        """
        await self._unbroken.done(staged.stream_id)  # what became of it before
        await self._connect()
        tracks = staged.wanted_tracks()
        number_from_here(tracks)
        published = PublishedStream(
            staged.stream_id,
            secrets.token_bytes(STREAM_NONCE_BYTES),
            tracks,
            staged.details(tracks),
        )
        async with published.lock:
            await self._change(published, tracks, (), published.details, tracks)
            self._link.check_open()  # not left, or given up for another session, meanwhile
            staged.settle(tracks)
            self._published[staged.stream_id] = published
        stream = published.stream
        if stream and stream.announcement.epoch < self._link.keys.sending.id.epoch:
            self._announce_soon(published)  # a new epoch began meanwhile

    async def update(self, staged: StagedStream) -> None:
        """Brings a published stream in line with what is staged; see `StreamApi.update_stream`."""
        await self._replaced()
        published = self._require(staged.stream_id)
        async with published.lock:
            self._require(staged.stream_id)
            tracks = staged.wanted_tracks()
            details = staged.details(tracks)
            old = {one.track_id for one in published.tracks}
            add = [one for one in tracks if one.track_id not in old]
            remove = old - {one.track_id for one in tracks}
            if add or remove or details != published.details or published.is_in_doubt:
                try:
                    await self._change(published, add, remove, details, tracks)
                except BaseException:
                    if published.has_ended and not self._link.is_closed:
                        staged.is_published = False
                    raise
            staged.settle(tracks)

    async def set_enabled(self, stream_id: str, track: StagedTrack, is_enabled: bool) -> None:
        """Mutes or unmutes a track of a published stream and tells the others.

        Muting takes effect before anything is sent to the Bridge, unmuting once all are told.
        """
        published = self._require(stream_id)
        was_enabled, track.is_enabled = track.is_enabled, is_enabled
        if not is_enabled and self._publisher is not None:
            self._publisher.set_enabled(stream_id, track.track_id, False)
        try:
            await self._replaced()
            async with published.lock:
                self._require(stream_id)
                if track.is_enabled is not is_enabled:
                    return  # changed again meanwhile, and that call tells it
                if not published.tells(track):
                    await self._change(published, (), (), published.details, published.tracks)
                if track.is_enabled and self._publisher is not None:
                    self._publisher.set_enabled(stream_id, track.track_id, True)
        except BaseException:
            if is_enabled and not was_enabled:
                track.is_enabled = False
            raise

    async def publish_again(self) -> None:
        """Publishes all streams on a new connection, under fresh nonces and so fresh keys.

        Their ids and tracks stay; others see them end and come back. One that the Bridge refuses
        now has ended. Raises whatever keeps the connection from working; call it again then.
        """
        link = self._link
        async with self._replacing:
            link.check_open()
            if not self._published and self._publisher is not None and self._publisher.is_well:
                return  # nothing was on the one that died, and `publish` was faster
            await self._replace()
            for published in list(self._published.values()):
                async with published.lock:
                    await self._publish_again(published)

    async def _publish_again(self, published: PublishedStream) -> None:
        if published.has_ended:
            return
        published.nonce = secrets.token_bytes(STREAM_NONCE_BYTES)
        published.version, published.stream = 0, None
        tracks = published.tracks
        number_from_here(tracks)
        try:
            await self._change(published, tracks, (), published.details, tracks, is_again=True)
        except RequestRefusedError as error:
            logger.warning("stream %s is not published again: %s", published.stream_id, error)
            published.end("the Bridge does not take the stream any more")
            self._published.pop(published.stream_id, None)
            gone = self._link.streams.pop(published.stream_id, None)
            if gone is not None:
                event = StreamUnpublished(self._link.room_id, published.stream_id, gone.user_id)
                self._link.emit(event)
        if published.has_ended and self._publisher is not None:  # unpublished meanwhile, or refused
            await self._publisher.unpublish(published.stream_id)
            with contextlib.suppress(SealroomError):
                await self.tell_unpublished(published.stream_id)

    async def _connect(self) -> None:
        """Has a connection to publish over, another one if that there is died unused."""
        async with self._replacing:
            self._link.check_open()
            publisher = self._publisher
            is_unused = not self._published
            if is_unused and (self._is_reset_due or (publisher is not None and publisher.is_dead)):
                await self._replace()
            elif publisher is None and not self._is_reset_due:
                self._publisher = self._make_publisher()

    async def _replace(self) -> None:
        # The media server may hold its end of the one before, which takes no other's offers.
        self._is_reset_due = True
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            await publisher.close()
        params = ResetParams(room_id=self._link.room_id, transport="publisher")
        await self._link.connection.call("media.reset", params, Empty)
        self._link.check_open()
        self._publisher = self._make_publisher()
        self._is_reset_due = False

    async def _replaced(self) -> None:
        """Waits while the connection is being replaced."""
        async with self._replacing:
            return

    def halt(self, stream_id: str) -> None:
        """Stops sending a stream, at once; `stop` does the rest."""
        published = self._published.pop(stream_id, None)
        if published is not None:
            published.end("it was unpublished")
        if self._publisher is not None:
            self._publisher.halt(stream_id)

    async def stop(self, stream_id: str) -> None:
        """Stops sending a stream, whoever ended it."""
        self.halt(stream_id)
        if self._publisher is not None:
            await self._publisher.unpublish(stream_id)
            self.halt(stream_id)  # also one that was on its way out

    def halt_all(self) -> None:
        """Stops sending audio and video, at once; `close` does the rest."""
        if self._publisher is not None:
            self._publisher.halt_all()

    async def tell_unpublished(self, stream_id: str) -> None:
        params = UnpublishParams(room_id=self._link.room_id, stream_id=stream_id)
        await self._link.connection.call("stream.unpublish", params, Empty)

    def rotate(self, keys: EpochKeys) -> None:
        """Encrypts under a newer epoch's keys from the next frame on.

        Title, metadata and names are announced again under it, for who was added with it.
        """
        if self._publisher is not None:
            self._publisher.rotate(keys)
        for published in self._published.values():
            self._announce_soon(published)

    async def close(self, *, is_for_good: bool = True) -> None:
        """Stops sending, at once, and ends the connection, also if the caller is cancelled.

        Unless it is for good, another session publishes the streams again.
        """
        self.halt_all()
        publisher, self._publisher = self._publisher, None
        for published in self._published.values():
            published.has_ended = True
            if is_for_good:
                published.end("the room was left")
        self._published.clear()
        await self._unbroken.do("close", lambda: self._close(publisher))

    async def _close(self, publisher: Publisher | None) -> None:
        await self.recovery.close()
        await self._data_recovery.close()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        if publisher is not None:
            await publisher.close()

    async def _change(
        self,
        published: PublishedStream,
        add: Sequence[AnyStagedTrack],
        remove: Collection[str],
        details: StreamDetails,
        tracks: Sequence[AnyStagedTrack],
        *,
        is_again: bool = False,
    ) -> None:
        """Announces the next version, `tracks` under `details`, and follows it; holds the lock.

        `is_again`: on failure the stream is kept, to be published once more.
        """
        link, publisher = self._link, self._publisher
        if publisher is None:
            raise StreamStateError("the room was left, or its media connection is being replaced")
        signed, stream = published.announce(link, tracks, details)

        async def signal(offer: str | None) -> str | None:
            return await self._signal(published, signed, offer)

        try:
            await publisher.change(
                published.stream_id,
                add,
                remove,
                fingerprint=stream.fingerprint,
                nonce=published.nonce,
                signal=signal,
            )
        except RequestRefusedError:
            raise  # the Bridge changed nothing, and everything goes on as it was
        except BaseException:
            published.is_in_doubt = True
            if add and not is_again:
                self._give_up(publisher, published)
                await self._unbroken.do(
                    published.stream_id, lambda: self._abandon(publisher, published)
                )
            raise
        published.tracks, published.details, published.stream = list(tracks), details, stream
        published.is_in_doubt = False
        if not published.has_ended:
            link.streams[published.stream_id] = stream
            link.on_tracks_changed()

    def _require(self, stream_id: str) -> PublishedStream:
        published = self._published.get(stream_id)
        if published is None:
            raise StreamStateError("the stream is not published any more: create a new stream")
        return published

    def _make_publisher(self) -> Publisher:
        return Publisher(
            self._make_peer, self._link.keys.sending, self._data_recovery, self._track_ended
        )

    def _media_lost(self) -> None:
        for published in self._published.values():
            end_data(published.tracks, "the media connection failed")

    def _track_ended(self, stream_id: str, track_id: str, error: Exception | None) -> None:
        self._link.emit(TrackEnded(self._link.room_id, stream_id, track_id, error))

    def _make_peer(self, session: MediaSession) -> MediaPeer:
        return self._link.make_peer(session, self.recovery)

    async def _restart(self) -> None:
        if self._publisher is None:
            raise TransportError("there is no publisher connection")
        await self._link.refresh_ice_servers(self._publisher.peer)
        await self._publisher.restart(self._signal_restart)

    async def _signal_restart(self, offer: str) -> str:
        params = RestartParams(room_id=self._link.room_id, transport="publisher", offer=offer)
        result = await self._link.connection.call("media.restart", params, RestartResult)
        if result.answer is None:
            raise ProtocolError("media.restart: no answer to an offer")
        return result.answer

    async def _signal(
        self, published: PublishedStream, signed: SignedObject, offer: str | None
    ) -> str | None:
        link = self._link
        if published.version == 1:
            assert offer is not None  # a stream begins with a track
            first = PublishParams(room_id=link.room_id, announcement=signed, offer=offer)
            answer = await link.connection.call("stream.publish", first, PublishResult)
            return answer.answer
        params = StreamUpdateParams(room_id=link.room_id, announcement=signed, offer=offer)
        result = await link.connection.call("stream.update", params, StreamUpdateResult)
        return result.answer

    def _announce_soon(self, published: PublishedStream) -> None:
        if not published.details.is_empty:
            task = asyncio.create_task(self._announce_again(published))
            self._background.add(task)
            task.add_done_callback(self._background.discard)

    async def _announce_again(self, published: PublishedStream) -> None:
        try:
            async with published.lock:
                if not published.has_ended:
                    await self._change(published, (), (), published.details, published.tracks)
        except SealroomError as error:
            logger.warning("stream %s was not announced again: %s", published.stream_id, error)

    def _give_up(self, publisher: Publisher, published: PublishedStream) -> None:
        # The Bridge may know tracks that carry nothing.
        self._published.pop(published.stream_id, None)
        self._link.streams.pop(published.stream_id, None)
        published.end("its media connection broke")
        publisher.halt(published.stream_id)
        if publisher.is_dead and self._publisher is publisher:
            self._publisher, self._is_reset_due = None, True

    async def _abandon(self, publisher: Publisher, published: PublishedStream) -> None:
        if publisher.is_dead:
            await publisher.close()
        elif published.version > 1:
            await publisher.unpublish(published.stream_id)
        with contextlib.suppress(SealroomError):
            await self.tell_unpublished(published.stream_id)
