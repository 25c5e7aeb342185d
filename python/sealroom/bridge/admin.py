"""What administrators do: contexts, users, keys. Over the socket as `admin.*`, or in process."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from sealroom.access import PolicyError, check_context_policy
from sealroom.identity import IdentityError, PublicIdentity
from sealroom.protocol import (
    CLOSE_USER_REMOVED,
    AdminRoomListResult,
    Context,
    ContextListResult,
    ContextUsersResult,
    Empty,
    ErrorCode,
    User,
)

from .acl import Acl
from .bus import EventBus, Session
from .errors import RequestError
from .live import RoomRegistry
from .room_lists import RoomLists
from .store import Store


class Admin:
    """Administration of one Bridge. Everything may raise `RequestError`."""

    def __init__(
        self,
        store: Store,
        rooms: RoomLists,
        registry: RoomRegistry,
        bus: EventBus,
        end_session: Callable[[Session], Awaitable[None]],
    ) -> None:
        self._store = store
        self._rooms = rooms
        self._registry = registry
        self._bus = bus
        self._end_session = end_session

    async def create_api_key(self, title: str = "") -> str:
        """Make an API key and return it; it cannot be read again."""
        return await self._store.create_api_key(title)

    async def context_create(self, title: str) -> Context:
        """Make a new context."""
        return await self._store.create_context(title)

    async def context_set_policy(self, context_id: str, policy: Mapping[str, str]) -> Empty:
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
        await self._store.set_context_policy(context_id, policy)
        return Empty()

    async def context_list(self, skip: int = 0, limit: int = 100) -> ContextListResult:
        """Return one page of contexts, oldest first."""
        total, contexts = await self._store.list_contexts(skip, limit)
        return ContextListResult(total=total, contexts=contexts)

    async def user_add(self, context_id: str, user_id: str, identity: str | PublicIdentity) -> User:
        """Register a user with its public identity.

        Raises:
            RequestError: INVALID_PARAMS, CONTEXT_NOT_FOUND, USER_EXISTS, LIMIT_EXCEEDED.
        """
        if isinstance(identity, str):
            try:
                identity = PublicIdentity.parse(identity)
            except IdentityError as error:
                raise RequestError(
                    ErrorCode.INVALID_PARAMS,
                    f"{error}.",
                    field="identity",
                    remedy="give the encoded public identity of the user",
                ) from None
        user = User(user_id=user_id, identity=identity.encode())
        try:
            msgspec.convert(msgspec.to_builtins(user), User)  # in process nobody checked it yet
        except msgspec.ValidationError as error:
            raise RequestError(
                ErrorCode.INVALID_PARAMS, f"{error}.", field="user_id", remedy=str(error)
            ) from None
        await self._store.add_user(context_id, user_id, user.identity, identity.fingerprint)
        return user

    async def user_set_acl(self, context_id: str, user_id: str, acl: str | None) -> Empty:
        """Say what a user may call from now on, in sessions under way too; None: everything.

        Participants stay in the rooms they are in: kick or remove them as well.

        Raises:
            RequestError: INVALID_PARAMS with the line at fault, USER_NOT_FOUND.
        """
        parsed = Acl.parse(acl)
        await self._store.set_acl(context_id, user_id, acl)
        for session in self._bus.sessions_of(context_id, user_id):
            session.acl = parsed
        return Empty()

    async def user_remove(self, context_id: str, user_id: str) -> Empty:
        """Remove a user, cut off its sessions and its media.

        Raises:
            RequestError: USER_NOT_FOUND.
        """
        await self._store.remove_user(context_id, user_id)
        for session in self._bus.sessions_of(context_id, user_id):
            await self._end_session(session)
            session.close(CLOSE_USER_REMOVED)
        return Empty()

    async def user_list(
        self, context_id: str, skip: int = 0, limit: int = 100
    ) -> ContextUsersResult:
        """Return one page of the users of a context, by user id.

        Raises:
            RequestError: CONTEXT_NOT_FOUND.
        """
        await self._store.require_context(context_id)
        total, users = await self._store.list_users(context_id, skip, limit)
        return ContextUsersResult(total=total, users=users)

    async def room_list(
        self, context_id: str, skip: int = 0, limit: int = 100
    ) -> AdminRoomListResult:
        """Return one page of the rooms of a context, oldest first.

        Raises:
            RequestError: CONTEXT_NOT_FOUND.
        """
        await self._store.require_context(context_id)
        total, rooms = await self._rooms.summaries(context_id, skip, limit)
        live = self._registry.live
        return AdminRoomListResult(
            total=total,
            rooms=[
                msgspec.structs.replace(
                    room,
                    participants=len(live[room.room_id].participants)
                    if room.room_id in live
                    else 0,
                )
                for room in rooms
            ],
        )
