"""What every part of administration needs."""

from dataclasses import dataclass
from typing import TypeVar

import msgspec

from sealroom.bridge.errors import RequestError
from sealroom.bridge.key_store import KeyStore
from sealroom.bridge.live import RoomRegistry
from sealroom.bridge.room_lists import RoomLists
from sealroom.bridge.session_control import SessionControl
from sealroom.bridge.store import Store
from sealroom.protocol import ErrorCode, Message

_MessageT = TypeVar("_MessageT", bound=Message)


@dataclass(frozen=True, slots=True)
class AdminParts:
    """The parts of a Bridge that administration works on."""

    store: Store
    keys: KeyStore
    lists: RoomLists
    registry: RoomRegistry
    sessions: SessionControl


class AdminPart:
    """Base of the parts of `Admin`."""

    def __init__(self, parts: AdminParts) -> None:
        self._parts = parts


def checked(message: _MessageT) -> _MessageT:
    """Return a message that fits its limits: in process nobody checked it yet.

    Raises:
        RequestError: INVALID_PARAMS, names the field.
    """
    try:
        return msgspec.convert(msgspec.to_builtins(message), type(message))
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        raise RequestError(
            ErrorCode.INVALID_PARAMS, f"{what}.", field=path.rstrip("`").lstrip("."), remedy=what
        ) from None
