"""`sealroom user`: users of a context."""

from __future__ import annotations

from typing import Annotated

import typer

from sealroom.cli.admin_client import ask
from sealroom.cli.identity import read_public_identity
from sealroom.cli.options import DEFAULT_URL, AdminUrl, ApiKey, ApiKeyFile
from sealroom.cli.output import explain, print_result
from sealroom.identity import PublicIdentity
from sealroom.protocol import (
    AdminUser,
    User,
    UserAclParams,
    UserIdentityParams,
    UserParams,
)

commands = typer.Typer(
    help="Show, restrict and remove the users of a context. Needs the API key.",
    no_args_is_help=True,
)

ContextArgument = Annotated[str, typer.Argument(help="The context's id.", metavar="CONTEXT")]
UserArgument = Annotated[str, typer.Argument(help="The user's id.", metavar="USER")]


@commands.command("show")
def show(
    context: ContextArgument,
    user: UserArgument,
    url: AdminUrl = DEFAULT_URL,
    admin_key: ApiKey = None,
    admin_key_file: ApiKeyFile = None,
) -> None:
    """Print a user's fingerprint, live sessions and access lines."""
    params = UserParams(context_id=context, user_id=user)
    found = ask(url, admin_key, admin_key_file, "admin.user_get", params, AdminUser)
    print_result(f"fingerprint: {PublicIdentity.parse(found.identity).fingerprint_text}")
    print_result(f"sessions: {found.sessions}")
    for line in (found.acl or "allow all").splitlines():
        print_result(f"access: {line}")


@commands.command("set-identity")
def set_identity(
    context: ContextArgument,
    user: UserArgument,
    identity: Annotated[
        str, typer.Argument(help="The new public identity, or a file with it.", metavar="IDENTITY")
    ],
    url: AdminUrl = DEFAULT_URL,
    admin_key: ApiKey = None,
    admin_key_file: ApiKeyFile = None,
) -> None:
    """Replace a user's key. Others' clients refuse it until they are told that it is right."""
    public = read_public_identity(identity)
    params = UserIdentityParams(context_id=context, user_id=user, identity=public.encode())
    ask(url, admin_key, admin_key_file, "admin.user_set_identity", params, User)
    explain(f"{user} is out of all rooms until a manager updates them, with fingerprint")
    print_result(public.fingerprint_text)


@commands.command("set-acl")
def set_acl(
    context: ContextArgument,
    user: UserArgument,
    line: Annotated[
        list[str] | None,
        typer.Option(help="As 'allow room.join room_id=ID'; may be repeated. None: everything."),
    ] = None,
    url: AdminUrl = DEFAULT_URL,
    admin_key: ApiKey = None,
    admin_key_file: ApiKeyFile = None,
) -> None:
    """Say what a user may call from now on, in sessions under way too."""
    acl = "\n".join(line) if line else None
    params = UserAclParams(context_id=context, user_id=user, acl=acl)
    ask(url, admin_key, admin_key_file, "admin.user_set_acl", params)
    explain(f"{user} may call {'what the lines allow' if acl else 'everything'}.")


@commands.command("remove")
def remove(
    context: ContextArgument,
    user: UserArgument,
    url: AdminUrl = DEFAULT_URL,
    admin_key: ApiKey = None,
    admin_key_file: ApiKeyFile = None,
) -> None:
    """Remove a user and cut off its sessions."""
    params = UserParams(context_id=context, user_id=user)
    ask(url, admin_key, admin_key_file, "admin.user_remove", params)
    explain(f"{user} is out of the context.")
