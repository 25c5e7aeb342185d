"""A participant's way out: one media connection that carries all streams it publishes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sealroom._core.session import MediaSession
from sealroom.client.data_recovery import DataRecovery
from sealroom.client.data_track import DataPublisher, StagedDataTrack
from sealroom.client.models import TrackStatistics
from sealroom.client.staged_stream import AnyStagedTrack, StagedTrack
from sealroom.crypto.epoch import EpochKeys
from sealroom.crypto.track_keys import DEFAULT_SUITE, derive_track_key
from sealroom.errors import SealroomError
from sealroom.media.errors import TransportError
from sealroom.media.negotiation import MediaPeer
from sealroom.media.sections import MediaSection
from sealroom.media.tracks import OutgoingTrack

TrackEndedCallback = Callable[[str, str, Exception | None], None]


@dataclass(slots=True)
class _SentTrack:
    stream_id: str
    staged: StagedTrack
    section: MediaSection
    fingerprint: bytes
    nonce: bytes
    sender: int = -1
    outgoing: OutgoingTrack | None = None

    def base_key(self, keys: EpochKeys) -> bytes:
        return derive_track_key(keys, self.fingerprint, self.nonce, self.staged.track_id)


class Publisher:
    """Owns the session and the peer connection; streams come and go on it.

    All its senders use the keys of one epoch, `keys`; `rotate` moves them on together.
    """

    def __init__(
        self,
        make_peer: Callable[[MediaSession], MediaPeer],
        keys: EpochKeys,
        data_recovery: DataRecovery,
        on_track_ended: TrackEndedCallback = lambda stream_id, track_id, error: None,
    ) -> None:
        """`on_track_ended` is called with what a source raised, None if it ended by itself."""
        self._keys = keys
        self._on_track_ended = on_track_ended
        self.session = MediaSession(cname=secrets.token_hex(8))
        self.peer = make_peer(self.session)
        self.data = DataPublisher(self.peer, keys, data_recovery)
        self._tracks: list[_SentTrack] = []
        self._lock = asyncio.Lock()
        self._endings: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None

    async def change(
        self,
        stream_id: str,
        add: Sequence[AnyStagedTrack],
        remove: Collection[str],
        *,
        fingerprint: bytes,
        nonce: bytes,
        signal: Callable[[str | None], Awaitable[str | None]],
    ) -> None:
        """Adds and removes tracks of a stream through `signal` (offer in, answer out).

        Without tracks to add there is neither. On any failure the tracks are what they were, as
        far as this side knows.
        """
        async with self._lock:
            data = [one for one in add if isinstance(one, StagedDataTrack)]
            if data:
                self.data.prepare()
            media = [one for one in add if isinstance(one, StagedTrack)]
            sent = [self._add(stream_id, one, fingerprint, nonce) for one in media]
            self._tracks += sent  # from here on a rotation reaches them
            try:
                offer = await self.peer.create_offer() if add else None
                for one in sent:
                    self._add_sender(one)
                answer = await signal(offer)
                if answer is not None:
                    await self.peer.accept_answer(answer)
                    await self.peer.connected()
                if self._closing is not None:
                    raise TransportError("the media connection was closed meanwhile")
                self.data.start(stream_id, data, fingerprint, nonce)
            except BaseException:
                self.data.end(stream_id, [one.track_id for one in data])
                for one in sent:
                    self._remove(one)
                    if one in self._tracks:  # unless closed meanwhile
                        self._tracks.remove(one)
                raise
            for one in sent:
                one.outgoing = OutgoingTrack(
                    self.session,
                    one.sender,
                    one.staged.source,
                    one.section.codec,
                    track_id=one.staged.track_id,
                    encoded_frame_handler=one.staged.handler,
                    bitrate=one.staged.bitrate,
                    append_audio_level=one.staged.audio_level,
                    is_enabled=one.staged.is_enabled,
                    on_ended=partial(self._on_track_ended, stream_id, one.staged.track_id),
                )
                one.outgoing.start()
            self.data.end(stream_id, remove)
            removed = [
                one
                for one in self._tracks
                if one.stream_id == stream_id and one.staged.track_id in remove
            ]
            await self._to_its_end(self._end(removed))

    def set_enabled(self, stream_id: str, track_id: str, is_enabled: bool) -> None:
        """Mutes or unmutes a track; when this returns, a muted one sends nothing more."""
        for one in self._tracks:
            if (one.stream_id, one.staged.track_id) == (stream_id, track_id) and one.outgoing:
                one.outgoing.set_enabled(is_enabled)

    async def restart(self, signal: Callable[[str], Awaitable[str]]) -> None:
        """Moves to another path through `signal` (offer in, answer out); streams go on as before.

        Media stays on the old path until the new one works. Raises TransportError.
        """
        async with self._lock:
            offer = await self.peer.create_offer(ice_restart=True)
            await self.peer.accept_answer(await signal(offer))
        await self.peer.restarted()

    def rotate(self, keys: EpochKeys) -> None:
        """Encrypts from the next frame on under the keys of a newer epoch, with a key frame soon.

        Keys of the same or an older epoch change nothing.
        """
        if keys.id.epoch <= self._keys.id.epoch:
            return
        self._keys = keys
        self.data.rotate(keys)
        for one in self._tracks:
            if one.sender >= 0:
                self._set_key(one)
            if one.outgoing is not None:
                one.outgoing.request_key_frame()

    @property
    def is_dead(self) -> bool:
        """True once the media connection has failed or was closed; nothing can be published."""
        return self._closing is not None or self.peer.state in ("failed", "closed")

    @property
    def is_well(self) -> bool:
        """True while it is connected, or may become so."""
        return not self.is_dead and self.peer.state != "disconnected"

    def halt(self, stream_id: str) -> None:
        """Stops sending a stream, at once; `unpublish` does the rest."""
        self.data.end(stream_id)
        for one in self._tracks:
            if one.stream_id == stream_id and one.outgoing is not None:
                one.outgoing.stop()

    def halt_all(self) -> None:
        """Stops sending audio and video, at once; `close` does the rest."""
        for one in self._tracks:
            if one.outgoing is not None:
                one.outgoing.stop()

    async def unpublish(self, stream_id: str) -> None:
        """Stops a stream's tracks; their sources stay the application's to stop.

        Sending stops at once; what else there is to do waits for other streams on their way out,
        and is done also if the caller is cancelled.
        """
        self.halt(stream_id)
        await self._to_its_end(self._unpublish(stream_id))

    async def close(self) -> None:
        """Stops all tracks at once and ends the connection, also if the caller is cancelled."""
        if self._closing is None:
            tracks, self._tracks = self._tracks, []
            stopped = [one.outgoing.stop() for one in tracks if one.outgoing is not None]
            self.data.close()
            self.peer.on_state_change = None
            self._closing = asyncio.create_task(self._close(stopped))
        await asyncio.shield(self._closing)

    async def _unpublish(self, stream_id: str) -> None:
        async with self._lock:
            self.data.end(stream_id)
            await self._end([one for one in self._tracks if one.stream_id == stream_id])

    async def _close(self, stopped: Sequence[asyncio.Future[Any]]) -> None:
        await asyncio.gather(*stopped)
        await self.peer.close()
        self.session.close()

    def outgoing_tracks(self) -> list[tuple[str, OutgoingTrack]]:
        """The tracks that are sent, each with the id of its stream."""
        return [(one.stream_id, one.outgoing) for one in self._tracks if one.outgoing is not None]

    def statistics(self) -> list[TrackStatistics]:
        return [
            TrackStatistics(
                stream_id=one.stream_id,
                track_id=one.staged.track_id,
                kind=one.staged.kind,
                python=one.outgoing.statistics,
                native=self.session.sender_statistics(one.sender),
            )
            for one in self._tracks
            if one.outgoing is not None
        ]

    async def _to_its_end(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)
        await asyncio.shield(task)

    async def _end(self, tracks: Sequence[_SentTrack]) -> None:
        await asyncio.gather(*(one.outgoing.stop() for one in tracks if one.outgoing is not None))
        for one in tracks:
            self._remove(one)
            if one in self._tracks:  # unless closed meanwhile
                self._tracks.remove(one)

    def _add(
        self, stream_id: str, staged: StagedTrack, fingerprint: bytes, nonce: bytes
    ) -> _SentTrack:
        section = self.peer.add_section(
            kind=staged.kind,
            codec=staged.codec,
            direction="sendonly",
            ssrc=secrets.randbelow(0xFFFFFFFF) + 1,
            stream_id=stream_id,
            track_id=staged.track_id,
        )
        return _SentTrack(stream_id, staged, section, fingerprint, nonce)

    def _add_sender(self, track: _SentTrack) -> None:
        section = track.section
        assert section.local_ssrc is not None
        track.sender = self.session.add_sender(
            ssrc=section.local_ssrc,
            payload_type=section.payload_type,
            codec=section.codec,
            mid=section.mid,
        )
        self._set_key(track)

    def _set_key(self, track: _SentTrack) -> None:
        self.session.set_sender_key(
            track.sender,
            suite=DEFAULT_SUITE,
            key_id=self._keys.id.epoch,
            base_key=track.base_key(self._keys),
        )

    def _remove(self, track: _SentTrack) -> None:
        self.peer.stop_section(track.section)
        if track.sender >= 0:
            try:
                self.session.remove_sender(track.sender)
            except SealroomError:
                return
