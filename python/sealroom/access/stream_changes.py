"""Which announcement of a stream may follow another. Pure, and the only such code.

Signatures are not looked at: the caller has verified that one author signed both.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import msgspec

from sealroom.errors import SealroomError
from sealroom.protocol import MAX_REMOVED_TRACKS, AnnouncedTrack, StreamAnnouncement


class StreamChangeError(SealroomError):
    """A newer announcement changes what it may not; `field` is the one at fault."""

    code = "stream_change"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class TrackChanges:
    """What became of the tracks; `modified` holds each before and after."""

    added: tuple[AnnouncedTrack, ...]
    removed: tuple[AnnouncedTrack, ...]
    modified: tuple[tuple[AnnouncedTrack, AnnouncedTrack], ...]


def find_track_changes(
    before: StreamAnnouncement, after: StreamAnnouncement, removed: Collection[str]
) -> TrackChanges:
    """Return what a newer announcement of the same stream changes, if it may.

    `removed` are the ids of tracks that earlier versions removed. A track's key comes from its id
    and the nonce, and its sender counts frames from zero: an id that came back under one nonce
    would use a counter twice.

    Raises:
        StreamChangeError: no newer version of the same stream and nonce, an older epoch, a kept
            track that is another one now, a removed one that is back, or too many removed.
    """
    for field in ("context_id", "room_id", "stream_id", "nonce"):
        if getattr(before, field) != getattr(after, field):
            raise StreamChangeError(field, f"{field} stays what it was when the stream began")
    if after.version <= before.version:
        raise StreamChangeError("version", f"version {before.version} is followed by a higher one")
    if after.epoch < before.epoch:
        raise StreamChangeError("epoch", f"the stream has been in epoch {before.epoch} already")
    old = {track.track_id: track for track in before.tracks}
    new = {track.track_id: track for track in after.tracks}
    modified = []
    for index, track in enumerate(after.tracks):
        known = old.get(track.track_id)
        if known is None:
            if track.track_id in removed:
                raise StreamChangeError(
                    f"tracks[{index}].track_id", "a track that was removed comes back: add another"
                )
        elif track != known:
            if track != msgspec.structs.replace(known, enabled=track.enabled):
                raise StreamChangeError(
                    f"tracks[{index}]", "of a track that stays only enabled may change"
                )
            modified.append((known, track))
    gone = tuple(track for key, track in old.items() if key not in new)
    if len(removed) + len(gone) > MAX_REMOVED_TRACKS:
        raise StreamChangeError(
            "tracks", f"the stream has had {MAX_REMOVED_TRACKS} tracks removed: publish it anew"
        )
    added = tuple(track for key, track in new.items() if key not in old)
    return TrackChanges(added, gone, tuple(modified))
