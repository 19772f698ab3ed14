"""One record of what happened: each request makes one OpenTelemetry trace, kept in the home's SQLite database.

Spans follow the GenAI semantic conventions for model calls (`gen_ai.*`) and the same style under `plumbline.*` for
retrieval, reranking, assembly and grounding. The provider is our own and never registered globally; pass `exporters`
to send the same spans elsewhere too. Writing is bounded: a full queue drops spans and counts them, it never blocks.
"""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from plumbline.database import Component

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span
    from sqlalchemy import Engine, RowMapping, Table

AttributeValue = str | bool | int | float | Sequence[str]
QUEUE_SIZE = 4096
WRITE_BATCH = 256
LINGER_SECONDS = 0.05
"""How long a span waits for others: one transaction for all of a request, and no thread woken for each."""


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """A finished span as it is stored; times in seconds since the epoch."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start: float
    end: float
    error: str | None
    attributes: Mapping[str, Any]

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


@cache
def _spans_table() -> Table:
    from sqlalchemy import Column, Float, Index, MetaData, String, Table, Text

    return Table(
        "spans",
        MetaData(),
        Column("span_id", String, primary_key=True),
        Column("trace_id", String, nullable=False),
        Column("parent_id", String),
        Column("name", String, nullable=False),
        Column("start", Float, nullable=False),
        Column("end", Float, nullable=False),
        Column("error", Text),
        Column("attributes", Text, nullable=False),
        Index("spans_by_trace", "trace_id"),
        Index("spans_by_start", "start"),
    )


def component() -> Component:
    """The tables of traces, for `open_database`."""
    return Component("traces", 1, _spans_table().metadata)


class Tracing:
    """Makes spans and stores them. One per home; safe to use from several threads."""

    def __init__(self, engine: Engine, *, exporters: Sequence[SpanExporter] = (), queue_size: int = QUEUE_SIZE) -> None:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self.writer = SpanWriter(engine, queue_size)
        self._provider = TracerProvider(shutdown_on_exit=False)
        self._provider.add_span_processor(_processor(self.writer))
        for exporter in exporters:
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("plumbline")
        # Spans still queued when the interpreter ends, or when nobody closed the owner, are stored all the same.
        self._finalizer = weakref.finalize(self, self.writer.close)

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, AttributeValue] | None = None) -> Iterator[Span]:
        """A span around a block, child of the current one; an exception marks it failed and goes on."""
        from opentelemetry.trace import StatusCode

        with self._tracer.start_as_current_span(name, attributes=dict(attributes or {})) as span:
            try:
                yield span
            except asyncio.CancelledError:  # no `Exception`, so that OpenTelemetry would call the span a success
                span.set_status(StatusCode.ERROR, "cancelled")
                raise

    def flush(self) -> None:
        """Wait until every span that ended before this call is stored."""
        self.writer.flush()

    def close(self) -> None:
        """Store what is left and stop the writer."""
        self._provider.shutdown()


@dataclass(slots=True)
class Stages:
    """Times the stages of one request and makes a span of each; `seconds` maps a stage's name to its wall time."""

    tracing: Tracing
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, attributes: Mapping[str, AttributeValue] | None = None) -> Iterator[Span]:
        """A stage; one that runs twice adds up."""
        started = time.perf_counter()
        try:
            with self.tracing.span(name, attributes) as span:
                yield span
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


def current_ids() -> tuple[str | None, str | None]:
    """Trace and span id (hexadecimal) of the block that is running, or `None` outside any span."""
    from opentelemetry.trace import format_span_id, format_trace_id, get_current_span

    context = get_current_span().get_span_context()
    if not context.is_valid:
        return None, None
    return format_trace_id(context.trace_id), format_span_id(context.span_id)


def annotate(attributes: Mapping[str, AttributeValue]) -> None:
    """Set attributes of the span that is running, if one is."""
    from opentelemetry.trace import get_current_span

    get_current_span().set_attributes(dict(attributes))


