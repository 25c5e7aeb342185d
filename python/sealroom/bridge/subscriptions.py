"""What each participant receives, and the offers of its subscriber transport."""

from collections.abc import Iterable, Sequence
from hashlib import sha256

from sealroom.access import Right
from sealroom.protocol import (
    MAX_SUBSCRIBED_TRACKS,
    AnswerParams,
    AnswerResult,
    Empty,
    ErrorCode,
    EventType,
    MediaOffer,
    SubscriptionParams,
    SubscriptionResult,
    TrackAssignment,
    TrackSelector,
    TrickleParams,
)

from .background import Background
from .bus import EventBus, Session
from .errors import RequestError, access_denied, limit_exceeded
from .live import LiveParticipant, LiveRoom, LiveStream, RoomRegistry
from .media_calls import MediaCalls, require_present
from .media_server import SubscriptionOffer, TrackRef


class SubscriptionService:
    """The methods `subscription.update`, `media.answer` and `media.trickle`."""

    def __init__(
        self, registry: RoomRegistry, bus: EventBus, media: MediaCalls, background: Background
    ) -> None:
        self._registry = registry
        self._bus = bus
        self._media = media
        self._background = background

    async def participant(
        self, session: Session, room_id: str, right: Right = Right.GET
    ) -> LiveParticipant:
        """Return the session's participant in a room.

        Raises:
            RequestError: ACCESS_DENIED, or NOT_JOINED for a member.
        """
        await self._registry.require(session, room_id, right)
        participant = session.joined.get(room_id)
        if participant is None:
            raise RequestError(ErrorCode.NOT_JOINED, field="room_id", remedy="join the room first")
        return participant

    async def update(self, session: Session, params: SubscriptionParams) -> SubscriptionResult:
        """Change what the participant receives and return the new offer."""
        right = Right.SUBSCRIBE if params.add else Right.GET
        participant = await self.participant(session, params.room_id, right)
        async with participant.media_lock:
            require_present(participant)
            room = participant.room
            _require_right(participant, right)  # the lock may have taken long
            wanted, whole = _apply(participant, params)
            streams = _streams_of(room, wanted, whole)
            offer = await self._media.run(
                self._media.server.update_subscriptions(participant.participant_id, list(wanted))
            )
            require_present(participant)
            participant.whole = whole
            self._commit(participant, wanted, streams, offer)
            _require_right(participant, right)
            # One that was not answered comes again: it may have been lost with a socket.
            return SubscriptionResult(
                offer_id=participant.offer_id,
                offer=None if participant.answered else participant.offer,
                tracks=participant.tracks,
            )

    async def answer(self, session: Session, params: AnswerParams) -> AnswerResult:
        """Take the answer to the newest offer; one to an older offer is not needed any more.

        The same answer again changes nothing: the reply may have been lost with a socket.
        """
        digest = sha256(params.sdp.encode()).digest()
        participant = await self.participant(session, params.room_id)
        async with participant.media_lock:
            require_present(participant)
            if params.offer_id < participant.offer_id:
                return AnswerResult(accepted=False)
            if participant.answered and (params.offer_id, digest) == (
                participant.offer_id,
                participant.answer_hash,
            ):
                return AnswerResult(accepted=True)
            if params.offer_id > participant.offer_id or participant.answered:
                raise RequestError(
                    ErrorCode.OFFER_INVALID,
                    field="offer_id",
                    remedy="answer each offer once, with its offer_id",
                )
            await self._media.run(self._media.server.answer(participant.participant_id, params.sdp))
            participant.answered, participant.answer_hash = True, digest
        return AnswerResult(accepted=True)

    async def trickle(self, session: Session, params: TrickleParams) -> Empty:
        """Pass on an ICE candidate."""
        participant = await self.participant(session, params.room_id)
        async with participant.media_lock:
            require_present(participant)
            await self._media.run(
                self._media.server.add_candidate(
                    participant.participant_id, params.transport, params.candidate
                )
            )
        return Empty()

    def forget_transport(self, participant: LiveParticipant) -> None:
        """Drop all subscriptions together with the transport, which is gone: no offer follows."""
        participant.wanted.clear()
        participant.tracks = []
        participant.stale, participant.answered = False, True

    def offered(self, participant: LiveParticipant, offer: SubscriptionOffer) -> None:
        """Count an offer, which supersedes those before."""
        participant.offer_id += 1
        participant.offer = offer.sdp
        participant.answered = False
        participant.tracks = _assignments(offer)

    def forget_stream(self, stream: LiveStream) -> list[LiveParticipant]:
        """Drop all subscriptions to a stream that ended and return who had one, for `refresh`."""
        affected = []
        for participant in stream.publisher.room.participants.values():
            participant.whole.discard(stream.stream_id)
            refs = [ref for ref in participant.wanted if ref.stream_id == stream.stream_id]
            for ref in refs:
                del participant.wanted[ref]
            if refs:
                participant.stale = True
                affected.append(participant)
        return affected

    def change_tracks(self, stream: LiveStream) -> list[LiveParticipant]:
        """Follow a stream whose tracks changed; return who is affected, for `refresh`."""
        affected = []
        for participant in stream.publisher.room.participants.values():
            wanted = _current(participant, participant.wanted)
            if wanted.keys() != participant.wanted.keys():
                participant.wanted = wanted
                participant.stale = True
                affected.append(participant)
        return affected

    def forget_all(self, participant: LiveParticipant) -> None:
        """Drop all subscriptions of a participant who may not subscribe any more."""
        participant.whole.clear()
        if participant.wanted:
            participant.wanted.clear()
            participant.stale = True
            self.refresh([participant])

    def refresh(self, participants: Iterable[LiveParticipant]) -> None:
        """Bring the media server in line with what is wanted, and push the new offers."""
        for participant in dict.fromkeys(participants):
            self._background.spawn(self._refresh(participant))

    async def _refresh(self, participant: LiveParticipant) -> None:
        async with participant.media_lock:
            if participant.gone or not participant.stale:
                return
            wanted = dict(participant.wanted)
            streams = _streams_of(participant.room, wanted, participant.whole)
            offer = await self._media.run(
                self._media.server.update_subscriptions(participant.participant_id, list(wanted))
            )
            if participant.gone:
                return
            self._commit(participant, wanted, streams, offer)
            if offer is not None:
                data = MediaOffer(
                    offer_id=participant.offer_id, offer=offer.sdp, tracks=participant.tracks
                )
                self._bus.send(
                    [participant.session], EventType.MEDIA_OFFER, participant.room.access, data
                )

    def _commit(
        self,
        participant: LiveParticipant,
        wanted: dict[TrackRef, None],
        streams: dict[str, LiveStream],
        offer: SubscriptionOffer | None,
    ) -> None:
        # While the media server worked, a stream may have ended, and its id been taken again, and
        # tracks may have come and gone. The right may be lost as well: then all is dropped again.
        current = participant.room.streams
        if not participant.session.may(Right.SUBSCRIBE, participant.room.access):
            current = {}
        gone = {key for key, stream in streams.items() if current.get(key) is not stream}
        participant.whole -= gone
        participant.wanted = _current(
            participant, {ref: None for ref in wanted if ref.stream_id not in gone}
        )
        participant.stale = participant.wanted.keys() != wanted.keys()
        if offer is not None:
            self.offered(participant, offer)
        if participant.stale:
            self.refresh([participant])


