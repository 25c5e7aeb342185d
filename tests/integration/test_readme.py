"""The README's example runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def example() -> str:
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1
    return str(blocks[0])


def test_the_example_prints_the_shape_of_a_picture_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    result = subprocess.run(
        [sys.executable, "-c", example()],
        env={**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "(480, 640, 3) uint8\n"
    assert list(tmp_path.iterdir()) == []


def test_the_example_has_at_most_thirty_lines_of_code() -> None:
    assert len([line for line in example().splitlines() if line.strip()]) <= 30
