"""Parameters and results of what participants call: streams, subscriptions, media paths."""

from typing import Annotated

from msgspec import Meta, field

from .limits import (
    MAX_CANDIDATE_LENGTH,
    MAX_SUBSCRIBED_TRACKS,
)
from .objects import (
    SignedObject,
    StreamView,
    TrackAssignment,
    TrackSelector,
)
from .values import (
    Id,
    Message,
    Sdp,
    TransportRole,
)


class PublishParams(Message, frozen=True):
    """Offer of the publisher transport; each track's m-line has `a=msid:<stream_id> <track_id>`."""

    room_id: Id
    announcement: SignedObject
    offer: Sdp


class PublishResult(Message, frozen=True):
    """SDP answer of the media server."""

    stream_id: Id
    answer: str


class StreamUpdateParams(Message, frozen=True):
    """A higher version of the announcement of a stream the participant has published.

    `offer` is needed when tracks are added and holds the m-lines of all announced tracks.
    """

    room_id: Id
    announcement: SignedObject
    offer: Sdp | None = None


class StreamUpdateResult(Message, frozen=True):
    """SDP answer of the media server, None without an offer."""

    stream_id: Id
    answer: str | None


class UnpublishParams(Message, frozen=True):
    """A stream of the caller's, or anyone's with the right `unpublish_others`."""

    room_id: Id
    stream_id: Id


class StreamListResult(Message, frozen=True):
    """Live streams of a room."""

    streams: list[StreamView]


class SubscriptionParams(Message, frozen=True):
    """Changes to the caller's subscriptions; `remove` of what is gone is no error.

    Who adds a stream without naming tracks gets those it adds later, too, as the limit allows.
    """

    room_id: Id
    add: Annotated[list[TrackSelector], Meta(max_length=MAX_SUBSCRIBED_TRACKS)] = field(
        default_factory=list
    )
    remove: Annotated[list[TrackSelector], Meta(max_length=MAX_SUBSCRIBED_TRACKS)] = field(
        default_factory=list
    )


class SubscriptionResult(Message, frozen=True):
    """Offer of the subscriber transport (None when nothing changed) and all tracks now subscribed.

    Answer with `media.answer` and the same `offer_id`. A newer offer supersedes an unanswered one.
    """

    offer_id: int
    offer: str | None
    tracks: list[TrackAssignment]


class AnswerParams(Message, frozen=True):
    """Answer to the offer `offer_id`."""

    room_id: Id
    offer_id: Annotated[int, Meta(ge=1, le=2**53)]
    sdp: Sdp


class AnswerResult(Message, frozen=True):
    """`accepted` is False when a newer offer superseded this one: answer that instead."""

    accepted: bool


class TrickleParams(Message, frozen=True):
    """One ICE candidate in SDP syntax (`candidate:...`) for one of the caller's transports."""

    room_id: Id
    transport: TransportRole
    candidate: Annotated[str, Meta(max_length=MAX_CANDIDATE_LENGTH)]


class RestartParams(Message, frozen=True):
    """Another path for one of the caller's transports (ICE restart, RFC 8445 section 2.4).

    For the publisher transport `offer` is one with new ICE credentials and the same m-lines; for
    the subscriber transport there is none, since the media server makes it.
    """

    room_id: Id
    transport: TransportRole
    offer: Sdp | None = None


class RestartResult(Message, frozen=True):
    """Of the publisher transport the `answer`; of the subscriber transport an `offer`.

    The offer is to be answered as one of `subscription.update`.
    """

    answer: str | None = None
    offer_id: int | None = None
    offer: str | None = None
    tracks: list[TrackAssignment] = field(default_factory=list)


class ResetParams(Message, frozen=True):
    """Ends one of the caller's transports with what it carries; none there is no error.

    With the publisher transport the caller's streams end, with the subscriber transport its
    subscriptions. The next `stream.publish` or `subscription.update` begins a new transport.
    """

    room_id: Id
    transport: TransportRole
