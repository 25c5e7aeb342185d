"""Time-limited credentials for TURN servers, by the scheme of coturn's `use-auth-secret`.

The user name is the Unix time of its end and a pseudonym; the password is the HMAC-SHA1 of the user
name under a secret that the TURN server knows. The pseudonym is random and new each time, so that
the TURN server cannot tell that two of them are of one user.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sealroom.protocol import IceServer, MediaConfiguration

from .errors import BridgeError

MIN_SECRET_LENGTH: Final = 16
MIN_TTL: Final = 60.0
MAX_TTL: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnServer:
    """A TURN server that shares a secret with this Bridge (coturn: `static-auth-secret`).

    Args:
        urls: `turn:HOST:PORT` or `turns:HOST:PORT`, with `?transport=tcp` if need be.
        secret: of at least 16 characters; never shown.

    Raises:
        BridgeError: one of them is malformed.
    """

    urls: Sequence[str]
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        """Check both."""
        if isinstance(self.urls, str) or not self.urls:
            raise BridgeError("turn_servers: urls is a list of at least one URL.")
        for url in self.urls:
            if not url.startswith(("turn:", "turns:")):
                raise BridgeError(f"turn_servers: {url} does not begin with turn: or turns:.")
        if len(self.secret) < MIN_SECRET_LENGTH:
            raise BridgeError(
                f"turn_servers: the secret has less than {MIN_SECRET_LENGTH} characters;"
                " make one with: openssl rand -hex 32"
            )


class TurnIssuer:
    """Makes what a client needs to reach the media server.

    Args:
        ice_servers: those without credentials of ours.
        turn_servers: those for which credentials are made.
        ttl: of credentials, 60 to 86,400 seconds.
        now: Unix time in seconds.

    Raises:
        BridgeError: the time to live is out of bounds.
    """

    def __init__(
        self,
        ice_servers: Sequence[IceServer],
        turn_servers: Sequence[TurnServer],
        ttl: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        if not MIN_TTL <= ttl <= MAX_TTL:
            raise BridgeError(f"turn_ttl is {ttl:g}; give {MIN_TTL:g} to {MAX_TTL:g} seconds.")
        self._ice_servers = list(ice_servers)
        self._turn_servers = list(turn_servers)
        self._ttl = ttl
        self._now = now

    def configuration(self) -> MediaConfiguration:
        """Return the servers with new credentials."""
        if not self._turn_servers:
            return MediaConfiguration(ice_servers=self._ice_servers)
        username = f"{int(self._now() + self._ttl)}:{secrets.token_hex(16)}"
        relays = [
            IceServer(
                urls=list(server.urls),
                username=username,
                credential=_password(server.secret, username),
            )
            for server in self._turn_servers
        ]
        return MediaConfiguration(
            ice_servers=[*self._ice_servers, *relays], expires_in=float(int(self._ttl))
        )


def _password(secret: str, username: str) -> str:
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()
