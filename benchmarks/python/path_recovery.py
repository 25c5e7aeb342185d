"""How long a call is silent when its network changes, between two network namespaces.

    sudo python benchmarks/python/path_recovery.py [--rounds 3] [--output FILE]

The calls are those of `tests/integration/test_call_networks.py`: a Bridge and a member in one
namespace, another member in the other, each publishing pictures (30/s) and sound (50/s); every
program has the timers it has in operation. A figure is the time from the moment named until ten
frames after it have arrived of each track in both directions: 0.2 to 0.4 s at the least.
Median and slowest of the rounds. Needs root, /dev/net/tun and `ip`.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[2] / "tests" / "integration"))
support: Any = importlib.import_module("network_support")

MAX_ROUNDS = 10


async def change_address(networks: Any) -> float:
    networks.change_address()
    # Not what was on its way already.
    return time.monotonic() + 0.1


def black(seconds: float) -> Callable[[Any], Awaitable[float]]:
    async def run(networks: Any) -> float:
        networks.link.loss = 100
        await asyncio.sleep(seconds)
        networks.link.loss = 0
        return time.monotonic()

    return run


async def rebind(networks: Any) -> float:
    networks.link.nat.rebind()
    networks.link.loss = 100
    await asyncio.sleep(0.3)
    networks.link.loss = 0
    return time.monotonic()


async def nothing(networks: Any) -> float:
    return time.monotonic()


CASES: dict[str, tuple[int, Callable[[Any], Awaitable[float]]]] = {
    "nothing happens": (4, nothing),
    "link black for 3 s, from its return": (4, black(3)),
    "link black for 15 s, from its return": (4, black(15)),
    "the same over IPv6": (6, black(15)),
    "interface and address change": (4, change_address),
    "NAT takes other ports": (4, rebind),
}


async def measure(ip: int, happen: Callable[[Any], Awaitable[float]]) -> float:
    nat = support.PortTranslation() if happen is rebind else None
    async with support.open_networks(ip, nat) as networks:
        await support.flowing(networks, time.monotonic())
        since = await happen(networks)
        took: dict[str, float] = await support.flowing(networks, since)
        return max(took.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    if not 0 < options.rounds <= MAX_ROUNDS:
        parser.error(f"--rounds: from 1 to {MAX_ROUNDS}")
    if (lacking := support.missing()) is not None:
        sys.exit(f"needs {lacking}")
    lines = ["| | median, s | slowest, s |", "|---|---|---|"]
    for title, (ip, happen) in CASES.items():
        times = [asyncio.run(measure(ip, happen)) for _ in range(options.rounds)]
        lines.append(f"| {title} | {statistics.median(times):.1f} | {max(times):.1f} |")
        sys.stderr.write(lines[-1] + "\n")
    text = "\n".join(lines) + "\n"
    sys.stdout.write(text)
    if options.output is not None:
        options.output.write_text(text)


if __name__ == "__main__":
    main()
