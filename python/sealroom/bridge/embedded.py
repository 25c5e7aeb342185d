"""The media server in the Bridge's own process: negotiation here, packets in `_core.sfu.Router`."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiortc import RTCCertificate

from sealroom._core import net, sfu
from sealroom.bridge.data_forwarding import MAX_SEALED_BYTES, DataForwarding
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
from sealroom.errors import SealroomError
from sealroom.media.errors import NegotiationError, TransportError
from sealroom.media.ice import HostAddresses
from sealroom.media.negotiation import MediaPeer
from sealroom.media.sections import MediaSection, sends
from sealroom.media.session_description import (
    OFFERED_EXTENSIONS,
    RemoteDescription,
    RemoteSection,
    parse_description,
)
from sealroom.media.transport import TransportState
from sealroom.protocol import TransportRole

logger = logging.getLogger(__name__)


@dataclass
class _Connection:
    """One transport of a participant."""

    transport: sfu.RouterTransport
    peer: MediaPeer

    @property
    def is_dead(self) -> bool:
        return self.peer.state in ("failed", "closed")

    async def close(self) -> None:
        await self.peer.close()
        self.transport.close()


@dataclass
class _Producer:
    """A track on its way into the router; not live once the router was told to remove it."""

    id: int
    track: PublishedTrack
    is_live: bool = True


@dataclass
class _Consumer:
    """A track on its way to one subscriber; `id` is None before the subscriber can take it."""

    producer: _Producer
    section: MediaSection
    id: int | None = None


@dataclass
class _Participant:
    id: str
    publisher: _Connection | None = None
    subscriber: _Connection | None = None
    streams: dict[str, dict[str, _Producer]] = field(default_factory=dict)
    consumers: dict[TrackRef, _Consumer] = field(default_factory=dict)
    start_task: asyncio.Task[None] | None = None


class Tap:
    """What the router sees of one track: whole frames, still encrypted. For demonstrations."""

    def __init__(self, router: sfu.Router, producer: int) -> None:
        self._router = router
        self._producer = producer
        router.set_tap(producer, True)

    def take_frames(self) -> list[sfu.TappedFrame]:
        """Returns the frames since the last call, at most 256."""
        return self._router.take_tapped_frames(self._producer)

    def close(self) -> None:
        """Stops collecting."""
        self._router.set_tap(self._producer, False)


class EmbeddedMediaServer:
    """A `MediaServer` on the native router. Event-loop thread only; packets never come here."""

    def __init__(
        self,
        *,
        host_addresses: HostAddresses = None,
        io_thread: net.IoThread | None = None,
        backend: str | None = None,
        takeover: bool | None = None,
    ) -> None:
        """`host_addresses`: IP addresses clients can reach, or a function that tells those of now;
        None for all but loopback.

        `io_thread`: None for the process's own. `backend`: crypto back end.
        `takeover`: see `sealroom.media.transport.MediaTransport`.
        """
        self.on_transport_failed: Callable[[str, TransportRole], None] | None = None
        self._host_addresses = host_addresses
        self._takeover = takeover
        self._router = sfu.Router(io_thread, backend=backend)
        self._certificate: RTCCertificate | None = None
        self._participants: dict[str, _Participant] = {}
        self._tracks: dict[TrackRef, _Producer] = {}
        self._data = DataForwarding()

    @property
    def on_data_cut(self) -> Callable[[str, TrackRef], None] | None:
        return self._data.on_cut

    @on_data_cut.setter
    def on_data_cut(self, callback: Callable[[str, TrackRef], None] | None) -> None:
        self._data.on_cut = callback

    @property
    def router(self) -> sfu.Router:
        """The native `_core.sfu.Router`."""
        return self._router

    def tap(self, stream_id: str, track_id: str) -> Tap:
        """Begins to collect what the router sees of a published track; raises KeyError."""
        return Tap(self._router, self._tracks[TrackRef(stream_id, track_id)].id)

    async def publish(
        self, participant_id: str, stream_id: str, offer: str, tracks: Sequence[PublishedTrack]
    ) -> str:
        participant = self._participants.get(participant_id) or _Participant(participant_id)
        if participant.publisher is not None and participant.publisher.is_dead:
            await self._drop_publisher(participant)
        if stream_id in participant.streams:
            raise MediaError("this stream is published already")
        answer, producers = await self._accept(participant, stream_id, offer, tracks, ())
        participant.streams[stream_id] = {}
        self._participants[participant_id] = participant
        self._add_producers(participant, stream_id, producers)
        self._publish_data(participant, stream_id, tracks)
        return answer

    async def update_stream(
        self,
        participant_id: str,
        stream_id: str,
        offer: str | None,
        added: Sequence[PublishedTrack],
        removed: Sequence[str],
    ) -> str | None:
        participant = self._participants.get(participant_id)
        stream = participant.streams.get(stream_id) if participant is not None else None
        if participant is None or stream is None:
            raise MediaError("this stream is not published")
        if any(track.track_id in stream for track in added):
            raise MediaError("this track is published already")
        answer, producers = None, dict[str, _Producer]()
        if offer is not None:
            if participant.publisher is None or participant.publisher.is_dead:
                raise MediaError("the connection that carries the stream is gone")
            gone = [stream[track_id] for track_id in removed if track_id in stream]
            answer, producers = await self._accept(participant, stream_id, offer, added, gone)
        for track_id in removed:
            self._data.unpublish(TrackRef(stream_id, track_id))
            if (producer := stream.pop(track_id, None)) is not None:
                self._remove_producer(stream_id, track_id, producer)
        self._add_producers(participant, stream_id, producers)
        self._publish_data(participant, stream_id, added)
        return answer

    async def unpublish(self, participant_id: str, stream_id: str) -> None:
        participant = self._participants.get(participant_id)
        if participant is not None:
            self._remove_stream(participant, stream_id)

    async def update_subscriptions(
        self, participant_id: str, wanted: Sequence[TrackRef]
    ) -> SubscriptionOffer | None:
        unknown = [ref for ref in wanted if ref not in self._tracks and ref not in self._data]
        if unknown:
            raise MediaError(f"track {unknown[0].track_id} is not published")
        participant = self._participants.get(participant_id) or _Participant(participant_id)
        if participant.subscriber is not None and participant.subscriber.is_dead:
            await self._drop_subscriber(participant)
        consumers = participant.consumers
        gone = [r for r in consumers if r not in wanted or not consumers[r].producer.is_live]
        media = dict.fromkeys(ref for ref in wanted if ref in self._tracks)
        new = [r for r in media if r not in consumers or r in gone]
        data = {ref for ref in wanted if ref in self._data}
        data_before = set(self._data.subscriptions(participant_id))
        if not gone and not new and data == data_before:
            return None
        connection = participant.subscriber or self._connect(participant_id, "subscriber")
        try:
            # First, because it is all that can fail.
            await connection.peer.transport.gather()
        except TransportError as error:
            if connection is not participant.subscriber:
                await connection.close()
            raise MediaError(str(error)) from error
        participant.subscriber = connection
        self._participants[participant_id] = participant
        for ref in gone:
            consumer = consumers.pop(ref)
            connection.peer.stop_section(consumer.section)
            self._remove_consumer(consumer)
        for ref in new:
            track = self._tracks[ref].track
            assert track.kind != "data"  # those are in self._data
            assert track.codec != "message"
            section = connection.peer.add_section(
                kind=track.kind,
                codec=track.codec,
                ssrc=_new_ssrc(connection.peer),
                stream_id=ref.stream_id,
                track_id=ref.track_id,
            )
            consumers[ref] = _Consumer(self._tracks[ref], section)
        for ref in data_before - data:
            self._data.unsubscribe(participant_id, ref)
        for ref in data - data_before:
            channels = connection.peer.use_data_channels(max_message_size=MAX_SEALED_BYTES)
            self._data.subscribe(participant_id, ref, channels)
        return self._offer_of(participant, await connection.peer.create_offer())

    async def answer(self, participant_id: str, sdp: str) -> None:
        participant = self._participants.get(participant_id)
        if participant is None or participant.subscriber is None:
            raise MediaError("there is no offer to be answered")
        try:
            await participant.subscriber.peer.accept_answer(sdp)
        except (NegotiationError, TransportError) as error:
            raise MediaError(str(error)) from error
        self._data.answered(participant_id)
        if participant.start_task is not None:
            participant.start_task.cancel()
        participant.start_task = asyncio.create_task(
            self._start_consumers(participant, participant.subscriber)
        )

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

    async def restart_publisher(self, participant_id: str, offer: str) -> str:
        participant, connection = self._connected(participant_id, "publisher")
        try:
            if not connection.peer.restarts_ice(offer):
                raise MediaError("the offer has the ICE credentials of the path there is")
            await connection.peer.accept_offer(offer)
            self._refuse_others(participant, connection, {}, ())
            return await connection.peer.create_answer()
        except (NegotiationError, TransportError) as error:
            raise MediaError(str(error)) from error

    async def restart_subscriber(self, participant_id: str) -> SubscriptionOffer:
        participant, connection = self._connected(participant_id, "subscriber")
        try:
            offer = await connection.peer.create_offer(ice_restart=True)
        except (NegotiationError, TransportError) as error:
            raise MediaError(str(error)) from error
        return self._offer_of(participant, offer)

    async def reset(self, participant_id: str, transport: TransportRole) -> None:
        participant = self._participants.get(participant_id)
        if participant is not None:
            await (
                self._drop_publisher(participant)
                if transport == "publisher"
                else self._drop_subscriber(participant)
            )

    async def remove_participant(self, participant_id: str) -> None:
        participant = self._participants.pop(participant_id, None)
        if participant is not None:
            await self._drop_publisher(participant)
            await self._drop_subscriber(participant)

    async def close(self) -> None:
        await asyncio.gather(*map(self.remove_participant, list(self._participants)))

    def statistics(self) -> MediaServerStatistics:
        totals = self._router.statistics()
        participants = self._participants.values()
        consumers = [c for p in participants for c in p.consumers.values()]
        return MediaServerStatistics(
            participants=len(participants),
            producers=len(self._tracks),
            consumers=sum(c.id is not None and c.producer.is_live for c in consumers),
            received_packets=totals.packets_received,
            forwarded_packets=totals.packets_forwarded,
            forwarded_bytes=totals.bytes_forwarded,
            data_messages_received=self._data.messages_received,
            data_messages_forwarded=self._data.messages_forwarded,
            data_subscribers_cut=self._data.subscribers_cut,
        )

    def usage(self, participant_id: str) -> MediaUsage:
        participant = self._participants.get(participant_id)
        if participant is None:
            return MediaUsage()
        producers = [p for stream in participant.streams.values() for p in stream.values()]
        consumers = participant.consumers.values()
        return MediaUsage(
            received_bytes=sum(
                self._router.producer_statistics(p.id).bytes_received
                for p in producers
                if p.is_live
            ),
            sent_bytes=sum(
                self._router.consumer_statistics(c.id).bytes_sent
                for c in consumers
                if c.id is not None and c.producer.is_live
            ),
        )

    async def _accept(
        self,
        participant: _Participant,
        stream_id: str,
        offer: str,
        tracks: Sequence[PublishedTrack],
        gone: Sequence[_Producer],
    ) -> tuple[str, dict[str, _Producer]]:
        """Takes a publisher's offer with new tracks; on any failure nothing has changed."""
        connection = participant.publisher
        producers: dict[str, _Producer] = {}
        try:
            description = parse_description(offer)
            media = [track for track in tracks if track.kind != "data"]
            sections = _match(description, stream_id, media)
            if connection is None:
                connection = self._connect(participant.id, "publisher", sections.values())
            if len(media) < len(tracks):
                _check_data(description, tracks)
                connection.peer.use_data_channels(max_message_size=MAX_SEALED_BYTES)
            for track in media:
                section = sections[track.track_id]
                assert section.payload_type is not None  # or _match had refused it
                producer_id = self._router.add_producer(
                    connection.transport,
                    mid=section.mid,
                    ssrc=section.ssrc,
                    payload_type=section.payload_type,
                    codec=track.codec,
                )
                producers[track.track_id] = _Producer(producer_id, track)
            await connection.peer.accept_offer(offer)
            self._refuse_others(participant, connection, producers, gone)
            answer = await connection.peer.create_answer()
        except BaseException as error:
            for producer in producers.values():
                self._router.remove_producer(producer.id)
            if connection is not None and connection is not participant.publisher:
                await connection.close()
            if isinstance(error, SealroomError) and not isinstance(error, MediaError):
                raise MediaError(str(error)) from error
            raise
        participant.publisher = connection
        return answer, producers

    def _publish_data(
        self, participant: _Participant, stream_id: str, tracks: Sequence[PublishedTrack]
    ) -> None:
        for track in tracks:
            if track.kind == "data":
                assert participant.publisher is not None
                channels = participant.publisher.peer.use_data_channels()
                self._data.take_channels(participant.id, channels)
                self._data.publish(participant.id, TrackRef(stream_id, track.track_id))

    def _offer_of(self, participant: _Participant, offer: str) -> SubscriptionOffer:
        tracks = [
            SubscribedTrack(consumer.section.mid, ref.stream_id, ref.track_id)
            for ref, consumer in participant.consumers.items()
        ]
        assert participant.subscriber is not None
        if (mid := participant.subscriber.peer.data_mid) is not None:
            tracks += [
                SubscribedTrack(mid, ref.stream_id, ref.track_id)
                for ref in self._data.subscriptions(participant.id)
            ]
        return SubscriptionOffer(offer, tracks)

    def _connect(
        self, participant_id: str, role: TransportRole, offered: Iterable[RemoteSection] = ()
    ) -> _Connection:
        extensions: dict[str, int] = {}
        for section in offered:
            extensions.update(section.extensions)
        transport = self._router.create_transport(extensions=extensions or OFFERED_EXTENSIONS)
        peer = MediaPeer(
            transport,
            host_addresses=self._host_addresses,
            takeover=self._takeover,
            certificate=self._current_certificate(),
        )

        def state_changed(state: TransportState) -> None:
            if state == "failed" and self.on_transport_failed is not None:
                self.on_transport_failed(participant_id, role)

        peer.on_state_change = state_changed
        return _Connection(transport, peer)

    def _connected(
        self, participant_id: str, role: TransportRole
    ) -> tuple[_Participant, _Connection]:
        participant = self._participants.get(participant_id)
        connection: _Connection | None = getattr(participant, role, None)
        if participant is None or connection is None or connection.is_dead:
            raise TransportGoneError(f"there is no {role} transport")
        return participant, connection

    def _current_certificate(self) -> RTCCertificate:
        # One for all transports, because making it costs more than the rest; it lives for 30 days.
        soon = datetime.now(UTC) + timedelta(days=7)
        if self._certificate is None or self._certificate.expires < soon:
            self._certificate = RTCCertificate.generateCertificate()
        return self._certificate

    def _refuse_others(
        self,
        participant: _Participant,
        connection: _Connection,
        new: dict[str, _Producer],
        gone: Sequence[_Producer],
    ) -> None:
        # Media that was not announced is not taken: its m-lines are answered inactive.
        old = [p for stream in participant.streams.values() for p in stream.values()]
        live = {producer.track.mid for producer in old if producer not in gone}
        live |= {producer.track.mid for producer in new.values()}
        for section in connection.peer.sections:
            if section.mid not in live:
                section.direction = "inactive"

    async def _start_consumers(self, participant: _Participant, connection: _Connection) -> None:
        # Not before the subscriber can receive: the router begins video with a key frame, and one
        # that is lost costs the subscriber a round trip to the publisher.
        try:
            await connection.peer.connected()
        except TransportError as error:
            logger.info("a subscriber did not connect: %s", error)
            return
        for consumer in participant.consumers.values():
            section = consumer.section
            is_wanted = section.is_negotiated and sends(section.current_direction)
            if consumer.id is not None or not is_wanted or not consumer.producer.is_live:
                continue
            assert section.local_ssrc is not None
            consumer.id = self._router.add_consumer(
                connection.transport,
                consumer.producer.id,
                ssrc=section.local_ssrc,
                payload_type=section.payload_type,
                mid=section.mid,
            )

    def _remove_consumer(self, consumer: _Consumer) -> None:
        if consumer.id is not None and consumer.producer.is_live:
            self._router.remove_consumer(consumer.id)
        consumer.id = None

    def _remove_stream(self, participant: _Participant, stream_id: str) -> None:
        self._data.unpublish_stream(participant.id, stream_id)
        for track_id, producer in participant.streams.pop(stream_id, {}).items():
            self._remove_producer(stream_id, track_id, producer)

    def _add_producers(
        self, participant: _Participant, stream_id: str, producers: dict[str, _Producer]
    ) -> None:
        participant.streams[stream_id] |= producers
        for track_id, producer in producers.items():
            self._tracks[TrackRef(stream_id, track_id)] = producer

    def _remove_producer(self, stream_id: str, track_id: str, producer: _Producer) -> None:
        self._tracks.pop(TrackRef(stream_id, track_id), None)
        producer.is_live = False
        self._router.remove_producer(producer.id)  # and its consumers, with a BYE each

    async def _drop_publisher(self, participant: _Participant) -> None:
        for stream_id in list(participant.streams):
            self._remove_stream(participant, stream_id)
        connection, participant.publisher = participant.publisher, None
        if connection is not None:
            await connection.close()

    async def _drop_subscriber(self, participant: _Participant) -> None:
        if participant.start_task is not None:
            participant.start_task.cancel()
            participant.start_task = None
        for ref in self._data.subscriptions(participant.id):
            self._data.unsubscribe(participant.id, ref)
        for consumer in participant.consumers.values():
            self._remove_consumer(consumer)
        participant.consumers.clear()
        connection, participant.subscriber = participant.subscriber, None
        if connection is not None:
            await connection.close()


