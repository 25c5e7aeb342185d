"""Contexts: create, change, delete, list."""

from collections.abc import Mapping

from sealroom.access import PolicyError, check_context_policy
from sealroom.bridge.actor import PROGRAM, Actor
from sealroom.bridge.errors import RequestError
from sealroom.protocol import (
    Context,
    ContextCreateParams,
    ContextDetails,
    ContextListResult,
    ContextUpdateParams,
    Empty,
    ErrorCode,
    PageParams,
)

from .audit import audited
from .base import AdminPart, check_ids, checked


class ContextAdmin(AdminPart):
    """`admin.context_*`."""

    @audited
    async def context_create(self, title: str, *, actor: Actor = PROGRAM) -> Context:
        """Make a new context.

        Raises:
            RequestError: INVALID_PARAMS.
        """
        params = checked(ContextCreateParams(title=title))
        return await self._parts.store.create_context(params.title)

    async def context_get(self, context_id: str, *, actor: Actor = PROGRAM) -> ContextDetails:
        """Return a context.

        Raises:
            RequestError: INVALID_PARAMS, CONTEXT_NOT_FOUND.
        """
        check_ids({"context_id": context_id})
        return await self._parts.store.context(context_id)

    @audited
    async def context_update(
        self,
        context_id: str,
        title: str | None = None,
        policy: Mapping[str, str] | None = None,
        *,
        actor: Actor = PROGRAM,
    ) -> ContextDetails:
        """Change the title or the policy; None: it stays. See `context_set_policy`.

        Raises:
            RequestError: INVALID_PARAMS, CONTEXT_NOT_FOUND.
        """
        params = checked(
            ContextUpdateParams(
                context_id=context_id, title=title, policy=None if policy is None else dict(policy)
            )
        )
        _check_policy(params.policy or {})
        await self._parts.admin_store.update_context(context_id, params.title, params.policy)
        return await self._parts.store.context(context_id)

    @audited
    async def context_set_policy(
        self, context_id: str, policy: Mapping[str, str], *, actor: Actor = PROGRAM
    ) -> Empty:
        """Set the entries that the policy of every new room in a context must name.

        With `can_overwrite_context_policy` "no", rooms name the same values.

        Raises:
            RequestError: INVALID_PARAMS, CONTEXT_NOT_FOUND.
        """
        _check_policy(policy)
        await self._parts.admin_store.update_context(context_id, None, policy)
        return Empty()

    @audited
    async def context_delete(self, context_id: str, *, actor: Actor = PROGRAM) -> Empty:
        """Delete a context with its rooms and users, and cut off all its sessions.

        They get no events: their connections are closed as those of removed users.

        Raises:
            RequestError: CONTEXT_NOT_FOUND.
        """
        room_ids = await self._parts.admin_store.delete_context(context_id)
        await self._parts.sessions.end_context(context_id)
        for room_id in room_ids:
            await self._parts.control.forget(room_id)
        return Empty()

    async def context_list(
        self, skip: int = 0, limit: int = 100, *, actor: Actor = PROGRAM
    ) -> ContextListResult:
        """Return one page of contexts, oldest first.

        Raises:
            RequestError: INVALID_PARAMS.
        """
        checked(PageParams(skip=skip, limit=limit))
        total, contexts = await self._parts.store.list_contexts(skip, limit)
        return ContextListResult(total=total, contexts=contexts)


def _check_policy(policy: Mapping[str, str]) -> None:
    try:
        check_context_policy(policy)
    except PolicyError as error:
        raise RequestError(
            ErrorCode.INVALID_PARAMS, field=f"policy.{error.entry}", remedy=str(error)
        ) from None
