"""Objects of the core whose constructor did not run, or failed, are refused: nothing crashes."""

from __future__ import annotations

import subprocess
import sys

# Each in a process of its own would take minutes; the name of the last one stands in the output.
EVERY_MEMBER = """
import re
from sealroom import _core

def classes(scope):
    for thing in vars(scope).values():
        if isinstance(thing, type(_core)):
            yield from classes(thing)
        elif type(thing).__name__ == "pybind11_type":
            yield thing

used = 0
for cls in classes(_core):
    for name, member in vars(cls).items():
        unmade = cls.__new__(cls)
        if isinstance(member, property):
            call = lambda: getattr(unmade, name)
        elif callable(member) and "(self: " in (member.__doc__ or "") and name != "__init__":
            signature = member.__doc__.splitlines()[0]
            names = [word for word in re.findall(r"(\\w+): ", signature) if word != "self"]
            positional = name.startswith("__")  # as operators call them
            call = lambda: member(unmade, *[1 for _ in names if positional],
                                  **{word: 1 for word in names if not positional})
        else:
            continue
        print(cls.__name__, name, flush=True)
        try:
            call()
        except TypeError as error:
            used += "__init__ was not called" in str(error)
            continue
        if name != "__repr__":  # which shows the properties, if there are any
            raise SystemExit("taken as if it was made")
print(used)
"""

FAILED_INIT = """
import sys
from sealroom import errors, sframe

class Logged(sframe.Sender):
    def __init__(self, key):
        super().__init__(suite=5, key_id=1, base_key=key)
    def __del__(self):
        sys.stdout.write(f"{self.next_counter} sent\\n")

class Mixed(sframe.Sender, sframe.Receiver):
    def __init__(self):
        sframe.Receiver.__init__(self, suite=5)

for make in (lambda: Logged(b""), Mixed):
    try:
        make()
    except (errors.InvalidArgumentError, TypeError) as error:
        print(type(error).__name__)
Logged(bytes(32))
"""


def run(program: str) -> tuple[list[str], str]:
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stdout[-200:] + ended.stderr
    return ended.stdout.splitlines(), ended.stderr


def test_every_member_refuses_an_object_that_was_not_made() -> None:
    *names, used = run(EVERY_MEMBER)[0]
    assert len(names) > 300
    assert {"Sender protect", "RouterTransport start", "KeyUsage rtp_packets"} <= set(names)
    assert int(used) > 300


def test_a_derived_class_whose_constructor_failed_ends_in_peace() -> None:
    printed, ignored = run(FAILED_INIT)
    assert printed == ["InvalidArgumentError", "TypeError", "0 sent"]
    assert "TypeError: an object whose __init__ was not called, or failed" in ignored
