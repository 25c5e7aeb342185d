"""`sealroom room`: make, list and delete rooms."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from sealroom.cli.options import (
    DEFAULT_URL,
    ContextId,
    IdentityFile,
    KnownUsers,
    Url,
    UserId,
)
from sealroom.cli.output import complain, explain, plain, print_result, results
from sealroom.cli.session import Login, log_in
from sealroom.client import StreamRoom, StreamRoomList

commands = typer.Typer(
    help="Make, list and delete rooms. Their titles are readable by their members only.",
    no_args_is_help=True,
)

PAGE = 100


@commands.command("create")
def create(
    title: Annotated[
        str, typer.Option(help="Title that only members can read.", metavar="TEXT")
    ] = "",
    member: Annotated[
        list[str] | None,
        typer.Option(help="User to let in; may be repeated. You are a manager anyway."),
    ] = None,
    manager: Annotated[
        list[str] | None, typer.Option(help="User to let in as a manager; may be repeated.")
    ] = None,
    url: Url = DEFAULT_URL,
    identity: IdentityFile = None,
    user: UserId = None,
    context: ContextId = None,
    known_users: KnownUsers = None,
) -> None:
    """Make a room and print its id. Members' keys are remembered when first seen."""

    async def work() -> str:
        async with log_in(Login(url, identity, user, context, known_users)) as session:
            return await session.api.create_stream_room(
                session.context_id,
                users=member or [],
                managers=manager or [],
                private_meta=title.encode(),
            )

    room_id = asyncio.run(work())
    print_result(room_id)
    explain(f"Next: sealroom publish test {room_id}, and as a member: sealroom watch {room_id}")


@commands.command("list")
def list_rooms(
    url: Url = DEFAULT_URL,
    identity: IdentityFile = None,
    user: UserId = None,
    context: ContextId = None,
    known_users: KnownUsers = None,
) -> None:
    """List the rooms you are a member of, newest first."""

    async def work() -> StreamRoomList:
        found = StreamRoomList(0, [], [])
        async with log_in(Login(url, identity, user, context, known_users)) as session:
            while True:
                skip = len(found.rooms) + len(found.refused)
                page = await session.api.list_stream_rooms(skip=skip, limit=PAGE)
                found.rooms.extend(page.rooms)
                found.refused.extend(page.refused)
                if not page.rooms and not page.refused:
                    return found

    listing = asyncio.run(work())
    table = Table(box=None, pad_edge=False)
    table.add_column("Room", no_wrap=True, min_width=32)
    for name in ("Title", "State", "Made", "Managers", "Users"):
        table.add_column(name)
    for room in listing.rooms:
        table.add_row(*(Text(plain(cell)) for cell in _row(room)))
    results().print(table)
    for refused in listing.refused:
        complain(f"room {refused.room_id} does not verify and is left out: {refused.error}")
    if listing.refused:
        raise typer.Exit(1)


@commands.command("delete")
def delete(
    room: Annotated[str, typer.Argument(help="The room's id.", metavar="ROOM")],
    url: Url = DEFAULT_URL,
    identity: IdentityFile = None,
    user: UserId = None,
    context: ContextId = None,
    known_users: KnownUsers = None,
) -> None:
    """Delete a room you manage; who is in it is out at once."""

    async def work() -> None:
        async with log_in(Login(url, identity, user, context, known_users)) as session:
            await session.api.delete_stream_room(room)

    asyncio.run(work())
    explain(f"Room {room} is gone.")


def _row(room: StreamRoom) -> list[str]:
    made = datetime.fromtimestamp(room.created_at / 1000).astimezone()
    return [
        room.room_id,
        room.private_meta.decode("utf-8", "replace"),
        room.state,
        f"{made:%Y-%m-%d %H:%M}",
        ", ".join(room.managers),
        ", ".join(room.users),
    ]
