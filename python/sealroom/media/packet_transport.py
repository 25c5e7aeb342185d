"""What the transport asks of the native core, and the way its events reach the tracks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakKeyDictionary

logger = logging.getLogger(__name__)


class PacketTransport(Protocol):
    """One DTLS association of the native core: `MediaSession` or `RouterTransport` of `_core`."""

    @property
    def event_fd(self) -> int:
        """Readable when one of the `take_` methods has something; valid while the object lives."""

    def start(self, *, profile: int, send_key: bytes, receive_key: bytes) -> None:
        """Installs the SRTP keys: DTLS-SRTP profile number, master key and salt per direction."""

    def attach_socket(self, fd: int) -> None:
        """Takes ownership of a connected UDP descriptor, replacing the one before."""

    def detach_socket(self) -> None:
        """Closes the attached descriptor; datagrams to send wait in `take_outgoing` again."""

    def receive_datagram(self, data: bytes) -> None:
        """Takes an SRTP or SRTCP datagram that asyncio received."""

    def take_events(self) -> list[Any]:
        """Clears `event_fd` and returns what happened; call it before the other two."""

    def take_control(self) -> list[bytes]:
        """Returns STUN and DTLS datagrams read from the attached socket."""

    def take_outgoing(self) -> list[bytes]:
        """Returns datagrams to send while no socket is attached."""


@dataclass(frozen=True, slots=True)
class TransportClosed:
    """The last event of every track: its transport failed or was closed."""


EventHandler = Callable[[Any], None]

_dispatchers: WeakKeyDictionary[Any, EventDispatcher] = WeakKeyDictionary()


class EventDispatcher:
    """Hands the events of one native session to the track each belongs to. Event-loop thread only.

    There is one per session, found with `of`, so that a track needs only the session.
    """

    def __init__(self) -> None:
        self._receivers: dict[int, EventHandler] = {}
        self._senders: dict[int, EventHandler] = {}
        self.events_unclaimed = 0

    @staticmethod
    def of(session: Any) -> EventDispatcher:
        """Returns the dispatcher of `session`, made on first use; lives as long as the session."""
        dispatcher = _dispatchers.get(session)
        if dispatcher is None:
            dispatcher = _dispatchers[session] = EventDispatcher()
        return dispatcher

    def register_receiver(self, receiver: int, handler: EventHandler) -> None:
        """Sends the events of a receiver id to `handler`, replacing the one before."""
        self._receivers[receiver] = handler

    def unregister_receiver(self, receiver: int) -> None:
        self._receivers.pop(receiver, None)

    def register_sender(self, sender: int, handler: EventHandler) -> None:
        """Sends the events of a sender id to `handler`, replacing the one before."""
        self._senders[sender] = handler

    def unregister_sender(self, sender: int) -> None:
        self._senders.pop(sender, None)

    def dispatch(self, events: Iterable[Any]) -> None:
        """Delivers each event; a handler that raises is logged and does not stop the others."""
        for event in events:
            receiver = getattr(event, "receiver", None)
            if receiver is not None:
                handler = self._receivers.get(receiver)
            else:
                handler = self._senders.get(getattr(event, "sender", -1))
            if handler is None:
                self.events_unclaimed += 1
            else:
                self._call(handler, event)

    def close(self) -> None:
        """Tells every track that no more events come, and forgets them all."""
        handlers = [*self._receivers.values(), *self._senders.values()]
        self._receivers.clear()
        self._senders.clear()
        for handler in handlers:
            self._call(handler, TransportClosed())

    @staticmethod
    def _call(handler: EventHandler, event: Any) -> None:
        try:
            handler(event)
        except Exception:
            logger.exception("handling %s failed", type(event).__name__)
