"""Keeps a library from giving threads real-time priority."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TASKS = Path("/proc/self/task")


@contextmanager
def ordinary_scheduling() -> Iterator[None]:
    """Undoes what happens inside to the scheduling of this thread and of threads that begin.

    SVT-AV1 run by root on Linux takes SCHED_FIFO with priority 99 for the thread that opens an
    encoder and for its own, and whatever these start inherits it: nothing else on the machine runs
    before them.
    """
    if not _TASKS.is_dir():
        yield
        return
    policy, parameters, before = os.sched_getscheduler(0), os.sched_getparam(0), _threads()
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, parameters)
        for thread in _threads() - before:
            with suppress(ProcessLookupError):
                if os.sched_getscheduler(thread) == os.SCHED_FIFO:
                    os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))


def _threads() -> set[int]:
    return {int(one.name) for one in _TASKS.iterdir()}
