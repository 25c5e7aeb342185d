"""`sealroom key`: API keys of a Bridge."""

from __future__ import annotations

import time
from typing import Annotated, Any, cast

import typer

from sealroom.cli.admin_client import Administration
from sealroom.cli.errors import CommandError
from sealroom.cli.options import Json, for_administrator
from sealroom.cli.output import explain, local_time, print_json, print_result, print_table
from sealroom.protocol import (
    SCOPES,
    ApiKeyView,
    KeyCreated,
    KeyCreateParams,
    KeyListResult,
    KeyRevokeParams,
    PageParams,
)

commands = typer.Typer(
    help="Make, list and revoke API keys, each within what your own may do.", no_args_is_help=True
)

DAY_MS = 86_400_000


@commands.command("create")
@for_administrator
def create(
    admin: Administration,
    title: Annotated[str, typer.Argument(help="For people, to tell keys apart.", metavar="TITLE")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it may do, as rooms:read; may be repeated. Default: everything."),
    ] = None,
    days: Annotated[
        float | None, typer.Option(min=0.001, max=36500, help="Days until it ends; default: never.")
    ] = None,
) -> None:
    """Make an API key and print it; it is shown this once."""
    for one in scope or ():
        if one not in SCOPES:
            raise CommandError(f"--scope {one} is unknown. Remedy: one of {', '.join(SCOPES)}.")
    end = None if days is None else int(time.time() * 1000 + days * DAY_MS)
    params = KeyCreateParams(title=title, scopes=cast(Any, scope or ["*"]), expires_at=end)
    made = admin.ask("admin.key_create", params, KeyCreated)
    explain(f"Key {made.key.key_id}, shown only this once:")
    print_result(made.api_key)


@commands.command("list")
@for_administrator
def list_keys(admin: Administration, as_json: Json = False) -> None:
    """List the API keys with their scopes and last use, oldest first."""
    found = admin.list_all("admin.key_list", PageParams(), KeyListResult, lambda page: page.keys)
    if as_json:
        return print_json(found)
    return print_table(
        ("Key", "Title", "Scopes", "Ends", "Last used", "State"),
        (
            (
                one.key_id,
                one.title,
                ", ".join(one.scopes),
                local_time(one.expires_at),
                local_time(one.last_used_at),
                _state(one),
            )
            for one in found
        ),
    )


@commands.command("revoke")
@for_administrator
def revoke(
    admin: Administration,
    key: Annotated[str, typer.Argument(help="The key's id, from 'sealroom key list'.")],
) -> None:
    """Make an API key useless at once."""
    admin.order("admin.key_revoke", KeyRevokeParams(key_id=key))
    explain(f"Key {key} is revoked.")


def _state(key: ApiKeyView) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= time.time() * 1000 else ""
