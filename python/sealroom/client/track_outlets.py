"""Where the application takes received tracks from: listeners and iterators."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from sealroom.client.events import BoundedStream
from sealroom.client.subscriber import RemoteTrack

logger = logging.getLogger(__name__)

MAX_UNREAD_TRACKS = 256

TrackListener = Callable[[RemoteTrack], object]


class TrackOutlets:
    """Those of one joined room; they outlive the session and its media. Event-loop thread only."""

    def __init__(self) -> None:
        self._streams: list[BoundedStream[RemoteTrack]] = []
        self._listeners: list[tuple[str | None, TrackListener]] = []

    def put(self, remote: RemoteTrack) -> None:
        """Hands a new track to all of them."""
        for tracks in self._streams:
            tracks.put(remote)
        for stream_id, listener in list(self._listeners):
            _notify(listener, stream_id, remote)

    def add_listener(
        self, listener: TrackListener, stream_id: str | None, present: Iterable[RemoteTrack]
    ) -> Callable[[], None]:
        """Calls `listener` with the tracks of a stream, or of all; returns what ends it."""
        entry = (stream_id, listener)
        self._listeners.append(entry)
        for remote in present:
            _notify(listener, stream_id, remote)
        return lambda: self._listeners.remove(entry)

    def open_stream(self, present: Iterable[RemoteTrack]) -> BoundedStream[RemoteTrack]:
        """Returns an iterator over tracks; bounded, drops its oldest."""
        tracks: BoundedStream[RemoteTrack] = BoundedStream(MAX_UNREAD_TRACKS)
        for remote in present:
            tracks.put(remote)
        self._streams.append(tracks)
        return tracks

    def close(self) -> None:
        """Ends the iterators: the room was left."""
        for tracks in self._streams:
            tracks.close()


def _notify(listener: TrackListener, stream_id: str | None, remote: RemoteTrack) -> None:
    if stream_id is not None and stream_id != remote.stream_id:
        return
    try:
        listener(remote)
    except Exception:
        logger.exception("a remote stream listener failed")
