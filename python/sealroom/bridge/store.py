"""Stored contexts and users."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_bytes
from uuid import uuid4

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from sealroom.protocol import MAX_CONTEXT_USERS, Context, ContextDetails, ErrorCode, User

from .database import Database, uncancelled
from .errors import RequestError, limit_exceeded
from .relay_seal import SECRET_BYTES
from .schema import bridge_info, contexts, users


def now_ms() -> int:
    """Return the time in Unix milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class StoredUser:
    """A registered user."""

    context_id: str
    user_id: str
    identity: str
    fingerprint: bytes
    created_at: int
    acl: str | None


class Store:
    """Queries over contexts and users. For one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @uncancelled
    async def ping(self) -> None:
        """Return if the database answers."""
        async with self._database.read() as connection:
            await connection.execute(sa.text("SELECT 1"))

    async def bridge_id(self) -> str:
        """Return the id of this Bridge, chosen at its first start."""
        return await self._chosen("bridge_id", uuid4().hex)

    async def relay_secret(self) -> bytes:
        """Return the secret that Bridges on this database share, chosen at the first start."""
        return bytes.fromhex(await self._chosen("relay_secret", token_bytes(SECRET_BYTES).hex()))

    @uncancelled
    async def _chosen(self, name: str, new: str) -> str:
        async with self._database.write(alone="bridge_info") as connection:
            query = sa.select(bridge_info.c.value).where(bridge_info.c.name == name)
            found: str | None = (await connection.execute(query)).scalar()
            if found is None:
                await connection.execute(sa.insert(bridge_info).values(name=name, value=new))
            return found or new

    # --- Contexts ---

    @uncancelled
    async def create_context(self, title: str) -> Context:
        """Make a new context."""
        context = Context(context_id=uuid4().hex, title=title, created_at=now_ms())
        async with self._database.write() as connection:
            await connection.execute(
                sa.insert(contexts).values(
                    context_id=context.context_id, title=title, created_at=context.created_at
                )
            )
        return context

    @uncancelled
    async def list_contexts(self, skip: int, limit: int) -> tuple[int, list[Context]]:
        """Return the number of contexts and one page, oldest first."""
        query = sa.select(contexts).order_by(contexts.c.created_at, contexts.c.context_id)
        async with self._database.read() as connection:
            total = await connection.scalar(sa.select(sa.func.count()).select_from(contexts))
            rows = (await connection.execute(query.offset(skip).limit(limit))).all()
        return total or 0, [
            Context(context_id=row.context_id, title=row.title, created_at=row.created_at)
            for row in rows
        ]

    @uncancelled
    async def context(self, context_id: str) -> ContextDetails:
        """Return a context.

        Raises:
            RequestError: CONTEXT_NOT_FOUND.
        """
        query = sa.select(contexts).where(contexts.c.context_id == context_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            raise context_not_found()
        return ContextDetails(
            context_id=context_id,
            title=row.title,
            policy=msgspec.json.decode(row.policy, type=dict[str, str]),
            created_at=row.created_at,
        )

    async def require_context(self, context_id: str) -> None:
        """Return if the context exists.

        Raises:
            RequestError: CONTEXT_NOT_FOUND.
        """
        await self.context(context_id)

    async def context_policy(self, context_id: str) -> dict[str, str]:
        """Return what a context asks of the policies of its rooms.

        Raises:
            RequestError: CONTEXT_NOT_FOUND.
        """
        return (await self.context(context_id)).policy

    # --- Users ---

    @uncancelled
    async def add_user(
        self, context_id: str, user_id: str, identity: str, fingerprint: bytes
    ) -> None:
        """Register a user.

        Raises:
            RequestError: CONTEXT_NOT_FOUND, USER_EXISTS, LIMIT_EXCEEDED.
        """
        await self.require_context(context_id)
        count = sa.select(sa.func.count()).where(users.c.context_id == context_id)
        try:
            async with self._database.write() as connection:
                await lock_context(connection, context_id)
                if (await connection.scalar(count) or 0) >= MAX_CONTEXT_USERS:
                    raise limit_exceeded("users in a context", MAX_CONTEXT_USERS)
                await connection.execute(
                    sa.insert(users).values(
                        context_id=context_id,
                        user_id=user_id,
                        identity=identity,
                        fingerprint=fingerprint,
                        created_at=now_ms(),
                    )
                )
        except IntegrityError:
            raise RequestError(
                ErrorCode.USER_EXISTS, field="user_id", remedy="remove the user first"
            ) from None

    @uncancelled
    async def user(self, context_id: str, user_id: str) -> StoredUser | None:
        """Return a user, if there is one."""
        query = sa.select(users).where(users.c.context_id == context_id, users.c.user_id == user_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else StoredUser(**row._mapping)

    async def set_acl(self, context_id: str, user_id: str, acl: str | None) -> None:
        """Change the access lines of a user.

        Raises:
            RequestError: USER_NOT_FOUND.
        """
        await self._change_user(sa.update(users).values(acl=acl), context_id, user_id)

    async def set_identity(
        self, context_id: str, user_id: str, identity: str, fingerprint: bytes
    ) -> None:
        """Replace the public identity of a user.

        Raises:
            RequestError: USER_NOT_FOUND.
        """
        statement = sa.update(users).values(identity=identity, fingerprint=fingerprint)
        await self._change_user(statement, context_id, user_id)

    async def remove_user(self, context_id: str, user_id: str) -> None:
        """Remove a user.

        Raises:
            RequestError: USER_NOT_FOUND.
        """
        await self._change_user(sa.delete(users), context_id, user_id)

    @uncancelled
    async def _change_user(
        self, statement: sa.Update | sa.Delete, context_id: str, user_id: str
    ) -> None:
        one = statement.where(users.c.context_id == context_id, users.c.user_id == user_id)
        async with self._database.write() as connection:
            if (await connection.execute(one)).rowcount == 0:
                raise user_not_found()

    @uncancelled
    async def list_users(
        self, context_id: str, skip: int, limit: int, user_ids: Sequence[str] | None = None
    ) -> tuple[int, list[User]]:
        """Return the number of users that match and one page, by user id."""
        conditions = [users.c.context_id == context_id]
        if user_ids is not None:
            conditions.append(users.c.user_id.in_(user_ids))
        query = sa.select(users.c.user_id, users.c.identity).where(*conditions)
        query = query.order_by(users.c.user_id).offset(skip).limit(limit)
        async with self._database.read() as connection:
            total = await connection.scalar(sa.select(sa.func.count()).where(*conditions))
            rows = (await connection.execute(query)).all()
        return total or 0, [User(user_id=row.user_id, identity=row.identity) for row in rows]

    @uncancelled
    async def registered(
        self, who: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], tuple[bytes, str | None]]:
        """Return fingerprint and access lines of those users who exist, by context and user."""
        found: dict[tuple[str, str], tuple[bytes, str | None]] = {}
        key = sa.tuple_(users.c.context_id, users.c.user_id)
        async with self._database.read() as connection:
            for start in range(0, len(who), 400):  # SQLite binds at most 999 values
                query = sa.select(users).where(key.in_(who[start : start + 400]))
                for row in await connection.execute(query):
                    found[row.context_id, row.user_id] = (row.fingerprint, row.acl)
        return found

    @uncancelled
    async def fingerprints(self, context_id: str, user_ids: Sequence[str]) -> dict[str, bytes]:
        """Return the fingerprints of those of the users who exist."""
        found: dict[str, bytes] = {}
        async with self._database.read() as connection:
            for start in range(0, len(user_ids), 500):  # SQLite binds at most 999 values
                query = sa.select(users.c.user_id, users.c.fingerprint).where(
                    users.c.context_id == context_id,
                    users.c.user_id.in_(user_ids[start : start + 500]),
                )
                found |= {row.user_id: row.fingerprint for row in await connection.execute(query)}
        return found


async def lock_context(connection: AsyncConnection, context_id: str) -> None:
    """Wait for other transactions that add to the context; its limits are counted after that.

    Raises:
        RequestError: CONTEXT_NOT_FOUND.
    """
    query = sa.select(contexts.c.context_id).where(contexts.c.context_id == context_id)
    if await connection.scalar(query.with_for_update(key_share=True)) is None:
        raise context_not_found()


def context_not_found() -> RequestError:
    """No context has this id."""
    return RequestError(
        ErrorCode.CONTEXT_NOT_FOUND, field="context_id", remedy="see admin.context_list"
    )


def user_not_found() -> RequestError:
    """The context has no user of this id."""
    return RequestError(ErrorCode.USER_NOT_FOUND, field="user_id", remedy="see admin.user_list")
