"""One m-line of a session description as the media layer sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Direction = Literal["inactive", "sendonly", "recvonly", "sendrecv"]
MediaKind = Literal["audio", "video"]
CodecName = Literal["vp8", "vp9", "h264", "av1", "opus"]

KIND_OF_CODEC: Final[Mapping[CodecName, MediaKind]] = {
    "vp8": "video",
    "vp9": "video",
    "h264": "video",
    "av1": "video",
    "opus": "audio",
}

_BY_BITS: tuple[Direction, ...] = ("inactive", "sendonly", "recvonly", "sendrecv")


def sends(direction: Direction) -> bool:
    return direction in ("sendonly", "sendrecv")


def receives(direction: Direction) -> bool:
    return direction in ("recvonly", "sendrecv")


def reverse(direction: Direction) -> Direction:
    """Returns the direction as the other side sees it."""
    return _BY_BITS[receives(direction) + 2 * sends(direction)]


def intersect(one: Direction, other: Direction) -> Direction:
    """Returns what both directions allow."""
    return _BY_BITS[_BY_BITS.index(one) & _BY_BITS.index(other)]


@dataclass
class DataSection:
    """The m-line of the data channels (RFC 8841); a peer connection has one at most."""

    mid: str


@dataclass
class MediaSection:
    """One m-line. `direction` is what this side wants, `current_direction` what is agreed.

    `stream_id` and `track_id` name the media of the line: what this side sends if it sends,
    otherwise what the peer announced (`a=msid`). The `remote_` fields are always the peer's.
    A stopped section (port 0, but for the first of the bundle) carries nothing and its line may be
    given to a new section.
    """

    mid: str
    kind: MediaKind
    codec: CodecName
    payload_type: int
    direction: Direction
    local_ssrc: int | None = None
    remote_ssrc: int | None = None
    stream_id: str = ""
    track_id: str = ""
    remote_stream_id: str = ""
    remote_track_id: str = ""
    current_direction: Direction = "inactive"
    stopped: bool = False
    is_negotiated: bool = field(default=False, repr=False)
    is_stop_negotiated: bool = field(default=False, repr=False)
