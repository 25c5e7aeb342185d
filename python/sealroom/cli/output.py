"""Where the commands write: results to standard output, all that is said about them to the other.

So `ROOM=$(sealroom room create ...)` takes the id and nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

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


def print_json(value: Any) -> None:
    """Writes messages, dataclasses and what is made of them as JSON; bytes are base64."""
    print_result(_safe(msgspec.json.format(msgspec.json.encode(value).decode(), indent=2)))


def print_json_line(value: Any) -> None:
    """Writes the same in one line."""
    print_result(_safe(msgspec.json.encode(value).decode()))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Writes a table; its first column, an id or a name, is never cut."""
    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, no_wrap=number == 0)
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    results().print(table)


def print_fields(fields: Iterable[tuple[str, str]]) -> None:
    """Writes one line per field, as `name: value`."""
    for name, value in fields:
        print_result(f"{name}: {plain(value)}")


def local_time(milliseconds: int | None, *, seconds: bool = False) -> str:
    """Returns a Unix time for a person, "never" for none."""
    if milliseconds is None:
        return "never"
    at = datetime.fromtimestamp(milliseconds / 1000).astimezone()
    return f"{at:%Y-%m-%d %H:%M:%S}" if seconds else f"{at:%Y-%m-%d %H:%M}"


def plain(text: str) -> str:
    """Returns text of others without what a terminal would obey."""
    return "".join(one if one.isprintable() else "?" for one in text)


def explain(text: str) -> None:
    """Writes a remark of one line."""
    remarks().print(plain(text), markup=False, highlight=False, soft_wrap=True)


def tell_silent(urls: Iterable[str]) -> None:
    """Says which Bridges do not answer, so that what they have is not counted."""
    for url in sorted(urls):
        explain(f"The Bridge at {url} does not answer: what is there is not counted.")


def complain(text: str) -> None:
    """Writes an error as one line."""
    line = f"Error: {plain(text)}"
    remarks().print(line, style="red", markup=False, highlight=False, soft_wrap=True)


def _safe(text: str) -> str:
    """Returns JSON without what a terminal would obey."""
    return "".join(one if one.isprintable() or one == "\n" else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    """JSON's escape of a character that a terminal might obey."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
