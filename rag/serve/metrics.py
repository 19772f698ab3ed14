"""Prometheus metrics of the endpoint, in a registry of their own.

Tokens and dollars are read from the ledger when they are asked for, so that they are the ledger's; they count from the
start of the server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from plumbline.extras import require
from rag.types import Answer
from routing.cost.ledger import Ledger, LedgerEntry
from routing.resilience.circuit import State

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """Counts and times. `in_flight`, `dropped_spans` and `breakers` are asked when `/metrics` is.

    `breakers` says of each model and provider that was asked the state of its circuit breaker.
    """

    content_type = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(
        self,
        ledger: Ledger,
        *,
        in_flight: Callable[[], int],
        dropped_spans: Callable[[], int],
        breakers: Callable[[], Mapping[str, State]] = dict,
    ) -> None:
        self._client = client = require("prometheus_client", "serve")
        self._registry = registry = client.CollectorRegistry()
        self._ledger = ledger
        self._read_to = ledger.last_id()

        def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Any:
            return client.Counter(f"plumbline_{name}", text, labels, registry=registry)

        self._requests = counter("requests", "Requests answered.", ("method", "route", "status"))
        self._answers = counter("answers", "Questions answered, refusals included.")
        self._refusals = counter("refusals", "Questions that the documents do not answer.")
        self._degraded = counter("degraded_answers", "Answers of the fallback, or without the reranker.")
        self._ingestions = counter("ingestions", "Ingestions that ended.", ("state",))
        self._calls = counter("model_calls", "Calls to models.", ("kind", "model", "outcome"))
        self._tokens = counter("model_tokens", "Tokens of calls to models.", ("model", "direction"))
        self._dollars = counter("model_dollars", "US dollars of calls whose price is known.", ("model",))
        self._unpriced = counter("model_unpriced_calls", "Calls whose price is not known.", ("model",))
        self._seconds = client.Histogram(
            "plumbline_request_seconds",
            "Time to the end of the answer.",
            ["route"],
            buckets=_BUCKETS,
            registry=registry,
        )
        gauge = client.Gauge("plumbline_requests_in_flight", "Requests that are worked on.", registry=registry)
        gauge.set_function(in_flight)
        gauge = client.Gauge("plumbline_dropped_spans", "Spans of traces that could not be kept.", registry=registry)
        gauge.set_function(dropped_spans)
        self._breakers = breakers
        what = "1 while a model or provider is left alone."
        self._open = client.Gauge("plumbline_breaker_open", what, ["model"], registry=registry)
        what = "1 while one call finds out whether a model or provider is back."
        self._half_open = client.Gauge("plumbline_breaker_half_open", what, ["model"], registry=registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request; clients make up methods, and each series takes memory for ever."""
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def answered(self, answer: Answer) -> None:
        """Count an answer."""
        self._answers.inc()
        if answer.refused:
            self._refusals.inc()
        if answer.degraded is not None:
            self._degraded.inc()

    def ingested(self, state: str) -> None:
        """Count an ingestion that ended."""
        self._ingestions.labels(state).inc()

    def text(self) -> bytes:
        """What `/metrics` answers, in Prometheus' text format."""
        for number, entry in self._ledger.after(self._read_to):
            self._read_to = number
            self._count(entry)
        for model, state in self._breakers().items():
            self._open.labels(model).set(state != "closed")
            self._half_open.labels(model).set(state == "half-open")
        return bytes(self._client.generate_latest(self._registry))

    def _count(self, entry: LedgerEntry) -> None:
        usage = entry.usage
        self._calls.labels(entry.kind, entry.model, "error" if entry.error else "ok").inc()
        self._tokens.labels(entry.model, "input").inc(usage.input_tokens)
        self._tokens.labels(entry.model, "output").inc(usage.output_tokens)
        if entry.cost is None:
            self._unpriced.labels(entry.model).inc()
        self._dollars.labels(entry.model).inc(float(entry.cost or Decimal(0)))
