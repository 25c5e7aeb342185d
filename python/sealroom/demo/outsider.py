"""mallory: a user of the context who is no member, and tries what can be tried."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from sealroom.client import Connection
from sealroom.client.errors import RequestRefusedError
from sealroom.crypto.epoch import EpochId, derive_epoch_keys, new_epoch_secret
from sealroom.crypto.track_keys import DEFAULT_SUITE, derive_track_key
from sealroom.demo.observer import Eavesdropper
from sealroom.demo.report import OutsiderFigures
from sealroom.demo.sent_log import SentFrame, clear_prefix_size
from sealroom.errors import SealroomError
from sealroom.protocol import (
    METHODS,
    EventSubscribeParams,
    EventType,
    RoomListParams,
    RoomListResult,
    RoomParams,
    StreamAnnouncement,
    SubscriptionParams,
    TrackSelector,
)
from sealroom.sframe import Receiver

FIRST_EPOCH = 1


async def try_to_enter(
    connection: Connection, room_id: str, stream_id: str, track_ids: Iterable[str]
) -> OutsiderFigures:
    """Tries every way into a room; `refused` is True only if the Bridge refused each of them."""
    subscription = SubscriptionParams(
        room_id=room_id,
        add=[TrackSelector(stream_id=stream_id, track_id=track_id) for track_id in track_ids],
    )
    events = EventSubscribeParams(
        types=[EventType.STREAM_PUBLISHED], scope="room", scope_id=room_id
    )
    attempts: dict[str, Any] = {
        "room.get": RoomParams(room_id=room_id),
        "room.join": RoomParams(room_id=room_id),
        "room.participants": RoomParams(room_id=room_id),
        "stream.list": RoomParams(room_id=room_id),
        "subscription.update": subscription,
        "events.subscribe": events,
    }
    figures = OutsiderFigures()
    for method, params in attempts.items():
        try:
            await connection.call(method, params, METHODS[method][1])
        except RequestRefusedError as error:
            figures.attempts[method] = error.name
        else:
            figures.attempts[method] = "LET IN"
            figures.attempts_let_in += 1
    listing = RoomListParams(context_id=connection.context_id)
    rooms = await connection.call("room.list", listing, RoomListResult)
    figures.attempts["room.list"] = f"{rooms.total} rooms"
    figures.attempts_let_in += rooms.total > 0
    figures.refused = figures.attempts_let_in == 0
    return figures


async def try_to_decode(
    figures: OutsiderFigures,
    announcement: StreamAnnouncement,
    fingerprint: bytes,
    track_ids: dict[str, str],
    stolen: list[tuple[str, bytes, SentFrame | None]],
) -> None:
    """Gives mallory what the Bridge and the SFU have, and counts the frames that yield to her.

    She knows every public value that goes into a track's key, and the frames themselves; of the
    secret she can only make one up.
    """
    epoch = EpochId(announcement.context_id, announcement.room_id, FIRST_EPOCH)
    keys = derive_epoch_keys(new_epoch_secret(), epoch)
    base_keys = {
        kind: derive_track_key(keys, fingerprint, announcement.nonce, track_id)
        for kind, track_id in track_ids.items()
    }
    figures.frames_tried = len(stolen)
    figures.frames_decoded = await asyncio.to_thread(count_decodable, base_keys, stolen)


def count_decodable(
    base_keys: dict[str, bytes], stolen: list[tuple[str, bytes, SentFrame | None]]
) -> int:
    """Returns how many frames open under these SFrame base keys, or are readable without any."""
    eavesdropper = Eavesdropper()
    receivers: dict[str, Receiver] = {}
    for kind, base_key in base_keys.items():
        receivers[kind] = Receiver(suite=DEFAULT_SUITE)
        receivers[kind].add_key(FIRST_EPOCH, base_key)
    count = 0
    for kind, payload, sent in stolen:
        opened = _opens(receivers[kind], kind, payload) if kind in receivers else False
        count += opened or eavesdropper.examine(kind, payload, sent)[1]
    return count


def _opens(receiver: Receiver, kind: str, payload: bytes) -> bool:
    clear = clear_prefix_size("vp8" if kind == "video" else "opus", payload)
    try:
        receiver.unprotect(payload[clear:], metadata=payload[:clear])
    except SealroomError:
        return False
    return True
