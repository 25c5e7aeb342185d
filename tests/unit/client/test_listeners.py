"""Listeners: told in order, ended once, and independent of each other."""

from types import SimpleNamespace

import pytest

from sealroom.client.listeners import Listeners
from sealroom.client.track_outlets import TrackOutlets


def test_ending_a_listener_twice_ends_no_other() -> None:
    told: list[int] = []
    listeners: Listeners[int] = Listeners("numbers")
    end = listeners.add(told.append)
    listeners.add(told.append)  # the same function once more
    end()
    end()
    listeners.tell(1)
    assert told == [1]


def test_one_that_fails_is_logged_and_the_next_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[int] = []
    listeners: Listeners[int] = Listeners("numbers")
    listeners.add(lambda _: 1 // 0, [(1,)])
    listeners.add(told.append, [(1,)])
    listeners.tell(2)
    assert told == [1, 2]
    assert caplog.text.count("a listener of numbers failed") == 2


def test_one_that_ends_itself_while_it_is_told_does_not_keep_others_from_it() -> None:
    told: list[str] = []
    listeners: Listeners[str] = Listeners("words")
    ends = []
    ends.append(listeners.add(lambda word: (told.append("first " + word), ends[0]())))
    listeners.add(lambda word: told.append("second " + word))
    listeners.tell("a")
    listeners.tell("b")
    assert told == ["first a", "second a", "second b"]


def test_a_listener_of_one_stream_hears_of_no_other() -> None:
    one, other = SimpleNamespace(stream_id="one"), SimpleNamespace(stream_id="other")
    outlets: TrackOutlets[SimpleNamespace] = TrackOutlets("tracks")
    heard: list[SimpleNamespace] = []
    end = outlets.add_listener(heard.append, "one", [one, other])
    outlets.put(other)
    outlets.put(one)
    end()
    end()
    outlets.put(one)
    assert heard == [one, one]
