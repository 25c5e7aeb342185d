"""Every message is sent as docs/examples shows it, and what comes back is as shown there."""

from __future__ import annotations

import msgspec
import pytest
from example_support import FOLDER, load, open_stage

from sealroom.protocol import EVENTS, METHODS


@pytest.mark.parametrize("method", [one for one in METHODS if (FOLDER / f"{one}.json").exists()])
async def test_a_request_gets_the_result_that_is_shown(method: str) -> None:
    async with open_stage(**load(method).get("bridge", {})) as stage:
        await stage.play(method)


@pytest.mark.parametrize(
    "event", [str(one) for one in EVENTS if (FOLDER / f"event.{one}.json").exists()]
)
async def test_an_event_comes_with_the_data_that_is_shown(event: str) -> None:
    async with open_stage(**load(f"event.{event}").get("bridge", {})) as stage:
        await stage.receive(event)


async def test_a_wrong_example_is_noticed() -> None:
    async with open_stage() as stage:
        for example, actual in (
            ({"total": 1}, {"total": 2}),
            ({"total": 1}, {"total": 1, "rooms": []}),
            ({"rooms": ["<...>"]}, {"rooms": []}),
            ({"room": "<...>"}, {"room": None}),
            (["<room>", "<room>"], ["one", "other"]),
        ):
            with pytest.raises(AssertionError):
                stage.compare(example, actual, "it")
        with pytest.raises(AssertionError, match="<nothing>"):
            await stage.fill({"id": "<nothing>"}, "alice")
        with pytest.raises(Exception, match=r"missing required field|Expected"):
            msgspec.convert(await stage.fill({}, "alice"), METHODS["room.get"][0])
