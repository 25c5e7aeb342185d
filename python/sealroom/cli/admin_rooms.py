"""`sealroom admin`: rooms of others and who is in them, with the API key."""

from __future__ import annotations

from typing import Annotated, get_args

import typer

from sealroom.cli.admin_client import Administration
from sealroom.cli.errors import CommandError
from sealroom.cli.options import ContextArgument, Json, for_administrator
from sealroom.cli.output import (
    complain,
    explain,
    local_time,
    print_fields,
    print_json,
    print_table,
    tell_silent,
)
from sealroom.protocol import (
    MAX_DELETED_ROOMS,
    AdminParticipant,
    AdminRoomListParams,
    AdminRoomListResult,
    AdminRoomView,
    ErrorCode,
    ParticipantKickParams,
    ParticipantListParams,
    ParticipantListResult,
    RoomDeleteManyParams,
    RoomDeleteManyResult,
    RoomParams,
    RoomState,
)

commands = typer.Typer(
    help="Look after rooms of others with the API key. It opens nothing that is encrypted.",
    no_args_is_help=True,
)
room_commands = typer.Typer(
    help="Show, close, reopen and delete rooms; only what is public of them is shown.",
    no_args_is_help=True,
)
participant_commands = typer.Typer(
    help="List who is in rooms now, and throw participants out.", no_args_is_help=True
)
commands.add_typer(room_commands, name="room")
commands.add_typer(participant_commands, name="participant")

RoomArgument = Annotated[
    str,
    typer.Argument(help="The room's id, from 'sealroom admin room list'.", metavar="ROOM"),
]


@room_commands.command("list")
@for_administrator
def list_rooms(
    admin: Administration,
    context: ContextArgument,
    state: Annotated[
        str | None, typer.Option(help="Only rooms that are created, open or closed.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the rooms of a context, oldest first."""
    states: dict[str, RoomState] = {one: one for one in get_args(RoomState)}
    if state is not None and state not in states:
        raise CommandError(f"--state {state} is unknown. Remedy: one of {', '.join(states)}.")
    params = AdminRoomListParams(context_id=context, state=None if state is None else states[state])
    found = admin.list_all("admin.room_list", params, AdminRoomListResult, lambda page: page.rooms)
    if as_json:
        return print_json(found)
    return print_table(
        ("Room", "State", "Author", "Members", "Participants"),
        (
            (one.room_id, one.state, one.author, str(one.members), _number(one.participants))
            for one in found
        ),
    )


def _number(value: int | None) -> str:
    """None while the Bridge that knows does not answer."""
    return "?" if value is None else str(value)


@room_commands.command("show")
@for_administrator
def show_room(admin: Administration, room: RoomArgument, as_json: Json = False) -> None:
    """Print what is public of a room: state, members, policy. Titles are encrypted."""
    found = admin.ask("admin.room_get", RoomParams(room_id=room), AdminRoomView)
    if as_json:
        return print_json(found)
    return print_fields(
        [
            ("context", found.context_id),
            ("state", found.state),
            ("creator", found.creator),
            ("made", local_time(found.created_at)),
            ("changed", f"{local_time(found.modified_at)} by {found.author}"),
            ("version", str(found.version)),
            ("key", str(found.epoch)),
            ("type", found.room_type),
            ("empty room closes after", f"{found.empty_room_ttl:g} s"),
            ("participants", _number(found.participants)),
            ("streams", _number(found.streams)),
            *((one.role, one.user_id) for one in found.members),
            *(("policy", f"{name}={value}") for name, value in sorted(found.policy.items())),
        ]
    )


@room_commands.command("close")
@for_administrator
def close_room(admin: Administration, room: RoomArgument) -> None:
    """Close a room: who is in it is out, and nobody can join."""
    admin.order("admin.room_close", RoomParams(room_id=room))
    explain(f"Room {room} is closed. To open it again: sealroom admin room reopen {room}")


@room_commands.command("reopen")
@for_administrator
def reopen_room(admin: Administration, room: RoomArgument) -> None:
    """Open a closed room; if nobody joins, it closes after its time to live."""
    admin.order("admin.room_reopen", RoomParams(room_id=room))
    explain(f"Room {room} is open.")


@room_commands.command("delete")
@for_administrator
def delete_rooms(
    admin: Administration,
    rooms: Annotated[
        list[str], typer.Argument(help="Ids of the rooms, up to 100.", metavar="ROOM...")
    ],
) -> None:
    """Delete rooms with all that is in them; who is there is cut off.

    Each by itself: the exit code is 1 if one of them could not be deleted.
    """
    if len(rooms) > MAX_DELETED_ROOMS:
        raise CommandError(f"too many rooms. Remedy: name {MAX_DELETED_ROOMS} at most.")
    params = RoomDeleteManyParams(room_ids=rooms)
    found = admin.ask("admin.room_delete_many", params, RoomDeleteManyResult)
    report_deletions({one.room_id: one.error for one in found.rooms})


def report_deletions(errors: dict[str, int | None]) -> None:
    """Says what became of each room, by the code of its error.

    Raises:
        Exit: with 1 if one is there still.
    """
    for room_id, error in errors.items():
        if error is None:
            explain(f"Room {room_id} is gone.")
        else:
            complain(f"room {room_id} is not deleted: {ErrorCode(error).name}")
    if any(error is not None for error in errors.values()):
        raise typer.Exit(1)


@participant_commands.command("list")
@for_administrator
def list_participants(
    admin: Administration,
    context: ContextArgument,
    room: Annotated[str | None, typer.Option(help="Only those in this room.")] = None,
    as_json: Json = False,
) -> None:
    """List who is in the rooms of a context now, at all Bridges."""
    params = ParticipantListParams(context_id=context, room_id=room)
    silent: set[str] = set()

    def items(page: ParticipantListResult) -> list[AdminParticipant]:
        silent.update(page.silent)
        return page.participants

    found = admin.list_all("admin.participant_list", params, ParticipantListResult, items)
    tell_silent(silent)
    if as_json:
        return print_json(found)
    return print_table(
        ("Participant", "User", "Room", "Since", "Streams", "Receives", "Bytes in", "Bytes out"),
        (
            (
                one.participant_id,
                one.user_id,
                one.room_id,
                local_time(one.joined_at, seconds=True),
                str(one.streams),
                f"{one.subscribed_tracks} tracks",
                str(one.received_bytes),
                str(one.sent_bytes),
            )
            for one in found
        ),
    )


@participant_commands.command("kick")
@for_administrator
def kick(
    admin: Administration,
    room: RoomArgument,
    participant: Annotated[
        str,
        typer.Argument(
            help="The participant's id, from 'sealroom admin participant list'.",
            metavar="PARTICIPANT",
        ),
    ],
    note: Annotated[
        str | None, typer.Option(help="What that user is told.", metavar="TEXT")
    ] = None,
) -> None:
    """Throw a participant out of a room; its user stays a member and may join again."""
    params = ParticipantKickParams(room_id=room, participant_id=participant, note=note)
    admin.order("admin.participant_kick", params)
    explain(f"{participant} is out. To keep the user out: 'sealroom user remove' or 'set-acl'.")
