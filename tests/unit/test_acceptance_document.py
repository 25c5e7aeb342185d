"""docs/acceptance.md has a row for every item, and every test it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "acceptance.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ")
]
OF_7_8 = {
    "removed user",
    "new key",
    "replay, order, loss",
    "forged sender",
    "data across a rotation",
    "media server restart",
    "Bridge restart",
    "TURN expiry",
    "non-manager unpublishing",
    "recorded file",
    "load",
    "codec other than VP8",
    "other implementations",
}
LIES = {
    "rollback",
    "fork",
    "forged author",
    "swapped member key",
    "swapped metadata",
    "wrong epoch commitment",
    "replay into another room",
    "replay into another context",
}


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {one.name for one in ast.walk(tree) if isinstance(one, functions)}


def own_tests() -> set[str]:
    found = [names_in(path) for path in (ROOT / "tests" / "acceptance").glob("test_*.py")]
    return {name for names in found for name in names if name.startswith("test_")}


def test_every_item_has_one_row() -> None:
    items = [row[0] for row in ROWS]
    for wanted in {str(number) for number in range(1, 31)} | OF_7_8 | LIES:
        assert items.count(wanted) == 1, wanted


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(?:(tests/[\w/]+\.py)::)?(test_\w+)`", PAGE)
    assert len(named) > 60
    for path, name in named:
        assert name in (names_in(ROOT / path) if path else own_tests()), f"{path}::{name}"


def test_every_acceptance_test_is_named() -> None:
    assert own_tests() <= {name for _, name in re.findall(r"(`)(test_\w+)`", PAGE)}


def test_an_item_names_a_test_of_its_own_number_or_another_file() -> None:
    for item, _, tests, _ in (row for row in ROWS if row[0].isdigit()):
        for name in re.findall(r"`test_item_(\d\d)", tests):
            assert int(name) == int(item), item
        assert "`" in tests, item
