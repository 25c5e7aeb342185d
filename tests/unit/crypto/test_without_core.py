"""Rooms, keys and messages need no compiled extension: tools and servers may use them alone."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "sealroom.identity",
        "sealroom.protocol",
        "sealroom.crypto.room_record",
        "sealroom.crypto.announcement",
        "sealroom.crypto.private_metadata",
    ],
)
def test_it_imports_where_the_native_core_is_missing(module: str) -> None:
    code = f"import sys; sys.modules['sealroom._core'] = None; import {module}"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