def _require_right(participant: LiveParticipant, right: Right) -> None:
    if not participant.session.may(right, participant.room.access):
        raise access_denied()


def _assignments(offer: SubscriptionOffer) -> list[TrackAssignment]:
    return [
        TrackAssignment(mid=track.mid, stream_id=track.stream_id, track_id=track.track_id)
        for track in offer.tracks
    ]


def _apply(
    participant: LiveParticipant, params: SubscriptionParams
) -> tuple[dict[TrackRef, None], set[str]]:
    """Return the new wanted tracks and whole streams, removals first; the old are left alone."""
    wanted = {
        ref: None
        for ref in participant.wanted
        if not any(_selects(one, ref) for one in params.remove)
    }
    whole = participant.whole - {one.stream_id for one in params.remove}
    for index, selector in enumerate(params.add):
        wanted |= dict.fromkeys(_resolve(participant.room, selector, f"add[{index}]"))
        if selector.track_id is None:
            whole.add(selector.stream_id)
    if len(wanted) > MAX_SUBSCRIBED_TRACKS:
        raise limit_exceeded("subscribed tracks", MAX_SUBSCRIBED_TRACKS, field="add")
    return wanted, whole


def _streams_of(
    room: LiveRoom, wanted: Iterable[TrackRef], whole: Iterable[str]
) -> dict[str, LiveStream]:
    return {key: room.streams[key] for key in {ref.stream_id for ref in wanted} | set(whole)}


def _current(participant: LiveParticipant, wanted: Iterable[TrackRef]) -> dict[TrackRef, None]:
    """Return the wanted tracks as streams are now: without ended ones, whole ones complete."""
    streams = participant.room.streams
    there = {ref for key in {ref.stream_id for ref in wanted} for ref in streams[key].tracks()}
    result = {ref: None for ref in wanted if ref in there}
    for stream_id in sorted(participant.whole):
        for ref in streams[stream_id].tracks():
            if len(result) < MAX_SUBSCRIBED_TRACKS:
                result[ref] = None
    return result


def _selects(selector: TrackSelector, ref: TrackRef) -> bool:
    return selector.stream_id == ref.stream_id and selector.track_id in (None, ref.track_id)


def _resolve(room: LiveRoom, selector: TrackSelector, field: str) -> Sequence[TrackRef]:
    stream = room.streams.get(selector.stream_id)
    if stream is None:
        raise RequestError(
            ErrorCode.STREAM_NOT_FOUND, field=f"{field}.stream_id", remedy="see stream.list"
        )
    tracks = [ref for ref in stream.tracks() if _selects(selector, ref)]
    if not tracks and selector.track_id is not None:
        raise RequestError(
            ErrorCode.TRACK_NOT_FOUND, field=f"{field}.track_id", remedy="see its announcement"
        )
    return tracks
