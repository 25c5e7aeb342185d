"""What holds for all tests: none touches the files of the user who runs them, none is timed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

# A loaded machine is no fault of what is tested.
settings.register_profile("sealroom", deadline=None)
settings.load_profile("sealroom")


@pytest.fixture(autouse=True)
def own_data_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pins of trusted keys go to a folder of the test's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))


@pytest.fixture(autouse=True)
def own_priority() -> Iterator[None]:
    """Encoders of SVT-AV1 that tests open as root leave no real-time priority to later ones."""
    yield
    tasks = Path("/proc/self/task")
    for task in tasks.iterdir() if tasks.is_dir() else ():
        with suppress(ProcessLookupError):
            if os.sched_getscheduler(int(task.name)) == os.SCHED_FIFO:
                os.sched_setscheduler(int(task.name), os.SCHED_OTHER, os.sched_param(0))
