"""`sealroom audit`: what was done at a Bridge."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated

import msgspec
import typer

from sealroom.cli.admin_client import Administration
from sealroom.cli.options import Json, for_administrator
from sealroom.cli.output import explain, local_time, print_json, print_table
from sealroom.protocol import (
    MAX_PAGE_ITEMS,
    AuditListParams,
    AuditListResult,
    AuditPruneParams,
    AuditPruneResult,
)

commands = typer.Typer(help="Read and prune the audit log of a Bridge.", no_args_is_help=True)


@commands.command("list")
@for_administrator
def list_entries(
    admin: Administration,
    context: Annotated[str | None, typer.Option(help="Only entries of this context.")] = None,
    actor: Annotated[
        str | None, typer.Option(help="Only what this user or API key did, by its id.")
    ] = None,
    action: Annotated[
        str | None, typer.Option(help="Only this action, as room.closed or admin.key_create.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Only from this time on, in local time.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(help="Only before this time, in local time.")
    ] = None,
    skip: Annotated[int, typer.Option(min=0, help="Leave out so many of the newest.")] = 0,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_PAGE_ITEMS, help="Show so many at most.")
    ] = MAX_PAGE_ITEMS,
    as_json: Json = False,
) -> None:
    """List one page of the audit log, newest first."""
    params = AuditListParams(
        context_id=context,
        actor_id=actor,
        action=action,
        since=None if since is None else int(since.timestamp() * 1000),
        until=None if until is None else int(until.timestamp() * 1000),
        skip=skip,
        limit=limit,
    )
    found = admin.ask("admin.audit_list", params, AuditListResult)
    if as_json:
        return print_json(found.entries)
    return print_table(
        ("Time", "Actor", "Action", "Object", "Outcome", "Details"),
        (
            (
                local_time(one.time, seconds=True),
                f"{one.actor_kind} {one.actor_id}".rstrip(),
                one.action,
                f"{one.object_kind} {one.object_id}".rstrip(),
                one.outcome,
                msgspec.json.encode(one.details).decode() if one.details else "",
            )
            for one in found.entries
        ),
    )


@commands.command("prune")
@for_administrator
def prune(
    admin: Administration,
    days: Annotated[
        float, typer.Option(min=1, max=36500, help="Keep the entries of so many days.")
    ],
) -> None:
    """Delete older entries, besides what the Bridge deletes by itself. That is an entry, too."""
    before = int((time.time() - days * 86400) * 1000) - 1000  # clocks differ
    found = admin.ask("admin.audit_prune", AuditPruneParams(before=before), AuditPruneResult)
    explain(f"{found.deleted} entries are gone.")
