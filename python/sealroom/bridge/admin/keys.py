"""API keys: create, list, revoke, each within what the caller's own key may do."""

from collections.abc import Sequence

from sealroom.bridge.actor import PROGRAM, Actor, Principal
from sealroom.bridge.errors import RequestError
from sealroom.bridge.store import now_ms
from sealroom.protocol import (
    ALL_SCOPES,
    Empty,
    ErrorCode,
    KeyCreated,
    KeyCreateParams,
    KeyListResult,
    Milliseconds,
    PageParams,
    Scope,
    covers,
)

from .audit import audited
from .base import AdminPart, checked


class KeyAdmin(AdminPart):
    """`admin.key_*`."""

    async def create_api_key(
        self,
        title: str = "",
        scopes: Sequence[Scope] = (ALL_SCOPES,),
        expires_at: Milliseconds | None = None,
    ) -> str:
        """Make an API key and return it; it cannot be read again. See `key_create`."""
        return (await self.key_create(title, scopes, expires_at)).api_key

    @audited
    async def key_create(
        self,
        title: str,
        scopes: Sequence[Scope],
        expires_at: Milliseconds | None = None,
        *,
        actor: Actor = PROGRAM,
    ) -> KeyCreated:
        """Make an API key; it cannot be read again.

        Raises:
            RequestError: INVALID_PARAMS, LIMIT_EXCEEDED; SCOPE_REQUIRED: the caller's key has not
                all these scopes, or ends earlier; ADMIN_REQUIRED: it was revoked meanwhile.
        """
        params = checked(KeyCreateParams(title=title, scopes=list(scopes), expires_at=expires_at))
        if params.expires_at is not None and params.expires_at <= now_ms():
            raise RequestError(
                ErrorCode.INVALID_PARAMS, field="expires_at", remedy="name a time to come"
            )
        if isinstance(actor, Principal):
            _require_within(actor, params)
        key, view = await self._parts.keys.create(
            params.title, params.scopes, params.expires_at, actor.actor_id
        )
        return KeyCreated(api_key=key, key=view)

    async def key_list(
        self, skip: int = 0, limit: int = 100, *, actor: Actor = PROGRAM
    ) -> KeyListResult:
        """Return one page of API keys, oldest first; hashes are not shown.

        Raises:
            RequestError: INVALID_PARAMS.
        """
        checked(PageParams(skip=skip, limit=limit))
        total, keys = await self._parts.keys.page(skip, limit)
        return KeyListResult(total=total, keys=keys)

    @audited
    async def key_revoke(self, key_id: str, *, actor: Actor = PROGRAM) -> Empty:
        """Make a key useless: its next call is refused, on connections under way too.

        Calls under way with it at this Bridge are carried out before this returns.

        Raises:
            RequestError: KEY_NOT_FOUND, LAST_KEY; SCOPE_REQUIRED: it can do more than the caller's.
        """
        if isinstance(actor, Principal):
            found = await self._parts.keys.get(key_id)
            if not covers(actor.scopes, found.scopes):
                raise RequestError(
                    ErrorCode.SCOPE_REQUIRED,
                    field="key_id",
                    remedy="use a key with at least the scopes of the one to revoke",
                )
        await self._parts.keys.revoke(key_id)
        await self._parts.holders.revoked(key_id)
        return Empty()


def _require_within(own: Principal, params: KeyCreateParams) -> None:
    if not covers(own.scopes, params.scopes):
        raise RequestError(
            ErrorCode.SCOPE_REQUIRED, field="scopes", remedy="ask for scopes of your own key only"
        )
    if own.expires_at is not None and (
        params.expires_at is None or params.expires_at > own.expires_at
    ):
        raise RequestError(
            ErrorCode.SCOPE_REQUIRED,
            field="expires_at",
            remedy="name an end no later than that of your own key",
        )
