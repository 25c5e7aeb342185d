"""`sealroom statistics`: figures of a Bridge, of all, of a context or a room, as JSON."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from sealroom.cli.admin_client import Administration
from sealroom.cli.errors import CommandError
from sealroom.cli.options import for_administrator
from sealroom.cli.output import print_json
from sealroom.protocol import (
    BridgeListResult,
    BridgeStatistics,
    ContextParams,
    ContextStatistics,
    Empty,
    RoomParams,
    RoomStatisticsView,
)


@for_administrator
def statistics(
    admin: Administration,
    context: Annotated[str | None, typer.Option(help="Only those of this context.")] = None,
    room: Annotated[str | None, typer.Option(help="Only those of this room.")] = None,
    all_bridges: Annotated[
        bool, typer.Option("--all-bridges", help="Those of every Bridge on the database.")
    ] = False,
) -> None:
    """Print participants, streams, sessions, bytes and the media server's figures as JSON.

    Of a context and a room they are those of all Bridges, else of the one that is asked.
    """
    found: msgspec.Struct
    if (context is not None) + (room is not None) + all_bridges > 1:
        raise CommandError(
            "--context, --room and --all-bridges do not go together. Remedy: give one of them."
        )
    if room is not None:
        params = RoomParams(room_id=room)
        method = "admin.room_statistics"
        found = admin.ask(method, params, RoomStatisticsView)
    elif context is not None:
        of = ContextParams(context_id=context)
        method = "admin.context_statistics"
        found = admin.ask(method, of, ContextStatistics)
    elif all_bridges:
        method = "admin.bridge_list"
        found = admin.ask(method, Empty(), BridgeListResult)
    else:
        method = "admin.statistics"
        found = admin.ask(method, Empty(), BridgeStatistics)
    print_json(found)
