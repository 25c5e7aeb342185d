"""The audit log: what is written to it of administration, and reading it."""

import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sealroom.bridge.actor import PROGRAM, Actor
from sealroom.bridge.errors import RequestError
from sealroom.bridge.store import now_ms
from sealroom.protocol import (
    MAX_PAGE_ITEMS,
    MIN_PRUNED_AUDIT_AGE,
    AuditListParams,
    AuditListResult,
    AuditPruneParams,
    AuditPruneResult,
    Context,
    ErrorCode,
    KeyCreated,
    Milliseconds,
)

from .base import AdminPart, check_ids, checked

_Part = TypeVar("_Part", bound=AdminPart)
_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

OBJECT_IDS: Final = {
    "context": "context_id",
    "user": "user_id",
    "room": "room_id",
    "participant": "participant_id",
    "key": "key_id",
    "audit": "",  # there is one
}


def audited(
    method: Callable[Concatenate[_Part, _Parameters], Awaitable[_Result]],
) -> Callable[Concatenate[_Part, _Parameters], Awaitable[_Result]]:
    """Write each call of a method to the audit log with its outcome, whoever calls it and how."""
    signature = inspect.signature(method)
    name = method.__name__
    kind = name.partition("_")[0]

    @wraps(method)
    async def wrapper(
        self: _Part, /, *args: _Parameters.args, **kwargs: _Parameters.kwargs
    ) -> _Result:
        given = signature.bind(self, *args, **kwargs).arguments
        check_ids(given)
        context_id = given.get("context_id", "")
        if isinstance(room_id := given.get("room_id"), str):
            access = await self._parts.registry.access(room_id)
            context_id = "" if access is None else access.context_id
        outcome, object_id = "INTERNAL_ERROR", str(given.get(OBJECT_IDS[kind], ""))
        details = _details(given)
        try:
            result = await method(self, *args, **kwargs)
            outcome = "ok"
            if isinstance(result, Context):
                object_id = context_id = result.context_id
            elif isinstance(result, KeyCreated):
                object_id = result.key.key_id
            elif isinstance(result, AuditPruneResult):
                details["deleted"] = result.deleted
        except RequestError as error:
            outcome = error.error.name
            raise
        finally:
            self._parts.audit.note(
                given.get("actor", PROGRAM),
                f"admin.{name}",
                (kind, object_id),
                context_id=str(context_id),
                outcome=outcome,
                details=details,
            )
        return result

    return wrapper


def _details(given: dict[str, Any]) -> dict[str, str | int | list[str]]:
    """Ids besides the object's, times. Titles, notes, policies, lines and scopes stay out."""
    names = [one for one in ("room_id", "user_id") if isinstance(given.get(one), str)]
    times = [one for one in ("before",) if isinstance(given.get(one), int)]
    return {one: given[one][:128] for one in names} | {one: given[one] for one in times}


class AuditAdmin(AdminPart):
    """`admin.audit_*`."""

    async def audit_list(
        self,
        context_id: str | None = None,
        actor_id: str | None = None,
        action: str | None = None,
        since: Milliseconds | None = None,
        until: Milliseconds | None = None,
        skip: int = 0,
        limit: int = MAX_PAGE_ITEMS,
        *,
        actor: Actor = PROGRAM,
    ) -> AuditListResult:
        """Return one page of the audit log, newest first; what this Bridge noted is in it.

        Args:
            since: first millisecond.
            until: the millisecond after the last one.

        Raises:
            RequestError: INVALID_PARAMS.
        """
        params = checked(
            AuditListParams(
                context_id=context_id,
                actor_id=actor_id,
                action=action,
                since=since,
                until=until,
                skip=skip,
                limit=limit,
            )
        )
        if since is not None and until is not None and until <= since:
            raise RequestError(
                ErrorCode.INVALID_PARAMS, field="until", remedy="name a time after since"
            )
        await self._parts.audit.flush()
        total, entries = await self._parts.audit_store.page(params)
        return AuditListResult(total=total, entries=entries)

    @audited
    async def audit_prune(
        self, before: Milliseconds, *, actor: Actor = PROGRAM
    ) -> AuditPruneResult:
        """Delete the entries before a time, besides what the Bridge prunes by itself.

        Args:
            before: at least MIN_PRUNED_AUDIT_AGE seconds ago.

        Raises:
            RequestError: INVALID_PARAMS.
        """
        params = checked(AuditPruneParams(before=before))
        if params.before > now_ms() - MIN_PRUNED_AUDIT_AGE * 1000:
            raise RequestError(
                ErrorCode.INVALID_PARAMS,
                field="before",
                remedy=f"name a time at least {MIN_PRUNED_AUDIT_AGE / 3600:g} hours ago",
            )
        return AuditPruneResult(deleted=await self._parts.audit_store.delete_before(params.before))
