"""Join to first frame when viewers join one after another; part of `rooms.py`."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Sequence

STAGGER = (0.010, 0.050, 0.100, 0.200)
"""Seconds between one join and the next."""

JOINERS = 5
ROUNDS = 4
PAUSE = 2.0
"""Seconds between rounds; then the SFU may ask for four key frames at once again."""

Join = Callable[[], Awaitable[float]]
"""Joins as one viewer and returns the milliseconds until its first decoded frame."""


async def measure_staggered(
    open_joins: Callable[[int], Awaitable[tuple[Sequence[Join], Callable[[], Awaitable[None]]]]],
) -> list[tuple[str, str]]:
    """Rows of median and 95th percentile for each distance of joins.

    `open_joins` opens so many viewers that have not joined, and tells how to close them.
    """
    rows = []
    for distance in STAGGER:
        times: list[float] = []
        for _ in range(ROUNDS):
            joins, close = await open_joins(JOINERS)
            await asyncio.sleep(PAUSE)
            times += await asyncio.gather(
                *(_later(join, number * distance) for number, join in enumerate(joins))
            )
            await close()
        p95 = statistics.quantiles(times, n=20, method="inclusive")[-1]
        title = f"first decoded frame, {JOINERS} joins {distance * 1000:.0f} ms apart, ms (p95)"
        rows.append((title, f"{statistics.median(times):.0f} ({p95:.0f})"))
    return rows


async def _later(join: Join, delay: float) -> float:
    await asyncio.sleep(delay)
    return await join()
