"""`sealroom demo`, `sealroom publish` and `sealroom watch`."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sealroom.cli.options import RoomArgument, for_member
from sealroom.cli.output import results
from sealroom.cli.publishing import publish_source
from sealroom.cli.session import Login
from sealroom.cli.watching import watch_room


class VideoCodec(StrEnum):
    """Codecs of `sealroom publish`."""

    VP8 = "vp8"
    VP9 = "vp9"
    H264 = "h264"
    AV1 = "av1"


def demo(
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="Length of the call.")] = 15,
    source: Annotated[
        str,
        typer.Option(
            "--input",
            metavar="FILE",
            help="Any media file for alice to send; 'test' for a test picture and tone.",
        ),
    ] = "test",
    output: Annotated[
        Path, typer.Option(help="Folder for report.json, received.png and received.mkv.")
    ] = Path("build/demo"),
) -> None:
    """Hold a whole encrypted call on this machine and measure it.

    A Bridge runs inside the program; alice publishes video and audio, bob receives them, mallory,
    who is no member of the room, is refused, and a tap on the media server tries to decode what it
    forwards. The exit code is 0 only if video and audio arrived, everything decrypted, and mallory
    and the tap got nothing.
    """
    from sealroom.demo import DemoOptions, run_demo

    options = DemoOptions(seconds=seconds, source=source, output=output)
    raise typer.Exit(run_demo(options, results()))


@for_member
def publish(
    login: Login,
    source: Annotated[
        str,
        typer.Argument(
            help="Any media file, or 'test' for a test picture and tone.", metavar="FILE"
        ),
    ],
    room: RoomArgument,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Stop after this long; default: to the end.")
    ] = None,
    codec: Annotated[VideoCodec, typer.Option(help="How pictures are encoded.")] = VideoCodec.VP8,
) -> None:
    """Send a media file into a room, in real time. Ctrl-C ends it.

    The exit code is 1 if it could not be sent to its end: it is damaged, the codec refuses its
    pictures, or the room is over.
    """
    asyncio.run(publish_source(login, source, room, seconds, codec.value))


@for_member
def watch(
    login: Login,
    room: RoomArgument,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Record into this Matroska file (.mkv); further streams get FILE-2, FILE-3, ...",
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="Stop after this long; default: when all streams, or the room, end."
        ),
    ] = None,
) -> None:
    """Receive every stream of a room, also those that begin later. Ctrl-C ends it.

    Who records needs the right to (a manager has it), and everybody in the room is told.
    The exit code is 1 if nothing arrived, something did not decrypt, or you were put out.
    """
    asyncio.run(watch_room(login, room, save, seconds))
