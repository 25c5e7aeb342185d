"""Contexts: create, set their policy, list."""

from collections.abc import Mapping

from sealroom.access import PolicyError, check_context_policy
from sealroom.bridge.actor import PROGRAM, Actor
from sealroom.bridge.errors import RequestError
from sealroom.protocol import Context, ContextListResult, Empty, ErrorCode

from .base import AdminPart


class ContextAdmin(AdminPart):
    """`admin.context_*`."""

    async def context_create(self, title: str, *, actor: Actor = PROGRAM) -> Context:
        """Make a new context."""
        return await self._parts.store.create_context(title)

    async def context_set_policy(
        self, context_id: str, policy: Mapping[str, str], *, actor: Actor = PROGRAM
    ) -> Empty:
        """Set the entries that the policy of every new room in a context must name.

        With `can_overwrite_context_policy` "no", rooms name the same values.

        Raises:
            RequestError: INVALID_PARAMS, CONTEXT_NOT_FOUND.
        """
        try:
            check_context_policy(policy)
        except PolicyError as error:
            raise RequestError(
                ErrorCode.INVALID_PARAMS, field=f"policy.{error.entry}", remedy=str(error)
            ) from None
        await self._parts.store.set_context_policy(context_id, policy)
        return Empty()

    async def context_list(
        self, skip: int = 0, limit: int = 100, *, actor: Actor = PROGRAM
    ) -> ContextListResult:
        """Return one page of contexts, oldest first."""
        total, contexts = await self._parts.store.list_contexts(skip, limit)
        return ContextListResult(total=total, contexts=contexts)
