"""Which connections API keys have unlocked, and which calls are under way with them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from .connection import Connection

_Call: TypeAlias = tuple[asyncio.Task[Any] | None, asyncio.Event]


class KeyHolders:
    """What a revocation finds. For one event loop; bounded by the connections there are."""

    def __init__(self) -> None:
        self._connections: dict[str, set[Connection]] = {}
        self._calls: dict[str, set[_Call]] = {}

    def unlock(self, connection: Connection, key_id: str) -> None:
        """Unlock administration on a connection, by this key only."""
        self.lock(connection)
        connection.admin_key_id = key_id
        self._connections.setdefault(key_id, set()).add(connection)

    def lock(self, connection: Connection) -> None:
        """Lock administration on a connection; none was unlocked is no error."""
        key_id, connection.admin_key_id = connection.admin_key_id, None
        if key_id is not None and (others := self._connections.get(key_id)) is not None:
            others.discard(connection)
            if not others:
                del self._connections[key_id]

    @contextmanager
    def call(self, key_id: str | None) -> Iterator[None]:
        """Have a call with a key known while it is under way."""
        if key_id is None:
            yield
            return
        call: _Call = (asyncio.current_task(), asyncio.Event())
        self._calls.setdefault(key_id, set()).add(call)
        try:
            yield
        finally:
            self._over(key_id, call)

    async def revoked(self, key_id: str) -> None:
        """Lock what a revoked key unlocked, and wait for calls under way with it.

        A call that waits here is over as far as others are concerned: two keys may revoke each
        other at once.
        """
        for connection in list(self._connections.get(key_id, ())):
            self.lock(connection)
        own = asyncio.current_task()
        for name, calls in list(self._calls.items()):
            for call in [one for one in calls if one[0] is own]:
                self._over(name, call)
        for _, over in list(self._calls.get(key_id, ())):
            await over.wait()

    def _over(self, key_id: str, call: _Call) -> None:
        call[1].set()
        if (calls := self._calls.get(key_id)) is not None:
            calls.discard(call)
            if not calls:
                del self._calls[key_id]
