"""What the scripts install: apt-get only writes down how it is called."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LACKING = "chromium-headless-shell"  # Debian's, which Ubuntu does not have


class Machine:
    """Programs that stand before the machine's own; apt and its packages are made up."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._calls = folder / "calls"
        self.put("apt-get", f'echo "$*" >> {self._calls}')
        self.put("apt-cache", f'[ "$2" = {LACKING} ] && exit 100; echo "Package: $2"')
        self.put("dpkg-query", "exit 1")
        self.put("dpkg", "echo amd64")
        self.put("id", "echo 0")

    def put(self, name: str, script: str) -> None:
        program = self._folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def run(self, *command: str) -> str:
        path = f"{self._folder}:{os.environ['PATH']}"
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={"PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout + done.stderr

    @property
    def installed(self) -> list[str]:
        calls = self._calls.read_text().splitlines() if self._calls.exists() else []
        return [name for call in calls if call.startswith("install ") for name in call.split()]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def install_peers(machine: Machine) -> str:
    return machine.run("/bin/bash", "-c", ". script/lib/setup.sh; install_peer_packages; echo done")


def test_a_peer_that_the_distribution_lacks_keeps_none_of_the_others_out(machine: Machine) -> None:
    said = install_peers(machine)
    assert "ffmpeg" in machine.installed
    assert "postgresql" in machine.installed
    assert LACKING not in machine.installed
    [line] = [line for line in said.splitlines() if LACKING in line]
    assert "skip" in line
    assert "sudo" not in said
    assert said.endswith("done\n")


def test_who_may_not_install_is_told_a_command_that_works(machine: Machine) -> None:
    machine.put("id", "echo 1000")
    machine.put("sudo", "exit 1")
    said = install_peers(machine)
    assert machine.installed == []
    [command] = [line for line in said.splitlines() if "apt-get install" in line]
    assert " ffmpeg " in command
    assert LACKING not in command
    assert LACKING in said
    assert said.endswith("done\n")


@pytest.mark.parametrize("has_runtime", [False, True])
def test_fuzzing_installs_the_runtime_that_clang_only_recommends(
    machine: Machine, tmp_path: Path, has_runtime: bool
) -> None:
    resources = tmp_path / "lib"
    resources.mkdir()
    if has_runtime:
        (resources / "libclang_rt.fuzzer-x86_64.a").touch()
    machine.put(
        "clang",
        f"case $1 in -print-resource-dir) echo {resources};; -dumpversion) echo 14.0.6;; esac",
    )
    machine.put("cmake", "echo built; exit 1")
    machine.run("script/fuzz", "red")
    assert "clang" in machine.installed
    assert ("libclang-rt-14-dev" in machine.installed) == (not has_runtime)
