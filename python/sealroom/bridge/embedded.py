"""The media server inside the Bridge's own process: negotiation here, packets in `_core.sfu.Router`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiortc import RTCCertificate

from sealroom._core import sfu
from sealroom.bridge.media_server import (
    MediaError,
    MediaServerStatistics,
    PublishedTrack,
    SubscribedTrack,
    SubscriptionOffer,
    TrackRef,
)
from sealroom.errors import SealroomError
from sealroom.media.errors import NegotiationError, TransportError
from sealroom.media.negotiation import MediaPeer
from sealroom.media.sections import MediaSection, receives
from sealroom.protocol import TransportRole

logger = logging.getLogger(__name__)


@dataclass
class _Producer:
    """A track on its way into the router."""

    id: int
    track: PublishedTrack
    section: MediaSection


@dataclass
class _Consumer:
    """A track on its way to one subscriber; `id` is None before the subscriber can take it."""

    producer: _Producer
    section: MediaSection
    id: int | None = None


@dataclass
class _Connection:
    """One transport of a participant."""

    transport: Any
    peer: MediaPeer


@dataclass
class _Participant:
    publisher: _Connection | None = None
    subscriber: _Connection | None = None
    streams: dict[str, dict[str, _Producer]] = field(default_factory=dict)
    consumers: dict[TrackRef, _Consumer] = field(default_factory=dict)
    start_task: asyncio.Task[None] | None = None


class Tap:
    """What the router sees of one track: whole frames, still encrypted. For demonstrations."""

    def __init__(self, router: Any, producer: int) -> None:
        self._router = router
        self._producer = producer
        router.set_tap(producer, True)

    def take_frames(self) -> list[Any]:
        """Returns the frames since the last call (data, rtp_timestamp, is_key_frame), at most 256."""
        return list(self._router.take_tapped_frames(self._producer))

    def close(self) -> None:
        """Stops collecting."""
        self._router.set_tap(self._producer, False)


class EmbeddedMediaServer:
    """A `MediaServer` on the native router. Event-loop thread only; packets never come here."""

    def __init__(
        self,
        *,
        host_addresses: Sequence[str] | None = None,
        io_thread: Any = None,
        backend: str | None = None,
        takeover: bool | None = None,
    ) -> None:
        """`host_addresses`: IP addresses clients can reach, None for all but loopback.

        `io_thread`: a `_core.net.IoThread`, None for the process's own. `backend`: crypto back end.
        `takeover`: see `sealroom.media.transport.MediaTransport`.
        """
        self._host_addresses = host_addresses
        self._takeover = takeover
        self._router = sfu.Router(io_thread, backend=backend)
        self._certificate: RTCCertificate | None = None
        self._participants: dict[str, _Participant] = {}
        self._tracks: dict[TrackRef, _Producer] = {}

    @property
    def router(self) -> Any:
        """The native `_core.sfu.Router`."""
        return self._router

    def tap(self, stream_id: str, track_id: str) -> Tap:
        """Begins to collect what the router sees of a published track; raises KeyError."""
        return Tap(self._router, self._tracks[TrackRef(stream_id, track_id)].id)

    async def publish(
        self, participant_id: str, stream_id: str, offer: str, tracks: Sequence[PublishedTrack]
    ) -> str:
        participant = self._participants.get(participant_id) or _Participant()
        if stream_id in participant.streams:
            raise MediaError("this stream is published already")
        is_first = participant.publisher is None
        try:
            sections = _matching_sections(offer, tracks, _live_mids(participant))
            connection = participant.publisher or self._connect(sections.values())
            try:
                await connection.peer.accept_offer(offer)
                for section in connection.peer.sections:
                    known = section.mid in sections or section.mid in _live_mids(participant)
                    if receives(section.direction) and not known:
                        section.direction = "inactive"
                producers = self._add_producers(connection, tracks)
                try:
                    answer = await connection.peer.create_answer()
                except BaseException:
                    for producer in producers.values():
                        self._router.remove_producer(producer.id)
                    raise
            except BaseException:
                if is_first:
                    await _disconnect(connection)
                raise
        except (NegotiationError, TransportError, SealroomError) as error:
            raise MediaError(str(error)) from error
        participant.publisher = connection
        participant.streams[stream_id] = producers
        self._participants[participant_id] = participant
        for track_id, producer in producers.items():
            self._tracks[TrackRef(stream_id, track_id)] = producer
        return answer

    async def unpublish(self, participant_id: str, stream_id: str) -> None:
        participant = self._participants.get(participant_id)
        if participant is None:
            return
        for track_id, producer in participant.streams.pop(stream_id, {}).items():
            self._tracks.pop(TrackRef(stream_id, track_id), None)
            self._router.remove_producer(producer.id)  # and its consumers, with a BYE each

    async def update_subscriptions(
        self, participant_id: str, wanted: Sequence[TrackRef]
    ) -> SubscriptionOffer | None:
        participant = self._participants.get(participant_id) or _Participant()
        unknown = [ref for ref in wanted if ref not in self._tracks]
        if unknown:
            raise MediaError(f"track {unknown[0].track_id} is not published")
        gone = [
            ref
            for ref, consumer in participant.consumers.items()
            if ref not in wanted or self._tracks.get(ref) is not consumer.producer
        ]
        new = [
            ref for ref in dict.fromkeys(wanted) if ref not in participant.consumers or ref in gone
        ]
        if not gone and not new:
            return None
        if participant.subscriber is None:
            participant.subscriber = self._connect(())
        self._participants[participant_id] = participant
        peer = participant.subscriber.peer
        for ref in gone:
            self._drop_consumer(participant, participant.consumers.pop(ref), peer)
        for ref in new:
            producer = self._tracks[ref]
            section = peer.add_section(
                kind=producer.track.kind,
                codec=producer.track.codec,
                ssrc=self._new_ssrc(participant),
                stream_id=ref.stream_id,
                track_id=ref.track_id,
            )
            participant.consumers[ref] = _Consumer(producer, section)
        try:
            offer = await peer.create_offer()
        except (NegotiationError, TransportError) as error:
            raise MediaError(str(error)) from error
        return SubscriptionOffer(
            offer,
            [
                SubscribedTrack(consumer.section.mid, ref.stream_id, ref.track_id)
                for ref, consumer in participant.consumers.items()
            ],
        )

    async def answer(self, participant_id: str, sdp: str) -> None:
        participant = self._participants.get(participant_id)
        if participant is None or participant.subscriber is None:
            raise MediaError("there is no offer to be answered")
        try:
            await participant.subscriber.peer.accept_answer(sdp)
        except (NegotiationError, TransportError) as error:
            raise MediaError(str(error)) from error
        if participant.start_task is not None:
            participant.start_task.cancel()
        participant.start_task = asyncio.create_task(self._start_consumers(participant))

    async def add_candidate(
        self, participant_id: str, transport: TransportRole, candidate: str
    ) -> None:
        participant = self._participants.get(participant_id)
        connection = getattr(participant, transport, None)
        if connection is None:
            raise MediaError("there is no such transport yet")
        try:
            await connection.peer.add_remote_candidate(candidate)
        except NegotiationError as error:
            raise MediaError(str(error)) from error

    async def remove_participant(self, participant_id: str) -> None:
        participant = self._participants.pop(participant_id, None)
        if participant is None:
            return
        for stream_id, producers in participant.streams.items():
            for track_id in producers:
                self._tracks.pop(TrackRef(stream_id, track_id), None)
        if participant.start_task is not None:
            participant.start_task.cancel()
        for connection in (participant.publisher, participant.subscriber):
            if connection is not None:
                await _disconnect(connection)

    async def close(self) -> None:
        await asyncio.gather(*map(self.remove_participant, list(self._participants)))

    def statistics(self) -> MediaServerStatistics:
        totals = self._router.statistics()
        participants = self._participants.values()
        return MediaServerStatistics(
            participants=len(self._participants),
            producers=len(self._tracks),
            consumers=sum(c.id is not None for p in participants for c in p.consumers.values()),
            received_packets=totals.packets_received,
            forwarded_packets=totals.packets_forwarded,
            forwarded_bytes=totals.bytes_forwarded,
        )
