"""The history of a room as this user knows it: fetched since the last record seen, and verified."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from sealroom.client.connection import Connection
from sealroom.crypto.errors import (
    ContextMismatchError,
    MalformedObjectError,
    RecordForkError,
    RecordHistoryError,
    RecordRollbackError,
    RoomMismatchError,
)
from sealroom.crypto.room_record import VerifiedRecord, verify_first_record, verify_next_record
from sealroom.crypto.signed_object import read_unverified
from sealroom.identity import IdentityError, PublicIdentity, RoomPin
from sealroom.protocol import (
    HistoricRecord,
    RoomHistoryParams,
    RoomHistoryResult,
    RoomRecord,
)


class RoomChain:
    """Verifies records of one room against each other and against the pin.

    Without a pin and without a record known before, the history is walked from version 1: what is
    believed then is what the authors of the newest records vouch for, and the `UserVerifier`'s word
    on their keys.
    """

    def __init__(self, connection: Connection, room_id: str) -> None:
        self._connection = connection
        self._room_id = room_id

    async def advance(
        self,
        known: VerifiedRecord | None,
        head: HistoricRecord,
        between: Sequence[HistoricRecord] = (),
    ) -> bool:
        """Verify `head` as the newest record of the room. `pin` it once all else has been checked.

        `between` holds the records after `known` up to `head`, if they were fetched before. Returns
        whether the signature of `head` was checked, False if it is a record seen before.

        Raises:
            RecordRollbackError, RecordForkError, RecordHistoryError: not the history seen before.
            VerificationError: see `verify_first_record` and `verify_next_record`.
        """
        connection, room_id = self._connection, self._room_id
        pin = await connection.room_pins.load(connection.context_id, room_id)
        claimed = read_unverified(head.record, RoomRecord)
        if claimed.context_id != connection.context_id:
            raise ContextMismatchError("the room record was made for another context")
        if claimed.room_id != room_id:
            raise RoomMismatchError("the room record was made for another room")
        seen = max(pin.version if pin else 0, known.record.version if known else 0)
        if claimed.version < seen:
            raise RecordRollbackError(
                f"version {claimed.version} of a room that was at {seen} before"
            )
        if known is not None and claimed.version == known.record.version:
            if head.record.payload != known.payload:
                raise RecordForkError("another record in place of the one seen before")
            return False
        current = known
        if known is None and pin is not None:
            since = pin.version - 1
        else:
            since = 0 if known is None else known.record.version
        if between or since == claimed.version - 1:
            records = _these(between or [head])
        else:
            records = self.history(since, claimed.version)
        is_recalled = False
        async for entry in records:
            is_recalled = current is None and since > 0
            if is_recalled:
                assert pin is not None
                current = self._recall(entry, pin)
            else:
                current = self.verify(current, entry)
            if pin is not None and current.record.version == pin.version:
                _compare(current, pin)
        assert current is not None
        if current.payload != head.record.payload:
            raise RecordForkError("the history of the room does not end with its newest record")
        return not is_recalled

    async def pin(self, verified: VerifiedRecord) -> None:
        """Remember a record as the newest seen."""
        connection, record = self._connection, verified.record
        await connection.room_pins.save(
            connection.context_id,
            self._room_id,
            RoomPin(record.version, verified.hash, record.epoch),
        )

    def verify(self, current: VerifiedRecord | None, entry: HistoricRecord) -> VerifiedRecord:
        """Verify the record after `current`, or the first one; pins are not looked at."""
        author = author_of(entry)
        if current is not None:
            return verify_next_record(current, entry.record, author)
        return verify_first_record(
            entry.record,
            context_id=self._connection.context_id,
            room_id=self._room_id,
            author=author,
        )

    def _recall(self, entry: HistoricRecord, pin: RoomPin) -> VerifiedRecord:
        """Take the pinned record up again: it was verified when it was pinned."""
        record = read_unverified(entry.record, RoomRecord)
        recalled = VerifiedRecord(record, entry.record.payload)
        _compare(recalled, pin)
        return recalled

    async def history(self, since: int, until: int) -> AsyncIterator[HistoricRecord]:
        """Fetch the records after one version up to another; what they claim is not looked at.

        Raises:
            RecordHistoryError: the Bridge withholds some.
        """
        while since < until:
            result = await self._connection.call(
                "room.history",
                RoomHistoryParams(room_id=self._room_id, since=since),
                RoomHistoryResult,
            )
            if not result.records:
                raise RecordHistoryError(f"the records after version {since} are withheld")
            for entry in result.records:
                since += 1
                yield entry
                if since == until:
                    return


def author_of(entry: HistoricRecord) -> PublicIdentity:
    """Return the identity that the Bridge hands out with a record, to be compared with the room's.

    Raises:
        MalformedObjectError: it is none.
    """
    try:
        return PublicIdentity.parse(entry.author_identity)
    except IdentityError as error:
        raise MalformedObjectError(f"the identity of a record's author: {error}") from error


async def _these(entries: Sequence[HistoricRecord]) -> AsyncIterator[HistoricRecord]:
    for entry in entries:
        yield entry


def _compare(current: VerifiedRecord, pin: RoomPin) -> None:
    if current.hash != pin.hash:
        raise RecordForkError(f"another version {pin.version} than the one seen before")
