"""`sealroom key`: API keys of a Bridge."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Any, cast

import typer
from rich.table import Table
from rich.text import Text

from sealroom.cli.admin_client import ask
from sealroom.cli.errors import CommandError
from sealroom.cli.options import DEFAULT_URL, AdminUrl, ApiKey, ApiKeyFile
from sealroom.cli.output import explain, plain, print_result, results
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
def create(
    title: Annotated[str, typer.Argument(help="For people, to tell keys apart.", metavar="TITLE")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it may do, as rooms:read; may be repeated. Default: everything."),
    ] = None,
    days: Annotated[
        float | None, typer.Option(min=0.001, max=36500, help="Days until it ends; default: never.")
    ] = None,
    url: AdminUrl = DEFAULT_URL,
    admin_key: ApiKey = None,
    admin_key_file: ApiKeyFile = None,
) -> None:
    """Make an API key and print it; it is shown this once."""
    for one in scope or ():
        if one not in SCOPES:
            raise CommandError(f"--scope {one} is unknown. Remedy: one of {', '.join(SCOPES)}.")
    end = None if days is None else int(time.time() * 1000 + days * DAY_MS)
    params = KeyCreateParams(title=title, scopes=cast(Any, scope or ["*"]), expires_at=end)
    made = ask(url, admin_key, admin_key_file, "admin.key_create", params, KeyCreated)
    explain(f"Key {made.key.key_id}, shown only this once:")
    print_result(made.api_key)


@commands.command("list")
def list_keys(
    url: AdminUrl = DEFAULT_URL, admin_key: ApiKey = None, admin_key_file: ApiKeyFile = None
) -> None:
    """List the API keys with their scopes and last use, oldest first."""
    found: list[ApiKeyView] = []
    while True:
        params = PageParams(skip=len(found))
        page = ask(url, admin_key, admin_key_file, "admin.key_list", params, KeyListResult)
        found += page.keys
        if not page.keys or len(found) >= page.total:
            break
    table = Table("Key", "Title", "Scopes", "Ends", "Last used", "State", box=None, pad_edge=False)
    for one in found:
        cells = (
            one.key_id,
            one.title,
            ", ".join(one.scopes),
            _time(one.expires_at),
            _time(one.last_used_at),
            _state(one),
        )
        table.add_row(*(Text(plain(cell)) for cell in cells))
    results().print(table)


@commands.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id, from 'sealroom key list'.")],
    url: AdminUrl = DEFAULT_URL,
    admin_key: ApiKey = None,
    admin_key_file: ApiKeyFile = None,
) -> None:
    """Make an API key useless at once."""
    ask(url, admin_key, admin_key_file, "admin.key_revoke", KeyRevokeParams(key_id=key))
    explain(f"Key {key} is revoked.")


def _state(key: ApiKeyView) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= time.time() * 1000 else ""


def _time(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "never"
    return f"{datetime.fromtimestamp(milliseconds / 1000).astimezone():%Y-%m-%d %H:%M}"
