"""Options that several commands share; each can come from the environment instead."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_LOGIN = "Who you are"
_ADMIN = "Administration"

Url = Annotated[
    str,
    typer.Option(envvar="SEALROOM_URL", help="Address of the Bridge.", rich_help_panel=_LOGIN),
]
IdentityFile = Annotated[
    Path | None,
    typer.Option(
        "--identity",
        envvar="SEALROOM_IDENTITY",
        help="Your identity file, from 'sealroom identity new'.",
        rich_help_panel=_LOGIN,
    ),
]
UserId = Annotated[
    str | None,
    typer.Option(
        "--user",
        envvar="SEALROOM_USER",
        help="Your user id in the context.",
        rich_help_panel=_LOGIN,
    ),
]
ContextId = Annotated[
    str | None,
    typer.Option(
        "--context",
        envvar="SEALROOM_CONTEXT",
        help="The context's id, from 'sealroom context create'.",
        rich_help_panel=_LOGIN,
    ),
]
KnownUsers = Annotated[
    Path | None,
    typer.Option(
        "--known-users",
        envvar="SEALROOM_KNOWN_USERS",
        help="File that remembers other users' keys (default: in your data directory).",
        rich_help_panel=_LOGIN,
    ),
]
AdminUrl = Annotated[
    str,
    typer.Option(
        "--url", envvar="SEALROOM_URL", help="Address of the Bridge.", rich_help_panel=_ADMIN
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        "--admin-key",
        envvar="SEALROOM_ADMIN_KEY",
        help="API key of the Bridge. Better from the environment or a file: others see options.",
        rich_help_panel=_ADMIN,
    ),
]
ApiKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--admin-key-file",
        envvar="SEALROOM_ADMIN_KEY_FILE",
        help="File that holds the API key.",
        rich_help_panel=_ADMIN,
    ),
]

DEFAULT_URL = "ws://127.0.0.1:8700"
