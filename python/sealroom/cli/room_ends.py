"""Why nothing more is sent or received in a room that a command is in."""

from __future__ import annotations

from dataclasses import dataclass

from sealroom.cli.errors import describe
from sealroom.client.events import (
    Event,
    MediaFailed,
    RoomClosed,
    RoomDeleted,
    RoomExcluded,
    RoomLost,
)
from sealroom.protocol import TransportRole

ADMINISTRATOR = "an administrator"


@dataclass(frozen=True, slots=True)
class RoomEnd:
    """What ended it, in a few words; closing a room is how a call ends, the rest is a failure."""

    reason: str
    is_failure: bool


def room_end(event: Event, room_id: str, transport: TransportRole) -> RoomEnd | None:
    """Returns why `event` is the end for who uses `transport` in this room, None if it is not."""
    if getattr(event, "room_id", None) != room_id:
        return None
    match event:
        case RoomClosed(user_id=user):
            return RoomEnd(f"{user or ADMINISTRATOR} closed the room", is_failure=False)
        case RoomDeleted(user_id=user):
            return RoomEnd(f"{user or ADMINISTRATOR} deleted the room", is_failure=False)
        case RoomExcluded(reason=reason, user_id=user, note=note):
            verb = "threw you out of" if reason == "kicked" else "removed you from"
            said = f": {note}" if note else ""
            return RoomEnd(f"{user or ADMINISTRATOR} {verb} the room{said}", is_failure=True)
        case RoomLost(error=error):
            return RoomEnd(f"the room did not come back: {describe(error)}", is_failure=True)
        case MediaFailed(transport=its, reason=reason) if its == transport:
            return RoomEnd(f"the media connection broke: {reason}", is_failure=True)
    return None
