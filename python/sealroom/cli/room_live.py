"""Who is in a room now, what is published there, out with somebody, and who somebody is."""

from __future__ import annotations

from typing import Annotated

import typer

from sealroom.cli.options import Json, RoomArgument, for_member
from sealroom.cli.output import complain, explain, local_time, print_json, print_result, print_table
from sealroom.cli.room import run_as
from sealroom.cli.session import Login
from sealroom.client import StreamInfo, StreamTrackInfo


@for_member
def participants(login: Login, room: RoomArgument, as_json: Json = False) -> None:
    """List who is in a room now; a user may be there several times. Joins nothing."""
    found = run_as(login, lambda api: api.list_stream_room_participants(room))
    if as_json:
        return print_json(found)
    return print_table(
        ("Participant", "User", "Since", "Records", "Streams"),
        (
            (
                one.participant_id,
                one.user_id,
                local_time(one.joined_at, seconds=True),
                "yes" if one.is_recording else "",
                str(len(one.stream_ids)),
            )
            for one in found
        ),
    )


@for_member
def streams(login: Login, room: RoomArgument, as_json: Json = False) -> None:
    """List what is published in a room now, as its publishers have signed it. Joins nothing.

    The exit code is 1 if a stream does not verify.
    """
    found = run_as(login, lambda api: api.list_stream_room_streams(room))
    if as_json:
        print_json(found.streams)
    else:
        print_table(
            ("Stream", "User", "Title", "Tracks"),
            ((one.stream_id, one.user_id, one.title, _tracks(one)) for one in found.streams),
        )
    for refused in found.refused:
        complain(f"stream {refused.stream_id} does not verify and is left out: {refused.error}")
    if found.refused:
        raise typer.Exit(1)


@for_member
def kick(
    login: Login,
    room: RoomArgument,
    participant: Annotated[
        str,
        typer.Argument(
            help="The participant's id, from 'sealroom room participants'.", metavar="PARTICIPANT"
        ),
    ],
) -> None:
    """Throw a participant out of a room you manage; its user stays a member and may come back."""
    run_as(login, lambda api: api.kick_participant(room, participant))
    explain(f"{participant} is out. To keep the user out: sealroom room update {room} --remove")


@for_member
def compare(
    login: Login,
    with_user: Annotated[
        str, typer.Argument(help="Another user of the context, by id.", metavar="USER")
    ],
) -> None:
    """Print the number to compare with another user, who sees the same one if no key is false.

    Compare it over another way than this: in person, or on the telephone.
    """
    print_result(run_as(login, lambda api: api.safety_number(with_user)))


def _tracks(stream: StreamInfo) -> str:
    return ", ".join(_track(one) for one in stream.tracks)


def _track(track: StreamTrackInfo) -> str:
    name = f" {track.name}" if track.name else ""
    return f"{track.kind} {track.codec}{name}{'' if track.enabled else ' (muted)'}"
