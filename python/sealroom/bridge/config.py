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
from .stream_space import TrackLimits
from .turn import TurnServer

MEMORY_DATABASE = "sqlite+aiosqlite://"


def sqlite_url(path: str) -> str:
    """Return the database URL of an SQLite file."""
    return f"sqlite+aiosqlite:///{path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeConfig:
    """How a Bridge runs. All durations in seconds.

    Attributes:
        host, port: where it listens; port 0 for any free one.
        database: SQLAlchemy URL, see `sqlite_url`; in memory unless given. May hold a password.
        public_url: URL at which clients reach this Bridge, `ws://` or `wss://`; needed where
            Bridges share a database. None: where it listens, if that is one address.
        redis: `redis://` URL by which Bridges tell each other of events. May hold a password.
        forwarded_allow_ips: addresses and networks of proxies in front whose `X-Forwarded-For` is
            believed, as `127.0.0.1` and `10.0.0.0/8`: rate limits and the audit log go by source
            addresses. Of a Bridge that is mounted, it is up to the server that serves it.
        home_lease: after so long without a heartbeat a Bridge loses its rooms to others.
        heartbeat_interval: of these heartbeats.
        ice_servers: for clients; `turn_servers` come in addition.
        turn_servers, turn_ttl: for which the Bridge makes credentials, and how long these are good.
        host_addresses: media addresses, or a function that tells those of now; None for all of
            the machine but loopback.
        empty_room_ttl: after which an empty room closes, if it has no time of its own.
        max_connections: of clients at once.
        challenge_lifetime: of a log-in's challenge.
        login_timeout: from connecting to the first successful log-in; also from connecting to the
            request for a WebSocket.
        session_timeout: how long a session outlives its socket, for the client to resume it; 0 to
            end it at once. After a start, empty rooms stay open as long at least, for their
            participants to return.
        media_timeout: for one call of the media server.
        close_timeout: for a client to take a close frame.
        rate_limits: of requests, log-ins and connections, see `RateLimits`.
        data_limits: rations of data tracks, see `DataLimits`.
        track_limits: how many tracks a user and a room may have live, see `TrackLimits`.
        audit_max_age, audit_max_entries: what is kept of the audit log.
        audit_flush_interval: how often it is written, which is what a crash can lose.
        max_queued_messages, max_queued_bytes: of the outgoing queue of one connection.
        max_logged_events, max_logged_bytes, max_logged_seconds: events kept for one session, to be
            sent again when it resumes.
    """

    host: str = "127.0.0.1"
    port: int = 8700
    database: str = field(default=MEMORY_DATABASE, repr=False)
    public_url: str | None = None
    redis: str | None = field(default=None, repr=False)
    forwarded_allow_ips: Sequence[str] = ()
    home_lease: float = 15.0
    heartbeat_interval: float = 3.0
    ice_servers: Sequence[IceServer] = ()
    turn_servers: Sequence[TurnServer] = ()
    turn_ttl: float = 3600.0
    host_addresses: Sequence[str] | Callable[[], Sequence[str]] | None = None
    empty_room_ttl: float = 3600.0
    max_connections: int = 10_000
    challenge_lifetime: float = 60.0
    login_timeout: float = 30.0
    session_timeout: float = 30.0
    media_timeout: float = 10.0
    close_timeout: float = 5.0
    rate_limits: RateLimits = field(default_factory=RateLimits)
    data_limits: DataLimits = field(default_factory=DataLimits)
    track_limits: TrackLimits = field(default_factory=TrackLimits)
    audit_max_age: float = 90 * 86400.0
    audit_max_entries: int = 100_000
    audit_flush_interval: float = 1.0
    max_queued_messages: int = MAX_QUEUED_MESSAGES
    max_queued_bytes: int = MAX_QUEUED_BYTES
    max_logged_events: int = MAX_LOGGED_EVENTS
    max_logged_bytes: int = MAX_LOGGED_BYTES
    max_logged_seconds: float = MAX_LOGGED_SECONDS
