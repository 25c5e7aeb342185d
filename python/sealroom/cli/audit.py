"""`sealroom audit`: what was done at a Bridge."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from sealroom.cli.admin_client import ask
from sealroom.cli.options import DEFAULT_URL, AdminUrl, ApiKey, ApiKeyFile
from sealroom.cli.output import plain, results
from sealroom.protocol import MAX_PAGE_ITEMS, AuditListParams, AuditListResult

commands = typer.Typer(help="Read the audit log of a Bridge.", no_args_is_help=True)


@commands.callback()
def audit() -> None:
    """Read the audit log of a Bridge: who did what, and how it ended."""


@commands.command("list")
def list_entries(
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
    url: AdminUrl = DEFAULT_URL,
    admin_key: ApiKey = None,
    admin_key_file: ApiKeyFile = None,
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
    found = ask(url, admin_key, admin_key_file, "admin.audit_list", params, AuditListResult)
    table = Table(
        "Time", "Actor", "Action", "Object", "Outcome", "Details", box=None, pad_edge=False
    )
    for one in found.entries:
        cells = (
            f"{datetime.fromtimestamp(one.time / 1000).astimezone():%Y-%m-%d %H:%M:%S}",
            f"{one.actor_kind} {one.actor_id}".rstrip(),
            one.action,
            f"{one.object_kind} {one.object_id}".rstrip(),
            one.outcome,
            msgspec.json.encode(one.details).decode() if one.details else "",
        )
        table.add_row(*(Text(plain(cell)) for cell in cells))
    results().print(table)
