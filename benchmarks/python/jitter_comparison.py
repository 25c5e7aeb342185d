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
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

from jitter_rivals import BUFFERS, Left, has_gstreamer
from jitter_traces import NETWORKS, ONE_WAY, SECONDS, Trace

NOTES = "## Reading it"


@dataclass
class Outcome:
    """Of one trace, that is of one seed."""

    complete: int
    broken: int
    usable: int
    delays: tuple[float, float, float]
    freeze: float
    asked: int


def judge(trace: Trace, left: Left) -> Outcome:
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

    return Outcome(
        len(left.complete),
        left.broken,
        len(usable),
        (quantile(0.5), quantile(0.95), quantile(0.99)),
        freeze,
        left.asked,
    )


Key = tuple[str, str, str]  # kind, network, buffer
Results = dict[Key, list[Outcome]]
Value = Callable[[Outcome], float]


def mean_and_spread(outcomes: list[Outcome], value: Value) -> tuple[float, float]:
    """Over the seeds; the spread is the sample's standard deviation."""
    values = [value(outcome) for outcome in outcomes]
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def text_of(outcomes: list[Outcome], value: Value) -> str:
    mean, spread = mean_and_spread(outcomes, value)
    return f"{mean:.0f} ± {spread:.0f}" if round(spread) else f"{mean:.0f}"


def milliseconds(index: int) -> Value:
    return lambda outcome: 1000 * max(outcome.delays[index], 0.0)


def percentage(of: int) -> Value:
    return lambda outcome: 100 * outcome.usable / of


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
                of = results.get((kind, network.name, name))
                if not of:
                    continue
                delays = " / ".join(text_of(of, milliseconds(i)) for i in range(3))
                worst = max(1000 * outcome.freeze for outcome in of)
                lines.append(
                    f"| {network.name} | {name} | {text_of(of, lambda o: o.complete)} "
                    f"| {text_of(of, lambda o: o.broken)} "
                    f"| {text_of(of, lambda o: o.usable)} ({min(o.usable for o in of)}) "
                    f"| {delays} | {text_of(of, lambda o: 1000 * o.freeze)} ({worst:.0f}) "
                    f"| {text_of(of, lambda o: o.asked)} |"
                )
        lines.append("")
    return "\n".join(lines)


def plot(results: Results, names: list[str], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    frames = {"video": 30 * SECONDS, "audio": 50 * SECONDS}
    figure, axes = pyplot.subplots(4, 2, figsize=(15, 13), sharex="col")
    width = 0.8 / len(names)
    for column, kind in enumerate(("video", "audio")):
        what: list[tuple[str, Value]] = [
            ("decodable frames, %", percentage(frames[kind])),
            ("added delay p50, ms", milliseconds(0)),
            ("added delay p95, ms", milliseconds(1)),
            ("longest freeze, ms", lambda o: 1000 * o.freeze),
        ]
        for line, (label, value) in enumerate(what):
            axis = axes[line][column]
            for i, name in enumerate(names):
                places = [x + (i - (len(names) - 1) / 2) * width for x in range(len(NETWORKS))]
                points = [
                    mean_and_spread(results[kind, network.name, name], value)
                    for network in NETWORKS
                ]
                means, spreads = zip(*points, strict=True)
                axis.bar(places, means, width, yerr=spreads, capsize=1.5, label=name)
            axis.set_ylabel(label)
            axis.set_ylim(bottom=0)
            axis.grid(axis="y", alpha=0.3)
            if line == 0:
                axis.set_title(f"{kind}, the same packets for all; bars: mean, lines: ± deviation")
                axis.legend(ncols=len(names), fontsize=8, loc="lower left")
        axes[-1][column].set_xticks(
            range(len(NETWORKS)), [network.name for network in NETWORKS], rotation=40, ha="right"
        )
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def run_all(names: list[str], seeds: list[int], jobs: int) -> Results:
    """Says on standard error what it has done: GStreamer takes some 10 s of waiting a trace."""

    def work(kind: str, network_name: str, name: str, seed: int) -> Outcome:
        network = next(one for one in NETWORKS if one.name == network_name)
        trace = Trace.make(kind, network, seed)
        return judge(trace, BUFFERS[name](trace))

    keys = [(k, n.name, b) for k in ("video", "audio") for n in NETWORKS for b in names]
    results: Results = {key: [] for key in keys}
    start = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(work, *key, seed): key for seed in seeds for key in keys}
        try:
            for count, future in enumerate(as_completed(futures), 1):
                results[futures[future]].append(future.result())
                if count % 20 == 0 or count == len(futures):
                    sys.stderr.write(
                        f"{count} of {len(futures)} traces, {time.monotonic() - start:.0f} s\n"
                    )
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # not hours later
            raise
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="without an ending")
    parser.add_argument("--seeds", type=int, default=5, help="traces per network")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=4)
    arguments = parser.parse_args()
    if find_spec("matplotlib") is None:  # said now, not after a quarter of an hour
        parser.error("the plot needs matplotlib: pip install matplotlib")
    names = list(BUFFERS) if has_gstreamer() else ["aiortc", "sealroom"]
    if "GStreamer" not in names:
        sys.stderr.write("GStreamer is left out: python3-gi and its GstCheck are not installed\n")
    last_seed = arguments.first_seed + arguments.seeds - 1
    results = run_all(
        names, list(range(arguments.first_seed, last_seed + 1)), max(arguments.jobs, 1)
    )
    text = table(results, names)
    page, picture = (Path(f"{arguments.output}{ending}") for ending in (".md", ".png"))
    # What a person wrote about earlier figures stays, to be read again.
    notes = page.read_text().split(NOTES, 1)[1] if page.exists() else "\n"
    head = f"# Jitter buffers on the same packets\n\n{__doc__.split(chr(10), 2)[2].strip()}\n"
    seeds = (
        f"Mean ± standard deviation over the seeds {arguments.first_seed} to {last_seed}; in "
        "brackets the worst of them."
    )
    page.write_text(f"{head}\n{seeds}\n\n![plot]({picture.name})\n\n{text}\n{NOTES}{notes}")
    plot(results, names, picture)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
