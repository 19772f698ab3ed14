"""One record of what happened: each request makes one trace, kept in the home's SQLite database.

Names and attributes follow OpenTelemetry's GenAI semantic conventions for model calls (`gen_ai.*`) and the same style
under `plumbline.*` for retrieval, reranking and grounding. Inside a span of a program that uses OpenTelemetry itself a
trace is part of that program's; pass `exporters` to send the spans there, too (extra `otel`). The spans are our own
objects, because OpenTelemetry's take twenty times as long, which is more than all the rest of a call's bookkeeping.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

from plumbline.trace_store import QUEUE_SIZE, SpanRecord, SpanWriter, component, read_trace, recent_traces

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from sqlalchemy import Engine

__all__ = [
    "AttributeValue",
    "Span",
    "SpanRecord",
    "SpanWriter",
    "Stages",
    "Tracing",
    "annotate",
    "component",
    "current_ids",
    "read_trace",
    "recent_traces",
]
AttributeValue = str | bool | int | float | Sequence[str]


class Span:
    """A span around a `with` block, child of the current one; an exception marks it failed and goes on."""

    __slots__ = ("_begun", "_owner", "_token", "attributes", "error", "name", "parent_id", "span_id", "trace_id")

    trace_id: str
    span_id: str
    parent_id: str | None

    def __init__(self, owner: Tracing, name: str, attributes: Mapping[str, AttributeValue] | None) -> None:
        self._owner = owner
        self.name = name
        self.attributes: dict[str, AttributeValue] = dict(attributes or {})
        self.error: str | None = None

    def __enter__(self) -> Self:
        outer = _current.get()
        self.span_id = f"{_random.getrandbits(64):016x}"
        trace_id, self.parent_id = (outer.trace_id, outer.span_id) if outer is not None else _foreign_ids()
        self.trace_id = trace_id or f"{_random.getrandbits(128):032x}"
        self._token: Token[Span | None] = _current.set(self)
        self._begun = time.time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        del kind, traceback
        ended = max(time.time(), self._begun)
        with suppress(ValueError):  # a generator that is closed by another task: that task never had this span
            _current.reset(self._token)
        if isinstance(error, asyncio.CancelledError):
            self.error = "cancelled"
        elif isinstance(error, Exception):
            self.error = type(error).__name__
            if self._owner.record_text:
                self.error += f": {error}"
        self._owner.ended(
            SpanRecord(
                self.trace_id, self.span_id, self.parent_id, self.name, self._begun, ended, self.error, self.attributes
            )
        )

    def set_attribute(self, name: str, value: AttributeValue) -> None:
        """Set one attribute, in place of any of this name."""
        self.attributes[name] = value

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Set several."""
        self.attributes.update(attributes)


# Seeded by the system, whatever a program seeds its own random numbers with; the system itself takes longer each time.
_random = random.Random()  # noqa: S311 (names of spans are no secrets)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)
_current: ContextVar[Span | None] = ContextVar("plumbline_span", default=None)


class Tracing:
    """Makes spans and stores them. One per home; safe to use from several threads.

    `exporters` are OpenTelemetry's. Without `record_text` errors are told by their kinds alone: what they say may quote
    what was asked. Raises `MissingExtraError` when there are exporters and their package is not installed.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        exporters: Sequence[SpanExporter] = (),
        queue_size: int = QUEUE_SIZE,
        record_text: bool = True,
    ) -> None:
        self.record_text = record_text
        self.writer = SpanWriter(engine, queue_size)
        self._export = None
        if exporters:
            from plumbline.trace_export import Export

            self._export = Export(exporters)
        # Spans still queued when the interpreter ends, or when nobody closed the owner, are stored all the same.
        self._finalizer = weakref.finalize(self, self.writer.close)

    def span(self, name: str, attributes: Mapping[str, AttributeValue] | None = None) -> Span:
        """A span, to be entered with `with`."""
        return Span(self, name, attributes)

    def ended(self, record: SpanRecord) -> None:
        """Queue a finished span for storing and exporting."""
        self.writer.put(record)
        if self._export is not None:
            self._export.put(record)

    def flush(self) -> None:
        """Wait until every span that ended before this call is stored."""
        self.writer.flush()

    def close(self) -> None:
        """Store and export what is left and stop the writers."""
        self.writer.close()
        if self._export is not None:
            self._export.close()


@dataclass(slots=True)
class Stages:
    """Times the stages of one request; `seconds` maps a stage's name to its wall time. One that runs twice adds up."""

    tracing: Tracing
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, attributes: Mapping[str, AttributeValue] | None = None) -> Iterator[Span]:
        """A stage with a span of its own."""
        with self.timed(name), self.tracing.span(name, attributes) as span:
            yield span

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """A stage without one: what it does is a call that has its own, or too short to be looked at."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


def current_ids() -> tuple[str | None, str | None]:
    """Trace and span id (hexadecimal) of the block that is running, or `None` outside any span."""
    span = _current.get()
    return _foreign_ids() if span is None else (span.trace_id, span.span_id)


def annotate(attributes: Mapping[str, AttributeValue]) -> None:
    """Set attributes of the span that is running, if one is."""
    span = _current.get()
    if span is not None:
        span.set_attributes(attributes)


def _foreign_ids() -> tuple[str | None, str | None]:
    """The ids of OpenTelemetry's own current span, when the program around us has one."""
    opentelemetry = sys.modules.get("opentelemetry.trace")
    if opentelemetry is None:
        return None, None
    context = opentelemetry.get_current_span().get_span_context()
    if not context.is_valid:
        return None, None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"
