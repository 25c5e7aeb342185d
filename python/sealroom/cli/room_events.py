"""`sealroom room send` and `events`: events of the application's, and all that happens."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Annotated, Any

import msgspec
import typer

from sealroom.cli.options import RoomArgument, for_member
from sealroom.cli.output import explain, print_json_line
from sealroom.cli.publishing import interrupts
from sealroom.cli.room import run_as
from sealroom.cli.session import Login, log_in
from sealroom.client import StreamApi
from sealroom.client.events import Event
from sealroom.protocol import EventType

# Of all rooms; of one room the same without the first.
_ASKED = (
    EventType.ROOM_CREATED,
    EventType.ROOM_UPDATED,
    EventType.ROOM_DELETED,
    EventType.ROOM_CLOSED,
    EventType.ROOM_REOPENED,
    EventType.ROOM_EXCLUDED,
    EventType.PARTICIPANT_JOINED,
    EventType.PARTICIPANT_LEFT,
    EventType.RECORDING_STARTED,
    EventType.RECORDING_STOPPED,
    EventType.STREAM_PUBLISHED,
    EventType.STREAM_UPDATED,
    EventType.STREAM_UNPUBLISHED,
)


@for_member
def send(
    login: Login,
    room: RoomArgument,
    text: Annotated[str, typer.Argument(help="What to send, up to 16 KiB.", metavar="TEXT")],
    channel: Annotated[
        str, typer.Option(help="To tell kinds of events apart; the server can read it.")
    ] = "",
    to: Annotated[
        list[str] | None, typer.Option(help="Member it is for; may be repeated. Default: all.")
    ] = None,
) -> None:
    """Send an encrypted event to who is in a room now. Joins the room for that moment."""

    async def work(api: StreamApi) -> None:
        await api.join_stream_room(room)
        await api.send_custom_event(room, text.encode(), channel=channel, user_ids=to)

    run_as(login, work)
    explain("Sent.")


@for_member
def events(
    login: Login,
    room: Annotated[
        str | None, typer.Option(help="Only what happens in this room. Default: in all of yours.")
    ] = None,
    join: Annotated[
        bool,
        typer.Option("--join", help="Take part in --room, for what only participants get."),
    ] = False,
    count: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many; default: never.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop after this long; default: never.")
    ] = None,
) -> None:
    """Print what happens in your rooms, one JSON object a line, until Ctrl-C."""
    if join and room is None:
        raise typer.BadParameter("--join needs --room")
    asyncio.run(_print_events(login, room, join, count, seconds))


async def _print_events(
    login: Login, room: str | None, join: bool, count: int | None, seconds: float | None
) -> None:
    end = None if seconds is None else time.monotonic() + seconds
    left = count
    async with log_in(login) as session:
        queue: asyncio.Queue[Event] = asyncio.Queue()
        session.api.add_event_listener(queue.put_nowait)
        types = _ASKED if room is None else _ASKED[1:]
        await session.api.subscribe_for_events(types, room_id=room)
        if join and room is not None:
            await session.api.join_stream_room(room)
        explain("Listening. Ctrl-C ends it.")
        with interrupts() as interrupted:
            while left != 0 and not interrupted.is_set():
                if end is not None and time.monotonic() >= end:
                    return
                try:
                    event = await asyncio.wait_for(queue.get(), 0.25)
                except TimeoutError:
                    session.check_open()
                    continue
                print_json_line(_view(event))
                left = None if left is None else left - 1


def _view(event: Event) -> dict[str, Any]:
    """An event with its name, as `participant_joined`."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(event).__name__).lower()
    fields: dict[str, Any] = msgspec.to_builtins(event, enc_hook=str)
    return {"event": name, **fields}
