"""`sealroom bridge`: runs a server."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sealroom.cli.errors import CommandError
from sealroom.cli.output import explain, print_result
from sealroom.cli.session import host_addresses

if TYPE_CHECKING:
    from sealroom.bridge import TurnServer
    from sealroom.bridge.server import RunningBridge


def bridge(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for all of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any free one.")] = 8700,
    database: Annotated[
        str,
        typer.Option(
            envvar="SEALROOM_DATABASE",
            help="SQLite file, made if it is missing, or postgresql://USER@HOST/NAME. A URL with a"
            " password is better in the environment: others see options.",
        ),
    ] = "sealroom.sqlite3",
    public_url: Annotated[
        str | None,
        typer.Option(
            envvar="SEALROOM_PUBLIC_URL",
            help="ws:// or wss:// URL at which clients reach this Bridge, needed where several"
            " share a PostgreSQL database. Default: where it listens, if --host is one address.",
        ),
    ] = None,
    redis: Annotated[
        str | None,
        typer.Option(
            envvar="SEALROOM_REDIS",
            help="redis:// URL by which Bridges on one database tell each other of events.",
        ),
    ] = None,
    admin_key_file: Annotated[
        Path | None,
        typer.Option(
            envvar="SEALROOM_ADMIN_KEY_FILE",
            help="At the first start, write the API key into this file instead of showing it.",
        ),
    ] = None,
    media_address: Annotated[
        list[str] | None,
        typer.Option(
            help="IP address at which clients reach the media server; may be repeated. Default:"
            " loopback if --host is, else all addresses of this machine."
        ),
    ] = None,
    forwarded_allow_ips: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SEALROOM_FORWARDED_ALLOW_IPS",
            help="Address or network of a proxy in front whose X-Forwarded-For is believed; may be"
            " repeated. Default: nobody's, for rate limits and the audit log go by addresses.",
        ),
    ] = None,
    audit_days: Annotated[
        float,
        typer.Option(
            min=0.001, max=36500, envvar="SEALROOM_AUDIT_DAYS", help="Days to keep the audit log."
        ),
    ] = 90,
    audit_entries: Annotated[
        int,
        typer.Option(
            min=1,
            max=100_000_000,
            envvar="SEALROOM_AUDIT_ENTRIES",
            help="Entries of the audit log to keep, the newest.",
        ),
    ] = 100_000,
    turn_url: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SEALROOM_TURN_URL",
            help="turn:HOST:PORT of a coturn with use-auth-secret, for which the Bridge makes"
            " credentials; may be repeated.",
        ),
    ] = None,
    turn_secret_file: Annotated[
        Path | None,
        typer.Option(
            envvar="SEALROOM_TURN_SECRET_FILE",
            help="File with coturn's static-auth-secret; or set SEALROOM_TURN_SECRET.",
        ),
    ] = None,
) -> None:
    """Run a Bridge: the server for rooms and media. It can read neither. Ctrl-C ends it."""
    from sealroom.bridge import BridgeConfig
    from sealroom.bridge.config import sqlite_url
    from sealroom.bridge.database import parse_url
    from sealroom.bridge.server import run

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for chatty in ("aioice", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    url = database if "://" in database else sqlite_url(database)
    shown = parse_url(url).render_as_string() if "://" in database else database
    config = BridgeConfig(
        host=host,
        port=port,
        database=url,
        public_url=public_url,
        redis=redis,
        host_addresses=media_address or host_addresses(f"ws://{host}"),
        forwarded_allow_ips=forwarded_allow_ips or (),
        audit_max_age=audit_days * 86400.0,
        audit_max_entries=audit_entries,
        turn_servers=_turn_servers(turn_url, turn_secret_file),
    )

    def on_started(running: RunningBridge, first_key: str | None) -> None:
        explain(f"The Bridge listens on {running.url}, its database is {shown}.")
        if first_key is not None:
            _tell_key(first_key, running.url, admin_key_file)

    run(config, on_started=on_started)


def _turn_servers(urls: list[str] | None, secret_file: Path | None) -> list[TurnServer]:
    from sealroom.bridge import TurnServer

    if not urls:
        return []
    secret = os.environ.get("SEALROOM_TURN_SECRET")
    if secret_file is not None:
        secret = secret_file.read_text().strip()
    if not secret:
        raise CommandError(
            "--turn-url needs the secret of the TURN server. Remedy: give --turn-secret-file, or"
            " set SEALROOM_TURN_SECRET."
        )
    return [TurnServer(urls=urls, secret=secret)]


def _tell_key(key: str, url: str, file: Path | None) -> None:
    if file is not None:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.fchmod(descriptor, 0o600)  # it may have been there before
        with open(descriptor, "w") as stream:  # noqa: PTH123 - an open descriptor
            stream.write(key + "\n")
        explain(f"This is its first start: the API key for administration is in {file}.")
        explain(f"  export SEALROOM_URL={url} SEALROOM_ADMIN_KEY_FILE={file}")
    else:
        explain("This is its first start. API key for administration, shown only this once:")
        print_result(key)
        explain(f"  export SEALROOM_URL={url} SEALROOM_ADMIN_KEY=...")
    explain("  sealroom context create 'My team'")
