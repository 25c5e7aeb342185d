"""What holds for all tests: none touches the files of the user who runs them."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def own_data_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pins of trusted keys go to a folder of the test's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
