"""The media server in the Bridge's own process: negotiation here, packets in `_core.sfu.Router`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sealroom._core import net, sfu
from sealroom.bridge.data_forwarding import DataForwarding
from sealroom.bridge.data_rations import DataLimits
from sealroom.bridge.media_participants import MediaConnector, MediaState
from sealroom.bridge.media_publishing import MediaPublishing
from sealroom.bridge.media_server import (
    MediaError,
    MediaServerStatistics,
    MediaUsage,
    PublishedTrack,
    SubscriptionOffer,
    TrackRef,
)
from sealroom.bridge.media_subscribing import MediaSubscribing
from sealroom.media.errors import NegotiationError
from sealroom.media.ice import HostAddresses
from sealroom.protocol import TransportRole


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
        data_limits: DataLimits | None = None,
    ) -> None:
        """`host_addresses`: IP addresses clients can reach, or a function that tells those of now;
        None for all but loopback.

        `io_thread`: None for the process's own. `backend`: crypto back end.
        `takeover`: see `sealroom.media.transport.MediaTransport`. `data_limits`: None for the
        defaults.
        """
        self._router = sfu.Router(io_thread, backend=backend)
        self._connector = MediaConnector(
            self._router, host_addresses=host_addresses, takeover=takeover
        )
        self._connector.on_transport_failed = self._transport_failed
        self.on_transport_failed: Callable[[str, TransportRole], None] | None = None
        self._state = MediaState(
            self._router, self._connector, DataForwarding(data_limits or DataLimits())
        )
        self._participants = self._state.participants
        self._data = self._state.data
        self._publishing = MediaPublishing(self._state)
        self._subscribing = MediaSubscribing(self._state)

    @property
    def on_data_cut(self) -> Callable[[str, TrackRef], None] | None:
        return self._data.on_cut

    @on_data_cut.setter
    def on_data_cut(self, callback: Callable[[str, TrackRef], None] | None) -> None:
        self._data.on_cut = callback

    @property
    def room_of(self) -> Callable[[str], str]:
        return self._data.room_of

    @room_of.setter
    def room_of(self, callback: Callable[[str], str]) -> None:
        self._data.room_of = callback

    @property
    def router(self) -> sfu.Router:
        """The native `_core.sfu.Router`."""
        return self._router

    def tap(self, stream_id: str, track_id: str) -> Tap:
        """Begins to collect what the router sees of a published track; raises KeyError.

        Of tracks with the same ids in several rooms, one.
        """
        for ref, producer in self._state.tracks.items():
            if (ref.stream_id, ref.track_id) == (stream_id, track_id):
                return Tap(self._router, producer.id)
        raise KeyError(track_id)

    async def publish(
        self, participant_id: str, stream_id: str, offer: str, tracks: Sequence[PublishedTrack]
    ) -> str:
        return await self._publishing.publish(participant_id, stream_id, offer, tracks)

    async def update_stream(
        self,
        participant_id: str,
        stream_id: str,
        offer: str | None,
        added: Sequence[PublishedTrack],
        removed: Sequence[str],
    ) -> str | None:
        return await self._publishing.update_stream(
            participant_id, stream_id, offer, added, removed
        )

    async def unpublish(self, participant_id: str, stream_id: str) -> None:
        participant = self._participants.get(participant_id)
        if participant is not None:
            self._publishing.remove_stream(participant, stream_id)

    async def update_subscriptions(
        self, participant_id: str, wanted: Sequence[TrackRef]
    ) -> SubscriptionOffer | None:
        return await self._subscribing.update(participant_id, wanted)

    async def answer(self, participant_id: str, sdp: str) -> None:
        await self._subscribing.answer(participant_id, sdp)

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
        return await self._publishing.restart(participant_id, offer)

    async def restart_subscriber(self, participant_id: str) -> SubscriptionOffer:
        return await self._subscribing.restart(participant_id)

    async def reset(self, participant_id: str, transport: TransportRole) -> None:
        participant = self._participants.get(participant_id)
        if participant is not None:
            side = self._publishing if transport == "publisher" else self._subscribing
            side.drop(participant)

    async def remove_participant(self, participant_id: str) -> None:
        participant = self._participants.pop(participant_id, None)
        if participant is not None:
            # No await: a time-out must not leave a removed member half connected.
            self._subscribing.drop(participant)
            self._publishing.drop(participant)

    async def close(self) -> None:
        for participant_id in list(self._participants):
            await self.remove_participant(participant_id)
        await self._connector.finish_closing()

    def statistics(self) -> MediaServerStatistics:
        totals = self._router.statistics()
        participants = self._participants.values()
        consumers = [c for p in participants for c in p.consumers.values()]
        return MediaServerStatistics(
            participants=len(participants),
            producers=sum(producer.is_live for producer in self._state.tracks.values()),
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

    def _transport_failed(self, participant_id: str, transport: TransportRole) -> None:
        if transport == "publisher":
            self._publishing.end_dead(participant_id)
        if self.on_transport_failed is not None:
            self.on_transport_failed(participant_id, transport)
