"""Events through the API: asked for, listened to, iterated over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from weakref import WeakSet

from sealroom.client.arguments import check_listener
from sealroom.client.connection import Connection
from sealroom.client.event_subscriptions import EventQuery, EventSubscriptions, params_of
from sealroom.client.events import (
    MAX_UNREAD_EVENTS,
    BoundedStream,
    ConnectionClosed,
    Event,
    EventsDropped,
)
from sealroom.client.listeners import Listeners
from sealroom.client.room_api import RoomApi
from sealroom.protocol import EventSubscribeParams, EventType

ROOM_EVENTS = (
    EventType.ROOM_CREATED,
    EventType.ROOM_UPDATED,
    EventType.ROOM_DELETED,
    EventType.ROOM_CLOSED,
    EventType.ROOM_REOPENED,
    EventType.ROOM_EXCLUDED,
)
"""What `subscribe_for_events` asks for unless told otherwise."""


class EventsApi(RoomApi):
    """The methods of `StreamApi` for events. Event-loop thread only."""

    def __init__(self, connection: Connection) -> None:
        """`connection` is logged in and stays its owner's to close."""
        super().__init__(connection)
        self._listeners: Listeners[Event] = Listeners("events")
        # Held by their iterators alone, so that one nobody reads any more is gone with it.
        self._event_streams: WeakSet[BoundedStream[Event]] = WeakSet()
        self._subscriptions = EventSubscriptions(connection, self._emit)

    async def subscribe_for_events(
        self, types: Iterable[EventType] | None = None, *, room_id: str | None = None
    ) -> str:
        """Asks the Bridge for events of one room, or of all the caller's rooms, joined or not.

        Those of a joined room come without asking. Without `types`, `ROOM_EVENTS`, of which
        `room.created` is the context's only. Returns an id for `unsubscribe_from_events`.

        Raises ApiClosedError after `close`, as `subscribe_for` does.
        """
        self._check_open()
        if types is None:
            types = ROOM_EVENTS if room_id is None else ROOM_EVENTS[1:]
        params = EventSubscribeParams(
            types=list(types),
            scope="context" if room_id is None else "room",
            scope_id=self._connection.context_id if room_id is None else room_id,
        )
        return (await self._subscriptions.add([params]))[0]

    async def subscribe_for(self, queries: Sequence[EventQuery]) -> list[str]:
        """Asks the Bridge for events by queries of `build_subscription_query`, all or none.

        They go on in a new session, under the ids returned, which are in the order of the queries.

        Raises:
            InvalidArgumentError: no query, or more than 64.
            RequestRefusedError: `field` names the one at fault, `queries[1].scope_id`.
        """
        self._check_open()
        rooms = {
            stream_id: room_id for room_id, one in self._joined.items() for stream_id in one.streams
        }
        params = [params_of(one, rooms.get(one.selector_id)) for one in queries]
        return await self._subscriptions.add(params)

    async def unsubscribe_from_events(self, subscription_id: str) -> None:
        """Ends what `subscribe_for_events` or one query of `subscribe_for` began."""
        await self._subscriptions.remove(subscription_id)

    def add_event_listener(self, listener: Callable[[Event], object]) -> Callable[[], None]:
        """Calls `listener` with every event; returns a function that ends it.

        A plain function, which is called between two steps of the event loop and must not block:
        for more than a few lines, iterate over `events`.

        Raises:
            InvalidArgumentError: `listener` is no function, or a coroutine function.
        """
        check_listener(listener)
        return self._listeners.add(listener)

    def events(self) -> AsyncIterator[Event]:
        """Iterates over events from this call on; bounded.

        It ends with the connection, or with `StreamApi.close`.
        """
        stream: BoundedStream[Event] = BoundedStream(MAX_UNREAD_EVENTS)
        self._event_streams.add(stream)
        if self._connection.is_closed or self._is_closed:
            stream.close()
        return self._iterate(stream)

    async def _iterate(self, stream: BoundedStream[Event]) -> AsyncIterator[Event]:
        try:
            async for event in stream:
                if dropped := stream.take_dropped():
                    yield EventsDropped(dropped)
                yield event
        finally:
            self._event_streams.discard(stream)

    def _emit(self, event: Event) -> None:
        self._listeners.tell(event)
        for stream in self._event_streams:
            stream.put(event)
        if isinstance(event, ConnectionClosed):
            self._end_events()

    def _end_events(self) -> None:
        for stream in self._event_streams:
            stream.close()
