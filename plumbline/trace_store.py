"""Traces as they are stored: a row per span in the home's database, written beside the request.

Writing is bounded: a full queue drops spans and counts them, it never blocks.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plumbline.database import Component
from plumbline.forking import at_fork
from plumbline.writing import WriteConnection, insert

if TYPE_CHECKING:
    from sqlalchemy import Engine, RowMapping, Table

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


class SpanWriter:
    """Writes spans from a bounded queue on a thread of its own; `dropped` counts what found the queue full.

    A forked child has a queue and a thread of its own; what was queued by then is its parent's to store.
    """

    def __init__(self, engine: Engine, queue_size: int = QUEUE_SIZE) -> None:
        self.engine = engine
        self._connection = WriteConnection(Path(str(engine.url.database)))
        self._queue_size = queue_size
        self._closed = False
        self._begin()
        at_fork(self, child=SpanWriter._begin)

    def put(self, record: SpanRecord) -> None:
        """Queue a span, or drop and count it."""
        self._ensure_thread()
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def flush(self) -> None:
        """Wait until everything queued so far is stored or has failed; not on the thread that stores it."""
        if self._thread in (None, threading.current_thread()) or self._closed:
            return
        reached = threading.Event()
        self._hurry.set()
        self._queue.put(reached)
        while not reached.wait(timeout=0.1) and self._thread.is_alive():
            continue

    def close(self) -> None:
        """Store what is queued and stop the thread."""
        self.flush()
        self._closed = True

    def _begin(self) -> None:
        self._queue: queue.Queue[SpanRecord | threading.Event] = queue.Queue(self._queue_size)
        self._thread: threading.Thread | None = None
        self._start_lock = threading.Lock()
        self._hurry = threading.Event()
        self.dropped = 0
        self.last_error: Exception | None = None

    def _ensure_thread(self) -> None:
        if self._thread is None:
            with self._start_lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, name="plumbline-traces", daemon=True)
                    self._thread.start()

    def _work(self) -> None:
        while not self._closed:
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
            with self._connection.transaction() as connection:
                insert(connection, _spans_table(), [_to_row(record) for record in records])
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
