"""Audit log: who did what with which outcome, written in batches beside the requests.

Nothing here waits for the database but `flush` and `close`. What a process that is killed loses is
what was noted since the last flush, and the failed log-ins of the minute under way.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sealroom.protocol import (
    MAX_AUDIT_NAMES,
    MAX_AUDIT_SOURCES,
    MAX_AUDIT_TEXT_LENGTH,
    MAX_ID_LENGTH,
    MAX_QUEUED_AUDIT_ENTRIES,
    AuditDetails,
    AuditEntry,
)

from .actor import BRIDGE, UNKNOWN, Actor
from .audit_store import AuditStore
from .logs import get_logger, where
from .store import now_ms

_MINUTE_MS: Final = 60_000
OTHER_SOURCES: Final = "other"  # failed log-ins beyond MAX_AUDIT_SOURCES addresses in one minute
_PRUNED_EVERY_MS: Final = _MINUTE_MS


@dataclass(frozen=True, slots=True)
class AuditLimits:
    """How much of the log is kept, and how often it is written. Durations in seconds."""

    max_age: float
    max_entries: int
    flush_interval: float


class AuditLog:
    """The audit log of one Bridge. For one event loop.

    Args:
        clock: Unix milliseconds.
    """

    def __init__(
        self, store: AuditStore, limits: AuditLimits, clock: Callable[[], int] = now_ms
    ) -> None:
        self._store = store
        self._limits = limits
        self._clock = clock
        self._queue: deque[AuditEntry] = deque()
        self._dropped = 0
        self._minute = 0
        self._failures: dict[str, Counter[str]] = {}  # by source, then by method
        self._flushing = asyncio.Lock()
        self._pruned_at: int | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write what is noted every `flush_interval` seconds."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def note(
        self,
        actor: Actor,
        action: str,
        target: tuple[str, str],
        *,
        context_id: str = "",
        outcome: str = "ok",
        details: Mapping[str, str | int | list[str]] | None = None,
    ) -> None:
        """Note one thing that was done, or refused. Never waits, never raises.

        Args:
            target: kind and id of what it was done to.
            outcome: "ok" or the name of the error.
            details: numbers, ids and names from fixed sets: no secrets, no content, no metadata.
        """
        self._end_minute()
        self._append(
            AuditEntry(
                time=self._clock(),
                actor_kind=actor.kind,
                actor_id=_clean(actor.actor_id),
                action=action,
                object_kind=target[0],
                object_id=_clean(target[1]),
                context_id=_clean(context_id)[:MAX_ID_LENGTH],
                outcome=outcome,
                details=dict(details or {}),
            )
        )

    def failed_login(self, source: str, method: str) -> None:
        """Count a log-in that failed or was refused: one line for a source and a minute."""
        self._end_minute()
        if source not in self._failures and len(self._failures) >= MAX_AUDIT_SOURCES:
            source = OTHER_SOURCES
        self._failures.setdefault(source, Counter())[method] += 1

    def waiting(self) -> int:
        """Return how many entries wait to be written."""
        return len(self._queue)

    async def flush(self) -> None:
        """Write what is noted, and prune.

        What cannot be written now is written at the next flush. Goes on if the caller is cancelled:
        else what was written would be written again.
        """
        await asyncio.shield(asyncio.get_running_loop().create_task(self._flush()))

    async def _flush(self) -> None:
        async with self._flushing:
            self._end_minute()
            dropped, batch = self._dropped, list(self._queue)
            if dropped:
                batch.append(self._loss(dropped))
            if batch:
                await self._store.add(batch)
                for _ in range(len(batch) - bool(dropped)):
                    self._queue.popleft()
                self._dropped -= dropped
            await self._prune()

    async def close(self) -> None:
        """Write all that is left, the failed log-ins of this minute too."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._end_minute(now=True)
        try:
            await self.flush()
        except Exception as error:
            get_logger().error("audit log lost", entries=len(self._queue), error=where(error))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._limits.flush_interval)
            try:
                await self.flush()
            except Exception as error:
                get_logger().error("audit log not written", error=where(error))

    def _end_minute(self, *, now: bool = False) -> None:
        minute = self._clock() // _MINUTE_MS
        if minute == self._minute and not now:
            return
        ended, failures = self._minute, self._failures
        self._minute, self._failures = minute, {}
        for source, methods in failures.items():
            self._append(
                AuditEntry(
                    time=ended * _MINUTE_MS,
                    actor_kind=UNKNOWN.kind,
                    actor_id="",
                    action="login.failed",
                    object_kind="address",
                    object_id=_clean(source),
                    context_id="",
                    outcome="LOGIN_FAILED",
                    details={"count": methods.total(), **methods},
                )
            )

    def _append(self, entry: AuditEntry) -> None:
        get_logger().info(
            "audit",
            action=entry.action,
            actor_kind=entry.actor_kind,
            actor_id=entry.actor_id,
            object_kind=entry.object_kind,
            object_id=entry.object_id,
            context=entry.context_id,
            outcome=entry.outcome,
            details=entry.details,
        )
        if len(self._queue) >= MAX_QUEUED_AUDIT_ENTRIES:
            self._dropped += 1
        else:
            self._queue.append(entry)

    def _loss(self, dropped: int) -> AuditEntry:
        return AuditEntry(
            time=self._clock(),
            actor_kind=BRIDGE.kind,
            actor_id="",
            action="audit.dropped",
            object_kind="audit",
            object_id="",
            context_id="",
            outcome="ok",
            details={"count": dropped},
        )

    async def _prune(self) -> None:
        now = self._clock()
        if self._pruned_at is not None and now - self._pruned_at < _PRUNED_EVERY_MS:
            return
        oldest = now - int(self._limits.max_age * 1000)
        await self._store.prune(oldest, self._limits.max_entries)
        self._pruned_at = now


def membership(added: Collection[str], removed: Collection[str]) -> AuditDetails:
    """Return details that name up to MAX_AUDIT_NAMES users each, and how many there are."""
    return {
        "added": sorted(added)[:MAX_AUDIT_NAMES],
        "added_count": len(added),
        "removed": sorted(removed)[:MAX_AUDIT_NAMES],
        "removed_count": len(removed),
    }


def _clean(text: str) -> str:
    """In process ids come unchecked; PostgreSQL stores no NUL."""
    return text.replace("\0", "?")[:MAX_AUDIT_TEXT_LENGTH]
