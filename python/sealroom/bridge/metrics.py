"""Counters for `/metrics`, in a registry of their own: several Bridges may live in one process."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """All metrics of one Bridge. Labels come from fixed sets, never from clients."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.connections = Gauge(
            "sealroom_connections", "WebSocket connections", registry=self._registry
        )
        self.requests = Counter(
            "sealroom_requests", "Requests", ["method", "outcome"], registry=self._registry
        )
        self.request_seconds = Histogram(
            "sealroom_request_seconds", "Time per request", ["method"], registry=self._registry
        )
        self.events = Counter("sealroom_events", "Events sent", ["type"], registry=self._registry)
        self.closed = Counter(
            "sealroom_connections_closed",
            "Connections the Bridge closed",
            ["code"],
            registry=self._registry,
        )

        self.refused = Counter(
            "sealroom_rate_limited",
            "Refused because too much was asked for in too short a time",
            ["what"],
            registry=self._registry,
        )

    def watch(self, name: str, description: str, read: Callable[[], float]) -> None:
        """Add a gauge that is read when asked for."""
        Gauge(f"sealroom_{name}", description, registry=self._registry).set_function(read)

    def render(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return generate_latest(self._registry)
