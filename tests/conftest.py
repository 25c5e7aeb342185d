"""What holds for all tests: none touches the files of the user who runs them, none is timed."""

from __future__ import annotations

import pytest
from hypothesis import settings

# A loaded machine is no fault of what is tested.
settings.register_profile("sealroom", deadline=None)
settings.load_profile("sealroom")


@pytest.fixture(autouse=True)
def own_data_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pins of trusted keys go to a folder of the test's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
