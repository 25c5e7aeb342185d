"""Stored API keys: random, shown once, kept as hashes."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from sealroom.protocol import ALL_SCOPES, MAX_API_KEYS, ApiKeyView, ErrorCode, Milliseconds, Scope

from .actor import Principal
from .database import Database, uncancelled
from .errors import RequestError, limit_exceeded
from .schema import api_keys
from .store import now_ms

API_KEY_PREFIX: Final = "sealroom-key-"
_USE_NOTED_EVERY_MS: Final = 60_000  # a busy key is not written to the database at every call


def _hash_key(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _usable(now: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        api_keys.c.revoked_at.is_(None),
        sa.or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now),
    )


class KeyStore:
    """Queries over API keys. For one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @uncancelled
    async def create(
        self, title: str, scopes: Sequence[Scope], expires_at: Milliseconds | None, created_by: str
    ) -> tuple[str, ApiKeyView]:
        """Make a new key and return it; only its hash is stored.

        Where there are MAX_API_KEYS, those of no use any more make room, the oldest first.

        Args:
            created_by: id of the key that asks for it, which must be usable still; may be empty.

        Raises:
            RequestError: LIMIT_EXCEEDED, ADMIN_REQUIRED.
        """
        key = API_KEY_PREFIX + secrets.token_urlsafe(32)
        now = now_ms()
        row = {
            "key_id": uuid4().hex,
            "title": title,
            "scopes": _scopes_text(scopes),
            "created_at": now,
            "created_by": created_by,
            "expires_at": expires_at,
        }
        maker = sa.select(api_keys.c.key_id).where(api_keys.c.key_id == created_by, _usable(now))
        async with self._database.write(alone="api_keys") as connection:
            if created_by and await connection.scalar(maker) is None:
                raise RequestError(
                    ErrorCode.ADMIN_REQUIRED, remedy="call auth.admin with a key that is in force"
                )
            await _make_room(connection, now)
            await connection.execute(sa.insert(api_keys).values(row | {"key_hash": _hash_key(key)}))
        return key, _view(row)

    @uncancelled
    async def has_usable(self) -> bool:
        """Tell whether any key can be used."""
        query = sa.select(sa.func.count()).select_from(api_keys).where(_usable(now_ms()))
        async with self._database.read() as connection:
            return bool(await connection.scalar(query))

    @uncancelled
    async def check(self, key: str) -> Principal | None:
        """Return what a key may do, None if it is unknown, revoked or expired.

        The hashes of all usable keys are compared, each in constant time.
        """
        wanted = _hash_key(key)
        async with self._database.read() as connection:
            rows = (await connection.execute(sa.select(api_keys).where(_usable(now_ms())))).all()
        matches = [row for row in rows if hmac.compare_digest(wanted, row.key_hash)]
        return _principal(matches[0]) if matches else None

    @uncancelled
    async def use(self, key_id: str) -> Principal | None:
        """Return what a key may do now, None once it is revoked or expired; note that it was used.

        The time of use is kept to the minute.
        """
        now = now_ms()
        query = sa.select(api_keys).where(api_keys.c.key_id == key_id, _usable(now))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        if row.last_used_at is None or row.last_used_at + _USE_NOTED_EVERY_MS <= now:
            statement = sa.update(api_keys).where(api_keys.c.key_id == key_id)
            async with self._database.write() as connection:
                await connection.execute(statement.values(last_used_at=now))
        return _principal(row)

    @uncancelled
    async def page(self, skip: int, limit: int) -> tuple[int, list[ApiKeyView]]:
        """Return the number of keys and one page, oldest first; revoked ones too."""
        query = sa.select(api_keys).order_by(api_keys.c.created_at, api_keys.c.key_id)
        async with self._database.read() as connection:
            total = await connection.scalar(sa.select(sa.func.count()).select_from(api_keys))
            rows = (await connection.execute(query.offset(skip).limit(limit))).all()
        return total or 0, [_view(row._mapping) for row in rows]

    @uncancelled
    async def get(self, key_id: str) -> ApiKeyView:
        """Return one key.

        Raises:
            RequestError: KEY_NOT_FOUND.
        """
        async with self._database.read() as connection:
            query = sa.select(api_keys).where(api_keys.c.key_id == key_id)
            row = (await connection.execute(query)).first()
        if row is None:
            raise _key_not_found()
        return _view(row._mapping)

    @uncancelled
    async def revoke(self, key_id: str) -> None:
        """Make a key useless from now on; no error if it is already.

        Raises:
            RequestError: KEY_NOT_FOUND, LAST_KEY: no other key with all scopes is without an end.
        """
        lasting = sa.and_(api_keys.c.revoked_at.is_(None), api_keys.c.expires_at.is_(None))
        everything = api_keys.c.scopes == _scopes_text([ALL_SCOPES])
        others = sa.select(sa.func.count()).where(lasting, everything, api_keys.c.key_id != key_id)
        query = sa.select(api_keys.c.scopes, lasting.label("lasting"), api_keys.c.revoked_at).where(
            api_keys.c.key_id == key_id
        )
        async with self._database.write(alone="api_keys") as connection:
            row = (await connection.execute(query)).first()
            if row is None:
                raise _key_not_found()
            if row.revoked_at is not None:
                return
            is_whole = row.lasting and row.scopes == _scopes_text([ALL_SCOPES])
            if is_whole and not await connection.scalar(others):
                raise RequestError(
                    ErrorCode.LAST_KEY,
                    field="key_id",
                    remedy="create another key with all scopes and without an end first",
                )
            statement = sa.update(api_keys).where(api_keys.c.key_id == key_id)
            await connection.execute(statement.values(revoked_at=now_ms()))


async def _make_room(connection: AsyncConnection, now: int) -> None:
    total = await connection.scalar(sa.select(sa.func.count()).select_from(api_keys))
    excess = (total or 0) - MAX_API_KEYS + 1
    if excess <= 0:
        return
    query = sa.select(api_keys.c.key_id).where(sa.not_(_usable(now)))
    query = query.order_by(api_keys.c.created_at).limit(excess)
    useless = (await connection.scalars(query)).all()
    if len(useless) < excess:
        raise limit_exceeded("API keys", MAX_API_KEYS)
    await connection.execute(sa.delete(api_keys).where(api_keys.c.key_id.in_(useless)))


def _scopes_text(scopes: Sequence[Scope]) -> str:
    chosen = {ALL_SCOPES} if ALL_SCOPES in scopes else set(scopes)
    return msgspec.json.encode(sorted(chosen)).decode()


def _principal(row: Any) -> Principal:
    scopes = msgspec.json.decode(row.scopes, type=frozenset[Scope])
    return Principal("key", row.key_id, scopes, row.expires_at)


def _view(row: Any) -> ApiKeyView:
    return ApiKeyView(
        key_id=row["key_id"],
        title=row["title"],
        scopes=msgspec.json.decode(row["scopes"], type=list[Scope]),
        created_at=row["created_at"],
        created_by=row["created_by"],
        expires_at=row["expires_at"],
        last_used_at=row.get("last_used_at"),
        revoked_at=row.get("revoked_at"),
    )


def _key_not_found() -> RequestError:
    return RequestError(ErrorCode.KEY_NOT_FOUND, field="key_id", remedy="see admin.key_list")
