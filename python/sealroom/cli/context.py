"""`sealroom context`: administration of contexts and their users."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from sealroom.cli.admin_client import administer, ask
from sealroom.cli.identity import read_public_identity
from sealroom.cli.options import DEFAULT_URL, AdminUrl, ApiKey, ApiKeyFile
from sealroom.cli.output import explain, plain, print_result, results
from sealroom.identity import PublicIdentity
from sealroom.protocol import (
    AdminRoomListParams,
    AdminRoomListResult,
    Context,
    ContextCreateParams,
    ContextListResult,
    ContextPageParams,
    ContextParams,
    ContextUsersResult,
    PageParams,
    RoomSummary,
    User,
    UserAddParams,
)

commands = typer.Typer(
    help="Administer contexts, the closed groups of users that rooms belong to. Needs the API key.",
    no_args_is_help=True,
)

ContextArgument = Annotated[str, typer.Argument(help="The context's id.", metavar="CONTEXT")]


@commands.command("create")
def create(
    title: Annotated[str, typer.Argument(help="For people, as the team's name.", metavar="TITLE")],
    url: AdminUrl = DEFAULT_URL,
    admin_key: ApiKey = None,
    admin_key_file: ApiKeyFile = None,
) -> None:
    """Make a context and print its id."""

    async def work() -> Context:
        async with administer(url, admin_key, admin_key_file) as bridge:
            return await bridge.call(
                "admin.context_create", ContextCreateParams(title=title), Context
            )

    context = asyncio.run(work())
    print_result(context.context_id)
    explain(f"Next: sealroom context add-user {context.context_id} USER IDENTITY")


@commands.command("list")
def list_contexts(
    url: AdminUrl = DEFAULT_URL, admin_key: ApiKey = None, admin_key_file: ApiKeyFile = None
) -> None:
    """List the contexts of the Bridge, oldest first."""

    async def work() -> list[Context]:
        found: list[Context] = []
        async with administer(url, admin_key, admin_key_file) as bridge:
            while True:
                params = PageParams(skip=len(found))
                page = await bridge.call("admin.context_list", params, ContextListResult)
                found += page.contexts
                if not page.contexts or len(found) >= page.total:
                    return found

    table = Table(box=None, pad_edge=False)
    table.add_column("Context", no_wrap=True, min_width=32)
    table.add_column("Title")
    for one in asyncio.run(work()):
        table.add_row(one.context_id, Text(plain(one.title)))
    results().print(table)


@commands.command("add-user")
def add_user(
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
    url: AdminUrl = DEFAULT_URL,
    admin_key: ApiKey = None,
    admin_key_file: ApiKeyFile = None,
) -> None:
    """Register a user with the public identity that only they can prove to be theirs."""
    public = read_public_identity(identity)
    params = UserAddParams(context_id=context, user_id=user, identity=public.encode())

    async def work() -> None:
        async with administer(url, admin_key, admin_key_file) as bridge:
            await bridge.call("admin.user_add", params, User)

    asyncio.run(work())
    explain(f"{user} is in the context, with fingerprint")
    print_result(public.fingerprint_text)


@commands.command("users")
def users(
    context: ContextArgument,
    url: AdminUrl = DEFAULT_URL,
    admin_key: ApiKey = None,
    admin_key_file: ApiKeyFile = None,
) -> None:
    """List the users of a context with their fingerprints."""

    async def work() -> list[User]:
        found: list[User] = []
        async with administer(url, admin_key, admin_key_file) as bridge:
            while True:
                params = ContextPageParams(context_id=context, skip=len(found))
                page = await bridge.call("admin.user_list", params, ContextUsersResult)
                found += page.users
                if not page.users or len(found) >= page.total:
                    return found

    table = Table("User", "Fingerprint", box=None, pad_edge=False)
    for one in asyncio.run(work()):
        fingerprint = PublicIdentity.parse(one.identity).fingerprint_text
        table.add_row(Text(plain(one.user_id)), fingerprint)
    results().print(table)


@commands.command("delete")
def delete(
    context: ContextArgument,
    url: AdminUrl = DEFAULT_URL,
    admin_key: ApiKey = None,
    admin_key_file: ApiKeyFile = None,
) -> None:
    """Delete a context with its rooms and users; everybody in it is cut off."""
    ask(url, admin_key, admin_key_file, "admin.context_delete", ContextParams(context_id=context))
    explain(f"Context {context} is gone.")


@commands.command("rooms")
def rooms(
    context: ContextArgument,
    url: AdminUrl = DEFAULT_URL,
    admin_key: ApiKey = None,
    admin_key_file: ApiKeyFile = None,
) -> None:
    """List the rooms of a context: what is public of them."""
    found: list[RoomSummary] = []
    while True:
        params = AdminRoomListParams(context_id=context, skip=len(found))
        page = ask(url, admin_key, admin_key_file, "admin.room_list", params, AdminRoomListResult)
        found += page.rooms
        if not page.rooms or len(found) >= page.total:
            break
    table = Table("Room", "State", "Author", "Members", "Participants", box=None, pad_edge=False)
    for one in found:
        author = Text(plain(one.author))
        there = "?" if one.participants is None else str(one.participants)
        table.add_row(one.room_id, one.state, author, str(one.members), there)
    results().print(table)
