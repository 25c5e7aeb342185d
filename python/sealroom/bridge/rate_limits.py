"""How fast anybody may ask: token buckets, by connection and by source address.

Nothing here has a clock: `now` is seconds on any clock that does not go back.
"""

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

from .errors import BridgeError

# What a request costs; 1 if it is not named here.
COSTS: Final[dict[str, float]] = {
    "room.create": 5,
    "room.update": 5,
    "room.history": 5,
    "room.list": 2,
    "room.delete_many": 20,
    "room.join": 2,
    "stream.publish": 5,
    "subscription.update": 2,
    "media.trickle": 0.5,
    "turn.credentials": 5,
}
_MAX_COST: Final = max(COSTS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """Rates per second with bursts. The defaults are far above what calls of 100 people need.

    A source address is an IPv4 address or the /64 network of an IPv6 address. Behind a proxy it is
    what the proxy says, if the server in front of the application is told to trust it.

    Raises:
        BridgeError: a rate is not above zero, or a burst too small for the dearest request.
    """

    requests: float = 200.0  # of one connection that is logged in, by cost, see `COSTS`
    request_burst: float = 2000.0
    anonymous_requests: float = 5.0  # of one connection before its log-in
    anonymous_burst: float = 50.0
    connections: float = 50.0  # from one source address
    connection_burst: float = 2000.0
    failed_logins: float = 1.0  # from one source address, with API keys too
    failed_login_burst: float = 60.0
    # Source addresses that are remembered; beyond it the one not seen for longest is forgotten.
    max_addresses: int = 10_000
    # Requests of one connection refused in a row before it is closed.
    max_refused: int = 1000

    def __post_init__(self) -> None:
        """Check the figures."""
        for name in self.__dataclass_fields__:
            least = _MAX_COST if name in ("request_burst", "anonymous_burst") else 1
            value = getattr(self, name)
            is_bound = "burst" in name or name.startswith("max_")
            if not value > 0 or (is_bound and value < least):
                raise BridgeError(f"The rate limit {name} is {value}; give at least {least}.")


class TokenBucket:
    """Holds up to `burst` tokens and gains `rate` of them a second; full at first."""

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at = now

    def wait(self, cost: float, now: float) -> float:
        """Return the seconds until `cost` tokens are there; 0 if they are."""
        self._tokens = min(self.burst, self._tokens + max(0.0, now - self._at) * self.rate)
        self._at = max(self._at, now)
        return max(0.0, (cost - self._tokens) / self.rate)

    def take(self, cost: float, now: float) -> float:
        """Take tokens and return 0, or take none and return the seconds until they are there."""
        if (seconds := self.wait(cost, now)) == 0:
            self._tokens -= cost
        return seconds

    def give_back(self, cost: float) -> None:
        """Undo a `take`."""
        self._tokens = min(self.burst, self._tokens + cost)


class AddressBuckets:
    """A bucket for each source address seen lately.

    Args:
        capacity: of the table; the address not seen for longest makes room.
    """

    def __init__(self, rate: float, burst: float, capacity: int) -> None:
        self._rate = rate
        self._burst = burst
        self._capacity = capacity
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, address: str, now: float) -> float:
        """Take a token of this address; see `TokenBucket.take`."""
        group = address_group(address)
        bucket = self._buckets.pop(group, None) or TokenBucket(self._rate, self._burst, now)
        self._buckets[group] = bucket  # the newest is last
        if len(self._buckets) > self._capacity:
            self._buckets.popitem(last=False)
        return bucket.take(1, now)

    def give_back(self, address: str) -> None:
        """Undo a `take`."""
        if (bucket := self._buckets.get(address_group(address))) is not None:
            bucket.give_back(1)


def address_group(address: str) -> str:
    """Return what stands for a source: the IPv4 address, or the IPv6 network that one host has."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return str(parsed)
