"""docs/protocol.md names every method, event, error and limit, with its fields and figures.

docs/examples has an example of every method, event and payload.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from sealroom.protocol import (
    ERROR_SENTENCES,
    EVENTS,
    METHODS,
    CustomEventPayload,
    LoginPayload,
    ResumePayload,
    RoomRecord,
    StreamAnnouncement,
    limits,
)

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


# The examples of docs/examples. tests/integration/test_protocol_examples.py sends them.

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def example(name: str, skeleton: dict[str, object]) -> dict[str, dict[str, object]]:
    path = EXAMPLES / f"{name}.json"
    assert path.exists(), (
        f"docs/examples/{name}.json is missing. docs/examples/README.md explains the notation. "
        f"Begin with\n{json.dumps(skeleton, indent=2)}\nand let "
        f"tests/integration/test_protocol_examples.py -k {name} send it"
    )
    shown: dict[str, dict[str, object]] = json.loads(path.read_text())
    return shown


def blank(struct: type[msgspec.Struct]) -> dict[str, str]:
    return dict.fromkeys(field_names(struct), "<...>")


@pytest.mark.parametrize("method", METHODS)
def test_a_method_has_an_example_with_all_its_fields(method: str) -> None:
    params, result = METHODS[method]
    skeleton = {"as": "alice", "before": ["room.join"]}
    shown = example(method, skeleton | {"params": blank(params), "result": blank(result)})
    assert shown.keys() - {"before", "bridge"} == {"as", "params", "result"}
    assert shown["params"].keys() == set(field_names(params))
    assert shown["result"].keys() == set(field_names(result))


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_has_an_example_with_all_its_fields(event: str) -> None:
    data = EVENTS[event]  # type: ignore[index]
    skeleton = {"to": "bob", "before": ["room.join"], "after": "METHOD", "data": blank(data)}
    shown = example(f"event.{event}", skeleton)
    assert shown.keys() - {"before", "bridge"} == {"to", "after", "data"}
    assert shown["data"].keys() == set(field_names(data))


def test_every_example_is_of_a_message_that_there_is() -> None:
    names = {one.stem for one in EXAMPLES.glob("*.json") if not one.stem.startswith("payload.")}
    assert names == METHODS.keys() | {f"event.{one}" for one in EVENTS}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("payload.*.json")), ids=lambda one: one.stem)
def test_an_example_of_a_payload_has_all_its_fields(path: Path) -> None:
    structs = (LoginPayload, ResumePayload, RoomRecord, StreamAnnouncement, CustomEventPayload)
    shown = json.loads(path.read_text())
    assert shown.keys() in [set(field_names(one)) for one in structs]
