"""Transports of participants whose path changes, or that are dead."""

from sealroom.protocol import (
    Empty,
    ErrorCode,
    EventType,
    MediaFailed,
    ResetParams,
    RestartParams,
    RestartResult,
    TransportRole,
)

from .bus import EventBus, Session
from .errors import RequestError
from .live import LiveParticipant, RoomRegistry
from .media_calls import MediaCalls, require_present
from .streams import StreamService
from .subscriptions import SubscriptionService


class MediaPaths:
    """The methods `media.restart` and `media.reset`, and the event `media.failed`."""

    def __init__(
        self,
        registry: RoomRegistry,
        bus: EventBus,
        media: MediaCalls,
        streams: StreamService,
        subscriptions: SubscriptionService,
    ) -> None:
        self._registry = registry
        self._bus = bus
        self._media = media
        self._streams = streams
        self._subscriptions = subscriptions
        media.server.on_transport_failed = self.transport_failed

    async def restart(self, session: Session, params: RestartParams) -> RestartResult:
        """Negotiate another path; media stays on the old one until the new one works.

        Raises:
            RequestError: TRANSPORT_NOT_FOUND, OFFER_INVALID: an offer where none belongs or the
                other way round, MEDIA_FAILED: it does not restart ICE, or the media server cannot.
        """
        participant = await self._subscriptions.participant(session, params.room_id)
        is_publisher = params.transport == "publisher"
        if (params.offer is not None) != is_publisher:
            raise RequestError(
                ErrorCode.OFFER_INVALID,
                field="offer",
                remedy="offer for the publisher transport, not for the subscriber transport",
            )
        server, participant_id = self._media.server, participant.participant_id
        async with participant.media_lock:
            require_present(participant)
            if params.offer is not None:
                answer = await self._media.run(
                    server.restart_publisher(participant_id, params.offer)
                )
                return RestartResult(answer=answer)
            offer = await self._media.run(server.restart_subscriber(participant_id))
            require_present(participant)
            self._subscriptions.offered(participant, offer)
            return RestartResult(
                offer_id=participant.offer_id, offer=offer.sdp, tracks=participant.tracks
            )

    async def reset(self, session: Session, params: ResetParams) -> Empty:
        """End a transport with what it carries; others see the caller's streams end."""
        participant = await self._subscriptions.participant(session, params.room_id)
        async with participant.media_lock:
            require_present(participant)
            await self._media.run(
                self._media.server.reset(participant.participant_id, params.transport)
            )
            if params.transport == "publisher":
                self._streams.drop_all(participant, cause=session)
            else:
                self._subscriptions.forget_transport(participant)
        return Empty()

    def transport_failed(self, participant_id: str, transport: TransportRole) -> None:
        """Tell a participant that its transport is dead at the media server."""
        participant = self._find(participant_id)
        if participant is not None:
            self._bus.send(
                [participant.session],
                EventType.MEDIA_FAILED,
                participant.room.access,
                MediaFailed(transport=transport),
            )

    def _find(self, participant_id: str) -> LiveParticipant | None:
        for room in self._registry.live.values():
            if (participant := room.participants.get(participant_id)) is not None:
                return participant
        return None
