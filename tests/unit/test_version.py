"""One version, in pyproject.toml; CMake and the extension repeat it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from sealroom import _core

ROOT = Path(__file__).parents[2]


def test_project_cmake_and_extension_agree_on_the_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    cmake = re.search(r"project\(sealroom VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())
    assert cmake is not None
    assert project == cmake.group(1) == _core.__version__