class SpanWriter:
    """Writes spans from a bounded queue on a thread of its own; `dropped` counts what found the queue full."""

    def __init__(self, engine: Engine, queue_size: int = QUEUE_SIZE) -> None:
        self._engine = engine
        self._queue: queue.Queue[SpanRecord | threading.Event] = queue.Queue(queue_size)
        self._thread: threading.Thread | None = None
        self._start_lock = threading.Lock()
        self._closed = threading.Event()
        self._hurry = threading.Event()
        self.dropped = 0
        self.last_error: Exception | None = None

    def put(self, record: SpanRecord) -> None:
        """Queue a span, or drop and count it."""
        self._ensure_thread()
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def flush(self) -> None:
        """Wait until everything queued so far is stored or has failed."""
        if self._thread is None or self._closed.is_set():
            return
        reached = threading.Event()
        self._hurry.set()
        self._queue.put(reached)
        while not reached.wait(timeout=0.1) and self._thread.is_alive():
            continue

    def close(self) -> None:
        """Store what is queued and stop the thread."""
        self.flush()
        self._closed.set()

    def _ensure_thread(self) -> None:
        if self._thread is None:
            with self._start_lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, name="plumbline-traces", daemon=True)
                    self._thread.start()

    def _work(self) -> None:
        while not self._closed.is_set():
            try:
                batch = [self._queue.get(timeout=0.5)]
            except queue.Empty:
                continue
            if isinstance(batch[0], SpanRecord):
                self._hurry.wait(LINGER_SECONDS)
            self._hurry.clear()
            while len(batch) < WRITE_BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            self._store([item for item in batch if isinstance(item, SpanRecord)])
            for item in batch:
                if isinstance(item, threading.Event):
                    item.set()

    def _store(self, records: list[SpanRecord]) -> None:
        if not records:
            return
        try:
            with self._engine.connect().execution_options(sqlite_begin="IMMEDIATE") as connection, connection.begin():
                connection.execute(_spans_table().insert(), [_to_row(record) for record in records])
        except Exception as error:  # noqa: BLE001 (it must not end the thread that stores all others)
            # A trace must never fail the request it describes: the loss is counted and shown by `rag status`.
            self.dropped += len(records)
            self.last_error = error


def read_trace(engine: Engine, trace_id: str) -> list[SpanRecord]:
    """The spans of the trace whose id starts with `trace_id`, parents before children; empty when there is none."""
    from sqlalchemy import select

    spans = _spans_table()
    with engine.connect() as connection:
        begins = spans.c.trace_id.startswith(trace_id, autoescape=True)
        full = connection.scalar(select(spans.c.trace_id).where(begins).limit(1))
        if full is None:
            return []
        rows = connection.execute(
            select(spans).where(spans.c.trace_id == full).order_by(spans.c.start, spans.c.end.desc())
        )
        return [_from_row(row._mapping) for row in rows]


def recent_traces(engine: Engine, limit: int = 10) -> list[SpanRecord]:
    """The root spans of the latest traces, newest first."""
    from sqlalchemy import select

    spans = _spans_table()
    with engine.connect() as connection:
        rows = connection.execute(
            select(spans).where(spans.c.parent_id.is_(None)).order_by(spans.c.start.desc()).limit(limit)
        )
        return [_from_row(row._mapping) for row in rows]


def _processor(writer: SpanWriter) -> Any:
    from opentelemetry.sdk.trace import SpanProcessor

    class Processor(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            writer.put(_record(span))

        def shutdown(self) -> None:
            writer.close()

        def force_flush(self, timeout_millis: int = 30000) -> bool:
            writer.flush()
            return True

    return Processor()


def _record(span: ReadableSpan) -> SpanRecord:
    from opentelemetry.trace import StatusCode, format_span_id, format_trace_id

    context = span.get_span_context()
    failed = span.status.status_code is StatusCode.ERROR
    return SpanRecord(
        trace_id=format_trace_id(context.trace_id) if context else "",
        span_id=format_span_id(context.span_id) if context else "",
        parent_id=format_span_id(span.parent.span_id) if span.parent else None,
        name=span.name,
        start=(span.start_time or 0) / 1e9,
        end=(span.end_time or 0) / 1e9,
        error=(span.status.description or "error") if failed else None,
        attributes=dict(span.attributes or {}),
    )


def _to_row(record: SpanRecord) -> dict[str, Any]:
    return {
        "trace_id": record.trace_id,
        "span_id": record.span_id,
        "parent_id": record.parent_id,
        "name": record.name,
        "start": record.start,
        "end": record.end,
        "error": record.error,
        "attributes": json.dumps(record.attributes, ensure_ascii=False, default=list),
    }


def _from_row(row: RowMapping) -> SpanRecord:
    return SpanRecord(
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        parent_id=row["parent_id"],
        name=row["name"],
        start=row["start"],
        end=row["end"],
        error=row["error"],
        attributes=json.loads(row["attributes"]),
    )
