"""`help(BridgeConfig)` says what each setting is."""

from __future__ import annotations

import re
from dataclasses import fields

from sealroom.bridge import BridgeConfig


def test_every_setting_is_in_the_docstring() -> None:
    entries = re.findall(r"^ {8}([a-z_, ]+):", BridgeConfig.__doc__ or "", re.MULTILINE)
    named = {name for entry in entries for name in entry.split(", ")}
    assert {one.name for one in fields(BridgeConfig)} <= named
