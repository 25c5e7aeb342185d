"""`sealroom room`: make, list, show, close and delete rooms; `room_update` changes them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from sealroom.cli.admin_rooms import report_deletions
from sealroom.cli.options import Json, RoomArgument, for_member
from sealroom.cli.output import (
    complain,
    explain,
    local_time,
    print_fields,
    print_json,
    print_result,
    print_table,
)
from sealroom.cli.session import Login, log_in
from sealroom.cli.values import field_filter, policy_entries
from sealroom.client import StreamApi, StreamRoom, StreamRoomList

commands = typer.Typer(
    help="Make, list, change, close and delete rooms. Only members can read a room's title.",
    no_args_is_help=True,
)

PAGE = 100
MAX_TTL = 604_800

T = TypeVar("T")

Policy = Annotated[
    list[str] | None,
    typer.Option(help="Who has a right, as in record=user; may be repeated.", metavar="RIGHT=WHO"),
]
Ttl = Annotated[
    float | None,
    typer.Option(min=0, max=MAX_TTL, help="Seconds after which the room closes while it is empty."),
]
Public = Annotated[
    str | None,
    typer.Option(
        help="Metadata that the server can read; of a JSON object, 'list --where' finds fields.",
        metavar="TEXT",
    ),
]


@commands.command("create")
@for_member
def create(
    login: Login,
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
    policy: Policy = None,
    public: Public = None,
    room_type: Annotated[
        str, typer.Option("--type", help="Kind of room, which never changes, for 'list --type'.")
    ] = "",
    ttl: Ttl = None,
) -> None:
    """Make a room and print its id. Members' keys are remembered when first seen."""
    entries = policy_entries(policy)

    async def work() -> str:
        async with log_in(login) as session:
            return await session.api.create_stream_room(
                session.context_id,
                users=member or [],
                managers=manager or [],
                public_meta=(public or "").encode(),
                private_meta=title.encode(),
                policy=entries,
                empty_room_ttl=ttl,
                room_type=room_type,
            )

    room_id = asyncio.run(work())
    print_result(room_id)
    explain(f"Next: sealroom publish test {room_id}, and as a member: sealroom watch {room_id}")


@commands.command("list")
@for_member
def list_rooms(
    login: Login,
    room_type: Annotated[
        str | None, typer.Option("--type", help="Only rooms made with this type.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="Only rooms whose public metadata has this field, as kind=lecture; may be"
            " repeated.",
            metavar="FIELD=VALUE",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the rooms you are a member of, newest first."""
    wanted = field_filter(where)

    async def work(api: StreamApi) -> StreamRoomList:
        found = StreamRoomList(0, [], [])
        while True:
            skip = len(found.rooms) + len(found.refused)
            page = await api.list_stream_rooms(
                skip=skip, limit=PAGE, filter=wanted, room_type=room_type
            )
            found.rooms.extend(page.rooms)
            found.refused.extend(page.refused)
            if not page.rooms and not page.refused:
                return found

    listing = run_as(login, work)
    if as_json:
        print_json([_view(one) for one in listing.rooms])
    else:
        print_table(
            ("Room", "Title", "State", "Made", "Managers", "Users"),
            (
                (
                    one.room_id,
                    _title(one),
                    one.state,
                    local_time(one.created_at),
                    ", ".join(one.managers),
                    ", ".join(one.users),
                )
                for one in listing.rooms
            ),
        )
    for refused in listing.refused:
        complain(f"room {refused.room_id} does not verify and is left out: {refused.error}")
    if listing.refused:
        raise typer.Exit(1)


@commands.command("show")
@for_member
def show(login: Login, room: RoomArgument, as_json: Json = False) -> None:
    """Print a room as its signed record says: title, members, policy, and the safety number.

    Compare the safety number with other members, over another way than this: who sees the same one
    sees the same members with the same keys.
    """

    async def work(api: StreamApi) -> tuple[StreamRoom, str]:
        return await api.get_stream_room(room), await api.room_safety_number(room)

    found, number = run_as(login, work)
    if as_json:
        return print_json({**_view(found), "safety_number": number})
    return print_fields(
        [
            ("title", _title(found)),
            ("state", found.state),
            ("creator", found.creator),
            ("made", local_time(found.created_at)),
            ("changed", f"{local_time(found.modified_at)} by {found.last_modifier}"),
            ("version", str(found.version)),
            ("key", str(found.epoch)),
            ("type", found.room_type),
            ("empty room closes after", f"{found.empty_room_ttl:g} s"),
            ("public", found.public_meta.decode("utf-8", "replace")),
            *(("manager", one) for one in found.managers),
            *(("user", one) for one in found.users),
            *(("policy", f"{name}={value}") for name, value in sorted(found.policy.items())),
            ("safety number", number),
        ]
    )


@commands.command("close")
@for_member
def close(login: Login, room: RoomArgument) -> None:
    """Close a room you manage: who is in it is out, and nobody can join."""
    run_as(login, lambda api: api.close_stream_room(room))
    explain(f"Room {room} is closed. To open it again: sealroom room reopen {room}")


@commands.command("reopen")
@for_member
def reopen(login: Login, room: RoomArgument) -> None:
    """Open a closed room you manage."""
    run_as(login, lambda api: api.reopen_stream_room(room))
    explain(f"Room {room} is open.")


@commands.command("delete")
@for_member
def delete(
    login: Login,
    rooms: Annotated[
        list[str], typer.Argument(help="Ids of the rooms, up to 100.", metavar="ROOM...")
    ],
) -> None:
    """Delete rooms you manage; who is in them is out at once.

    Each by itself: the exit code is 1 if one of them could not be deleted.
    """
    if len(rooms) == 1:  # refused with what to do about it
        run_as(login, lambda api: api.delete_stream_room(rooms[0]))
        return explain(f"Room {rooms[0]} is gone.")
    return report_deletions(run_as(login, lambda api: api.delete_stream_rooms(rooms)))


def run_as(login: Login, act: Callable[[StreamApi], Awaitable[T]]) -> T:
    """Logs in, acts, logs out."""

    async def work() -> T:
        async with log_in(login) as session:
            return await act(session.api)

    return asyncio.run(work())


def _view(room: StreamRoom) -> dict[str, Any]:
    view: dict[str, Any] = msgspec.to_builtins(room)
    return {"title": _title(room), **view}


def _title(room: StreamRoom) -> str:
    return room.private_meta.decode("utf-8", "replace")
