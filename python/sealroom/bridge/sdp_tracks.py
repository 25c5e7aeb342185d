"""Finds the m-line of each announced track in an SDP offer (RFC 8829 section 5.2, RFC 8830)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from sealroom.protocol import AnnouncedTrack, ErrorCode

from .errors import RequestError
from .media_server import PublishedTrack

MAX_SECTIONS: Final = 512
_MAX_MID_LENGTH: Final = 64


@dataclass(slots=True)
class _Section:
    kind: str
    mid: str | None = None
    sources: set[tuple[str, str]] = field(default_factory=set)  # (stream id, track id)


def match_tracks(
    offer: str, stream_id: str, announced: Sequence[AnnouncedTrack], ended: Collection[str] = ()
) -> list[PublishedTrack]:
    """Return each announced track with its mid; those of `ended` track ids are not looked at.

    Raises:
        RequestError: OFFER_INVALID, a track has no m-line or several, an m-line of the stream is
            not announced or of another kind.
    """
    mids: dict[str, tuple[str, str]] = {}
    data_mids = []
    for section in _sections(offer):
        if section.kind == "application" and section.mid is not None:
            data_mids.append(section.mid)
        own = [
            track_id
            for stream, track_id in section.sources
            if stream == stream_id and track_id not in ended
        ]
        if not own:
            continue
        if len(own) > 1 or own[0] in mids or section.mid is None:
            raise _invalid("give each track an m-line of its own with a=mid and one a=msid")
        mids[own[0]] = (section.kind, section.mid)
    if len({mid for _, mid in mids.values()}) != len(mids):
        raise _invalid("give each m-line its own a=mid")
    if mids.keys() != {track.track_id for track in announced if track.kind != "data"}:
        raise _invalid(f"offer exactly the announced tracks, as a=msid:{stream_id} <track_id>")
    tracks = []
    for track in announced:
        if track.kind == "data":
            if len(data_mids) != 1 or data_mids[0] in {mid for _, mid in mids.values()}:
                raise _invalid("offer data channels for a data track, as one m=application")
            tracks.append(PublishedTrack(track.track_id, track.kind, track.codec, data_mids[0]))
            continue
        kind, mid = mids[track.track_id]
        if kind != track.kind:
            raise _invalid(f"track {track.track_id} is announced as {track.kind}")
        tracks.append(PublishedTrack(track.track_id, track.kind, track.codec, mid))
    return tracks


def _sections(sdp: str) -> list[_Section]:
    sections: list[_Section] = []
    for line in sdp.splitlines():
        if line.startswith("m="):
            if len(sections) == MAX_SECTIONS:
                raise _invalid(f"offer at most {MAX_SECTIONS} m-lines")
            sections.append(_Section(kind=line[2:].split(" ", 1)[0]))
        elif sections and line.startswith("a=mid:"):
            mid = line.removeprefix("a=mid:").strip()
            if not 0 < len(mid) <= _MAX_MID_LENGTH:
                raise _invalid(f"an a=mid has 1 to {_MAX_MID_LENGTH} signs")
            sections[-1].mid = mid
        elif sections and line.startswith("a=msid:"):
            stream, _, track = line.removeprefix("a=msid:").strip().partition(" ")
            sections[-1].sources.add((stream, track))
    return sections


def _invalid(remedy: str) -> RequestError:
    return RequestError(ErrorCode.OFFER_INVALID, field="offer", remedy=remedy)
