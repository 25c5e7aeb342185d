"""Calls that are broken off at a chosen moment."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

MAX_STEPS = 1_000_000


async def cancel_after(steps: int, call: Coroutine[Any, Any, Any]) -> bool:
    """Cancel a call after so many steps of the event loop; False if it was done by then.

    What it raises instead of ending as cancelled comes out.
    """
    task = asyncio.create_task(call)
    for _ in range(steps):
        if task.done():
            break
        await asyncio.sleep(0)
    is_late = task.done()
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return True
    return not is_late


def steps_until_done() -> Iterator[int]:
    """Every step at first, where there is most to lose, and later ones ever further apart.

    What waits for a thread or a timer goes on for as many steps as the loop can make meanwhile.
    """
    steps = 1
    while steps < MAX_STEPS:
        yield steps
        steps = max(steps + 1, steps * 11 // 10 if steps >= 40 else 0)
    raise AssertionError("it was never done")
