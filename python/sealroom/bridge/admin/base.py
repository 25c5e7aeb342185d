"""What every part of administration needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from sealroom.bridge.admin_store import AdminStore, room_not_found
from sealroom.bridge.audit import AuditLog
from sealroom.bridge.audit_store import AuditStore
from sealroom.bridge.bus import EventBus
from sealroom.bridge.errors import RequestError
from sealroom.bridge.figures import Figures
from sealroom.bridge.home_calls import HomeCalls
from sealroom.bridge.key_holders import KeyHolders
from sealroom.bridge.key_store import KeyStore
from sealroom.bridge.live import RoomRegistry
from sealroom.bridge.live_calls import LiveCalls
from sealroom.bridge.records import RoomAccess
from sealroom.bridge.room_control import RoomControl
from sealroom.bridge.room_lists import RoomLists
from sealroom.bridge.session_control import SessionControl
from sealroom.bridge.store import Store
from sealroom.protocol import ErrorCode, Message

_IDS: Final = ("context_id", "user_id", "room_id", "participant_id", "key_id")

_MessageT = TypeVar("_MessageT", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminParts:
    """The parts of a Bridge that administration works on."""

    store: Store
    admin_store: AdminStore
    keys: KeyStore
    holders: KeyHolders
    audit: AuditLog
    audit_store: AuditStore
    lists: RoomLists
    registry: RoomRegistry
    bus: EventBus
    sessions: SessionControl
    control: RoomControl
    homes: HomeCalls
    live: LiveCalls
    figures: Figures


class AdminPart:
    """Base of the parts of `Admin`."""

    def __init__(self, parts: AdminParts) -> None:
        self._parts = parts

    async def _room(self, room_id: str) -> RoomAccess:
        """Return who may do what in a room.

        Raises:
            RequestError: ROOM_NOT_FOUND.
        """
        if (access := await self._parts.registry.access(room_id)) is None:
            raise room_not_found()
        return access


def check_ids(given: Mapping[str, Any]) -> None:
    """Refuse ids that are no texts, as what was made instead of its id, before a database does.

    Raises:
        RequestError: INVALID_PARAMS, names the field.
    """
    for name in _IDS:
        value = given.get(name, "")
        if value is None or isinstance(value, str):
            continue  # None where it may be left out, which `checked` tells
        has_it = isinstance(getattr(value, name, None), str)
        raise RequestError(
            ErrorCode.INVALID_PARAMS,
            f"A text, not {type(value).__name__}.",
            field=name,
            remedy=f"give its .{name}" if has_it else "give the id",
        )


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
