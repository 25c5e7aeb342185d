"""Draws the cost of encrypting a frame against its size, 20 B to 1 MB.

python benchmarks/python/plot_sizes.py SIZES.json --output benchmarks/results/sizes.png

SIZES.json is what `sizes_bench --benchmark_out=SIZES.json` wrote; the figures from Python are
measured here, in the same run.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import timeit
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealroom import sframe

mpl.use("Agg")
from matplotlib import pyplot as plt

Series = dict[int, float]  # size in bytes -> nanoseconds

NAMES = {
    "BM_AeadSealSize": "bare AEAD, C++",
    "BM_SFrameProtectSize": "SFrame protect, C++",
    "BM_FrameToFrameSize": "frame to packets to frame, C++",
}
PYTHON_NAME = "SFrame protect, Python"
RIVAL_NAME = "cryptography AESGCM, Python"


def read_cpp(path: Path) -> dict[str, Series]:
    """The CPU times of a Google Benchmark file, of the fastest back end there is."""
    by_backend: dict[int, dict[str, Series]] = defaultdict(lambda: defaultdict(dict))
    for entry in json.loads(path.read_text())["benchmarks"]:
        match = re.fullmatch(r"(\w+)/backend:(\d)/bytes:(\d+)", entry["name"])
        if match is None or match[1] not in NAMES or entry.get("error_occurred"):
            continue
        unit = {"ns": 1.0, "us": 1e3, "ms": 1e6}[entry["time_unit"]]
        by_backend[int(match[2])][NAMES[match[1]]][int(match[3])] = entry["cpu_time"] * unit
    return dict(by_backend[max(by_backend)])


def nanoseconds(call: Callable[[], object]) -> float:
    """The best of five runs of about 20 ms each."""
    timer = timeit.Timer(call)
    count = max(1, int(0.02 / max(timer.timeit(10) / 10, 1e-7)))
    return min(timer.repeat(5, count)) / count * 1e9


def measure_python(sizes: list[int]) -> dict[str, Series]:
    sender = sframe.Sender(suite=sframe.AES_128_GCM_SHA256_128, key_id=1, base_key=bytes(16))
    rival = AESGCM(bytes(16))
    ours: Series = {}
    theirs: Series = {}
    for size in sizes:
        frame, nonce, aad = bytes(size), bytes(12), b"abc"
        ours[size] = nanoseconds(partial(sender.protect, frame))
        theirs[size] = nanoseconds(partial(rival.encrypt, nonce, frame, aad))
    return {PYTHON_NAME: ours, RIVAL_NAME: theirs}


def slope(series: Series, above: int) -> float:
    """The exponent of the power law that fits `series` from `above` on: 1 is linear."""
    sizes = [size for size in sorted(series) if size >= above]
    return float(np.polyfit(np.log(sizes), np.log([series[size] for size in sizes]), 1)[0])


def table(series: dict[str, Series]) -> list[str]:
    sizes = sorted(next(iter(series.values())))
    lines = ["| bytes | " + " | ".join(series) + " |", "|---" * (len(series) + 1) + "|"]
    for size in sizes:
        cells = [f"{costs[size]:.0f} ns" if size in costs else "-" for costs in series.values()]
        lines.append(f"| {size} | " + " | ".join(cells) + " |")
    exponents = [f"{slope(costs, 12_000):.2f}" for costs in series.values()]
    lines.append("| exponent from 12 kB | " + " | ".join(exponents) + " |")
    return lines


def draw(series: dict[str, Series], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(8, 5.5))
    for name, costs in series.items():
        sizes = sorted(costs)
        style = "--" if name == RIVAL_NAME else "-"
        axes.plot(sizes, [costs[size] for size in sizes], style, marker="o", ms=3, label=name)
    largest = max(series[NAMES["BM_AeadSealSize"]])
    per_byte = series[NAMES["BM_AeadSealSize"]][largest] / largest
    guide = np.array([1_000, largest])
    axes.plot(guide, guide * per_byte, ":", color="grey", label="linear in size")
    axes.set(xscale="log", yscale="log", xlabel="frame, bytes", ylabel="time, ns")
    axes.set_title("Cost of a frame against its size (AES-128-GCM, one core)")
    axes.grid(True, which="major", alpha=0.4)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("cpp_results", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    series = read_cpp(arguments.cpp_results)
    series |= measure_python(sorted(series[NAMES["BM_AeadSealSize"]]))
    draw(series, arguments.output)
    sys.stdout.write("\n".join(table(series)) + "\n")


if __name__ == "__main__":
    main()
