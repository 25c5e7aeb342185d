"""Which events can be asked for where."""

from typing import Final, Literal

from sealroom.protocol import EventType

_UNASKED: Final = {
    EventType.MEDIA_OFFER,
    EventType.MEDIA_FAILED,
    EventType.DATA_CUT,
    EventType.SESSION_RESYNC,
}
_OF_CONTEXTS: Final = {EventType.ROOM_CREATED}


def illegal(event: EventType, scope: Literal["context", "room", "stream"]) -> str | None:
    """Return why an event cannot be asked for in a scope, None if it can."""
    if event in _UNASKED:
        return f"{event} comes without asking"
    if event in _OF_CONTEXTS and scope != "context":
        return f"ask for {event} of the context: there is no {scope} before it"
    if scope == "stream" and not event.startswith("stream."):
        return f"ask for {event} of a room or context: it is about no stream"
    return None
