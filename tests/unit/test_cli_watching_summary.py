"""What `sealroom watch` says at its end about frames that are missing."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from sealroom.cli.errors import CommandError
from sealroom.cli.watching import WatchedStream, Watcher
from sealroom.client.events import FrameRejected


def watcher_after(*reasons: str) -> Watcher:
    api = SimpleNamespace(add_event_listener=lambda listener: lambda: None)
    session: Any = SimpleNamespace(api=api)
    watcher = Watcher(session, "room", None)
    info: Any = SimpleNamespace(user_id="alice", tracks=[])
    watcher._streams["stream"] = WatchedStream(info, None, received=Counter(video=3))
    for reason in reasons:
        watcher._note(FrameRejected("room", "stream", "track", reason, 7))
    return watcher


def test_frames_that_came_too_fast_are_told_and_no_tampering(
    capsys: pytest.CaptureFixture[str],
) -> None:
    watcher_after("queue_overflow").conclude()
    assert "7 frames are missing: they came faster" in " ".join(capsys.readouterr().err.split())


def test_frames_that_did_not_decrypt_are_tampering() -> None:
    with pytest.raises(CommandError, match=r"7 authentication_failed.*tampers"):
        watcher_after("queue_overflow", "authentication_failed").conclude()
