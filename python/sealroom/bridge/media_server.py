"""What the Bridge asks of a media server (SFU); `embedded.py` is the native one.

A participant has up to two transports: the publisher (the client offers) and the subscriber (the
server offers). SDP is self-contained: candidates inside, no trickle needed.

The Bridge makes at most one call at a time for one participant, but calls for different
participants overlap. Every call may raise `MediaError`, and has then changed nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sealroom.errors import SealroomError
from sealroom.protocol import Codec, Kind, TransportRole


class MediaError(SealroomError):
    """The media server refuses an SDP; the text goes to the client."""

    code = "media_failed"


class TransportGoneError(MediaError):
    """The participant has no such transport, or it is dead."""

    code = "media_transport_gone"


class MediaFullError(MediaError):
    """The media server carries as much as it can; the text says of what."""

    code = "media_full"


@dataclass(frozen=True, slots=True)
class PublishedTrack:
    """Announced track and the mid of the m-line in the offer that carries it.

    Data tracks (kind "data") share the one of the data channels. Each opens a channel labelled
    "<stream id> <track id>", towards the media server and from it to each subscriber.
    """

    track_id: str
    kind: Kind
    codec: Codec
    mid: str


@dataclass(frozen=True, slots=True)
class TrackRef:
    """A published track; stream ids tell streams of one room apart, not those of two rooms."""

    participant_id: str  # who publishes it
    stream_id: str
    track_id: str


@dataclass(frozen=True, slots=True)
class SubscribedTrack:
    """The m-line of the subscriber transport that carries a track."""

    mid: str
    stream_id: str
    track_id: str


@dataclass(frozen=True, slots=True)
class SubscriptionOffer:
    """Offer of the subscriber transport with all tracks it carries."""

    sdp: str
    tracks: Sequence[SubscribedTrack]


@dataclass(frozen=True, slots=True)
class MediaServerStatistics:
    """Totals since start, and what lives now."""

    participants: int = 0
    producers: int = 0
    consumers: int = 0
    received_packets: int = 0
    forwarded_packets: int = 0
    forwarded_bytes: int = 0
    data_messages_received: int = 0
    data_messages_forwarded: int = 0
    data_subscribers_cut: int = 0


@dataclass(frozen=True, slots=True)
class MediaUsage:
    """What one participant sent and got, over the tracks that are live now."""

    received_bytes: int = 0  # by the media server
    sent_bytes: int = 0


class MediaServer(Protocol):
    """A selective forwarding unit. It never holds a frame key."""

    on_data_cut: Callable[[str, TrackRef], None] | None
    """Called with a participant's id and a data track that it took too slowly: what waited for it
    is gone, its subscription is over, and nothing else is touched."""

    room_of: Callable[[str], str]
    """Tells the room of a participant by its id, for what is rationed by room; "" if unknown."""

    on_transport_failed: Callable[[str, TransportRole], None] | None
    """Called with the participant's id once one of its transports is dead beyond ICE restarts."""

    async def publish(
        self, participant_id: str, stream_id: str, offer: str, tracks: Sequence[PublishedTrack]
    ) -> str:
        """Start the stream's producers and return the SDP answer; ICE and DTLS go on behind.

        The offer may also hold m-lines of the participant's other streams, unchanged.
        """
        ...

    async def update_stream(
        self,
        participant_id: str,
        stream_id: str,
        offer: str | None,
        added: Sequence[PublishedTrack],
        removed: Sequence[str],
    ) -> str | None:
        """Change the tracks of a published stream and return the answer to the offer, if any.

        Tracks that stay go on without a gap. An offer is needed for added tracks; in it, the
        m-lines of removed ones may still be there. The consumers of removed tracks end.
        """
        ...

    async def unpublish(self, participant_id: str, stream_id: str) -> None:
        """Stop the stream's producers and all their consumers. No error if it is gone."""
        ...

    async def update_subscriptions(
        self, participant_id: str, wanted: Sequence[TrackRef]
    ) -> SubscriptionOffer | None:
        """Make the subscriptions equal to `wanted`; None when nothing changes.

        `wanted` is complete and names published tracks only. May come before the previous offer
        was answered: the new offer then supersedes it, and only the new one is answered.
        """
        ...

    async def answer(self, participant_id: str, sdp: str) -> None:
        """Take the client's answer to the newest offer."""
        ...

    async def add_candidate(
        self, participant_id: str, transport: TransportRole, candidate: str
    ) -> None:
        """Add a trickled ICE candidate of the client."""
        ...

    async def restart_publisher(self, participant_id: str, offer: str) -> str:
        """Take an offer with new ICE credentials and return the answer; streams go on as before.

        Media stays on the old path until the new one works. Raises TransportGoneError.
        """
        ...

    async def restart_subscriber(self, participant_id: str) -> SubscriptionOffer:
        """Return an offer with new ICE credentials that supersedes one not answered yet.

        Raises TransportGoneError.
        """
        ...

    async def reset(self, participant_id: str, transport: TransportRole) -> None:
        """End a transport with its producers or consumers. No error if it is gone."""
        ...

    async def remove_participant(self, participant_id: str) -> None:
        """End both transports, all producers and consumers. No error if it is gone.

        Nothing comes or goes any more before the first await, since a time-out may cancel the rest.
        """
        ...

    async def close(self) -> None:
        """End everything. Idempotent."""
        ...

    def statistics(self) -> MediaServerStatistics:
        """Return the counters for `/metrics`."""
        ...

    def usage(self, participant_id: str) -> MediaUsage:
        """Return what a participant sent and got; zeros if it is unknown."""
        ...
