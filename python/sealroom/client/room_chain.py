"""The history of a room as this user knows it: fetched since the last record seen, and verified."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

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
    SealedSecret,
)


@dataclass(frozen=True, slots=True)
class ChainLink:
    """A record that was verified, and what the Bridge handed out with it.

    The secret is whatever the Bridge says: it is good only if it opens to the record's commitment.
    """

    verified: VerifiedRecord
    sealed_secret: SealedSecret | None


class RoomChain:
    """Verifies records of one room against each other and against the pin.

    Without a pin and without a record known before, the history is walked from version 1: what is
    believed then is what the authors of the newest records vouch for, and the `UserVerifier`'s word
    on their keys.
    """

    def __init__(self, connection: Connection, room_id: str) -> None:
        self._connection = connection
        self._room_id = room_id

    async def advance(self, known: VerifiedRecord | None, head: HistoricRecord) -> ChainLink:
        """Verify `head` as the newest record of the room. `pin` it once all else has been checked.

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
        _check_not_behind(claimed.version, known, pin)
        if known is not None and claimed.version == known.record.version:
            if head.record.payload != known.payload:
                raise RecordForkError("another record in place of the one seen before")
            return ChainLink(known, head.sealed_secret)
        current = known
        if known is None and pin is not None:
            since = pin.version - 1
        else:
            since = 0 if known is None else known.record.version
        is_one_step = since == claimed.version - 1
        records = _only(head) if is_one_step else self.history(since, claimed.version)
        async for entry in records:
            if current is None and since > 0:
                assert pin is not None
                current = self._recall(entry, pin)
            else:
                current = self.verify(current, entry)
            _compare(current, pin)
        assert current is not None
        if current.payload != head.record.payload:
            raise RecordForkError("the history of the room does not end with its newest record")
        return ChainLink(current, head.sealed_secret)

    async def follow(self, known: VerifiedRecord) -> list[ChainLink]:
        """Fetch and verify all records after `known`, oldest first; none if there are none.

        Each is verified before the next page is asked for, so that only what managers signed is
        kept. `pin` the last one once all else has been checked.

        Raises:
            As `advance`.
        """
        connection = self._connection
        links: list[ChainLink] = []
        current = known
        while True:
            params = RoomHistoryParams(room_id=self._room_id, since=current.record.version)
            result = await connection.call("room.history", params, RoomHistoryResult)
            for entry in result.records:
                current = self.verify(current, entry)
                links.append(ChainLink(current, entry.sealed_secret))
            if not result.records or current.record.version >= result.newest:
                break
        pin = await connection.room_pins.load(connection.context_id, self._room_id)
        _check_not_behind(current.record.version, known, pin)
        for link in links:
            _compare(link.verified, pin)
        return links

    async def pin(self, verified: VerifiedRecord) -> None:
        """Remember a record as the newest seen.

        Raises:
            RecordForkError: meanwhile another program has seen another one of this version.
        """
        connection, record = self._connection, verified.record
        await connection.room_pins.save(
            connection.context_id,
            self._room_id,
            RoomPin(record.version, verified.hash, record.epoch),
        )
        _compare(verified, await connection.room_pins.load(connection.context_id, self._room_id))

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
        if recalled.hash != pin.hash:
            raise RecordForkError(f"another version {pin.version} than the one seen before")
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


async def _only(entry: HistoricRecord) -> AsyncIterator[HistoricRecord]:
    yield entry


def _check_not_behind(version: int, known: VerifiedRecord | None, pin: RoomPin | None) -> None:
    """Refuse a version older than one seen before, and a known record that is not the pinned one.

    Raises:
        RecordRollbackError, RecordForkError.
    """
    seen = max(pin.version if pin else 0, known.record.version if known else 0)
    if version < seen:
        raise RecordRollbackError(f"version {version} of a room that was at {seen} before")
    if known is not None:
        _compare(known, pin)


def _compare(current: VerifiedRecord, pin: RoomPin | None) -> None:
    """Refuse another record of the pinned version.

    Raises:
        RecordForkError.
    """
    if pin is None or current.record.version != pin.version:
        return
    if current.hash != pin.hash:
        raise RecordForkError(f"another version {pin.version} than the one seen before")
