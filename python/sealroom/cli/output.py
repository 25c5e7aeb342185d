"""Where the commands write: results to standard output, all that is said about them to the other.

So `ROOM=$(sealroom room create ...)` takes the id and nothing else.
"""

from __future__ import annotations

import sys

from rich.console import Console


def results() -> Console:
    """The console for results."""
    return Console()


def remarks() -> Console:
    """The console for explanations, progress and errors."""
    return Console(stderr=True)


def print_result(text: str) -> None:
    """Writes a line as it is, however long."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def explain(text: str) -> None:
    """Writes a remark."""
    remarks().print(text, markup=False, highlight=False, soft_wrap=True)


def complain(text: str) -> None:
    """Writes an error as one line."""
    remarks().print(f"Error: {text}", style="red", markup=False, highlight=False, soft_wrap=True)
