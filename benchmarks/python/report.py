"""Prints the results of the benchmarks as Markdown tables.

python benchmarks/python/report.py RESULTS.json...

Takes what pytest-benchmark, Google Benchmark (--benchmark_out) and the scripts beside it wrote.
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


def native_table(results: dict[str, Any]) -> list[str]:
    """A result file of Google Benchmark: time, and what its counters say per packet and second."""
    lines = ["| C++ benchmark | back end | time | per packet | GB/s |", "|---|---|---|---|---|"]
    for one in results["benchmarks"]:
        if one.get("error_occurred"):
            continue
        unit = {"ns": 1.0, "us": 1e3, "ms": 1e6}[one["time_unit"]]
        per_packet = f"{1e9 / one['items_per_second']:.0f} ns" if "items_per_second" in one else "-"
        rate = f"{one['bytes_per_second'] / 1e9:.2f}" if "bytes_per_second" in one else "-"
        lines.append(
            f"| {one['name']} | {one.get('label', '')} | {one['cpu_time'] * unit:.0f} ns "
            f"| {per_packet} | {rate} |"
        )
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
        if "benchmarks" not in results:
            lines = comparison(results)
        elif "library_build_type" in results.get("context", {}):
            lines = native_table(results)
        else:
            lines = table(results)
        sys.stdout.write("\n".join(lines) + "\n\n")


if __name__ == "__main__":
    main(sys.argv[1:])
