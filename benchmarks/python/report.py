"""Prints pytest-benchmark's results as ratios to the rival of each group.

python benchmarks/python/report.py RESULTS.json [RECEIVE_PATH.json LATENCY.json]
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any


def table(results: dict[str, Any]) -> list[str]:
    groups: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for one in results["benchmarks"]:
        groups[one["group"]].append((one["name"], one["stats"]["median"]))
    lines = ["| path | what | time | times faster |", "|---|---|---|---|"]
    for group, entries in groups.items():
        rival = next((seconds for name, seconds in entries if name.startswith("rival")), None)
        for name, seconds in entries:
            ratio = "-" if rival is None or name.startswith("rival") else f"{rival / seconds:.1f}"
            lines.append(f"| {group} | {name} | {seconds * 1e6:.2f} µs | {ratio} |")
    return lines


def comparison(results: dict[str, Any]) -> list[str]:
    """A result file of receive_path.py or latency.py: figures of both, and their ratio."""
    title, unit = results["title"], results["unit"]
    stock, ours = results["stock aiortc"], results["sealroom"]
    lines = [
        f"| {title} | {unit} | stock aiortc | sealroom | stock / sealroom |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| | {key} | {stock[key]:.2f} | {ours[key]:.2f} | {stock[key] / ours[key]:.1f} |"
        for key in ours
        if key in stock and ours[key]
    ]
    return lines


def main(paths: list[str]) -> None:
    for path in paths:
        results = json.loads(Path(path).read_text())
        lines = table(results) if "benchmarks" in results else comparison(results)
        sys.stdout.write("\n".join(lines) + "\n\n")


if __name__ == "__main__":
    main(sys.argv[1:])
