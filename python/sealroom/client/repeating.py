"""Which requests are sent again when a socket dropped before their response came."""

from __future__ import annotations

from typing import Final

from sealroom.protocol import ErrorCode

_READS: Final = {
    "context.get",
    "context.users",
    "room.get",
    "room.list",
    "room.history",
    "room.participants",
    "stream.list",
}
# Twice has the effect of once, and in another session there is nothing it could be about.
_REPEATABLE: Final = {
    "room.ready",
    "room.leave",
    "stream.unpublish",
    "subscription.update",
    "media.answer",
    "media.trickle",
    "events.unsubscribe",
}
# What the Bridge says to the second, if it had carried out the first.
_DONE: Final = {
    "room.leave": ErrorCode.NOT_JOINED,
    "stream.unpublish": ErrorCode.STREAM_NOT_FOUND,
    "events.unsubscribe": ErrorCode.SUBSCRIPTION_NOT_FOUND,
}
_BOUND: Final = ("stream.", "subscription.", "media.", "recording.")


def may_repeat(method: str) -> bool:
    """Tell whether a request may be sent again: it only reads, or twice is as good as once."""
    return method in _READS or method in _REPEATABLE


def is_bound(method: str) -> bool:
    """Tell whether a request is about what a session has, so that it makes no sense in another."""
    if method in _READS:
        return False
    return method in _REPEATABLE or method.startswith(_BOUND)


def was_done(method: str, error_code: int) -> bool:
    """Tell whether the refusal of a repeated request says that the first was carried out."""
    return _DONE.get(method) == error_code