def _match(
    offer: RemoteDescription, stream_id: str, tracks: Sequence[PublishedTrack]
) -> dict[str, RemoteSection]:
    sections = {section.mid: section for section in offer.sections}
    matched: dict[str, RemoteSection] = {}
    for track in tracks:
        section = sections.get(track.mid)
        if section is None or section.rejected or not sends(section.direction):
            raise MediaError(f"the offer does not send track {track.track_id}")
        if (section.stream_id, section.track_id) != (stream_id, track.track_id):
            raise MediaError(f"the m-line of track {track.track_id} names another track")
        if section.kind != track.kind or section.payload_type is None:
            raise MediaError(f"the offer has no {track.codec} for track {track.track_id}")
        matched[track.track_id] = section
    if len(matched) != len(tracks) or len({t.mid for t in tracks}) != len(tracks):
        raise MediaError("a track or its m-line is named twice")
    return matched


def _check_data(offer: RemoteDescription, tracks: Sequence[PublishedTrack]) -> None:
    for track in tracks:
        section = next((one for one in offer.sections if one.mid == track.mid), None)
        if track.kind == "data" and (
            section is None or section.rejected or section.sctp_port is None
        ):
            raise MediaError(f"the offer has no data channels for track {track.track_id}")


def _new_ssrc(peer: MediaPeer) -> int:
    used = {section.local_ssrc for section in peer.sections}
    while (ssrc := secrets.randbits(32)) in used or ssrc == 0:
        pass
    return ssrc
