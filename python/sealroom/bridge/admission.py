"""Lets connections, log-ins and requests in at the rates that are allowed."""

import time
from collections.abc import Callable
from typing import Literal, TypeAlias

from sealroom.protocol import ErrorCode

from .errors import RequestError
from .metrics import Metrics
from .rate_limits import COSTS, AddressBuckets, RateLimits, TokenBucket

Refused: TypeAlias = Literal["connection", "login", "request", "anonymous_request"]


class ConnectionBudget:
    """What one connection may still ask for."""

    def __init__(self, limits: RateLimits, now: float) -> None:
        self._limits = limits
        self._bucket = TokenBucket(limits.anonymous_requests, limits.anonymous_burst, now)
        self._is_known = False
        self.refused_in_a_row = 0

    @property
    def is_spent(self) -> bool:
        """Whether the connection goes on asking although it is refused."""
        return self.refused_in_a_row >= self._limits.max_refused

    def take(self, cost: float, *, is_known: bool, now: float) -> float:
        """Take tokens; the larger bucket begins with the log-in. See `TokenBucket.take`."""
        if is_known and not self._is_known:
            self._is_known = True
            self._bucket = TokenBucket(self._limits.requests, self._limits.request_burst, now)
        wait = self._bucket.take(cost, now)
        self.refused_in_a_row = self.refused_in_a_row + 1 if wait else 0
        return wait


class Admission:
    """The rate limits of one Bridge. For one event loop; nothing here waits."""

    def __init__(
        self, limits: RateLimits, metrics: Metrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        capacity = limits.max_addresses
        self._connections = AddressBuckets(limits.connections, limits.connection_burst, capacity)
        self._failures = AddressBuckets(limits.failed_logins, limits.failed_login_burst, capacity)

    def budget(self) -> ConnectionBudget:
        """Return the budget of a new connection."""
        return ConnectionBudget(self._limits, self._clock())

    def admits(self, address: str) -> bool:
        """Tell whether one more connection may come from an address."""
        if self._connections.take(address, self._clock()) == 0:
            return True
        self._metrics.refused.labels("connection").inc()
        return False

    def require_request(self, budget: ConnectionBudget, method: str, *, is_known: bool) -> None:
        """Return if a connection may ask for this now.

        Raises:
            RequestError: RATE_LIMITED.
        """
        wait = budget.take(COSTS.get(method, 1), is_known=is_known, now=self._clock())
        if wait:
            self._refuse("request" if is_known else "anonymous_request", wait)

    def begin_login(self, address: str) -> None:
        """Return if an address may try to log in: it has not failed too often.

        It counts as failed until `login_succeeded`, so that trying at once gains nothing.

        Raises:
            RequestError: RATE_LIMITED.
        """
        if wait := self._failures.take(address, self._clock()):
            self._refuse("login", wait)

    def login_succeeded(self, address: str) -> None:
        """The log-in that began does not count."""
        self._failures.give_back(address)

    def _refuse(self, what: Refused, wait: float) -> None:
        self._metrics.refused.labels(what).inc()
        wait = max(0.001, round(wait, 3))
        raise RequestError(
            ErrorCode.RATE_LIMITED, remedy=f"wait {wait:g} s, then go slower", retry_after=wait
        )
