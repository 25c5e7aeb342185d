"""Calls of the media server: one at a time for one participant, each with a time limit."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sealroom.protocol import ErrorCode

from .errors import RequestError
from .live import LiveParticipant
from .logs import get_logger, where
from .media_server import MediaError, MediaFullError, MediaServer, TransportGoneError

_Result = TypeVar("_Result")

RETRY_AFTER = 1.0
"""Seconds after which a client may ask again what the media server failed at."""


class MediaCalls:
    """Guards the media server against overlapping calls, and the Bridge against its failures.

    Args:
        timeout: of one call, seconds.
    """

    def __init__(self, server: MediaServer, timeout: float) -> None:
        self.server = server
        self._timeout = timeout

    async def run(self, call: Awaitable[_Result]) -> _Result:
        """Wait for a call; the caller holds the participant's media lock.

        Raises:
            RequestError: MEDIA_FAILED, with the text of a `MediaError`; LIMIT_EXCEEDED with that of
                a `MediaFullError`; MEDIA_SERVER_FAILED if it broke or did not answer in time,
                whatever it raised.
        """
        try:
            return await asyncio.wait_for(call, self._timeout)
        except TransportGoneError as error:
            raise RequestError(
                ErrorCode.TRANSPORT_NOT_FOUND,
                str(error),
                field="transport",
                remedy="media.reset it, then publish or subscribe again",
            ) from None
        except MediaFullError as error:
            get_logger().warning("media server full", error=str(error))
            raise RequestError(
                ErrorCode.LIMIT_EXCEEDED,
                str(error),
                remedy="end what is not needed, or try again when others have",
            ) from None
        except MediaError as error:
            raise RequestError(
                ErrorCode.MEDIA_FAILED, str(error), remedy="check the SDP and try again"
            ) from None
        except TimeoutError:
            get_logger().error("media server timed out", seconds=self._timeout)
            raise _server_failed(f"It did not answer within {self._timeout:g} s.") from None
        except Exception as error:
            get_logger().error("media server failed", error=where(error))
            raise _server_failed() from None

    async def remove(self, participant: LiveParticipant) -> None:
        """Remove a participant that is out of its room; a failure is only logged."""
        participant_id = participant.participant_id
        await self._try(participant, lambda: self.server.remove_participant(participant_id))

    async def unpublish(self, participant: LiveParticipant, stream_id: str) -> None:
        """Stop a stream that is out of its room; a failure is only logged."""
        participant_id = participant.participant_id
        await self._try(participant, lambda: self.server.unpublish(participant_id, stream_id))

    async def _try(self, participant: LiveParticipant, call: Callable[[], Awaitable[None]]) -> None:
        async with participant.media_lock:
            try:
                await self.run(call())
            except RequestError as error:
                if error.error is not ErrorCode.MEDIA_SERVER_FAILED:  # that is logged
                    get_logger().error("media server failed", error=where(error))


def _server_failed(detail: str = "") -> RequestError:
    return RequestError(
        ErrorCode.MEDIA_SERVER_FAILED,
        detail,
        remedy="try again; if it stays so, the Bridge's log says why",
        retry_after=RETRY_AFTER,
    )


def require_present(participant: LiveParticipant) -> None:
    """Return if the participant is in its room still; ask again after each wait.

    Raises:
        RequestError: NOT_JOINED.
    """
    if participant.gone:
        raise RequestError(ErrorCode.NOT_JOINED, field="room_id", remedy="join the room first")
