"""What the application wants to hear of, whichever session it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from sealroom.client.connection import Connection
from sealroom.client.errors import RequestRefusedError
from sealroom.client.events import Event, SubscriptionLost
from sealroom.errors import InvalidArgumentError
from sealroom.protocol import (
    MAX_EVENT_SUBSCRIPTIONS,
    MAX_ID_LENGTH,
    Empty,
    EventQueriesParams,
    EventQueriesResult,
    EventSubscribeParams,
    EventSubscription,
    EventType,
)


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Events of one type in a context, a room or of a stream; `build_subscription_query` makes it.

    `room_id`: of a stream, where it is; without it the stream must be live when it is asked for.
    """

    event_type: EventType
    selector_type: Literal["context", "room", "stream"]
    selector_id: str
    room_id: str | None = None


def build_subscription_query(
    event_type: EventType | str,
    selector_type: Literal["context", "room", "stream"],
    selector_id: str,
    *,
    room_id: str | None = None,
) -> EventQuery:
    """Makes a query for `StreamApi.subscribe_for`.

    Args:
        event_type: `room.created` is a context's only, a stream has those of `stream.*` only.
        selector_type: whether `selector_id` is that of a context, a room or a stream.
        selector_id: up to 64 characters.
        room_id: of a stream, where it is; then it need not be live at the moment.

    Raises:
        InvalidArgumentError: an argument is none of these.
    """
    try:
        kind = EventType(event_type)
    except ValueError:
        raise InvalidArgumentError(f"event_type: {event_type!r} is no event") from None
    if selector_type not in ("context", "room", "stream"):
        raise InvalidArgumentError("selector_type: 'context', 'room' or 'stream'")
    for name, value in (("selector_id", selector_id), ("room_id", room_id)):
        if value is not None and not 1 <= len(value) <= MAX_ID_LENGTH:
            raise InvalidArgumentError(f"{name}: 1 to {MAX_ID_LENGTH} characters")
    if room_id is not None and selector_type != "stream":
        raise InvalidArgumentError("room_id: of a stream only")
    return EventQuery(kind, selector_type, selector_id, room_id)


class EventSubscriptions:
    """Subscriptions under ids that stay when a new session gives them others."""

    def __init__(self, connection: Connection, emit: Callable[[Event], None]) -> None:
        self._connection = connection
        self._emit = emit
        self._wanted: dict[str, EventSubscribeParams] = {}
        self._current: dict[str, str] = {}  # what the Bridge calls them now

    async def add(self, queries: Sequence[EventSubscribeParams]) -> list[str]:
        """Subscribes to all or none and returns their ids in this order.

        Raises:
            InvalidArgumentError: no query, or too many.
            RequestRefusedError: `field` names the one at fault, `queries[1].scope_id`.
        """
        if not 1 <= len(queries) <= MAX_EVENT_SUBSCRIPTIONS:
            raise InvalidArgumentError(f"queries: 1 to {MAX_EVENT_SUBSCRIPTIONS}")
        ids = await self._ask(queries)
        self._wanted.update(zip(ids, queries, strict=True))
        self._current.update((one, one) for one in ids)
        return ids

    async def remove(self, subscription_id: str) -> None:
        """Ends a subscription. Raises RequestRefusedError if there is none."""
        current = self._current.pop(subscription_id, subscription_id)
        self._wanted.pop(subscription_id, None)
        params = EventSubscription(subscription_id=current)
        await self._connection.call("events.unsubscribe", params, Empty)

    async def renew(self) -> None:
        """Subscribes again in a new session; those refused are told and forgotten.

        Raises:
            SealroomError: the Bridge does not answer.
        """
        for subscription_id, query in list(self._wanted.items()):
            try:
                [current] = await self._ask([query])
            except RequestRefusedError as error:
                del self._wanted[subscription_id]
                self._current.pop(subscription_id, None)
                self._emit(SubscriptionLost(subscription_id, error))
            else:
                self._current[subscription_id] = current

    async def _ask(self, queries: Sequence[EventSubscribeParams]) -> list[str]:
        params = EventQueriesParams(queries=list(queries))
        result = await self._connection.call("events.subscribe_for", params, EventQueriesResult)
        return result.subscription_ids


def params_of(query: EventQuery, room_id: str | None) -> EventSubscribeParams:
    """Returns a query as it travels; `room_id` is where its stream is known to be, if it is."""
    params = EventSubscribeParams(
        types=[query.event_type], scope=query.selector_type, scope_id=query.selector_id
    )
    if query.selector_type == "stream":
        return msgspec.structs.replace(params, room_id=query.room_id or room_id)
    return params
