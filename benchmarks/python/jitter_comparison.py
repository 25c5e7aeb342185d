"""What leaves three jitter buffers that are given the same packets: aiortc's, GStreamer's, ours.

python benchmarks/python/jitter_comparison.py --output benchmarks/results/jitter-DATE

Writes a table (.md) and a plot (.png). All in simulated time from seeded traces: 30 frames/s of
VP8 and 20 ms of Opus over 20 s, a one-way delay of 30 ms, key frames every 2 s whoever asks for
one. Who asks for a packet gets it 60 ms later, unless it is lost again with the trace's
probability; answers are not jittered. GStreamer 1.22's rtpjitterbuffer with its defaults (200 ms),
with and without do-retransmission, runs in the system's Python (python3-gi,
gir1.2-gst-plugins-base-1.0, gstreamer1.0-plugins-good) and is left out where that is missing.
aiortc's JitterBuffer comes with the NackGenerator of its receiver, for video as there. Added delay
is counted from the moment the last packet of a frame would have come on the empty path; a frame is
decodable if it is complete and every one since its key frame is.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from jitter_rivals import BUFFERS, Left, has_gstreamer
from jitter_traces import NETWORKS, ONE_WAY, SECONDS, Trace

NOTES = "## Reading it"


@dataclass
class Row:
    complete: int
    broken: int
    usable: int
    delays: tuple[float, float, float]
    freeze: float
    asked: int
    fewest_usable: int  # of all seeds, as is the next
    longest_freeze: float


def judge(trace: Trace, left: Left) -> Row:
    delays = sorted(
        left.complete[frame.timestamp] - frame.sent - ONE_WAY
        for frame in trace.frames
        if frame.timestamp in left.complete
    )
    usable: list[float] = []
    chain = False
    for frame in trace.frames:
        chain = frame.timestamp in left.complete and (chain or frame.is_key)
        if chain:
            usable.append(left.complete[frame.timestamp])
    marks = [ONE_WAY, *sorted(usable), trace.frames[-1].sent + ONE_WAY]
    freeze = max((b - a for a, b in pairwise(marks)), default=0.0)

    def quantile(share: float) -> float:
        return delays[min(int(share * len(delays)), len(delays) - 1)] if delays else float("nan")

    return Row(
        len(left.complete),
        left.broken,
        len(usable),
        (quantile(0.5), quantile(0.95), quantile(0.99)),
        freeze,
        left.asked,
        len(usable),
        freeze,
    )


def combine(rows: list[Row]) -> Row:
    """Medians over the seeds, and the worst of them."""

    def median(value: Callable[[Row], float]) -> float:
        return statistics.median(value(row) for row in rows)

    return Row(
        round(median(lambda row: row.complete)),
        round(median(lambda row: row.broken)),
        round(median(lambda row: row.usable)),
        (
            median(lambda row: row.delays[0]),
            median(lambda row: row.delays[1]),
            median(lambda row: row.delays[2]),
        ),
        median(lambda row: row.freeze),
        round(median(lambda row: row.asked)),
        min(row.fewest_usable for row in rows),
        max(row.longest_freeze for row in rows),
    )


Results = dict[tuple[str, str, str], Row]


def table(results: Results, names: list[str]) -> str:
    lines: list[str] = []
    for kind in ("video", "audio"):
        total = round(SECONDS * (30 if kind == "video" else 50))
        lines += [
            f"### {kind}: of {total} frames",
            "",
            "| trace | buffer | complete | broken, handed on | decodable (worst seed) "
            "| added delay p50 / p95 / p99, ms | longest freeze (worst seed), ms "
            "| packets asked for |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for network in NETWORKS:
            for name in names:
                row = results.get((kind, network.name, name))
                if row is None:
                    continue
                delays = " / ".join(f"{1000 * max(delay, 0):.0f}" for delay in row.delays)
                lines.append(
                    f"| {network.name} | {name} | {row.complete} | {row.broken} "
                    f"| {row.usable} ({row.fewest_usable}) | {delays} "
                    f"| {1000 * row.freeze:.0f} ({1000 * row.longest_freeze:.0f}) | {row.asked} |"
                )
        lines.append("")
    return "\n".join(lines)


def plot(results: Results, names: list[str], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    what: list[tuple[str, Callable[[Row, str], float]]] = [
        (
            "decodable frames, %",
            lambda row, kind: 100 * row.usable / (SECONDS * (30 if kind == "video" else 50)),
        ),
        ("added delay p50, ms", lambda row, _: 1000 * row.delays[0]),
        ("added delay p95, ms", lambda row, _: 1000 * row.delays[1]),
        ("longest freeze, ms", lambda row, _: 1000 * row.freeze),
    ]
    figure, axes = pyplot.subplots(len(what), 2, figsize=(15, 13), sharex="col")
    width = 0.8 / len(names)
    for column, kind in enumerate(("video", "audio")):
        for line, (label, value) in enumerate(what):
            axis = axes[line][column]
            for i, name in enumerate(names):
                places = [x + (i - (len(names) - 1) / 2) * width for x in range(len(NETWORKS))]
                rows = [results.get((kind, network.name, name)) for network in NETWORKS]
                heights = [value(row, kind) if row else 0.0 for row in rows]
                axis.bar(places, heights, width, label=name)
            axis.set_ylabel(label)
            axis.grid(axis="y", alpha=0.3)
            if line == 0:
                axis.set_title(f"{kind}, the same packets for all")
                axis.legend(ncols=len(names), fontsize=8, loc="lower left")
        axes[-1][column].set_xticks(
            range(len(NETWORKS)), [network.name for network in NETWORKS], rotation=40, ha="right"
        )
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="without an ending")
    parser.add_argument("--seeds", type=int, default=5, help="traces per network; medians")
    parser.add_argument("--jobs", type=int, default=4)
    arguments = parser.parse_args()
    names = list(BUFFERS) if has_gstreamer() else ["aiortc", "sealroom"]
    if "GStreamer" not in names:
        sys.stderr.write("GStreamer is left out: python3-gi and its GstCheck are not installed\n")

    def work(key: tuple[str, str, str]) -> Row:
        kind, network_name, name = key
        network = next(one for one in NETWORKS if one.name == network_name)
        traces = [Trace.make(kind, network, seed) for seed in range(1, arguments.seeds + 1)]
        return combine([judge(trace, BUFFERS[name](trace)) for trace in traces])

    keys = [(k, n.name, b) for k in ("video", "audio") for n in NETWORKS for b in names]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        results = dict(zip(keys, pool.map(work, keys), strict=True))
    text = table(results, names)
    page, picture = (Path(f"{arguments.output}{ending}") for ending in (".md", ".png"))
    plot(results, names, picture)
    # What a person wrote about earlier figures stays, to be read again.
    notes = page.read_text().split(NOTES, 1)[1] if page.exists() else "\n"
    head = f"# Jitter buffers on the same packets\n\n{__doc__.split(chr(10), 2)[2].strip()}\n"
    seeds = f"Medians of {arguments.seeds} seeds, in brackets the worst of them."
    page.write_text(f"{head}\n{seeds}\n\n![plot]({picture.name})\n\n{text}\n{NOTES}{notes}")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
