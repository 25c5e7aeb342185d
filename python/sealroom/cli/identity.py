"""`sealroom identity`: make and show identities."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from sealroom.cli.errors import CommandError
from sealroom.cli.output import explain, print_result
from sealroom.identity import Identity, PublicIdentity

commands = typer.Typer(
    help="Make and show identities: the keys that say who you are.", no_args_is_help=True
)


class _PublicPart(msgspec.Struct):
    public: str


@commands.command("new")
def new(
    file: Annotated[
        Path, typer.Argument(help="File to make, readable by you only.", metavar="FILE")
    ],
    passphrase: Annotated[
        bool,
        typer.Option(
            "--passphrase",
            help="Protect it with a passphrase: asked for, or from SEALROOM_PASSPHRASE.",
        ),
    ] = False,
) -> None:
    """Make a new identity. Keep the file: it cannot be recovered, and nobody else may have it."""
    phrase = None
    if passphrase:
        phrase = os.environ.get("SEALROOM_PASSPHRASE") or typer.prompt(
            "Passphrase", hide_input=True, confirmation_prompt=True, err=True
        )
    identity = Identity.generate()
    identity.save(file, phrase)
    explain(f"Made {file}. Fingerprint, to compare with others:")
    print_result(identity.public.fingerprint_text)
    explain(
        "Next: give the administrator the output of"
        f" 'sealroom identity show {file} --public'; the file itself stays with you."
    )


@commands.command("show")
def show(
    file: Annotated[
        Path,
        typer.Argument(help="An identity file, or a file with a public identity.", metavar="FILE"),
    ],
    public: Annotated[
        bool, typer.Option("--public", help="The public identity instead of its fingerprint.")
    ] = False,
) -> None:
    """Show the fingerprint or the public identity; neither is secret. Needs no passphrase."""
    identity = read_public_identity(str(file))
    print_result(identity.encode() if public else identity.fingerprint_text)


def read_public_identity(text: str) -> PublicIdentity:
    """Takes a public identity, or the name of a file with one, or that of an identity file.

    Raises:
        CommandError: it is none of these.
        IdentityError: a public identity is malformed.
    """
    if text.startswith("sealroom:"):
        return PublicIdentity.parse(text)
    path = Path(text)
    if not path.is_file():
        raise CommandError(f"{text} is neither a public identity nor a file. Remedy: see --help.")
    content = path.read_bytes()
    if content.startswith(b"sealroom:"):
        return PublicIdentity.parse(content.decode("ascii", "replace").strip())
    try:
        return PublicIdentity.parse(msgspec.json.decode(content, type=_PublicPart).public)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise CommandError(f"{path} holds no identity. Remedy: sealroom identity new.") from None
