"""Stored audit log: added to in batches, read by page, pruned."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from sealroom.protocol import AuditDetails, AuditEntry, AuditListParams

from .database import Database, uncancelled
from .schema import audit


class AuditStore:
    """Queries over the audit log. For one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @uncancelled
    async def add(self, entries: Sequence[AuditEntry]) -> None:
        """Store entries, all or none."""
        rows = [
            msgspec.structs.asdict(one) | {"details": msgspec.json.encode(one.details).decode()}
            for one in entries
        ]
        async with self._database.write() as connection:
            await connection.execute(sa.insert(audit), rows)

    @uncancelled
    async def prune(self, oldest: int, max_entries: int) -> None:
        """Delete entries before `oldest` (Unix milliseconds) and those beyond the newest ones."""
        newest = sa.select(audit.c.entry_id).order_by(audit.c.entry_id.desc())
        await self.delete_before(oldest)
        async with self._database.write() as connection:
            last = await connection.scalar(newest.offset(max_entries).limit(1))
            if last is not None:
                await connection.execute(sa.delete(audit).where(audit.c.entry_id <= last))

    @uncancelled
    async def delete_before(self, oldest: int) -> int:
        """Delete entries before `oldest` (Unix milliseconds) and return how many there were."""
        async with self._database.write() as connection:
            gone = await connection.execute(sa.delete(audit).where(audit.c.time < oldest))
        return gone.rowcount

    @uncancelled
    async def page(self, params: AuditListParams) -> tuple[int, list[AuditEntry]]:
        """Return the number of entries that match and one page, newest first."""
        conditions = [
            audit.c[name] == value
            for name in ("context_id", "actor_id", "action")
            if (value := getattr(params, name)) is not None
        ]
        if params.since is not None:
            conditions.append(audit.c.time >= params.since)
        if params.until is not None:
            conditions.append(audit.c.time < params.until)
        query = sa.select(audit).where(*conditions)
        query = query.order_by(audit.c.time.desc(), audit.c.entry_id.desc())
        count = sa.select(sa.func.count()).select_from(audit).where(*conditions)
        async with self._database.read() as connection:
            total = await connection.scalar(count)
            rows = (await connection.execute(query.offset(params.skip).limit(params.limit))).all()
        return total or 0, [_entry(row) for row in rows]


def _entry(row: sa.Row[tuple[object, ...]]) -> AuditEntry:
    values = dict(row._mapping)
    del values["entry_id"]
    values["details"] = msgspec.json.decode(values["details"], type=AuditDetails)
    return AuditEntry(**values)
