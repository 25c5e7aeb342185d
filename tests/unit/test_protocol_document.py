"""docs/protocol.md names every method, event, error and limit, with its fields and figures."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from sealroom.protocol import ERROR_SENTENCES, EVENTS, METHODS, limits

ROWS = [
    line
    for line in (Path(__file__).parents[2] / "docs" / "protocol.md").read_text().splitlines()
    if line.startswith("| ")
]


def row(first_cell: str) -> str:
    found = [line for line in ROWS if line.startswith(f"| {first_cell} |")]
    assert len(found) == 1, first_cell
    return found[0]


def field_names(struct: type[msgspec.Struct]) -> list[str]:
    return [one.encode_name for one in msgspec.structs.fields(struct)]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_stands_there_with_all_its_fields(method: str) -> None:
    text = row(f"`{method}`")
    for struct in METHODS[method]:
        for name in field_names(struct):
            assert f"`{name}`" in text


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_stands_there_with_all_its_fields(event: str) -> None:
    text = row(f"`{event}`")
    for name in field_names(EVENTS[event]):  # type: ignore[index]
        assert f"`{name}`" in text


@pytest.mark.parametrize("code", ERROR_SENTENCES)
def test_an_error_stands_there_with_its_sentence(code: int) -> None:
    assert ERROR_SENTENCES[code] in row(str(int(code)))  # type: ignore[index]


@pytest.mark.parametrize("name", [name for name in dir(limits) if name.startswith("MAX_")])
def test_a_limit_stands_there_with_its_value(name: str) -> None:
    assert f"{getattr(limits, name):,}" in row(f"`{name}`")
