"""Events of media connections and data associations that break and come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sealroom.protocol import TransportRole

RecoveryReason = Literal["requested", "no_consent", "address_gone", "connection_lost"]
"""Why a media connection is restarted: the application wants it; the other end stopped answering;
the host lost the address in use; the connection is dead at one end, and restarts cannot help."""


@dataclass(frozen=True, slots=True)
class DataRecovering:
    """The data association of one direction died, and another one is being made; media goes on.

    `DataRecovered` or `DataFailed` follows, or `MediaRecovered` with a new media connection.
    """

    room_id: str
    transport: TransportRole


@dataclass(frozen=True, slots=True)
class DataRecovered:
    """Data messages flow again. Those that were under way may be missing: readers are told."""

    room_id: str
    transport: TransportRole


@dataclass(frozen=True, slots=True)
class DataFailed:
    """No other data association could be made; the data tracks of this direction have ended.

    Media goes on. To add another data track, or to unsubscribe and subscribe again, tries again.
    """

    room_id: str
    transport: TransportRole
    reason: str


@dataclass(frozen=True, slots=True)
class MediaRecovering:
    """The media connection in one direction is being moved to a new path, or replaced.

    Media goes on over the old path while that works.
    """

    room_id: str
    transport: TransportRole
    reason: RecoveryReason


@dataclass(frozen=True, slots=True)
class MediaRecovered:
    """The media connection works again.

    If it `is_replaced`: own streams were published again (others see them end and come back), or
    the tracks received ended and were subscribed to again (as new `RemoteTrack`s).
    """

    room_id: str
    transport: TransportRole
    reason: RecoveryReason
    is_replaced: bool


@dataclass(frozen=True, slots=True)
class MediaFailed:
    """The media connection in one direction broke, and nothing helped; leave and join again.

    If it was the "subscriber", remote tracks have ended; if the "publisher", nothing is sent.
    """

    room_id: str
    transport: TransportRole
    reason: str
