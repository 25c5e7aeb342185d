"""Who passes the sources on passes on what others published: from where, on what terms."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

VECTORS = Path(__file__).parents[1] / "vectors"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (VECTORS / "SOURCES.md").read_text().splitlines()
    if line.startswith("|")
][2:]


def test_each_file_of_vectors_has_a_source() -> None:
    patterns = [name for row in ROWS for name in re.findall(r"`([^`]+)`", row[0])]
    files = [path.name for path in VECTORS.iterdir() if path.is_file()]
    assert [
        name
        for name in files
        if name != "SOURCES.md" and not any(fnmatch(name, one) for one in patterns)
    ] == []


def test_each_source_but_our_own_has_its_licence_beside_it() -> None:
    named = set()
    for file, _, licence, _ in ROWS:
        if licence == "own":
            continue
        texts = re.findall(r"\]\((LICENSES/[^)]+)\)", licence)
        assert texts, file
        named.update(texts)
    there = {f"LICENSES/{path.name}" for path in (VECTORS / "LICENSES").iterdir()}
    assert named == there
