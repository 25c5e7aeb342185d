"""Pins of rooms: they only move forward, outlive the program, and a damaged file is no pin."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sealroom.identity import MemoryRoomPins, PinFileError, RoomPin, RoomPinFile, RoomPins

ONE, TWO = RoomPin(1, b"1" * 32, 1), RoomPin(2, b"2" * 32, 1)


@pytest.fixture(params=["memory", "file"])
def pins(request: pytest.FixtureRequest, tmp_path: Path) -> RoomPins:
    return MemoryRoomPins() if request.param == "memory" else RoomPinFile(tmp_path / "a" / "pins")


async def test_a_room_never_seen_has_no_pin(pins: RoomPins) -> None:
    assert await pins.load("context", "room") is None


async def test_pins_move_forward_only(pins: RoomPins) -> None:
    await pins.save("context", "room", ONE)
    await pins.save("context", "room", TWO)
    await pins.save("context", "room", ONE)
    assert await pins.load("context", "room") == TWO
    await pins.save("context", "room", RoomPin(2, b"3" * 32, 2))
    assert await pins.load("context", "room") == TWO


async def test_rooms_and_contexts_are_apart(pins: RoomPins) -> None:
    await pins.save("context", "room", ONE)
    assert await pins.load("context", "other") is None
    assert await pins.load("other", "room") is None


async def test_a_file_outlives_the_program_and_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "pins"
    await RoomPinFile(path).save("context", "room", TWO)
    again = RoomPinFile(path)
    assert await again.load("context", "room") == TWO
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again.forget("context", "room")
    assert await RoomPinFile(path).load("context", "room") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"context": {"room": {"version": 0, "hash": "00", "epoch": 1}}}',
        b'{"context": {"room": {"version": 1, "hash": "xx", "epoch": 1}}}',
    ],
    ids=["empty", "list", "short", "no-hex"],
)
async def test_a_damaged_file_is_an_error_and_stays_as_it_is(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "pins"
    path.write_bytes(content)
    with pytest.raises(PinFileError):
        await RoomPinFile(path).load("context", "room")
    with pytest.raises(PinFileError):
        await RoomPinFile(path).save("context", "room", ONE)
    assert path.read_bytes() == content


async def test_a_file_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PinFileError):
        await RoomPinFile(tmp_path / "file" / "pins").save("context", "room", ONE)
