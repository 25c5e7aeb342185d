"""What a participant asked to receive: whole streams, or single tracks of them."""

from __future__ import annotations

from collections.abc import Iterable

from sealroom.client.models import StreamSubscription
from sealroom.crypto.announcement import VerifiedStream


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

    def forget(self, stream_ids: Iterable[str]) -> None:
        """Drops streams that have ended."""
        for stream_id in stream_ids:
            self._tracks.pop(stream_id, None)
