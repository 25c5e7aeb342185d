"""Where the commands write: results to standard output, all that is said about them to the other.

So `ROOM=$(sealroom room create ...)` takes the id and nothing else.
"""

from __future__ import annotations

import sys

from rich.console import Console

WIDE = 240


def results() -> Console:
    """The console for results; wide where no person looks, so that nothing is cut off."""
    return Console() if sys.stdout.isatty() else Console(width=WIDE)


def remarks() -> Console:
    """The console for explanations, progress and errors."""
    return Console(stderr=True)


def print_result(text: str) -> None:
    """Writes a line as it is, however long."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def plain(text: str) -> str:
    """Returns text of others without what a terminal would obey."""
    return "".join(one if one.isprintable() else "?" for one in text)


def explain(text: str) -> None:
    """Writes a remark of one line."""
    remarks().print(plain(text), markup=False, highlight=False, soft_wrap=True)


def complain(text: str) -> None:
    """Writes an error as one line."""
    line = f"Error: {plain(text)}"
    remarks().print(line, style="red", markup=False, highlight=False, soft_wrap=True)
