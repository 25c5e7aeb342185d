"""uvicorn's protocols with limits for those who have not logged in: of memory and of time."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final, cast

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

from sealroom.protocol import MAX_UNAUTHENTICATED_MESSAGE_BYTES

from .connection import GATE

_FRAMING_BYTES: Final = 4096  # headers of frames, and control frames between them


class HttpProtocol(H11Protocol):
    """Closes connections that do not ask for a WebSocket in time; requests under way end first."""

    seconds: ClassVar[float] = 30.0

    # Narrower than asyncio.Protocol has it, as uvicorn's own is.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_end()

    def _await_end(self) -> None:
        # By itself uvicorn closes only what has made a request and then is silent.
        self.loop.call_later(self.seconds, self._end)

    def _end(self) -> None:
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self._await_end()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Gathers no large messages before its gate is open."""

    is_open = False
    _unfinished = 0

    def handle_connect(self, event: Any) -> None:
        self._unfinished = 0
        super().handle_connect(event)
        if self.response.status_code == 101:
            cast(dict[str, Any], self.scope)[GATE] = self

    def send_receive_event_to_app(self) -> None:
        self._unfinished = 0
        super().send_receive_event_to_app()

    def data_received(self, data: bytes) -> None:
        self._unfinished += len(data)
        super().data_received(data)
        limit = MAX_UNAUTHENTICATED_MESSAGE_BYTES + _FRAMING_BYTES
        if self._unfinished > limit and not self.is_open and not self.transport.is_closing():
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG)
            self.handle_parser_exception()
