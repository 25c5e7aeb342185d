"""What a participant asked to receive: whole streams, or single tracks of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sealroom.client.models import StreamSubscription
from sealroom.crypto.announcement import VerifiedStream

MAX_AWAITED_STREAMS: Final = 256


class WantedTracks:
    """The media server may send these and nothing else."""

    def __init__(self) -> None:
        self._tracks: dict[str, set[str] | None] = {}  # by stream id, None for all tracks

    def copy(self) -> WantedTracks:
        """Returns an independent copy, to go back to when a change is refused."""
        other = WantedTracks()
        other._tracks = {
            stream_id: None if tracks is None else set(tracks)
            for stream_id, tracks in self._tracks.items()
        }
        return other

    def wants(self, stream_id: str, track_id: str) -> bool:
        """Tells whether a track was asked for."""
        if stream_id not in self._tracks:
            return False
        tracks = self._tracks[stream_id]
        return tracks is None or track_id in tracks

    def add(self, subscription: StreamSubscription) -> None:
        """Asks for a stream or a track, besides what was asked for before."""
        if subscription.track_id is None:
            self._tracks[subscription.stream_id] = None
            return
        tracks = self._tracks.setdefault(subscription.stream_id, set())
        if tracks is not None:
            tracks.add(subscription.track_id)

    def remove(self, subscription: StreamSubscription, stream: VerifiedStream | None) -> None:
        """Asks for a stream or a track no longer; `stream` is the one meant, if it is known."""
        stream_id, track_id = subscription.stream_id, subscription.track_id
        if track_id is None or stream is None:
            self._tracks.pop(stream_id, None)
            return
        tracks = self._tracks.get(stream_id, set())
        if tracks is None:
            tracks = {one.track_id for one in stream.announcement.tracks}
        self._tracks[stream_id] = tracks - {track_id}

    def forget_tracks(self, stream_id: str, track_ids: Iterable[str]) -> None:
        """Drops tracks that were removed from a stream."""
        tracks = self._tracks.get(stream_id)
        if tracks is not None:
            tracks.difference_update(track_ids)

    def subscriptions(self) -> list[StreamSubscription]:
        """Everything asked for, as one would ask for it at once."""
        return [
            StreamSubscription(stream_id, track_id)
            for stream_id, tracks in self._tracks.items()
            for track_id in ([None] if tracks is None else sorted(tracks))
        ]

    def take(self, stream_id: str) -> list[StreamSubscription]:
        """Drops a stream and returns what was asked for of it."""
        if stream_id not in self._tracks:
            return []
        tracks = self._tracks.pop(stream_id)
        if tracks is None:
            return [StreamSubscription(stream_id)]
        return [StreamSubscription(stream_id, track_id) for track_id in sorted(tracks)]


class AwaitedStreams:
    """What was asked for of streams that ended, for when their publishers come back with them.

    A stream that a publisher ends for good never comes back: its id is not used again. At most
    MAX_AWAITED_STREAMS are remembered, the longest gone are forgotten first.
    """

    def __init__(self) -> None:
        self._streams: dict[str, tuple[str, list[StreamSubscription]]] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def put(self, stream: VerifiedStream, subscriptions: list[StreamSubscription]) -> None:
        """Remembers what was asked for of a stream."""
        if not subscriptions:
            return
        self._streams.pop(stream.stream_id, None)  # the newest is last
        self._streams[stream.stream_id] = (stream.user_id, subscriptions)
        while len(self._streams) > MAX_AWAITED_STREAMS:
            del self._streams[next(iter(self._streams))]

    def take(self, stream: VerifiedStream) -> list[StreamSubscription]:
        """Returns what to ask for of a stream that is there, if it is the same user's as before."""
        user_id, subscriptions = self._streams.get(stream.stream_id, ("", []))
        if user_id != stream.user_id:
            return []
        del self._streams[stream.stream_id]
        tracks = {one.track_id for one in stream.announcement.tracks} | {None}
        return [one for one in subscriptions if one.track_id in tracks]

    def remove(self, subscription: StreamSubscription) -> None:
        """Waits for a stream or a track no longer."""
        stream_id, track_id = subscription.stream_id, subscription.track_id
        user_id, subscriptions = self._streams.pop(stream_id, ("", []))
        left = [one for one in subscriptions if track_id not in (None, one.track_id)]
        if left:
            self._streams[stream_id] = (user_id, left)
