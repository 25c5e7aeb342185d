"""Subscriber transports of the embedded media server: it offers, the router gets consumers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from sealroom.bridge.data_forwarding import MAX_SEALED_BYTES
from sealroom.bridge.media_participants import (
    Consumer,
    MediaConnection,
    MediaParticipant,
    MediaState,
)
from sealroom.bridge.media_server import MediaError, SubscribedTrack, SubscriptionOffer, TrackRef
from sealroom.errors import SealroomError
from sealroom.media.errors import NegotiationError, TransportError
from sealroom.media.sections import sends

logger = logging.getLogger(__name__)


class MediaSubscribing:
    """Tracks on their way to all participants. Event-loop thread only."""

    def __init__(self, state: MediaState) -> None:
        self._state = state

    async def update(
        self, participant_id: str, wanted: Sequence[TrackRef]
    ) -> SubscriptionOffer | None:
        """As `MediaServer.update_subscriptions`."""
        tracks, forwarding = self._state.tracks, self._state.data
        unknown = [ref for ref in wanted if ref not in tracks and ref not in forwarding]
        if unknown:
            raise MediaError(f"track {unknown[0].track_id} is not published")
        participant = self._state.participant(participant_id)
        if participant.subscriber is not None and participant.subscriber.is_dead:
            self.drop(participant)
        if not self._changes(participant, wanted):
            return None
        connection = await self._connection_for(participant)
        # Meanwhile some may have ended: whoever asked is about to hear of it.
        if not self._changes(participant, wanted):
            return None
        gone, new = self._media_changes(participant, wanted)
        for ref in gone:
            consumer = participant.consumers.pop(ref)
            connection.peer.stop_section(consumer.section)
            self._remove_consumer(consumer)
        for ref in new:
            participant.consumers[ref] = self._new_consumer(connection, ref)
        data, data_before = self._data_changes(participant, wanted)
        for ref in data_before - data:
            forwarding.unsubscribe(participant_id, ref)
        for ref in data - data_before:
            channels = connection.peer.use_data_channels(max_message_size=MAX_SEALED_BYTES)
            forwarding.subscribe(participant_id, ref, channels)
        return self._offer_of(participant, await connection.peer.create_offer())

    async def answer(self, participant_id: str, sdp: str) -> None:
        """As `MediaServer.answer`."""
        participant = self._state.participants.get(participant_id)
        if participant is None or participant.subscriber is None:
            raise MediaError("there is no offer to be answered")
        try:
            await participant.subscriber.peer.accept_answer(sdp)
        except (NegotiationError, TransportError) as error:
            raise MediaError(str(error)) from error
        self._state.data.answered(participant_id)
        if participant.start_task is not None:
            participant.start_task.cancel()
        participant.start_task = asyncio.create_task(
            self._start_consumers(participant, participant.subscriber)
        )

    async def restart(self, participant_id: str) -> SubscriptionOffer:
        """As `MediaServer.restart_subscriber`."""
        participant, connection = self._state.connected(participant_id, "subscriber")
        try:
            offer = await connection.peer.create_offer(ice_restart=True)
        except (NegotiationError, TransportError) as error:
            raise MediaError(str(error)) from error
        return self._offer_of(participant, offer)

    def drop(self, participant: MediaParticipant) -> None:
        """Ends all subscriptions of a participant, and its subscriber transport."""
        connection, participant.subscriber = participant.subscriber, None
        if connection is not None:
            self._state.connector.close(connection)
        if participant.start_task is not None:
            participant.start_task.cancel()
            participant.start_task = None
        for ref in self._state.data.subscriptions(participant.id):
            self._state.data.unsubscribe(participant.id, ref)
        for consumer in participant.consumers.values():
            self._remove_consumer(consumer)
        participant.consumers.clear()

    def _changes(self, participant: MediaParticipant, wanted: Sequence[TrackRef]) -> bool:
        gone, new = self._media_changes(participant, wanted)
        data, data_before = self._data_changes(participant, wanted)
        return bool(gone or new) or data != data_before

    def _media_changes(
        self, participant: MediaParticipant, wanted: Sequence[TrackRef]
    ) -> tuple[list[TrackRef], list[TrackRef]]:
        """What is to be ended, and what is to begin, of what is published now."""
        tracks, consumers = self._state.tracks, participant.consumers
        gone = [r for r in consumers if r not in wanted or not consumers[r].producer.is_live]
        media = dict.fromkeys(ref for ref in wanted if ref in tracks and tracks[ref].is_live)
        return gone, [r for r in media if r not in consumers or r in gone]

    def _data_changes(
        self, participant: MediaParticipant, wanted: Sequence[TrackRef]
    ) -> tuple[set[TrackRef], set[TrackRef]]:
        """What is wanted of the data tracks there are, and what was before."""
        forwarding = self._state.data
        return {r for r in wanted if r in forwarding}, set(forwarding.subscriptions(participant.id))

    async def _connection_for(self, participant: MediaParticipant) -> MediaConnection:
        connection = participant.subscriber or self._state.connector.connect(
            participant.id, "subscriber"
        )
        try:
            # First, because it is all that can fail.
            await connection.peer.transport.gather()
        except BaseException as error:  # a time-out cancels
            if connection is not participant.subscriber:
                self._state.connector.close(connection)
            if isinstance(error, TransportError):
                raise MediaError(str(error)) from error
            raise
        participant.subscriber = connection
        self._state.participants[participant.id] = participant
        return connection

    def _new_consumer(self, connection: MediaConnection, ref: TrackRef) -> Consumer:
        producer = self._state.tracks[ref]
        track = producer.track
        assert track.kind != "data"  # the others are forwarded as messages
        assert track.codec != "message"
        section = connection.peer.add_section(
            kind=track.kind,
            codec=track.codec,
            ssrc=connection.new_ssrc(),
            stream_id=ref.stream_id,
            track_id=ref.track_id,
        )
        return Consumer(producer, section)

    def _offer_of(self, participant: MediaParticipant, offer: str) -> SubscriptionOffer:
        tracks = [
            SubscribedTrack(consumer.section.mid, ref.stream_id, ref.track_id)
            for ref, consumer in participant.consumers.items()
        ]
        assert participant.subscriber is not None
        if (mid := participant.subscriber.peer.data_mid) is not None:
            tracks += [
                SubscribedTrack(mid, ref.stream_id, ref.track_id)
                for ref in self._state.data.subscriptions(participant.id)
            ]
        return SubscriptionOffer(offer, tracks)

    async def _start_consumers(
        self, participant: MediaParticipant, connection: MediaConnection
    ) -> None:
        # Not before the subscriber can receive: the router begins video with a key frame, and one
        # that is lost costs the subscriber a round trip to the publisher.
        try:
            await connection.peer.connected()
        except TransportError as error:
            logger.info("a subscriber did not connect: %s", error)
            return
        refused = []
        for consumer in participant.consumers.values():
            section = consumer.section
            is_wanted = section.is_negotiated and sends(section.current_direction)
            if consumer.id is not None or not is_wanted or not consumer.producer.is_live:
                continue
            assert section.local_ssrc is not None
            try:
                consumer.id = self._state.router.add_consumer(
                    connection.transport,
                    consumer.producer.id,
                    ssrc=section.local_ssrc,
                    payload_type=section.payload_type,
                    mid=section.mid,
                )
            except SealroomError as error:
                refused.append(error)
        if refused:
            logger.warning("%d tracks do not reach a subscriber: %s", len(refused), refused[0])
        tell = self._state.connector.on_transport_failed
        if connection.is_worn_out and tell is not None:
            # It carries what it has until the client resets it, and refuses to be restarted.
            tell(participant.id, "subscriber")

    def _remove_consumer(self, consumer: Consumer) -> None:
        if consumer.id is not None and consumer.producer.is_live:
            self._state.router.remove_consumer(consumer.id)
        consumer.id = None
