"""Who speaks, from levels and times alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealroom.client.active_speaker import (
    HOLD,
    MAX_SPEAKERS,
    PRUNE,
    THRESHOLD,
    ActiveSpeakerDetector,
)

STEP = 0.1


class Room:
    """A detector and its clock, fed ten times a second."""

    def __init__(self) -> None:
        self.detector: ActiveSpeakerDetector[str] = ActiveSpeakerDetector()
        self.now = 1000.0
        self.history: list[list[str]] = []

    def hear(self, seconds: float, **levels: float | Callable[[int], float]) -> list[str]:
        for tick in range(round(seconds / STEP)):
            for key, level in levels.items():
                self.detector.update(key, level(tick) if callable(level) else level, self.now)
            self.now += STEP
            self.history.append(self.detector.active(self.now))
        return self.history[-1]


def test_nobody_speaks_in_a_quiet_room() -> None:
    room = Room()
    assert room.hear(5, alice=-90, bob=-127, carol=lambda tick: -62 + tick % 2) == []
    assert not any(room.history)


def test_who_is_louder_than_his_own_noise_speaks() -> None:
    room = Room()
    room.hear(2, alice=-60, bob=-75)
    assert room.hear(0.5, alice=-30, bob=-75) == ["alice"]
    room.hear(2, alice=-60, bob=-75)
    # The same level is noise of alice's and speech of bob's.
    assert room.hear(0.5, alice=-58, bob=-58) == ["bob"]


def test_the_threshold_is_six_decibels() -> None:
    for above, expected in ((THRESHOLD - 0.5, []), (THRESHOLD + 1.5, ["alice"])):
        room = Room()
        room.hear(3, alice=-60)
        assert room.hear(0.4, alice=-60 + above) == expected


def test_who_begins_by_speaking_is_heard_at_once() -> None:
    assert Room().hear(0.1, alice=-25) == ["alice"]


def test_a_pause_between_words_is_bridged_and_the_end_is_not() -> None:
    room = Room()
    room.hear(2, alice=-60)
    room.hear(1, alice=-25)
    before = len(room.history)
    room.hear(2, alice=-60)
    held = sum(bool(one) for one in room.history[before:]) * STEP
    # The smoothed level needs some 0.3 s to come down, then it is held.
    assert HOLD <= held <= HOLD + 0.5
    assert room.history[-1] == []


def test_speech_with_pauses_stays_speech_and_a_fan_becomes_noise() -> None:
    def speech(tick: int) -> float:
        return -65 if tick % 8 in (6, 7) else -25

    room = Room()
    room.hear(2, alice=-65, fan=-65)
    room.hear(60, alice=speech, fan=-30)
    assert room.history[-1] == ["alice"]
    assert "fan" in room.history[25]


def test_the_dominant_speaker_stays_until_another_is_much_louder() -> None:
    room = Room()
    room.hear(2, alice=-65, bob=-65)
    assert room.hear(1, alice=-30, bob=-65) == ["alice"]
    assert room.hear(1, alice=-30, bob=-27) == ["alice", "bob"]
    assert room.hear(1, alice=-30, bob=-20) == ["bob", "alice"]
    assert room.hear(2, alice=-30, bob=-65) == ["alice"]


def test_who_is_not_heard_of_is_forgotten() -> None:
    room = Room()
    room.hear(1, alice=-65, bob=-65)
    room.hear(PRUNE + 0.5, bob=-65)
    assert len(room.detector) == 1
    assert room.hear(0.1, alice=-20) == ["alice"]  # as if for the first time


def test_the_number_of_speakers_is_bounded() -> None:
    detector: ActiveSpeakerDetector[int] = ActiveSpeakerDetector()
    for key in range(MAX_SPEAKERS + 10):
        detector.update(key, -20, 1.0)
    assert len(detector) == MAX_SPEAKERS
    assert 0 not in detector.active(1.0)
    assert MAX_SPEAKERS + 9 in detector.active(1.0)


@pytest.mark.parametrize("hold", [0.0, 2.0])
def test_the_hold_time_can_be_chosen(hold: float) -> None:
    detector: ActiveSpeakerDetector[str] = ActiveSpeakerDetector(hold=hold)
    detector.update("alice", -20, 0.0)
    assert detector.active(0.0) == ["alice"]
    assert detector.active(1.0) == (["alice"] if hold > 1 else [])


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-127, 0)), max_size=60))
def test_active_speakers_are_known_and_unique_whatever_comes(steps: list[tuple[str, int]]) -> None:
    detector: ActiveSpeakerDetector[str] = ActiveSpeakerDetector()
    known: set[str] = set()
    for tick, (key, level) in enumerate(steps):
        detector.update(key, level, tick * STEP)
        known.add(key)
        found = detector.active(tick * STEP)
        assert len(set(found)) == len(found)
        assert set(found) <= known
