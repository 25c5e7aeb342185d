"""`sealroom user`: users of a context."""

from __future__ import annotations

from typing import Annotated

import typer

from sealroom.cli.admin_client import Administration
from sealroom.cli.identity import read_public_identity
from sealroom.cli.options import ContextArgument, Json, UserArgument, for_administrator
from sealroom.cli.output import explain, print_fields, print_json, print_result, tell_silent
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


@commands.command("show")
@for_administrator
def show(
    admin: Administration, context: ContextArgument, user: UserArgument, as_json: Json = False
) -> None:
    """Print a user's fingerprint, live sessions and access lines."""
    params = UserParams(context_id=context, user_id=user)
    found = admin.ask("admin.user_get", params, AdminUser)
    tell_silent(found.silent)
    if as_json:
        return print_json(found)
    return print_fields(
        [
            ("fingerprint", PublicIdentity.parse(found.identity).fingerprint_text),
            ("sessions", str(found.sessions)),
            *(("access", line) for line in (found.acl or "allow all").splitlines()),
        ]
    )


@commands.command("set-identity")
@for_administrator
def set_identity(
    admin: Administration,
    context: ContextArgument,
    user: UserArgument,
    identity: Annotated[
        str, typer.Argument(help="The new public identity, or a file with it.", metavar="IDENTITY")
    ],
) -> None:
    """Replace a user's key. Others' clients refuse it until they are told that it is right."""
    public = read_public_identity(identity)
    params = UserIdentityParams(context_id=context, user_id=user, identity=public.encode())
    admin.ask("admin.user_set_identity", params, User)
    explain(f"{user} is out of all rooms until a manager updates them, with fingerprint")
    print_result(public.fingerprint_text)


@commands.command("set-acl")
@for_administrator
def set_acl(
    admin: Administration,
    context: ContextArgument,
    user: UserArgument,
    line: Annotated[
        list[str] | None,
        typer.Option(help="As 'allow room.join room_id=ID'; may be repeated. None: everything."),
    ] = None,
) -> None:
    """Say what a user may call from now on, in sessions under way too."""
    acl = "\n".join(line) if line else None
    admin.order("admin.user_set_acl", UserAclParams(context_id=context, user_id=user, acl=acl))
    explain(f"{user} may call {'what the lines allow' if acl else 'everything'}.")


@commands.command("remove")
@for_administrator
def remove(admin: Administration, context: ContextArgument, user: UserArgument) -> None:
    """Remove a user and cut off its sessions."""
    admin.order("admin.user_remove", UserParams(context_id=context, user_id=user))
    explain(f"{user} is out of the context.")
