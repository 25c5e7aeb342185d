"""What a user has seen of each room: no Bridge can show an older or another history afterwards."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Annotated, Final, Protocol

import msgspec
from msgspec import Meta

from sealroom.identity.atomic_file import LockError, locked, write_atomically
from sealroom.identity.trust import PinFileError, default_pin_file

_MAX_FILE_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RoomPin:
    """The newest record seen of a room: its version, hash and epoch."""

    version: int
    hash: bytes
    epoch: int


class RoomPins(Protocol):
    """Keeps a pin per room. Runs in the event loop; may wait, for a database for instance."""

    async def load(self, context_id: str, room_id: str) -> RoomPin | None:
        """Return the pin of a room, None if it was never seen."""
        ...

    async def save(self, context_id: str, room_id: str, pin: RoomPin) -> None:
        """Keep the pin, unless one of a higher version is kept already."""
        ...


class MemoryRoomPins:
    """Pins that last as long as the program."""

    def __init__(self) -> None:
        self._pins: dict[tuple[str, str], RoomPin] = {}

    async def load(self, context_id: str, room_id: str) -> RoomPin | None:
        """Return the pin of a room."""
        return self._pins.get((context_id, room_id))

    async def save(self, context_id: str, room_id: str, pin: RoomPin) -> None:
        """Keep the pin, unless one of a higher version is kept already."""
        known = self._pins.get((context_id, room_id))
        if known is None or known.version < pin.version:
            self._pins[context_id, room_id] = pin


class _StoredPin(msgspec.Struct, forbid_unknown_fields=True):
    version: Annotated[int, Meta(ge=1)]
    hash: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    epoch: Annotated[int, Meta(ge=1)]


_Pins = dict[str, dict[str, _StoredPin]]


class RoomPinFile:
    """Pins in a JSON file that several programs may share. Pins of deleted rooms stay."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = Path(path)
        self._mutex = threading.Lock()

    async def load(self, context_id: str, room_id: str) -> RoomPin | None:
        """Return the pin of a room.

        Raises:
            PinFileError: the file cannot be read; then no room is believed.
        """
        return await asyncio.to_thread(self._load, context_id, room_id)

    async def save(self, context_id: str, room_id: str, pin: RoomPin) -> None:
        """Keep the pin, unless one of a higher version is kept already.

        Raises:
            PinFileError: the file cannot be read or written.
        """
        await asyncio.to_thread(self._save, context_id, room_id, pin)

    def forget(self, context_id: str, room_id: str) -> None:
        """Drop a pin: the next history shown of the room is believed.

        Raises:
            PinFileError: the file cannot be read or written.
        """
        self._change(lambda pins: pins.get(context_id, {}).pop(room_id, None) is not None)

    def _load(self, context_id: str, room_id: str) -> RoomPin | None:
        stored = self._read().get(context_id, {}).get(room_id)
        if stored is None:
            return None
        return RoomPin(stored.version, bytes.fromhex(stored.hash), stored.epoch)

    def _save(self, context_id: str, room_id: str, pin: RoomPin) -> None:
        def put(pins: _Pins) -> bool:
            rooms = pins.setdefault(context_id, {})
            if room_id in rooms and rooms[room_id].version >= pin.version:
                return False
            rooms[room_id] = _StoredPin(pin.version, pin.hash.hex(), pin.epoch)
            return True

        self._change(put)

    def _change(self, change: Callable[[_Pins], bool]) -> None:
        try:
            with self._mutex, locked(self._path):
                pins = self._read()
                if change(pins):
                    write_atomically(self._path, msgspec.json.encode(pins), overwrite=True)
        except LockError as error:
            raise PinFileError(str(error)) from error
        except OSError as error:
            raise PinFileError(f"cannot write {self._path}: {error.strerror}") from error

    def _read(self) -> _Pins:
        try:
            if self._path.stat().st_size > _MAX_FILE_BYTES:
                raise PinFileError(f"{self._path} is too large")
            return msgspec.json.decode(self._path.read_bytes(), type=_Pins)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise PinFileError(f"cannot read {self._path}: {error.strerror}") from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise PinFileError(f"{self._path} is not a file of pinned rooms") from error


def default_room_pin_file() -> Path:
    """Where pins of rooms are kept unless the application says otherwise: beside those of keys."""
    return default_pin_file().with_name("known_rooms.json")
