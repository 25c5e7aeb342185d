"""Safety numbers: the same on both sides, another for anything that differs, readable by people."""

from __future__ import annotations

import re

import pytest

from sealroom.identity import pair_safety_number, room_safety_number

A, B, M = b"A" * 32, b"B" * 32, b"M" * 32
PAIR = pair_safety_number("context", {"alice": A, "bob": B})
ROOM = room_safety_number("context", "room", {"alice": A, "bob": B})


def test_both_sides_read_the_same_number() -> None:
    assert pair_safety_number("context", {"bob": B, "alice": A}) == PAIR
    assert room_safety_number("context", "room", {"bob": B, "alice": A}) == ROOM


def test_a_number_is_twelve_groups_of_five_digits() -> None:
    for number in (PAIR, ROOM):
        assert re.fullmatch(r"\d{5}( \d{5}){11}", number)


def test_numbers_stay_what_they_are() -> None:
    """People have them on paper."""
    assert PAIR == ("38697 40112 41809 59324 46846 09423 00029 94048 71647 73922 52520 58274")
    assert ROOM == ("54677 67831 66591 68774 57085 63075 76644 88366 82261 42696 61545 34001")


def test_anything_else_gives_another_number() -> None:
    numbers = {
        PAIR,
        ROOM,
        pair_safety_number("context", {"alice": M, "bob": B}),
        pair_safety_number("context", {"alice": B, "bob": A}),
        pair_safety_number("other", {"alice": A, "bob": B}),
        pair_safety_number("context", {"alic": A, "bob": B}),
        room_safety_number("context", "other", {"alice": A, "bob": B}),
        room_safety_number("context", "", {"alice": A, "bob": B}),
        room_safety_number("context", "room", {"alice": A, "bob": B, "mallory": M}),
        room_safety_number("context", "room", {"alice": A}),
    }
    assert len(numbers) == 10


def test_what_is_no_pair_or_room_has_no_number() -> None:
    for users in ({}, {"alice": A}, {"alice": A, "bob": B, "mallory": M}, {"alice": A, "bob": b""}):
        with pytest.raises(ValueError, match=r"two users|32 bytes"):
            pair_safety_number("context", users)
    for members in ({}, {"alice": b"short"}):
        with pytest.raises(ValueError, match=r"members|32 bytes"):
            room_safety_number("context", "room", members)
