"""A participant's way in: one media connection that carries all tracks it subscribed to."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from sealroom._core.session import MediaSession
from sealroom.client.data_receiving import DataReceiving
from sealroom.client.errors import ProtocolError
from sealroom.client.models import StreamTrackInfo, TrackStatistics
from sealroom.crypto.announcement import VerifiedStream
from sealroom.crypto.epoch import EpochKeys
from sealroom.errors import KeyNotFoundError, SealroomError
from sealroom.media.frames import DecodedFrame, EncodedFrame, EncodedFrameHandler
from sealroom.media.negotiation import MediaPeer
from sealroom.media.sections import CodecName, MediaKind, MediaSection
from sealroom.media.tracks import IncomingTrack
from sealroom.protocol import TrackAssignment

RefusalCallback = Callable[[VerifiedStream, str, SealroomError], None]
RejectionCallback = Callable[["RemoteTrack", str, int], None]


class RemoteTrack:
    """A subscribed track of somebody else.

    It has one reader of encoded frames, and one of decoded ones: of `frames` or of `track`. Others
    are refused with `AlreadyReadError` while its iterator is held and not closed.
    """

    def __init__(self, stream: VerifiedStream, info: StreamTrackInfo, track: IncomingTrack) -> None:
        self.stream_id = stream.stream_id
        self.participant_id = stream.participant_id
        self.user_id = stream.user_id
        self.track_id = info.track_id
        self.kind: MediaKind = track.kind
        self.info = info
        """The track as it is announced now."""
        self.track = track
        """The same as an aiortc `MediaStreamTrack`, for `MediaRelay` and the like."""

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def is_enabled(self) -> bool:
        """False while the publisher has it muted: no frames come."""
        return self.info.enabled

    def frames(self) -> AsyncIterator[DecodedFrame]:
        """Decoded frames until the track ends; the queue is bounded and drops its oldest.

        The track ends when it is taken out of its stream, its stream or participant goes, or the
        room is left. While its publisher sends nothing, muted or with a source that has ended, this
        waits. Nothing is decoded any more from three seconds after the iterator is closed or nobody
        holds it; `frames()` begins with the next key frame then, which is asked for.
        """
        return self.track.frames()

    def encoded_frames(self) -> AsyncIterator[EncodedFrame]:
        """Decrypted, still encoded frames until the track ends; bounded likewise.

        Of video that is under way each iterator begins with a key frame, which is asked for.
        """
        return self.track.encoded_frames()

    def set_encoded_frame_handler(self, handler: EncodedFrameHandler | None) -> None:
        """Has `handler` see, and maybe replace, each frame between decryption and decoding.

        Of video that is under way already it sees a key frame soon: one is asked for.
        """
        self.track.encoded_frame_handler = handler

    def request_key_frame(self) -> None:
        """Asks the publisher for a key frame of video, as for a recording that begins now.

        At most one is under way; pictures pause until it comes, for about a round trip. Handlers
        and readers of encoded frames need not ask: it is asked for as they begin, or fall behind.
        """
        self.track.request_key_frame()

    def __repr__(self) -> str:
        return f"<RemoteTrack {self.kind} {self.name or self.track_id} of {self.user_id}>"


@dataclass(slots=True)
class _ReceivedTrack:
    remote: RemoteTrack
    stream: VerifiedStream
    mid: str
    receiver: int


class Subscriber:
    """Owns the session and the peer connection; answers the media server's offers."""

    def __init__(
        self,
        make_peer: Callable[[MediaSession], MediaPeer],
        *,
        on_track: Callable[[RemoteTrack], object],
        on_rejected: RejectionCallback,
        on_refused: RefusalCallback,
        epochs: Iterable[EpochKeys],
        data: DataReceiving,
    ) -> None:
        """`epochs`: the current one, and those before it that senders may still use.

        `data` takes the data tracks and outlives this connection.
        """
        self.session = MediaSession(cname=secrets.token_hex(8))
        self.peer = make_peer(self.session)
        self._data = data
        self._data.attach(self.peer)
        self._on_track = on_track
        self._on_rejected = on_rejected
        self._on_refused = on_refused
        self._epochs = {one.id.epoch: one for one in epochs}
        self._tracks: dict[tuple[str, str], _ReceivedTrack] = {}
        self._refused: set[tuple[str, str, str]] = set()  # mid, stream id, track id
        self._drops_broken_frames = True
        self._lock = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None

    @property
    def tracks(self) -> list[RemoteTrack]:
        return [one.remote for one in self._tracks.values()]

    def continues(self, offer: str) -> bool:
        """Whether an offer belongs to this connection."""
        return self.peer.continues(offer)

    async def accept(
        self,
        offer: str,
        assignments: list[TrackAssignment],
        *,
        wanted: Callable[[str, str], VerifiedStream | None],
    ) -> str:
        """Takes an offer and returns the answer.

        `wanted` tells the verified stream of a track that was asked for, None for any other: the
        media server cannot make this side receive what it did not ask for. A wanted track whose
        m-line does not fit its announcement is refused by itself. Keys are installed before the
        answer leaves, so that no frame comes too early. Without an answer, also where the caller
        is cancelled, nothing new is received, and the same offer can be taken again.
        """
        async with self._lock:
            media, data = _by_kind(assignments, wanted)
            by_mid = {one.mid: (one.stream_id, one.track_id) for one in media}
            if len(by_mid) != len(media):
                raise ProtocolError("the media server assigns two tracks to one m-line")
            for key, track in list(self._tracks.items()):
                if by_mid.get(track.mid) != key:
                    self._remove(key)
            await self.peer.accept_offer(offer, _announced_codecs(media, wanted))
            added = self._take_sections(by_mid, wanted)
            self._refuse_unoffered(media, wanted)
            self._data.assign(data)
            try:
                answer = await self.peer.create_answer()
            except BaseException:
                for key in added:
                    if key in self._tracks:  # or it has ended meanwhile
                        self._remove(key)
                raise
            for key in added:
                if key in self._tracks:
                    self._on_track(self._tracks[key].remote)
            return answer

    def _take_sections(
        self,
        by_mid: Mapping[str, tuple[str, str]],
        wanted: Callable[[str, str], VerifiedStream | None],
    ) -> list[tuple[str, str]]:
        """Receives what is wanted of the sections that were offered; returns which are new."""
        added = []
        for section in self.peer.sections:
            stream_id, track_id = by_mid.get(section.mid, ("", ""))
            stream = wanted(stream_id, track_id)
            section.direction = "inactive"
            if section.stopped or stream is None:
                continue
            if (stream_id, track_id) not in self._tracks:
                try:
                    self._add(section, stream, track_id)
                except SealroomError as error:
                    self._refuse(section.mid, stream, track_id, error)
                    continue
                added.append((stream_id, track_id))
            section.direction = "recvonly"
        return added

    def add_epoch(self, keys: EpochKeys) -> None:
        """Accepts frames of a newer epoch as well, on tracks there are and on those to come."""
        if keys.id.epoch in self._epochs:
            return
        self._epochs[keys.id.epoch] = keys
        self._data.add_epoch(keys)
        for (_, track_id), one in self._tracks.items():
            self._add_key(one.receiver, one.stream, track_id, keys)

    def drop_epochs_before(self, epoch: int) -> None:
        """Refuses frames of older epochs from now on."""
        self._data.drop_epochs_before(epoch)
        for old in [one for one in self._epochs if one < epoch]:
            del self._epochs[old]
            for one in self._tracks.values():
                with contextlib.suppress(KeyNotFoundError):
                    self.session.remove_receiver_key(one.receiver, old)

    def set_drop_broken_frames(self, drop: bool) -> None:
        self._drops_broken_frames = drop
        for one in self._tracks.values():
            self.session.set_drop_broken_frames(one.receiver, drop)

    def update_stream(self, stream: VerifiedStream) -> None:
        """Ends the tracks that a newer announcement has no more, and takes its word on others."""
        self._data.update_stream(stream)
        for key, one in list(self._tracks.items()):
            stream_id, track_id = key
            if stream_id != stream.stream_id:
                continue
            if stream.has_track(track_id):
                one.stream = stream
                one.remote.info = StreamTrackInfo.of(stream, stream.track(track_id))
            else:
                self._remove(key)

    def end_stream(self, stream_id: str) -> None:
        """Ends the media tracks of a stream that is gone."""
        for key in [key for key in self._tracks if key[0] == stream_id]:
            self._remove(key)

    def end_all(self) -> None:
        """Ends every media track: the connection is gone."""
        for key in list(self._tracks):
            self._remove(key)

    async def close(self) -> None:
        """Ends the connection and its media tracks, also if the caller is cancelled.

        Data tracks may go on over another one.
        """
        if self._closing is None:
            self._data.data_lost()
            self.end_all()
            self.peer.on_state_change = None
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await self.peer.close()
        self.session.close()

    def statistics(self) -> list[TrackStatistics]:
        return [
            TrackStatistics(
                stream_id=one.remote.stream_id,
                track_id=one.remote.track_id,
                kind=one.remote.kind,
                python=one.remote.track.statistics,
                native=self.session.receiver_statistics(one.receiver),
            )
            for one in self._tracks.values()
        ]

    def _refuse(
        self, mid: str, stream: VerifiedStream, track_id: str, error: SealroomError
    ) -> None:
        key = (mid, stream.stream_id, track_id)
        if key not in self._refused:  # told once, though later offers hold the m-line again
            self._refused.add(key)
            self._on_refused(stream, track_id, error)

    def _refuse_unoffered(
        self,
        assignments: list[TrackAssignment],
        wanted: Callable[[str, str], VerifiedStream | None],
    ) -> None:
        self._refused &= {(one.mid, one.stream_id, one.track_id) for one in assignments}
        usable = {section.mid for section in self.peer.sections if not section.stopped}
        for one in assignments:
            stream = wanted(one.stream_id, one.track_id)
            if stream is not None and one.mid not in usable:
                error = ProtocolError("the media server offers no usable m-line for the track")
                self._refuse(one.mid, stream, one.track_id, error)

    def _add(self, section: MediaSection, stream: VerifiedStream, track_id: str) -> None:
        announced = stream.track(track_id)
        if section.codec != announced.codec:
            raise ProtocolError("the media server offers another codec than the announced one")
        receiver = self.session.add_receiver(
            mid=section.mid,
            ssrc=section.remote_ssrc,
            payload_type=section.payload_type,
            codec=section.codec,
        )
        try:
            for keys in self._epochs.values():
                self._add_key(receiver, stream, track_id, keys)
        except SealroomError:
            self.session.remove_receiver(receiver)
            raise
        self.session.set_drop_broken_frames(receiver, self._drops_broken_frames)
        info = StreamTrackInfo.of(stream, announced)
        track = IncomingTrack(
            self.session,
            receiver,
            section.kind,
            section.codec,
            track_id=track_id,
            has_audio_level=announced.audio_level,
        )
        remote = RemoteTrack(stream, info, track)
        track.on_rejected = lambda reason, count: self._on_rejected(remote, reason, count)
        self._tracks[stream.stream_id, track_id] = _ReceivedTrack(
            remote, stream, section.mid, receiver
        )

    def _add_key(
        self, receiver: int, stream: VerifiedStream, track_id: str, keys: EpochKeys
    ) -> None:
        self.session.add_receiver_key(
            receiver,
            suite=stream.track(track_id).suite,
            key_id=keys.id.epoch,
            base_key=stream.track_key(keys, track_id),
        )

    def _remove(self, key: tuple[str, str]) -> None:
        gone = self._tracks.pop(key)
        gone.remote.track.stop()
        self.session.remove_receiver(gone.receiver)


def _by_kind(
    assignments: list[TrackAssignment], wanted: Callable[[str, str], VerifiedStream | None]
) -> tuple[list[TrackAssignment], dict[tuple[str, str], VerifiedStream]]:
    """Returns what is wanted, media and data apart; all data tracks share an m-line."""
    media, data = [], {}
    for one in assignments:
        stream = wanted(one.stream_id, one.track_id)
        if stream is not None and stream.track(one.track_id).kind == "data":
            data[one.stream_id, one.track_id] = stream
        elif stream is not None:
            media.append(one)
    return media, data


def _announced_codecs(
    media: list[TrackAssignment], wanted: Callable[[str, str], VerifiedStream | None]
) -> dict[str, CodecName]:
    """Returns the codec of each m-line; one that is offered without it is refused in the answer.

    Were another one answered, this side would use an m-line that the other side has given up.
    """
    return {
        one.mid: cast(CodecName, stream.track(one.track_id).codec)
        for one in media
        if (stream := wanted(one.stream_id, one.track_id)) is not None
    }
