"""docs/core.md and the public modules' docstrings run as they stand, without Bridge and aiortc."""

from __future__ import annotations

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "core.md"
MODULES = ["sframe", "rtp", "srtp", "jitter", "privmx"]


def run(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_example_carries_a_frame_there_and_back() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1
    assert run(str(blocks[0])) == "5 True\n"


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"sealroom.{name}"))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_a_module_needs_neither_bridge_nor_negotiation(name: str) -> None:
    packages = {"aiortc", "aioice", "av", "websockets", "starlette", "sqlalchemy"}
    code = f"import sealroom.{name}, sys; print(sorted({packages!r} & set(sys.modules)))"
    assert run(code) == "[]\n"


def test_the_page_names_every_module() -> None:
    assert all(f"`sealroom.{name}`" in PAGE.read_text() for name in MODULES)
