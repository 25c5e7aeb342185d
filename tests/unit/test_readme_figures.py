"""The README's tables of speed are of the run they name."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_measured_row_of_the_readme_stands_in_the_results_it_links() -> None:
    speed = (ROOT / "README.md").read_text().split("## Speed")[1].split("The native core by itself")
    run = re.search(r"benchmarks/results/bench-[\d-]+\.md", speed[0])
    assert run is not None
    measured = (ROOT / run[0]).read_text().splitlines()
    rows = [line for line in speed[0].splitlines() if re.match(r"\|.*\d", line)]
    assert len(rows) > 60
    assert [row for row in rows if row not in measured] == []


def test_the_figures_of_the_native_core_are_of_that_run_too() -> None:
    text = (ROOT / "README.md").read_text()
    run = re.search(r"benchmarks/results/bench-[\d-]+\.md", text)
    assert run is not None
    measured = (ROOT / run[0]).read_text()
    table = text.split("The native core by itself")[1].split("[Cost against size")[0]
    times = re.findall(r"([\d /to]+) ns", table)
    numbers = {number for one in times for number in re.findall(r"\d+", one)}
    assert len(numbers) > 12
    assert {one for one in numbers if f"| {one} ns |" not in measured} == set()
