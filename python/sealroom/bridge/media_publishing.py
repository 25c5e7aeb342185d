"""Publisher transports of the embedded media server: clients offer, the router gets producers."""

from __future__ import annotations

from collections.abc import Sequence

from sealroom.bridge.data_forwarding import MAX_SEALED_BYTES
from sealroom.bridge.media_participants import (
    MediaConnection,
    MediaParticipant,
    MediaState,
    Producer,
)
from sealroom.bridge.media_server import MediaError, MediaFullError, PublishedTrack, TrackRef
from sealroom.errors import LimitExceededError, SealroomError
from sealroom.media.errors import NegotiationError, TransportError
from sealroom.media.sections import sends
from sealroom.media.session_description import RemoteDescription, RemoteSection, parse_description


class MediaPublishing:
    """Streams of all participants on their way in. Event-loop thread only."""

    def __init__(self, state: MediaState) -> None:
        self._state = state

    async def publish(
        self, participant_id: str, stream_id: str, offer: str, tracks: Sequence[PublishedTrack]
    ) -> str:
        """As `MediaServer.publish`."""
        participant = self._state.participant(participant_id)
        if participant.publisher is not None and participant.publisher.is_dead:
            self.drop(participant)
        if stream_id in participant.streams:
            raise MediaError("this stream is published already")
        answer, producers = await self._accept(participant, stream_id, offer, tracks, ())
        participant.streams[stream_id] = {}
        self._state.participants[participant_id] = participant
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
        """As `MediaServer.update_stream`."""
        participant = self._state.participants.get(participant_id)
        stream = participant.streams.get(stream_id) if participant is not None else None
        if participant is None or stream is None:
            raise MediaError("this stream is not published")
        if any(track.track_id in stream for track in added):
            raise MediaError("this track is published already")
        answer, producers = None, dict[str, Producer]()
        if offer is not None:
            if participant.publisher is None or participant.publisher.is_dead:
                raise MediaError("the connection that carries the stream is gone")
            gone = [stream[track_id] for track_id in removed if track_id in stream]
            answer, producers = await self._accept(participant, stream_id, offer, added, gone)
        for track_id in removed:
            ref = TrackRef(participant_id, stream_id, track_id)
            self._state.data.unpublish(ref)
            if (producer := stream.pop(track_id, None)) is not None:
                self._remove_producer(ref, producer)
        self._add_producers(participant, stream_id, producers)
        self._publish_data(participant, stream_id, added)
        return answer

    async def restart(self, participant_id: str, offer: str) -> str:
        """As `MediaServer.restart_publisher`."""
        participant, connection = self._state.connected(participant_id, "publisher")
        try:
            if not connection.peer.restarts_ice(offer):
                raise MediaError("the offer has the ICE credentials of the path there is")
            await connection.peer.accept_offer(offer)
            _refuse_others(participant, connection, {}, ())
            return await connection.peer.create_answer()
        except (NegotiationError, TransportError) as error:
            raise MediaError(str(error)) from error

    def remove_stream(self, participant: MediaParticipant, stream_id: str) -> None:
        """Ends a stream and what is sent of it to others; no error if there is none."""
        self._state.data.unpublish_stream(participant.id, stream_id)
        for track_id, producer in participant.streams.pop(stream_id, {}).items():
            self._remove_producer(TrackRef(participant.id, stream_id, track_id), producer)

    def drop(self, participant: MediaParticipant) -> None:
        """Ends all streams of a participant, and its publisher transport."""
        connection, participant.publisher = participant.publisher, None
        if connection is not None:
            self._state.connector.close(connection)
        for stream_id in list(participant.streams):
            self.remove_stream(participant, stream_id)

    def end_dead(self, participant_id: str) -> None:
        """Takes the producers of a publisher transport that failed out of the router.

        The streams stay, silent, until their publisher resets it: all they would keep others from
        is the place they take.
        """
        participant = self._state.participants.get(participant_id)
        connection = participant.publisher if participant is not None else None
        if participant is None or connection is None or not connection.is_dead:
            return
        connection.transport.close()
        for stream in participant.streams.values():
            for producer in stream.values():
                producer.is_live = False

    async def _accept(
        self,
        participant: MediaParticipant,
        stream_id: str,
        offer: str,
        tracks: Sequence[PublishedTrack],
        gone: Sequence[Producer],
    ) -> tuple[str, dict[str, Producer]]:
        """Takes a publisher's offer with new tracks; on any failure nothing has changed."""
        connection = participant.publisher
        producers: dict[str, Producer] = {}
        router = self._state.router
        try:
            description = parse_description(offer)
            media = [track for track in tracks if track.kind != "data"]
            sections = _match(description, stream_id, media)
            if connection is None:
                connection = self._state.connector.connect(
                    participant.id, "publisher", sections.values()
                )
            if len(media) < len(tracks):
                _check_data(description, tracks)
                connection.peer.use_data_channels(max_message_size=MAX_SEALED_BYTES)
            for track in media:
                section = sections[track.track_id]
                assert track.codec != "message"
                producer_id = router.add_producer(
                    connection.transport,
                    mid=section.mid,
                    ssrc=section.ssrc,
                    payload_type=section.payload_types[track.codec],
                    codec=track.codec,
                )
                producers[track.track_id] = Producer(producer_id, track)
            codecs = {one.mid: one.codec for one in media if one.codec != "message"}
            await connection.peer.accept_offer(offer, codecs)
            _refuse_others(participant, connection, producers, gone)
            answer = await connection.peer.create_answer()
        except BaseException as error:
            for producer in producers.values():
                router.remove_producer(producer.id)
            if connection is not None and connection is not participant.publisher:
                self._state.connector.close(connection)
            if isinstance(error, LimitExceededError):
                raise MediaFullError("It carries as many tracks as it can.") from error
            if isinstance(error, SealroomError) and not isinstance(error, MediaError):
                raise MediaError(str(error)) from error
            raise
        participant.publisher = connection
        return answer, producers

    def _publish_data(
        self, participant: MediaParticipant, stream_id: str, tracks: Sequence[PublishedTrack]
    ) -> None:
        for track in tracks:
            if track.kind == "data":
                assert participant.publisher is not None
                channels = participant.publisher.peer.use_data_channels()
                self._state.data.take_channels(participant.id, channels)
                self._state.data.publish(TrackRef(participant.id, stream_id, track.track_id))

    def _add_producers(
        self, participant: MediaParticipant, stream_id: str, producers: dict[str, Producer]
    ) -> None:
        participant.streams[stream_id] |= producers
        for track_id, producer in producers.items():
            self._state.tracks[TrackRef(participant.id, stream_id, track_id)] = producer

    def _remove_producer(self, ref: TrackRef, producer: Producer) -> None:
        self._state.tracks.pop(ref, None)
        producer.is_live = False
        self._state.router.remove_producer(producer.id)  # and its consumers, with a BYE each


def _refuse_others(
    participant: MediaParticipant,
    connection: MediaConnection,
    new: dict[str, Producer],
    gone: Sequence[Producer],
) -> None:
    # Media that was not announced is not taken: its m-lines are answered inactive.
    old = [p for stream in participant.streams.values() for p in stream.values()]
    live = {producer.track.mid for producer in old if producer not in gone}
    live |= {producer.track.mid for producer in new.values()}
    for section in connection.peer.sections:
        if section.mid not in live:
            section.direction = "inactive"


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
        if section.kind != track.kind or track.codec not in section.payload_types:
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
