"""What a manager needs of a room to change it, even one that nobody can open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sealroom.crypto.epoch import KeyHolder
from sealroom.crypto.errors import (
    CommitmentMismatchError,
    PrivateMetadataError,
    SealedSecretEpochError,
    SealedSecretOpenError,
    SealedSecretRecipientError,
    VerificationError,
)
from sealroom.crypto.room_record import VerifiedRecord
from sealroom.protocol import RoomRecord

UNREADABLE: Final = (
    SealedSecretRecipientError,
    SealedSecretEpochError,
    SealedSecretOpenError,
    CommitmentMismatchError,
    PrivateMetadataError,
)
"""What a verified record may suffer from whose manager, or the Bridge, hands out nonsense."""


@dataclass(frozen=True, slots=True)
class RoomToUpdate(KeyHolder):
    """A verified room as a manager changes it.

    With a `damage`, the newest record's secret or private metadata do not open, and the next record
    begins a new epoch. `private_meta` is then what was read last, if a manager is to blame; None if
    it never was, or if a Bridge that withholds secrets would have older metadata signed again.
    """

    verified: VerifiedRecord
    secrets: Mapping[int, bytes] = field(repr=False)
    private_meta: bytes | None = field(repr=False)
    damage: VerificationError | None

    @property
    def record(self) -> RoomRecord:
        """The newest record."""
        return self.verified.record
