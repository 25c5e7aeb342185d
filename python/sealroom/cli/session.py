"""Logs the user of a command in."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import typer

from sealroom.cli.errors import CommandError
from sealroom.client import Connection, Reconnect, StreamApi
from sealroom.identity import (
    Identity,
    PassphraseError,
    RoomPinFile,
    TrustOnFirstUse,
    default_pin_file,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Login:
    """What the log-in options said."""

    url: str
    identity: Path | None
    user_id: str | None
    context_id: str | None
    known_users: Path | None = None
    """File of pinned keys; that of pinned rooms, `known_rooms.json`, is in the same folder."""


@dataclass(frozen=True, slots=True)
class Session:
    """A logged-in user."""

    connection: Connection
    api: StreamApi

    @property
    def context_id(self) -> str:
        return self.connection.context_id

    def check_open(self) -> None:
        """Raises CommandError if the Bridge is gone."""
        if self.connection.is_closed:
            raise CommandError("the Bridge closed the connection. Remedy: see whether it runs.")


@asynccontextmanager
async def log_in(login: Login) -> AsyncIterator[Session]:
    """Connects and logs in; leaves all rooms and logs out at the end.

    Raises:
        CommandError: an option is missing.
        SealroomError: the identity does not load, or the Bridge does not answer or refuses.
    """
    users = login.known_users or default_pin_file()
    path = _required(login.identity, "--identity", "SEALROOM_IDENTITY")
    user_id = _required(login.user_id, "--user", "SEALROOM_USER")
    context_id = _required(login.context_id, "--context", "SEALROOM_CONTEXT")
    connection = await Connection.connect(
        login.url,
        identity=load_identity(path),
        user_id=user_id,
        context_id=context_id,
        trust=TrustOnFirstUse(users),
        room_pins=RoomPinFile(users.with_name("known_rooms.json")),
        # Long enough for a Bridge to start again, short enough for somebody who waits to be told.
        reconnect=Reconnect(give_up_after=15.0),
    )
    api = StreamApi(connection, host_addresses=host_addresses(login.url))
    try:
        yield Session(connection, api)
    finally:
        await api.close()
        await connection.close()


def load_identity(path: Path) -> Identity:
    """Reads an identity file, with a passphrase from the environment or the terminal if needed.

    Raises:
        CommandError: there is no such file.
        IdentityFileError: it is not readable or not an identity.
    """
    if not path.exists():
        raise CommandError(f"there is no {path}. Remedy: sealroom identity new {path}.")
    passphrase = os.environ.get("SEALROOM_PASSPHRASE")
    try:
        return Identity.load(path)
    except PassphraseError:
        if passphrase is None and not sys.stdin.isatty():
            raise
    if passphrase is None:
        passphrase = typer.prompt(f"Passphrase of {path}", hide_input=True, err=True)
    return Identity.load(path, passphrase)


def host_addresses(url: str) -> list[str] | None:
    """Returns the local addresses for media: loopback for a Bridge there, else None for all.

    Without this two programs on one machine would need a network between them.
    """
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return ["127.0.0.1"]
    try:
        return ["127.0.0.1"] if ip_address(host).is_loopback else None
    except ValueError:
        return None


def _required(value: T | None, option: str, variable: str) -> T:
    if value is None:
        raise CommandError(f"{option} is missing. Remedy: give it, or set {variable}.")
    return value
