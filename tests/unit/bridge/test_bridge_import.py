"""What importing the Bridge needs, and what it says when something is missing."""

import subprocess
import sys

PROGRAM = """
import sys

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {hidden!r} or name == {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hide())
import {module}
"""


def run(hidden: str, module: str) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(hidden=hidden, module=module)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_missing_extra_is_named() -> None:
    result = run("starlette", "sealroom.bridge")
    assert result.returncode == 1
    assert "pip install 'sealroom[bridge]'" in result.stderr.splitlines()[-1]


def test_protocol_and_bridge_need_no_native_core() -> None:
    for module in ("sealroom.protocol", "sealroom.bridge", "sealroom.bridge.server"):
        result = run("sealroom._core", module)
        assert result.returncode == 0, result.stderr
