"""Options that several commands share; each can come from the environment instead.

A command that logs in takes a `Login` first and is wrapped by `for_member`; one that administers
takes an `Administration` and is wrapped by `for_administrator`. Both add the options to its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, cast

import typer

from sealroom.cli.admin_client import Administration
from sealroom.cli.session import Login

_LOGIN = "Who you are"
_ADMIN = "Administration"
DEFAULT_URL = "ws://127.0.0.1:8700"

_Own = ParamSpec("_Own")

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
RoomArgument = Annotated[
    str, typer.Argument(help="The room's id, from 'sealroom room list'.", metavar="ROOM")
]
ContextArgument = Annotated[
    str,
    typer.Argument(help="The context's id, from 'sealroom context list'.", metavar="CONTEXT"),
]
UserArgument = Annotated[str, typer.Argument(help="The user's id.", metavar="USER")]


def for_member(command: Callable[Concatenate[Login, _Own], None]) -> Callable[..., None]:
    """Gives a command the options that say who logs in, in place of its first parameter."""
    return _with_options(command, _login)


def for_administrator(
    command: Callable[Concatenate[Administration, _Own], None],
) -> Callable[..., None]:
    """Gives a command the options of administration, in place of its first parameter."""
    return _with_options(command, _administration)


def _login(
    url: Annotated[
        str,
        typer.Option(envvar="SEALROOM_URL", help="Address of the Bridge.", rich_help_panel=_LOGIN),
    ] = DEFAULT_URL,
    identity: Annotated[
        Path | None,
        typer.Option(
            envvar="SEALROOM_IDENTITY",
            help="Your identity file, from 'sealroom identity new'.",
            rich_help_panel=_LOGIN,
        ),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            envvar="SEALROOM_USER", help="Your user id in the context.", rich_help_panel=_LOGIN
        ),
    ] = None,
    context: Annotated[
        str | None,
        typer.Option(
            envvar="SEALROOM_CONTEXT",
            help="The context's id, from 'sealroom context create'.",
            rich_help_panel=_LOGIN,
        ),
    ] = None,
    known_users: Annotated[
        Path | None,
        typer.Option(
            envvar="SEALROOM_KNOWN_USERS",
            help="File that remembers other users' keys (default: in your data directory).",
            rich_help_panel=_LOGIN,
        ),
    ] = None,
) -> Login:
    return Login(url, identity, user, context, known_users)


def _administration(
    url: Annotated[
        str,
        typer.Option(envvar="SEALROOM_URL", help="Address of the Bridge.", rich_help_panel=_ADMIN),
    ] = DEFAULT_URL,
    admin_key: Annotated[
        str | None,
        typer.Option(
            envvar="SEALROOM_ADMIN_KEY",
            help="API key of the Bridge. Better from the environment or a file: others see"
            " options.",
            rich_help_panel=_ADMIN,
        ),
    ] = None,
    admin_key_file: Annotated[
        Path | None,
        typer.Option(
            envvar="SEALROOM_ADMIN_KEY_FILE",
            help="File that holds the API key.",
            rich_help_panel=_ADMIN,
        ),
    ] = None,
) -> Administration:
    return Administration(url, admin_key, admin_key_file)


def _with_options(
    command: Callable[..., None], make: Callable[..., Login | Administration]
) -> Callable[..., None]:
    shared = inspect.signature(make, eval_str=True).parameters
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    parameters = [
        one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *shared.values())
    ]

    @wraps(command)
    def wrapper(**values: Any) -> None:
        first = make(**{name: values.pop(name) for name in shared})
        command(first, **values)

    # What typer reads the options from.
    cast(Any, wrapper).__signature__ = inspect.Signature(parameters)
    wrapper.__annotations__ = {one.name: one.annotation for one in parameters}
    return wrapper
