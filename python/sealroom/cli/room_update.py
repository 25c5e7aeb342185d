"""`sealroom room update`: everything that managers may change of a room."""

from __future__ import annotations

from typing import Annotated

import typer

from sealroom.cli.errors import CommandError
from sealroom.cli.options import RoomArgument, for_member
from sealroom.cli.output import explain
from sealroom.cli.room import Policy, Public, Ttl, run_as
from sealroom.cli.session import Login
from sealroom.cli.values import policy_entries
from sealroom.client import StreamApi, StreamRoom


@for_member
def update(
    login: Login,
    room: RoomArgument,
    title: Annotated[
        str | None, typer.Option(help="New title that only members can read.", metavar="TEXT")
    ] = None,
    add: Annotated[list[str] | None, typer.Option(help="User to let in; may be repeated.")] = None,
    add_manager: Annotated[
        list[str] | None,
        typer.Option(help="User to let in as a manager, or to promote; may be repeated."),
    ] = None,
    demote: Annotated[
        list[str] | None,
        typer.Option(help="Manager who is a user from now on; may be repeated."),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(help="Member to remove, at once and with a new key; may be repeated."),
    ] = None,
    policy: Policy = None,
    public: Public = None,
    ttl: Ttl = None,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Begin a new key although nobody is removed.")
    ] = False,
) -> None:
    """Change a room you manage, in a live call too. What is not named stays as it is."""
    entries = policy_entries(policy)

    async def work(api: StreamApi) -> StreamRoom:
        now = await api.get_stream_room(room)
        users, managers = _members(now, add or [], add_manager or [], demote or [], remove or [])
        return await api.update_stream_room(
            room,
            users=users,
            managers=managers,
            public_meta=None if public is None else public.encode(),
            private_meta=None if title is None else title.encode(),
            policy={**now.policy, **entries} if entries else None,
            version=now.version,
            force_generate_new_key=new_key,
            empty_room_ttl=ttl,
        )

    changed = run_as(login, work)
    explain(f"Room {room} is at version {changed.version}, key {changed.epoch}.")


def _members(
    now: StreamRoom, add: list[str], promote: list[str], demote: list[str], remove: list[str]
) -> tuple[list[str], list[str]]:
    """Returns users and managers after the changes."""
    for option, names, there in (
        ("--demote", demote, now.managers),
        ("--remove", remove, [*now.users, *now.managers]),
    ):
        for one in names:
            if one not in there:
                raise CommandError(
                    f"{option} {one}: no such member. Remedy: see 'sealroom room show'."
                )
    if twice := {*add, *promote} & {*demote, *remove} | {*demote} & {*remove}:
        raise CommandError(
            f"{', '.join(sorted(twice))}: named for two different changes. Remedy: make one at a"
            " time."
        )
    users = [one for one in now.users if one not in {*promote, *remove}]
    managers = [one for one in now.managers if one not in {*demote, *remove}]
    users += [one for one in (*add, *demote) if one not in {*users, *managers}]
    managers += [one for one in promote if one not in managers]
    return users, managers
