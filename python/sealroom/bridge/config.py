"""Settings of a Bridge."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sealroom.protocol import (
    MAX_LOGGED_BYTES,
    MAX_LOGGED_EVENTS,
    MAX_LOGGED_SECONDS,
    MAX_QUEUED_BYTES,
    MAX_QUEUED_MESSAGES,
    IceServer,
)

from .data_rations import DataLimits
from .rate_limits import RateLimits
from .turn import TurnServer

MEMORY_DATABASE = "sqlite+aiosqlite://"


def sqlite_url(path: str) -> str:
    """Return the database URL of an SQLite file."""
    return f"sqlite+aiosqlite:///{path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeConfig:
    """How a Bridge runs. All durations in seconds."""

    host: str = "127.0.0.1"
    port: int = 8700  # 0: any free port
    # SQLAlchemy URL, see `sqlite_url`; may hold a password
    database: str = field(default=MEMORY_DATABASE, repr=False)
    # URL at which clients reach this Bridge, `ws://` or `wss://`; needed where Bridges share a
    # database. None: where it listens, if that is one address.
    public_url: str | None = None
    # `redis://` URL by which Bridges tell each other of events; may hold a password
    redis: str | None = field(default=None, repr=False)
    # Addresses and networks of proxies in front whose `X-Forwarded-For` is believed, as
    # `127.0.0.1` and `10.0.0.0/8`: rate limits and the audit log go by source addresses. Of a
    # Bridge that is mounted, it is up to the server that serves it.
    forwarded_allow_ips: Sequence[str] = ()
    home_lease: float = 15.0  # after its last heartbeat a Bridge loses its rooms to others
    heartbeat_interval: float = 3.0
    ice_servers: Sequence[IceServer] = ()  # for clients; those below come in addition
    turn_servers: Sequence[TurnServer] = ()  # for which the Bridge makes credentials
    turn_ttl: float = 3600.0  # of such credentials
    # Media addresses, or what tells those of now; None: those of the machine
    host_addresses: Sequence[str] | Callable[[], Sequence[str]] | None = None
    empty_room_ttl: float = 3600.0  # for rooms created without one of their own
    max_connections: int = 10_000
    challenge_lifetime: float = 60.0
    login_timeout: float = 30.0  # from connecting to the first successful log-in
    # How long a session outlives its socket, for the client to resume it; 0 to end it at once.
    # After a start, empty rooms stay open as long at least, for their participants to return.
    session_timeout: float = 30.0
    media_timeout: float = 10.0  # for one call of the media server
    close_timeout: float = 5.0  # for a client to take a close frame
    rate_limits: RateLimits = field(default_factory=RateLimits)
    data_limits: DataLimits = field(default_factory=DataLimits)  # of data tracks
    # Audit log: what is kept of it, and how often it is written, which is what a crash can lose
    audit_max_age: float = 90 * 86400.0
    audit_max_entries: int = 100_000
    audit_flush_interval: float = 1.0
    # Outgoing queue of one connection; tests make it small.
    max_queued_messages: int = MAX_QUEUED_MESSAGES
    max_queued_bytes: int = MAX_QUEUED_BYTES
    # Events kept for one session, to be sent again when it resumes; likewise.
    max_logged_events: int = MAX_LOGGED_EVENTS
    max_logged_bytes: int = MAX_LOGGED_BYTES
    max_logged_seconds: float = MAX_LOGGED_SECONDS
