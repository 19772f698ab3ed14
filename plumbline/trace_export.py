"""Spans handed on to OpenTelemetry's exporters (extra `otel`), in batches, on a thread of its own making."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from plumbline.extras import require
from plumbline.trace_store import SpanRecord

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import SpanContext


class Export:
    """Queues spans for `exporters`; each has a queue of OpenTelemetry's own, which drops what it cannot hold."""

    def __init__(self, exporters: Sequence[SpanExporter]) -> None:
        export = require("opentelemetry.sdk.trace.export", "otel")
        self._processors = [export.BatchSpanProcessor(exporter) for exporter in exporters]

    def put(self, record: SpanRecord) -> None:
        """Queue a span."""
        span = readable(record)
        for processor in self._processors:
            processor.on_end(span)

    def close(self) -> None:
        """Send what is queued and end."""
        for processor in self._processors:
            processor.shutdown()


def readable(record: SpanRecord) -> ReadableSpan:
    """The span as OpenTelemetry's exporters take it."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Status, StatusCode

    return ReadableSpan(
        record.name,
        context=_context(record.trace_id, record.span_id),
        parent=None if record.parent_id is None else _context(record.trace_id, record.parent_id),
        resource=Resource({"service.name": "plumbline"}),
        attributes=record.attributes,
        start_time=int(record.start * 1e9),
        end_time=int(record.end * 1e9),
        status=Status(StatusCode.OK) if record.error is None else Status(StatusCode.ERROR, record.error),
    )


def _context(trace_id: str, span_id: str) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
