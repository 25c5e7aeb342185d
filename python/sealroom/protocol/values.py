"""Constrained types and the base of all messages."""

from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from . import limits

_TOKEN = r"\A[A-Za-z0-9._+-]+\Z"
Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=limits.MAX_ID_LENGTH, pattern=_TOKEN)]
UserId: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=limits.MAX_USER_ID_LENGTH, pattern=r"\A[^\x00-\x20\x7f]+\Z")
]
Fingerprint: TypeAlias = Annotated[
    bytes, Meta(min_length=limits.FINGERPRINT_BYTES, max_length=limits.FINGERPRINT_BYTES)
]
Signature: TypeAlias = Annotated[bytes, Meta(min_length=1, max_length=limits.MAX_SIGNATURE_BYTES)]
IdentityText: TypeAlias = Annotated[str, Meta(min_length=1, max_length=limits.MAX_IDENTITY_LENGTH)]
Sdp: TypeAlias = Annotated[str, Meta(min_length=1, max_length=limits.MAX_SDP_LENGTH)]
Skip: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
PageSize: TypeAlias = Annotated[int, Meta(ge=1, le=limits.MAX_PAGE_ITEMS)]
TtlSeconds: TypeAlias = Annotated[float, Meta(ge=0, le=limits.MAX_EMPTY_ROOM_TTL)]
Milliseconds: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]
Number: TypeAlias = Annotated[int, Meta(ge=1, le=2**53)]
Kind: TypeAlias = Literal["audio", "video", "data"]
Codec: TypeAlias = Literal["vp8", "vp9", "h264", "av1", "opus", "message"]
KIND_OF_CODEC: Final[dict[Codec, Kind]] = {
    "vp8": "video",
    "vp9": "video",
    "h264": "video",
    "av1": "video",
    "opus": "audio",
    "message": "data",
}
Source: TypeAlias = Literal["camera", "microphone", "screen", "system_audio", "other"]
Role: TypeAlias = Literal["user", "manager"]
# PostgreSQL stores no NUL in a text.
_TEXT = r"\A[^\x00]*\Z"
RoomType: TypeAlias = Annotated[str, Meta(max_length=limits.MAX_ROOM_TYPE_LENGTH, pattern=_TEXT)]
Title: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=limits.MAX_TITLE_LENGTH, pattern=_TEXT)
]
Note: TypeAlias = Annotated[str, Meta(max_length=limits.MAX_NOTE_LENGTH, pattern=_TEXT)]
OptionalTitle: TypeAlias = Annotated[str, Meta(max_length=limits.MAX_TITLE_LENGTH, pattern=_TEXT)]
AclText: TypeAlias = Annotated[str, Meta(max_length=limits.MAX_ACL_LENGTH, pattern=_TEXT)]
PublicName: TypeAlias = Annotated[str, Meta(pattern=_TEXT)]
PolicyEntries: TypeAlias = Annotated[
    dict[str, Annotated[str, Meta(min_length=1, max_length=limits.MAX_POLICY_EXPRESSION_LENGTH)]],
    Meta(max_length=limits.MAX_POLICY_ENTRIES),
]
PublicValue: TypeAlias = str | int | float | bool | None
LeaveReason: TypeAlias = Literal["left", "disconnected", "removed", "kicked"]
RoomState: TypeAlias = Literal["created", "open", "closed"]
ActorKind: TypeAlias = Literal["user", "key", "program", "bridge", "unknown"]
TransportRole: TypeAlias = Literal["publisher", "subscriber"]


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of everything that travels: immutable, refuses unknown fields."""


class Empty(Message, frozen=True):
    """Parameters or result without content."""


class PageParams(Message, frozen=True):
    """One page of a list: at most `limit` of what there is after leaving out `skip`."""

    skip: Skip = 0
    limit: PageSize = limits.MAX_PAGE_ITEMS
