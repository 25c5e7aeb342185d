"""Events of the application's in a joined room: signed by a member, each believed once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sealroom.client.events import CustomEvent, CustomEventRefused
from sealroom.client.room_link import RoomLink
from sealroom.client.room_memory import RoomMemory
from sealroom.client.rooms import OpenRoom, RoomDirectory
from sealroom.crypto.custom_event import make_custom_event
from sealroom.crypto.errors import EventReplayError
from sealroom.errors import SealroomError
from sealroom.protocol import Empty, RoomSendEventParams, SignedObject


class RoomCustomEvents:
    """Sends them, and opens those of others."""

    def __init__(
        self,
        link: RoomLink,
        directory: RoomDirectory,
        room: Callable[[], OpenRoom],
        memory: RoomMemory,
    ) -> None:
        """`room` returns the newest that was verified, `memory` holds what came before."""
        self._link = link
        self._directory = directory
        self._room = room
        self._seen = memory.seen_events

    async def send(self, data: bytes, channel: str, user_ids: Sequence[str] | None) -> None:
        """Sends a custom event under the newest epoch; see `StreamApi.send_custom_event`."""
        connection = self._link.connection
        event = make_custom_event(
            connection.identity,
            connection.user_id,
            keys=self._link.keys.newest,
            data=data,
            channel=channel,
            user_ids=user_ids,
            sent_at=time.time_ns() // 1_000_000,
        )
        params = RoomSendEventParams(room_id=self._link.room_id, event=event)
        await connection.call("room.send_event", params, Empty)

    async def received(self, signed: SignedObject) -> None:
        """Believes an event of a member's, once."""
        room_id = self._link.room_id
        try:
            opened = await self._directory.open_event(
                signed, self._room().record, self._link.keys.accepted
            )
            if opened.event_id in self._seen:
                raise EventReplayError("a custom event comes again")
        except SealroomError as error:
            self._link.emit(CustomEventRefused(room_id, signed.author, error))
            return
        self._seen.put(opened.event_id)
        self._link.emit(
            CustomEvent(room_id, opened.user_id, opened.channel, opened.sent_at, opened.data)
        )
