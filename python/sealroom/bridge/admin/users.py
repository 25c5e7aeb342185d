"""Users of a context: add, change, restrict, remove, list."""

from sealroom.bridge.acl import Acl
from sealroom.bridge.actor import PROGRAM, Actor
from sealroom.bridge.errors import RequestError
from sealroom.bridge.figures import Count
from sealroom.bridge.forwarding import Caller
from sealroom.bridge.store import user_not_found
from sealroom.identity import IdentityError, PublicIdentity
from sealroom.protocol import (
    AdminUser,
    ContextPageParams,
    ContextUsersResult,
    Empty,
    ErrorCode,
    User,
    UserParams,
)

from .audit import audited
from .base import AdminPart, check_ids, checked


class UserAdmin(AdminPart):
    """`admin.user_*`."""

    @audited
    async def user_add(
        self,
        context_id: str,
        user_id: str,
        identity: str | PublicIdentity,
        *,
        actor: Actor = PROGRAM,
    ) -> User:
        """Register a user with its public identity.

        Raises:
            RequestError: INVALID_PARAMS, CONTEXT_NOT_FOUND, USER_EXISTS, LIMIT_EXCEEDED.
        """
        public = _parse(identity)
        user = checked(User(user_id=user_id, identity=public.encode()))
        await self._parts.store.add_user(context_id, user_id, user.identity, public.fingerprint)
        return user

    async def user_get(self, context_id: str, user_id: str, *, actor: Actor = PROGRAM) -> AdminUser:
        """Return a user with its access lines and the number of its live sessions.

        Raises:
            RequestError: INVALID_PARAMS, USER_NOT_FOUND.
        """
        check_ids({"context_id": context_id, "user_id": user_id})
        user = await self._parts.store.user(context_id, user_id)
        if user is None:
            raise user_not_found()
        params = UserParams(context_id=context_id, user_id=user_id)
        found = await self._parts.homes.ask_all(Caller.of(actor), "user.sessions", params, Count)
        return AdminUser(
            user_id=user_id,
            identity=user.identity,
            fingerprint=user.fingerprint,
            acl=user.acl,
            created_at=user.created_at,
            sessions=sum(answer.count for _, answer in found.results),
            silent=list(found.silent),
        )

    @audited
    async def user_set_identity(
        self,
        context_id: str,
        user_id: str,
        identity: str | PublicIdentity,
        *,
        actor: Actor = PROGRAM,
    ) -> User:
        """Replace a user's public identity and cut off its sessions; access lines stay.

        Rooms go on naming the old key: the user is out of them until a manager updates the room.
        Other users' clients refuse the new key until their `UserVerifier` is told, for a Bridge
        that replaces keys on its own looks the same.

        Raises:
            RequestError: INVALID_PARAMS, USER_NOT_FOUND.
        """
        public = _parse(identity)
        user = checked(User(user_id=user_id, identity=public.encode()))
        await self._parts.store.set_identity(context_id, user_id, user.identity, public.fingerprint)
        await self._parts.sessions.end_user(context_id, user_id)
        return user

    @audited
    async def user_set_acl(
        self, context_id: str, user_id: str, acl: str | None, *, actor: Actor = PROGRAM
    ) -> Empty:
        """Say what a user may call from now on, in sessions under way too; None: everything.

        Participants stay in the rooms they are in: kick or remove them as well.

        Raises:
            RequestError: INVALID_PARAMS with the line at fault, USER_NOT_FOUND.
        """
        Acl.parse(acl)
        await self._parts.store.set_acl(context_id, user_id, acl)
        self._parts.sessions.set_acl(context_id, user_id, acl)
        return Empty()

    @audited
    async def user_remove(self, context_id: str, user_id: str, *, actor: Actor = PROGRAM) -> Empty:
        """Remove a user, cut off its sessions and its media.

        Raises:
            RequestError: USER_NOT_FOUND.
        """
        await self._parts.store.remove_user(context_id, user_id)
        await self._parts.sessions.end_user(context_id, user_id)
        return Empty()

    async def user_list(
        self, context_id: str, skip: int = 0, limit: int = 100, *, actor: Actor = PROGRAM
    ) -> ContextUsersResult:
        """Return one page of the users of a context, by user id.

        Raises:
            RequestError: CONTEXT_NOT_FOUND, INVALID_PARAMS.
        """
        checked(ContextPageParams(context_id=context_id, skip=skip, limit=limit))
        await self._parts.store.require_context(context_id)
        total, users = await self._parts.store.list_users(context_id, skip, limit)
        return ContextUsersResult(total=total, users=users)


def _parse(identity: str | PublicIdentity) -> PublicIdentity:
    if isinstance(identity, PublicIdentity):
        return identity
    if not isinstance(identity, str):  # a private one above all: it stays with its user
        raise RequestError(
            ErrorCode.INVALID_PARAMS,
            f"A public identity, not {type(identity).__name__}.",
            field="identity",
            remedy="give identity.public",
        )
    try:
        return PublicIdentity.parse(identity)
    except IdentityError as error:
        raise RequestError(
            ErrorCode.INVALID_PARAMS,
            f"{error}.",
            field="identity",
            remedy="give the encoded public identity of the user",
        ) from None
