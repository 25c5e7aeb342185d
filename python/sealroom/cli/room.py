"""`sealroom room`: make, list, change, close and delete rooms."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from sealroom.cli.errors import CommandError
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
from sealroom.client import StreamApi, StreamRoom, StreamRoomList

commands = typer.Typer(
    help="Make, list, change, close and delete rooms. Only members can read a room's title.",
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
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="Who has a right, as in record=user; may be repeated.", metavar="RIGHT=WHO"
        ),
    ] = None,
    url: Url = DEFAULT_URL,
    identity: IdentityFile = None,
    user: UserId = None,
    context: ContextId = None,
    known_users: KnownUsers = None,
) -> None:
    """Make a room and print its id. Members' keys are remembered when first seen."""
    entries = dict(_policy_entry(one) for one in policy or [])

    async def work() -> str:
        async with log_in(Login(url, identity, user, context, known_users)) as session:
            return await session.api.create_stream_room(
                session.context_id,
                users=member or [],
                managers=manager or [],
                private_meta=title.encode(),
                policy=entries,
            )

    room_id = asyncio.run(work())
    print_result(room_id)
    explain(f"Next: sealroom publish test {room_id}, and as a member: sealroom watch {room_id}")


def _policy_entry(text: str) -> tuple[str, str]:
    right, equals, who = text.partition("=")
    if not (right and equals and who):
        raise CommandError(f"--policy {text} is no entry. Remedy: write it as record=user.")
    return right, who


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


@commands.command("update")
def update(
    room: Annotated[str, typer.Argument(help="The room's id.", metavar="ROOM")],
    title: Annotated[
        str | None, typer.Option(help="New title that only members can read.", metavar="TEXT")
    ] = None,
    add: Annotated[list[str] | None, typer.Option(help="User to let in; may be repeated.")] = None,
    add_manager: Annotated[
        list[str] | None,
        typer.Option(help="User to let in as a manager, or to promote; may be repeated."),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(help="Member to remove, at once and with a new key; may be repeated."),
    ] = None,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Begin a new key although nobody is removed.")
    ] = False,
    url: Url = DEFAULT_URL,
    identity: IdentityFile = None,
    user: UserId = None,
    context: ContextId = None,
    known_users: KnownUsers = None,
) -> None:
    """Change the title or the members of a room you manage, in a live call too."""

    async def work() -> StreamRoom:
        async with log_in(Login(url, identity, user, context, known_users)) as session:
            now = await session.api.get_stream_room(room)
            gone = set(remove or [])
            promoted = set(add_manager or [])
            users = [one for one in (*now.users, *(add or [])) if one not in gone | promoted]
            managers = [one for one in (*now.managers, *(add_manager or [])) if one not in gone]
            return await session.api.update_stream_room(
                room,
                users=users,
                managers=managers,
                private_meta=None if title is None else title.encode(),
                version=now.version,
                force_generate_new_key=new_key,
            )

    changed = asyncio.run(work())
    explain(f"Room {room} is at version {changed.version}, key {changed.epoch}.")


@commands.command("close")
def close(
    room: Annotated[str, typer.Argument(help="The room's id.", metavar="ROOM")],
    url: Url = DEFAULT_URL,
    identity: IdentityFile = None,
    user: UserId = None,
    context: ContextId = None,
    known_users: KnownUsers = None,
) -> None:
    """Close a room you manage: who is in it is out, and nobody can join."""
    _run(Login(url, identity, user, context, known_users), lambda api: api.close_stream_room(room))
    explain(f"Room {room} is closed. To open it again: sealroom room reopen {room}")


@commands.command("reopen")
def reopen(
    room: Annotated[str, typer.Argument(help="The room's id.", metavar="ROOM")],
    url: Url = DEFAULT_URL,
    identity: IdentityFile = None,
    user: UserId = None,
    context: ContextId = None,
    known_users: KnownUsers = None,
) -> None:
    """Open a closed room you manage."""
    _run(Login(url, identity, user, context, known_users), lambda api: api.reopen_stream_room(room))
    explain(f"Room {room} is open.")


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
    _run(Login(url, identity, user, context, known_users), lambda api: api.delete_stream_room(room))
    explain(f"Room {room} is gone.")


def _run(login: Login, act: Callable[[StreamApi], Awaitable[None]]) -> None:
    async def work() -> None:
        async with log_in(login) as session:
            await act(session.api)

    asyncio.run(work())


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
