"""Puts the commands together and turns every failure into one line and an exit code."""

from __future__ import annotations

import typer

from sealroom.cli import (
    admin_rooms,
    audit,
    bridge,
    call,
    context,
    identity,
    key,
    room,
    room_events,
    room_live,
    room_update,
    statistics,
    user,
)
from sealroom.cli.errors import describe
from sealroom.cli.output import complain
from sealroom.errors import SealroomError

app = typer.Typer(
    name="sealroom",
    help=(
        "End-to-end encrypted Stream Rooms: audio and video that the servers in between cannot"
        " read.\n\n"
        "Try it on this machine: [bold]sealroom demo[/bold]. For a call of your own: start a"
        " server with [bold]sealroom bridge[/bold], make an identity for each user with"
        " [bold]sealroom identity new[/bold], a context with [bold]sealroom context create[/bold],"
        " a room with [bold]sealroom room create[/bold], then [bold]sealroom publish[/bold] in one"
        " terminal and [bold]sealroom watch[/bold] in another."
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(call.demo)
app.command("bridge")(bridge.bridge)
app.add_typer(identity.commands, name="identity")
app.add_typer(context.commands, name="context")
app.add_typer(user.commands, name="user")
app.add_typer(room.commands, name="room")
room.commands.command("update")(room_update.update)
room.commands.command("participants")(room_live.participants)
room.commands.command("streams")(room_live.streams)
room.commands.command("kick")(room_live.kick)
room.commands.command("send")(room_events.send)
room.commands.command("events")(room_events.events)
identity.commands.command("compare")(room_live.compare)
context.commands.command("rooms")(admin_rooms.list_rooms)
app.add_typer(admin_rooms.commands, name="admin")
app.add_typer(key.commands, name="key")
app.add_typer(audit.commands, name="audit")
app.command("statistics")(statistics.statistics)
app.command("publish")(call.publish)
app.command("watch")(call.watch)


def run() -> int:
    """Runs the command of this process; returns its exit code unless typer exits first."""
    try:
        app(prog_name="sealroom")
    except (SealroomError, OSError) as error:
        complain(describe(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
