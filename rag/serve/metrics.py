"""Prometheus metrics of the endpoint, in a registry of their own."""

from __future__ import annotations

from plumbline.extras import require


class Metrics:
    """Counts and times; `text` is what `/metrics` answers."""

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        client = require("prometheus_client", "serve")
        self._client = client
        self.registry = client.CollectorRegistry()
        self._requests = client.Counter(
            "plumbline_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = client.Histogram(
            "plumbline_request_seconds", "Time to the end of the answer.", ["route"], registry=self.registry
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """The exposition format."""
        return bytes(self._client.generate_latest(self.registry))
