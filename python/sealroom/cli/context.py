"""`sealroom context`: administration of contexts and their users."""

from __future__ import annotations

from typing import Annotated

import typer

from sealroom.cli.admin_client import Administration
from sealroom.cli.errors import CommandError
from sealroom.cli.identity import read_public_identity
from sealroom.cli.options import ContextArgument, Json, for_administrator
from sealroom.cli.output import (
    explain,
    local_time,
    print_fields,
    print_json,
    print_result,
    print_table,
)
from sealroom.cli.values import policy_entries
from sealroom.identity import PublicIdentity
from sealroom.protocol import (
    Context,
    ContextCreateParams,
    ContextDetails,
    ContextListResult,
    ContextPageParams,
    ContextParams,
    ContextUpdateParams,
    ContextUsersResult,
    PageParams,
    User,
    UserIdentityParams,
)

commands = typer.Typer(
    help="Administer contexts, the closed groups of users that rooms belong to. Needs the API key.",
    no_args_is_help=True,
)


@commands.command("create")
@for_administrator
def create(
    admin: Administration,
    title: Annotated[str, typer.Argument(help="For people, as the team's name.", metavar="TITLE")],
) -> None:
    """Make a context and print its id."""
    made = admin.ask("admin.context_create", ContextCreateParams(title=title), Context)
    print_result(made.context_id)
    explain(f"Next: sealroom context add-user {made.context_id} USER IDENTITY")


@commands.command("list")
@for_administrator
def list_contexts(admin: Administration, as_json: Json = False) -> None:
    """List the contexts of the Bridge, oldest first."""
    found = admin.list_all(
        "admin.context_list", PageParams(), ContextListResult, lambda page: page.contexts
    )
    if as_json:
        return print_json(found)
    return print_table(("Context", "Title"), ((one.context_id, one.title) for one in found))


@commands.command("show")
@for_administrator
def show(admin: Administration, context: ContextArgument, as_json: Json = False) -> None:
    """Print a context's title and what it asks of the policies of its rooms."""
    found = _context(admin, context)
    if as_json:
        return print_json(found)
    return print_fields(
        [
            ("title", found.title),
            ("made", local_time(found.created_at)),
            *(("policy", f"{name}={value}") for name, value in sorted(found.policy.items())),
        ]
    )


@commands.command("update")
@for_administrator
def update(
    admin: Administration,
    context: ContextArgument,
    title: Annotated[str | None, typer.Option(help="New title.", metavar="TEXT")] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="What the policy of every new room must say, as in record=user; may be repeated.",
            metavar="ENTRY=VALUE",
        ),
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(help="Entry that rooms need not say any more; may be repeated."),
    ] = None,
) -> None:
    """Change a context's title or policy. Rooms that are there already stay as they are."""
    if title is None and not policy and not drop:
        raise CommandError("there is nothing to change. Remedy: give --title, --policy or --drop.")
    entries: dict[str, str] | None = None
    if policy or drop:
        entries = _context(admin, context).policy | policy_entries(policy)
        for name in drop or ():
            if entries.pop(name, None) is None:
                raise CommandError(
                    f"--drop {name} is no entry of this context. Remedy: see"
                    f" 'sealroom context show {context}'."
                )
    params = ContextUpdateParams(context_id=context, title=title, policy=entries)
    changed = admin.ask("admin.context_update", params, ContextDetails)
    said = ", ".join(f"{name}={value}" for name, value in sorted(changed.policy.items()))
    explain(f"Context {context} is titled {changed.title!r}, its policy is {said or 'empty'}.")


@commands.command("add-user")
@for_administrator
def add_user(
    admin: Administration,
    context: ContextArgument,
    user: Annotated[
        str, typer.Argument(help="Id for the user, for instance 'alice'.", metavar="USER")
    ],
    identity: Annotated[
        str,
        typer.Argument(
            help="The user's public identity, or a file with it, or the user's identity file.",
            metavar="IDENTITY",
        ),
    ],
) -> None:
    """Register a user with the public identity that only they can prove to be theirs."""
    public = read_public_identity(identity)
    params = UserIdentityParams(context_id=context, user_id=user, identity=public.encode())
    admin.ask("admin.user_add", params, User)
    explain(f"{user} is in the context, with fingerprint")
    print_result(public.fingerprint_text)


@commands.command("users")
@for_administrator
def users(admin: Administration, context: ContextArgument, as_json: Json = False) -> None:
    """List the users of a context with their fingerprints."""
    params = ContextPageParams(context_id=context)
    found = admin.list_all("admin.user_list", params, ContextUsersResult, lambda page: page.users)
    if as_json:
        return print_json(found)
    rows = ((one.user_id, PublicIdentity.parse(one.identity).fingerprint_text) for one in found)
    return print_table(("User", "Fingerprint"), rows)


@commands.command("delete")
@for_administrator
def delete(admin: Administration, context: ContextArgument) -> None:
    """Delete a context with its rooms and users; everybody in it is cut off."""
    admin.order("admin.context_delete", ContextParams(context_id=context))
    explain(f"Context {context} is gone.")


def _context(admin: Administration, context: str) -> ContextDetails:
    return admin.ask("admin.context_get", ContextParams(context_id=context), ContextDetails)
