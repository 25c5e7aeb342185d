"""Where the application takes received tracks from: listeners and iterators."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar
from weakref import WeakSet

from sealroom.client.events import BoundedStream
from sealroom.client.listeners import Listeners

MAX_UNREAD_TRACKS = 256


class _OfStream(Protocol):
    @property
    def stream_id(self) -> str: ...


TrackT = TypeVar("TrackT", bound=_OfStream)


class TrackOutlets(Generic[TrackT]):
    """Those of one joined room for media, or for data; they outlive the session and its media.

    Event-loop thread only.
    """

    def __init__(self, what: str, max_unread: int = MAX_UNREAD_TRACKS) -> None:
        """`what` listeners are told of, for the log; `max_unread` bounds an iterator."""
        self._max_unread = max_unread
        # Held by their iterators alone, so that one nobody reads any more is gone with it.
        self._streams: WeakSet[BoundedStream[TrackT]] = WeakSet()
        self._listeners: Listeners[TrackT] = Listeners(what)

    def put(self, remote: TrackT) -> None:
        """Hands a new track to all of them."""
        for tracks in self._streams:
            tracks.put(remote)
        self._listeners.tell(remote)

    def add_listener(
        self,
        listener: Callable[[TrackT], object],
        stream_id: str | None,
        present: Iterable[TrackT],
    ) -> Callable[[], None]:
        """Calls `listener` with the tracks of a stream, or of all; returns what ends it."""

        def hear(remote: TrackT) -> None:
            if stream_id is None or stream_id == remote.stream_id:
                listener(remote)

        return self._listeners.add(hear, [(remote,) for remote in present])

    def open_stream(self, present: Iterable[TrackT]) -> BoundedStream[TrackT]:
        """Returns an iterator over tracks; bounded, drops its oldest."""
        tracks: BoundedStream[TrackT] = BoundedStream(self._max_unread)
        for remote in present:
            tracks.put(remote)
        self._streams.add(tracks)
        return tracks

    def close(self) -> None:
        """Ends the iterators: the room was left."""
        for tracks in self._streams:
            tracks.close()
