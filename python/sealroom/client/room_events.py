"""Events of rooms: their records, who is there, who records, what applications say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sealroom.client.models import ParticipantInfo
from sealroom.protocol import LeaveReason


@dataclass(frozen=True, slots=True)
class RoomCreated:
    """A room that the user is a member of was created."""

    room_id: str
    author: str


@dataclass(frozen=True, slots=True)
class RoomUpdated:
    """A manager changed a room. If it is joined, the change was verified before this event."""

    room_id: str
    version: int
    epoch: int
    author: str


@dataclass(frozen=True, slots=True)
class RoomRefused:
    """The Bridge says a joined room changed, and what it shows does not verify.

    Nothing was changed here: the last epoch that verified stays in use.
    """

    room_id: str
    error: Exception


@dataclass(frozen=True, slots=True)
class KeyRotated:
    """This participant's senders in a joined room use the key of a new epoch from now on."""

    room_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class RoomExcluded:
    """This user is out of a room: `reason` is "removed" or "kicked", `user_id` who did it.

    `user_id` is None for an administrator; `note` is what it says about it.
    """

    room_id: str
    reason: LeaveReason
    user_id: str | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class RoomReopened:
    """A closed room is open again; `user_id` None: an administrator did it."""

    room_id: str
    user_id: str | None


@dataclass(frozen=True, slots=True)
class RoomDeleted:
    """A room is gone; who was in it is out. `user_id` None: an administrator did it."""

    room_id: str
    user_id: str | None


@dataclass(frozen=True, slots=True)
class RoomClosed:
    """A room was empty for its time to live, or `user_id` closed it; who was in it is out.

    `user_id` is None for an administrator, too.
    """

    room_id: str
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class ParticipantJoined:
    """Somebody joined."""

    room_id: str
    participant: ParticipantInfo


@dataclass(frozen=True, slots=True)
class ParticipantLeft:
    """Somebody left or was cut off.

    `reason` is "left", "disconnected", "removed" (no member any more), "kicked", or "unknown" if it
    happened while this side had no connection.
    """

    room_id: str
    participant: ParticipantInfo
    reason: LeaveReason | Literal["unknown"]


@dataclass(frozen=True, slots=True)
class RecordingStarted:
    """A participant says that it records from now on. Who records without saying so is not seen."""

    room_id: str
    participant: ParticipantInfo


@dataclass(frozen=True, slots=True)
class RecordingStopped:
    """A participant that said to record does not any more: it stopped, left or lost the right."""

    room_id: str
    participant: ParticipantInfo


@dataclass(frozen=True, slots=True)
class CustomEvent:
    """An event that the application of another member sent; `sent_at` is by the sender's clock."""

    room_id: str
    user_id: str
    channel: str
    sent_at: int
    data: bytes


@dataclass(frozen=True, slots=True)
class CustomEventRefused:
    """The Bridge delivers a custom event that does not verify or comes again."""

    room_id: str
    user_id: str
    error: Exception
